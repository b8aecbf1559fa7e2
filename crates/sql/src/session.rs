//! Planning: from a statement to an optimised logical plan.
//!
//! A [`Planner`] holds what one query needs: the catalog, the functions on the query's clock, and DataFusion's planner.
//! A name that differs from a column only in case is mended in the syntax tree when DataFusion does not find it, and
//! the query is planned again.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::common::config::ConfigOptions;
use datafusion::common::{Column, DFSchema, DataFusionError, Result as PlanResult, ScalarValue};
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, LogicalPlan, TableSource};
use datafusion::optimizer::Optimizer;
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::prelude::SessionConfig;
use datafusion::sql::planner::{ParserOptions, PlannerContext, SqlToRel};
use sqlparser::ast;
use tidemill_core::{EpochClock, Error, Micros, Result, Span};
use tidemill_plan::average::average;
use tidemill_plan::window::Zone;

use crate::aggregates;
use crate::as_of;
use crate::bind;
use crate::casts::FlinkCasts;
use crate::catalog::Catalog;
use crate::compared;
use crate::decimals::DecimalDivision;
use crate::error::planning;
use crate::functions::FlinkSyntax;
use crate::functions::json::member::JsonArrow;
use crate::lateral;
use crate::parser::{EmitClause, Insert, Statement, StatementKind};
use crate::resolve::{self, CountedRows, FieldNames, Provider};
use crate::rules;
use crate::set_all;
use crate::short_alias;
use crate::single_row;
use crate::subqueries::{self, Which};
use crate::types::FlinkTypes;
use crate::unnest;
use crate::windows;

/// A query that has been planned.
#[derive(Debug, Clone)]
pub struct Query {
    /// The table that an `INSERT` writes.
    pub target: Option<String>,
    /// The options of a hint behind that table.
    pub target_options: Vec<(String, String)>,
    /// `INSERT OVERWRITE`: what is written takes the place of what the table, or its partitions that are written, held.
    pub overwrite: bool,
    /// The values of all columns that the table is partitioned by, where `PARTITION (..)` says them.
    pub partition: Vec<(String, ScalarValue)>,
    /// What its hints say that has no effect.
    pub notes: Vec<String>,
    /// The plan, analysed and optimised. That of an `INSERT` gives the columns that the sink wants.
    pub plan: LogicalPlan,
    /// When results are put out.
    pub emit: EmitClause,
    /// `STATE_TTL` hints: the tables that they name, and for how long state is kept that nothing touches.
    pub state_ttls: Vec<(String, Micros)>,
    /// The statement's text.
    pub text: String,
    /// Its place.
    pub span: Span,
}

/// Plans queries over a catalog.
pub struct Planner {
    pub(crate) catalog: Catalog,
    state: SessionState,
    casts: Arc<FlinkCasts>,
    /// The tables that were opened for this planner, so that a table is one source however often it is named.
    pub(crate) relations: Mutex<HashMap<String, Arc<dyn TableSource>>>,
    /// The views that are being planned, from the outermost in.
    pub(crate) views: Mutex<Vec<String>>,
}

impl fmt::Debug for Planner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Planner").field("catalog", &self.catalog).finish_non_exhaustive()
    }
}

/// Rules of DataFusion's optimiser that do harm here.
const UNWANTED_RULES: &[&str] = &[
    // Two aggregations where one keeps less state and can be incremental.
    "single_distinct_aggregation_to_group_by",
];

/// How often a query is planned again after a name was mended: more names than anybody writes.
const MENDS: usize = 1_000;

impl Planner {
    /// A planner over `catalog`. Functions of the time ask `clock`.
    pub fn new(catalog: &Catalog, clock: EpochClock) -> Result<Self> {
        let zone = catalog.settings().zone()?;
        let (state, casts) = state(zone, &clock).map_err(planning)?;
        Ok(Self { catalog: catalog.clone(), state, casts, relations: Mutex::default(), views: Mutex::default() })
    }

