//! What the property tests of stateful operators share: chance by seed, steps run by hand, rows as plain numbers.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::array::{ArrayRef, AsArray, Int64Array, TimestampMillisecondArray, UInt32Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, TimeUnit};
use arrow::row::{RowConverter, SortField};
use datafusion_expr::AggregateUDF;
use datafusion_functions_aggregate::count::count_udaf;
use datafusion_functions_aggregate::min_max::max_udaf;
use datafusion_functions_aggregate::sum::sum_udaf;
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_expr::aggregate::AggregateExprBuilder;
use datafusion_physical_expr::expressions::col;
use tidemill_core::{ChangeMode, Delta, Micros, Result, Watermark};
use tidemill_plan::op::{AggregateCall, GroupBy};
use tidemill_plan::window::Zone;
use tidemill_plan::{Edge, Node, NodeId, StreamOp, Window, WindowKind};

use crate::graph::{Graph, Routing, StepId};
use crate::{Cx, LateRows, Operator, StateSize};

/// A row, whatever its types: integers, and times in ticks.
pub(crate) type Row = Vec<Option<i64>>;
/// Rows with how often each is there.
pub(crate) type ZSet = BTreeMap<Row, i64>;

/// So many seeds, or as many times more as `TIDEMILL_MORE_CASES` says.
pub(crate) fn seeds(count: u64) -> std::ops::Range<u64> {
    let more = std::env::var("TIDEMILL_MORE_CASES").ok().and_then(|v| v.parse().ok()).unwrap_or(1);
    0..count * more
}

/// SplitMix64: the same numbers for the same seed.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    /// A number below `n`.
    pub(crate) fn below(&mut self, n: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as i64
    }

    /// True once in `n` times.
    pub(crate) fn one_in(&mut self, n: i64) -> bool {
        self.below(n) == 0
    }
}

/// The input of all tests: a key, a time in milliseconds, a value.
pub(crate) fn input_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("k", DataType::Int64, true),
        Field::new("ts", DataType::Timestamp(TimeUnit::Millisecond, None), true),
        Field::new("v", DataType::Int64, true),
    ]))
}

/// A row of the input, and the watermark of its split if it is below that (all in milliseconds).
#[derive(Debug, Clone, Copy)]
pub(crate) struct In {
    pub(crate) k: Option<i64>,
    pub(crate) ts: Option<i64>,
    pub(crate) v: Option<i64>,
    pub(crate) split: Option<i64>,
}

/// Rows of the input as a delta.
pub(crate) fn delta(rows: &[In]) -> Delta {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter(rows.iter().map(|r| r.k))),
        Arc::new(TimestampMillisecondArray::from_iter(rows.iter().map(|r| r.ts))),
        Arc::new(Int64Array::from_iter(rows.iter().map(|r| r.v))),
    ];
    let mut delta = Delta::insert(RecordBatch::try_new(input_schema(), columns).unwrap());
    if rows.iter().any(|r| r.split.is_some()) {
        delta.split_watermark = Some(rows.iter().map(|r| r.split.map(|s| s * 1_000)).collect());
    }
    delta
}

/// Rows of one split in disorder, and the watermark after each.
pub(crate) fn split(chance: &mut Chance, count: usize, keys: i64, step: i64, delay: i64) -> Vec<(In, i64)> {
    let (mut now, mut watermark) = (0, i64::MIN / 2_000);
    (0..count)
        .map(|_| {
            now += chance.below(2 * step + 1);
            let back = if chance.one_in(8) { chance.below(4 * delay + 2) } else { chance.below(delay + 1) };
            let ts = now - back;
            let row = In {
                k: Some(chance.below(keys)).filter(|k| *k > 0 || keys == 1),
                ts: Some(ts).filter(|_| !chance.one_in(50)),
                v: Some(chance.below(100)).filter(|v| *v > 9),
                split: Some(watermark).filter(|w| ts < *w),
            };
            if row.ts.is_some() {
                watermark = watermark.max(ts - delay);
            }
            (row, watermark)
        })
        .collect()
}

/// `COUNT(v), SUM(v), MAX(v)` by `k`, or over everything.
pub(crate) fn aggregation(by_key: bool) -> (GroupBy, Vec<AggregateCall>) {
    let schema = input_schema();
    let call = |function: Arc<AggregateUDF>| {
        let args = vec![col("v", &schema).unwrap()];
        let function =
            AggregateExprBuilder::new(function, args).schema(schema.clone()).alias("a").build().map(Arc::new).unwrap();
        AggregateCall { function, filter: None }
    };
    let key: (Arc<dyn PhysicalExpr>, _) = (col("k", &schema).unwrap(), Arc::new(schema.field(0).clone()));
    let keys = if by_key { vec![key] } else { vec![] };
    (GroupBy { keys, sets: vec![], grouping_id: None }, vec![call(count_udaf()), call(sum_udaf()), call(max_udaf())])
}

/// The columns that [`aggregation`] makes.
pub(crate) fn aggregate_fields() -> Vec<Field> {
    ["count", "sum", "max"].map(|n| Field::new(n, DataType::Int64, true)).to_vec()
}

/// A session window over the input's time.
pub(crate) fn session(gap_ms: i64) -> Window {
    Window {
        kind: WindowKind::Session { gap: gap_ms * 1_000 },
        offset: 0,
        time: 1,
        time_type: DataType::Timestamp(TimeUnit::Millisecond, None),
        zone: Zone::Utc,
    }
}

