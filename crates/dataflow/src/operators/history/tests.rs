//! Pictures of single cases. Against a table kept by hand it is tested with the join that reads it.

use arrow::array::TimestampMillisecondArray;
use arrow::datatypes::{Field, Schema};
use expect_test::{Expect, expect};
use tidemill_plan::history::{GONE, ORDER};
use tidemill_plan::op::OnError;

use super::*;
use crate::testing::picture;

/// A change: weight, key, value, time, and the watermark of its split just before it.
type Change = (i64, i64, i64, Option<i64>, Option<i64>);

fn schemas() -> (SchemaRef, SchemaRef) {
    let of = |time: bool| {
        vec![
            Field::new("k", DataType::Int64, false),
            Field::new("v", DataType::Int64, true),
            Field::new("t", DataType::Timestamp(TimeUnit::Millisecond, None), time),
        ]
    };
    let added = [Field::new(ORDER, DataType::Int64, false), Field::new(GONE, DataType::Boolean, false)];
    (Arc::new(Schema::new(of(true))), Arc::new(Schema::new([of(false), added.to_vec()].concat())))
}

fn history() -> History {
    let op = HistoryOp { key: vec![0], event_time: 2, on_error: OnError::Reject };
    History::new(&op, schemas().1).unwrap()
}

fn epoch(history: &mut History, changes: &[Change]) -> (Vec<Delta>, usize) {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(changes.iter().map(|c| c.1))),
        Arc::new(Int64Array::from_iter_values(changes.iter().map(|c| c.2))),
        Arc::new(TimestampMillisecondArray::from_iter(changes.iter().map(|c| c.3))),
    ];
    let batch = RecordBatch::try_new(schemas().0, columns).unwrap();
    let split_watermark = Some(changes.iter().map(|c| c.4).collect());
    let delta = Delta { split_watermark, ..Delta::weighted(batch, changes.iter().map(|c| c.0).collect()) };
    let mut cx = Cx::new(0);
    history.push(0, delta, &mut cx).unwrap();
    history.advance(Watermark::MIN, &mut cx).unwrap();
    (cx.take_emitted(), cx.take_rejected().iter().map(|r| r.rows.num_rows()).sum())
}

fn check(epochs: &[&[Change]], expected: Expect) {
    let mut history = history();
    let mut text = String::new();
    for changes in epochs {
        let (out, rejected) = epoch(&mut history, changes);
        text.push_str(&format!("{}\n{rejected} rejected\n", picture(&out)));
    }
    expected.assert_eq(&text);
}

#[test]
fn each_change_is_a_version_and_a_deletion_is_the_row_that_it_found() {
    check(
        &[
            &[(1, 7, 1, Some(5), None), (1, 7, 2, Some(6), None), (-1, 9, 0, None, None)],
            // What was there before an update is no end; a deletion may say no more than the key.
            &[(ROW_BEFORE_UPDATE, 7, 2, Some(6), None), (1, 7, 3, Some(9), Some(4)), (-1, 7, 0, None, Some(4))],
            &[(1, 7, 4, Some(12), None), (-1, 7, 0, Some(20), None)],
        ],
        expect![[r#"
            +---+---+-------------------------+-----------------+----------------+
            | k | v | t                       | __history_order | __history_gone |
            +---+---+-------------------------+-----------------+----------------+
            | 7 | 1 | 1970-01-01T00:00:00.005 | 0               | false          |
            | 7 | 2 | 1970-01-01T00:00:00.006 | 1               | false          |
            +---+---+-------------------------+-----------------+----------------+
            1 rejected
            +---+---+-------------------------+-----------------+----------------+
            | k | v | t                       | __history_order | __history_gone |
            +---+---+-------------------------+-----------------+----------------+
            | 7 | 3 | 1970-01-01T00:00:00.009 | 2               | false          |
            | 7 | 3 | 1970-01-01T00:00:00.009 | 3               | true           |
            +---+---+-------------------------+-----------------+----------------+
            0 rejected
            +---+---+-------------------------+-----------------+----------------+
            | k | v | t                       | __history_order | __history_gone |
            +---+---+-------------------------+-----------------+----------------+
            | 7 | 4 | 1970-01-01T00:00:00.012 | 4               | false          |
            | 7 | 4 | 1970-01-01T00:00:00.020 | 5               | true           |
            +---+---+-------------------------+-----------------+----------------+
            0 rejected
        "#]],
    );
}

#[test]
fn a_deletion_is_not_before_what_its_split_has_promised() {
    check(
        &[
            &[(1, 7, 1, Some(5), None), (1, 8, 1, Some(3), Some(4_000))],
            // The watermark is within a millisecond.
            &[(-1, 7, 1, Some(5), Some(8_001))],
        ],
        expect![[r#"
            +---+---+-------------------------+-----------------+----------------+-----------------+
            | k | v | t                       | __history_order | __history_gone | split watermark |
            +---+---+-------------------------+-----------------+----------------+-----------------+
            | 7 | 1 | 1970-01-01T00:00:00.005 | 0               | false          |                 |
            | 8 | 1 | 1970-01-01T00:00:00.003 | 1               | false          | 4000            |
            +---+---+-------------------------+-----------------+----------------+-----------------+
            0 rejected
            +---+---+-------------------------+-----------------+----------------+
            | k | v | t                       | __history_order | __history_gone |
            +---+---+-------------------------+-----------------+----------------+
            | 7 | 1 | 1970-01-01T00:00:00.009 | 2               | true           |
            +---+---+-------------------------+-----------------+----------------+
            0 rejected
        "#]],
    );
}

#[test]
fn keys_that_come_and_go_leave_nothing_behind() {
    let mut history = history();
    for round in 0..40 {
        let rows = |weight| -> Vec<Change> { (0..500).map(|i| (weight, round * 500 + i, i, Some(i), None)).collect() };
        epoch(&mut history, &rows(1));
        assert_eq!(epoch(&mut history, &rows(-1)).1, 0);
    }
    assert_eq!(history.state().rows, 0);
    assert!(history.state().bytes < 100_000, "{} bytes", history.state().bytes);
}