    /// DataFusion's state: functions, settings, rules.
    pub fn state(&self) -> &SessionState {
        &self.state
    }

    /// The queries of a statement: a `SELECT`, an `INSERT`, or all of a statement set.
    pub fn query(&self, statement: &Statement) -> Result<Vec<Query>> {
        match &statement.kind {
            StatementKind::Select(select) => {
                let plan =
                    self.plan(&select.query).and_then(|p| self.optimized(p)).map_err(|e| e.at(statement.span))?;
                Ok(vec![Query {
                    target: None,
                    target_options: vec![],
                    overwrite: false,
                    partition: vec![],
                    notes: select.notes.clone(),
                    plan,
                    emit: select.emit,
                    state_ttls: select.state_ttls.clone(),
                    text: statement.text.clone(),
                    span: statement.span,
                }])
            }
            StatementKind::Insert(insert) => Ok(vec![self.insert(insert)?]),
            StatementKind::StatementSet(inserts) => inserts.iter().map(|i| self.insert(i)).collect(),
            StatementKind::Explain { statement, .. } | StatementKind::Verify { statement, .. } => self.query(statement),
            _ => Err(Error::statement("this statement is not a query").at(statement.span)),
        }
    }

    fn insert(&self, insert: &Insert) -> Result<Query> {
        let table = self.catalog.table(&insert.target.value).map_err(|e| e.at(insert.target.span))?;
        let plan = self.plan(&insert.query).map_err(|e| e.at(insert.span))?;
        let plan = bind::insert::into_table(plan, &table, insert)?;
        Ok(Query {
            target: Some(table.name.clone()),
            target_options: insert.options.clone(),
            overwrite: insert.overwrite,
            partition: bind::insert::partition(&table, insert)?,
            notes: insert.notes.clone(),
            plan: self.optimized(plan).map_err(|e| e.at(insert.span))?,
            emit: insert.emit,
            state_ttls: insert.state_ttls.clone(),
            text: insert.text.clone(),
            span: insert.span,
        })
    }

    /// The plan of a query, as written.
    pub(crate) fn plan(&self, query: &ast::Query) -> Result<LogicalPlan> {
        let mut query = query.clone();
        resolve::settle_ctes(&mut query, &self.catalog);
        resolve::rename_shadowing(&mut query);
        resolve::settle_outer_aliases(&mut query);
        resolve::name_lateral(&mut query);
        self.open_hinted(&mut query)?;
        windows::legacy::rewrite(&mut query)?;
        resolve::name_duplicates(&mut query);
        resolve::mark_using(&mut query);
        let plan = self.mending(query, |query| {
            let statement = ast::Statement::Query(Box::new(query.clone()));
            let provider = Provider { planner: self };
            let plan = self.sql_to_rel(&provider, |s| s.sql_statement_to_plan(statement))?;
            resolve::distinct_groups(&plan)?;
            let plan = as_of::bind::bind(plan, &|expr, schema| {
                self.sql_to_rel(&provider, |s| s.sql_to_expr(expr, schema, &mut PlannerContext::new()))
            })?;
            windows::range_offset::settled(plan)
        })?;
        resolve::without_named_casts(plan)
            .and_then(resolve::without_counted_rows)
            .and_then(compared::written_out)
            .map_err(planning)
    }

    /// An expression over the columns of `schema`, its types coerced.
    pub(crate) fn expression(&self, expr: &ast::Expr, schema: &DFSchema) -> Result<Expr> {
        let planned = self.mending(expr.clone(), |expr| {
            let expr = expr.clone();
            self.sql_to_rel(&Provider { planner: self }, |s| s.sql_to_expr(expr, schema, &mut PlannerContext::new()))
        })?;
        let context = SimplifyContext::builder()
            .with_schema(Arc::new(schema.clone()))
            .with_config_options(Arc::clone(self.state.config_options()))
            .build();
        let planned = compared::rewritten(planned, schema).map_err(planning)?.data;
        let coerced = ExprSimplifier::new(context).coerce(planned, schema).map_err(planning)?;
        Ok(self.casts.rewrite(coerced, schema).map_err(planning)?.data)
    }

