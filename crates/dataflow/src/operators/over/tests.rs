//! What each form costs and keeps. That the values are right is for the tests of queries, against DataFusion in batch.

use std::sync::Arc;

use arrow::array::Int64Array;
use arrow::datatypes::{DataType, Field, IntervalMonthDayNano, Schema, SchemaRef};
use datafusion_common::ScalarValue;
use datafusion_expr::{WindowFrame, WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition};
use datafusion_functions_aggregate::sum::sum_udaf;
use datafusion_physical_expr::PhysicalSortExpr;
use datafusion_physical_expr::expressions::col;
use expect_test::{Expect, expect};
use tidemill_core::{Delta, Micros, Watermark};
use tidemill_plan::op::{OverForm, OverFunction, OverOp};
use tidemill_plan::over::time_reach;

use super::event_time::EventTime;
use super::updating::Updating;
use crate::operators::keyed_states::testing::{In, delta, input_schema};
use crate::testing::picture;
use crate::{Cx, Operator};

fn rows(back: u64) -> WindowFrame {
    let start = WindowFrameBound::Preceding(ScalarValue::UInt64(Some(back)));
    WindowFrame::new_bounds(WindowFrameUnits::Rows, start, WindowFrameBound::CurrentRow)
}

fn all_before() -> WindowFrame {
    let start = WindowFrameBound::Preceding(ScalarValue::UInt64(None));
    WindowFrame::new_bounds(WindowFrameUnits::Rows, start, WindowFrameBound::CurrentRow)
}

fn millis(back: i64) -> WindowFrame {
    let length = IntervalMonthDayNano::new(0, 0, back * 1_000_000);
    let start = WindowFrameBound::Preceding(ScalarValue::IntervalMonthDayNano(Some(length)));
    WindowFrame::new_bounds(WindowFrameUnits::Range, start, WindowFrameBound::CurrentRow)
}

/// `SUM(v) OVER (PARTITION BY k ORDER BY ts ..)`.
fn sum(frame: WindowFrame, form: OverForm) -> OverOp {
    let schema = input_schema();
    let function = OverFunction {
        function: WindowFunctionDefinition::AggregateUDF(sum_udaf()),
        name: "sum".into(),
        args: vec![col("v", &schema).unwrap()],
        filter: None,
        frame: Arc::new(frame),
        ignore_nulls: false,
        distinct: false,
    };
    let order_by = vec![PhysicalSortExpr { expr: col("ts", &schema).unwrap(), options: Default::default() }];
    OverOp { partition_by: vec![0], order_by, functions: vec![function], form }
}

fn output() -> SchemaRef {
    let mut fields = input_schema().fields().to_vec();
    fields.push(Arc::new(Field::new("sum", DataType::Int64, true)));
    Arc::new(Schema::new(fields))
}

fn event_time(frame: WindowFrame) -> EventTime {
    let op = sum(frame, OverForm::EventTime { time: 1, allowed_lateness: 0, reach: None });
    let reach = time_reach(&op.functions[0]);
    EventTime::new(&op, 1, 0, reach, input_schema(), output()).unwrap()
}

fn updating(frame: WindowFrame) -> Updating {
    Updating::new(&sum(frame, OverForm::Changes), input_schema(), output()).unwrap()
}

fn row(k: i64, ts: i64, v: i64) -> In {
    In { k: Some(k), ts: Some(ts), v: Some(v), split: None }
}

/// One epoch; the watermark in milliseconds.
fn epoch(operator: &mut impl Operator, input: Vec<Delta>, watermark: Micros) -> Cx {
    let mut cx = Cx::new(0);
    for delta in input {
        operator.push(0, delta, &mut cx).unwrap();
    }
    operator.advance(Watermark(watermark.saturating_mul(1_000)), &mut cx).unwrap();
    operator.end_epoch(&mut cx).unwrap();
    cx
}

fn weighted(rows: &[(In, i64)]) -> Delta {
    let weights = Int64Array::from_iter_values(rows.iter().map(|r| r.1));
    Delta { weights: Some(weights), ..delta(&rows.iter().map(|r| r.0).collect::<Vec<_>>()) }
}

