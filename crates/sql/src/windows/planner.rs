//! Window functions in `FROM`: `TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND))` and the short
//! `TUMBLE(t, ts, INTERVAL '10' SECOND)` become a [`WindowNode`] over the plan of their relation.

use std::sync::Arc;

use datafusion::common::{Column, DFSchema, DataFusionError, ExprSchema, Result as PlanResult, ScalarValue};
use datafusion::logical_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr as PlanExpr, Extension, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, ObjectNamePart, Spanned,
    TableAlias, TableFactor,
};
use sqlparser::tokenizer::Span as TokenSpan;
use tidemill_core::{Error, Micros, Result};
use tidemill_plan::window::{Length, WindowKind, Zone};

use super::{WINDOW_COLUMNS, WindowNode};
use crate::catalog::names::find_one;
use crate::error::carried;
use crate::parser::finish::table_factor;
use crate::parser::forms::TABLE_ARGUMENT;
use crate::parser::source::place;
use crate::parser::types::type_name;

/// Plans window functions.
#[derive(Debug)]
pub(crate) struct WindowPlanner {
    zone: Zone,
}

impl WindowPlanner {
    pub(crate) fn new(zone: Zone) -> Self {
        Self { zone }
    }
}

/// The window functions, the names of their lengths by place, and how they are written.
const FUNCTIONS: &[(&str, &[&str], &str)] = &[
    ("TUMBLE", &["SIZE", "OFFSET"], "TUMBLE(TABLE t, DESCRIPTOR(time), size [, offset])"),
    ("HOP", &["SLIDE", "SIZE", "OFFSET"], "HOP(TABLE t, DESCRIPTOR(time), slide, size [, offset])"),
    ("CUMULATE", &["STEP", "SIZE", "OFFSET"], "CUMULATE(TABLE t, DESCRIPTOR(time), step, size [, offset])"),
    ("SESSION", &["GAP"], "SESSION(TABLE t [PARTITION BY key], DESCRIPTOR(time), gap)"),
];

impl RelationPlanner for WindowPlanner {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> PlanResult<RelationPlanning> {
        let (call, alias) = match Call::of(&relation) {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(RelationPlanning::Original(Box::new(relation))),
            Err(e) => return Err(carried(e)),
        };
        let plan = self.plan(call, context)?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))))
    }
}

impl WindowPlanner {
    fn plan(&self, call: Call, context: &mut dyn RelationPlannerContext) -> PlanResult<LogicalPlan> {
        let input = context.plan(call.table.clone())?;
        let (input, renamed) = without_window_columns(input)?;
        let column = |expr: &Expr| column_of(expr, input.schema(), &renamed, call.name);
        let time = column(&call.time).map_err(carried)?;
        let partition_by = call.partition_by.iter().map(column).collect::<Result<Vec<_>>>().map_err(carried)?;
        let time_type = input.schema().field_from_column(&time)?.data_type();
        if !matches!(time_type, datafusion::arrow::datatypes::DataType::Timestamp(..)) {
            let message = format!(
                "{} needs a TIMESTAMP or TIMESTAMP_LTZ column, and '{}' is {}",
                call.name,
                time.name,
                type_name(time_type)
            );
            let hint = "Declare a computed column: ts AS TO_TIMESTAMP_LTZ(ms, 3).";
            return Err(carried(Error::statement(message).with_hint(hint).at(place(call.time.span()))));
        }
        let mut lengths = vec![];
        for (name, expr) in &call.lengths {
            lengths.push((*name, length(expr, name, context)?, place(expr.span())));
        }
        let (kind, offset) = kind(call.name, &lengths).map_err(|e| carried(e.at(place(call.span))))?;
        let node = WindowNode::try_new(input, time, kind, offset, self.zone, partition_by)?;
        Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
    }
}