/// `window_start`, `window_end` and `window_time`.
pub(crate) fn bound_fields() -> Vec<Field> {
    ["window_start", "window_end", "window_time"]
        .map(|n| Field::new(n, DataType::Timestamp(TimeUnit::Millisecond, None), false))
        .to_vec()
}

/// A node with `fields` as its output.
pub(crate) fn node(op: StreamOp, fields: Vec<Field>) -> Node {
    let schema = Arc::new(Schema::new(fields));
    let edge = Edge { schema, changes: ChangeMode::Retract, event_time: None, bounded: false };
    Node { id: NodeId(1), op, inputs: vec![NodeId(0)], edge }
}

/// The steps of an operator, run as the driver promises.
pub(crate) struct Steps {
    graph: Graph,
    operators: Vec<Vec<Box<dyn Operator>>>,
    pub(crate) late: Vec<LateRows>,
}

struct Input;

impl Operator for Input {
    fn push(&mut self, _port: usize, delta: Delta, cx: &mut Cx) -> Result<()> {
        cx.emit(delta);
        Ok(())
    }
}

impl Steps {
    /// Of what `build` adds above the input.
    pub(crate) fn new(workers: usize, build: impl Fn(StepId, &mut Graph) -> Result<StepId>) -> Self {
        let mut graph = Graph::new(workers);
        let input = graph.add("input", NodeId(0), vec![], || Ok(Box::new(Input)));
        build(input, &mut graph).unwrap();
        let operators = graph.steps.iter().map(|s| (0..workers).map(|_| (s.make)().unwrap()).collect()).collect();
        Self { graph, operators, late: vec![] }
    }

    /// One epoch: `input` goes to the workers in turn. Returns what the last step puts out.
    pub(crate) fn epoch(&mut self, input: Vec<Delta>, watermark: Watermark, now: Micros) -> Vec<Delta> {
        let workers = self.graph.workers;
        let mut outputs: Vec<(Vec<Vec<Delta>>, Watermark)> = vec![];
        for (step, operators) in self.graph.steps.iter().zip(&mut self.operators) {
            let mut incoming = vec![vec![]; workers];
            let mut least = watermark;
            match step.inputs.first() {
                None => input.iter().enumerate().for_each(|(i, d)| incoming[i % workers].push(d.clone())),
                Some((from, routing)) => {
                    let (deltas, forwarded) = &outputs[from.0];
                    least = *forwarded;
                    for (worker, deltas) in deltas.iter().enumerate() {
                        for d in deltas {
                            route(d, routing, worker, &mut incoming);
                        }
                    }
                }
            }
            let mut out = vec![];
            let mut forwarded = Watermark::MAX;
            for (operator, deltas) in operators.iter_mut().zip(incoming) {
                let mut cx = Cx::new(now);
                for d in deltas {
                    operator.push(0, d, &mut cx).unwrap();
                }
                forwarded = forwarded.min(operator.advance(least, &mut cx).unwrap());
                operator.end_epoch(&mut cx).unwrap();
                self.late.extend(cx.take_late());
                out.push(cx.take_emitted());
            }
            outputs.push((out, forwarded));
        }
        outputs.pop().unwrap().0.into_iter().flatten().collect()
    }

    /// What all operators keep.
    pub(crate) fn state(&self) -> StateSize {
        self.operators.iter().flatten().fold(StateSize::default(), |all, o| all.plus(o.state()))
    }
}

fn route(delta: &Delta, routing: &Routing, from: usize, to: &mut [Vec<Delta>]) {
    let columns = match routing {
        Routing::Stay => return to[from].push(delta.clone()),
        Routing::ToOne => return to[0].push(delta.clone()),
        Routing::ByKey(columns) => columns,
    };
    let keys: Vec<ArrayRef> = columns.iter().map(|c| delta.batch.column(*c).clone()).collect();
    let fields = keys.iter().map(|k| SortField::new(k.data_type().clone())).collect();
    let rows = RowConverter::new(fields).unwrap().convert_columns(&keys).unwrap();
    let mut picks = vec![vec![]; to.len()];
    for (i, row) in rows.iter().enumerate() {
        let mut hasher = DefaultHasher::new();
        row.hash(&mut hasher);
        picks[hasher.finish() as usize % to.len()].push(i as u32);
    }
    for (to, picks) in to.iter_mut().zip(picks) {
        to.push(delta.take(&UInt32Array::from(picks)).unwrap());
    }
}

/// The rows of a delta as numbers, with their weights.
pub(crate) fn rows_of(delta: &Delta) -> Vec<(Row, i64)> {
    let columns: Vec<Int64Array> = delta
        .batch
        .columns()
        .iter()
        .map(|c| cast(c, &DataType::Int64).unwrap().as_primitive::<Int64Type>().clone())
        .collect();
    (0..delta.num_rows())
        .map(|i| {
            let row = columns.iter().map(|c| c.is_valid(i).then(|| c.value(i))).collect();
            (row, delta.weights.as_ref().map_or(1, |w| w.value(i)))
        })
        .collect()
}

/// Adds deltas to what is there; a row that is there no times is not there.
pub(crate) fn add(all: &mut ZSet, deltas: &[Delta]) {
    for (row, weight) in deltas.iter().flat_map(rows_of) {
        let count = all.entry(row.clone()).or_insert(0);
        *count += weight;
        assert!(*count >= 0, "{row:?} was retracted before it was inserted");
        if *count == 0 {
            all.remove(&row);
        }
    }
}
