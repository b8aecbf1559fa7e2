//! Functions with `OVER`: by event time, as rows come, partition by partition, or kept up to date.
//!
//! Append only, where that can be: ordered by the event time with frames that end at the current row, rows come out as the
//! watermark passes them; partitioned by a window's bounds, as the window closes; over tables that end, at the end. All
//! else is kept up to date with each change, as are rows that may be taken back, and whatever asks for `EMIT CHANGES`.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion::arrow::row::{RowConverter, SortField};
use datafusion::common::DFSchema;
use datafusion::logical_expr::expr::{NullTreatment, Sort, WindowFunction};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, LogicalPlan, Window, WindowFrame, WindowFunctionDefinition};
use datafusion::physical_expr::PhysicalSortExpr;
use datafusion::physical_planner::create_window_expr_with_name;
use tidemill_core::{ChangeMode, Error, Micros};
use tidemill_plan::Edge;
use tidemill_plan::op::{OverForm, OverFunction, OverOp, StreamOp};
use tidemill_plan::over::{Reach, time_reach};

use super::emission::Emission;
use super::express::{column, refuse_subquery};
use super::lowering::Lowering;
use super::refusal::{Lower, no_form};
use super::relation::{Bound, Origin, Relation, Slot, WindowRef, bare_column};
use crate::windows::arrival::arrival_frame;

/// Functions that share their partition and order.
struct Group<'a> {
    input: &'a LogicalPlan,
    partition_by: &'a [Expr],
    order_by: &'a [Sort],
    /// The functions, each with its place among those of the node.
    functions: Vec<(usize, String, &'a WindowFunction)>,
}

impl Group<'_> {
    /// The frames of the functions, where all of them see their rows in the order in which they come.
    fn arrival_frames(&self) -> Option<Vec<WindowFrame>> {
        self.functions.iter().map(|(_, _, call)| arrival_frame(self.input, call)).collect()
    }
}

