//! The way of a plan: every query of a file is added, then all are lowered into one stream plan.

use std::collections::HashMap;

use datafusion::execution::SessionState;
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::{Distinct, LogicalPlan};
use tidemill_core::{EpochClock, Error, Micros, Result, Span};
use tidemill_plan::op::SinkTarget;
use tidemill_plan::window::{Window, Zone};
use tidemill_plan::{NodeId, StreamPlan};

use super::bounded::{is_bounded, unbounded_tables};
use super::clock;
use super::emission::Emission;
use super::fields;
use super::refusal::{Lower, NoForm, Refusal, no_form};
use super::relation::Relation;
use super::sink;
use super::sort::order_of;
use super::source::Sources;
use super::warnings::warnings;
use crate::as_of::{AsOfNode, LookupNode};
use crate::catalog::StreamScan;
use crate::session;
use crate::windows::WindowNode;

/// What a session says about how queries are lowered.
#[derive(Debug, Clone)]
pub struct LowerOptions {
    /// How long a closed window may still be corrected.
    pub allowed_lateness: Micros,
    /// The session's time zone.
    pub zone: Zone,
    /// What becomes of a query whose state grows for ever.
    pub unbounded_state: UnboundedState,
    /// State that no row has touched for so long by the epoch's clock is let go. 0: never.
    pub state_ttl: Micros,
}

impl Default for LowerOptions {
    fn default() -> Self {
        Self { allowed_lateness: 0, zone: Zone::Utc, unbounded_state: UnboundedState::Warn, state_ttl: 0 }
    }
}

/// `'state.unbounded'`: what becomes of a query whose state grows for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnboundedState {
    /// It runs, and nothing is said.
    Allow,
    /// It runs, with a warning that names a remedy.
    #[default]
    Warn,
    /// It is an error.
    Reject,
}

impl From<&str> for UnboundedState {
    /// From the value of the setting, which knows these words only.
    fn from(word: &str) -> Self {
        match word {
            "allow" => Self::Allow,
            "reject" => Self::Reject,
            _ => Self::Warn,
        }
    }
}

/// Lowers the queries of a file. Add them all, then [`finish`](Self::finish).
pub struct Lowering<'a> {
    pub(super) state: &'a SessionState,
    pub(super) props: ExecutionProps,
    pub(super) options: LowerOptions,
    pub(super) plan: StreamPlan,
    pub(super) sources: Sources,
    /// The rows of a window function, by where they come from, so that two readers share them.
    pub(super) attached: HashMap<(NodeId, Window, Vec<usize>, bool), NodeId>,
    /// The sinks that collect a node's columns for a batch run.
    pub(super) collected: HashMap<(NodeId, Vec<usize>), NodeId>,
    /// Time columns of windows that are put out with each change and never close.
    pub(super) endless: Vec<String>,
    /// What was lowered before.
    done: HashMap<(LogicalPlan, Emission), Result<Relation, NoForm>>,
    queries: Vec<Query>,
    /// For the query being lowered, tables of which state is kept for a time of its own.
    state_ttls: Vec<(String, Micros)>,
    /// Whether the query being lowered ends by itself, so that a batch run may answer any part of it.
    pub(super) bounded: bool,
    /// The order at the top of the query being lowered: its rows are to come out in it.
    pub(super) order: Option<LogicalPlan>,
}

struct Query {
    plan: LogicalPlan,
    emission: Emission,
    target: SinkTarget,
    span: Option<Span>,
    state_ttls: Vec<(String, Micros)>,
}

impl<'a> Lowering<'a> {
    /// With the functions and settings of `state`. `clock` is what the session's functions read the time from.
    pub fn new(state: &'a SessionState, clock: EpochClock, options: LowerOptions) -> Self {
        let mut props = state.execution_props().clone();
        // Functions of the clock read it in each epoch; a start time would freeze them.
        props.query_execution_start_time = None;
        props.config_options = Some(state.config_options().clone());
        Self {
            state,
            props,
            options,
            plan: StreamPlan::new(clock),
            sources: Sources::default(),
            attached: HashMap::new(),
            collected: HashMap::new(),
            endless: vec![],
            done: HashMap::new(),
            queries: vec![],
            state_ttls: vec![],
            bounded: false,
            order: None,
        }
    }

