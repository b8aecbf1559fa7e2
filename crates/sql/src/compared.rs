//! Texts that are compared with numbers, booleans and times: `code IN (2, 10)`, `'1.0' = 1`, `CASE code WHEN 2 THEN ..`.
//!
//! The text is read as what it is compared with; one that cannot be read is not comparable, NULL, and stops no query: one row of data
//! must not hold up all others. Where DataFusion makes the types fit it casts the text, which stops the query. So this is done to the plan as
//! it was written, when what the query casts itself can still be told apart: an explicit `CAST` of such a text is an error.
//!
//! With an exact number the text is read as a `DECIMAL` with digits after the point, so that `'1.0'` is 1 and `'1.5'` is neither 1 nor 2. A text
//! that stands in the query and is compared with a time is left to DataFusion, which says where it is wrong.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result as PlanResult, ScalarValue};
use datafusion::logical_expr::expr::{Between, InList, InSubquery, SetComparison};
use datafusion::logical_expr::logical_plan::{Join, Subquery};
use datafusion::logical_expr::{
    BinaryExpr, Case, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, Union, binary_expr, cast, lit,
    try_cast, when,
};

use crate::casts::each_expression;
use crate::functions::json::member::is_member;
use crate::{lengths, mixed_numbers};

/// Digits after the point with which a text is read, where the number that it is compared with has fewer. All integers fit beside them.
const SCALE: i8 = 18;
/// The digits of the widest `DECIMAL`.
const PRECISION: u8 = 38;

/// `plan` with such comparisons written out.
pub(crate) fn written_out(plan: LogicalPlan) -> PlanResult<LogicalPlan> {
    let texts = plan.transform_up_with_subqueries(united)?;
    let plan = match texts.transformed {
        // What is above a union has the type of its first part until now.
        true => texts.data.transform_up_with_subqueries(|p| p.recompute_schema().map(Transformed::yes))?.data,
        false => texts.data,
    };
    let rewritten = plan.transform_up_with_subqueries(|plan| {
        let plan = each_expression(plan, rewritten)?.transform_data(|plan| Ok(keys(plan)))?;
        match plan.transformed {
            true => plan.map_data(LogicalPlan::recompute_schema),
            false => Ok(plan),
        }
    })?;
    Ok(rewritten.data)
}

/// `expr` with such comparisons written out.
pub(crate) fn rewritten(expr: Expr, schema: &DFSchema) -> PlanResult<Transformed<Expr>> {
    expr.transform_up(|e| {
        let fitted = one(e, schema)?.transform_data(|e| Ok(mixed_numbers::settled(e, schema)))?;
        fitted.transform_data(|e| Ok(lengths::compared(e, schema)))
    })
}

/// `text = boolean` with the text read as a boolean.
pub(crate) fn compared_with_boolean(left: &Expr, op: Operator, right: &Expr, schema: &DFSchema) -> Option<Expr> {
    let boolean = |e: &Expr| e.get_type(schema).is_ok_and(|t| t == DataType::Boolean);
    if !boolean(left) && !boolean(right) {
        return None;
    }
    let made = compared(left.clone(), op, right.clone(), schema);
    made.transformed.then_some(made.data)
}

