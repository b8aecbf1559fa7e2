//! Rows of several splits, cut into epochs and run through the steps of a window aggregation by some workers.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray, UInt32Array,
};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use arrow::util::display::array_value_to_string;
use datafusion_common::ScalarValue;
use datafusion_expr::{AggregateUDF, Operator as BinaryOperator};
use datafusion_functions_aggregate::{average, count, min_max, nth_value, sum};
use datafusion_physical_expr::PhysicalSortExpr;
use datafusion_physical_expr::aggregate::AggregateExprBuilder;
use datafusion_physical_expr::expressions::{binary, cast, col, lit};
use tidemill_core::{ChangeMode, Delta, Micros, Watermark};
use tidemill_plan::op::{AggregateCall, Expr, GroupBy, RowWindow, WindowAggregateOp};
use tidemill_plan::window::{Window, WindowKind, Zone};
use tidemill_plan::{Edge, Node, NodeId, StreamOp};

use crate::graph::{Graph, Routing};
use crate::operator::{Cx, Operator};
use crate::operators::window_aggregate::build;

pub(super) const MS: Micros = 1_000;
pub(super) const S: Micros = 1_000 * MS;

/// A row of the input. The last two are its window, where windows stand in the rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) time: Micros,
    pub(super) k: Option<i64>,
    pub(super) name: Option<String>,
    pub(super) v: Option<i64>,
    pub(super) window: (Micros, Micros),
    /// The watermark of its split, if that has passed it.
    pub(super) mark: Option<Micros>,
}

/// One query.
#[derive(Debug, Clone)]
pub(super) struct Query {
    pub(super) kind: WindowKind,
    pub(super) offset: Micros,
    pub(super) unit: TimeUnit,
    pub(super) zone: Zone,
    pub(super) attached: bool,
    pub(super) lateness: Micros,
    /// How many of `k`, `name` are keys.
    pub(super) keys: usize,
    pub(super) sets: Vec<Vec<bool>>,
}

impl Query {
    pub(super) fn new(kind: WindowKind) -> Self {
        Self {
            kind,
            offset: 0,
            unit: TimeUnit::Millisecond,
            zone: Zone::Utc,
            attached: false,
            lateness: 0,
            keys: 1,
            sets: vec![],
        }
    }

    pub(super) fn window(&self) -> Window {
        let zone = (self.zone != Zone::Utc).then(|| "UTC".into());
        let time_type = DataType::Timestamp(self.unit, zone);
        Window { kind: self.kind, offset: self.offset, time: 0, time_type, zone: self.zone }
    }

    fn input_schema(&self) -> SchemaRef {
        let bound = DataType::Timestamp(TimeUnit::Microsecond, None);
        Arc::new(Schema::new(vec![
            Field::new("ts", self.window().time_type, true),
            Field::new("k", DataType::Int64, true),
            Field::new("name", DataType::Utf8, true),
            Field::new("v", DataType::Int64, true),
            Field::new("start", bound.clone(), true),
            Field::new("end", bound, true),
        ]))
    }

