//! Adds up the changes of an epoch before they leave, so that a sink is handed what differs and nothing else.
//!
//! What is handed over comes in up to three deltas: rows gone; updates, each as the row before and the row after it; rows
//! new. So retractions come before insertions, and a pair is a pair wherever there are two rows of one key.
//!
//! - [`net`]: from all changes of an epoch to the net of each row, and of each key.
//! - [`greatest`]: for a sink with a `PRIMARY KEY` that the query does not prove to be one: the live rows of each key.

mod greatest;
mod net;
#[cfg(test)]
mod tests;

use arrow::array::{Int64Array, UInt32Array};
use arrow::datatypes::SchemaRef;
use tidemill_core::{Delta, Result};
use tidemill_plan::Node;
use tidemill_plan::op::{CompactOp, Give};

use self::net::{Net, Netting};
use crate::graph::{Graph, Routing, StepId};
use crate::operator::{Cx, Operator};

/// Adds the step: rows of a key (or equal rows) meet on one worker.
pub fn build(op: &CompactOp, node: &Node, input: StepId, graph: &mut Graph) -> Result<StepId> {
    let (schema, op) = (node.edge.schema.clone(), op.clone());
    let columns = match op.key.is_empty() {
        true => (0..schema.fields().len()).collect(),
        false => op.key.clone(),
    };
    Ok(graph.add("Compact", node.id, vec![(input, Routing::ByKey(columns))], move || {
        Ok(match op.give {
            Give::GreatestByKey => Box::new(greatest::Greatest::new(&op.key, schema.clone())?),
            _ => Box::new(Compact::new(&op, schema.clone())?),
        })
    }))
}

/// Compacts without keeping anything.
struct Compact {
    schema: SchemaRef,
    give: Give,
    net: Netting,
    incoming: Vec<Delta>,
}

impl Compact {
    fn new(op: &CompactOp, schema: SchemaRef) -> Result<Self> {
        Ok(Self { net: Netting::new(&op.key, schema.clone())?, schema, give: op.give, incoming: vec![] })
    }

    fn put_out(&mut self, cx: &mut Cx) -> Result<()> {
        let incoming = std::mem::take(&mut self.incoming);
        if incoming.is_empty() {
            return Ok(());
        }
        let inserts = incoming.iter().all(|d| d.weights.is_none());
        if self.give == Give::Changes && inserts {
            incoming.into_iter().for_each(|delta| cx.emit(Delta::insert(delta.batch)));
            return Ok(());
        }
        let delta = Delta::concat(&self.schema, &incoming)?;
        let mut picks = Picks::default();
        if self.give == Give::LastInserted {
            let mut last: Vec<u32> = self.net.last_of_each_key(&delta)?;
            last.sort_unstable();
            last.into_iter().for_each(|row| picks.new.push((row, 1)));
            return picks.emit(&delta, cx);
        }
        for key in self.net.keys(&delta)? {
            match self.give {
                Give::Changes => picks.changes(&key),
                // One live row, or none: the last insertion is the one that is there.
                _ => match (key.inserted.last(), key.retracted.last()) {
                    (Some((row, _)), _) => picks.new.push((*row, 1)),
                    (None, Some((row, _))) => picks.gone.push((*row, -1)),
                    (None, None) => {}
                },
            }
        }
        picks.emit(&delta, cx)
    }
}

/// Rows to put out, with their weights.
#[derive(Default)]
struct Picks {
    gone: Vec<(u32, i64)>,
    pairs: Vec<(u32, i64)>,
    new: Vec<(u32, i64)>,
}

impl Picks {
    fn changes(&mut self, key: &Net) {
        match (&key.retracted[..], &key.inserted[..]) {
            ([(before, -1)], [(after, 1)]) => self.pairs.extend([(*before, -1), (*after, 1)]),
            (gone, new) => {
                self.gone.extend(gone);
                self.new.extend(new);
            }
        }
    }

    fn emit(self, delta: &Delta, cx: &mut Cx) -> Result<()> {
        for picks in [self.gone, self.pairs, self.new] {
            if picks.is_empty() {
                continue;
            }
            let rows = delta.take(&picks.iter().map(|(row, _)| *row).collect::<UInt32Array>())?;
            let weights =
                picks.iter().any(|(_, w)| *w != 1).then(|| picks.iter().map(|(_, w)| *w).collect::<Int64Array>());
            cx.emit(Delta { batch: rows.batch, weights, split_watermark: None });
        }
        Ok(())
    }
}

impl Operator for Compact {
    fn push(&mut self, _port: usize, delta: Delta, _cx: &mut Cx) -> Result<()> {
        if !delta.is_empty() {
            self.incoming.push(delta);
        }
        Ok(())
    }

    fn end_epoch(&mut self, cx: &mut Cx) -> Result<()> {
        self.put_out(cx)
    }
}