/// A union of texts and other values is one of texts, one of decimals and floating-point numbers is one of these. DataFusion makes them
/// fit later, and until then says the type of the first part.
fn united(plan: LogicalPlan) -> PlanResult<Transformed<LogicalPlan>> {
    let LogicalPlan::Union(union) = plan else { return Ok(Transformed::no(plan)) };
    let target = |column: usize| {
        let types = union.inputs.iter().filter_map(|i| i.schema().fields().get(column)).map(|f| f.data_type());
        let with_text = |t: &DataType| reading(&[&DataType::Utf8, t]).is_some();
        if types.clone().any(DataType::is_string) && types.clone().any(with_text) {
            return Some(DataType::Utf8);
        }
        mixed_numbers::are_mixed(types).then_some(DataType::Float64)
    };
    let targets: Vec<_> = (0..union.schema.fields().len()).map(target).collect();
    if targets.iter().all(Option::is_none) {
        return Ok(Transformed::no(LogicalPlan::Union(union)));
    }
    let part = |input: Arc<LogicalPlan>| {
        let columns = input.schema().iter().zip(&targets).map(|((qualifier, field), target)| {
            let column = Expr::from((qualifier, field));
            match target {
                Some(target)
                    if field.data_type() != target && !(target.is_string() && field.data_type().is_string()) =>
                {
                    cast(column, target.clone()).alias_qualified(qualifier.cloned(), field.name())
                }
                _ => column,
            }
        });
        LogicalPlanBuilder::from(Arc::clone(&input)).project(columns.collect::<Vec<_>>())?.build().map(Arc::new)
    };
    let parts = union.inputs.into_iter().map(part).collect::<PlanResult<Vec<_>>>()?;
    Ok(Transformed::yes(LogicalPlan::Union(Union::try_new_with_loose_types(parts)?)))
}

/// The keys of a join by the names of columns.
fn keys(plan: LogicalPlan) -> Transformed<LogicalPlan> {
    let LogicalPlan::Join(mut join) = plan else { return Transformed::no(plan) };
    let Join { left, right, on, .. } = &mut join;
    let mut changed = false;
    for (l, r) in on {
        let types = (l.get_type(left.schema()), r.get_type(right.schema()));
        let (Ok(of_l), Ok(of_r)) = types else { continue };
        if let Some(target) = reading(&[&of_l, &of_r]) {
            (*l, *r) = (read(l.clone(), &of_l, &target), read(r.clone(), &of_r, &target));
            changed = true;
        }
    }
    Transformed::new_transformed(LogicalPlan::Join(join), changed)
}

fn one(expr: Expr, schema: &DFSchema) -> PlanResult<Transformed<Expr>> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if compares(op) => Ok(compared(*left, op, *right, schema)),
        Expr::Between(between) => Ok(within(between, schema)),
        Expr::InList(list) => Ok(listed(list, schema)),
        Expr::InSubquery(InSubquery { expr, subquery, negated }) => {
            let made = queried(*expr, subquery, schema)?;
            Ok(made.update_data(|(expr, q)| Expr::InSubquery(InSubquery::new(Box::new(expr), q, negated))))
        }
        Expr::SetComparison(SetComparison { expr, subquery, op, quantifier }) => {
            let made = queried(*expr, subquery, schema)?;
            Ok(made.update_data(|(expr, q)| Expr::SetComparison(SetComparison::new(Box::new(expr), q, op, quantifier))))
        }
        Expr::Case(case) => Ok(chosen(case, schema)),
        Expr::ScalarFunction(call) if call.name() == "nullif" && call.args.len() == 2 => {
            let equal = compared(call.args[0].clone(), Operator::Eq, call.args[1].clone(), schema);
            match equal.transformed {
                true => {
                    let value = when(equal.data, lit(ScalarValue::Null)).otherwise(call.args[0].clone())?;
                    Ok(Transformed::yes(value))
                }
                false => Ok(Transformed::no(Expr::ScalarFunction(call))),
            }
        }
        other => Ok(Transformed::no(other)),
    }
}

