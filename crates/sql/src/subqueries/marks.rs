//! What subqueries say of the rows of a plan, as columns of it.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{JoinType, Result as PlanResult, ScalarValue};
use datafusion::logical_expr::expr::{Exists, InSubquery, SetComparison, SetQuantifier};
use datafusion::logical_expr::logical_plan::Subquery;
use datafusion::logical_expr::{
    Case, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, binary_expr, lit,
};

use super::pushed::{Outer, key_name};
use crate::single_row;

/// A plan to which a column is joined for each subquery that is asked about its rows.
pub(super) struct Marks<'a> {
    /// The rows.
    outer: Outer<'a>,
    /// They, with what has been joined so far.
    plan: LogicalPlan,
}

/// The rows of a subquery under a name of their own.
struct Named {
    plan: LogicalPlan,
    /// Its first column.
    value: Expr,
    /// That its outer values are those of the row.
    of_the_row: Vec<Expr>,
}

impl<'a> Marks<'a> {
    /// Over the rows of `plan`. `made` numbers what is named.
    pub(super) fn over(plan: LogicalPlan, made: &'a mut usize) -> Self {
        Self { outer: Outer::new(plan.clone(), made), plan }
    }

    pub(super) fn into_plan(self) -> LogicalPlan {
        self.plan
    }

    /// Keeps the rows that have a partner in the subquery (or, with an anti join, those that have none): any row of it, or
    /// one whose value is that of `wanted`.
    pub(super) fn partner(&mut self, subquery: &Subquery, wanted: Option<Expr>, kind: JoinType) -> PlanResult<()> {
        let named = self.named(subquery, false)?;
        let further = wanted.map(|w| w.eq(named.value.clone()));
        self.join(named, further.into_iter().collect(), kind)
    }

    /// `expr` with columns in the place of subqueries, under the name that it had.
    pub(super) fn named_value(&mut self, expr: Expr) -> PlanResult<Expr> {
        let (qualifier, name) = expr.qualified_name();
        let value = self.value(expr)?;
        Ok(match value.qualified_name() == (qualifier.clone(), name.clone()) {
            true => value,
            false => value.alias_qualified(qualifier, name),
        })
    }

    /// `expr` with columns in the place of subqueries.
    pub(super) fn value(&mut self, expr: Expr) -> PlanResult<Expr> {
        let value = expr.transform_down(|e| {
            let value = match e {
                Expr::ScalarSubquery(subquery) => self.scalar(&subquery)?,
                Expr::Exists(Exists { subquery, negated }) => {
                    let mark = self.mark(&subquery, |_| vec![])?;
                    if negated { !mark } else { mark }
                }
                Expr::InSubquery(InSubquery { expr, subquery, negated }) => {
                    let found = self.any(*expr, Operator::Eq, &subquery)?;
                    if negated { !found } else { found }
                }
                Expr::SetComparison(SetComparison { expr, subquery, op, quantifier }) => match quantifier {
                    SetQuantifier::Any => self.any(*expr, op, &subquery)?,
                    // All are so if none is not.
                    SetQuantifier::All => match op.negate() {
                        Some(not) => !self.any(*expr, not, &subquery)?,
                        None => {
                            return Ok(Transformed::no(Expr::SetComparison(SetComparison {
                                expr,
                                subquery,
                                op,
                                quantifier,
                            })));
                        }
                    },
                },
                other => return Ok(Transformed::no(other)),
            };
            Ok(Transformed::new(value, true, TreeNodeRecursion::Jump))
        })?;
        Ok(value.data)
    }

    /// The value of the subquery's only row.
    fn scalar(&mut self, subquery: &Subquery) -> PlanResult<Expr> {
        // A plan that has one row has one for each of the outer values.
        let single = matches!(subquery.subquery.max_rows(), Some(0 | 1));
        let named = self.named(subquery, !single)?;
        let value = named.value.clone();
        self.join(named, vec![], JoinType::Left)?;
        Ok(value)
    }