impl Lowering<'_> {
    pub(super) fn over_window(&mut self, window: &Window, emission: Emission) -> Lower<Relation> {
        let schema = window.input.schema();
        let relation = self.relation(&window.input, emission)?;
        let relation = self.attach(relation)?;
        let mut relation = self.distinct_places(relation, schema)?;
        let input = &self.plan.node(relation.node).edge.schema;
        // A row that is taken back is found by all of its columns.
        let comparable = |f: &FieldRef| RowConverter::supports_fields(&[SortField::new(f.data_type().clone())]);
        if !input.fields().iter().all(comparable) {
            return Err(no_form(&LogicalPlan::Window(window.clone())));
        }
        let columns = schema.fields().len();
        let mut places = vec![0; window.window_expr.len()];
        for group in groups(window)? {
            let fields: Vec<FieldRef> =
                group.functions.iter().map(|(i, ..)| Arc::clone(&window.schema.fields()[columns + i])).collect();
            let first = self.over_group(&mut relation, schema, &group, fields, emission)?;
            group.functions.iter().enumerate().for_each(|(i, (place, ..))| places[*place] = first + i);
        }
        relation.slots.extend(places.into_iter().map(|place| Slot::at(place, Origin::Other)));
        Ok(relation)
    }

    /// Adds an operator above `relation`, whose slots are those of `schema`. Returns the place of its first result.
    fn over_group(
        &mut self,
        relation: &mut Relation,
        schema: &DFSchema,
        group: &Group<'_>,
        fields: Vec<FieldRef>,
        emission: Emission,
    ) -> Lower<usize> {
        let partition_by = self.partition_columns(relation, schema, group.partition_by)?;
        let over = self.schema_over(relation, schema)?;
        let order_by = group.order_by.iter().map(|sort| {
            let expr = self.express(&sort.expr, &over)?;
            let options =
                datafusion::arrow::compute::SortOptions { descending: !sort.asc, nulls_first: sort.nulls_first };
            Ok(PhysicalSortExpr { expr, options })
        });
        let order_by = order_by.collect::<Lower<Vec<_>>>()?;
        let mut functions = vec![];
        for (_, name, call) in &group.functions {
            functions.push(self.function(name.clone(), call, &over)?);
        }
        let mut form = self.form(relation, schema, group, &partition_by, &functions, emission)?;
        if let OverForm::Arrival { number } = &mut form {
            *number = self.numbered(relation);
            for (function, frame) in functions.iter_mut().zip(group.arrival_frames().unwrap_or_default()) {
                function.frame = Arc::new(frame);
            }
        }
        let input = self.plan.node(relation.node).edge.clone();
        let first = input.schema.fields().len();
        let fields: Vec<FieldRef> = input.schema.fields().iter().cloned().chain(fields).collect();
        let mut edge = Edge { schema: Arc::new(Schema::new(fields)), ..input };
        match &form {
            OverForm::Changes => {
                edge.changes = ChangeMode::Retract;
                edge.event_time = None;
                forget_time(relation, |_| false);
            }
            OverForm::EventTime { .. } | OverForm::Arrival { .. } | OverForm::Partitions { end: None, .. } => {}
            OverForm::Partitions { end: Some((end, _)), .. } => {
                let of_end = |s: &Slot| match &s.origin {
                    Origin::Window(Bound::End, window) if s.index() == Some(*end) => Some(window.clone()),
                    _ => None,
                };
                let window = relation.slots.iter().chain(&relation.hidden).find_map(of_end);
                // Rows come out with their window, however old they are: time goes on in `window_time`.
                edge.event_time = window.as_ref().and_then(|w| relation.bound(Bound::Time, w));
                forget_time(relation, |origin| matches!((origin, &window), (Origin::Window(_, a), Some(b)) if a == b));
            }
        }
        let op = OverOp { partition_by, order_by, functions, form };
        relation.node = self.plan.add(StreamOp::Over(op), vec![relation.node], edge);
        Ok(first)
    }

    /// The column in which the rows of `relation` are counted as they come. It goes on with them, since workers do not hand rows on
    /// in that order.
    pub(super) fn numbered(&mut self, relation: &mut Relation) -> usize {
        let counted = relation.hidden.iter().find(|s| s.origin == Origin::Arrival).and_then(Slot::index);
        counted.unwrap_or_else(|| {
            let edge = self.plan.node(relation.node).edge.clone();
            let place = edge.schema.fields().len();
            let number = Arc::new(Field::new("__arrival", DataType::Int64, false));
            let fields: Vec<FieldRef> = edge.schema.fields().iter().cloned().chain([number]).collect();
            let edge = Edge { schema: Arc::new(Schema::new(fields)), ..edge };
            relation.node = self.plan.add(StreamOp::Number, vec![relation.node], edge);
            relation.hidden.push(Slot::at(place, Origin::Arrival));
            place
        })
    }

    /// The columns of `PARTITION BY`, computed where they are not columns yet.
    fn partition_columns(&mut self, relation: &mut Relation, schema: &DFSchema, by: &[Expr]) -> Lower<Vec<usize>> {
        let over = self.schema_over(relation, schema)?;
        let edge = self.plan.node(relation.node).edge.clone();
        let mut fields: Vec<FieldRef> = edge.schema.fields().iter().cloned().collect();
        let mut exprs: Vec<_> = (0..fields.len()).map(|i| column(&edge, i)).collect();
        let (mut places, mut seen) = (vec![], HashSet::new());
        for expr in by {
            let place = match bare_column(expr).and_then(|c| relation.slot(schema, c)).and_then(Slot::index) {
                Some(place) => place,
                None => {
                    let physical = self.express(expr, &over)?;
                    let field = Field::new(
                        expr.schema_name().to_string(),
                        physical.data_type(over.as_arrow())?,
                        physical.nullable(over.as_arrow())?,
                    );
                    fields.push(Arc::new(field));
                    exprs.push(physical);
                    fields.len() - 1
                }
            };
            if seen.insert(place) {
                places.push(place);
            }
        }
        if fields.len() > edge.schema.fields().len() {
            let edge = Edge { schema: Arc::new(Schema::new(fields)), ..edge };
            relation.node = self.plan.add(StreamOp::Project(exprs), vec![relation.node], edge);
        }
        Ok(places)
    }

    fn function(&self, name: String, call: &WindowFunction, over: &DFSchema) -> Lower<OverFunction> {
        let params = &call.params;
        let args = params.args.iter().map(|a| self.express(a, over)).collect::<Lower<Vec<_>>>()?;
        if args.is_empty() && matches!(call.fun, WindowFunctionDefinition::AggregateUDF(_)) {
            return Err(Error::unsupported(format!("{name}: an aggregate without an argument")).into());
        }
        Ok(OverFunction {
            function: call.fun.clone(),
            name,
            args,
            filter: params.filter.as_ref().map(|f| self.express(f, over)).transpose()?,
            frame: Arc::new(params.window_frame.clone()),
            ignore_nulls: params.null_treatment == Some(NullTreatment::IgnoreNulls),
            distinct: params.distinct,
        })
    }

    /// When the rows are put out. `streams` is whether every value is known as soon as all rows up to it are there.
    fn form(
        &mut self,
        relation: &mut Relation,
        schema: &DFSchema,
        group: &Group<'_>,
        partition_by: &[usize],
        functions: &[OverFunction],
        emission: Emission,
    ) -> Lower<OverForm> {
        let edge = self.plan.node(relation.node).edge.clone();
        let allowed_lateness = self.options.allowed_lateness;
        // Lowered here as DataFusion does, so that what it refuses is refused before the query starts.
        let streams = self.can_stream(relation, schema, group, functions)?;
        if edge.changes != ChangeMode::Append || matches!(emission, Emission::Changes { .. }) {
            return Ok(OverForm::Changes);
        }
        if let Some((end, window)) = closing_window(relation, partition_by) {
            return Ok(OverForm::Partitions { end: Some((end, window.window().clone())), allowed_lateness });
        }
        if streams && group.arrival_frames().is_some() {
            return Ok(OverForm::Arrival { number: 0 });
        }
        let first = group.order_by.first().and_then(|s| bare_column(&s.expr).and_then(|c| relation.slot(schema, c)));
        if let Some((time, origin)) = first.and_then(|s| Some((s.index()?, s.origin.clone())))
            && streams
            && (is_time(&origin) || edge.event_time == Some(time))
        {
            let (timed, speaks) = self.timed(relation.clone(), time, &origin);
            if speaks {
                *relation = timed;
                let reach = functions.iter().map(time_reach).try_fold(0, |all: Micros, one| Some(all.max(one?)));
                return Ok(OverForm::EventTime { time, allowed_lateness, reach });
            }
        }
        Ok(match edge.bounded {
            true => OverForm::Partitions { end: None, allowed_lateness: 0 },
            false => OverForm::Changes,
        })
    }

    /// Whether every value is known when all rows up to it are there, if the first of `ORDER BY` is the time.
    fn can_stream(
        &self,
        relation: &Relation,
        schema: &DFSchema,
        group: &Group<'_>,
        functions: &[OverFunction],
    ) -> Lower<bool> {
        let over = self.schema_over(relation, schema)?;
        let mut streams = group.order_by.first().is_some_and(|s| s.asc);
        for ((_, name, call), function) in group.functions.iter().zip(functions) {
            let call = Expr::WindowFunction(Box::new((*call).clone()));
            let none = PhysicalPlanningContext::default();
            refuse_subquery(&call)?;
            let expr = create_window_expr_with_name(&call, name, &over, &self.props, &none)?;
            // An aggregate that cannot follow its frame says so here.
            expr.create_window_fn()?;
            streams &= Reach::of(function).looks_back_only() && expr.uses_bounded_memory() && forgets(function);
        }
        Ok(streams)
    }
}