    /// Adds a planned query, and who takes its rows.
    pub fn add(&mut self, query: &session::Query, target: SinkTarget) -> Result<()> {
        self.add_plan(query.plan.clone(), query.emit.into(), target, Some(query.span));
        if let Some(added) = self.queries.last_mut() {
            added.state_ttls = query.state_ttls.clone();
        }
        Ok(())
    }

    /// Adds a query: an optimised plan, when its result is put out, and who takes it. `span` is the query's place in the
    /// text, for errors.
    pub fn add_plan(&mut self, plan: LogicalPlan, emission: Emission, target: SinkTarget, span: Option<Span>) {
        self.queries.push(Query { plan, emission, target, span, state_ttls: vec![] });
    }

    /// Lowers all queries into one dataflow, with its sinks in the order of the queries; and what should be said before it
    /// starts, a sentence each. An error names what cannot be run, and its query's place.
    pub fn finish(mut self) -> Result<(StreamPlan, Vec<String>)> {
        let mut queries = std::mem::take(&mut self.queries);
        let mut plans: Vec<LogicalPlan> = queries.iter().map(|query| query.plan.clone()).collect();
        fields::leave_out_unread(&mut plans)?;
        queries.iter_mut().zip(plans).for_each(|(query, plan)| query.plan = plan);
        for query in &queries {
            self.sources.want(&query.plan)?;
            if clock::is_read(&query.plan)? {
                self.plan.clock().will_be_read();
            }
        }
        let mut sinks = vec![];
        for query in queries {
            let span = query.span;
            let sink = self.query(query).map_err(|e| match span {
                Some(span) => e.at(span),
                None => e,
            })?;
            sinks.push(sink);
        }
        let plan = sink::reachable(&self.plan, &sinks);
        let warnings = warnings(&plan, &self.endless, self.options.unbounded_state)?;
        Ok((plan, warnings))
    }

    fn query(&mut self, query: Query) -> Result<NodeId> {
        self.bounded = is_bounded(&query.plan, &self.sources);
        let ttls = hinted(&query.plan, &query.state_ttls)?;
        if ttls != self.state_ttls {
            // Parts that were lowered before keep their state for another time.
            self.done.clear();
            self.state_ttls = ttls;
        }
        self.order = order_of(&query.plan).map(|sort| LogicalPlan::Sort(sort.clone()));
        let lowered = match &self.order {
            Some(_) if self.bounded => self.at_end(&query.plan),
            Some(_) => self.sort_unbounded(&query.plan, query.emission),
            None => {
                let relation = self.relation(&query.plan, query.emission);
                relation.and_then(|r| self.held_back(r, query.emission))
            }
        };
        // Some refusals show only where the columns are laid out for the sink.
        let sink = lowered.and_then(|r| self.sink(r, query.plan.schema(), query.target.clone()));
        let sink = match sink {
            Err(Refusal::NoForm(_)) if self.bounded && self.order.is_none() => {
                self.at_end(&query.plan).and_then(|r| self.sink(r, query.plan.schema(), query.target))
            }
            other => other,
        };
        sink.map_err(|refusal| match refusal {
            Refusal::Error(e) => e,
            Refusal::NoForm(no_form) => no_form.over(&unbounded_tables(&query.plan)),
        })
    }

    /// Lowers `plan`, or finds what was lowered before.
    pub(super) fn relation(&mut self, plan: &LogicalPlan, emission: Emission) -> Lower<Relation> {
        match self.incremental(plan, emission.for_plan(plan)) {
            // In a query that goes on, a part that ends may still be answered by a batch run.
            Err(Refusal::NoForm(_)) if !self.bounded && is_bounded(plan, &self.sources) => self.at_end(plan),
            other => other,
        }
    }

    fn incremental(&mut self, plan: &LogicalPlan, emission: Emission) -> Lower<Relation> {
        let key = (plan.clone(), emission);
        if self.sources.plans_tell_tables_apart()
            && let Some(done) = self.done.get(&key)
        {
            return done.clone().map_err(Refusal::NoForm);
        }
        let lowered = self.node(plan, emission);
        match &lowered {
            Ok(relation) => drop(self.done.insert(key, Ok(relation.clone()))),
            Err(Refusal::NoForm(no_form)) => drop(self.done.insert(key, Err(no_form.clone()))),
            Err(Refusal::Error(_)) => {}
        }
        lowered
    }

