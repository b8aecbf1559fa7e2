use arrow::array::{StringArray, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion_expr::Operator as BinaryOperator;
use datafusion_physical_expr::expressions::{BinaryExpr, CastExpr, col, lit};
use expect_test::{Expect, expect};
use proptest::prelude::*;
use tidemill_core::ErrorKind;
use tidemill_plan::op::{ChangeKind, SourceInput};

use super::*;
use crate::testing::picture;

const MS: DataType = DataType::Timestamp(TimeUnit::Millisecond, None);

fn op(event_time: EventTime) -> SourceOp {
    SourceOp {
        name: "t".into(),
        input: SourceInput::LateRows,
        projection: vec![0],
        event_time: Some(event_time),
        idle_timeout: None,
        on_error: OnError::Reject,
        changelog: None,
    }
}

/// A column `ts` whose watermark is `delay` milliseconds behind.
fn decoded(delay: i64) -> (SourceOp, SchemaRef) {
    let watermark = WatermarkExpr::Delay(delay * 1_000);
    let event_time = EventTime { column: 0, computed: None, watermark, text: String::new() };
    (op(event_time), Arc::new(Schema::new(vec![Field::new("ts", MS, true)])))
}

fn piece(batch: RecordBatch) -> Piece {
    Piece { batch, weights: None, rejected: vec![], position: Position("f:9".into()), bytes: 1, raw: None }
}

fn millis(schema: &SchemaRef, times: &[Option<i64>]) -> Piece {
    piece(
        RecordBatch::try_new(Arc::clone(schema), vec![Arc::new(TimestampMillisecondArray::from(times.to_vec()))])
            .unwrap(),
    )
}

fn check(ingest: &mut Ingest, piece: Piece, expected: Expect) {
    let taken = ingest.take(piece).unwrap();
    let rejected = taken.rejected.iter().map(|r| format!("\n{} {} {:?}", r.position, r.reason, r.raw));
    let rejected: String = rejected.collect();
    expected.assert_eq(&format!("{}\nwatermark {}{rejected}", picture(&[taken.delta]), taken.watermark.0));
}

#[test]
fn rows_below_the_watermark_before_them_carry_it_along() {
    let (op, schema) = decoded(2);
    let mut ingest = Ingest::new(&op, schema.clone()).unwrap();
    // 8 is at the watermark that 10 has left behind it, 7 is below; 20 raises it, so that 17 is below.
    check(
        &mut ingest,
        millis(&schema, &[Some(10), Some(8), Some(7), Some(20), Some(17)]),
        expect![[r#"
        +-------------------------+-----------------+
        | ts                      | split watermark |
        +-------------------------+-----------------+
        | 1970-01-01T00:00:00.010 |                 |
        | 1970-01-01T00:00:00.008 |                 |
        | 1970-01-01T00:00:00.007 | 8000            |
        | 1970-01-01T00:00:00.020 |                 |
        | 1970-01-01T00:00:00.017 | 18000           |
        +-------------------------+-----------------+
        watermark 18000"#]],
    );
    check(
        &mut ingest,
        millis(&schema, &[Some(18), Some(19)]),
        expect![[r#"
        +-------------------------+
        | ts                      |
        +-------------------------+
        | 1970-01-01T00:00:00.018 |
        | 1970-01-01T00:00:00.019 |
        +-------------------------+
        watermark 18000"#]],
    );
}

#[test]
fn a_row_without_event_time_is_rejected() {
    let (op, schema) = decoded(0);
    let mut ingest = Ingest::new(&op, schema.clone()).unwrap();
    check(
        &mut ingest,
        millis(&schema, &[Some(10), None, Some(11)]),
        expect![[r#"
        +-------------------------+
        | ts                      |
        +-------------------------+
        | 1970-01-01T00:00:00.010 |
        | 1970-01-01T00:00:00.011 |
        +-------------------------+
        watermark 11000
        f:9 the event time 'ts' is NULL b"{\"ts\":null}""#]],
    );
}

#[test]
fn a_failing_expression_rejects_its_row_alone() {
    let schema: SchemaRef = Arc::new(Schema::new(vec![Field::new("text", DataType::Utf8, true)]));
    let text = col("text", &schema).unwrap();
    let cast: Expr = Arc::new(CastExpr::new(text, MS, None));
    let field = Arc::new(Field::new("ts", MS, false));
    let event_time =
        EventTime { column: 1, computed: Some((field, cast)), watermark: WatermarkExpr::Delay(0), text: String::new() };
    let mut ingest = Ingest::new(&op(event_time.clone()), schema.clone()).unwrap();
    let column = StringArray::from(vec![Some("1970-01-01T00:00:01"), Some("yesterday"), None]);
    let input = || piece(RecordBatch::try_new(schema.clone(), vec![Arc::new(column.clone())]).unwrap());
    check(
        &mut ingest,
        input(),
        expect![[r#"
        +---------------------+---------------------+
        | text                | ts                  |
        +---------------------+---------------------+
        | 1970-01-01T00:00:01 | 1970-01-01T00:00:01 |
        +---------------------+---------------------+
        watermark 1000000
        f:9 Parser error: Error parsing timestamp from 'yesterday': timestamp must contain at least 10 characters b"{\"text\":\"yesterday\"}"
        f:9 the event time 'ts' is NULL b"{\"text\":null}""#]],
    );

    let strict = SourceOp { on_error: OnError::Fail, ..op(event_time) };
    let e = Ingest::new(&strict, schema.clone()).unwrap().of_split("f".into()).take(input()).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Data);
    assert!(e.message().starts_with("split f, at f:9: ") && e.message().contains("yesterday"), "{e}");
}

#[test]
fn the_watermark_may_be_any_expression() {
    let (mut op, schema) = decoded(0);
    // NULL where the row has 10 milliseconds: the watermark stays where it is.
    let ts = col("ts", &schema).unwrap();
    let at = |ms| lit(datafusion_common::ScalarValue::TimestampMillisecond(Some(ms), None));
    let is_ten: Expr = Arc::new(BinaryExpr::new(ts.clone(), BinaryOperator::Eq, at(10)));
    let null = lit(datafusion_common::ScalarValue::TimestampMillisecond(None, None));
    let case = datafusion_physical_expr::expressions::case(None, vec![(is_ten, null)], Some(ts)).unwrap();
    op.event_time.as_mut().unwrap().watermark = WatermarkExpr::Expr(case);
    let mut ingest = Ingest::new(&op, schema.clone()).unwrap();
    check(
        &mut ingest,
        millis(&schema, &[Some(5), Some(10), Some(6), Some(5)]),
        expect![[r#"
        +-------------------------+-----------------+
        | ts                      | split watermark |
        +-------------------------+-----------------+
        | 1970-01-01T00:00:00.005 |                 |
        | 1970-01-01T00:00:00.010 |                 |
        | 1970-01-01T00:00:00.006 |                 |
        | 1970-01-01T00:00:00.005 | 6000            |
        +-------------------------+-----------------+
        watermark 6000"#]],
    );
}

#[test]
fn the_ends_of_time_promise_nothing() {
    let (op, schema) = decoded(0);
    let mut ingest = Ingest::new(&op, schema.clone()).unwrap();
    let taken = ingest.take(millis(&schema, &[Some(i64::MIN), Some(i64::MAX)])).unwrap();
    assert!(taken.watermark < Watermark::MAX);
}

proptest! {
    #[test]
    fn the_cut_makes_no_difference(
        times in prop::collection::vec(prop::option::weighted(0.9, 0_i64..40), 0..60),
        cuts in prop::collection::vec(0_usize..8, 0..30),
        delay in 0_i64..10,
    ) {
        let (op, schema) = decoded(delay);
        let run = |mut lengths: Vec<usize>| {
            let mut ingest = Ingest::new(&op, schema.clone()).unwrap();
            let mut rest = &times[..];
            let mut out = vec![];
            let mut rejected = 0;
            while !rest.is_empty() {
                let len = lengths.pop().unwrap_or(usize::MAX).min(rest.len());
                let taken = ingest.take(millis(&schema, &rest[..len])).unwrap();
                rest = &rest[len..];
                rejected += taken.rejected.len();
                let times = micros(taken.delta.batch.column(0)).unwrap();
                let side = taken.delta.split_watermark.unwrap_or_else(|| Int64Array::new_null(times.len()));
                out.extend(times.values().iter().copied().zip(side.iter().collect::<Vec<_>>()));
            }
            (out, rejected, ingest.watermark())
        };
        prop_assert_eq!(run(cuts), run(vec![]));
    }
}

/// Changes of a table, with a key or without.
fn check_changes(key: Vec<usize>, times: &[Option<i64>], weights: Vec<i64>, expected: Expect) {
    let (op, schema) = decoded(0);
    let op = SourceOp { changelog: Some(Changelog { key, kind: ChangeKind::Weights }), ..op };
    let mut ingest = Ingest::new(&op, schema.clone()).unwrap();
    check(&mut ingest, Piece { weights: Some(weights.into()), ..millis(&schema, times) }, expected);
}

#[test]
fn changes_carry_the_watermark_before_them_and_only_insertions_move_it() {
    check_changes(
        vec![],
        &[Some(1), None, Some(3), Some(9), Some(2)],
        vec![1, -2, 3, -1, -1],
        expect![[r#"
        +-------------------------+--------+----------------------+
        | ts                      | weight | split watermark      |
        +-------------------------+--------+----------------------+
        | 1970-01-01T00:00:00.001 | 1      | -9223372036854775808 |
        | 1970-01-01T00:00:00.003 | 3      | 1000                 |
        | 1970-01-01T00:00:00.009 | -1     | 3000                 |
        | 1970-01-01T00:00:00.002 | -1     | 3000                 |
        +-------------------------+--------+----------------------+
        watermark 3000
        f:9 the event time 'ts' is NULL b"{\"ts\":null}""#]],
    );
}

#[test]
fn a_deletion_by_key_need_not_know_its_time() {
    check_changes(
        vec![0],
        &[Some(1), None, None],
        vec![1, -1, 1],
        expect![[r#"
        +-------------------------+--------+----------------------+
        | ts                      | weight | split watermark      |
        +-------------------------+--------+----------------------+
        | 1970-01-01T00:00:00.001 | 1      | -9223372036854775808 |
        |                         | -1     | 1000                 |
        +-------------------------+--------+----------------------+
        watermark 1000
        f:9 the event time 'ts' is NULL b"{\"ts\":null}""#]],
    );
}

#[test]
fn a_source_of_insertions_takes_nothing_back() {
    let (op, schema) = decoded(0);
    let mut ingest = Ingest::new(&op, schema.clone()).unwrap();
    let weights = Some(Int64Array::from(vec![-1]));
    assert!(ingest.take(Piece { weights, ..millis(&schema, &[Some(1)]) }).is_err());
}
