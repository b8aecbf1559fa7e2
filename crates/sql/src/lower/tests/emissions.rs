//! `EMIT`, allowed lateness, and groupings without a window.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::functions_aggregate::expr_fn::{count, max};
use datafusion::logical_expr::{LogicalPlanBuilder, col, lit};
use expect_test::{Expect, expect};
use tidemill_plan::window::WindowKind;

use super::fixture::{Case, Planted, scan, window};
use crate::lower::{Emission, LowerOptions, UnboundedState};

const S: i64 = 1_000_000;

fn check(case: Case, expected: Expect) {
    expected.assert_eq(&case.to_string());
}

fn tumble(keys: &[&str]) -> LogicalPlanBuilder {
    let keys = keys.iter().map(|k| col(*k)).collect::<Vec<_>>();
    window(scan("bid", false), WindowKind::Tumble { size: 10 * S }, &[])
        .aggregate(keys, vec![count(lit(1_i64))])
        .unwrap()
}

#[test]
fn windows_that_are_put_out_with_each_change() {
    let changes = Emission::Changes { every: S };
    check(Case::of(tumble(&["window_start", "window_end", "auction"])).emit(changes), expect![""]);
    // Groups are let go by the window's end, named or not.
    check(Case::of(tumble(&["window_start", "auction"])).emit(changes), expect![""]);
}

#[test]
fn lateness_makes_corrections() {
    let options = LowerOptions { allowed_lateness: 2 * S, ..LowerOptions::default() };
    check(Case::of(tumble(&["window_start", "window_end"])).options(options), expect![""]);
}

#[test]
fn groupings_without_a_window() {
    let by_auction = |bounded| scan("bid", bounded).aggregate(vec![col("auction")], vec![max(col("price"))]).unwrap();
    check(Case::of(by_auction(false)), expect![""]);
    check(Case::of(by_auction(true)), expect![""]);
    check(Case::of(by_auction(true)).emit(Emission::Changes { every: 0 }), expect![""]);
    check(Case::of(scan("bid", false).project(vec![col("auction")]).unwrap().distinct().unwrap()), expect![""]);
    let reject = LowerOptions { unbounded_state: UnboundedState::Reject, ..LowerOptions::default() };
    check(Case::of(by_auction(false)).options(reject), expect![""]);
}

#[test]
fn a_table_that_takes_insertions_only_refuses_updates() {
    let sink = |t: DataType| {
        Planted(Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, true), Field::new("n", t, true)])))
    };
    let by_auction = || scan("bid", false).aggregate(vec![col("auction")], vec![count(lit(1_i64))]).unwrap();
    check(Case::of(by_auction()).into("out", sink(DataType::Int64)), expect![""]);
    let windows = || tumble(&["window_start", "window_end", "auction"]);
    let windows = || windows().project(vec![col("auction"), col("count(Int64(1))")]).unwrap();
    check(Case::of(windows()).into("out", sink(DataType::Int64)), expect![""]);
    check(Case::of(windows()).into("out", sink(DataType::Int64)).emit(Emission::Changes { every: 0 }), expect![""]);
    check(Case::of(windows()).into("out", sink(DataType::Utf8)), expect![""]);
}
