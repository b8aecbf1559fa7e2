//! What an epoch asks of the rim: a batch run over inputs that have ended, and rows to be looked up.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use tidemill_core::{Delta, Error, Micros, Result};
use tidemill_plan::NodeId;
use tidemill_plan::op::{AtEnd, SinkTarget};

use super::waiting::Asked;
use super::{Answer, Engine, Kind};
use crate::consolidate::consolidate;

/// A part of the query that DataFusion is to answer once.
pub(crate) struct Question {
    pub node: NodeId,
    pub at_end: AtEnd,
    pub inputs: HashMap<String, RecordBatch>,
}

/// Rows that a lookup join asks about.
pub(crate) struct LookupQuestion {
    /// The join's node.
    pub node: NodeId,
    /// Tells the questions of a join apart.
    pub number: u64,
    pub rows: Vec<Delta>,
    /// What the clock read.
    pub now: Micros,
}

impl Engine {
    /// The batch parts whose inputs have all ended and that have not been asked for.
    pub(super) fn questions(&mut self) -> Result<Vec<Question>> {
        let mut questions = vec![];
        for index in 0..self.sources.len() {
            let Kind::AtEnd { at_end, answer: Answer::Waiting } = &self.sources[index].kind else { continue };
            if !at_end.inputs.iter().all(|(_, id)| self.dataflow.finished(*id)) {
                continue;
            }
            let at_end = at_end.clone();
            let mut inputs = HashMap::new();
            for (name, id) in &at_end.inputs {
                let schema = Arc::clone(&self.plan.node(*id).edge.schema);
                let Some(sink) = self.sinks.iter_mut().find(|s| s.node == *id) else {
                    return Err(Error::internal("a batch part of the query reads something that is not collected"));
                };
                inputs.insert(name.clone(), consolidate(&schema, &std::mem::take(&mut sink.collected))?);
            }
            let source = &mut self.sources[index];
            source.kind = Kind::AtEnd { at_end: at_end.clone(), answer: Answer::Asked };
            questions.push(Question { node: source.node, at_end, inputs });
        }
        Ok(questions)
    }

    /// What the epoch's rows ask for, and how far time has come behind them.
    pub(super) fn lookups(&mut self, now: Micros) -> Vec<LookupQuestion> {
        let mut questions = vec![];
        for source in &mut self.sources {
            let Kind::Lookup(waiting) = &mut source.kind else { continue };
            // Several joins may ask for the rows of one sink.
            let sink = self.sinks.iter().find(|s| s.node == waiting.asks);
            let rows = sink.map(|s| s.collected.clone()).unwrap_or_default();
            let watermark = self.dataflow.watermark(waiting.asks);
            if rows.is_empty() && watermark == waiting.watermark {
                continue;
            }
            let (number, count) = (waiting.count, rows.iter().map(Delta::num_rows).sum());
            // Time alone needs no answer.
            let answer = rows.is_empty().then(|| Delta::insert(RecordBatch::new_empty(Arc::new(Schema::empty()))));
            waiting.asked.push_back(Asked { number, rows: count, watermark, answer });
            (waiting.count, waiting.watermark) = (number + 1, watermark);
            if !rows.is_empty() {
                questions.push(LookupQuestion { node: source.node, number, rows, now });
            }
        }
        for sink in self.sinks.iter_mut().filter(|s| matches!(s.target, SinkTarget::Ask)) {
            sink.collected.clear();
        }
        questions
    }
}
