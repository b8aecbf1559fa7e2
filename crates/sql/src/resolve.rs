//! Names: what DataFusion's planner asks for, and names that differ from what there is only in case.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError};

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Column, DataFusionError, Result as PlanResult, TableReference};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner, RelationPlanner, TypePlanner};
use datafusion::logical_expr::{AggregateUDF, Expr as PlanExpr, HigherOrderUDF, ScalarUDF, TableSource, WindowUDF};
use sqlparser::ast::{self, Expr, Ident, ObjectNamePart, Query, Spanned, Visit, VisitMut, Visitor, VisitorMut};
use tidemill_core::{Error, Result, Span};

use crate::catalog::names::{Found, ambiguous, find};
use crate::catalog::relation::{Functions, Relation};
use crate::catalog::{Catalog, Entry, SystemTable};
use crate::error::{carried, column_span, missing_column};
use crate::parser::finish::hinted_options;
use crate::parser::source::place;
use crate::session::Planner;
use crate::types::FlinkTypes;

/// A query or an expression.
pub(crate) trait Node: Visit + VisitMut {}

impl<N: Visit + VisitMut> Node for N {}

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
    fn table(&self, table: &crate::catalog::Table) -> Result<Relation> {
        let functions = |name: &str| self.state().scalar_functions().get(name).cloned();
        let idle_timeout = self.planner.catalog.settings().idle_timeout()?;
        Relation::of_table(table, &Functions(&functions), idle_timeout)
    }
}

impl Planner {
    /// Opens the tables with a hint behind their name, each with its own options, and names them in the query.
    pub(crate) fn open_hinted(&self, query: &mut Query) -> Result<()> {
        match VisitMut::visit(query, &mut OpenHinted(self)) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(e) => Err(e),
        }
    }
}

struct OpenHinted<'a>(&'a Planner);

impl VisitorMut for OpenHinted<'_> {
    type Break = Error;

    fn pre_visit_table_factor(&mut self, factor: &mut ast::TableFactor) -> ControlFlow<Error> {
        let ast::TableFactor::Table { name, alias, with_hints, .. } = factor else { return ControlFlow::Continue(()) };
        if with_hints.is_empty() {
            return ControlFlow::Continue(());
        }
        let options = hinted_options(&std::mem::take(with_hints));
        match self.open(name, &options) {
            Ok((table, opened)) => {
                alias.get_or_insert_with(|| ast::TableAlias {
                    explicit: true,
                    name: Ident::new(table),
                    columns: vec![],
                    at: None,
                });
                *name = ast::ObjectName::from(vec![Ident::with_quote_and_span('`', name.span(), opened)]);
                ControlFlow::Continue(())
            }
            Err(e) => ControlFlow::Break(e.at(place(name.span()))),
        }
    }
}

