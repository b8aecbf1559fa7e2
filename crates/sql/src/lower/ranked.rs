//! A rank in a range: `ROW_NUMBER() OVER (PARTITION BY .. ORDER BY ..) <= n` in a filter above it, or in `QUALIFY`.
//!
//! What stands between the filter and the function are names and projections. Conditions of the filter that are not the
//! range stay a filter. A rank without an upper bound is no such thing, but a general `OVER`.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::logical_expr::expr::WindowFunctionParams;
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{
    Expr, Filter, LogicalPlan, Operator, Projection, Sort, SortExpr, Window, WindowFunctionDefinition,
};
use tidemill_plan::op::RankFunction;

use super::emission::Emission;
use super::lowering::Lowering;
use super::refusal::Lower;
use super::relation::{Origin, Place, Relation, Slot, bare_column};
use super::top_n::First;

/// A filter on ranks, taken apart.
struct Ranked<'a> {
    filter: &'a Filter,
    /// What stands between the filter and the window function, from the top.
    between: Vec<&'a LogicalPlan>,
    window: &'a Window,
    functions: Vec<RankFunction>,
    params: &'a WindowFunctionParams,
    /// For each column of the filter's input: the function it is the value of.
    of_function: Vec<Option<usize>>,
    /// The function that is bounded, the range, and the conditions that are left.
    bound: usize,
    range: (u64, Option<u64>),
    rest: Vec<&'a Expr>,
}

impl Lowering<'_> {
    /// A filter on ranks, if it is one.
    pub(super) fn ranked_filter(&mut self, filter: &Filter, emission: Emission) -> Option<Lower<Relation>> {
        let ranked = Ranked::of(filter)?;
        Some(self.ranked(&ranked, None, emission))
    }

    /// A projection of a filter on ranks, if it is one: ranks that it leaves behind are not put out, so that a row that
    /// only moves does not change the result.
    pub(super) fn ranked_projection(&mut self, projection: &Projection, emission: Emission) -> Option<Lower<Relation>> {
        let mut names = vec![];
        let mut input = projection.input.as_ref();
        while let LogicalPlan::SubqueryAlias(alias) = input {
            names.push(alias);
            input = &alias.input;
        }
        let LogicalPlan::Filter(filter) = input else { return None };
        let ranked = Ranked::of(filter)?;
        let schema = projection.input.schema();
        let read: Vec<usize> = projection.expr.iter().flat_map(|e| columns_of(e, schema)).collect();
        let relation = self.ranked(&ranked, Some(&read), emission);
        Some(relation.and_then(|r| self.project(r, projection)))
    }

    /// `read` are the columns that are read above, or `None` for all of them.
    fn ranked(&mut self, ranked: &Ranked<'_>, read: Option<&[usize]>, emission: Emission) -> Lower<Relation> {
        let window = ranked.window;
        let inputs = window.input.schema().fields().len();
        let wanted: Vec<usize> = (0..ranked.functions.len()).filter(|f| ranked.reads(*f, read)).collect();
        let field = |f: &usize| Arc::clone(&window.schema.fields()[inputs + f]);
        let first = First {
            partition_by: &ranked.params.partition_by,
            order_by: &ranked.params.order_by,
            bound: ranked.functions[ranked.bound],
            range: ranked.range,
            ranks: wanted.iter().map(|f| (ranked.functions[*f], field(f))).collect(),
        };
        let input = self.relation(&window.input, emission)?;
        let mut relation = self.first_rows(input, window.input.schema(), first, emission)?;
        let numbers = relation.slots.split_off(inputs);
        let slot = |f: usize| match wanted.iter().position(|w| *w == f) {
            Some(at) => numbers[at].clone(),
            None => Slot { place: Place::Unread, origin: Origin::Other },
        };
        relation.slots.extend((0..ranked.functions.len()).map(slot));
        for plan in ranked.between.iter().rev() {
            if let LogicalPlan::Projection(projection) = plan {
                relation = self.project(relation, projection)?;
            }
        }
        match conjunction(ranked.rest.iter().map(|e| (*e).clone())) {
            Some(rest) => self.keep_where(relation, ranked.filter.input.schema(), &rest),
            None => Ok(relation),
        }
    }
}

