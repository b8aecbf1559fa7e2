//! `CROSS JOIN UNNEST(list) AS t(x)`, as Flink means it: a list of rows gives a column for each field, a map gives its
//! keys and values. That it is no join, but the rows of the left side taken apart, is seen by `lateral`.

use datafusion::arrow::datatypes::{DataType, Fields};
use datafusion::common::{Column, DFSchema, NullHandling, Result as PlanResult, UnnestOptions};
use datafusion::functions::core::expr_fn::{get_field, greatest};
use datafusion::functions_nested::expr_fn::{array_length, gen_series};
use datafusion::logical_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlanBuilder, cast, lit};
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
