//! Groupings over rows that may be taken back.

use datafusion::functions_aggregate::expr_fn::{avg, count, max, median};
use datafusion::logical_expr::{LogicalPlanBuilder, col, lit};
use expect_test::{Expect, expect};

use tidemill_plan::window::WindowKind;

use super::fixture::{Case, scan, window};
use crate::lower::{Emission, LowerOptions};

fn check(plan: LogicalPlanBuilder, expected: Expect) {
    expected.assert_eq(&Case::of(plan).to_string());
}

fn counts() -> LogicalPlanBuilder {
    scan("bid", false).aggregate(vec![col("auction")], vec![count(lit(1_i64)).alias("n")]).unwrap()
}

#[test]
fn groups_over_groups() {
    check(
        counts().aggregate(vec![col("n")], vec![count(lit(1_i64)), max(col("auction"))]).unwrap(),
        expect![[r#"
        Sink result  [retract, unbounded]
          UpdatingAggregate emit=changes group=[n@1] aggregates=[count(Int64(1)), max(bid.auction)]  [retract, unbounded]
            UpdatingAggregate emit=changes group=[auction@0] aggregates=[n]  [retract, unbounded]
              Project auction  [append, unbounded]
                Source bid columns=[auction, ts] watermark=ts - 4 s  [append, event time ts, unbounded]
        warning: GROUP BY over 'bid' keeps one row of aggregates for each group, and never lets go of it: group by a window to let groups go.
        warning: GROUP BY over 'bid' keeps one row of aggregates for each group, and the values of max(bid.auction), and never lets go of it: group by a window to let groups go.
    "#]],
    );
    check(
        counts()
            .aggregate(
                Vec::<datafusion::logical_expr::Expr>::new(),
                vec![max(col("n")), avg(col("n")), median(col("n"))],
            )
            .unwrap(),
        expect![[r#"
            Sink result  [retract, unbounded]
              UpdatingAggregate emit=changes aggregates=[max(n), avg(n), median(n)]  [retract, unbounded]
                Project CAST(n@1 AS Float64) AS __common_expr_1, n  [retract, unbounded]
                  UpdatingAggregate emit=changes group=[auction@0] aggregates=[n]  [retract, unbounded]
                    Project auction  [append, unbounded]
                      Source bid columns=[auction, ts] watermark=ts - 4 s  [append, event time ts, unbounded]
            warning: GROUP BY over 'bid' keeps one row of aggregates for each group, and never lets go of it: group by a window to let groups go.
            warning: GROUP BY over 'bid' keeps one row of aggregates, the values of max(n), and the rows of median(n), and never lets go of it: group by a window to let groups go.
        "#]],
    );
}

#[test]
fn distinct_rows_may_go() {
    let distinct =
        |plan: LogicalPlanBuilder, column: &str| plan.project(vec![col(column)]).unwrap().distinct().unwrap();
    check(
        distinct(scan("bid", false), "auction"),
        expect![[r#"
        Sink result  [append, unbounded]
          UpdatingAggregate emit=changes group=[auction@0] aggregates=[]  [append, unbounded]
            Project auction  [append, unbounded]
              Source bid columns=[auction, ts] watermark=ts - 4 s  [append, event time ts, unbounded]
        warning: GROUP BY over 'bid' keeps one row of aggregates for each group, and never lets go of it: group by a window to let groups go.
    "#]],
    );
    check(
        distinct(counts(), "n"),
        expect![[r#"
        Sink result  [retract, unbounded]
          UpdatingAggregate emit=changes group=[n@1] aggregates=[]  [retract, unbounded]
            UpdatingAggregate emit=changes group=[auction@0] aggregates=[n]  [retract, unbounded]
              Project auction  [append, unbounded]
                Source bid columns=[auction, ts] watermark=ts - 4 s  [append, event time ts, unbounded]
        warning: GROUP BY over 'bid' keeps one row of aggregates for each group, and never lets go of it: group by a window to let groups go.
    "#]],
    );
}

fn corrected() -> LowerOptions {
    LowerOptions { allowed_lateness: 2_000_000, ..LowerOptions::default() }
}

#[test]
fn results_that_are_corrected_are_held_back_until_they_are_final() {
    let plan = || {
        window(scan("bid", false), WindowKind::Tumble { size: 10_000_000 }, &[])
            .aggregate(vec![col("window_start"), col("window_end")], vec![count(lit(1_i64)).alias("n")])
            .unwrap()
    };
    let case = |emission| Case::of(plan()).options(corrected()).emit(emission).to_string();
    expect![[r#"
        Sink result  [append, unbounded]
          Project window_start, window_end, n  [append, unbounded]
            HoldBack on close of window_end  [append, unbounded]
              WindowAggregate TUMBLE size 10 s on ts aggregates=[n] allowed_lateness=2 s  [retract, event time window_time, unbounded]
                Source bid columns=[ts] watermark=ts - 4 s  [append, event time ts, unbounded]
    "#]].assert_eq(&case(Emission::OnWindowClose));
    expect![[r#"
        Sink result  [retract, unbounded]
          UpdatingAggregate emit=changes every 1 s group=[window_start@1, window_end@2] aggregates=[n]  [retract, unbounded]
            WindowRows TUMBLE size 10 s on ts  [append, event time ts, unbounded]
              Source bid columns=[ts] watermark=ts - 4 s  [append, event time ts, unbounded]
    "#]].assert_eq(&case(Emission::Changes { every: 1_000_000 }));
}

#[test]
fn windows_over_rows_that_may_be_taken_back_close_all_the_same() {
    // What allowed lateness corrects, grouped by its window once more.
    let counts = window(scan("bid", false), WindowKind::Tumble { size: 10_000_000 }, &[])
        .aggregate(vec![col("window_start"), col("window_end"), col("auction")], vec![count(lit(1_i64)).alias("n")])
        .unwrap();
    let most = counts.aggregate(vec![col("window_end")], vec![max(col("n"))]).unwrap();
    expect![[r#"
        Sink result  [retract, unbounded]
          Compact net changes  [retract, unbounded]
            Project window_end, max(n)  [retract, unbounded]
              UpdatingAggregate emit=on close group=[window_end@1, window_start@0] aggregates=[max(n)]  [retract, unbounded]
                WindowAggregate TUMBLE size 10 s on ts group=[auction@0] aggregates=[n] allowed_lateness=2 s  [retract, event time window_time, unbounded]
                  Source bid columns=[auction, ts] watermark=ts - 4 s  [append, event time ts, unbounded]
    "#]].assert_eq(&Case::of(most).options(corrected()).to_string());
}

#[test]
fn sessions_that_change() {
    let keys = vec![col("window_start"), col("window_end"), col("auction")];
    let counts = || {
        let plan = window(scan("bid", false), WindowKind::Session { gap: 5_000_000 }, &["auction"]);
        plan.aggregate(keys.clone(), vec![count(lit(1_i64))]).unwrap()
    };
    expect![[r#"
        Sink result  [retract, unbounded]
          UpdatingAggregate emit=changes group=[window_start@2, window_end@3, auction@0] aggregates=[count(Int64(1))]  [retract, unbounded]
            SessionRows SESSION gap 5 s on ts emit=changes  [retract, event time window_time, unbounded]
              Source bid columns=[auction, ts] watermark=ts - 4 s  [append, event time ts, unbounded]
    "#]].assert_eq(&Case::of(counts()).emit(Emission::Changes { every: 0 }).to_string());
}
