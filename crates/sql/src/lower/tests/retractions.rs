//! Groupings over rows that may be taken back.

use datafusion::functions_aggregate::expr_fn::{avg, count, max, median};
use datafusion::logical_expr::{LogicalPlanBuilder, col, lit};
use expect_test::{Expect, expect};

use super::fixture::{Case, scan};

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
