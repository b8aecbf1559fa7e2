//! What an operator and its driver promise each other, checked call by call. In debug builds and tests.

use arrow::array::Array;
use arrow::datatypes::{Field, SchemaRef};
use tidemill_core::{ChangeMode, Delta, Error, Result, Watermark};
use tidemill_plan::NodeId;
use tidemill_plan::graph::Edge;

use crate::operator::{Cx, Operator, StateSize};

/// An operator under watch. A broken promise is an internal error that names it.
pub struct Checked {
    operator: Box<dyn Operator>,
    name: &'static str,
    node: NodeId,
    /// What the operator's output is to be; `None` for a step inside of a node.
    edge: Option<Edge>,
    told: Watermark,
    forwarded: Watermark,
    /// Whether `advance` was called and `end_epoch` not yet.
    advanced: bool,
}

impl Checked {
    /// Watches `operator`, of `node`. What it emits is compared with `edge`.
    pub fn new(operator: Box<dyn Operator>, name: &'static str, node: NodeId, edge: Option<Edge>) -> Self {
        let (told, forwarded) = (Watermark::MIN, Watermark::MIN);
        Self { operator, name, node, edge, told, forwarded, advanced: false }
    }

    fn broken(&self, what: impl std::fmt::Display) -> Error {
        Error::internal(format!("{} (node {}) broke its contract: {what}", self.name, self.node.0))
    }

    /// Runs `call` and looks at what it has emitted.
    fn watch<T>(&mut self, cx: &mut Cx, call: impl FnOnce(&mut dyn Operator, &mut Cx) -> Result<T>) -> Result<T> {
        let mut before = cx.take_emitted();
        let result = call(self.operator.as_mut(), cx)?;
        let emitted = cx.take_emitted();
        for delta in &emitted {
            self.check(delta)?;
        }
        before.extend(emitted);
        before.into_iter().for_each(|delta| cx.emit(delta));
        Ok(result)
    }

    fn check(&self, delta: &Delta) -> Result<()> {
        let rows = delta.num_rows();
        if let Some(weights) = &delta.weights {
            if weights.len() != rows || weights.null_count() > 0 {
                return Err(self.broken("a row has no weight"));
            }
            if weights.values().contains(&0) {
                return Err(self.broken("a row has weight 0"));
            }
        }
        if delta.split_watermark.as_ref().is_some_and(|w| w.len() != rows) {
            return Err(self.broken(format!("{rows} rows, but another number of split watermarks")));
        }
        let Some(edge) = &self.edge else { return Ok(()) };
        if let Some(difference) = difference(&edge.schema, &delta.schema()) {
            return Err(self.broken(difference));
        }
        let inserts = delta.weights.as_ref().is_none_or(|w| w.values().iter().all(|w| *w == 1));
        if edge.changes == ChangeMode::Append && !inserts {
            return Err(self.broken("an append edge carries a weight that is not +1"));
        }
        Ok(())
    }
}

impl Operator for Checked {
    fn push(&mut self, port: usize, delta: Delta, cx: &mut Cx) -> Result<()> {
        if self.advanced {
            return Err(self.broken("a row came after the watermark of its epoch"));
        }
        self.watch(cx, |operator, cx| operator.push(port, delta, cx))
    }

    fn advance(&mut self, watermark: Watermark, cx: &mut Cx) -> Result<Watermark> {
        if self.advanced {
            return Err(self.broken("time advanced twice in an epoch"));
        }
        if watermark < self.told {
            return Err(self.broken(format!("its watermark fell from {} to {watermark}", self.told)));
        }
        (self.told, self.advanced) = (watermark, true);
        let forwarded = self.watch(cx, |operator, cx| operator.advance(watermark, cx))?;
        if forwarded < self.forwarded {
            return Err(self.broken(format!("it forwarded {} and then {forwarded}", self.forwarded)));
        }
        self.forwarded = forwarded;
        Ok(forwarded)
    }

    fn end_epoch(&mut self, cx: &mut Cx) -> Result<()> {
        if !self.advanced {
            return Err(self.broken("an epoch ended without a watermark"));
        }
        self.advanced = false;
        self.watch(cx, |operator, cx| operator.end_epoch(cx))
    }

    fn state(&self) -> StateSize {
        self.operator.state()
    }
}

/// What the schema of a delta has otherwise than that of its edge: names, types and their number. Metadata, and whether
/// NULLs are allowed, may differ.
fn difference(edge: &SchemaRef, got: &SchemaRef) -> Option<String> {
    let text = |f: &Field| format!("{} {}", f.name(), f.data_type());
    if edge.fields().len() != got.fields().len() {
        return Some(format!("{} columns where the plan has {}", got.fields().len(), edge.fields().len()));
    }
    let pairs = edge.fields().iter().zip(got.fields());
    let mut differing = pairs.filter(|(e, g)| e.name() != g.name() || !e.data_type().equals_datatype(g.data_type()));
    differing.next().map(|(e, g)| format!("a column '{}' where the plan has '{}'", text(g), text(e)))
}
