//! `CROSS JOIN UNNEST(list) AS t(x)`, as Flink means it: a list of rows gives a column for each field, a map gives its
//! keys and values; and as a stream can have it: not a join, but the rows of the left side taken apart.

use datafusion::arrow::datatypes::{DataType, Fields};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{
    Column, DFSchema, NullHandling, Result as PlanResult, ScalarValue, TableReference, UnnestOptions,
};
use datafusion::functions::core::expr_fn::{get_field, greatest};
use datafusion::functions_nested::expr_fn::{array_length, gen_series};
use datafusion::logical_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion::logical_expr::{
    Expr, ExprSchemable, Join, JoinType, LogicalPlan, LogicalPlanBuilder, Subquery, SubqueryAlias, cast, lit,
};
use sqlparser::ast::{Spanned, TableAliasColumnDef, TableFactor};
use tidemill_core::Error;

use crate::error::carried;
use crate::parser::source::place;
use crate::parser::types::type_name;

/// Plans `UNNEST(..)` in `FROM`.
#[derive(Debug)]
pub(crate) struct UnnestPlanner;

impl RelationPlanner for UnnestPlanner {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> PlanResult<RelationPlanning> {
        let span = place(relation.span());
        let TableFactor::UNNEST { mut alias, array_exprs, with_offset, with_ordinality, .. } = relation else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        if with_offset {
            let error = Error::unsupported("UNNEST WITH OFFSET is not supported");
            return Err(carried(error.with_hint("WITH ORDINALITY numbers the elements from 1.").at(span)));
        }
        let named = alias.as_ref().map_or(0, |a| a.columns.len()).saturating_sub(usize::from(with_ordinality));
        let schema = DFSchema::empty();
        let mut lists = vec![];
        let mut names = vec![];
        for (i, expr) in array_exprs.into_iter().enumerate() {
            let mut list = context.sql_expr_to_logical_expr(expr, &schema)?;
            let mut list_type = list.get_type(&schema)?;
            if matches!(list_type, DataType::Map(..))
                && let Some(entries) = context.context_provider().get_function_meta("map_entries")
            {
                list = entries.call(vec![list]);
                list_type = list.get_type(&schema)?;
            }
            let (DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _)) = &list_type
            else {
                let message = format!("UNNEST needs an ARRAY or a MAP, not {}", type_name(&list_type));
                return Err(carried(Error::statement(message).at(span)));
            };
            let name = format!("EXPR${i}");
            names.push((name.clone(), item.data_type().clone()));
            lists.push(list.alias(name));
        }
        if with_ordinality {
            lists.push(numbers(&lists).alias(ORDINALITY));
            names.push((ORDINALITY.to_string(), DataType::Int64));
        }
        let columns = names.iter().map(|(name, _)| Column::new_unqualified(name)).collect();
        let options = UnnestOptions { null_handling: NullHandling::Drop, recursions: vec![] };
        let unnested = LogicalPlanBuilder::empty(true).project(lists)?.unnest_columns_with_options(columns, options)?;
        let elements = names.iter().flat_map(|(name, item)| element(name, item, named)).collect::<Vec<_>>();
        let plan = unnested.project(elements)?.build()?;
        // As in PostgreSQL, an only column is called as the table is.
        if let Some(alias) = &mut alias
            && alias.columns.is_empty()
            && plan.schema().fields().len() == 1
            && plan.schema().field(0).name().starts_with("EXPR$")
        {
            alias.columns.push(TableAliasColumnDef::from_name(alias.name.value.clone()));
        }
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))))
    }
}

/// What `WITH ORDINALITY` calls its column.
const ORDINALITY: &str = "ordinality";

/// The numbers of the elements, from 1 to as many as the longest of the lists has.
fn numbers(lists: &[Expr]) -> Expr {
    let length = |list: &Expr| cast(array_length(list.clone().unalias()), DataType::Int64);
    let longest = match lists {
        [one] => length(one),
        many => greatest(many.iter().map(length).collect()),
    };
    gen_series(lit(1_i64), longest, lit(1_i64))
}

/// The columns that an element becomes: its fields, where it is a row and is not to have one name.
fn element(name: &str, item: &DataType, named: usize) -> Vec<Expr> {
    let column = Expr::Column(Column::new_unqualified(name));
    let no_fields = Fields::empty();
    let fields = if let DataType::Struct(fields) = item { fields } else { &no_fields };
    if fields.is_empty() || (named == 1 && fields.len() > 1) {
        return vec![column];
    }
    fields.iter().map(|f| get_field(column.clone(), f.name().as_str()).alias(f.name())).collect()
}

