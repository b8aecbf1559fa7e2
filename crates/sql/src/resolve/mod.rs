//! Names: what DataFusion's planner asks for, and names that differ from what there is only in case.
//!
//! `provider` opens tables and views by name; `hinted` those with options of their own. `ctes`, `aliases`, `mend` and `fields`
//! find what differs only in case: common table expressions, tables of outer queries, columns, fields of rows. `shadowed`
//! tells common table expressions of one name apart, `duplicates` columns of one name, `grouped_once` leaves second ones out of GROUP BY, and `named_casts` expressions that
//! differ by a cast. `counted_rows` counts the rows of one table. `using` writes joins by the names of columns out.
//! `row_stars` writes the fields of a row out.
//! `lateral_names` keeps the names of columns from outside. `locate` finds the place of an error.

mod aliases;
mod call_names;
mod counted_rows;
mod ctes;
mod duplicates;
mod fields;
mod grouped_once;
mod hinted;
mod lateral_names;
mod locate;
mod mend;
mod named_casts;
mod provider;
mod row_stars;
mod shadowed;
mod using;

use sqlparser::ast::{Visit, VisitMut};

pub(crate) use aliases::settle_outer_aliases;
pub(crate) use counted_rows::{CountedRows, without_counted_rows};
pub(crate) use ctes::settle_ctes;
pub(crate) use duplicates::{distinct_groups, name_duplicates};
pub(crate) use fields::FieldNames;
pub(crate) use lateral_names::name_lateral;
pub(crate) use locate::locate;
pub(crate) use mend::{is_duplicate, mend};
pub(crate) use named_casts::without as without_named_casts;
pub(crate) use provider::Provider;
pub(crate) use row_stars::{is_no_column, star_of};
pub(crate) use shadowed::rename_shadowing;
pub(crate) use using::{MergedColumns, UsingPlanner, mark as mark_using};

/// A query or an expression.
pub(crate) trait Node: Visit + VisitMut {}

impl<N: Visit + VisitMut> Node for N {}
