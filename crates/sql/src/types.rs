//! Flink's types where DataFusion's planner meets a type.

use datafusion::arrow::datatypes::{Field, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::planner::TypePlanner;
use sqlparser::ast;

use crate::parser::types;

/// Reads the types of `CAST` and of literals as Flink does.
#[derive(Debug)]
pub(crate) struct FlinkTypes;

impl TypePlanner for FlinkTypes {
    fn plan_type_field(&self, sql_type: &ast::DataType) -> Result<Option<FieldRef>> {
        Ok(types::from_ast(sql_type).map(|t| Field::new("", t, true).into()))
    }
}
