//! From a planned join with a [`Mark`](super::mark::Mark) on its right side to an [`AsOfNode`].

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, JoinType, Result, ScalarValue, TableReference};
use datafusion::logical_expr::logical_plan::{Join, Projection};
use datafusion::logical_expr::type_coercion::binary::comparison_coercion;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Extension, LogicalPlan, Operator, cast, not};
use sqlparser::ast::{self, Spanned};
use tidemill_core::Error;
use tidemill_plan::op::AsOfMatch;

use super::comma::into_joins;
use super::lookup::LookupNode;
use super::mark::{Ask, Mark, unmarked};
use super::node::{AsOfNode, Terms};
use super::syntax;
use super::versions::versions;
use crate::error::carried;
use crate::parser::source::place;
use crate::parser::types::type_name;

/// Looks up the names of an expression.
type Resolve<'a> = &'a dyn Fn(ast::Expr, &DFSchema) -> Result<Expr>;

/// `plan` with joins by time in the place of joins with a mark.
pub(crate) fn bind(plan: LogicalPlan, resolve: Resolve) -> Result<LogicalPlan> {
    let bound = into_joins(plan)?.transform_up_with_subqueries(|plan| {
        let LogicalPlan::Join(join) = &plan else { return Ok(Transformed::no(plan)) };
        match unmarked(&join.right)? {
            Some((right, ask)) => Ok(Transformed::yes(bind_join(join, right, &ask, resolve)?)),
            None => Ok(Transformed::no(plan)),
        }
    })?;
    bound.data.apply_with_subqueries(|plan| {
        if let LogicalPlan::Extension(Extension { node }) = plan
            && let Some(mark) = node.as_any().downcast_ref::<Mark>()
        {
            let message = "FOR SYSTEM_TIME AS OF is for a table that is joined to the one whose time is asked for";
            return Err(wrong(
                message,
                "Write o [LEFT] JOIN t FOR SYSTEM_TIME AS OF o.ts AS t ON o.key = t.key.",
                &mark.ask,
            ));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(bound.data)
}

fn bind_join(join: &Join, right: LogicalPlan, ask: &Ask, resolve: Resolve) -> Result<LogicalPlan> {
    let outer = match join.join_type {
        JoinType::Inner => false,
        JoinType::Left => true,
        _ => return Err(wrong("a join FOR SYSTEM_TIME AS OF is a JOIN or a LEFT JOIN", "", ask)),
    };
    let left = join.left.as_ref().clone();
    let (mut keys, rest) = condition(join, left.schema(), right.schema());
    let residual = conjunction(rest);
    let (times, residual, versions) = match ask {
        Ask::Match(expr) => {
            if let Some(rest) = residual {
                let message = format!("ON of an ASOF JOIN takes equalities of both sides, and '{rest}' is none");
                return Err(wrong(message, "Filter a side in a subquery, or the result in WHERE.", ask));
            }
            if syntax::is_last_of_using(expr) {
                let Some(times) = keys.pop() else {
                    return Err(wrong("USING of an ASOF JOIN ends with a time that both sides have", "", ask));
                };
                return finish(left, right, 0, keys, times, None, AsOfMatch::AtOrBefore, outer, false, ask);
            }
            let both = left.schema().join(right.schema())?;
            let (l, matching, r) = match_condition(&resolve(expr.clone(), &both)?, &left, &right).ok_or_else(|| {
                let message = "MATCH_CONDITION compares a time of the left side with one of the right";
                wrong(message, "Write MATCH_CONDITION (l.ts >= r.ts), with >=, >, <= or <.", ask)
            })?;
            return finish(left, right, 0, keys, (l, r), None, matching, outer, false, ask);
        }
        Ask::SystemTime(expr) => {
            let at = resolve(expr.clone(), left.schema())?;
            if at.column_refs().is_empty() && !is_processing_time(&left, &at) {
                return Err(wrong(
                    "FOR SYSTEM_TIME AS OF asks for a time column of the table that is joined to",
                    "Write FOR SYSTEM_TIME AS OF o.ts, o being the left side of the join.",
                    ask,
                ));
            }
            if is_processing_time(&left, &at) {
                return lookup(left, right, keys, residual, outer, ask);
            }
            let versions = versions(&right)?.map_err(|why| {
                let hint = "Declare PRIMARY KEY (..) NOT ENFORCED and a WATERMARK for the table; or join a view that keeps the last row of each key by ROW_NUMBER() OVER (PARTITION BY key ORDER BY time DESC) = 1.";
                let name = right.schema().iter().next().and_then(|(q, _)| q).map_or("", |q| q.table());
                wrong(format!("'{name}' has no versions to join FOR SYSTEM_TIME AS OF: {why}"), hint, ask)
            })?;
            let hidden = &versions.hidden;
            let column = |i: usize| Column::from(versions.plan.schema().qualified_field(hidden.len() + i));
            for key in &versions.key {
                let key = column(*key);
                let joined = |(_, r): &(Expr, Expr)| matches!(r, Expr::Column(c) if *c == key);
                if !keys.iter().any(joined) {
                    let message = format!(
                        "ON of a join FOR SYSTEM_TIME AS OF has to equate the key of the table, and '{}' is missing",
                        key.name
                    );
                    return Err(wrong(message, format!("Add o.key = {key} to ON."), ask));
                }
            }
            let time = Expr::Column(column(versions.time));
            // The partner of a time after a deletion is what was deleted, and no partner.
            let there = hidden.last().map(|gone| not(Expr::Column(gone.clone())));
            keys.dedup();
            // What is equated beside the key is asked of the version that was valid, and finds no other one.
            let is_key = |(_, r): &(Expr, Expr)| versions.key.iter().any(|k| *r == Expr::Column(column(*k)));
            let (own, others): (Vec<_>, Vec<_>) = keys.drain(..).partition(is_key);
            keys = own;
            let residual = conjunction(others.into_iter().map(|(l, r)| l.eq(r)).chain(residual));
            let residual = conjunction(there.into_iter().chain(residual));
            ((at, time), residual, versions)
        }
    };
    let (right, hidden) = (versions.plan, versions.hidden.len());
    finish(left, right, hidden, keys, times, residual, AsOfMatch::AtOrBefore, outer, true, ask)
}

/// The join over columns: what is compared and is none becomes one below, and goes again above. So do the first columns
/// of the right side, as many as are `hidden`.
#[allow(clippy::too_many_arguments, reason = "they are the parts of one join, put together here alone")]
fn finish(
    left: LogicalPlan,
    right: LogicalPlan,
    hidden: usize,
    keys: Vec<(Expr, Expr)>,
    times: (Expr, Expr),
    residual: Option<Expr>,
    matching: AsOfMatch,
    outer: bool,
    temporal: bool,
    ask: &Ask,
) -> Result<LogicalPlan> {
    let rights = right.schema().columns().into_iter().skip(hidden);
    let wanted: Vec<Expr> = left.schema().columns().into_iter().chain(rights).map(Expr::Column).collect();
    let (mut left, mut right) = (Side::new(left, "left"), Side::new(right, "right"));
    let keys = comparable(&mut left, &mut right, keys, ask)?;
    let mut times = comparable(&mut left, &mut right, vec![times], ask)?;
    let Some(times) = times.pop() else { return Err(wrong("a join by time without a time", "", ask)) };
    let computed = hidden > 0 || !left.computed.is_empty() || !right.computed.is_empty();
    let terms = Terms { keys, times, matching, outer, residual, temporal };
    let node = AsOfNode::try_new(left.build()?, right.build()?, terms)?;
    let join = LogicalPlan::Extension(Extension { node: Arc::new(node) });
    match computed {
        true => Ok(LogicalPlan::Projection(Projection::try_new(wanted, Arc::new(join))?)),
        false => Ok(join),
    }
}

/// A join with what the right side holds when a row is processed.
fn lookup(
    left: LogicalPlan,
    right: LogicalPlan,
    mut keys: Vec<(Expr, Expr)>,
    residual: Option<Expr>,
    outer: bool,
    ask: &Ask,
) -> Result<LogicalPlan> {
    let parts = residual.into_iter().flat_map(split_conjunction_owned);
    let (same, rest): (Vec<_>, Vec<_>) = parts.partition(|part| with_constant(part, right.schema()).is_some());
    let residual = conjunction(rest);
    keys.extend(same.iter().filter_map(|part| with_constant(part, right.schema())));
    if keys.is_empty() {
        let message = "ON of a lookup join has to equate a column of the table";
        return Err(wrong(message, "Write ON o.key = t.key, or ON t.key = 'a constant'.", ask));
    }
    let wanted: Vec<Expr> =
        left.schema().columns().into_iter().chain(right.schema().columns()).map(Expr::Column).collect();
    let (mut left, mut right) = (Side::new(left, "left"), Side::new(right, "right"));
    let keys = comparable(&mut left, &mut right, keys, ask)?;
    let computed = !left.computed.is_empty() || !right.computed.is_empty();
    let node = LookupNode::try_new(left.build()?, right.build()?, keys, outer, residual)?;
    let join = LogicalPlan::Extension(Extension { node: Arc::new(node) });
    match computed {
        true => Ok(LogicalPlan::Projection(Projection::try_new(wanted, Arc::new(join))?)),
        false => Ok(join),
    }
}

/// A constant, and what of the table is equated with it: each row asks for the same.
fn with_constant(part: &Expr, right: &DFSchema) -> Option<(Expr, Expr)> {
    let Expr::BinaryExpr(BinaryExpr { left: a, op: Operator::Eq, right: b }) = part else { return None };
    match (a.as_ref(), b.as_ref()) {
        (constant @ Expr::Literal(..), asked) | (asked, constant @ Expr::Literal(..)) if of(asked, right) => {
            Some((constant.clone(), asked.clone()))
        }
        _ => None,
    }
}

/// Pairs of expressions as pairs of columns of one type.
fn comparable(left: &mut Side, right: &mut Side, pairs: Vec<(Expr, Expr)>, ask: &Ask) -> Result<Vec<(Column, Column)>> {
    let mut columns = vec![];
    for (l, r) in pairs {
        let (l_type, r_type) = (l.get_type(left.plan.schema())?, r.get_type(right.plan.schema())?);
        let Some(common) = comparison_coercion(&l_type, &r_type) else {
            let message = format!("{} and {} cannot be compared", type_name(&l_type), type_name(&r_type));
            return Err(wrong(message, "", ask));
        };
        let into = |e: Expr, from| if from == common { e } else { cast(e, common.clone()) };
        columns.push((left.column(into(l, l_type)), right.column(into(r, r_type))));
    }
    Ok(columns)
}

/// A side, and the columns that are computed for the join.
struct Side {
    plan: LogicalPlan,
    name: &'static str,
    computed: Vec<Expr>,
}

impl Side {
    fn new(plan: LogicalPlan, name: &'static str) -> Self {
        Self { plan, name, computed: vec![] }
    }

    fn column(&mut self, expr: Expr) -> Column {
        match expr {
            Expr::Column(column) => column,
            other => {
                let name = format!("__as_of_{}_{}", self.name, self.computed.len());
                self.computed.push(other.alias(name.clone()));
                Column::new(None::<TableReference>, name)
            }
        }
    }

    fn build(self) -> Result<LogicalPlan> {
        if self.computed.is_empty() {
            return Ok(self.plan);
        }
        let own = self.plan.schema().columns().into_iter().map(Expr::Column);
        let columns = own.chain(self.computed).collect();
        Ok(LogicalPlan::Projection(Projection::try_new(columns, Arc::new(self.plan))?))
    }
}

/// Whether `expr` over the rows of `plan` is the clock's reading: `PROCTIME()`, or a column that is.
pub(crate) fn is_processing_time(plan: &LogicalPlan, expr: &Expr) -> bool {
    let column = match expr {
        Expr::Alias(alias) => return is_processing_time(plan, &alias.expr),
        Expr::Cast(cast) => return is_processing_time(plan, &cast.expr),
        Expr::ScalarFunction(call) => return call.name() == "proctime",
        Expr::Column(column) => column,
        _ => return false,
    };
    let Some(at) = plan.schema().maybe_index_of_column(column) else { return false };
    let of = |input: &LogicalPlan, at: usize| {
        let (qualifier, field) = input.schema().qualified_field(at);
        is_processing_time(input, &Expr::Column(Column::from((qualifier, field))))
    };
    match plan {
        LogicalPlan::Projection(projection) => is_processing_time(&projection.input, &projection.expr[at]),
        LogicalPlan::SubqueryAlias(alias) => of(&alias.input, at),
        LogicalPlan::Filter(filter) => of(&filter.input, at),
        LogicalPlan::Union(union) => union.inputs.iter().all(|input| of(input, at)),
        LogicalPlan::Join(_) | LogicalPlan::Extension(_) | LogicalPlan::Window(_) => {
            let mut before = 0;
            for input in plan.inputs() {
                let columns = input.schema().fields().len();
                if at < before + columns {
                    return of(input, at - before);
                }
                before += columns;
            }
            false
        }
        _ => false,
    }
}

/// The equalities of `ON` or `USING`, left and right, and whatever else it says.
fn condition(join: &Join, left: &DFSchema, right: &DFSchema) -> (Vec<(Expr, Expr)>, Vec<Expr>) {
    let (mut keys, mut rest) = (join.on.clone(), vec![]);
    for part in join.filter.clone().into_iter().flat_map(split_conjunction_owned) {
        match &part {
            Expr::BinaryExpr(BinaryExpr { left: a, op: Operator::Eq, right: b }) => match (of(a, left), of(b, right)) {
                (true, true) => keys.push((a.as_ref().clone(), b.as_ref().clone())),
                _ if of(a, right) && of(b, left) => keys.push((b.as_ref().clone(), a.as_ref().clone())),
                _ => rest.push(part),
            },
            Expr::Literal(ScalarValue::Boolean(Some(true)), _) => {}
            _ => rest.push(part),
        }
    }
    (keys, rest)
}

/// Whether an expression reads columns of `schema`, and no others.
fn of(expr: &Expr, schema: &DFSchema) -> bool {
    let columns = expr.column_refs();
    !columns.is_empty() && columns.iter().all(|c| schema.has_column(c))
}

fn match_condition(expr: &Expr, left: &LogicalPlan, right: &LogicalPlan) -> Option<(Expr, AsOfMatch, Expr)> {
    let Expr::BinaryExpr(BinaryExpr { left: a, op, right: b }) = expr else { return None };
    let (a, op, b) = match of(a, left.schema()) && of(b, right.schema()) {
        true => (a, *op, b),
        false if of(b, left.schema()) && of(a, right.schema()) => (b, op.swap()?, a),
        false => return None,
    };
    let matching = match op {
        Operator::GtEq => AsOfMatch::AtOrBefore,
        Operator::Gt => AsOfMatch::Before,
        Operator::LtEq => AsOfMatch::AtOrAfter,
        Operator::Lt => AsOfMatch::After,
        _ => return None,
    };
    Some((a.as_ref().clone(), matching, b.as_ref().clone()))
}

fn wrong(message: impl Into<String>, hint: impl Into<String>, ask: &Ask) -> datafusion::common::DataFusionError {
    let (message, hint): (String, String) = (message.into(), hint.into());
    let error = Error::statement(message).at(place(ask.expr().span()));
    carried(if hint.is_empty() { error } else { error.with_hint(hint) })
}
