//! Groupings by windows: taken together with the window function, or by the window that stands in the rows.

use datafusion::functions_aggregate::expr_fn::{count, max, sum};
use datafusion::logical_expr::{Expr, ExprFunctionExt, GroupingSet, LogicalPlanBuilder, cast, col, lit};
use expect_test::{Expect, expect};
use tidemill_plan::window::WindowKind;

use super::fixture::{Case, scan, window, window_over};
use crate::lower::LowerOptions;

const S: i64 = 1_000_000;
const TUMBLE: WindowKind = WindowKind::Tumble { size: 10 * S };
const SESSION: WindowKind = WindowKind::Session { gap: 5 * S };

fn check(plan: LogicalPlanBuilder, expected: Expect) {
    expected.assert_eq(&Case::of(plan).to_string());
}

fn by_window(keys: &[&str]) -> Vec<Expr> {
    ["window_start", "window_end"].iter().chain(keys).map(|k| col(*k)).collect()
}

#[test]
fn a_window_and_its_grouping_are_one_operator() {
    for kind in
        [TUMBLE, WindowKind::Hop { size: 10 * S, slide: 2 * S }, WindowKind::Cumulate { max: 60 * S, step: 10 * S }]
    {
        let plan = window(scan("bid", false), kind, &[]);
        let text = Case::of(plan.aggregate(by_window(&["auction"]), vec![count(lit(1_i64))]).unwrap()).to_string();
        assert!(text.contains(&format!("WindowAggregate {kind} on ts group=[")), "{text}");
    }
    let plan = window(scan("bid", false), TUMBLE, &[]);
    let plan =
        plan.aggregate(by_window(&["auction"]), vec![count(lit(1_i64)).alias("n"), max(col("price")).alias("top")]);
    let plan = plan.unwrap().filter(col("n").gt(lit(2_i64))).unwrap();
    check(
        plan.project(vec![col("auction"), col("window_end"), col("top")]).unwrap(),
        expect![[r#"
            Sink result  [append, unbounded]
              Filter n@4 > 2 columns=[auction, window_end, top]  [append, unbounded]
                WindowAggregate TUMBLE size 10 s on ts group=[auction@0] aggregates=[n, top]  [append, event time window_time, unbounded]
                  Source bid columns=[auction, price, ts] watermark=ts - 4 s  [append, event time ts, unbounded]
        "#]],
    );
}

#[test]
fn filters_and_projections_that_do_not_look_go_below() {
    let plan = window(scan("bid", false), TUMBLE, &[]);
    let plan = plan.filter(col("price").gt(lit(10_i64))).unwrap();
    let euro = (col("price") / lit(100_i64)).alias("euro");
    let plan = plan.project(vec![col("window_start"), col("window_end"), euro]).unwrap();
    check(
        plan.aggregate(by_window(&[]), vec![sum(col("euro"))]).unwrap(),
        expect![[r#"
        Sink result  [append, unbounded]
          Project window_start, window_end, sum(euro)  [append, unbounded]
            WindowAggregate TUMBLE size 10 s on ts aggregates=[sum(euro)]  [append, event time window_time, unbounded]
              Project price@0 / 100 AS euro, ts  [append, event time ts, unbounded]
                Filter price@0 > 10  [append, event time ts, unbounded]
                  Source bid columns=[price, ts] watermark=ts - 4 s  [append, event time ts, unbounded]
    "#]],
    );
}

#[test]
fn one_bound_is_enough_where_it_decides() {
    let by = |kind, key: &str| {
        let plan = window(scan("bid", false), kind, &[]);
        Case::of(plan.aggregate(vec![col(key)], vec![count(lit(1_i64))]).unwrap()).to_string()
    };
    let cumulate = WindowKind::Cumulate { max: 60 * S, step: 10 * S };
    assert!(by(TUMBLE, "window_start").contains("WindowAggregate TUMBLE"));
    assert!(by(cumulate, "window_end").contains("WindowAggregate CUMULATE"));
    // Windows of a CUMULATE that share their start are not one group of it.
    expect![[r#"
        Sink result  [retract, unbounded]
          UpdatingAggregate emit=changes group=[window_start@1] aggregates=[count(Int64(1))]  [retract, unbounded]
            WindowRows CUMULATE max 1 min step 10 s on ts  [append, event time ts, unbounded]
              Source bid columns=[ts] watermark=ts - 4 s  [append, event time ts, unbounded]
        warning: GROUP BY over 'bid' keeps one row of aggregates for each group, and never lets go of it: group by a window to let groups go.
    "#]].assert_eq(&by(cumulate, "window_start"));
}

#[test]
fn whoever_looks_at_the_window_gets_it_in_the_rows() {
    let plan = window(scan("bid", false), TUMBLE, &[]);
    let hour = cast(col("window_start"), datafusion::arrow::datatypes::DataType::Date32).alias("day");
    let plan = plan.aggregate(
        vec![col("window_start"), col("window_end"), hour],
        vec![max(col("window_end")).alias("last"), count(lit(1_i64)).alias("n")],
    );
    check(
        plan.unwrap(),
        expect![[r#"
        Sink result  [append, unbounded]
          Project window_start, window_end, CAST(window_start@0 AS Date32) AS day, last, n  [append, unbounded]
            WindowAggregate TUMBLE size 10 s attached to the rows aggregates=[last, n]  [append, event time window_time, unbounded]
              WindowRows TUMBLE size 10 s on ts  [append, event time ts, unbounded]
                Source bid columns=[ts] watermark=ts - 4 s  [append, event time ts, unbounded]
    "#]],
    );
}

#[test]
fn a_grouping_of_closed_windows_goes_by_the_window_in_the_rows() {
    let plan = window(scan("bid", false), TUMBLE, &[]);
    let plan = plan.aggregate(by_window(&["auction"]), vec![count(lit(1_i64)).alias("n")]).unwrap();
    let plan = plan.aggregate(by_window(&[]), vec![max(col("n"))]).unwrap();
    check(
        plan,
        expect![[r#"
        Sink result  [append, unbounded]
          Project window_start, window_end, max(n)  [append, unbounded]
            WindowAggregate TUMBLE size 10 s attached to the rows aggregates=[max(n)]  [append, event time window_time, unbounded]
              WindowAggregate TUMBLE size 10 s on ts group=[auction@0] aggregates=[n]  [append, event time window_time, unbounded]
                Source bid columns=[auction, ts] watermark=ts - 4 s  [append, event time ts, unbounded]
    "#]],
    );
}

#[test]
fn a_window_over_the_result_of_a_window() {
    let keys = vec![col("window_start"), col("window_end"), col("window_time"), col("auction")];
    let plan = window(scan("bid", false), TUMBLE, &[]).aggregate(keys, vec![count(lit(1_i64)).alias("n")]).unwrap();
    let plan = plan.project(vec![col("window_time").alias("rowtime"), col("n")]).unwrap().alias("t").unwrap();
    let plan = window_over(plan, "rowtime", WindowKind::Tumble { size: 60 * S }, &[]);
    check(
        plan.aggregate(by_window(&[]), vec![sum(col("n"))]).unwrap(),
        expect![[r#"
        Sink result  [append, unbounded]
          Project window_start, window_end, sum(w.n)  [append, unbounded]
            WindowAggregate TUMBLE size 1 min on window_time aggregates=[sum(w.n)]  [append, event time window_time, unbounded]
              WindowAggregate TUMBLE size 10 s on ts group=[auction@0] aggregates=[n]  [append, event time window_time, unbounded]
                Source bid columns=[auction, ts] watermark=ts - 4 s  [append, event time ts, unbounded]
    "#]],
    );
}

#[test]
fn a_session_and_its_partition() {
    let by = |keys: &[&str]| {
        window(scan("bid", false), SESSION, &["auction"]).aggregate(by_window(keys), vec![count(lit(1_i64))]).unwrap()
    };
    check(
        by(&["auction"]),
        expect![[r#"
        Sink result  [append, unbounded]
          Project window_start, window_end, auction, count(Int64(1))  [append, unbounded]
            SessionAggregate SESSION gap 5 s on ts group=[auction@0] aggregates=[count(Int64(1))]  [append, event time window_time, unbounded]
              Source bid columns=[auction, ts] watermark=ts - 4 s  [append, event time ts, unbounded]
    "#]],
    );
    // Other keys than the partition: the session is that of the partition all the same.
    check(
        by(&["auction", "bidder"]),
        expect![[r#"
            Sink result  [append, unbounded]
              Project window_start, window_end, auction, bidder, count(Int64(1))  [append, unbounded]
                WindowAggregate SESSION gap 5 s attached to the rows group=[auction@0, bidder@1] aggregates=[count(Int64(1))]  [append, event time window_time, unbounded]
                  SessionRows SESSION gap 5 s on ts  [append, event time window_time, unbounded]
                    Source bid columns=[auction, bidder, ts] watermark=ts - 4 s  [append, event time ts, unbounded]
        "#]],
    );
    check(
        by(&[]),
        expect![[r#"
            Sink result  [append, unbounded]
              Project window_start, window_end, count(Int64(1))  [append, unbounded]
                WindowAggregate SESSION gap 5 s attached to the rows aggregates=[count(Int64(1))]  [append, event time window_time, unbounded]
                  SessionRows SESSION gap 5 s on ts  [append, event time window_time, unbounded]
                    Source bid columns=[auction, ts] watermark=ts - 4 s  [append, event time ts, unbounded]
        "#]],
    );
}

#[test]
fn a_session_that_may_grow_once_more_is_not_grouped_as_if_it_were_final() {
    let plan = window(scan("bid", false), SESSION, &["auction"]);
    let plan = plan.aggregate(by_window(&[]), vec![count(lit(1_i64))]).unwrap();
    let options = LowerOptions { allowed_lateness: 4 * S, ..LowerOptions::default() };
    expect![[r#"
        Sink result  [append, unbounded]
          UpdatingAggregate emit=on close group=[window_start@2, window_end@3] aggregates=[count(Int64(1))]  [append, unbounded]
            SessionRows SESSION gap 5 s on ts  [retract, event time window_time, unbounded]
              Source bid columns=[auction, ts] watermark=ts - 4 s  [append, event time ts, unbounded]
    "#]].assert_eq(&Case::of(plan).options(options).to_string());
}

#[test]
fn rows_that_are_left_out_still_hold_their_session_together() {
    let plan = window(scan("bid", false), SESSION, &["auction"]);
    let plan = plan.filter(col("price").gt(lit(10_i64)).and(col("auction").gt(lit(7_i64)))).unwrap();
    check(
        plan.aggregate(by_window(&["auction"]), vec![count(lit(1_i64))]).unwrap(),
        expect![[r#"
            Sink result  [append, unbounded]
              Project window_start, window_end, auction, count(Int64(1))  [append, unbounded]
                WindowAggregate SESSION gap 5 s attached to the rows group=[auction@0] aggregates=[count(Int64(1))]  [append, event time window_time, unbounded]
                  Filter price@1 > 10  [append, event time window_time, unbounded]
                    SessionRows SESSION gap 5 s on ts  [append, event time window_time, unbounded]
                      Filter auction@0 > 7  [append, event time ts, unbounded]
                        Source bid columns=[auction, price, ts] watermark=ts - 4 s  [append, event time ts, unbounded]
        "#]],
    );
}

#[test]
fn grouping_sets_within_windows() {
    let sets = |sets: Vec<Vec<Expr>>| Expr::GroupingSet(GroupingSet::GroupingSets(sets));
    let plan = window(scan("bid", false), TUMBLE, &[]);
    let mut keys = by_window(&[]);
    keys.push(sets(vec![vec![col("auction")], vec![]]));
    check(
        plan.clone().aggregate(keys, vec![count(lit(1_i64))]).unwrap(),
        expect![[r#"
        Sink result  [append, unbounded]
          Project window_start, window_end, auction, __grouping_id, count(Int64(1))  [append, unbounded]
            WindowAggregate TUMBLE size 10 s on ts group=[auction@0] sets=2 aggregates=[count(Int64(1))]  [append, event time window_time, unbounded]
              Source bid columns=[auction, ts] watermark=ts - 4 s  [append, event time ts, unbounded]
    "#]],
    );
    // The window's bounds are not the first keys: the bits of the others move.
    let one = sets(vec![
        vec![col("auction"), col("window_start"), col("window_end"), col("bidder")],
        vec![col("auction"), col("window_start"), col("window_end")],
    ]);
    check(
        plan.aggregate(vec![one], vec![count(lit(1_i64))]).unwrap(),
        expect![[r#"
        Sink result  [append, unbounded]
          Project auction, window_start, window_end, bidder, __grouping_id, count(Int64(1))  [append, unbounded]
            Project window_start, window_end, window_time, auction, bidder, CAST(CAST(__grouping_id@5 AS UInt64) >> 2 & 18446744073709551615 << 4 | CAST(__grouping_id@5 AS UInt64) >> 0 & 1 << 0 | CAST(__grouping_id@5 AS UInt64) >> 1 & 1 << 3 AS UInt8) AS __grouping_id, count(Int64(1))  [append, event time window_time, unbounded]
              WindowAggregate TUMBLE size 10 s on ts group=[auction@0, bidder@1] sets=2 aggregates=[count(Int64(1))]  [append, event time window_time, unbounded]
                Source bid columns=[auction, bidder, ts] watermark=ts - 4 s  [append, event time ts, unbounded]
    "#]],
    );
}

#[test]
fn distinct_and_filtered_aggregates() {
    let distinct = count(col("bidder")).distinct().build().unwrap();
    let dear = count(lit(1_i64)).filter(col("price").gt(lit(100_i64))).build().unwrap();
    let plan = window(scan("bid", false), TUMBLE, &[]);
    check(
        plan.aggregate(by_window(&[]), vec![distinct, dear]).unwrap(),
        expect![[r#"
        Sink result  [append, unbounded]
          Project window_start, window_end, count(DISTINCT w.bidder), count(Int64(1)) FILTER (WHERE w.price > Int64(100))  [append, unbounded]
            WindowAggregate TUMBLE size 10 s on ts aggregates=[count(DISTINCT w.bidder), count(Int64(1)) FILTER (WHERE w.price > Int64(100)) FILTER (WHERE price@1 > 100)]  [append, event time window_time, unbounded]
              Source bid columns=[bidder, price, ts] watermark=ts - 4 s  [append, event time ts, unbounded]
    "#]],
    );
}

#[test]
fn rows_of_windows_as_a_result() {
    let plan = window(scan("bid", false), TUMBLE, &[]).filter(col("window_start").is_not_null()).unwrap();
    check(
        plan.project(vec![col("window_start"), col("price")]).unwrap(),
        expect![[r#"
        Sink result  [append, unbounded]
          Project window_start, price  [append, unbounded]
            WindowRows TUMBLE size 10 s on ts  [append, event time ts, unbounded]
              Source bid columns=[price, ts] watermark=ts - 4 s  [append, event time ts, unbounded]
    "#]],
    );
}

#[test]
fn a_union_of_like_windows_is_grouped_by_them() {
    let one = window(scan("bid", false), TUMBLE, &[]).project(by_window(&["price"])).unwrap().build().unwrap();
    let two = window(scan("ask", false), TUMBLE, &[]).project(by_window(&["price"])).unwrap();
    let plan = two.union(one).unwrap().aggregate(by_window(&[]), vec![sum(col("price"))]).unwrap();
    check(
        plan,
        expect![[r#"
        Sink result  [append, unbounded]
          Project window_start, window_end, sum(price)  [append, unbounded]
            WindowAggregate TUMBLE size 10 s attached to the rows aggregates=[sum(price)]  [append, event time window_time, unbounded]
              Union  [append, unbounded]
                Project window_start, window_end, price  [append, unbounded]
                  WindowRows TUMBLE size 10 s on ts  [append, event time ts, unbounded]
                    Source ask columns=[price, ts] watermark=ts - 4 s  [append, event time ts, unbounded]
                Project window_start, window_end, price  [append, unbounded]
                  WindowRows TUMBLE size 10 s on ts  [append, event time ts, unbounded]
                    Source bid columns=[price, ts] watermark=ts - 4 s  [append, event time ts, unbounded]
    "#]],
    );
}
