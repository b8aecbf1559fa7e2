//! Nanoseconds an event that window aggregation takes by itself: bids like Nexmark's in memory, one worker, epochs of 8,192.
//!
//! `cargo run --release -p tidemill-dataflow --example window_speed [million bids] [part of a name]`
#![allow(clippy::print_stdout)]

use std::sync::Arc;
use std::time::Instant;

use arrow::array::{Int64Array, RecordBatch, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use datafusion_functions_aggregate::{count::count_udaf, min_max::max_udaf};
use datafusion_physical_expr::aggregate::AggregateExprBuilder;
use datafusion_physical_expr::expressions::{col, lit};
use tidemill_core::{ChangeMode, Delta, Watermark};
use tidemill_dataflow::graph::Graph;
use tidemill_dataflow::operators::window_aggregate;
use tidemill_dataflow::{Cx, Operator};
use tidemill_plan::op::{AggregateCall, GroupBy, RowWindow, WindowAggregateOp};
use tidemill_plan::window::{Window, WindowKind, Zone};
use tidemill_plan::{Edge, Node, NodeId, StreamOp};

const SECOND: i64 = 1_000_000;

struct Case<'a> {
    name: &'a str,
    kind: WindowKind,
    key: Option<&'a str>,
    max: bool,
    input: &'a [RecordBatch],
}

fn main() {
    let million: f64 = std::env::args().nth(1).and_then(|a| a.parse().ok()).unwrap_or(5.0);
    let bids = (million * 1e6) as usize;
    let (tumble, hop, cumulate) = (
        WindowKind::Tumble { size: 10 * SECOND },
        |size: i64, slide: i64| WindowKind::Hop { size: size * SECOND, slide: slide * SECOND },
        WindowKind::Cumulate { max: 60 * SECOND, step: 5 * SECOND },
    );
    let by = |key: &'static str| Some(key);
    let in_order = input(bids, 0);
    let disorder = input(bids, 4_000);
    let case = |name, kind, key, max, input| Case { name, kind, key, max, input };
    let runs = vec![
        case("tumble 10 s, count and max by auction", tumble, by("auction"), true, &in_order),
        case("tumble 10 s, count by auction", tumble, by("auction"), false, &in_order),
        case("tumble 10 s, count", tumble, None, false, &in_order),
        case("tumble 10 s, count and max by auction, 4 s of disorder", tumble, by("auction"), true, &disorder),
        case("hop 10 s by 2 s, count by auction", hop(10, 2), by("auction"), false, &in_order),
        case("hop 10 s by 2 s, count by auction, 4 s of disorder", hop(10, 2), by("auction"), false, &disorder),
        case("hop 10 s by 4 s, count by auction", hop(10, 4), by("auction"), false, &in_order),
        case("hop 60 s by 1 s, count by auction", hop(60, 1), by("auction"), false, &in_order),
        case("hop 10 s by 2 s, count by channel", hop(10, 2), by("channel"), false, &in_order),
        case("hop 1 h by 1 s, count by channel", hop(3600, 1), by("channel"), false, &in_order),
        case("hop 10 s by 2 s, count", hop(10, 2), None, false, &in_order),
        case("hop 1 h by 1 s, count", hop(3600, 1), None, false, &in_order),
        case("cumulate 5 s to 60 s, count by auction", cumulate, by("auction"), false, &in_order),
    ];
    let wanted = std::env::args().nth(2).unwrap_or_default();
    for Case { name, kind, key, max, input } in runs.into_iter().filter(|c| c.name.contains(&wanted)) {
        let best = (0..9).map(|_| run(kind, key, max, input)).min_by(|a, b| a.0.total_cmp(&b.0));
        let (ns, rows) = best.expect("nine runs");
        println!("{ns:6.1} ns/event  {name}  ({rows} rows out)");
    }
}

/// One run over all of `input`: nanoseconds an event, and rows put out.
fn run(kind: WindowKind, key: Option<&str>, max: bool, input: &[RecordBatch]) -> (f64, usize) {
    let mut steps = steps(kind, key, max, &input[0].schema());
    let (mut latest, mut rows, mut out) = (i64::MIN, 0, 0);
    let start = Instant::now();
    for batch in input {
        rows += batch.num_rows();
        // The source's part: it knows the greatest time of the batch.
        let times = batch.column(0).as_any().downcast_ref::<TimestampMillisecondArray>().expect("the time column");
        latest = latest.max(arrow::compute::max(times).expect("rows") * 1_000 - 4 * SECOND);
        out += epoch(&mut steps, Some(batch), Watermark(latest));
    }
    out += epoch(&mut steps, None, Watermark::MAX);
    (start.elapsed().as_nanos() as f64 / rows as f64, out)
}

