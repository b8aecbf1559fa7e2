//! What keeps, orders and numbers rows: for each of the outer values.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result as PlanResult};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::builder::LogicalPlanBuilder;
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::logical_plan::{FetchType, Limit, SkipType};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    BinaryExpr, Distinct, DistinctOn, Expr, ExprFunctionExt, ExprSchemable, Extension, Filter, LogicalPlan, Operator,
    Projection, Window, lit,
};
use tidemill_plan::window::WindowKind;

use super::{Keyed, Push, columns_of, key_name, refused};
use crate::subqueries::holds_subquery;
use crate::windows::WindowNode;

impl Push<'_, '_> {
    pub(super) fn filter(&mut self, filter: &Filter) -> PlanResult<Keyed> {
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
        (!holds_subquery(own) && !own.is_volatile()).then(|| (i, own.as_ref().clone(), data_type))
    }

    pub(super) fn distinct_on(&mut self, distinct: &DistinctOn) -> PlanResult<Keyed> {
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

    /// The first rows of `input`: the first for each of the outer values.
    pub(super) fn limit(&mut self, limit: &Limit, input: &LogicalPlan) -> PlanResult<Keyed> {
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

    pub(super) fn window(&mut self, window: &Window) -> PlanResult<Keyed> {
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

    /// A window function puts each row into its windows, whatever else the row says.
    pub(super) fn extension(&mut self, extension: &Extension) -> PlanResult<Keyed> {
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