impl OpenHinted<'_> {
    /// Opens the table with these options; its name, and the name under which it was opened.
    fn open(&self, name: &ast::ObjectName, options: &[(String, String)]) -> Result<(String, String)> {
        let parts = name.0.iter().filter_map(|p| p.as_ident()).map(|i| i.value.as_str()).collect::<Vec<_>>();
        let table = self.0.catalog.table(&parts.join("."))?;
        let opened = format!("{} /*+ {options:?} */", table.name);
        let relation = Provider { planner: self.0 }.table(&table.with_options(options)?)?;
        let mut relations = self.0.relations.lock().unwrap_or_else(PoisonError::into_inner);
        relations.insert(opened.clone(), Arc::new(relation));
        Ok((table.name.clone(), opened))
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

    fn get_table_function_source(&self, name: &str, _args: Vec<PlanExpr>) -> PlanResult<Arc<dyn TableSource>> {
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
        self.state().scalar_functions().get(name).cloned()
    }

    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        self.state().higher_order_functions().get(name).cloned()
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.state().aggregate_functions().get(name).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
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

/// Writes the names of common table expressions as they were declared, where they differ only in case and no table is meant.
pub(crate) fn settle_ctes(query: &mut Query, catalog: &Catalog) {
    struct Declared(HashSet<String>);
    impl Visitor for Declared {
        type Break = ();
        fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
            let ctes = query.with.iter().flat_map(|w| &w.cte_tables);
            self.0.extend(ctes.map(|cte| cte.alias.name.value.clone()));
            ControlFlow::Continue(())
        }
    }
    struct Settle<'a>(&'a HashSet<String>, &'a Catalog);
    impl VisitorMut for Settle<'_> {
        type Break = ();
        fn pre_visit_relation(&mut self, name: &mut ast::ObjectName) -> ControlFlow<()> {
            if let [ObjectNamePart::Identifier(ident)] = name.0.as_mut_slice()
                && !self.1.has(&ident.value)
                && let Found::One(found) = find(&ident.value, self.0.iter().map(String::as_str))
            {
                ident.value = found.to_string();
            }
            ControlFlow::Continue(())
        }
    }
    let mut declared = Declared(HashSet::new());
    let _ = Visit::visit(query, &mut declared);
    if !declared.0.is_empty() {
        let _ = VisitMut::visit(query, &mut Settle(&declared.0, catalog));
    }
}

/// If `error` is a column that was not found and exactly one differs only in case: writes that one. An error if there
/// are several; false if there is nothing to mend.
pub(crate) fn mend<N: Node>(node: &mut N, error: &DataFusionError) -> Result<bool> {
    let Some((wrong, valid)) = missing_column(error) else { return Ok(false) };
    let span = column_span(wrong);
    let Some(renames) = renames(wrong, valid).map_err(|e| match span {
        Some(span) => e.at(span),
        None => e,
    })?
    else {
        return Ok(false);
    };
    let mut mend = Mend { renames, at: span, wrong, done: false };
    let _ = VisitMut::visit(node, &mut mend);
    if !mend.done && mend.at.is_some() {
        // The place may be that of a larger expression; the name alone is as good.
        mend.at = None;
        let _ = VisitMut::visit(node, &mut mend);
    }
    Ok(mend.done)
}

/// The last parts of the name as they should be, from the table on.
fn renames(wrong: &Column, valid: &[Column]) -> Result<Option<Vec<String>>> {
    let same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
    let Some(relation) = &wrong.relation else {
        return Ok(match find(&wrong.name, valid.iter().map(|c| c.name.as_str())) {
            Found::One(name) if name != wrong.name => Some(vec![name.to_string()]),
            Found::Many(close) => return Err(ambiguous("column", &wrong.name, &close)),
            _ => None,
        });
    };
    let of_relation = |c: &&Column| c.relation.as_ref().is_some_and(|r| same(r.table(), relation.table()));
    let names = valid.iter().filter(of_relation).map(|c| c.name.as_str());
    match find(&wrong.name, names) {
        Found::One(name) => {
            let tables = valid.iter().filter(of_relation).filter(|c| c.name == name);
            let table = tables.filter_map(|c| c.relation.as_ref()).map(|r| r.table()).next();
            let fixed = vec![table.unwrap_or(relation.table()).to_string(), name.to_string()];
            return Ok((fixed[0] != relation.table() || fixed[1] != wrong.name).then_some(fixed));
        }
        Found::Many(close) => return Err(ambiguous("column", &wrong.name, &close)),
        Found::None => {}
    }
    // Not a table but a column with fields: the first part is the column.
    Ok(match find(relation.table(), valid.iter().map(|c| c.name.as_str())) {
        Found::One(column) if column != relation.table() => Some(vec![column.to_string(), wrong.name.clone()]),
        _ => None,
    })
}

struct Mend<'a> {
    renames: Vec<String>,
    at: Option<Span>,
    wrong: &'a Column,
    done: bool,
}

