//! Queries that keep nothing: filters, projections, unions, lists, and several readers of one table.

use datafusion::common::{NullHandling, UnnestOptions};
use datafusion::logical_expr::{LogicalPlanBuilder, col, lit};
use expect_test::{Expect, expect};

use super::fixture::{Case, scan, system};
use crate::catalog::SystemTable;

fn check(case: Case, expected: Expect) {
    expected.assert_eq(&case.to_string());
}

#[test]
fn only_what_is_asked_for_is_decoded_and_the_time() {
    let plan = scan("bid", false).filter(col("price").gt(lit(10_i64))).unwrap();
    let plan = plan.project(vec![col("auction"), (col("price") * lit(2_i64)).alias("double")]).unwrap();
    check(
        Case::of(plan),
        expect![[r#"
        Sink result  [append, unbounded]
          Project auction, price@1 * 2 AS double  [append, unbounded]
            Filter price@1 > 10  [append, unbounded]
              Project auction, price  [append, unbounded]
                Source bid columns=[auction, price, ts] watermark=ts - 4 s  [append, event time ts, unbounded]
    "#]],
    );
}

#[test]
fn a_table_is_read_once() {
    let one = scan("bid", false).project(vec![col("auction")]).unwrap();
    let two = scan("bid", false).filter(col("bidder").eq(lit(1_i64))).unwrap();
    let two = two.project(vec![col("bidder"), col("ts")]).unwrap();
    check(
        Case::of(one).and(two),
        expect![[r#"
        Sink result  [append, unbounded]
          Project auction  [append, unbounded]
            #0 Source bid columns=[auction, bidder, ts] watermark=ts - 4 s  [append, event time ts, unbounded]
        Sink result  [append, event time ts, unbounded]
          Filter bidder@0 = 1  [append, event time ts, unbounded]
            Project bidder, ts  [append, event time ts, unbounded]
              #0 Source (see above)
    "#]],
    );
}

#[test]
fn equal_queries_run_once() {
    let plan = || scan("bid", false).filter(col("price").gt(lit(10_i64))).unwrap();
    check(
        Case::of(plan()).and(plan()),
        expect![[r#"
        Sink result  [append, event time ts, unbounded]
          #1 Filter price@2 > 10  [append, event time ts, unbounded]
            Source bid columns=[auction, bidder, price, ts, tags] watermark=ts - 4 s  [append, event time ts, unbounded]
        Sink result  [append, event time ts, unbounded]
          #1 Filter (see above)
    "#]],
    );
}

#[test]
fn a_union_keeps_a_common_time() {
    let one = scan("bid", false).project(vec![col("auction"), col("ts")]).unwrap().build().unwrap();
    let two = scan("ask", false).project(vec![col("bidder"), col("ts")]).unwrap();
    check(
        Case::of(two.union(one).unwrap()),
        expect![[r#"
        Sink result  [append, event time ts, unbounded]
          Union  [append, event time ts, unbounded]
            Source ask columns=[bidder, ts] watermark=ts - 4 s  [append, event time ts, unbounded]
            Project auction@0 AS bidder, ts  [append, event time ts, unbounded]
              Source bid columns=[auction, ts] watermark=ts - 4 s  [append, event time ts, unbounded]
    "#]],
    );
}

#[test]
fn a_list_is_taken_apart() {
    let options = UnnestOptions { null_handling: NullHandling::Drop, recursions: vec![] };
    let plan = scan("bid", false).project(vec![col("auction"), col("tags"), col("ts")]).unwrap();
    check(
        Case::of(plan.unnest_column_with_options("tags", options).unwrap()),
        expect![[r#"
        Sink result  [append, event time ts, unbounded]
          Unnest tags  [append, event time ts, unbounded]
            Source bid columns=[auction, ts, tags] watermark=ts - 4 s  [append, event time ts, unbounded]
    "#]],
    );
}

#[test]
fn rows_of_the_statement_itself() {
    let values = LogicalPlanBuilder::values(vec![vec![lit(1_i64), lit("a")], vec![lit(2_i64), lit("b")]]).unwrap();
    check(
        Case::of(values),
        expect![[r#"
        Sink result  [append, bounded]
          Values rows=2  [append, bounded]
    "#]],
    );
    let one = LogicalPlanBuilder::empty(true).project(vec![lit(1_i64).alias("one")]).unwrap();
    check(
        Case::of(one),
        expect![[r#"
        Sink result  [append, bounded]
          Project 1 AS one  [append, bounded]
            Values rows=1  [append, bounded]
    "#]],
    );
}

#[test]
fn the_tables_of_the_dataflow_end_with_its_sources() {
    let late = || system(SystemTable::LateRows).project(vec![col("source"), col("row")]).unwrap();
    check(
        Case::of(late()),
        expect![[r#"
        Sink result  [append, bounded]
          Project source, row  [append, bounded]
            Source tidemill.late_rows columns=[source, operator, event_time, watermark, window_end, row]  [append, bounded]
    "#]],
    );
    check(
        Case::of(late()).and(scan("bid", false).project(vec![col("price")]).unwrap()),
        expect![[r#"
        Sink result  [append, unbounded]
          Project source, row  [append, unbounded]
            Source tidemill.late_rows columns=[source, operator, event_time, watermark, window_end, row]  [append, unbounded]
        Sink result  [append, unbounded]
          Project price  [append, unbounded]
            Source bid columns=[price, ts] watermark=ts - 4 s  [append, event time ts, unbounded]
    "#]],
    );
}
