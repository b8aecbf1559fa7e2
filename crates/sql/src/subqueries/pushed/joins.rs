//! Joins and unions: which of their inputs has the outer values.

use datafusion::common::{Column, JoinType, Result as PlanResult};
use datafusion::logical_expr::builder::LogicalPlanBuilder;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, Join, LogicalPlan, Union, Values, when};

use super::{Keyed, Push, columns_of, key_name, refused, same};
use crate::subqueries::named_as;

impl Push<'_, '_> {
    pub(super) fn union(&mut self, union: &Union) -> PlanResult<Keyed> {
        let name = self.outer.new_name("outer");
        let key = |i: usize| Column::new(Some(name.as_str()), key_name(&name, i));
        let (mut inputs, mut nulls) = (vec![], false);
        for input in &union.inputs {
            let below = self.down(input)?;
            nulls |= below.nulls;
            let plan = LogicalPlanBuilder::from(below.plan);
            let own = columns_of(&input.schema().columns()).collect::<Vec<_>>();
            let keys = below.keys.iter().enumerate();
            // Keys of one name in all inputs.
            let keys = keys.map(|(i, c)| Expr::Column(c.clone()).alias(key_name(&name, i)));
            inputs.push(plan.project(own.into_iter().chain(keys))?.build()?);
        }
        let mut inputs = inputs.into_iter();
        let first = inputs.next().ok_or_else(|| refused(&LogicalPlan::Union(union.clone())))?;
        let all = inputs.try_fold(LogicalPlanBuilder::from(first), LogicalPlanBuilder::union)?.build()?;
        let own = union.schema.iter().map(|(q, f)| (q.cloned(), f.name().clone()));
        let keys = (0..self.columns.len()).map(key);
        let names = own.chain(keys.clone().map(|c| (c.relation, c.name)));
        let columns = all.schema().columns().into_iter().zip(names);
        let named = columns.map(|(c, (q, n))| Expr::Column(c).alias_qualified(q, n)).collect::<Vec<_>>();
        Ok(Keyed { plan: LogicalPlanBuilder::from(all).project(named)?.build()?, keys: keys.collect(), nulls })
    }

    pub(super) fn join(&mut self, join: &Join) -> PlanResult<Keyed> {
        use JoinType::{Full, Inner, Left, LeftAnti, LeftMark, LeftSemi, Right, RightAnti, RightMark, RightSemi};
        let (left_refers, right_refers) = (self.refers(&join.left)?, self.refers(&join.right)?);
        let (left, right) = match join.join_type {
            Inner if left_refers || right_refers => (left_refers, right_refers),
            // The side whose rows stay must have the values; the other may have to be told apart by them.
            Inner | Left | LeftSemi | LeftAnti | LeftMark => (true, right_refers),
            Right | RightSemi | RightAnti | RightMark => (left_refers, true),
            Full => (true, true),
        };
        let as_it_is = |plan: &LogicalPlan| Keyed { plan: plan.clone(), keys: vec![], nulls: false };
        let left = if left { self.down(&join.left)? } else { as_it_is(&join.left) };
        let right = if right { self.down(&join.right)? } else { as_it_is(&join.right) };
        let right = if join.join_type == LeftMark { under_one_name(right, &join.right)? } else { right };
        let from_left = matches!(join.join_type, Inner | Left | LeftSemi | LeftAnti | LeftMark | Full);
        let (keys, nulls) = match from_left && !left.keys.is_empty() {
            true => (left.keys.clone(), left.nulls),
            false => (right.keys.clone(), right.nulls),
        };
        let mut conditions = vec![];
        for (a, b) in left.keys.iter().zip(&right.keys) {
            conditions.push(same(Expr::Column(a.clone()), Expr::Column(b.clone()), left.nulls && right.nulls));
        }
        if let Some(filter) = &join.filter {
            conditions.push(self.own_unnamed(filter.clone(), &keys)?);
        }
        let mut on = vec![];
        for (a, b) in &join.on {
            on.push((self.own_unnamed(a.clone(), &keys)?, self.own_unnamed(b.clone(), &keys)?));
        }
        let full = (join.join_type == Full).then_some((left.keys, right.keys));
        let plan = LogicalPlan::Join(Join::try_new(
            left.plan.into(),
            right.plan.into(),
            on,
            conjunction(conditions),
            join.join_type,
            join.join_constraint,
            join.null_equality,
            join.null_aware,
        )?);
        let Some((left, right)) = full else { return Ok(Keyed { plan, keys, nulls }) };
        // Of a full join either side may be the one that has the values.
        let name = self.outer.new_name("outer");
        let mut all = columns_of(&join.schema.columns()).collect::<Vec<_>>();
        for (i, (a, b)) in left.into_iter().zip(right).enumerate() {
            let either = when(Expr::Column(a.clone()).is_null(), Expr::Column(b)).otherwise(Expr::Column(a))?;
            all.push(either.alias_qualified(Some(name.as_str()), key_name(&name, i)));
        }
        let plan = LogicalPlanBuilder::from(plan).project(all)?.build()?;
        let keys = plan.schema().columns().into_iter().skip(join.schema.fields().len()).collect();
        Ok(Keyed { plan, keys, nulls: true })
    }
}

/// The keys under the name that all columns of `of` have: the mark of a join is called by it.
fn under_one_name(keyed: Keyed, of: &LogicalPlan) -> PlanResult<Keyed> {
    let (Some(Some(name)), false) = (of.schema().iter().map(|(q, _)| q.cloned()).next(), keyed.keys.is_empty()) else {
        return Ok(keyed);
    };
    let own = columns_of(&of.schema().columns()).collect::<Vec<_>>();
    let keys = keyed.keys.iter().map(|k| Expr::Column(k.clone()).alias_qualified(Some(name.clone()), &k.name));
    let plan =
        LogicalPlanBuilder::from(keyed.plan).project(own.into_iter().chain(keys).collect::<Vec<_>>())?.build()?;
    let keys = keyed.keys.into_iter().map(|k| Column::new(Some(name.clone()), k.name)).collect();
    Ok(Keyed { plan, keys, nulls: keyed.nulls })
}

/// `VALUES` as a union of its rows.
pub(super) fn by_row(values: &Values) -> PlanResult<LogicalPlan> {
    let row = |row: &Vec<Expr>| {
        let named = row.iter().zip(values.schema.fields()).map(|(e, f)| e.clone().alias(f.name()));
        LogicalPlanBuilder::empty(true).project(named)?.build()
    };
    let mut rows = values.values.iter().map(row);
    let first = rows.next().ok_or_else(|| refused(&LogicalPlan::Values(values.clone())))??;
    let all = rows.try_fold(LogicalPlanBuilder::from(first), |all, row| all.union(row?))?.build()?;
    named_as(all, &values.schema)
}