impl Mend<'_> {
    fn mend(&mut self, idents: &mut [Ident]) {
        let (Some(first), count) = (idents.first(), self.renames.len()) else { return };
        let here = place(first.span);
        if self.at.is_some_and(|at| (at.line, at.column) != (here.line, here.column)) {
            return;
        }
        // A column may be the beginning of a path of fields: only its own parts are looked at.
        if idents.len() < count || (idents.len() > count && count == 1) {
            return;
        }
        let table = self.wrong.relation.as_ref().map(|r| r.table());
        let wrong = table.into_iter().chain([self.wrong.name.as_str()]);
        if !idents.iter().zip(wrong).all(|(ident, wrong)| ident.value == wrong) {
            return;
        }
        for (ident, name) in idents.iter_mut().zip(&self.renames) {
            ident.value.clone_from(name);
        }
        self.done = true;
    }
}

impl VisitorMut for Mend<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(ident) => self.mend(std::slice::from_mut(ident)),
            Expr::CompoundIdentifier(idents) => self.mend(idents),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut ast::Select) -> ControlFlow<()> {
        for join in select.from.iter_mut().flat_map(|t| &mut t.joins) {
            use ast::JoinOperator::{FullOuter, Inner, Join, Left, LeftOuter, Right, RightOuter};
            let constraint = match &mut join.join_operator {
                Join(c) | Inner(c) | Left(c) | LeftOuter(c) | Right(c) | RightOuter(c) | FullOuter(c) => c,
                _ => continue,
            };
            let ast::JoinConstraint::Using(columns) = constraint else { continue };
            for column in columns {
                if let [ObjectNamePart::Identifier(ident)] = column.0.as_mut_slice() {
                    self.mend(std::slice::from_mut(ident));
                }
            }
        }
        ControlFlow::Continue(())
    }
}

/// Finds the place of what an error speaks of, where the planner did not say it, and the nearest function.
pub(crate) fn locate<N: Node>(error: Error, node: &N, state: &SessionState) -> Error {
    let Some(name) = error.message().split('\'').nth(1).map(str::to_string) else { return error };
    let unknown_function = error.message().to_lowercase().starts_with("invalid function '");
    let error = match unknown_function {
        true => no_function(&name, state),
        false => error,
    };
    if error.span().is_some() {
        return error;
    }
    let mut place = Place { name: &name, found: None };
    let _ = node.visit(&mut place);
    match place.found {
        Some(span) => error.at(span),
        None => error,
    }
}

fn no_function(name: &str, state: &SessionState) -> Error {
    let known = state
        .scalar_functions()
        .keys()
        .chain(state.aggregate_functions().keys())
        .chain(state.window_functions().keys());
    let lower = name.to_lowercase();
    let nearest = known.map(|k| (strsim::damerau_levenshtein(&lower, k), k)).min();
    let error = Error::statement(format!("there is no function '{name}'"));
    match nearest.filter(|(distance, k)| *distance <= 1 + k.len().max(lower.len()) / 3) {
        Some((_, near)) => error.with_hint(format!("Did you mean '{near}'? SHOW FUNCTIONS lists them all.")),
        None => error.with_hint("SHOW FUNCTIONS lists them all."),
    }
}

struct Place<'a> {
    name: &'a str,
    found: Option<Span>,
}

impl Visitor for Place<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        let idents: &[Ident] = match expr {
            Expr::Identifier(ident) => std::slice::from_ref(ident),
            Expr::CompoundIdentifier(idents) => idents,
            Expr::Function(f) => {
                let ObjectNamePart::Identifier(ident) = &f.name.0[0] else { return ControlFlow::Continue(()) };
                std::slice::from_ref(ident)
            }
            _ => &[],
        };
        match idents.iter().find(|i| i.value.eq_ignore_ascii_case(self.name)) {
            Some(ident) => {
                self.found = Some(place(ident.span));
                ControlFlow::Break(())
            }
            None => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_relation(&mut self, relation: &ast::ObjectName) -> ControlFlow<()> {
        if relation.to_string().eq_ignore_ascii_case(self.name) {
            self.found = Some(place(relation.span()));
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}