/// A window function as it was called.
struct Call {
    name: &'static str,
    span: TokenSpan,
    table: TableFactor,
    partition_by: Vec<Expr>,
    time: Expr,
    /// Its lengths, by name.
    lengths: Vec<(&'static str, Expr)>,
}

impl Call {
    /// The window function that `relation` calls, if it does.
    fn of(relation: &TableFactor) -> Result<Option<(Self, Option<TableAlias>)>> {
        match relation {
            TableFactor::TableFunction { expr: Expr::Function(f), alias } => {
                let FunctionArguments::List(list) = &f.args else { return Err(unknown(&f.name)) };
                match Self::parse(&f.name, &list.args)? {
                    Some(call) => Ok(Some((call, alias.clone()))),
                    None => Err(unknown(&f.name)),
                }
            }
            TableFactor::TableFunction { expr, .. } => {
                Err(Error::statement("TABLE(..) needs a window function").at(place(expr.span())))
            }
            TableFactor::Table { name, args: Some(args), alias, .. } => {
                Ok(Self::parse(name, &args.args)?.map(|call| (call, alias.clone())))
            }
            _ => Ok(None),
        }
    }

    fn parse(name: &ObjectName, args: &[FunctionArg]) -> Result<Option<Self>> {
        let [ObjectNamePart::Identifier(ident)] = name.0.as_slice() else { return Ok(None) };
        let Some((function, lengths, usage)) = FUNCTIONS.iter().find(|(f, ..)| ident.value.eq_ignore_ascii_case(f))
        else {
            return Ok(None);
        };
        let wrong = |message: String, span: TokenSpan| {
            Error::statement(message).with_hint(format!("Write {usage}.")).at(place(span))
        };
        let names: Vec<&'static str> = ["DATA", "TIMECOL"].into_iter().chain(lengths.iter().copied()).collect();
        let mut given: Vec<(&'static str, Expr)> = vec![];
        for (i, arg) in args.iter().enumerate() {
            let (slot, expr) = match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => match names.get(i) {
                    Some(slot) => (*slot, expr),
                    None => return Err(wrong(format!("{function} has an argument too many"), expr.span())),
                },
                FunctionArg::Named { name, arg: FunctionArgExpr::Expr(expr), .. } => {
                    match names.iter().find(|n| name.value.eq_ignore_ascii_case(n)) {
                        Some(slot) => (*slot, expr),
                        None => {
                            return Err(Error::statement(format!("{function} has no argument '{}'", name.value))
                                .with_nearest(&name.value, names.iter().copied())
                                .at(place(name.span)));
                        }
                    }
                }
                other => return Err(wrong(format!("{function} cannot take '{other}'"), ident.span)),
            };
            if given.iter().any(|(s, _)| *s == slot) {
                return Err(wrong(format!("{function} is given {slot} twice"), expr.span()));
            }
            given.push((slot, expr.clone()));
        }
        let mut take = |slot: &'static str| {
            let found = given.iter().position(|(s, _)| *s == slot);
            found.map(|i| given.remove(i).1)
        };
        let missing = |slot: &str| wrong(format!("{function} lacks its {}", description(slot)), ident.span);
        let data = take("DATA").ok_or_else(|| missing("DATA"))?;
        let time = take("TIMECOL").ok_or_else(|| missing("TIMECOL"))?;
        let mut found = vec![];
        for slot in lengths.iter().copied() {
            match take(slot) {
                Some(expr) => found.push((slot, expr)),
                None if slot == "OFFSET" => {}
                None => return Err(missing(slot)),
            }
        }
        let (table, partition_by) = relation_of(data, function)?;
        if !partition_by.is_empty() && *function != "SESSION" {
            let message = format!("PARTITION BY is for SESSION: {function} windows are the same for all keys");
            return Err(Error::statement(message)
                .with_hint("Leave it out, and GROUP BY the keys.")
                .at(place(partition_by[0].span())));
        }
        let time = descriptor(time);
        Ok(Some(Self { name: function, span: ident.span, table, partition_by, time, lengths: found }))
    }
}

fn description(slot: &str) -> &'static str {
    match slot {
        "DATA" => "table",
        "TIMECOL" => "time column",
        "SIZE" => "size",
        "SLIDE" => "slide",
        "STEP" => "step",
        "GAP" => "gap",
        _ => "offset",
    }
}

fn unknown(name: &ObjectName) -> Error {
    Error::statement(format!("there is no table function '{name}'"))
        .with_nearest(&name.to_string(), FUNCTIONS.iter().map(|(f, ..)| *f))
        .at(place(name.span()))
}