    /// Plans, mends the name that was not found if it differs only in case, and plans again.
    fn mending<N: resolve::Node, T>(&self, mut node: N, plan: impl Fn(&N) -> PlanResult<T>) -> Result<T> {
        // What was wrong with columns of one name is said of the query as it was written.
        let mut duplicate = None;
        // And so of what is neither a table nor a row.
        let mut star: Option<(String, DataFusionError)> = None;
        let mut merged = resolve::MergedColumns::default();
        for _ in 0..MENDS {
            match plan(&node) {
                Ok(planned) => return Ok(planned),
                Err(e) => {
                    let is_duplicate = resolve::is_duplicate(&e);
                    let star_of = resolve::star_of(&e);
                    let mended = resolve::mend(&mut node, &e, &self.opened_columns(), &mut merged)
                        .map_err(|e| resolve::locate(e, &node, &self.state))?;
                    if !mended {
                        let first = match star.filter(|(name, _)| resolve::is_no_column(&e, name)) {
                            Some((_, star)) => Some(star),
                            None if is_duplicate => duplicate,
                            None => None,
                        };
                        return Err(self.explained(first.unwrap_or(e), &node));
                    }
                    if let Some(name) = star_of {
                        star = Some((name, e));
                    } else if is_duplicate && duplicate.is_none() {
                        duplicate = Some(e);
                    }
                }
            }
        }
        Err(Error::internal("names were mended without end"))
    }

    /// The columns of all tables that were opened so far.
    fn opened_columns(&self) -> Vec<Column> {
        let relations = self.relations.lock().unwrap_or_else(PoisonError::into_inner);
        let schemas = relations.values().map(|r| r.schema());
        schemas.flat_map(|s| s.fields().iter().map(|f| Column::new_unqualified(f.name())).collect::<Vec<_>>()).collect()
    }

    fn explained<N: resolve::Node>(&self, error: DataFusionError, node: &N) -> Error {
        resolve::locate(planning(error), node, &self.state)
    }

    /// Analysed and optimised.
    fn optimized(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        let plan = single_row::guarded(lateral::without_lateral(plan)?)?;
        let mut made = 0;
        let plan = subqueries::rewritten(plan, Which::Misplanned, &mut made).map_err(planning)?.data;
        let optimized = self.analyzed_and_optimized(plan.clone());
        if optimized.as_ref().is_ok_and(|plan| !subqueries::left_behind(plan)) {
            return optimized.and_then(aggregates::fitted).map_err(planning);
        }
        // DataFusion does not know how to join one of the subqueries: all of them as joins before it begins.
        let joined = subqueries::rewritten(plan.clone(), Which::All, &mut made).map_err(planning)?;
        let optimized = if joined.transformed { self.analyzed_and_optimized(joined.data) } else { optimized };
        let refers = match &optimized {
            Ok(plan) => subqueries::refers_outwards(plan),
            Err(_) => !joined.transformed && subqueries::refers_outwards(&plan),
        };
        if refers {
            let error = "a subquery at this place that refers to the query around it is not supported";
            return Err(Error::unsupported(error)
                .with_hint("Ask it in the SELECT list of a query in FROM, and use its column here."));
        }
        optimized.and_then(aggregates::fitted).map_err(planning)
    }

    fn analyzed_and_optimized(&self, plan: LogicalPlan) -> PlanResult<LogicalPlan> {
        let plan = self.state.analyzer().execute_and_check(plan, self.state.config_options(), |_, _| {})?;
        self.state.optimizer().optimize(plan, &self.state, |_, _| {})
    }

