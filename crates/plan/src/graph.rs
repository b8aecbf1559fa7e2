//! The graph: nodes, edges, and what an edge promises.

use arrow::datatypes::SchemaRef;
use tidemill_core::{ChangeMode, EpochClock};

use crate::op::StreamOp;

/// The place of a node in its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub usize);

/// What flows out of a node.
#[derive(Debug, Clone)]
pub struct Edge {
    /// The columns.
    pub schema: SchemaRef,
    /// Which kinds of changes there can be.
    pub changes: ChangeMode,
    /// The column that the edge's watermark speaks of: no later row has a time below the watermark in it, but for late
    /// ones. `None` where no column has that property any more; windows over such an edge close at the end of the input.
    pub event_time: Option<usize>,
    /// Whether the edge ends by itself.
    pub bounded: bool,
}

/// One operator with its inputs and its output.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its place in the plan.
    pub id: NodeId,
    /// What it does.
    pub op: StreamOp,
    /// Where its rows come from, by port.
    pub inputs: Vec<NodeId>,
    /// What it puts out.
    pub edge: Edge,
}

/// A whole dataflow: every query of a pipeline file, with common parts once.
#[derive(Debug, Clone, Default)]
pub struct StreamPlan {
    nodes: Vec<Node>,
    clock: EpochClock,
}

impl StreamPlan {
    /// A plan with nothing in it. `clock` is what its expressions read the time from.
    pub fn new(clock: EpochClock) -> Self {
        Self { nodes: vec![], clock }
    }

    /// What the plan's expressions read the time from; to be set when an epoch begins.
    pub fn clock(&self) -> &EpochClock {
        &self.clock
    }

    /// Adds a node above `inputs`, which are in the plan already.
    pub fn add(&mut self, op: StreamOp, inputs: Vec<NodeId>, edge: Edge) -> NodeId {
        debug_assert!(inputs.iter().all(|i| i.0 < self.nodes.len()), "inputs come before what reads them");
        let id = NodeId(self.nodes.len());
        self.nodes.push(Node { id, op, inputs, edge });
        id
    }

    /// The node at `id`.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// All nodes, inputs before what reads them.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The nodes that nothing reads: sinks and results.
    pub fn roots(&self) -> impl Iterator<Item = &Node> {
        let mut read = vec![false; self.nodes.len()];
        for node in &self.nodes {
            for input in &node.inputs {
                read[input.0] = true;
            }
        }
        self.nodes.iter().filter(move |n| !read[n.id.0])
    }

    /// For each node, who reads it and on which of the reader's ports.
    pub fn readers(&self) -> Vec<Vec<(NodeId, usize)>> {
        let mut readers = vec![vec![]; self.nodes.len()];
        for node in &self.nodes {
            for (port, input) in node.inputs.iter().enumerate() {
                readers[input.0].push((node.id, port));
            }
        }
        readers
    }

    /// The names of the tables that `id` reads, directly or through others.
    pub fn tables_below(&self, id: NodeId) -> Vec<String> {
        let mut names = vec![];
        let mut stack = vec![id];
        while let Some(id) = stack.pop() {
            let node = self.node(id);
            if let StreamOp::Source(source) = &node.op
                && !names.contains(&source.name)
            {
                names.push(source.name.clone());
            }
            stack.extend(&node.inputs);
        }
        names.sort();
        names
    }
}
