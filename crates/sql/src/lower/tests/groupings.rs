//! Groupings by windows: taken together with the window function, or by the window that stands in the rows.

use datafusion::functions_aggregate::expr_fn::{count, max, sum};
use datafusion::logical_expr::{Expr, ExprFunctionExt, GroupingSet, LogicalPlanBuilder, cast, col, lit};
use expect_test::{Expect, expect};
use tidemill_plan::window::WindowKind;

use super::fixture::{Case, scan, window, window_over};

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
    check(plan.project(vec![col("auction"), col("window_end"), col("top")]).unwrap(), expect![""]);
}

#[test]
fn filters_and_projections_that_do_not_look_go_below() {
    let plan = window(scan("bid", false), TUMBLE, &[]);
    let plan = plan.filter(col("price").gt(lit(10_i64))).unwrap();
    let euro = (col("price") / lit(100_i64)).alias("euro");
    let plan = plan.project(vec![col("window_start"), col("window_end"), euro]).unwrap();
    check(plan.aggregate(by_window(&[]), vec![sum(col("euro"))]).unwrap(), expect![""]);
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
    expect![""].assert_eq(&by(cumulate, "window_start"));
}

#[test]
fn whoever_looks_at_the_window_gets_it_in_the_rows() {
    let plan = window(scan("bid", false), TUMBLE, &[]);
    let hour = cast(col("window_start"), datafusion::arrow::datatypes::DataType::Date32).alias("day");
    let plan = plan.aggregate(
        vec![col("window_start"), col("window_end"), hour],
        vec![max(col("window_end")).alias("last"), count(lit(1_i64)).alias("n")],
    );
    check(plan.unwrap(), expect![""]);
}

#[test]
fn a_grouping_of_closed_windows_goes_by_the_window_in_the_rows() {
    let plan = window(scan("bid", false), TUMBLE, &[]);
    let plan = plan.aggregate(by_window(&["auction"]), vec![count(lit(1_i64)).alias("n")]).unwrap();
    let plan = plan.aggregate(by_window(&[]), vec![max(col("n"))]).unwrap();
    check(plan, expect![""]);
}

#[test]
fn a_window_over_the_result_of_a_window() {
    let keys = vec![col("window_start"), col("window_end"), col("window_time"), col("auction")];
    let plan = window(scan("bid", false), TUMBLE, &[]).aggregate(keys, vec![count(lit(1_i64)).alias("n")]).unwrap();
    let plan = plan.project(vec![col("window_time").alias("rowtime"), col("n")]).unwrap().alias("t").unwrap();
    let plan = window_over(plan, "rowtime", WindowKind::Tumble { size: 60 * S }, &[]);
    check(plan.aggregate(by_window(&[]), vec![sum(col("n"))]).unwrap(), expect![""]);
}

#[test]
fn a_session_and_its_partition() {
    let by = |keys: &[&str]| {
        window(scan("bid", false), SESSION, &["auction"]).aggregate(by_window(keys), vec![count(lit(1_i64))]).unwrap()
    };
    check(by(&["auction"]), expect![""]);
    // Other keys than the partition: the session is that of the partition all the same.
    check(by(&["auction", "bidder"]), expect![""]);
    check(by(&[]), expect![""]);
}

#[test]
fn rows_that_are_left_out_still_hold_their_session_together() {
    let plan = window(scan("bid", false), SESSION, &["auction"]);
    let plan = plan.filter(col("price").gt(lit(10_i64)).and(col("auction").gt(lit(7_i64)))).unwrap();
    check(plan.aggregate(by_window(&["auction"]), vec![count(lit(1_i64))]).unwrap(), expect![""]);
}

#[test]
fn grouping_sets_within_windows() {
    let sets = |sets: Vec<Vec<Expr>>| Expr::GroupingSet(GroupingSet::GroupingSets(sets));
    let plan = window(scan("bid", false), TUMBLE, &[]);
    let mut keys = by_window(&[]);
    keys.push(sets(vec![vec![col("auction")], vec![]]));
    check(plan.clone().aggregate(keys, vec![count(lit(1_i64))]).unwrap(), expect![""]);
    // The window's bounds are not the first keys: the bits of the others move.
    let one = sets(vec![
        vec![col("auction"), col("window_start"), col("window_end"), col("bidder")],
        vec![col("auction"), col("window_start"), col("window_end")],
    ]);
    check(plan.aggregate(vec![one], vec![count(lit(1_i64))]).unwrap(), expect![""]);
}

#[test]
fn distinct_and_filtered_aggregates() {
    let distinct = count(col("bidder")).distinct().build().unwrap();
    let dear = count(lit(1_i64)).filter(col("price").gt(lit(100_i64))).build().unwrap();
    let plan = window(scan("bid", false), TUMBLE, &[]);
    check(plan.aggregate(by_window(&[]), vec![distinct, dear]).unwrap(), expect![""]);
}

#[test]
fn rows_of_windows_as_a_result() {
    let plan = window(scan("bid", false), TUMBLE, &[]).filter(col("window_start").is_not_null()).unwrap();
    check(plan.project(vec![col("window_start"), col("price")]).unwrap(), expect![""]);
}

#[test]
fn a_union_of_like_windows_is_grouped_by_them() {
    let one = window(scan("bid", false), TUMBLE, &[]).project(by_window(&["price"])).unwrap().build().unwrap();
    let two = window(scan("ask", false), TUMBLE, &[]).project(by_window(&["price"])).unwrap();
    let plan = two.union(one).unwrap().aggregate(by_window(&[]), vec![sum(col("price"))]).unwrap();
    check(plan, expect![""]);
}