impl<'a> Ranked<'a> {
    fn of(filter: &'a Filter) -> Option<Self> {
        let mut between = vec![];
        let mut plan = filter.input.as_ref();
        // For each column of the filter's input, the column of `plan` that it is.
        let mut columns: Vec<Option<usize>> = (0..plan.schema().fields().len()).map(Some).collect();
        let window = loop {
            match plan {
                LogicalPlan::Window(window) => break window,
                LogicalPlan::SubqueryAlias(alias) => {
                    between.push(plan);
                    plan = &alias.input;
                }
                LogicalPlan::Projection(projection) => {
                    let schema = projection.input.schema();
                    let below = |i: usize| schema.maybe_index_of_column(bare_column(&projection.expr[i])?);
                    columns.iter_mut().for_each(|c| *c = c.and_then(below));
                    between.push(plan);
                    plan = &projection.input;
                }
                _ => return None,
            }
        };
        let (functions, params) = ranks(window)?;
        let inputs = window.input.schema().fields().len();
        let of_function: Vec<Option<usize>> = columns.iter().map(|c| c.and_then(|c| c.checked_sub(inputs))).collect();
        let schema = filter.input.schema();
        let conditions = split_conjunction(&filter.predicate);
        let ranges: Vec<Option<Range>> = conditions.iter().map(|e| range_of(e, schema, &of_function)).collect();
        let bound = ranges.iter().flatten().find(|r| r.last.is_some())?.function;
        let mut range = (1, u64::MAX);
        let mut rest = vec![];
        for (condition, of) in conditions.into_iter().zip(&ranges) {
            match of {
                Some(of) if of.function == bound => {
                    range = (range.0.max(of.first), range.1.min(of.last.unwrap_or(u64::MAX)));
                    if !of.exact {
                        rest.push(condition);
                    }
                }
                _ => rest.push(condition),
            }
        }
        let range = (range.0, Some(range.1));
        Some(Self { filter, between, window, functions, params, of_function, bound, range, rest })
    }

    /// Whether anything reads the value of a function: what is left of the filter, a computed column between, or what
    /// stands above.
    fn reads(&self, function: usize, above: Option<&[usize]>) -> bool {
        let schema = self.filter.input.schema();
        let is = |column: &usize| self.of_function[*column] == Some(function);
        let above = match above {
            Some(read) => read.iter().any(is),
            None => (0..self.of_function.len()).any(|c| is(&c)),
        };
        above || self.rest.iter().any(|e| columns_of(e, schema).any(|c| is(&c))) || self.is_computed_with()
    }

    /// Whether a projection between computes something: then all ranks are there for it.
    fn is_computed_with(&self) -> bool {
        let inputs = self.window.input.schema();
        self.between.iter().any(|plan| match plan {
            LogicalPlan::Projection(projection) => projection
                .expr
                .iter()
                .any(|e| bare_column(e).is_none() && e.column_refs().into_iter().any(|c| !inputs.has_column(c))),
            _ => false,
        })
    }
}

/// Whether `sort` puts a filter on ranks into the order of the ranks themselves, as `FETCH .. WITH TIES` does.
pub(super) fn is_of_ranks(sort: &Sort) -> bool {
    let mut plan = sort.input.as_ref();
    let mut order: Vec<Expr> = sort.expr.iter().map(|s| s.expr.clone()).collect();
    let filter = loop {
        // What each column of `plan` is in the columns below it.
        let below = |c: &Column| {
            let i = plan.schema().maybe_index_of_column(c)?;
            Some(match plan {
                LogicalPlan::Projection(projection) => projection.expr[i].clone().unalias(),
                LogicalPlan::SubqueryAlias(alias) => {
                    Expr::Column(Column::from(alias.input.schema().qualified_field(i)))
                }
                _ => return None,
            })
        };
        let next = match plan {
            LogicalPlan::Projection(projection) => &projection.input,
            LogicalPlan::SubqueryAlias(alias) => &alias.input,
            LogicalPlan::Filter(filter) => break filter,
            _ => return false,
        };
        for expr in &mut order {
            let moved = expr.clone().transform(|e| match &e {
                Expr::Column(c) => Ok(below(c).map_or_else(|| Transformed::no(e.clone()), Transformed::yes)),
                _ => Ok(Transformed::no(e)),
            });
            let Ok(moved) = moved else { return false };
            *expr = moved.data;
        }
        plan = next;
    };
    let Some(ranked) = Ranked::of(filter) else { return false };
    let ranks = &ranked.params.order_by;
    let same = |((expr, sort), rank): ((&Expr, &SortExpr), &SortExpr)| {
        *expr == rank.expr && sort.asc == rank.asc && sort.nulls_first == rank.nulls_first
    };
    let direct = ranked.between.iter().all(|plan| matches!(plan, LogicalPlan::Projection(_)));
    ranked.params.partition_by.is_empty()
        && direct
        && ranks.len() == sort.expr.len()
        && order.iter().zip(&sort.expr).zip(ranks).all(same)
}