/// The window whose bounds are in `PARTITION BY`, and the column of its end.
fn closing_window<'a>(relation: &'a Relation, partition_by: &[usize]) -> Option<(usize, &'a WindowRef)> {
    let windows = relation.slots.iter().chain(&relation.hidden).filter_map(|slot| match &slot.origin {
        Origin::Window(_, window) if window.timed() => Some(window),
        _ => None,
    });
    windows.into_iter().find_map(|window| {
        let named = |bound: &Bound| relation.bound(*bound, window).is_some_and(|place| partition_by.contains(&place));
        let bounds: Vec<Bound> = Bound::ALL.into_iter().filter(named).collect();
        let end = relation.bound(Bound::End, window).filter(|_| window.closed_by(&bounds))?;
        Some((end, window))
    })
}

fn is_time(origin: &Origin) -> bool {
    match origin {
        Origin::EventTime | Origin::ProcessingTime => true,
        Origin::Window(Bound::Time, window) => window.timed(),
        _ => false,
    }
}

/// Whether a function lets go of rows as it goes on. DataFusion's `NTH_VALUE .. IGNORE NULLS` does not.
fn forgets(function: &OverFunction) -> bool {
    let nth = matches!(&function.function, WindowFunctionDefinition::WindowUDF(udf) if udf.name() == "nth_value");
    !(nth && function.ignore_nulls && function.frame.start_bound.is_unbounded())
}

/// The functions of a node, those with the same partition and order together.
fn groups(window: &Window) -> Lower<Vec<Group<'_>>> {
    let mut groups: Vec<Group<'_>> = vec![];
    for (place, expr) in window.window_expr.iter().enumerate() {
        let name = expr.schema_name().to_string();
        let mut call = expr;
        while let Expr::Alias(alias) = call {
            call = &alias.expr;
        }
        let Expr::WindowFunction(call) = call else {
            return Err(Error::internal(format!("'{name}' is not a function with OVER")).into());
        };
        let (partition_by, order_by) = (&call.params.partition_by[..], &call.params.order_by[..]);
        match groups.iter_mut().find(|g| g.partition_by == partition_by && g.order_by == order_by) {
            Some(group) => group.functions.push((place, name, call)),
            None => groups.push(Group {
                input: &window.input,
                partition_by,
                order_by,
                functions: vec![(place, name, call)],
            }),
        }
    }
    Ok(groups)
}

/// Keeps the meaning in time of what `keep` says, of nothing else.
fn forget_time(relation: &mut Relation, keep: impl Fn(&Origin) -> bool) {
    relation.slots.iter_mut().filter(|s| !keep(&s.origin)).for_each(|s| s.origin = Origin::Other);
    relation.hidden.retain(|s| keep(&s.origin));
}
