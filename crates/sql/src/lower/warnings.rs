//! What should be said of a plan's state before it starts.

use tidemill_core::{Error, Result};
use tidemill_plan::op::{Emit, StreamOp};
use tidemill_plan::state::{StateBound, state_of};
use tidemill_plan::{Node, StreamPlan};

use super::lowering::UnboundedState;

/// A sentence for each operator whose state grows for ever; with [`UnboundedState::Reject`] the first is an error.
pub(super) fn warnings(plan: &StreamPlan, unbounded: UnboundedState) -> Result<Vec<String>> {
    let mut all = vec![];
    for node in plan.nodes().iter().filter(|n| goes_on(plan, n)) {
        let (keeps, remedy) = match state_of(plan, node) {
            StateBound::Keys { keeps, remedy } | StateBound::Unbounded { keeps, remedy } => (keeps, remedy),
            _ => continue,
        };
        let tables: Vec<_> = plan.tables_below(node.id).iter().map(|t| format!("'{t}'")).collect();
        let over = if tables.is_empty() { String::new() } else { format!(" over {}", tables.join(", ")) };
        let message = format!("{}{over} keeps {keeps}, and never lets go of it", what(node));
        match unbounded {
            UnboundedState::Allow => {}
            UnboundedState::Warn => all.push(format!("{message}: {remedy}.")),
            UnboundedState::Reject => {
                return Err(Error::statement(format!("{message}, and 'state.unbounded' is 'reject'"))
                    .with_hint(format!("{}{}.", remedy[..1].to_uppercase(), &remedy[1..])));
            }
        }
    }
    Ok(all)
}

fn goes_on(plan: &StreamPlan, node: &Node) -> bool {
    node.inputs.iter().any(|i| !plan.node(*i).edge.bounded)
}

fn what(node: &Node) -> &'static str {
    match &node.op {
        StreamOp::UpdatingAggregate(op) if op.emit != Emit::AtEnd => "GROUP BY",
        StreamOp::WindowAggregate(_) => "GROUP BY of a window",
        StreamOp::SessionRows(_) => "SESSION",
        op => op.name(),
    }
}