    fn batch(&self, rows: &[Row]) -> RecordBatch {
        let schema = self.input_schema();
        let zone = (self.zone != Zone::Utc).then_some("UTC");
        let times = rows.iter().map(|r| r.time);
        let ts: ArrayRef = match self.unit {
            TimeUnit::Millisecond => {
                Arc::new(TimestampMillisecondArray::from_iter_values(times.map(|t| t / MS)).with_timezone_opt(zone))
            }
            TimeUnit::Nanosecond => {
                Arc::new(TimestampNanosecondArray::from_iter_values(times.map(|t| t * 1000)).with_timezone_opt(zone))
            }
            _ => Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone_opt(zone)),
        };
        let columns: Vec<ArrayRef> = vec![
            ts,
            Arc::new(rows.iter().map(|r| r.k).collect::<Int64Array>()),
            Arc::new(rows.iter().map(|r| r.name.clone()).collect::<StringArray>()),
            Arc::new(rows.iter().map(|r| r.v).collect::<Int64Array>()),
            Arc::new(TimestampMicrosecondArray::from_iter_values(rows.iter().map(|r| r.window.0))),
            Arc::new(TimestampMicrosecondArray::from_iter_values(rows.iter().map(|r| r.window.1))),
        ];
        RecordBatch::try_new(schema, columns).unwrap()
    }

    fn delta(&self, rows: &[Row]) -> Delta {
        let marks: Int64Array = rows.iter().map(|r| r.mark).collect();
        let marks = rows.iter().any(|r| r.mark.is_some()).then_some(marks);
        Delta { batch: self.batch(rows), weights: None, split_watermark: marks }
    }

    fn op(&self) -> WindowAggregateOp {
        let schema = self.input_schema();
        let window = match self.attached {
            true => RowWindow::Attached { start: 4, end: 5, window: self.window() },
            false => RowWindow::ByTime(self.window()),
        };
        let key = |i: usize| {
            let field: FieldRef = schema.fields()[i].clone();
            (col(field.name(), &schema).unwrap(), field)
        };
        let grouping_id =
            (!self.sets.is_empty()).then(|| Arc::new(Field::new("__grouping_id", DataType::UInt8, false)));
        let group = GroupBy { keys: (1..=self.keys).map(key).collect(), sets: self.sets.clone(), grouping_id };
        WindowAggregateOp { window, group, aggregates: aggregates(&schema), allowed_lateness: self.lateness }
    }

    /// The graph of this query alone; its input step, which makes nothing, is step 0.
    pub(super) fn graph(&self, workers: usize) -> Graph {
        let op = self.op();
        let window = self.window();
        let mut fields: Vec<FieldRef> = vec![
            Arc::new(Field::new("window_start", window.bound_type(), false)),
            Arc::new(Field::new("window_end", window.bound_type(), false)),
            Arc::new(Field::new("window_time", window.window_time_type(), false)),
        ];
        fields.extend(op.group.keys.iter().map(|(_, f)| f.clone()));
        fields.extend(op.group.grouping_id.clone());
        fields.extend(op.aggregates.iter().map(|a| a.function.field()));
        let edge = Edge {
            schema: Arc::new(Schema::new(fields)),
            changes: ChangeMode::Append,
            event_time: Some(2),
            bounded: false,
        };
        let node = Node { id: NodeId(1), op: StreamOp::WindowAggregate(op.clone()), inputs: vec![NodeId(0)], edge };
        let mut graph = Graph::new(workers);
        let input = graph.add("Input", NodeId(0), vec![], || Err(tidemill_core::Error::internal("no input operator")));
        build(&op, &node, input, &self.input_schema(), &mut graph).unwrap();
        graph
    }
}

/// Over `v`: COUNT(*), COUNT, SUM, MIN, MAX FILTER (WHERE v > 3), AVG, COUNT(DISTINCT), NTH_VALUE(1 ORDER BY v).
fn aggregates(schema: &SchemaRef) -> Vec<AggregateCall> {
    let v = || col("v", schema).unwrap();
    let call = |name: &str, function: Arc<AggregateUDF>, args: Vec<Expr>| {
        AggregateExprBuilder::new(function, args).schema(schema.clone()).alias(name)
    };
    let plain = |builder: AggregateExprBuilder, filter: Option<Expr>| AggregateCall {
        function: Arc::new(builder.build().unwrap()),
        filter,
    };
    let above_3 = binary(v(), BinaryOperator::Gt, lit(3_i64), schema).unwrap();
    let float = cast(v(), schema, DataType::Float64).unwrap();
    let first = call("first", nth_value::nth_value_udaf(), vec![v(), lit(1_i64)])
        .order_by(vec![PhysicalSortExpr::new(v(), arrow::compute::SortOptions::new(false, false))]);
    vec![
        plain(call("rows", count::count_udaf(), vec![lit(ScalarValue::Int64(Some(1)))]), None),
        plain(call("count", count::count_udaf(), vec![v()]), None),
        plain(call("sum", sum::sum_udaf(), vec![v()]), None),
        plain(call("min", min_max::min_udaf(), vec![v()]), None),
        plain(call("max", min_max::max_udaf(), vec![v()]), Some(above_3)),
        plain(call("avg", average::avg_udaf(), vec![float]), None),
        plain(call("distinct", count::count_udaf(), vec![v()]).distinct(), None),
        plain(first, None),
    ]
}

/// What came out of an epoch.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// Rows as text, with their weights, in the order in which they came.
    pub(super) rows: Vec<(String, i64)>,
    /// Event time, last missed window end and watermark of each late row.
    pub(super) late: Vec<(Micros, Micros, Micros)>,
}

