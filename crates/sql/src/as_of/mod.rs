//! Joins by time: `ASOF JOIN .. MATCH_CONDITION (..)` and `FOR SYSTEM_TIME AS OF`.
//!
//! DataFusion has no plan for them. On the way: [`syntax`] writes an `ASOF JOIN` as a join whose right table carries the
//! condition; `planner` makes a [`mark`] of that, and of `FOR SYSTEM_TIME AS OF`, below the join that DataFusion plans; `comma`
//! moves the conditions of a join that is written with a comma into it; `subquery` gives a name to a query whose version is asked for;
//! [`bind`] puts an [`AsOfNode`] in the place of the join, over the [`versions`] of the right table, or a [`LookupNode`] where the
//! time is that of processing. Then `push_filter` is the
//! optimiser's rule for it, [`batch`] says in plain DataFusion what it means, and [`lower`](crate::lower) makes an operator
//! of it.

pub(crate) mod batch;
pub(crate) mod bind;
mod comma;
pub mod lookup;
mod mark;
pub mod node;
pub(crate) mod planner;
pub(crate) mod push_filter;
pub(crate) mod subquery;
pub(crate) mod syntax;
mod versions;

pub use lookup::LookupNode;
pub use node::AsOfNode;