    /// Every kind of node that has an incremental form.
    fn node(&mut self, plan: &LogicalPlan, emission: Emission) -> Lower<Relation> {
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan, emission),
            LogicalPlan::Filter(filter) => self.filter(filter, emission),
            LogicalPlan::Projection(projection) => self.projection(projection, emission),
            LogicalPlan::SubqueryAlias(alias) => self.relation(&alias.input, emission),
            // Where rows are processed is for the dataflow to say.
            LogicalPlan::Repartition(repartition) => self.relation(&repartition.input, emission),
            LogicalPlan::Sort(sort) => self.sort(sort, emission),
            LogicalPlan::Limit(limit) => self.limit(limit, emission),
            LogicalPlan::Union(union) => self.union(union, emission),
            LogicalPlan::Join(join) => self.join(join, emission),
            LogicalPlan::Unnest(unnest) => self.unnest(unnest, emission),
            LogicalPlan::Values(values) => self.values(values),
            LogicalPlan::EmptyRelation(empty) => self.empty(empty),
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate, emission),
            LogicalPlan::Window(window) => self.over_window(window, emission),
            LogicalPlan::Distinct(Distinct::All(input)) => self.distinct(input, emission),
            LogicalPlan::Extension(extension) => {
                let node = extension.node.as_any();
                if let Some(window) = node.downcast_ref::<WindowNode>() {
                    self.window(window)
                } else if let Some(join) = node.downcast_ref::<AsOfNode>() {
                    self.as_of_join(join, emission)
                } else if let Some(join) = node.downcast_ref::<LookupNode>() {
                    self.lookup_join(join, emission)
                } else {
                    Err(no_form(plan))
                }
            }
            other => Err(no_form(other)),
        }
    }

    /// How long state is kept that no row of `input` touches; `None` where it is kept for as long as the query runs.
    pub(super) fn ttl(&self, input: NodeId) -> Option<Micros> {
        let tables = self.plan.tables_below(input);
        let hinted = self.state_ttls.iter().filter(|(table, _)| tables.contains(table)).map(|(_, ttl)| *ttl);
        Some(hinted.max().unwrap_or(self.options.state_ttl)).filter(|ttl| *ttl > 0)
    }

    /// Whether the rows of a relation are never taken back.
    pub(super) fn is_append(&self, relation: &Relation) -> bool {
        self.plan.node(relation.node).edge.changes == tidemill_core::ChangeMode::Append
    }
}

/// The tables that `STATE_TTL` hints name, by themselves or by the name that the query has for them.
fn hinted(plan: &LogicalPlan, hints: &[(String, Micros)]) -> Result<Vec<(String, Micros)>> {
    let mut ttls = vec![];
    for (name, ttl) in hints {
        let mut tables = vec![];
        let mut known: Vec<String> = vec![];
        named(plan, false, name, &mut tables, &mut known);
        if tables.is_empty() {
            return Err(Error::statement(format!("STATE_TTL names '{name}', which this query does not read"))
                .with_nearest(name, known.iter().map(String::as_str)));
        }
        ttls.extend(tables.into_iter().map(|table| (table, *ttl)));
    }
    Ok(ttls)
}

/// Adds to `tables` the tables below `plan` that are called `name`, or that stand below something that is; `known` are all names.
fn named(plan: &LogicalPlan, within: bool, name: &str, tables: &mut Vec<String>, known: &mut Vec<String>) {
    let mut within = within;
    if let LogicalPlan::SubqueryAlias(alias) = plan {
        within |= alias.alias.table().eq_ignore_ascii_case(name);
        known.push(alias.alias.table().to_string());
    }
    if let LogicalPlan::TableScan(scan) = plan {
        let stream = scan.source.downcast_ref::<StreamScan>().map(|s| s.table.name.clone());
        let table = stream.unwrap_or_else(|| scan.table_name.to_string());
        if within || table.eq_ignore_ascii_case(name) {
            tables.push(table.clone());
        }
        known.push(table);
    }
    plan.inputs().into_iter().for_each(|input| named(input, within, name, tables, known));
}