    fn sql_to_rel<T>(
        &self,
        provider: &Provider<'_>,
        f: impl FnOnce(SqlToRel<'_, Provider<'_>>) -> PlanResult<T>,
    ) -> PlanResult<T> {
        let options = ParserOptions::from(&self.state.config_options().sql_parser);
        f(SqlToRel::new_with_options(provider, options))
    }

    /// Runs `f` while the view is marked as being planned.
    pub(crate) fn within_view<T>(&self, view: &str, f: impl FnOnce() -> Result<T>) -> Result<T> {
        {
            let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
            if views.iter().any(|v| v == view) {
                return Err(Error::statement(format!("view '{view}' reads itself")));
            }
            views.push(view.to_string());
        }
        let result = f();
        self.views.lock().unwrap_or_else(PoisonError::into_inner).pop();
        result
    }
}

/// DataFusion's state for queries that run for ever.
fn state(zone: Zone, clock: &EpochClock) -> PlanResult<(SessionState, Arc<FlinkCasts>)> {
    let rules = Optimizer::new().rules.into_iter().filter(|r| !UNWANTED_RULES.contains(&r.name()));
    let mut rules: Vec<_> = rules.map(rules::kept).collect();
    // What has come down to a join by time goes on down.
    let below = rules.iter().position(|r| r.name() == "push_down_filter").map_or(rules.len(), |at| at + 1);
    rules.insert(below, Arc::new(as_of::push_filter::PushFilterBelowAsOf));
    let mut builder = SessionStateBuilder::new_with_default_features()
        .with_config(SessionConfig::from(options(zone)))
        .with_type_planner(Arc::new(FlinkTypes))
        .with_optimizer_rules(rules);
    // Asked before DataFusion's own, which would answer for the same forms.
    let own: [Arc<dyn ExprPlanner>; 5] = [
        Arc::new(FlinkSyntax::new(clock)),
        Arc::new(JsonArrow),
        Arc::new(DecimalDivision),
        Arc::new(FieldNames),
        Arc::new(CountedRows),
    ];
    builder.expr_planners().get_or_insert_default().splice(0..0, own);
    let mut state = builder.build();
    state.register_relation_planner(Arc::new(windows::planner::WindowPlanner::new(zone)))?;
    state.register_relation_planner(Arc::new(unnest::UnnestPlanner))?;
    state.register_relation_planner(Arc::new(resolve::UsingPlanner))?;
    state.register_relation_planner(Arc::new(set_all::SetAllPlanner))?;
    state.register_relation_planner(Arc::new(as_of::planner::AsOfPlanner))?;
    state.register_relation_planner(Arc::new(short_alias::ShortAliasPlanner))?;
    state.register_relation_planner(Arc::new(subqueries::LateralPlanner))?;
    datafusion_functions_json::register_all(&mut state)?;
    for function in crate::functions::all(clock) {
        state.register_udf(Arc::new(function))?;
    }
    state.register_udaf(Arc::new(average()))?;
    for function in crate::functions::aggregate::all() {
        state.register_udaf(Arc::new(function))?;
    }
    let casts = Arc::new(FlinkCasts::new(zone, state.scalar_functions().get("date_format").cloned()));
    state.add_analyzer_rule(Arc::clone(&casts) as _);
    Ok((state, casts))
}

fn options(zone: Zone) -> ConfigOptions {
    let mut options = ConfigOptions::new();
    let parser = &mut options.sql_parser;
    // Case is preserved; what differs only in case is mended.
    parser.enable_ident_normalization = false;
    parser.collect_spans = true;
    parser.map_string_types_to_utf8view = false;
    // As Flink: NULL is the least of all values.
    parser.default_null_ordering = "nulls_min".into();
    // A subquery that is used as a value is a join, which can be kept up to date.
    options.optimizer.enable_physical_uncorrelated_scalar_subquery = false;
    options.execution.time_zone = Some(zone.name().to_string());
    options
}
