//! What should be said of a plan's state before it starts.

use tidemill_core::{Error, Result};
use tidemill_plan::op::{Emit, StreamOp};
use tidemill_plan::state::{StateBound, state_of};
use tidemill_plan::{Node, StreamPlan};

use super::lowering::UnboundedState;

/// A sentence for each operator whose state grows for ever; with [`UnboundedState::Reject`] the first is an error. Windows
/// over the columns `endless` never close.
pub(super) fn warnings(plan: &StreamPlan, endless: &[String], unbounded: UnboundedState) -> Result<Vec<String>> {
    let mut all: Vec<(String, String)> = vec![];
    for column in endless {
        all.push((
            format!("no watermark speaks of '{column}', so its windows are kept and never let go of"),
            format!("declare WATERMARK FOR {column} in CREATE TABLE"),
        ));
    }
    for node in plan.nodes().iter().filter(|n| goes_on(plan, n)) {
        let (keeps, remedy) = match state_of(plan, node) {
            StateBound::Keys { keeps, remedy } | StateBound::Unbounded { keeps, remedy } => (keeps, remedy),
            _ => continue,
        };
        let tables: Vec<_> = plan.tables_below(node.id).iter().map(|t| format!("'{t}'")).collect();
        let over = if tables.is_empty() { String::new() } else { format!(" over {}", tables.join(", ")) };
        all.push((format!("{}{over} keeps {keeps}, and never lets go of it", what(node)), remedy));
    }
    all.dedup();
    match (unbounded, all.first()) {
        (UnboundedState::Allow, _) => Ok(vec![]),
        (UnboundedState::Warn, _) | (_, None) => {
            Ok(all.into_iter().map(|(message, remedy)| format!("{message}: {remedy}.")).collect())
        }
        (UnboundedState::Reject, Some((message, remedy))) => Err(Error::statement(format!(
            "{message}, and 'state.unbounded' is 'reject'"
        ))
        .with_hint(format!("{}{}.", remedy[..1].to_uppercase(), &remedy[1..]))),
    }
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
