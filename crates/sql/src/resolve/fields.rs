//! Fields of rows: `row_column.field`, exactly or without regard to case.

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{Column, DFSchema, Result, ScalarValue, TableReference};
use datafusion::functions::core::expr_fn::get_field;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawFieldAccessExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, GetFieldAccess};

use super::row_stars;
use crate::catalog::names::{Found, find};

/// Finds fields. What it does not find it leaves to DataFusion, which says so.
#[derive(Debug)]
pub(crate) struct FieldNames;

impl ExprPlanner for FieldNames {
    fn plan_compound_identifier(
        &self,
        field: &Field,
        qualifier: Option<&TableReference>,
        nested_names: &[String],
    ) -> Result<PlannerResult<Vec<Expr>>> {
        let mut expr = Expr::Column(Column::from((qualifier, field)));
        let mut data_type = field.data_type();
        for name in nested_names {
            let Some(found) = field_of(data_type, name) else { return Ok(PlannerResult::Original(vec![])) };
            expr = get_field(expr, found.name().as_str());
            data_type = found.data_type();
        }
        // As a column of a result it has the name of the field: `bid.price` is `price`.
        let name = nested_names.last().map_or("", String::as_str).to_string();
        Ok(PlannerResult::Planned(expr.alias(name)))
    }

    fn plan_field_access(
        &self,
        raw: RawFieldAccessExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawFieldAccessExpr>> {
        let GetFieldAccess::NamedStructField { name: ScalarValue::Utf8(Some(name)) } = &raw.field_access else {
            return Ok(PlannerResult::Original(raw));
        };
        let of = raw.expr.get_type(schema)?;
        row_stars::answer(&of, name)?;
        match field_of(&of, name) {
            Some(found) => Ok(PlannerResult::Planned(get_field(raw.expr, found.name().as_str()))),
            None => Ok(PlannerResult::Original(raw)),
        }
    }
}

fn field_of<'a>(data_type: &'a DataType, name: &str) -> Option<&'a Field> {
    let DataType::Struct(fields) = data_type else { return None };
    match find(name, fields.iter().map(|f| f.name().as_str())) {
        Found::One(found) => fields.iter().find(|f| f.name() == found).map(|f| f.as_ref()),
        _ => None,
    }
}