/// Takes the place of joins with what only takes their own left side apart.
pub(crate) fn flatten(plan: LogicalPlan) -> PlanResult<LogicalPlan> {
    let flat = plan.transform_up_with_subqueries(|plan| match &plan {
        LogicalPlan::Join(join) => match flat_join(join)? {
            Some(flat) => Ok(Transformed::yes(flat)),
            None => Ok(Transformed::no(plan)),
        },
        _ => Ok(Transformed::no(plan)),
    })?;
    match flat.transformed {
        true => Ok(flat.data.transform_up_with_subqueries(|p| p.recompute_schema().map(Transformed::yes))?.data),
        false => Ok(flat.data),
    }
}

fn flat_join(join: &Join) -> PlanResult<Option<LogicalPlan>> {
    let null_handling = match join.join_type {
        JoinType::Inner => NullHandling::Drop,
        JoinType::Left => NullHandling::PreserveAndExpandEmpty,
        _ => return Ok(None),
    };
    let always = match &join.filter {
        None => true,
        Some(Expr::Literal(ScalarValue::Boolean(Some(true)), _)) => true,
        Some(_) => false,
    };
    let (alias, subquery): (Option<&TableReference>, &Subquery) = match join.right.as_ref() {
        LogicalPlan::SubqueryAlias(SubqueryAlias { input, alias, .. }) => match input.as_ref() {
            LogicalPlan::Subquery(subquery) => (Some(alias), subquery),
            _ => return Ok(None),
        },
        LogicalPlan::Subquery(subquery) => (None, subquery),
        _ => return Ok(None),
    };
    if !always || !join.on.is_empty() || subquery.outer_ref_columns.is_empty() {
        return Ok(None);
    }
    // Without lists there is nothing to take apart: that is any other lateral join.
    if !subquery.subquery.exists(|p| Ok(matches!(p, LogicalPlan::Unnest(_))))? {
        return Ok(None);
    }
    let left = join.left.as_ref();
    let own = |e: &Expr| matches!(e, Expr::OuterReferenceColumn(_, c) if left.schema().has_column(c));
    if !subquery.outer_ref_columns.iter().all(own) {
        return Ok(None);
    }
    let Some(grafted) = graft(&subquery.subquery, left, null_handling)? else { return Ok(None) };
    let before = left.schema().fields().len();
    let columns = grafted.schema().columns().into_iter().enumerate().map(|(i, column)| match alias {
        Some(alias) if i >= before => {
            let name = column.name.clone();
            Expr::Column(column).alias_qualified(Some(alias.clone()), name)
        }
        _ => Expr::Column(column),
    });
    let columns: Vec<_> = columns.collect();
    Ok(Some(LogicalPlanBuilder::from(grafted).project(columns)?.build()?))
}

/// The subquery over the rows of `left` instead of over its one row without columns; the columns of `left` come first.
/// `None` if it does anything else than take them apart.
fn graft(plan: &LogicalPlan, left: &LogicalPlan, null_handling: NullHandling) -> PlanResult<Option<LogicalPlan>> {
    let input = match plan {
        LogicalPlan::EmptyRelation(empty) if empty.produce_one_row => return Ok(Some(left.clone())),
        LogicalPlan::Projection(p) => &p.input,
        LogicalPlan::Unnest(u) => &u.input,
        LogicalPlan::SubqueryAlias(a) => &a.input,
        _ => return Ok(None),
    };
    let Some(input) = graft(input, left, null_handling)? else { return Ok(None) };
    let builder = LogicalPlanBuilder::from(input);
    let grafted = match plan {
        LogicalPlan::Projection(projection) => {
            let mut exprs: Vec<Expr> = left.schema().columns().into_iter().map(Expr::Column).collect();
            for expr in &projection.expr {
                exprs.push(own_columns(expr.clone())?);
            }
            builder.project(exprs)?
        }
        LogicalPlan::Unnest(unnest) => {
            let options = UnnestOptions { null_handling, recursions: unnest.options.recursions.clone() };
            builder.unnest_columns_with_options(unnest.exec_columns.clone(), options)?
        }
        // The names within are those of the columns alone.
        _ => builder,
    };
    Ok(Some(grafted.build()?))
}

/// Columns of the outer side as columns of the input.
fn own_columns(expr: Expr) -> PlanResult<Expr> {
    let own = expr.transform(|e| {
        Ok(match e {
            Expr::OuterReferenceColumn(_, column) => Transformed::yes(Expr::Column(column)),
            other => Transformed::no(other),
        })
    })?;
    Ok(own.data)
}
