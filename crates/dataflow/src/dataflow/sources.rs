//! What the sources hand over, shared out among the workers.

use tidemill_core::{Delta, Error, Result, Watermark};
use tidemill_plan::op::SourceInput;
use tidemill_plan::{NodeId, StreamOp, StreamPlan};

use super::{Dataflow, EpochInput, EpochOutput, SourceFeed};
use crate::operators::values;

/// How the rows of a source are shared out.
struct Share {
    node: NodeId,
    /// All of them.
    rows: usize,
    /// Who is given the next ones, and how many it has been given.
    worker: usize,
    given: usize,
}

impl Dataflow {
    /// Hands the rows of the sources to the workers. Returns whether a source ends.
    pub(super) fn share_out(&mut self, inputs: Vec<EpochInput>, out: &mut [EpochOutput]) -> Result<bool> {
        let mut ends = false;
        let mut epochs: Vec<Vec<SourceFeed>> = inputs.into_iter().map(|input| input.sources).collect();
        if let Some(first) = epochs.first_mut() {
            first.append(&mut self.values);
        }
        let mut shares: Vec<Share> = vec![];
        for feed in epochs.iter().flatten() {
            let rows = feed.deltas.iter().map(Delta::num_rows).sum();
            match shares.iter_mut().find(|share| share.node == feed.node) {
                Some(share) => share.rows += rows,
                None => shares.push(Share { node: feed.node, rows, worker: 0, given: 0 }),
            }
            ends |= feed.watermark == Watermark::MAX;
            self.rows_so_far = self.rows_so_far.saturating_add(rows);
        }
        for (epoch, feeds) in epochs.into_iter().enumerate() {
            for feed in feeds {
                out[epoch].rows_in += feed.deltas.iter().map(Delta::num_rows).sum::<usize>();
                let share = shares.iter_mut().find(|share| share.node == feed.node);
                self.feed(epoch, feed, share.ok_or_else(|| Error::internal("a source without a share"))?)?;
            }
        }
        Ok(ends)
    }

    /// Hands a source's rows of an epoch to the workers: each a stretch of its rows in all epochs that are run at once, so that
    /// their order is kept when the results of the workers are put one after the other. A few rows are not worth sharing out.
    fn feed(&mut self, epoch: usize, feed: SourceFeed, share: &mut Share) -> Result<()> {
        let Some(node) = self.plan.nodes().get(feed.node.0) else {
            return Err(Error::internal(format!("there is no node {}", feed.node.0)));
        };
        let step = self.steps_of[feed.node.0].0;
        if !matches!(node.op, StreamOp::Source(_) | StreamOp::Values(_)) {
            return Err(Error::internal(format!("node {} is no source, but a {}", feed.node.0, node.op.name())));
        }
        for worker in &mut self.workers {
            worker.slots[step].source.go_on(epoch, feed.watermark);
        }
        let sharers = (share.rows / self.rows_per_worker).clamp(1, self.workers.len());
        let each = share.rows.div_ceil(sharers);
        for delta in feed.deltas {
            let mut from = 0;
            while from < delta.num_rows() {
                let len = (each - share.given).min(delta.num_rows() - from);
                let part = if len == delta.num_rows() { delta.clone() } else { delta.slice(from, len) };
                self.workers[share.worker].slots[step].inboxes[epoch].push((0, part));
                from += len;
                share.given += len;
                if share.given == each {
                    (share.worker, share.given) = (share.worker + 1, 0);
                }
            }
        }
        Ok(())
    }
}

pub(super) fn timed_sources(plan: &StreamPlan) -> Vec<NodeId> {
    let timed = |op: &StreamOp| matches!(op, StreamOp::Source(s) if s.event_time.is_some() && matches!(s.input, SourceInput::Table(_)));
    plan.nodes().iter().filter(|n| timed(&n.op)).map(|n| n.id).collect()
}

/// The rows of `VALUES` nodes, which end with the first epoch.
pub(super) fn values_of(plan: &StreamPlan) -> Result<Vec<SourceFeed>> {
    let mut feeds = vec![];
    for node in plan.nodes() {
        if let StreamOp::Values(batches) = &node.op {
            let deltas = values::deltas(batches, &node.edge.schema)?;
            feeds.push(SourceFeed { node: node.id, deltas, watermark: Watermark::MAX });
        }
    }
    Ok(feeds)
}
