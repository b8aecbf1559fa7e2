//! What is refused over tables that do not end, and how it is said.

use datafusion::common::JoinType;
use datafusion::functions_aggregate::expr_fn::{count, max};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{ExprFunctionExt, LogicalPlanBuilder, col, lit};
use expect_test::{Expect, expect};
use tidemill_plan::window::WindowKind;

use super::fixture::{Case, scan, window, window_over};
use crate::lower::Emission;

fn check(plan: LogicalPlanBuilder, expected: Expect) {
    expected.assert_eq(&Case::of(plan).to_string());
}

#[test]
fn constructs_without_an_incremental_form() {
    let bid = || scan("bid", false);
    check(bid().sort(vec![col("price").sort(true, true)]).unwrap(), expect![""]);
    check(bid().limit(0, Some(3)).unwrap(), expect![""]);
    let ask = scan("ask", false).build().unwrap();
    check(bid().join(ask, JoinType::Inner, (vec!["bid.auction"], vec!["ask.auction"]), None).unwrap(), expect![""]);
    let rank = row_number().order_by(vec![col("price").sort(true, true)]).build().unwrap();
    check(bid().window(vec![rank]).unwrap(), expect![""]);
    let counts = bid().aggregate(vec![col("auction")], vec![count(lit(1_i64)).alias("n")]).unwrap();
    check(counts.aggregate(Vec::<datafusion::logical_expr::Expr>::new(), vec![max(col("n"))]).unwrap(), expect![""]);
}

#[test]
fn windows_that_would_never_close() {
    let plan = scan("bid", false).project(vec![
        datafusion::logical_expr::cast(
            col("price"),
            datafusion::arrow::datatypes::DataType::Timestamp(
                datafusion::arrow::datatypes::TimeUnit::Millisecond,
                None,
            ),
        )
        .alias("paid"),
        col("auction"),
    ]);
    let plan = window_over(plan.unwrap(), "paid", WindowKind::Tumble { size: 10_000_000 }, &[]);
    let plan = plan.aggregate(vec![col("window_start"), col("window_end")], vec![count(lit(1_i64))]).unwrap();
    check(plan, expect![""]);
}

#[test]
fn sessions_are_not_put_out_before_they_close() {
    let plan = window(scan("bid", false), WindowKind::Session { gap: 5_000_000 }, &["auction"]);
    let keys = vec![col("window_start"), col("window_end"), col("auction")];
    let case = Case::of(plan.aggregate(keys, vec![count(lit(1_i64))]).unwrap());
    expect![""].assert_eq(&case.emit(Emission::Changes { every: 0 }).to_string());
}