/// Whether it asks how two values stand to each other.
pub(crate) fn compares(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

fn compared(left: Expr, op: Operator, right: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let Some((read_left, read_right)) = fitted(&left, &right, schema) else {
        return Transformed::no(binary_expr(left, op, right));
    };
    Transformed::yes(match op {
        // A text that is none of the kind is not NULL, so that it is distinct from NULL.
        Operator::IsNotDistinctFrom | Operator::IsDistinctFrom => {
            let equal = binary_expr(read_left, Operator::Eq, read_right);
            let same = left.is_null().and(right.is_null()).or(equal.is_true());
            if op == Operator::IsDistinctFrom { !same } else { same }
        }
        _ => binary_expr(read_left, op, read_right),
    })
}

fn within(between: Between, schema: &DFSchema) -> Transformed<Expr> {
    let Between { expr, negated, low, high } = between;
    let parts = [expr.as_ref(), low.as_ref(), high.as_ref()];
    let made = together(&parts, schema).and_then(|read| <[Expr; 3]>::try_from(read).ok());
    Transformed::new_transformed(
        match made.clone() {
            Some([e, l, h]) => Expr::Between(Between::new(Box::new(e), negated, Box::new(l), Box::new(h))),
            None => Expr::Between(Between::new(expr, negated, low, high)),
        },
        made.is_some(),
    )
}

/// A text in a list of numbers and texts is compared with each as what it is.
fn listed(list: InList, schema: &DFSchema) -> Transformed<Expr> {
    let is_text = |e: &Expr| e.get_type(schema).is_ok_and(|t| t.is_string());
    let InList { expr, list, negated } = list;
    let (texts, others) = match is_text(&expr) {
        true => {
            list.into_iter().partition::<Vec<_>, _>(|e| is_text(e) || e.get_type(schema).is_ok_and(|t| t.is_null()))
        }
        false => (vec![], list),
    };
    let parts: Vec<&Expr> = std::iter::once(expr.as_ref()).chain(&others).collect();
    let Some(mut read) = together(&parts, schema) else {
        let list = others.into_iter().chain(texts).collect();
        return Transformed::no(Expr::InList(InList::new(expr, list, negated)));
    };
    let read_expr = Box::new(read.remove(0));
    let among = Expr::InList(InList::new(read_expr, read, negated));
    Transformed::yes(match texts.is_empty() {
        true => among,
        false => {
            let as_text = Expr::InList(InList::new(expr, texts, negated));
            if negated { as_text.and(among) } else { as_text.or(among) }
        }
    })
}

/// `CASE text WHEN 2 THEN ..` asks `text = 2`.
fn chosen(case: Case, schema: &DFSchema) -> Transformed<Expr> {
    let Some(operand) = &case.expr else { return Transformed::no(Expr::Case(case)) };
    let asked = |when: &Expr| compared(operand.as_ref().clone(), Operator::Eq, when.clone(), schema);
    let questions: Vec<_> = case.when_then_expr.iter().map(|(when, _)| asked(when)).collect();
    if !questions.iter().any(|q| q.transformed) {
        return Transformed::no(Expr::Case(case));
    }
    let results = case.when_then_expr.into_iter().map(|(_, then)| then);
    let when_then_expr = questions.into_iter().map(|q| Box::new(q.data)).zip(results).collect();
    Transformed::yes(Expr::Case(Case::new(None, when_then_expr, case.else_expr)))
}

/// A value and the query that it is compared with the rows of.
fn queried(expr: Expr, subquery: Subquery, schema: &DFSchema) -> PlanResult<Transformed<(Expr, Subquery)>> {
    let field = match subquery.subquery.schema().fields().as_ref() {
        [field] => Arc::clone(field),
        _ => return Ok(Transformed::no((expr, subquery))),
    };
    let Ok(of_expr) = expr.get_type(schema) else { return Ok(Transformed::no((expr, subquery))) };
    let Some(target) = reading(&[&of_expr, field.data_type()]) else {
        return Ok(Transformed::no((expr, subquery)));
    };
    let column = Expr::from(subquery.subquery.schema().qualified_field(0));
    let rows =
        LogicalPlanBuilder::from(Arc::clone(&subquery.subquery))
            .project([read(column, field.data_type(), &target).alias(field.name())])?;
    let plan = Arc::new(rows.build()?);
    Ok(Transformed::yes((read(expr, &of_expr, &target), subquery.with_plan(plan))))
}

/// Both sides of a comparison, if one is a text and the other is none.
fn fitted(left: &Expr, right: &Expr, schema: &DFSchema) -> Option<(Expr, Expr)> {
    let [left, right] = <[Expr; 2]>::try_from(together(&[left, right], schema)?).ok()?;
    Some((left, right))
}

/// What is compared with one another, if some are texts and the others are none.
fn together(parts: &[&Expr], schema: &DFSchema) -> Option<Vec<Expr>> {
    let types = parts.iter().map(|e| e.get_type(schema).ok()).collect::<Option<Vec<_>>>()?;
    let target = reading(&types.iter().collect::<Vec<_>>())?;
    let mut texts = parts.iter().zip(&types).filter(|(_, t)| t.is_string());
    if target.is_temporal() && texts.all(|(e, _)| matches!(e, Expr::Literal(..))) {
        return None;
    }
    // A member of a JSON text is read as the number that it is, which has its own way.
    let members = parts.iter().any(|e| is_member(e));
    let target = match types.iter().find(|t| t.is_numeric()) {
        Some(number) if members => number.clone(),
        _ => target,
    };
    Some(parts.iter().zip(&types).map(|(e, t)| read((*e).clone(), t, &target)).collect())
}

fn read(expr: Expr, from: &DataType, target: &DataType) -> Expr {
    match from {
        _ if from == target || *from == DataType::Null => expr,
        _ if from.is_string() => try_cast(expr, target.clone()),
        _ => cast(expr, target.clone()),
    }
}

/// As what texts are read that are compared with values of the other types; none where all are texts, or none is, or the others
/// have nothing in common.
fn reading(types: &[&DataType]) -> Option<DataType> {
    let mut others = types.iter().filter(|t| !t.is_string() && ***t != DataType::Null).peekable();
    others.peek()?;
    if !types.iter().any(|t| t.is_string()) {
        return None;
    }
    let first = others.next()?;
    others.try_fold(read_as(first)?, |one, other| common(one, read_as(other)?))
}

fn read_as(number: &DataType) -> Option<DataType> {
    match number {
        DataType::Float32 => Some(DataType::Float32),
        t if t.is_floating() => Some(DataType::Float64),
        t if t.is_integer() => Some(DataType::Decimal128(PRECISION, SCALE)),
        DataType::Decimal128(p, s) => {
            let whole = (*p as i8).saturating_sub(*s);
            Some(DataType::Decimal128(PRECISION, (*s).max(SCALE.min(PRECISION as i8 - whole))))
        }
        DataType::Boolean => Some(DataType::Boolean),
        DataType::Decimal256(..) | DataType::Date32 => Some(number.clone()),
        DataType::Timestamp(..) | DataType::Time32(_) | DataType::Time64(_) => Some(number.clone()),
        _ => None,
    }
}

fn common(one: DataType, other: DataType) -> Option<DataType> {
    match (&one, &other) {
        _ if one == other => Some(one),
        (a, b) if a.is_numeric() && b.is_numeric() => match (a, b) {
            (DataType::Decimal128(_, s), DataType::Decimal128(_, t)) => {
                Some(DataType::Decimal128(PRECISION, *s.min(t)))
            }
            (a, b) if a.is_floating() || b.is_floating() => Some(DataType::Float64),
            (wide @ DataType::Decimal256(..), _) | (_, wide @ DataType::Decimal256(..)) => Some(wide.clone()),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_as_what_it_is_compared_with() {
        let text = DataType::Utf8;
        let read = |other: DataType| reading(&[&text, &other]);
        assert_eq!(read(DataType::Int32), Some(DataType::Decimal128(38, 18)));
        assert_eq!(read(DataType::Decimal128(10, 2)), Some(DataType::Decimal128(38, 18)));
        assert_eq!(read(DataType::Decimal128(38, 4)), Some(DataType::Decimal128(38, 4)));
        assert_eq!(read(DataType::Float64), Some(DataType::Float64));
        assert_eq!(read(DataType::Boolean), Some(DataType::Boolean));
        assert_eq!(read(DataType::Utf8), None);
        assert_eq!(read(DataType::Null), None);
    }

    #[test]
    fn several_numbers_are_read_as_what_holds_them_all() {
        let all = reading(&[&DataType::Utf8, &DataType::Int64, &DataType::Float64]);
        assert_eq!(all, Some(DataType::Float64));
        let none = reading(&[&DataType::Utf8, &DataType::Int64, &DataType::Boolean]);
        assert_eq!(none, None);
        assert_eq!(reading(&[&DataType::Int32, &DataType::Int64]), None);
    }
}
