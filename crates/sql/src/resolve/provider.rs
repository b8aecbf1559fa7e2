//! What DataFusion's planner asks for: tables, views, functions.

use std::sync::{Arc, PoisonError};

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result as PlanResult, TableReference};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner, RelationPlanner, TypePlanner};
use datafusion::logical_expr::{AggregateUDF, Expr, HigherOrderUDF, ScalarUDF, TableSource, WindowUDF};
use tidemill_core::{Error, Result};

use crate::catalog::relation::{Functions, Relation};
use crate::catalog::{Entry, SystemTable, Table};
use crate::error::carried;
use crate::functions::excluding;
use crate::session::Planner;
use crate::types::FlinkTypes;

/// What DataFusion's planner asks for.
pub(crate) struct Provider<'a> {
    pub(crate) planner: &'a Planner,
}

impl Provider<'_> {
    fn state(&self) -> &SessionState {
        self.planner.state()
    }

    fn open(&self, name: &str) -> Result<Arc<dyn TableSource>> {
        if let Some(system) = SystemTable::ALL.into_iter().find(|s| s.full_name().eq_ignore_ascii_case(name)) {
            return Ok(Arc::new(system));
        }
        let hinted = self.planner.relations.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        if let Some(opened) = hinted {
            return Ok(opened);
        }
        let entry = self.planner.catalog.entry(name)?;
        let own_name = match &entry {
            Entry::Table(t) => t.name.clone(),
            Entry::View(v) => v.name.clone(),
        };
        let opened = |r: &std::sync::Mutex<std::collections::HashMap<String, Arc<dyn TableSource>>>| {
            r.lock().unwrap_or_else(PoisonError::into_inner).get(&own_name).cloned()
        };
        if let Some(opened) = opened(&self.planner.relations) {
            return Ok(opened);
        }
        let relation = match entry {
            Entry::Table(table) => self.table(&table)?,
            Entry::View(view) => self.planner.within_view(&view.name, || {
                let plan = self.planner.plan(&view.query).map_err(|e| in_view(&view.name, e))?;
                Ok(Relation::new(crate::bind::view::named(plan, &view.columns)?))
            })?,
        };
        let relation: Arc<dyn TableSource> = Arc::new(relation);
        self.planner.relations.lock().unwrap_or_else(PoisonError::into_inner).insert(own_name, Arc::clone(&relation));
        Ok(relation)
    }

    /// A table with the functions of this query.
    pub(super) fn table(&self, table: &Table) -> Result<Relation> {
        let functions = |name: &str| self.state().scalar_functions().get(name).cloned();
        let idle_timeout = self.planner.catalog.settings().idle_timeout()?;
        Relation::of_table(table, &Functions(&functions), idle_timeout)
    }
}

/// An error of a view's text has no place in the text that names the view.
fn in_view(view: &str, e: Error) -> Error {
    let outside = Error::new(e.kind(), e.message()).context(format!("in view '{view}'"));
    match e.hint() {
        Some(hint) => outside.with_hint(hint),
        None => outside,
    }
}

impl ContextProvider for Provider<'_> {
    fn get_table_source(&self, name: TableReference) -> PlanResult<Arc<dyn TableSource>> {
        let parts = [name.catalog(), name.schema(), Some(name.table())];
        let name = parts.into_iter().flatten().collect::<Vec<_>>().join(".");
        self.open(&name).map_err(carried)
    }

    fn get_table_function_source(&self, name: &str, _args: Vec<Expr>) -> PlanResult<Arc<dyn TableSource>> {
        Err(carried(
            Error::statement(format!("there is no table function '{name}'"))
                .with_nearest(name, ["TUMBLE", "HOP", "CUMULATE", "SESSION"]),
        ))
    }

    fn create_cte_work_table(&self, _name: &str, _schema: SchemaRef) -> PlanResult<Arc<dyn TableSource>> {
        Err(carried(Error::unsupported("WITH RECURSIVE is not supported")))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        self.state().expr_planners()
    }

    fn get_relation_planners(&self) -> &[Arc<dyn RelationPlanner>] {
        self.state().relation_planners()
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(Arc::new(FlinkTypes))
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        let named_cast = super::named_casts::function();
        if name == named_cast.name() {
            return Some(named_cast);
        }
        self.state().scalar_functions().get(name).cloned()
    }

    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        self.state().higher_order_functions().get(name).cloned()
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.state().aggregate_functions().get(name).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        if excluding::is_excluding(name) {
            return excluding::function(name, |aggregate| self.get_aggregate_meta(aggregate));
        }
        self.state().window_functions().get(name).cloned()
    }

    fn get_variable_type(&self, _variable_names: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        self.state().config_options()
    }

    fn udf_names(&self) -> Vec<String> {
        self.state().scalar_functions().keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        self.state().higher_order_functions().keys().cloned().collect()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.state().aggregate_functions().keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        self.state().window_functions().keys().cloned().collect()
    }
}
