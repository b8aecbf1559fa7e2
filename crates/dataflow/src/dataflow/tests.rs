//! Whole dataflows, of plans built by hand.

use arrow::array::{AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use datafusion_expr::Operator as BinaryOperator;
use datafusion_physical_expr::expressions::{BinaryExpr, col, lit};
use expect_test::expect;
use tidemill_core::{ChangeMode, EpochClock, ErrorKind};
use tidemill_plan::StreamOp;
use tidemill_plan::graph::Edge;
use tidemill_plan::op::{FilterOp, OnError, SinkOp, SinkTarget, SourceInput, SourceOp};

use super::*;
use crate::graph::Routing;
use crate::operator::{Cx, Operator};
use crate::testing::picture;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]))
}

fn edge() -> Edge {
    Edge { schema: schema(), changes: ChangeMode::Append, event_time: None, bounded: true }
}

fn source() -> StreamOp {
    StreamOp::Source(SourceOp {
        name: "t".into(),
        input: SourceInput::LateRows,
        projection: vec![0],
        event_time: None,
        idle_timeout: None,
        on_error: OnError::Reject,
        changelog: None,
    })
}

fn sink(number: usize) -> StreamOp {
    StreamOp::Sink(SinkOp { target: SinkTarget::Result(number) })
}

fn delta(numbers: impl IntoIterator<Item = i64>) -> Delta {
    let column = Int64Array::from_iter_values(numbers);
    Delta::insert(RecordBatch::try_new(schema(), vec![Arc::new(column)]).unwrap())
}

fn feed(node: NodeId, deltas: Vec<Delta>, watermark: i64) -> EpochInput {
    EpochInput { now: 0, sources: vec![SourceFeed { node, deltas, watermark: Watermark(watermark) }] }
}

fn config(workers: usize) -> Config {
    Config { workers, rows_per_worker: 1, check_contracts: true }
}

/// `SELECT n FROM t WHERE n > 1 UNION ALL VALUES (7)`, and beside it all of `t`.
fn two_sinks() -> (Arc<StreamPlan>, NodeId, [NodeId; 2]) {
    let mut plan = StreamPlan::new(EpochClock::default());
    let t = plan.add(source(), vec![], edge());
    let n = col("n", &schema()).unwrap();
    let condition = Arc::new(BinaryExpr::new(n, BinaryOperator::Gt, lit(1_i64)));
    let filter = plan.add(StreamOp::Filter(FilterOp::new(condition)), vec![t], edge());
    let values = plan.add(StreamOp::Values(vec![delta([7]).batch]), vec![], edge());
    let union = plan.add(StreamOp::Union, vec![filter, values], edge());
    let first = plan.add(sink(0), vec![union], edge());
    let second = plan.add(sink(1), vec![t], edge());
    (Arc::new(plan), t, [first, second])
}