fn epoch(steps: &mut [Box<dyn Operator>], batch: Option<&RecordBatch>, mut watermark: Watermark) -> usize {
    let mut deltas: Vec<Delta> = batch.map(|b| Delta::insert(b.clone())).into_iter().collect();
    let mut cx = Cx::new(0);
    for step in steps {
        for delta in deltas {
            step.push(0, delta, &mut cx).expect("push");
        }
        watermark = step.advance(watermark, &mut cx).expect("advance");
        step.end_epoch(&mut cx).expect("end of epoch");
        deltas = cx.take_emitted();
    }
    deltas.iter().map(Delta::num_rows).sum()
}

fn steps(kind: WindowKind, key: Option<&str>, max: bool, schema: &SchemaRef) -> Vec<Box<dyn Operator>> {
    let call = |builder: AggregateExprBuilder, name: &str| AggregateCall {
        function: Arc::new(builder.schema(schema.clone()).alias(name).build().expect("an aggregate")),
        filter: None,
    };
    let mut aggregates = vec![call(AggregateExprBuilder::new(count_udaf(), vec![lit(1_i64)]), "count")];
    if max {
        let price = col("price", schema).expect("a column");
        aggregates.push(call(AggregateExprBuilder::new(max_udaf(), vec![price]), "max"));
    }
    let keys: Vec<_> = key
        .iter()
        .map(|k| {
            let field: FieldRef = Arc::new(schema.field_with_name(k).expect("a column").clone());
            (col(k, schema).expect("a column"), field)
        })
        .collect();
    let time_type = schema.field(0).data_type().clone();
    let window = Window { kind, offset: 0, time: 0, time_type, zone: Zone::Utc };
    let bound = |name: &str| Field::new(name, window.bound_type(), false);
    let mut fields: Vec<FieldRef> =
        ["window_start", "window_end", "window_time"].iter().map(|n| Arc::new(bound(n))).collect();
    fields.extend(keys.iter().map(|(_, f)| f.clone()));
    fields.extend(aggregates.iter().map(|a| a.function.field()));
    let op = WindowAggregateOp {
        window: RowWindow::ByTime(window),
        group: GroupBy { keys, sets: vec![], grouping_id: None },
        aggregates,
        allowed_lateness: 0,
    };
    let edge =
        Edge { schema: Arc::new(Schema::new(fields)), changes: ChangeMode::Append, event_time: Some(2), bounded: true };
    let node = Node { id: NodeId(1), op: StreamOp::WindowAggregate(op.clone()), inputs: vec![NodeId(0)], edge };
    let mut graph = Graph::new(1);
    let source = graph.add("Source", NodeId(0), vec![], || unreachable!("never made"));
    window_aggregate::build(&op, &node, source, schema, &mut graph).expect("a graph");
    graph.steps[1..].iter().map(|s| (s.make)().expect("an operator")).collect()
}

/// Bids at 9,200 a second of event time: half of them for a hot auction, the others for one of the hundred in flight; each
/// up to `disorder` milliseconds back in time.
fn input(bids: usize, disorder: u64) -> Vec<RecordBatch> {
    let schema = Arc::new(Schema::new(vec![
        Field::new("ts", DataType::Timestamp(TimeUnit::Millisecond, None), false),
        Field::new("auction", DataType::Int64, false),
        Field::new("price", DataType::Int64, false),
        Field::new("channel", DataType::Int64, false),
    ]));
    let mut seed = 42_u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let mut made = vec![];
    for from in (0..bids).step_by(8_192) {
        let (mut ts, mut auction, mut price, mut channel) = (vec![], vec![], vec![], vec![]);
        for n in from..(from + 8_192).min(bids) {
            let newest = 1_000 + n as i64 * 3 / 46;
            let back = if disorder == 0 { 0 } else { (random() % disorder) as i64 };
            ts.push(1_436_918_400_000 + n as i64 * 1_000 / 9_200 - back);
            auction.push(if random() % 2 == 0 { newest / 100 * 100 } else { newest - (random() % 100) as i64 });
            price.push((random() % 10_000_000) as i64);
            channel.push((random() % 100) as i64);
        }
        let columns: Vec<arrow::array::ArrayRef> = vec![
            Arc::new(TimestampMillisecondArray::from(ts)),
            Arc::new(Int64Array::from(auction)),
            Arc::new(Int64Array::from(price)),
            Arc::new(Int64Array::from(channel)),
        ];
        made.push(RecordBatch::try_new(schema.clone(), columns).expect("columns of one length"));
    }
    made
}
