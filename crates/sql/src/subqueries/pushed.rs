//! Subqueries with the outer values as columns of their own.
//!
//! Where a plan refers to columns of an outer row, [`Outer::pushed`] makes of it the plan for all outer rows at once: each of its
//! rows says in further columns, the keys, for which values of the outer columns it is there.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, JoinType, Result as PlanResult, ScalarValue};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::builder::LogicalPlanBuilder;
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::logical_plan::{FetchType, Limit, SkipType};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    Aggregate, BinaryExpr, Distinct, DistinctOn, Expr, ExprFunctionExt, ExprSchemable, Extension, Filter, Join,
    LogicalPlan, Operator, Projection, SortExpr, Subquery, Union, Values, Window, binary_expr, lit, when,
};
use tidemill_core::Error;
use tidemill_plan::window::WindowKind;

use super::named_as;
use crate::error::carried;
use crate::windows::WindowNode;

/// The rows that subqueries refer to.
pub(super) struct Outer<'a> {
    rows: LogicalPlan,
    /// How many relations have been named.
    made: &'a mut usize,
}

/// A subquery for all outer rows at once: its own columns, and after them the keys.
pub(super) struct Pushed {
    pub(super) plan: LogicalPlan,
    pub(super) keys: Vec<Column>,
    /// The outer columns whose values the keys are.
    pub(super) outer: Vec<Column>,
    /// Whether a key can be NULL and then stands for an outer value that is NULL.
    nulls: bool,
}

impl Pushed {
    /// That the keys, which are called `named` by now, are the values of an outer row.
    pub(super) fn of_the_row(&self, named: impl IntoIterator<Item = Column>) -> Vec<Expr> {
        let equal = |(outer, key): (&Column, Column)| same(Expr::Column(outer.clone()), Expr::Column(key), self.nulls);
        self.outer.iter().zip(named).map(equal).collect()
    }
}

fn same(a: Expr, b: Expr, nulls: bool) -> Expr {
    binary_expr(a, if nulls { Operator::IsNotDistinctFrom } else { Operator::Eq }, b)
}

impl<'a> Outer<'a> {
    pub(super) fn new(rows: LogicalPlan, made: &'a mut usize) -> Self {
        Self { rows, made }
    }

    /// A name that nothing else has.
    pub(super) fn new_name(&mut self, what: &str) -> String {
        *self.made += 1;
        format!("__{what}_{}", self.made)
    }

    /// `plan`, which may refer to the rows, for all of them at once.
    pub(super) fn pushed(&mut self, plan: &LogicalPlan) -> PlanResult<Pushed> {
        let mut outer: Vec<Column> = vec![];
        each_reference(plan, &mut |column| {
            if self.rows.schema().has_column(column) && !outer.contains(column) {
                outer.push(column.clone());
            }
        })?;
        if outer.is_empty() {
            return Ok(Pushed { plan: plan.clone(), keys: vec![], outer, nulls: false });
        }
        let Keyed { plan, keys, nulls } = Push { outer: self, columns: &outer }.down(plan)?;
        Ok(Pushed { plan, keys, outer, nulls })
    }
}