#[test]
fn rows_go_from_sources_to_sinks() {
    let (plan, t, [first, second]) = two_sinks();
    let mut dataflow = Dataflow::new(plan, config(1)).unwrap();
    let out = dataflow.step(feed(t, vec![delta([1, 2]), delta([3])], 10)).unwrap();
    let text: Vec<_> = out.sinks.iter().map(|(n, d)| format!("sink {}\n{}", n.0, picture(d))).collect();
    expect![[r#"
        sink 4
        +---+
        | n |
        +---+
        | 2 |
        +---+
        +---+
        | n |
        +---+
        | 3 |
        +---+
        +---+
        | n |
        +---+
        | 7 |
        +---+
        sink 5
        +---+
        | n |
        +---+
        | 1 |
        | 2 |
        +---+
        +---+
        | n |
        +---+
        | 3 |
        +---+"#]]
    .assert_eq(&text.join("\n"));
    assert_eq!((out.rows_in, out.rows_out), (4, 6));
    assert_eq!((dataflow.watermark(first), dataflow.watermark(second)), (Watermark(10), Watermark(10)));

    let out = dataflow.step(EpochInput::default()).unwrap();
    assert_eq!((out.steps_run, out.rows_out), (0, 0), "nothing new, nothing done");

    let out = dataflow.step(feed(t, vec![delta([0])], i64::MAX)).unwrap();
    assert_eq!(out.sinks.len(), 1);
    assert!(dataflow.finished(first) && dataflow.finished(second));
    assert_eq!(dataflow.rows()[1].1, NodeRows { rows_in: 4, rows_out: 2 });
}

#[test]
fn any_number_of_workers_gives_the_same_rows_in_the_same_order() {
    let run = |workers| {
        let (plan, t, _) = two_sinks();
        let mut dataflow = Dataflow::new(plan, config(workers)).unwrap();
        let mut rows: Vec<Vec<i64>> = vec![vec![]; 2];
        for epoch in 0..5_i64 {
            let numbers = (0..10_000 * (epoch % 2)).map(|i| i * 7_919 % 1_000);
            let out = dataflow.step(feed(t, vec![delta(numbers.clone()), delta(numbers.take(3))], epoch)).unwrap();
            for (rows, (_, deltas)) in rows.iter_mut().zip(out.sinks) {
                for delta in deltas {
                    rows.extend(delta.batch.column(0).as_primitive::<Int64Type>().values());
                }
            }
        }
        rows
    };
    let one = run(1);
    assert_eq!(one.iter().map(Vec::len).collect::<Vec<_>>(), [20_000 - 40 + 4 + 1, 20_006]);
    // The row of VALUES is the one whose place among the others depends on the workers: here it comes before them all.
    assert_eq!(one, run(3));
    assert_eq!(one, run(3));
}

/// Counts rows by key and puts the counts out when the input ends.
#[derive(Default)]
struct Count(std::collections::BTreeMap<i64, i64>);

impl Operator for Count {
    fn push(&mut self, _port: usize, delta: Delta, _cx: &mut Cx) -> Result<()> {
        for n in delta.batch.column(0).as_primitive::<Int64Type>().values() {
            assert_ne!(*n, 13, "thirteen");
            *self.0.entry(*n).or_default() += 1;
        }
        Ok(())
    }

    fn advance(&mut self, watermark: Watermark, cx: &mut Cx) -> Result<Watermark> {
        if watermark == Watermark::MAX {
            cx.emit(delta(std::mem::take(&mut self.0).into_iter().map(|(key, count)| key * 1_000_000 + count)));
        }
        Ok(watermark)
    }

    fn state(&self) -> StateSize {
        StateSize { rows: self.0.len(), bytes: 0, oldest: None }
    }
}

/// Counts by key, all counts on one worker, a sink.
fn counting(workers: usize) -> Dataflow {
    let mut plan = StreamPlan::new(EpochClock::default());
    let t = plan.add(source(), vec![], edge());
    let count = plan.add(StreamOp::Union, vec![t], edge());
    let out = plan.add(sink(0), vec![count], edge());
    let mut graph = Graph::new(workers);
    let pass = || Ok(Box::new(crate::operators::sink::Sink::new(schema())) as _);
    let first = graph.add("Source", t, vec![], pass);
    let counted = graph.add("Count", count, vec![(first, Routing::ByKey(vec![0]))], || Ok(Box::new(Count::default())));
    let merged = graph.add("Merge", count, vec![(counted, Routing::ToOne)], pass);
    graph.add("Sink", out, vec![(merged, Routing::Stay)], pass);
    Dataflow::of_graph(Arc::new(plan), graph, vec![(0, 0), (1, 2), (3, 3)], config(workers)).unwrap()
}

#[test]
fn rows_with_equal_keys_meet_on_one_worker() {
    let run = |workers, rows: i64| {
        let mut dataflow = counting(workers);
        let mut numbers = vec![];
        for last in [false, true] {
            let input = delta((0..rows).map(|i| i % 11));
            let out = dataflow.step(feed(NodeId(0), vec![input], if last { i64::MAX } else { 5 })).unwrap();
            if !last {
                assert_eq!(dataflow.state()[1].1.rows, 11);
                assert_eq!((dataflow.watermark(NodeId(2)), out.rows_out), (Watermark(5), 0));
            }
            for delta in out.sinks.iter().flat_map(|(_, deltas)| deltas) {
                numbers.extend(delta.batch.column(0).as_primitive::<Int64Type>().values().to_vec());
            }
        }
        assert!(dataflow.finished(NodeId(2)));
        numbers
    };
    // Few rows stay on the caller's thread, many go to the crew; the answer is the same.
    for rows in [110, 110_000] {
        let expected: Vec<i64> = (0..11).map(|key| key * 1_000_000 + 2 * rows / 11).collect();
        assert_eq!(run(1, rows), expected);
        let (first, second) = (run(3, rows), run(3, rows));
        assert_eq!(first, second, "the same bytes on every run");
        let mut sorted = first;
        sorted.sort_unstable();
        assert_eq!(sorted, expected);
    }
}

#[test]
fn a_panic_is_an_error_that_names_the_operator() {
    for (workers, rows) in [(1, 20), (2, 20), (2, 20_000)] {
        let mut dataflow = counting(workers);
        let e = dataflow.step(feed(NodeId(0), vec![delta(0..rows)], 1)).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Internal);
        assert!(e.message().starts_with("Count (node 1) failed:") && e.message().contains("thirteen"), "{e}");
        let again = dataflow.step(EpochInput::default()).unwrap_err();
        assert!(again.message().starts_with("the dataflow has stopped: Count"), "{again}");
    }
}

#[test]
fn only_sources_can_be_fed() {
    let (plan, _, [first, _]) = two_sinks();
    let mut dataflow = Dataflow::new(plan, config(1)).unwrap();
    assert!(dataflow.step(feed(first, vec![], 0)).is_err());
}

#[test]
fn the_clock_of_the_plan_shows_the_epoch_and_never_goes_back() {
    let (plan, _, _) = two_sinks();
    let mut dataflow = Dataflow::new(Arc::clone(&plan), config(1)).unwrap();
    dataflow.step(EpochInput { now: 5, sources: vec![] }).unwrap();
    dataflow.step(EpochInput { now: 3, sources: vec![] }).unwrap();
    assert_eq!(plan.clock().now(), 5);
}

#[test]
fn epochs_that_are_run_at_once_give_what_each_gives_by_itself() {
    // Many rows, few, none; the watermark goes on in some, and stands still where a source has nothing to say.
    let inputs = || {
        (0..9_i64).map(|epoch| match epoch % 3 {
            0 => feed(NodeId(0), vec![delta((0..4_000).map(|i| i % (epoch + 4))), delta([epoch])], epoch),
            1 => feed(NodeId(0), vec![delta([epoch, 1])], epoch - 5),
            _ => EpochInput::default(),
        })
    };
    let rows = |out: &EpochOutput| {
        let mut sinks = vec![];
        for (node, deltas) in &out.sinks {
            let columns = deltas.iter().map(|d| d.batch.column(0).as_primitive::<Int64Type>().values().to_vec());
            let mut rows: Vec<i64> = columns.flatten().collect();
            if *node == NodeId(4) {
                // The place of the row of VALUES among the others depends on how those are shared out.
                rows.sort_unstable();
            }
            sinks.push((*node, rows));
        }
        (out.rows_in, out.rows_out, sinks)
    };
    let plans: [fn(usize) -> Dataflow; 2] =
        [counting, |workers| Dataflow::new(two_sinks().0, config(workers)).unwrap()];
    for (plan, workers, at_once) in plans.iter().flat_map(|p| [(p, 1, 4), (p, 2, 9), (p, 3, 2), (p, 3, 9)]) {
        let (mut single, mut joined) = (plan(workers), plan(workers));
        let expected: Vec<_> = inputs().map(|input| single.step(input).unwrap()).collect();
        let mut all: Vec<EpochInput> = inputs().collect();
        let mut got = vec![];
        while !all.is_empty() {
            let (out, failed) = joined.steps(all.drain(..at_once.min(all.len())).collect());
            failed.unwrap();
            got.extend(out);
            let last = NodeId(joined.plan().nodes().len() - 1);
            assert!(joined.watermark(last) <= Watermark(6) && joined.input_watermark(last) == joined.watermark(last));
        }
        for (epoch, (got, expected)) in got.iter().zip(&expected).enumerate() {
            assert!(rows(got) == rows(expected), "epoch {epoch} of {at_once} at once, {workers} workers");
        }
        assert_eq!(got.len(), expected.len());
        assert_eq!(joined.watermark(NodeId(2)), single.watermark(NodeId(2)));
        assert_eq!(joined.rows(), single.rows());
    }
}

#[test]
fn the_epochs_before_one_that_fails_are_run_to_their_end() {
    let input = |numbers: &[i64]| feed(NodeId(0), vec![delta(numbers.iter().copied())], 1);
    for workers in [1, 3] {
        let (plan, t, _) = two_sinks();
        assert_eq!(t, NodeId(0));
        let mut dataflow = Dataflow::new(plan, config(workers)).unwrap();
        let wrong = EpochInput {
            now: 0,
            sources: vec![SourceFeed { node: NodeId(9), deltas: vec![], watermark: Watermark(1) }],
        };
        let (out, failed) = dataflow.steps(vec![input(&[2]), wrong, input(&[3])]);
        assert!(out.is_empty() && failed.is_err(), "what cannot be fed at all is found before anything runs");

        let mut dataflow = counting(workers);
        let (out, failed) = dataflow.steps(vec![input(&[1, 2]), input(&[3]), input(&[4, 13, 5]), input(&[6])]);
        assert_eq!(out.iter().map(|out| out.rows_in).collect::<Vec<_>>(), [2, 1]);
        assert!(failed.unwrap_err().message().starts_with("Count (node 1) failed:"));
        assert!(dataflow.step(EpochInput::default()).unwrap_err().message().starts_with("the dataflow has stopped"));
    }
}

#[test]
fn epochs_whose_clock_is_read_are_run_one_by_one() {
    /// Puts out what the plan's clock reads.
    struct Read(EpochClock);
    impl Operator for Read {
        fn push(&mut self, _port: usize, _delta: Delta, cx: &mut Cx) -> Result<()> {
            cx.emit(delta([self.0.now()]));
            Ok(())
        }
    }
    let clock = EpochClock::default();
    let mut plan = StreamPlan::new(clock.clone());
    let t = plan.add(source(), vec![], edge());
    plan.add(sink(0), vec![t], edge());
    let mut graph = Graph::new(2);
    let read = clock.clone();
    let first = graph.add("Source", t, vec![], move || Ok(Box::new(Read(read.clone()))));
    graph.add("Sink", NodeId(1), vec![(first, Routing::Stay)], || {
        Ok(Box::new(crate::operators::sink::Sink::new(schema())))
    });
    let mut dataflow = Dataflow::of_graph(Arc::new(plan), graph, vec![(0, 0), (1, 1)], config(2)).unwrap();
    assert!(dataflow.wants_more(1, 8_192) && !dataflow.wants_more(1, 1_000_000) && !dataflow.wants_more(1_000, 10));
    clock.will_be_read();
    assert!(!dataflow.wants_more(1, 8_192));
    let inputs = (1..4).map(|now| EpochInput { now, ..feed(t, vec![delta([0])], now) }).collect();
    let (out, failed) = dataflow.steps(inputs);
    failed.unwrap();
    let read = |out: &EpochOutput| out.sinks[0].1[0].batch.column(0).as_primitive::<Int64Type>().value(0);
    assert_eq!(out.iter().map(read).collect::<Vec<_>>(), [1, 2, 3]);
}