fn check(cx: &mut Cx, expected: Expect) {
    expected.assert_eq(&picture(&cx.take_emitted()));
}

#[test]
fn a_row_comes_out_when_the_watermark_has_passed_its_time() {
    let mut operator = event_time(all_before());
    let mut first = epoch(&mut operator, vec![delta(&[row(1, 30, 5), row(1, 10, 1), row(2, 20, 7)])], 20);
    check(
        &mut first,
        expect![[r#"
        +---+-------------------------+---+-----+
        | k | ts                      | v | sum |
        +---+-------------------------+---+-----+
        | 1 | 1970-01-01T00:00:00.010 | 1 | 1   |
        +---+-------------------------+---+-----+"#]],
    );
    let mut second = epoch(&mut operator, vec![delta(&[row(1, 20, 2)])], 30);
    check(
        &mut second,
        expect![[r#"
        +---+-------------------------+---+-----+
        | k | ts                      | v | sum |
        +---+-------------------------+---+-----+
        | 1 | 1970-01-01T00:00:00.020 | 2 | 3   |
        | 2 | 1970-01-01T00:00:00.020 | 7 | 7   |
        +---+-------------------------+---+-----+"#]],
    );
    let late = In { split: Some(30), ..row(1, 29, 9) };
    let mut last = epoch(&mut operator, vec![delta(&[late, row(2, 30, 3)])], i64::MAX);
    assert_eq!(last.take_late().iter().map(|l| l.rows.num_rows()).sum::<usize>(), 1);
    check(
        &mut last,
        expect![[r#"
        +---+-------------------------+---+-----+
        | k | ts                      | v | sum |
        +---+-------------------------+---+-----+
        | 1 | 1970-01-01T00:00:00.030 | 5 | 8   |
        | 2 | 1970-01-01T00:00:00.030 | 3 | 10  |
        +---+-------------------------+---+-----+"#]],
    );
}

#[test]
fn a_change_takes_back_what_it_changes() {
    let mut operator = updating(rows(1));
    let mut first = epoch(&mut operator, vec![delta(&[row(1, 10, 1), row(1, 30, 3), row(2, 5, 9)])], 0);
    check(
        &mut first,
        expect![[r#"
        +---+-------------------------+---+-----+
        | k | ts                      | v | sum |
        +---+-------------------------+---+-----+
        | 1 | 1970-01-01T00:00:00.010 | 1 | 1   |
        | 1 | 1970-01-01T00:00:00.030 | 3 | 4   |
        | 2 | 1970-01-01T00:00:00.005 | 9 | 9   |
        +---+-------------------------+---+-----+"#]],
    );
    let mut between = epoch(&mut operator, vec![delta(&[row(1, 20, 2)])], 0);
    check(
        &mut between,
        expect![[r#"
        +---+-------------------------+---+-----+--------+
        | k | ts                      | v | sum | weight |
        +---+-------------------------+---+-----+--------+
        | 1 | 1970-01-01T00:00:00.030 | 3 | 4   | -1     |
        +---+-------------------------+---+-----+--------+
        +---+-------------------------+---+-----+
        | k | ts                      | v | sum |
        +---+-------------------------+---+-----+
        | 1 | 1970-01-01T00:00:00.020 | 2 | 3   |
        | 1 | 1970-01-01T00:00:00.030 | 3 | 5   |
        +---+-------------------------+---+-----+"#]],
    );
    // What comes and goes within an epoch is not seen; a row that goes leaves those it does not touch alone.
    let gone = weighted(&[(row(1, 10, 1), -1), (row(1, 40, 4), -1), (row(1, 40, 4), 1)]);
    check(
        &mut epoch(&mut operator, vec![gone], 0),
        expect![[r#"
        +---+-------------------------+---+-----+--------+
        | k | ts                      | v | sum | weight |
        +---+-------------------------+---+-----+--------+
        | 1 | 1970-01-01T00:00:00.010 | 1 | 1   | -1     |
        | 1 | 1970-01-01T00:00:00.020 | 2 | 3   | -1     |
        +---+-------------------------+---+-----+--------+
        +---+-------------------------+---+-----+
        | k | ts                      | v | sum |
        +---+-------------------------+---+-----+
        | 1 | 1970-01-01T00:00:00.020 | 2 | 2   |
        +---+-------------------------+---+-----+"#]],
    );
}

#[test]
fn copies_of_a_row_change_no_more_than_their_number() {
    let mut operator = updating(all_before());
    let mut first = epoch(&mut operator, vec![weighted(&[(row(1, 10, 1), 3)])], 0);
    check(
        &mut first,
        expect![[r#"
        +---+-------------------------+---+-----+
        | k | ts                      | v | sum |
        +---+-------------------------+---+-----+
        | 1 | 1970-01-01T00:00:00.010 | 1 | 1   |
        | 1 | 1970-01-01T00:00:00.010 | 1 | 2   |
        | 1 | 1970-01-01T00:00:00.010 | 1 | 3   |
        +---+-------------------------+---+-----+"#]],
    );
    check(
        &mut epoch(&mut operator, vec![weighted(&[(row(1, 10, 1), -2)])], 0),
        expect![[r#"
        +---+-------------------------+---+-----+--------+
        | k | ts                      | v | sum | weight |
        +---+-------------------------+---+-----+--------+
        | 1 | 1970-01-01T00:00:00.010 | 1 | 2   | -1     |
        | 1 | 1970-01-01T00:00:00.010 | 1 | 3   | -1     |
        +---+-------------------------+---+-----+--------+"#]],
    );
}

#[test]
fn a_change_costs_what_frames_reach() {
    let mut operator = updating(rows(3));
    let many: Vec<In> = (0..20_000).map(|i| row(1, 2 * i, i)).collect();
    epoch(&mut operator, vec![delta(&many)], 0);
    for ts in [1, 20_001, 39_999] {
        operator.work = 0;
        epoch(&mut operator, vec![delta(&[row(1, ts, 7)])], 0);
        epoch(&mut operator, vec![weighted(&[(row(1, ts, 7), -1)])], 0);
        assert!(operator.work <= 2 * 7, "{} rows for a change", operator.work);
    }
    // Rows far apart in one epoch.
    operator.work = 0;
    epoch(&mut operator, vec![delta(&[row(1, 1, 7), row(1, 39_999, 7)])], 0);
    assert!(operator.work <= 2 * 7, "{} rows for two changes", operator.work);
}

#[test]
fn new_rows_cost_what_frames_reach() {
    for (frame, most) in [(rows(5), 7), (all_before(), 2), (millis(4), 6)] {
        let mut operator = event_time(frame);
        epoch(&mut operator, vec![delta(&(0..20_000).map(|i| row(1, i, i)).collect::<Vec<_>>())], 20_000);
        operator.running.work = 0;
        for ts in 20_000..20_100 {
            epoch(&mut operator, vec![delta(&[row(1, ts, 1)])], ts + 1);
        }
        assert!(operator.running.work <= 100 * most, "{} rows for 100", operator.running.work);
        assert!(operator.state().rows <= most + 1, "{:?}", operator.state());
    }
}

#[test]
fn partitions_go_when_time_is_beyond_their_frames() {
    let mut operator = event_time(millis(1_000));
    for second in 0..50 {
        let rows: Vec<In> = (0..1_000).map(|k| row(second * 1_000 + k, second * 1_000 + k, k)).collect();
        epoch(&mut operator, vec![delta(&rows)], second * 1_000);
    }
    let kept = operator.state();
    assert!(kept.rows <= 8_000, "{kept:?}");
    epoch(&mut operator, vec![], 1_000_000);
    assert_eq!(operator.state().rows, 0);
    // A pause as long as the frame begins anew, also where the watermark has not let go in between.
    let mut operator = event_time(millis(1_000));
    epoch(&mut operator, vec![delta(&[row(1, 0, 5), row(1, 2_000, 1), row(1, 2_500, 1)])], 3_000);
    assert_eq!(operator.state().rows, 3);
}
