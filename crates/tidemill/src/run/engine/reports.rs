//! What is said of an engine while it runs: who holds time back, and what its operators keep.

use tidemill_dataflow::StateSize;
use tidemill_dataflow::split_watermarks::Activity;
use tidemill_plan::NodeId;
use tidemill_plan::state::{StateBound, state_of};

use super::{Engine, Kind};
use crate::run::report::{OperatorReport, SourceReport, SplitReport, WatermarkReport};
use crate::run::state::{OperatorState, StateReport};

impl Engine {
    pub(super) fn operator_name(&self, node: NodeId) -> String {
        format!("{} #{}", self.plan.node(node).op.name(), node.0)
    }

    /// What each operator that keeps something keeps now.
    pub(crate) fn state(&self) -> Vec<(String, StateSize)> {
        self.states().map(|(node, size)| (self.operator_name(node), size)).collect()
    }

    fn states(&self) -> impl Iterator<Item = (NodeId, StateSize)> {
        let keeps = |node: &NodeId| state_of(&self.plan, self.plan.node(*node)) != StateBound::None;
        self.dataflow.state().into_iter().filter(move |(node, _)| keeps(node))
    }

    /// What the operators keep now, and at most so far.
    pub(crate) fn state_report(&mut self) -> StateReport {
        let mut report = StateReport::default();
        let states: Vec<_> = self.states().collect();
        for (node, size) in states {
            let (most_rows, most_bytes) = self.peaks.seen(node, size);
            report.operators.push(OperatorState {
                name: self.operator_name(node),
                bound: state_of(&self.plan, self.plan.node(node)).to_string(),
                rows: size.rows,
                bytes: size.bytes,
                oldest: size.oldest,
                most_rows,
                most_bytes,
            });
        }
        report
    }

    /// Who holds time back now.
    pub(crate) fn report(&self) -> WatermarkReport {
        let mut report = WatermarkReport::default();
        for source in &self.sources {
            let Kind::Table(splits) = &source.kind else { continue };
            let splits = splits.report().into_iter().map(|s| SplitReport {
                name: s.split.to_string(),
                watermark: s.watermark,
                rows: s.rows,
                idle: s.activity == Activity::Idle,
                ended: s.activity == Activity::Ended,
            });
            report.sources.push(SourceReport {
                name: source.name.clone(),
                watermark: source.told,
                splits: splits.collect(),
            });
        }
        for (node, size) in self.states() {
            report.operators.push(OperatorReport {
                name: self.operator_name(node),
                watermark: self.dataflow.input_watermark(node),
                held_by: self.holder(node, &report),
                rows: size.rows,
                bytes: size.bytes,
            });
        }
        report
    }

    /// The split with the least watermark among those that feed `node`.
    fn holder(&self, node: NodeId, report: &WatermarkReport) -> Option<String> {
        let tables = self.plan.tables_below(node);
        let candidates = report.sources.iter().filter(|s| tables.contains(&s.name)).flat_map(|source| {
            let holding = source.splits.iter().filter(|s| !s.idle && !s.ended);
            holding.map(move |split| (split.watermark, format!("{} / {}", source.name, split.name)))
        });
        candidates.min().map(|(_, name)| name)
    }
}
