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
    check(
        Case::of(tumble(&["window_start", "window_end", "auction"])).emit(changes),
        expect![[r#"
        Sink result  [retract, unbounded]
          UpdatingAggregate emit=changes every 1 s group=[window_start@2, window_end@3, auction@0] aggregates=[count(Int64(1))]  [retract, unbounded]
            WindowRows TUMBLE size 10 s on ts  [append, event time ts, unbounded]
              Source bid columns=[auction, ts] watermark=ts - 4 s  [append, event time ts, unbounded]
    "#]],
    );
    // Groups are let go by the window's end, named or not.
    check(
        Case::of(tumble(&["window_start", "auction"])).emit(changes),
        expect![[r#"
            Sink result  [retract, unbounded]
              Compact net changes  [retract, unbounded]
                Project window_start, auction, count(Int64(1))  [retract, unbounded]
                  UpdatingAggregate emit=changes every 1 s group=[window_start@2, auction@0, window_end@3] aggregates=[count(Int64(1))]  [retract, unbounded]
                    WindowRows TUMBLE size 10 s on ts  [append, event time ts, unbounded]
                      Source bid columns=[auction, ts] watermark=ts - 4 s  [append, event time ts, unbounded]
        "#]],
    );
}

#[test]
fn lateness_makes_corrections() {
    let options = LowerOptions { allowed_lateness: 2 * S, ..LowerOptions::default() };
    check(
        Case::of(tumble(&["window_start", "window_end"])).options(options),
        expect![[r#"
            Sink result  [retract, unbounded]
              Compact net changes by window_start, window_end  [retract, unbounded]
                Project window_start, window_end, count(Int64(1))  [retract, unbounded]
                  WindowAggregate TUMBLE size 10 s on ts aggregates=[count(Int64(1))] allowed_lateness=2 s  [retract, event time window_time, unbounded]
                    Source bid columns=[ts] watermark=ts - 4 s  [append, event time ts, unbounded]
        "#]],
    );
}

#[test]
fn groupings_without_a_window() {
    let by_auction = |bounded| scan("bid", bounded).aggregate(vec![col("auction")], vec![max(col("price"))]).unwrap();
    check(
        Case::of(by_auction(false)),
        expect![[r#"
        Sink result  [retract, unbounded]
          UpdatingAggregate emit=changes group=[auction@0] aggregates=[max(bid.price)]  [retract, unbounded]
            Project auction, price  [append, unbounded]
              Source bid columns=[auction, price, ts] watermark=ts - 4 s  [append, event time ts, unbounded]
        warning: GROUP BY over 'bid' keeps one row of aggregates for each group, and never lets go of it: group by a window to let groups go.
    "#]],
    );
    check(
        Case::of(by_auction(true)),
        expect![[r#"
        Sink result  [append, bounded]
          UpdatingAggregate emit=at the end group=[auction@0] aggregates=[max(bid.price)]  [append, bounded]
            Project auction, price  [append, bounded]
              Source bid columns=[auction, price, ts] watermark=ts - 4 s  [append, event time ts, bounded]
    "#]],
    );
    check(
        Case::of(by_auction(true)).emit(Emission::Changes { every: 0 }),
        expect![[r#"
        Sink result  [retract, bounded]
          UpdatingAggregate emit=changes group=[auction@0] aggregates=[max(bid.price)]  [retract, bounded]
            Project auction, price  [append, bounded]
              Source bid columns=[auction, price, ts] watermark=ts - 4 s  [append, event time ts, bounded]
    "#]],
    );
    check(
        Case::of(scan("bid", false).project(vec![col("auction")]).unwrap().distinct().unwrap()),
        expect![[r#"
        Sink result  [append, unbounded]
          UpdatingAggregate emit=changes group=[auction@0] aggregates=[]  [append, unbounded]
            Project auction  [append, unbounded]
              Source bid columns=[auction, ts] watermark=ts - 4 s  [append, event time ts, unbounded]
        warning: GROUP BY over 'bid' keeps one row of aggregates for each group, and never lets go of it: group by a window to let groups go.
    "#]],
    );
    let reject = LowerOptions { unbounded_state: UnboundedState::Reject, ..LowerOptions::default() };
    check(
        Case::of(by_auction(false)).options(reject),
        expect![[r#"
        GROUP BY over 'bid' keeps one row of aggregates for each group, and never lets go of it, and 'state.unbounded' is 'reject'
        hint: Group by a window to let groups go."#]],
    );
}

#[test]
fn a_table_that_takes_insertions_only_refuses_updates() {
    let sink = |t: DataType| {
        Planted(Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, true), Field::new("n", t, true)])))
    };
    let by_auction = || scan("bid", false).aggregate(vec![col("auction")], vec![count(lit(1_i64))]).unwrap();
    check(
        Case::of(by_auction()).into("out", sink(DataType::Int64)),
        expect![[r#"
            table 'out' takes insertions only, and this result is updated by the GROUP BY without a window over 'bid'
            hint: Group by window_start and window_end of a window function beside auction. Or write to a table that takes updates: format 'debezium-json', a 'changelog.operation-column', or connector 'print'."#]],
    );
    let windows = || tumble(&["window_start", "window_end", "auction"]);
    let windows = || windows().project(vec![col("auction"), col("count(Int64(1))")]).unwrap();
    check(
        Case::of(windows()).into("out", sink(DataType::Int64)),
        expect![[r#"
        Sink out  [append, unbounded]
          Project auction@3 AS a, count(Int64(1))@4 AS n  [append, unbounded]
            WindowAggregate TUMBLE size 10 s on ts group=[auction@0] aggregates=[count(Int64(1))]  [append, event time window_time, unbounded]
              Source bid columns=[auction, ts] watermark=ts - 4 s  [append, event time ts, unbounded]
    "#]],
    );
    check(
        Case::of(windows()).into("out", sink(DataType::Int64)).emit(Emission::Changes { every: 0 }),
        expect![[r#"
            table 'out' takes insertions only, and this result is updated by EMIT CHANGES of the windows over 'bid'
            hint: Leave EMIT CHANGES out, so that each window is put out once, when it has closed. Or write to a table that takes updates: format 'debezium-json', a 'changelog.operation-column', or connector 'print'."#]],
    );
    check(
        Case::of(windows()).into("out", sink(DataType::Utf8)),
        expect![[r#"
        column 'n' of table 'out' is Utf8, and the query gives Int64
        hint: Write CAST(count(Int64(1)) AS ..) in the query."#]],
    );
}