/// The steps of a query, run by hand.
pub(super) struct Run {
    query: Query,
    routing: Option<Routing>,
    /// By step and worker.
    steps: Vec<Vec<Box<dyn Operator>>>,
    passed: Watermark,
}

impl Run {
    pub(super) fn new(query: &Query, workers: usize) -> Self {
        let graph = query.graph(workers);
        let make = |step: &crate::graph::Step| (0..workers).map(|_| (step.make)().unwrap()).collect();
        Self {
            query: query.clone(),
            routing: graph.steps.get(2).map(|s| s.inputs[0].1.clone()),
            steps: graph.steps[1..].iter().map(make).collect(),
            passed: Watermark::MIN,
        }
    }

    /// One epoch: some pieces for each worker, and the watermark after them.
    pub(super) fn epoch(&mut self, pieces: &[Vec<Vec<Row>>], watermark: Watermark) -> Output {
        let mut out = Output::default();
        let workers = self.steps[0].len();
        let mut between: Vec<Vec<Delta>> = vec![vec![]; workers];
        for (worker, pieces) in pieces.iter().enumerate() {
            let mut cx = Cx::new(0);
            let panes = &mut self.steps[0][worker];
            for piece in pieces {
                panes.push(0, self.query.delta(piece), &mut cx).unwrap();
            }
            let forwarded = panes.advance(watermark, &mut cx).unwrap();
            panes.end_epoch(&mut cx).unwrap();
            for late in cx.take_late() {
                assert_eq!(late.rows.num_rows(), late.event_time.len());
                let all = late.event_time.values().iter().zip(late.window_end.values()).zip(late.watermark.values());
                out.late.extend(all.map(|((t, e), w)| (*t, *e, *w)));
            }
            match &self.routing {
                None => self.check(cx.take_emitted(), forwarded, &mut out),
                Some(routing) => route(routing, worker, cx.take_emitted(), &mut between),
            }
        }
        if self.routing.is_some() {
            for (worker, deltas) in between.into_iter().enumerate() {
                let mut cx = Cx::new(0);
                let merge = &mut self.steps[1][worker];
                for delta in deltas {
                    merge.push(0, delta, &mut cx).unwrap();
                }
                let forwarded = merge.advance(watermark, &mut cx).unwrap();
                merge.end_epoch(&mut cx).unwrap();
                self.check(cx.take_emitted(), forwarded, &mut out);
            }
        }
        self.passed = watermark;
        out
    }

    /// Rows that anything is kept for.
    pub(super) fn kept(&self) -> usize {
        self.steps.iter().flatten().map(|s| s.state().rows).sum()
    }

    fn check(&self, deltas: Vec<Delta>, forwarded: Watermark, out: &mut Output) {
        assert!(forwarded <= self.passed.max(forwarded));
        let mut last = i64::MIN;
        for delta in deltas {
            let time = crate::event_time::micros(delta.batch.column(2)).unwrap();
            for row in 0..delta.num_rows() {
                let cell = |c: &ArrayRef| match c.is_null(row) {
                    true => "-".to_string(),
                    false => array_value_to_string(c, row).unwrap(),
                };
                let text: Vec<String> = delta.batch.columns().iter().map(cell).collect();
                let weight = delta.weights.as_ref().map_or(1, |w| w.value(row));
                if self.query.lateness == 0 {
                    assert!(time.value(row) >= self.passed.0 / MS * MS, "below the watermark");
                    assert!(time.value(row) >= last, "not in the order of windows");
                    last = time.value(row);
                }
                out.rows.push((text.join(" "), weight));
            }
        }
    }
}

fn route(routing: &Routing, from: usize, deltas: Vec<Delta>, to: &mut [Vec<Delta>]) {
    for delta in deltas {
        match routing {
            Routing::Stay => to[from].push(delta),
            Routing::ToOne => to[0].push(delta),
            Routing::ByKey(columns) => {
                let mut by_worker: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
                for row in 0..delta.num_rows() {
                    let text = |c: &usize| array_value_to_string(delta.batch.column(*c), row).unwrap();
                    let key: String = columns.iter().map(text).collect();
                    let hash = key.bytes().fold(7_usize, |h, b| h.wrapping_mul(31).wrapping_add(b.into()));
                    by_worker.entry(hash % to.len()).or_default().push(row as u32);
                }
                for (worker, rows) in by_worker {
                    to[worker].push(delta.take(&UInt32Array::from(rows)).unwrap());
                }
            }
        }
    }
}
