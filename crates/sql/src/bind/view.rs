//! Views.

use std::sync::Arc;

use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use tidemill_core::{EpochClock, Error, Result};

use crate::catalog::{Catalog, Entry, View};
use crate::error::planning;
use crate::parser::{CreateView, Statement};
use crate::session::Planner;

/// Adds the view that a statement makes.
pub(crate) fn create(catalog: &Catalog, create: &CreateView, statement: &Statement) -> Result<String> {
    let name = create.name.value.clone();
    if create.if_not_exists && catalog.has(&name) {
        return Ok(format!("'{name}' is there already"));
    }
    // Planned now so that what is wrong is said now; every query plans it again, with its own functions.
    let plan = Planner::new(catalog, EpochClock::default())?.plan(&create.query)?;
    let columns: Vec<String> = create.columns.iter().map(|c| c.value.clone()).collect();
    let plan = named(plan, &columns).map_err(|e| e.at(create.name.span))?;
    let view = View {
        name: name.clone(),
        columns,
        query: create.query.clone(),
        schema: Arc::new(plan.schema().as_arrow().clone()),
        ddl: statement.text.clone(),
    };
    let entry = Entry::View(Arc::new(view));
    if create.or_replace && matches!(catalog.entry(&name), Ok(Entry::View(v)) if v.name == name) {
        catalog.replace(name.clone(), entry);
    } else {
        catalog.add(name.clone(), entry).map_err(|e| e.at(create.name.span))?;
    }
    Ok(format!("view '{name}' created"))
}

/// The plan with the columns under new names, where there are some.
pub(crate) fn named(plan: LogicalPlan, columns: &[String]) -> Result<LogicalPlan> {
    if columns.is_empty() {
        return Ok(plan);
    }
    let own = plan.schema().columns();
    if own.len() != columns.len() {
        return Err(Error::statement(format!(
            "the view names {} columns, and its query has {}",
            columns.len(),
            own.len()
        )));
    }
    let named = own.into_iter().zip(columns).map(|(c, name)| Expr::Column(c).alias(name)).collect::<Vec<_>>();
    LogicalPlanBuilder::from(plan).project(named).and_then(LogicalPlanBuilder::build).map_err(planning)
}
