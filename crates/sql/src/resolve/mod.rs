//! Names: what DataFusion's planner asks for, and names that differ from what there is only in case.
//!
//! `provider` opens tables and views by name; `hinted` those with options of their own. `ctes`, `mend` and `fields` find
//! what differs only in case: common table expressions, columns, fields of rows. `duplicates` tells columns without a name
//! of their own apart. `locate` finds the place of an error.

mod call_names;
mod ctes;
mod duplicates;
mod fields;
mod hinted;
mod locate;
mod mend;
mod provider;

use sqlparser::ast::{Visit, VisitMut};

pub(crate) use ctes::settle_ctes;
pub(crate) use duplicates::name_duplicates;
pub(crate) use fields::FieldNames;
pub(crate) use locate::locate;
pub(crate) use mend::mend;
pub(crate) use provider::Provider;

/// A query or an expression.
pub(crate) trait Node: Visit + VisitMut {}

impl<N: Visit + VisitMut> Node for N {}
