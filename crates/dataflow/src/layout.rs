//! How the steps of a graph stand to each other once the number of workers is known: who reads whom, and in which stage.
//!
//! A stage is a run of steps between which rows stay on their worker; where rows are routed a new one begins. With one
//! worker nothing is routed, and there is one stage.

use tidemill_plan::op::{Emit, Release};
use tidemill_plan::{NodeId, StreamOp, StreamPlan};

use crate::graph::{Graph, Routing};

/// Everything about the steps that all workers share.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) steps: Vec<StepLayout>,
    /// The steps of each stage, inputs first.
    pub(crate) stages: Vec<Vec<usize>>,
    pub(crate) workers: usize,
}

/// How a step stands among the others.
#[derive(Debug)]
pub(crate) struct StepLayout {
    pub(crate) name: &'static str,
    pub(crate) node: NodeId,
    pub(crate) inputs: Vec<Input>,
    pub(crate) readers: Vec<Reader>,
    /// Whether what it puts out leaves the dataflow.
    pub(crate) sink: bool,
    /// Whether it runs in every epoch: time goes on without rows.
    pub(crate) always: bool,
}

#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) step: usize,
    /// Whether rows come from all workers: then the watermark is the least of theirs.
    pub(crate) routed: bool,
}

#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) step: usize,
    pub(crate) port: usize,
    pub(crate) route: Route,
}

#[derive(Debug, Clone)]
pub(crate) enum Route {
    Stay,
    ByKey(Vec<usize>),
    ToOne,
}

/// Cuts the graph into stages: a new one wherever rows are routed.
pub(crate) fn layout(plan: &StreamPlan, graph: &Graph) -> Layout {
    let alone = graph.workers == 1;
    let mut stage_of: Vec<usize> = vec![];
    let mut steps: Vec<StepLayout> = vec![];
    for (index, step) in graph.steps.iter().enumerate() {
        let op = &plan.node(step.node).op;
        let mut stage = 0;
        let mut inputs = vec![];
        for (port, (from, routing)) in step.inputs.iter().enumerate() {
            let route = match routing {
                _ if alone => Route::Stay,
                Routing::Stay => Route::Stay,
                Routing::ByKey(keys) => Route::ByKey(keys.clone()),
                Routing::ToOne => Route::ToOne,
            };
            let routed = !matches!(route, Route::Stay);
            stage = stage.max(stage_of[from.0] + usize::from(routed));
            inputs.push(Input { step: from.0, routed });
            steps[from.0].readers.push(Reader { step: index, port, route });
        }
        stage_of.push(stage);
        let sink = matches!(op, StreamOp::Sink(_));
        steps.push(StepLayout {
            name: step.name,
            node: step.node,
            inputs,
            readers: vec![],
            sink,
            always: needs_every_epoch(op),
        });
    }
    let mut stages = vec![vec![]; stage_of.iter().max().map_or(0, |last| last + 1)];
    for (step, stage) in stage_of.into_iter().enumerate() {
        stages[stage].push(step);
    }
    Layout { steps, stages, workers: graph.workers }
}

/// Whether an operator may have something to say though it has no rows and its watermark stands still: the clock moves.
fn needs_every_epoch(op: &StreamOp) -> bool {
    match op {
        StreamOp::ProcessingTime => true,
        StreamOp::HoldBack(op) => matches!(op.release, Release::Every(_)),
        StreamOp::UpdatingAggregate(op) => op.ttl.is_some() || matches!(op.emit, Emit::Changes { every } if every > 0),
        StreamOp::TopN(op) => matches!(op.emit, Emit::Changes { every } if every > 0),
        StreamOp::Deduplicate(op) => matches!(op.emit, Emit::Changes { every } if every > 0),
        _ => false,
    }
}