    /// Whether there is a row in the subquery for which `further` (of its value) holds. Never NULL.
    fn mark(&mut self, subquery: &Subquery, further: impl FnOnce(Expr) -> Vec<Expr>) -> PlanResult<Expr> {
        let named = self.named(subquery, false)?;
        let further = further(named.value.clone());
        self.join(named, further, JoinType::LeftMark)?;
        let mark = self.plan.schema().columns().pop();
        Ok(Expr::Column(mark.expect("the join has just added a column")))
    }

    /// `wanted op ANY (subquery)`: true if it is so of a value; NULL if it may be, of a NULL; false otherwise.
    fn any(&mut self, wanted: Expr, op: Operator, subquery: &Subquery) -> PlanResult<Expr> {
        let wanted = self.value(wanted)?;
        let value_nullable = subquery.subquery.schema().field(0).is_nullable();
        let wanted_nullable = wanted.nullable(self.plan.schema())?;
        let so = self.mark(subquery, |value| vec![binary_expr(wanted.clone(), op, value)])?;
        let mut unknown = vec![];
        if value_nullable {
            let nulls = nulls_of(subquery)?;
            unknown.push(self.mark(&nulls, |_| vec![])?);
        }
        if wanted_nullable {
            unknown.push(wanted.is_null().and(self.mark(subquery, |_| vec![])?));
        }
        let Some(unknown) = unknown.into_iter().reduce(Expr::or) else { return Ok(so) };
        let null = Expr::Literal(ScalarValue::Boolean(None), None);
        let when = |condition: Expr, then: Expr| (Box::new(condition), Box::new(then));
        let cases = vec![when(so, lit(true)), when(unknown, null)];
        Ok(Expr::Case(Case::new(None, cases, Some(Box::new(lit(false))))))
    }

    fn join(&mut self, named: Named, further: Vec<Expr>, kind: JoinType) -> PlanResult<()> {
        let mut conditions = named.of_the_row;
        conditions.extend(further);
        if conditions.is_empty() {
            conditions.push(lit(true));
        }
        self.plan = LogicalPlanBuilder::from(self.plan.clone()).join_on(named.plan, kind, conditions)?.build()?;
        Ok(())
    }

    /// The rows of the subquery for all outer rows; with `one`, one for each of the outer values, or an error where
    /// there are more.
    fn named(&mut self, subquery: &Subquery, one: bool) -> PlanResult<Named> {
        let pushed = self.outer.pushed(&subquery.subquery)?;
        let rows = pushed.plan.clone();
        let rows = if one { single_row::only_value_by(rows, &pushed.keys)? } else { rows };
        let name = self.outer.new_name("subquery");
        let value = rows.schema().columns().into_iter().take(1).map(|c| Expr::Column(c).alias(format!("{name}_value")));
        let keys = pushed.keys.iter().enumerate();
        let keys = keys.map(|(i, key)| Expr::Column(key.clone()).alias(key_name(&name, i)));
        let columns = value.chain(keys).collect::<Vec<_>>();
        let plan = LogicalPlanBuilder::from(rows).project(columns)?.alias(name.as_str())?.build()?;
        let mut columns = plan.schema().columns().into_iter();
        let value = Expr::Column(columns.next().expect("a subquery has a column"));
        Ok(Named { value, of_the_row: pushed.of_the_row(columns), plan })
    }
}

/// The rows of a subquery whose value is NULL.
fn nulls_of(subquery: &Subquery) -> PlanResult<Subquery> {
    let plan = subquery.subquery.as_ref().clone();
    let value = Expr::Column(plan.schema().columns().remove(0));
    let nulls = LogicalPlanBuilder::from(plan).filter(value.is_null())?.build()?;
    Ok(Subquery { subquery: nulls.into(), ..subquery.clone() })
}
