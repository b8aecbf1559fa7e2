//! Parts without an incremental form over tables that end.

use datafusion::common::JoinType;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{ExprFunctionExt, LogicalPlanBuilder, col, lit};
use expect_test::{Expect, expect};
use tidemill_plan::window::WindowKind;

use super::fixture::{Case, scan, window};

fn check(plan: LogicalPlanBuilder, expected: Expect) {
    expected.assert_eq(&Case::of(plan).to_string());
}

fn counts(bounded: bool) -> LogicalPlanBuilder {
    let plan = window(scan("bid", bounded), WindowKind::Tumble { size: 10_000_000 }, &[]);
    plan.aggregate(vec![col("window_start"), col("window_end"), col("auction")], vec![count(lit(1_i64)).alias("n")])
        .unwrap()
}

#[test]
fn order_by_and_limit_above_windows() {
    let plan = counts(true).sort(vec![col("n").sort(false, false)]).unwrap().limit(0, Some(3)).unwrap();
    check(
        plan.project(vec![col("auction"), col("n")]).unwrap(),
        expect![[r#"
            Sink result  [append, bounded]
              TopN ROW_NUMBER <= 3 order=[n DESC] emit=at the end  [append, bounded]
                Project auction, n  [append, bounded]
                  WindowAggregate TUMBLE size 10 s on ts group=[auction@0] aggregates=[n]  [append, event time window_time, bounded]
                    Source bid columns=[auction, ts] watermark=ts - 4 s  [append, event time ts, bounded]
        "#]],
    );
}

#[test]
fn a_join_of_two_tables() {
    let asks = scan("ask", true).filter(col("price").gt(lit(1_i64))).unwrap().build().unwrap();
    let plan = scan("bid", true).join(asks, JoinType::Inner, (vec!["bid.auction"], vec!["ask.auction"]), None).unwrap();
    check(
        plan.project(vec![col("bid.price"), col("ask.price")]).unwrap(),
        expect![[r#"
            Sink result  [append, bounded]
              Project price, price  [append, bounded]
                Join inner on=[auction = auction]  [append, bounded]
                  Project auction, price  [append, bounded]
                    Source bid columns=[auction, price, ts] watermark=ts - 4 s  [append, event time ts, bounded]
                  Filter price@1 > 1  [append, bounded]
                    Project auction, price  [append, bounded]
                      Source ask columns=[auction, price, ts] watermark=ts - 4 s  [append, event time ts, bounded]
        "#]],
    );
}

#[test]
fn the_first_of_each_window() {
    let rank = row_number().partition_by(vec![col("window_start"), col("window_end")]);
    let rank = rank.order_by(vec![col("n").sort(false, false)]).build().unwrap().alias("rank");
    let plan = counts(true).window(vec![rank]).unwrap().filter(col("rank").lt_eq(lit(1_u64))).unwrap();
    check(
        plan.project(vec![col("window_start"), col("auction"), col("n")]).unwrap(),
        expect![[r#"
            Sink result  [append, bounded]
              Project window_start, auction, n  [append, bounded]
                TopN ROW_NUMBER <= 1 partition=[window_start, window_end] order=[n DESC] emit=on close  [append, bounded]
                  Project window_start, window_end, auction, n  [append, bounded]
                    WindowAggregate TUMBLE size 10 s on ts group=[auction@0] aggregates=[n]  [append, event time window_time, bounded]
                      Source bid columns=[auction, ts] watermark=ts - 4 s  [append, event time ts, bounded]
        "#]],
    );
}

#[test]
fn a_window_above_a_join_is_part_of_the_run() {
    let asks = scan("ask", true).project(vec![col("auction")]).unwrap().build().unwrap();
    let plan =
        scan("bid", true).join(asks, JoinType::LeftSemi, (vec!["bid.auction"], vec!["ask.auction"]), None).unwrap();
    let plan = window(plan, WindowKind::Tumble { size: 10_000_000 }, &[]);
    check(
        plan.aggregate(vec![col("window_start"), col("window_end")], vec![count(lit(1_i64))]).unwrap(),
        expect![[r#"
            Sink result  [append, bounded]
              Project window_start, window_end, count(Int64(1))  [append, bounded]
                WindowAggregate TUMBLE size 10 s on ts aggregates=[count(Int64(1))]  [append, bounded]
                  Join left semi on=[auction = auction]  [append, bounded]
                    Source bid columns=[auction, ts] watermark=ts - 4 s  [append, event time ts, bounded]
                    Project auction  [append, bounded]
                      Source ask columns=[auction, ts] watermark=ts - 4 s  [append, event time ts, bounded]
        "#]],
    );
}

#[test]
fn a_part_that_ends_in_a_query_that_goes_on() {
    let top = scan("ask", true).project(vec![col("price")]).unwrap();
    let top = top.sort(vec![col("price").sort(false, false)]).unwrap().limit(0, Some(1)).unwrap().build().unwrap();
    let plan = scan("bid", false).project(vec![col("price")]).unwrap().union(top).unwrap();
    check(
        plan,
        expect![[r#"
            Sink result  [append, unbounded]
              Union  [append, unbounded]
                Project price  [append, unbounded]
                  Source bid columns=[price, ts] watermark=ts - 4 s  [append, event time ts, unbounded]
                TopN ROW_NUMBER <= 1 order=[price DESC] emit=at the end  [append, bounded]
                  Project price  [append, bounded]
                    Source ask columns=[price, ts] watermark=ts - 4 s  [append, event time ts, bounded]
        "#]],
    );
}