/// The relation that an argument names, and the columns of its `PARTITION BY`.
fn relation_of(data: Expr, function: &str) -> Result<(TableFactor, Vec<Expr>)> {
    let span = data.span();
    let by_name = |parts: Vec<Ident>| table_factor(ObjectName::from(parts), vec![]);
    Ok(match data {
        Expr::Identifier(ident) => (by_name(vec![ident]), vec![]),
        Expr::CompoundIdentifier(parts) => (by_name(parts), vec![]),
        Expr::Subquery(subquery) => {
            (TableFactor::Derived { lateral: false, subquery, alias: None, sample: None }, vec![])
        }
        Expr::Nested(inner) => relation_of(*inner, function)?,
        Expr::Function(Function { name, args: FunctionArguments::List(list), .. })
            if name.to_string() == TABLE_ARGUMENT =>
        {
            let mut args = list.args.into_iter().filter_map(|a| match a {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => Some(e),
                _ => None,
            });
            let table = args.next().ok_or_else(|| Error::internal("a TABLE argument without a table"))?;
            (relation_of(table, function)?.0, args.collect())
        }
        // A window over a window.
        call @ Expr::Function(_) => (TableFactor::TableFunction { expr: call, alias: None }, vec![]),
        other => {
            return Err(Error::statement(format!("{function} needs a table, not '{other}'"))
                .with_hint("Write TABLE t, or a query in parentheses.")
                .at(place(span)));
        }
    })
}

/// The column inside `DESCRIPTOR(..)`; the short form leaves that out.
fn descriptor(expr: Expr) -> Expr {
    match &expr {
        Expr::Function(Function { name, args: FunctionArguments::List(list), .. })
            if name.to_string().eq_ignore_ascii_case("DESCRIPTOR") =>
        {
            match list.args.as_slice() {
                [FunctionArg::Unnamed(FunctionArgExpr::Expr(column))] => column.clone(),
                _ => expr,
            }
        }
        _ => expr,
    }
}

/// The column of the input that an expression names.
fn column_of(expr: &Expr, schema: &DFSchema, renamed: &[(String, String)], function: &str) -> Result<Column> {
    let parts: Vec<&str> = match expr {
        Expr::Identifier(ident) => vec![&ident.value],
        Expr::CompoundIdentifier(idents) => idents.iter().map(|i| i.value.as_str()).collect(),
        other => {
            return Err(Error::statement(format!("{function} needs a column, not '{other}'"))
                .with_hint("Select the expression under a name in a subquery, or declare a computed column.")
                .at(place(expr.span())));
        }
    };
    let (name, table) = match parts.as_slice() {
        [name] => (*name, None),
        [.., table, name] => (*name, Some(*table)),
        [] => return Err(Error::internal("a name without parts")),
    };
    let name = renamed.iter().find(|(from, _)| from.eq_ignore_ascii_case(name)).map_or(name, |(_, to)| to);
    let of_table =
        |c: &Column| table.is_none_or(|t| c.relation.as_ref().is_some_and(|r| r.table().eq_ignore_ascii_case(t)));
    let columns: Vec<Column> = schema.columns().into_iter().filter(of_table).collect();
    let found =
        find_one("column", name, columns.iter().map(|c| c.name.as_str())).map_err(|e| e.at(place(expr.span())))?;
    let mut found = columns.iter().filter(|c| c.name == found);
    match (found.next(), found.next()) {
        (Some(column), None) => Ok(column.clone()),
        _ => Err(Error::statement(format!("column '{name}' is ambiguous: more than one input has it"))
            .at(place(expr.span()))),
    }
}

