//! `JOIN .. USING (k)` and `NATURAL JOIN`: one column `k` of both sides, whatever kind the join is.
//!
//! DataFusion keeps both columns and mostly takes the left one, which is NULL where a RIGHT or FULL join found nothing, and does not
//! know which is meant in a condition. Here such joins are written out, with `ON` and the column that is meant in each place. That
//! takes the columns of what is joined, which only the planner knows: [`marked`](mark::marked) puts a mark around such a `FROM`, the
//! [`planner`] answers it with the columns it found, as an error, and [`write_out`] writes the query anew, which is then planned again.
//!
//! `SELECT *, a` takes the same way, where it gives two columns of one name.

mod mark;
mod merged;
mod planner;
mod rewrite;
mod scope;

pub(crate) use mark::mark;
pub(super) use mark::{mark_stars, name_parts};
pub(crate) use merged::MergedColumns;
pub(crate) use planner::UsingPlanner;
pub(super) use rewrite::write_out;
