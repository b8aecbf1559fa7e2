//! From pieces of a split to closed windows: whatever the cut, the number of workers and the kind of window, the same rows,
//! and no operator breaks its contract.

use arrow::array::{Int64Array, RecordBatch, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::util::pretty::pretty_format_batches;
use datafusion_functions_aggregate::count::count_udaf;
use datafusion_physical_expr::aggregate::AggregateExprBuilder;
use datafusion_physical_expr::expressions::col;
use expect_test::expect;
use tidemill_core::source::Piece;
use tidemill_core::{ChangeMode, EpochClock, Position};
use tidemill_plan::StreamOp;
use tidemill_plan::graph::Edge;
use tidemill_plan::op::{
    AggregateCall, EventTime, GroupBy, OnError, RowWindow, SinkOp, SinkTarget, SourceInput, SourceOp, WatermarkExpr,
    WindowAggregateOp,
};
use tidemill_plan::window::{Window, WindowKind, Zone};

use super::*;
use crate::ingest::Ingest;

const S: Micros = 1_000_000;
const MS: DataType = DataType::Timestamp(TimeUnit::Millisecond, None);

fn schema(fields: &[(&str, DataType)]) -> SchemaRef {
    Arc::new(Schema::new(fields.iter().map(|(n, t)| Field::new(*n, t.clone(), true)).collect::<Vec<_>>()))
}

/// A table with 3 seconds of disorder, and how many of its rows each window has by key.
fn plan(kind: WindowKind) -> (Arc<StreamPlan>, SourceOp) {
    let input = schema(&[("ts", MS), ("key", DataType::Int64)]);
    let output = schema(&[
        ("window_start", MS),
        ("window_end", MS),
        ("window_time", MS),
        ("key", DataType::Int64),
        ("rows", DataType::Int64),
    ]);
    let edge = |schema: &SchemaRef, time| Edge {
        schema: Arc::clone(schema),
        changes: ChangeMode::Append,
        event_time: Some(time),
        bounded: true,
    };
    let watermark = WatermarkExpr::Delay(3 * S);
    let source = SourceOp {
        name: "t".into(),
        input: SourceInput::LateRows,
        projection: vec![0, 1],
        event_time: Some(EventTime { column: 0, computed: None, watermark, text: String::new() }),
        idle_timeout: None,
        on_error: OnError::Reject,
        changelog: None,
    };
    let key = col("key", &input).unwrap();
    let rows = AggregateExprBuilder::new(count_udaf(), vec![Arc::clone(&key)]).schema(Arc::clone(&input)).alias("rows");
    let window = Window { kind, offset: 0, time: 0, time_type: MS, zone: Zone::Utc };
    let aggregate = WindowAggregateOp {
        window: RowWindow::ByTime(window),
        group: GroupBy { keys: vec![(key, output.fields()[3].clone())], sets: vec![], grouping_id: None },
        aggregates: vec![AggregateCall { function: Arc::new(rows.build().unwrap()), filter: None }],
        allowed_lateness: 0,
    };
    let mut plan = StreamPlan::new(EpochClock::default());
    let t = plan.add(StreamOp::Source(source.clone()), vec![], edge(&input, 0));
    let aggregate = plan.add(StreamOp::WindowAggregate(aggregate), vec![t], edge(&output, 2));
    plan.add(StreamOp::Sink(SinkOp { target: SinkTarget::Result(0) }), vec![aggregate], edge(&output, 2));
    (Arc::new(plan), source)
}

/// All closed windows, sorted, and the number of late rows. `rows` are seconds and keys.
fn run(kind: WindowKind, rows: &[(i64, i64)], cut: usize, workers: usize) -> (Vec<String>, usize) {
    let (plan, source) = plan(kind);
    let input = Arc::clone(&plan.nodes()[0].edge.schema);
    let mut ingest = Ingest::new(&source, Arc::clone(&input)).unwrap();
    let mut dataflow = Dataflow::new(plan, Config { workers, rows_per_worker: 1, check_contracts: true }).unwrap();
    let (mut lines, mut late) = (vec![], 0);
    let mut step = |deltas, watermark| {
        let sources = vec![SourceFeed { node: NodeId(0), deltas, watermark }];
        let out = dataflow.step(EpochInput { now: 0, sources }).unwrap();
        late += out.late.iter().map(|(_, l)| l.rows.num_rows()).sum::<usize>();
        for delta in out.sinks.iter().flat_map(|(_, deltas)| deltas) {
            let table = pretty_format_batches(std::slice::from_ref(&delta.batch)).unwrap().to_string();
            lines.extend(table.lines().filter(|l| l.starts_with("| 1970")).map(str::to_string));
        }
    };
    for rows in rows.chunks(cut) {
        let times = TimestampMillisecondArray::from_iter_values(rows.iter().map(|(t, _)| t * 1_000));
        let keys = Int64Array::from_iter_values(rows.iter().map(|(_, key)| *key));
        let batch = RecordBatch::try_new(Arc::clone(&input), vec![Arc::new(times), Arc::new(keys)]).unwrap();
        let position = Position("0".to_string().into());
        let taken =
            ingest.take(Piece { batch, weights: None, rejected: vec![], position, bytes: 0, raw: None }).unwrap();
        step(vec![taken.delta], taken.watermark);
    }
    step(vec![], Watermark::MAX);
    lines.sort();
    (lines, late)
}

#[test]
fn windows_close_with_the_same_rows_however_they_came() {
    // Five rows a second, up to four seconds back: some of them late.
    let rows: Vec<(i64, i64)> = (0..3_000).map(|i| (i / 5 - i * 7 % 5, i % 7)).collect();
    let kinds = [
        WindowKind::Tumble { size: 10 * S },
        WindowKind::Hop { size: 10 * S, slide: 4 * S },
        WindowKind::Cumulate { max: 20 * S, step: 5 * S },
        WindowKind::Session { gap: S },
    ];
    for kind in kinds {
        let expected = run(kind, &rows, rows.len(), 1);
        assert!(!expected.0.is_empty());
        for (cut, workers) in [(1, 1), (1, 2), (97, 3), (3_000, 3)] {
            assert_eq!(run(kind, &rows, cut, workers), expected, "{kind}, {cut} rows an epoch, {workers} workers");
        }
    }
}

#[test]
fn a_late_row_is_reported_and_not_counted() {
    let rows = [(1, 1), (9, 1), (13, 1), (2, 1), (14, 1), (21, 1)];
    let (lines, late) = run(WindowKind::Tumble { size: 10 * S }, &rows, 2, 1);
    assert_eq!(late, 1);
    expect![[r#"
        | 1970-01-01T00:00:00 | 1970-01-01T00:00:10 | 1970-01-01T00:00:09.999 | 1   | 2    |
        | 1970-01-01T00:00:10 | 1970-01-01T00:00:20 | 1970-01-01T00:00:19.999 | 1   | 2    |
        | 1970-01-01T00:00:20 | 1970-01-01T00:00:30 | 1970-01-01T00:00:29.999 | 1   | 1    |"#]]
    .assert_eq(&lines.join("\n"));
}
