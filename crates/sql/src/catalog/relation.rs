//! A table as a query reads it: its declared columns, as a projection over what its source decodes.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column as PlanColumn, Result as PlanResult, TableReference};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, ScalarUDF, TableSource, cast};
use tidemill_core::{Micros, Result};

use super::{ColumnKind, StreamScan, Table};
use crate::error::planning;

/// A relation that is a plan of its own: a table with all its declared columns, or a view.
pub(crate) struct Relation {
    schema: SchemaRef,
    plan: LogicalPlan,
}

impl fmt::Debug for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Relation").field(&self.plan).finish()
    }
}

impl Relation {
    pub(crate) fn new(plan: LogicalPlan) -> Self {
        Self { schema: Arc::new(plan.schema().as_arrow().clone()), plan }
    }

    /// All declared columns of `table`, as this query reads them: with its functions, which are on its clock.
    pub(crate) fn of_table(table: &Table, functions: &Functions<'_>, idle_timeout: Option<Micros>) -> Result<Self> {
        let source = table.open_source()?;
        let mut table = table.clone();
        table.idle_timeout = match table.idle_timeout {
            // Said of the table itself, and 0 turns it off.
            Some(own) => Some(own).filter(|t| *t > 0),
            None => idle_timeout.filter(|_| source.live()),
        };
        for column in &mut table.columns {
            if let ColumnKind::Computed { expr, .. } = &mut column.kind {
                **expr = functions.rebind(expr)?;
            }
        }
        if let Some(time) = &mut table.event_time {
            time.watermark = functions.rebind(&time.watermark)?;
        }
        let scan = StreamScan::with_source(Arc::new(table), source);
        Self::of_scan(scan).map_err(planning)
    }

    fn of_scan(scan: StreamScan) -> PlanResult<Self> {
        let table = Arc::clone(&scan.table);
        let fields = scan.schema();
        let physical = table.spec.schema.as_ref().map_or(0, |s| s.fields().len());
        let name = TableReference::bare(table.name.as_str());
        let of_scan = |i: usize| Expr::Column(PlanColumn::new(Some(name.clone()), fields.field(i).name()));
        let event_time = table.event_time.as_ref().map(|t| t.column);
        let mut columns = vec![];
        let (mut next_physical, mut next_metadata) = (0, physical);
        for (i, column) in table.columns.iter().enumerate() {
            let (own, declared) = (column.field.name(), column.field.data_type());
            let expr = match &column.kind {
                ColumnKind::Physical => {
                    next_physical += 1;
                    of_scan(next_physical - 1)
                }
                ColumnKind::Metadata { .. } => {
                    next_metadata += 1;
                    let found = of_scan(next_metadata - 1);
                    // The connector has a type of its own for it.
                    match fields.field(next_metadata - 1).data_type() == declared {
                        true => found,
                        false => cast(found, declared.clone()),
                    }
                }
                ColumnKind::Computed { .. } if event_time == Some(i) => of_scan(fields.fields().len() - 1),
                ColumnKind::Computed { expr, .. } => qualified(expr.as_ref().clone(), &name)?,
            };
            columns.push(match &expr {
                Expr::Column(c) if c.name == *own => expr,
                _ => expr.alias(own),
            });
        }
        let plan = LogicalPlanBuilder::scan(name, Arc::new(scan), None)?.project(columns)?.build()?;
        Ok(Self::new(plan))
    }
}

impl TableSource for Relation {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn get_logical_plan(&'_ self) -> Option<Cow<'_, LogicalPlan>> {
        Some(Cow::Borrowed(&self.plan))
    }
}

/// The columns of an expression as columns of `relation`.
fn qualified(expr: Expr, relation: &TableReference) -> PlanResult<Expr> {
    let transformed = expr.transform(|e| {
        Ok(match e {
            Expr::Column(c) if c.relation.is_none() => {
                Transformed::yes(Expr::Column(PlanColumn::new(Some(relation.clone()), c.name)))
            }
            other => Transformed::no(other),
        })
    })?;
    Ok(transformed.data)
}

/// The scalar functions of a query.
pub(crate) struct Functions<'a>(pub(crate) &'a dyn Fn(&str) -> Option<Arc<ScalarUDF>>);

impl Functions<'_> {
    /// The same expression with the functions of this query: those that ask for the time ask this query's clock.
    fn rebind(&self, expr: &Expr) -> Result<Expr> {
        let rebound = expr.clone().transform(|e| {
            Ok(match e {
                Expr::ScalarFunction(call) => match (self.0)(call.func.name()) {
                    Some(func) => Transformed::yes(Expr::ScalarFunction(ScalarFunction { func, args: call.args })),
                    None => Transformed::no(Expr::ScalarFunction(call)),
                },
                other => Transformed::no(other),
            })
        });
        Ok(rebound.map_err(planning)?.data)
    }
}