/// The ranks of a window node, if it has nothing else, all over the same partitions in the same order.
fn ranks(window: &Window) -> Option<(Vec<RankFunction>, &WindowFunctionParams)> {
    let mut functions = vec![];
    let mut params: Option<&WindowFunctionParams> = None;
    for expr in &window.window_expr {
        let mut expr = expr;
        while let Expr::Alias(alias) = expr {
            expr = &alias.expr;
        }
        let Expr::WindowFunction(call) = expr else { return None };
        let WindowFunctionDefinition::WindowUDF(function) = &call.fun else { return None };
        functions.push(match function.name().to_ascii_lowercase().as_str() {
            "row_number" => RankFunction::RowNumber,
            "rank" => RankFunction::Rank,
            "dense_rank" => RankFunction::DenseRank,
            _ => return None,
        });
        let own = &call.params;
        if own.filter.is_some() || own.distinct || !own.args.is_empty() {
            return None;
        }
        match params {
            Some(p) if p.partition_by != own.partition_by || p.order_by != own.order_by => return None,
            _ => params = Some(own),
        }
    }
    Some((functions, params?))
}

/// The values of a function for which a condition can be true; `exact` where it is true for all of them.
#[derive(Debug, Clone, Copy)]
struct Range {
    function: usize,
    first: u64,
    last: Option<u64>,
    exact: bool,
}

fn range_of(condition: &Expr, schema: &DFSchema, of_function: &[Option<usize>]) -> Option<Range> {
    let function = |e: &Expr| of_function[schema.maybe_index_of_column(number(e)?)?];
    let range = |function, (first, last)| Some(Range { function, first, last, exact: true });
    match condition {
        Expr::BinaryExpr(binary) if binary.op == Operator::Or => {
            let (a, b) = (range_of(&binary.left, schema, of_function)?, range_of(&binary.right, schema, of_function)?);
            let last = a.last.zip(b.last).map(|(a, b)| a.max(b));
            (a.function == b.function).then_some(Range { first: a.first.min(b.first), last, exact: false, ..a })
        }
        Expr::BinaryExpr(binary) => match (function(&binary.left), integer(&binary.right)) {
            (Some(f), Some(n)) => range(f, compared(binary.op, n)?),
            _ => range(function(&binary.right)?, compared(binary.op.swap()?, integer(&binary.left)?)?),
        },
        Expr::Between(between) if !between.negated => {
            let (low, high) = (integer(&between.low)?, integer(&between.high)?);
            range(function(&between.expr)?, (whole(low), Some(whole(high))))
        }
        Expr::InList(list) if !list.negated => {
            let numbers: Option<Vec<i128>> = list.list.iter().map(integer).collect();
            let numbers = numbers?;
            let (first, last) = (whole(*numbers.iter().min()?), whole(*numbers.iter().max()?));
            let function = function(&list.expr)?;
            Some(Range { function, first, last: Some(last), exact: false })
        }
        _ => None,
    }
}

/// The numbers from 1 on that compare so with `n`: the first and the last of them.
fn compared(op: Operator, n: i128) -> Option<(u64, Option<u64>)> {
    Some(match op {
        Operator::LtEq => (1, Some(whole(n))),
        Operator::Lt => (1, Some(whole(n - 1))),
        Operator::Eq => (whole(n), Some(whole(n))),
        Operator::GtEq => (whole(n), None),
        Operator::Gt => (whole(n + 1), None),
        _ => return None,
    })
}

fn whole(n: i128) -> u64 {
    n.clamp(0, i128::from(u64::MAX)) as u64
}

/// The column that an expression is, but for a cast to another integer type.
fn number(e: &Expr) -> Option<&Column> {
    match e {
        Expr::Cast(cast) if cast.field.data_type().is_integer() => number(&cast.expr),
        other => bare_column(other),
    }
}

fn integer(e: &Expr) -> Option<i128> {
    let Expr::Literal(value, _) = e else { return None };
    Some(match value {
        ScalarValue::Int8(Some(n)) => i128::from(*n),
        ScalarValue::Int16(Some(n)) => i128::from(*n),
        ScalarValue::Int32(Some(n)) => i128::from(*n),
        ScalarValue::Int64(Some(n)) => i128::from(*n),
        ScalarValue::UInt8(Some(n)) => i128::from(*n),
        ScalarValue::UInt16(Some(n)) => i128::from(*n),
        ScalarValue::UInt32(Some(n)) => i128::from(*n),
        ScalarValue::UInt64(Some(n)) => i128::from(*n),
        _ => return None,
    })
}

fn columns_of(e: &Expr, schema: &DFSchema) -> impl Iterator<Item = usize> {
    let columns: Vec<usize> = e.column_refs().into_iter().filter_map(|c| schema.maybe_index_of_column(c)).collect();
    columns.into_iter()
}