/// Shows every reference to an outer query in `plan` to `see`.
fn each_reference(plan: &LogicalPlan, see: &mut dyn FnMut(&Column)) -> PlanResult<()> {
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|e| {
                if let Expr::OuterReferenceColumn(_, column) = e {
                    see(column);
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(())
}

/// A plan with its keys, whose columns come after its own.
struct Keyed {
    plan: LogicalPlan,
    keys: Vec<Column>,
    nulls: bool,
}

/// Pushes the values of `columns` down into a plan.
struct Push<'p, 'a> {
    outer: &'p mut Outer<'a>,
    columns: &'p [Column],
}

impl Push<'_, '_> {
    fn refers(&self, plan: &LogicalPlan) -> PlanResult<bool> {
        let mut refers = false;
        each_reference(plan, &mut |column| refers |= self.columns.contains(column))?;
        Ok(refers)
    }

    /// `plan` for each of the outer values.
    fn down(&mut self, plan: &LogicalPlan) -> PlanResult<Keyed> {
        if !self.refers(plan)? {
            let Keyed { plan: values, keys, nulls } = self.values()?;
            let plan = match plan {
                LogicalPlan::EmptyRelation(empty) if empty.produce_one_row => values,
                _ => LogicalPlanBuilder::from(plan.clone()).cross_join(values)?.build()?,
            };
            return Ok(Keyed { plan, keys, nulls });
        }
        let keyed = match plan {
            LogicalPlan::Filter(filter) => self.filter(filter)?,
            LogicalPlan::Projection(projection) => self.projection(projection)?,
            LogicalPlan::SubqueryAlias(alias) => {
                let Keyed { plan, keys, nulls } = self.down(&alias.input)?;
                let columns = alias.input.schema().columns().into_iter().zip(alias.schema.fields());
                let qualifier = Some(alias.alias.clone());
                let named = columns.map(|(c, f)| Expr::Column(c).alias_qualified(qualifier.clone(), f.name()));
                let all = named.chain(columns_of(&keys)).collect::<Vec<_>>();
                Keyed { plan: LogicalPlanBuilder::from(plan).project(all)?.build()?, keys, nulls }
            }
            LogicalPlan::Subquery(Subquery { subquery, .. }) => self.down(subquery)?,
            LogicalPlan::Aggregate(aggregate) if aggregate.group_expr.is_empty() => self.one_row(aggregate)?,
            LogicalPlan::Aggregate(aggregate) => self.groups(aggregate)?,
            LogicalPlan::Distinct(Distinct::All(input)) => {
                let Keyed { plan, keys, nulls } = self.down(input)?;
                Keyed { plan: LogicalPlanBuilder::from(plan).distinct()?.build()?, keys, nulls }
            }
            LogicalPlan::Distinct(Distinct::On(distinct)) => self.distinct_on(distinct)?,
            // Rows of a subquery have no order, but for those that a LIMIT keeps.
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => self.down(&sort.input)?,
            LogicalPlan::Limit(limit) => self.limit(limit, &limit.input)?,
            LogicalPlan::Window(window) => self.window(window)?,
            LogicalPlan::Union(union) => self.union(union)?,
            LogicalPlan::Join(join) => self.join(join)?,
            LogicalPlan::Unnest(unnest) => {
                let Keyed { plan, keys, nulls } = self.down(&unnest.input)?;
                let (columns, options) = (unnest.exec_columns.clone(), unnest.options.clone());
                let plan = LogicalPlanBuilder::from(plan).unnest_columns_with_options(columns, options)?.build()?;
                Keyed { plan, keys, nulls }
            }
            LogicalPlan::Values(values) => self.down(&by_row(values)?)?,
            LogicalPlan::Extension(extension) => self.extension(extension)?,
            other => return Err(refused(other)),
        };
        keys_last(keyed, plan)
    }

    /// The outer values, each once.
    fn values(&mut self) -> PlanResult<Keyed> {
        let name = self.outer.new_name("outer");
        let columns = self.columns.iter().cloned().enumerate();
        let named = columns.map(|(i, c)| Expr::Column(c).alias(key_name(&name, i))).collect::<Vec<_>>();
        let plan = LogicalPlanBuilder::from(self.outer.rows.clone()).project(named)?.distinct()?;
        let plan = plan.alias(name.as_str())?.build()?;
        let nulls = plan.schema().fields().iter().any(|f| f.is_nullable());
        Ok(Keyed { keys: plan.schema().columns(), plan, nulls })
    }

    /// `expr` with the keys in the place of the outer columns, under the name that it had.
    fn own(&self, expr: Expr, keys: &[Column]) -> PlanResult<Expr> {
        let (qualifier, name) = expr.qualified_name();
        let own = self.own_unnamed(expr, keys)?;
        Ok(match own.qualified_name() == (qualifier.clone(), name.clone()) {
            true => own,
            false => own.alias_qualified(qualifier, name),
        })
    }

    fn own_unnamed(&self, expr: Expr, keys: &[Column]) -> PlanResult<Expr> {
        let own = expr.transform(|e| {
            Ok(match &e {
                Expr::OuterReferenceColumn(_, column) => match self.columns.iter().position(|c| c == column) {
                    Some(i) => Transformed::yes(Expr::Column(keys[i].clone())),
                    None => Transformed::no(e),
                },
                _ => Transformed::no(e),
            })
        })?;
        Ok(own.data)
    }

    fn own_all(&self, exprs: &[Expr], keys: &[Column]) -> PlanResult<Vec<Expr>> {
        exprs.iter().cloned().map(|e| self.own(e, keys)).collect()
    }

    fn filter(&mut self, filter: &Filter) -> PlanResult<Keyed> {
        if !self.refers(&filter.input)?
            && let Some(keyed) = self.by_equality(filter)?
        {
            return Ok(keyed);
        }
        let Keyed { plan, keys, nulls } = self.down(&filter.input)?;
        let predicate = self.own_unnamed(filter.predicate.clone(), &keys)?;
        Ok(Keyed { plan: LogicalPlanBuilder::from(plan).filter(predicate)?.build()?, keys, nulls })
    }

    /// Where conditions say `own = outer` of each outer column, the rows themselves have the outer values that matter to them.
    fn by_equality(&mut self, filter: &Filter) -> PlanResult<Option<Keyed>> {
        let schema = filter.input.schema();
        let conditions = split_conjunction_owned(filter.predicate.clone());
        let mut own: Vec<Option<Expr>> = vec![None; self.columns.len()];
        let mut others = vec![];
        for condition in conditions {
            match self.equality(&condition) {
                Some((i, expr, outer_type))
                    if own[i].is_none() && expr.get_type(schema).is_ok_and(|own_type| own_type == outer_type) =>
                {
                    others.push(expr.clone().is_not_null());
                    own[i] = Some(expr);
                }
                _ => others.push(condition),
            }
        }
        let Some(own) = own.into_iter().collect::<Option<Vec<_>>>() else { return Ok(None) };
        let name = self.outer.new_name("outer");
        let named =
            own.into_iter().enumerate().map(|(i, e)| e.alias_qualified(Some(name.as_str()), key_name(&name, i)));
        let all = columns_of(&schema.columns()).chain(named).collect::<Vec<_>>();
        let plan = LogicalPlanBuilder::from(filter.input.as_ref().clone()).project(all)?.build()?;
        let keys: Vec<Column> = plan.schema().columns().into_iter().skip(schema.fields().len()).collect();
        let others = others.into_iter().map(|e| self.own_unnamed(e, &keys)).collect::<PlanResult<Vec<_>>>()?;
        let plan = LogicalPlanBuilder::from(plan).filter(conjunction(others).unwrap_or(lit(true)))?.build()?;
        Ok(Some(Keyed { plan, keys, nulls: false }))
    }

    /// A condition that an expression of the rows is equal to an outer column: its number, and the expression.
    fn equality(&self, condition: &Expr) -> Option<(usize, Expr, DataType)> {
        let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = condition else { return None };
        let outer = |e: &Expr| match e {
            Expr::OuterReferenceColumn(field, column) => {
                Some((self.columns.iter().position(|c| c == column)?, field.data_type().clone()))
            }
            _ => None,
        };
        let (own, (i, data_type)) = match (outer(left), outer(right)) {
            (Some(outer), None) => (right, outer),
            (None, Some(outer)) => (left, outer),
            _ => return None,
        };
        (!super::holds_subquery(own) && !own.is_volatile()).then(|| (i, own.as_ref().clone(), data_type))
    }

    fn projection(&mut self, projection: &Projection) -> PlanResult<Keyed> {
        let Keyed { plan, keys, nulls } = self.down(&projection.input)?;
        let mut exprs = self.own_all(&projection.expr, &keys)?;
        exprs.extend(columns_of(&keys));
        Ok(Keyed { plan: LogicalPlanBuilder::from(plan).project(exprs)?.build()?, keys, nulls })
    }

    fn groups(&mut self, aggregate: &Aggregate) -> PlanResult<Keyed> {
        if aggregate.group_expr.iter().any(|e| matches!(e, Expr::GroupingSet(_))) {
            return Err(refused(&LogicalPlan::Aggregate(aggregate.clone())));
        }
        let Keyed { plan, keys, nulls } = self.down(&aggregate.input)?;
        let mut groups = self.own_all(&aggregate.group_expr, &keys)?;
        groups.extend(columns_of(&keys));
        let aggregates = self.own_all(&aggregate.aggr_expr, &keys)?;
        let plan = LogicalPlan::Aggregate(Aggregate::try_new(plan.into(), groups, aggregates)?);
        Ok(Keyed { plan, keys, nulls })
    }

    /// An aggregate over all rows: one row for each of the outer values, also for those that have no rows.
    fn one_row(&mut self, aggregate: &Aggregate) -> PlanResult<Keyed> {
        let below = self.groups(aggregate)?;
        let Keyed { plan: values, keys, nulls } = self.values()?;
        let pairs = keys.iter().zip(&below.keys);
        let equal = pairs.map(|(a, b)| same(Expr::Column(a.clone()), Expr::Column(b.clone()), nulls && below.nulls));
        let joined = LogicalPlanBuilder::from(values).join_on(below.plan, JoinType::Left, equal)?.build()?;
        let mut exprs = vec![];
        for (expr, (qualifier, field)) in aggregate.aggr_expr.iter().zip(aggregate.schema.iter()) {
            let value = Expr::Column(Column::new(qualifier.cloned(), field.name()));
            exprs.push(match over_nothing(expr, field.data_type())? {
                default if default.is_null() => value,
                default => when(value.clone().is_null(), Expr::Literal(default, None))
                    .otherwise(value)?
                    .alias_qualified(qualifier.cloned(), field.name()),
            });
        }
        exprs.extend(columns_of(&keys));
        Ok(Keyed { plan: LogicalPlanBuilder::from(joined).project(exprs)?.build()?, keys, nulls })
    }

    fn distinct_on(&mut self, distinct: &DistinctOn) -> PlanResult<Keyed> {
        let Keyed { plan, keys, nulls } = self.down(&distinct.input)?;
        let by = columns_of(&keys).chain(self.own_all(&distinct.on_expr, &keys)?).collect();
        let mut select = self.own_all(&distinct.select_expr, &keys)?;
        select.extend(columns_of(&keys));
        let order = match &distinct.sort_expr {
            None => None,
            Some(order) => {
                let keys_first = columns_of(&keys).map(|e| e.sort(true, true));
                Some(keys_first.chain(self.own_order(order, &keys)?).collect())
            }
        };
        let distinct = DistinctOn::try_new(by, select, order, plan.into())?;
        Ok(Keyed { plan: LogicalPlan::Distinct(Distinct::On(distinct)), keys, nulls })
    }

    fn own_order(&self, order: &[SortExpr], keys: &[Column]) -> PlanResult<Vec<SortExpr>> {
        order.iter().map(|s| Ok(SortExpr { expr: self.own_unnamed(s.expr.clone(), keys)?, ..s.clone() })).collect()
    }

    /// The first rows of `input`: the first for each of the outer values.
    fn limit(&mut self, limit: &Limit, input: &LogicalPlan) -> PlanResult<Keyed> {
        // Columns are the same before and after a LIMIT.
        if let LogicalPlan::Projection(projection) = input
            && self.refers(&projection.input)?
        {
            let below = Limit { input: projection.input.clone(), ..limit.clone() };
            let above = Projection::try_new(projection.expr.clone(), LogicalPlan::Limit(below).into())?;
            return self.projection(&above);
        }
        let (SkipType::Literal(skip), FetchType::Literal(fetch)) = (limit.get_skip_type()?, limit.get_fetch_type()?)
        else {
            return Err(refused(&LogicalPlan::Limit(limit.clone())));
        };
        let (below, order) = match input {
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => (self.down(&sort.input)?, sort.expr.as_slice()),
            other => (self.down(other)?, [].as_slice()),
        };
        let Keyed { plan, keys, nulls } = below;
        let order = self.own_order(order, &keys)?;
        let name = self.outer.new_name("place");
        let columns = plan.schema().columns();
        let number = row_number().partition_by(columns_of(&keys).collect());
        let number = if order.is_empty() { number } else { number.order_by(order) }.build()?;
        let plan = LogicalPlanBuilder::from(plan).window(vec![number.alias(name.as_str())])?;
        let number = || Expr::Column(Column::new_unqualified(name.as_str()));
        let first = u64::try_from(skip).unwrap_or(u64::MAX);
        let mut conditions = vec![];
        if let Some(fetch) = fetch {
            conditions.push(number().lt_eq(lit(first.saturating_add(u64::try_from(fetch).unwrap_or(u64::MAX)))));
        }
        if first > 0 {
            conditions.push(number().gt(lit(first)));
        }
        let plan = plan.filter(conjunction(conditions).unwrap_or(lit(true)))?.project(columns_of(&columns))?.build()?;
        Ok(Keyed { plan, keys, nulls })
    }

    fn window(&mut self, window: &Window) -> PlanResult<Keyed> {
        let Keyed { plan, keys, nulls } = self.down(&window.input)?;
        let mut exprs = self.own_all(&window.window_expr, &keys)?;
        for expr in &mut exprs {
            let partitioned = std::mem::take(expr).transform(|e| {
                Ok(match e {
                    Expr::WindowFunction(function) => {
                        let WindowFunction { fun, mut params } = *function;
                        params.partition_by.extend(columns_of(&keys));
                        let function = Expr::from(WindowFunction { fun, params });
                        Transformed::new(function, true, TreeNodeRecursion::Jump)
                    }
                    other => Transformed::no(other),
                })
            });
            *expr = partitioned?.data;
        }
        let before = plan.schema().fields().len();
        let plan = LogicalPlan::Window(Window::try_new(exprs, plan.into())?);
        let own = plan.schema().columns().into_iter().skip(before);
        let names = window.schema.iter().skip(window.input.schema().fields().len());
        let own = own.zip(names).map(|(c, (q, f))| Expr::Column(c).alias_qualified(q.cloned(), f.name()));
        let below = columns_of(&window.input.schema().columns()).collect::<Vec<_>>();
        let all = below.into_iter().chain(own).chain(columns_of(&keys)).collect::<Vec<_>>();
        Ok(Keyed { plan: LogicalPlanBuilder::from(plan).project(all)?.build()?, keys, nulls })
    }

    fn union(&mut self, union: &Union) -> PlanResult<Keyed> {
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

    fn join(&mut self, join: &Join) -> PlanResult<Keyed> {
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

    /// A window function puts each row into its windows, whatever else the row says.
    fn extension(&mut self, extension: &Extension) -> PlanResult<Keyed> {
        let Some(window) = extension.node.as_any().downcast_ref::<WindowNode>() else {
            return Err(refused(&LogicalPlan::Extension(extension.clone())));
        };
        let Keyed { plan, keys, nulls } = self.down(&window.input)?;
        let mut exprs = extension.node.expressions();
        if matches!(window.kind, WindowKind::Session { .. }) {
            exprs.extend(columns_of(&keys));
        }
        let node = extension.node.with_exprs_and_inputs(exprs, vec![plan])?;
        Ok(Keyed { plan: LogicalPlan::Extension(Extension { node }), keys, nulls })
    }
}

/// The name of a key, which is not the name of any other column.
pub(super) fn key_name(relation: &str, i: usize) -> String {
    format!("{relation}_key_{i}")
}

fn columns_of(columns: &[Column]) -> impl Iterator<Item = Expr> + '_ {
    columns.iter().cloned().map(Expr::Column)
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

/// The columns of `of`, and then the keys.
fn keys_last(keyed: Keyed, of: &LogicalPlan) -> PlanResult<Keyed> {
    let wanted: Vec<Column> = of.schema().columns().into_iter().chain(keyed.keys.iter().cloned()).collect();
    if keyed.plan.schema().columns() == wanted {
        return Ok(keyed);
    }
    let plan = LogicalPlanBuilder::from(keyed.plan).project(columns_of(&wanted))?.build()?;
    Ok(Keyed { plan, ..keyed })
}

/// What an aggregate says of no rows.
fn over_nothing(expr: &Expr, data_type: &DataType) -> PlanResult<ScalarValue> {
    match expr {
        Expr::Alias(alias) => over_nothing(&alias.expr, data_type),
        Expr::AggregateFunction(function) => function.func.default_value(data_type),
        _ => ScalarValue::try_from(data_type),
    }
}

/// `VALUES` as a union of its rows.
fn by_row(values: &Values) -> PlanResult<LogicalPlan> {
    let row = |row: &Vec<Expr>| {
        let named = row.iter().zip(values.schema.fields()).map(|(e, f)| e.clone().alias(f.name()));
        LogicalPlanBuilder::empty(true).project(named)?.build()
    };
    let mut rows = values.values.iter().map(row);
    let first = rows.next().ok_or_else(|| refused(&LogicalPlan::Values(values.clone())))??;
    let all = rows.try_fold(LogicalPlanBuilder::from(first), |all, row| all.union(row?))?.build()?;
    named_as(all, &values.schema)
}

fn refused(plan: &LogicalPlan) -> datafusion::error::DataFusionError {
    let what = plan.display().to_string();
    let what = what.split(':').next().unwrap_or_default().trim().to_string();
    carried(
        Error::unsupported(format!(
            "a subquery that refers to the query around it from within {what} is not supported"
        ))
        .with_hint("Join the tables instead, or refer to the outer columns in its WHERE."),
    )
}