/// The input with any window columns of its own renamed: `window_start` becomes `window_start0`. Those of the window
/// function to come hide them.
fn without_window_columns(input: LogicalPlan) -> PlanResult<(LogicalPlan, Vec<(String, String)>)> {
    let columns = input.schema().columns();
    let mut renamed: Vec<(String, String)> = vec![];
    let exprs: Vec<PlanExpr> = columns
        .iter()
        .map(|column| match WINDOW_COLUMNS.contains(&column.name.as_str()) {
            false => PlanExpr::Column(column.clone()),
            true => {
                let free =
                    |name: &String| columns.iter().all(|c| c.name != *name) && renamed.iter().all(|(_, to)| to != name);
                let name = (0..).map(|n| format!("{}{n}", column.name)).find(free).unwrap_or_default();
                renamed.push((column.name.clone(), name.clone()));
                PlanExpr::Column(column.clone()).alias(name)
            }
        })
        .collect();
    match renamed.is_empty() {
        true => Ok((input, renamed)),
        false => Ok((LogicalPlanBuilder::from(input).project(exprs)?.build()?, renamed)),
    }
}

/// A length that an argument gives.
fn length(expr: &Expr, name: &str, context: &mut dyn RelationPlannerContext) -> PlanResult<Micros> {
    let schema = DFSchema::empty();
    let wrong = |message: String| -> DataFusionError { carried(Error::statement(message).at(place(expr.span()))) };
    let what = description(name);
    let planned = context
        .sql_to_expr(expr.clone(), &schema)
        .map_err(|_| wrong(format!("the {what} has to be an interval, such as INTERVAL '10' SECOND, not '{expr}'")))?;
    let simplifier = ExprSimplifier::new(SimplifyContext::builder().with_schema(Arc::new(schema.clone())).build());
    let planned = simplifier.coerce(planned, &schema).and_then(|e| simplifier.simplify(e))?;
    let midnight = ScalarValue::Time64Nanosecond(Some(0));
    let planned = match planned {
        // A shift by as much as a clock shows: TIME '00:12:00'.
        PlanExpr::Literal(time, _) if name == "OFFSET" && time.data_type().is_temporal() => {
            match time.cast_to(&midnight.data_type()) {
                Ok(ScalarValue::Time64Nanosecond(Some(nanos))) => lit(ScalarValue::new_interval_mdn(0, 0, nanos)),
                _ => PlanExpr::Literal(time, None),
            }
        }
        other => other,
    };
    let PlanExpr::Literal(ScalarValue::IntervalMonthDayNano(Some(interval)), _) = planned else {
        return Err(wrong(format!("the {what} has to be an interval, such as INTERVAL '10' SECOND, not '{expr}'")));
    };
    if interval.months != 0 {
        return Err(wrong(format!("the {what} needs a fixed length, and months have none")));
    }
    let nanos = i128::from(interval.days) * 86_400_000_000_000 + i128::from(interval.nanoseconds);
    if nanos % 1_000_000 != 0 {
        return Err(wrong(format!("the {what} has to be whole milliseconds")));
    }
    let micros = Micros::try_from(nanos / 1_000).map_err(|_| wrong(format!("the {what} is too long")))?;
    if micros <= 0 && name != "OFFSET" {
        return Err(wrong(format!("the {what} has to be above zero, not {}", Length(micros))));
    }
    Ok(micros)
}

type Given = (&'static str, Micros, tidemill_core::Span);

/// The windows, and by how much they are shifted.
fn kind(function: &str, lengths: &[Given]) -> Result<(WindowKind, Micros)> {
    let of = |name: &str| lengths.iter().find(|(n, ..)| *n == name);
    let need = |name: &str| of(name).ok_or_else(|| Error::internal(format!("{function} without {name}")));
    let kind = match function {
        "TUMBLE" => WindowKind::Tumble { size: need("SIZE")?.1 },
        "HOP" => WindowKind::Hop { size: need("SIZE")?.1, slide: need("SLIDE")?.1 },
        "CUMULATE" => {
            let ((_, max, span), (_, step, _)) = (need("SIZE")?, need("STEP")?);
            if max % step != 0 {
                let message =
                    format!("the size, {}, has to be a multiple of the step, {}", Length(*max), Length(*step));
                return Err(Error::statement(message).at(*span));
            }
            WindowKind::Cumulate { max: *max, step: *step }
        }
        _ => WindowKind::Session { gap: need("GAP")?.1 },
    };
    Ok((kind, of("OFFSET").map_or(0, |(_, offset, _)| *offset)))
}
