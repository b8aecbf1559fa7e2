//! The physical graph: steps, and how rows go from the workers of one step to the workers of the next.
//!
//! An operator of the plan becomes one or more steps (a windowed aggregation: per worker, then merged by key). Each worker
//! has its own instance of each step.

use tidemill_core::Result;
use tidemill_plan::NodeId;

use crate::operator::Operator;

/// The place of a step in its graph. Inputs come before what reads them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId(pub usize);

/// How rows go from the workers of one step to the workers of the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Routing {
    /// They stay on their worker.
    Stay,
    /// Rows with equal values in these columns meet on one worker.
    ByKey(Vec<usize>),
    /// All go to the first worker.
    ToOne,
}

/// One step: how to make a worker's instance of it, and where its rows come from.
pub struct Step {
    /// The operator's name, for messages and metrics.
    pub name: &'static str,
    /// The node of the plan that it belongs to.
    pub node: NodeId,
    /// Where rows come from, by port.
    pub inputs: Vec<(StepId, Routing)>,
    /// Makes an instance for one worker.
    pub make: Box<dyn Fn() -> Result<Box<dyn Operator>> + Send + Sync>,
}

/// All steps of a dataflow.
pub struct Graph {
    /// How many workers there are.
    pub workers: usize,
    /// The steps, inputs first.
    pub steps: Vec<Step>,
}

impl Graph {
    /// An empty graph for so many workers (at least 1).
    pub fn new(workers: usize) -> Self {
        Self { workers: workers.max(1), steps: vec![] }
    }

    /// Adds a step.
    pub fn add(
        &mut self,
        name: &'static str,
        node: NodeId,
        inputs: Vec<(StepId, Routing)>,
        make: impl Fn() -> Result<Box<dyn Operator>> + Send + Sync + 'static,
    ) -> StepId {
        debug_assert!(inputs.iter().all(|(i, _)| i.0 < self.steps.len()), "inputs come before what reads them");
        self.steps.push(Step { name, node, inputs, make: Box::new(make) });
        StepId(self.steps.len() - 1)
    }
}
