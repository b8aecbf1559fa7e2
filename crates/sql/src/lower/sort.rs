//! `ORDER BY` and `LIMIT`.
//!
//! The first rows of an order are kept up to date, or come in order at the end of a bounded input. An order without a
//! limit means something only at the top of a query: there it is left to the end of a bounded input, and dropped elsewhere.

use datafusion::logical_expr::{FetchType, Limit, LogicalPlan, Projection, SkipType, Sort, SortExpr};
use tidemill_core::ChangeMode;
use tidemill_plan::op::{RankFunction, SortKey, StreamOp};

use super::distinct_on::is_of_distinct_on;
use super::emission::Emission;
use super::lowering::Lowering;
use super::ranked::is_of_ranks;
use super::refusal::{Lower, no_form};
use super::relation::Relation;
use super::top_n::First;

impl Lowering<'_> {
    /// An order with a limit. Without one its input: rows of a table are in no order.
    pub(super) fn sort(&mut self, sort: &Sort, emission: Emission) -> Lower<Relation> {
        let input = self.relation(&sort.input, emission)?;
        match sort.fetch {
            Some(fetch) => {
                let first = limited(&sort.expr, 0, Some(fetch as u64));
                self.first_rows(input, sort.input.schema(), first, emission)
            }
            None => Ok(input),
        }
    }

    /// The order at the top of a query that does not end: by event time, rows are put out in it as the watermark passes. One
    /// that says which row of each group `DISTINCT ON` keeps, or which rows are the first, has done its work below.
    pub(super) fn sort_unbounded(&mut self, plan: &LogicalPlan, emission: Emission) -> Lower<Relation> {
        match plan {
            LogicalPlan::Projection(projection) => {
                let input = self.sort_unbounded(&projection.input, emission)?;
                self.project(input, projection)
            }
            LogicalPlan::SubqueryAlias(alias) => self.sort_unbounded(&alias.input, emission),
            LogicalPlan::Sort(sort) if is_of_distinct_on(sort) || is_of_ranks(sort) => {
                self.relation(&sort.input, emission)
            }
            LogicalPlan::Sort(sort) => self.temporal_sort(sort, emission),
            other => self.relation(other, emission),
        }
    }

    fn temporal_sort(&mut self, sort: &Sort, emission: Emission) -> Lower<Relation> {
        let refused = || no_form(&LogicalPlan::Sort(sort.clone()));
        let input = self.relation(&sort.input, emission)?;
        let input = self.attach(input)?;
        let (input, keys) = self.keys_as_columns(input, sort.input.schema(), &limited(&sort.expr, 0, None))?;
        let edge = self.plan.node(input.node).edge.clone();
        let by_time = |key: &SortKey| edge.event_time == Some(key.column) && !key.descending;
        if edge.changes != ChangeMode::Append || !keys.order_by.first().is_some_and(by_time) {
            return Err(refused());
        }
        Ok(input.clone().on(self.plan.add(StreamOp::TemporalSort(keys.order_by), vec![input.node], edge)))
    }

    /// A limit, in the order of what is below it. Without an order: the first rows by all of their columns, so that they
    /// are the same on every run.
    pub(super) fn limit(&mut self, limit: &Limit, emission: Emission) -> Lower<Relation> {
        let refused = || no_form(&LogicalPlan::Limit(limit.clone()));
        let SkipType::Literal(skip) = limit.get_skip_type()? else { return Err(refused()) };
        let FetchType::Literal(fetch) = limit.get_fetch_type()? else { return Err(refused()) };
        let (skip, mut last) = (skip as u64, fetch.map(|f| (skip as u64).saturating_add(f as u64)));
        let mut between: Vec<&Projection> = vec![];
        let mut plan = limit.input.as_ref();
        let order: &[SortExpr] = loop {
            match plan {
                LogicalPlan::Projection(projection) => {
                    between.push(projection);
                    plan = &projection.input;
                }
                LogicalPlan::SubqueryAlias(alias) => plan = &alias.input,
                LogicalPlan::Sort(sort) => {
                    let within = sort.fetch.map(|f| f as u64);
                    last = last.into_iter().chain(within).min();
                    plan = &sort.input;
                    break &sort.expr;
                }
                _ => {
                    between.clear();
                    plan = &limit.input;
                    break &[];
                }
            }
        };
        let input = match plan {
            // The planner puts the limit into the scan too; once is enough.
            LogicalPlan::TableScan(scan) => self.scan_all(scan)?,
            plan => self.relation(plan, emission)?,
        };
        let first = First { range: (skip + 1, last), ..limited(order, 0, None) };
        let mut relation = self.first_rows(input, plan.schema(), first, emission)?;
        for projection in between.into_iter().rev() {
            relation = self.project(relation, projection)?;
        }
        Ok(relation)
    }
}

/// The rows behind `skip`, at most `fetch` of them.
pub(super) fn limited(order_by: &[SortExpr], skip: u64, fetch: Option<u64>) -> First<'_> {
    First {
        partition_by: &[],
        order_by,
        bound: RankFunction::RowNumber,
        range: (skip + 1, fetch.map(|f| skip.saturating_add(f))),
        ranks: vec![],
    }
}

/// The order that stands at the top of a query, without a limit: what its rows are to come out in.
pub(super) fn order_of(plan: &LogicalPlan) -> Option<&Sort> {
    match plan {
        LogicalPlan::Projection(projection) => order_of(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => order_of(&alias.input),
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => Some(sort),
        _ => None,
    }
}
