//! The last touches to a parsed query: forms that DataFusion would drop in silence or does not know are refused by name
//! or written in a way that it knows.

use std::collections::HashMap;
use std::ops::ControlFlow;

use sqlparser::ast::{
    AccessExpr, BinaryOperator, CeilFloorKind, DateTimeField, DuplicateTreatment, Expr, Function, FunctionArg,
    FunctionArgExpr, FunctionArguments, Ident, NullTreatment, ObjectName, ObjectNamePart, Query, Select, SetExpr,
    Spanned, TableFactor, TableVersion, TableWithJoins, UnaryOperator, Value, VisitMut, VisitorMut,
};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Location, Span as TokenSpan};
use tidemill_core::{Error, Result, Span};

use super::dialect::Dialect;
use super::fetch::rewrite_fetch;
use super::forms::{TABLE_ARGUMENT, call, text};
use super::named_windows::{self, write_out};
use super::source::place;
use super::walk::walk_mut;
use super::{
    array_of, distinct_on, excludes, grouping_sets, having, joins, ordered, outer_aggregates, quantified, row_compare,
    row_in, row_null, rows, series, set_operations, share, spellings, values,
};
use crate::as_of::syntax;

/// The options of `/*+ OPTIONS(..) */`, by the place of the table's name that they stand behind.
pub type Hints = HashMap<Location, (Vec<(String, String)>, Span)>;

/// Finishes a query or an expression. Hints that belong to its tables are taken out of `hints`.
pub fn finish(node: &mut impl VisitMut, hints: &mut Hints) -> Result<()> {
    match walk_mut(node, &mut Finish { hints }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(e) => Err(e),
    }
}

/// `SELECT * FROM from`.
pub fn select_all(from: Vec<TableWithJoins>) -> Query {
    let mut query = Parser::new(&Dialect)
        .try_with_sql("SELECT * FROM t")
        .and_then(|mut p| p.parse_query())
        .expect("this text is a query");
    if let SetExpr::Select(select) = query.body.as_mut() {
        select.from = from;
    }
    *query
}

/// The options of a hint that [`finish`] attached to a table.
pub fn hinted_options(with_hints: &[Expr]) -> Vec<(String, String)> {
    let string = |e: &Expr| match e {
        Expr::Value(v) => v.value.clone().into_string(),
        _ => None,
    };
    let pair = |e: &Expr| match e {
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => Some((string(left)?, string(right)?)),
        _ => None,
    };
    with_hints.iter().filter_map(pair).collect()
}

struct Finish<'h> {
    hints: &'h mut Hints,
}

impl Finish<'_> {
    /// The hint behind a name, as sqlparser's syntax tree holds hints.
    fn hint_behind(&mut self, name: &Ident) -> Vec<Expr> {
        let Some((options, _)) = self.hints.remove(&name.span.start) else { return vec![] };
        let string = |s: String| Box::new(text(s, name.span));
        options
            .into_iter()
            .map(|(k, v)| Expr::BinaryOp { left: string(k), op: BinaryOperator::Eq, right: string(v) })
            .collect()
    }
}

fn refuse(span: TokenSpan, what: &str) -> ControlFlow<Error> {
    ControlFlow::Break(Error::unsupported(format!("{what} is not supported")).at(place(span)))
}

fn refuse_if(condition: bool, span: TokenSpan, what: &str) -> ControlFlow<Error> {
    if condition { refuse(span, what) } else { ControlFlow::Continue(()) }
}

impl VisitorMut for Finish<'_> {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        let span = query.span();
        set_operations::rewrite(&mut query.body);
        values::rewrite(&mut query.body);
        rows::of_query(query);
        ordered::rewrite(query);
        named_windows::write_out_in_order(query);
        spellings::limit(query);
        refuse_if(query.with.as_ref().is_some_and(|w| w.recursive), span, "WITH RECURSIVE")?;
        refuse_if(!query.locks.is_empty(), span, "FOR UPDATE")?;
        refuse_if(query.for_clause.is_some(), span, "FOR XML or JSON")?;
        if let Some(fetch) = query.fetch.take()
            && let Err(e) = rewrite_fetch(query, fetch)
        {
            return ControlFlow::Break(e.at(place(span)));
        }
        distinct_on::rewrite(query)
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        let span = select.select_token.0.span;
        for from in &mut select.from {
            joins::rewrite(&mut from.joins);
            if let Err(e) = syntax::rewrite(&mut from.joins) {
                return ControlFlow::Break(e);
            }
        }
        rows::of_select(select);
        grouping_sets::rewrite(select)?;
        write_out(select);
        row_in::rewrite_conditions(select);
        outer_aggregates::rewrite(select);
        having::rewrite(select);
        series::rewrite_values(select);
        refuse_if(select.projection.is_empty(), span, "SELECT without columns, other than in EXISTS (..),")?;
        refuse_if(select.into.is_some(), span, "SELECT INTO")?;
        refuse_if(!select.lateral_views.is_empty(), span, "LATERAL VIEW")?;
        refuse_if(!select.connect_by.is_empty(), span, "CONNECT BY")?;
        refuse_if(select.top.is_some(), span, "TOP")?;
        let hive = !select.cluster_by.is_empty() || !select.distribute_by.is_empty() || !select.sort_by.is_empty();
        refuse_if(hive, span, "CLUSTER BY, DISTRIBUTE BY or SORT BY")
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        series::rewrite(factor);
        let span = factor.span();
        match factor {
            TableFactor::Table {
                name, with_hints, version, with_ordinality, partitions, sample, index_hints, ..
            } => {
                let span = name.span();
                let known = |v: &TableVersion| {
                    matches!(v, TableVersion::ForSystemTimeAsOf(_)) || syntax::condition(v).is_some()
                };
                refuse_if(
                    version.as_ref().is_some_and(|v| !known(v)),
                    span,
                    "a version of a table other than FOR SYSTEM_TIME AS OF",
                )?;
                refuse_if(sample.is_some(), span, "TABLESAMPLE")?;
                refuse_if(!partitions.is_empty(), span, "PARTITION behind a table")?;
                refuse_if(*with_ordinality, span, "WITH ORDINALITY")?;
                refuse_if(!with_hints.is_empty() || !index_hints.is_empty(), span, "WITH (..) behind a table")?;
                if let Some(ObjectNamePart::Identifier(last)) = name.0.last() {
                    *with_hints = self.hint_behind(last);
                }
                ControlFlow::Continue(())
            }
            TableFactor::NestedJoin { table_with_joins, .. } => {
                joins::rewrite(&mut table_with_joins.joins);
                if let Err(e) = syntax::rewrite(&mut table_with_joins.joins) {
                    return ControlFlow::Break(e);
                }
                ControlFlow::Continue(())
            }
            TableFactor::MatchRecognize { table, .. } => refuse(table.span(), "MATCH_RECOGNIZE"),
            TableFactor::Pivot { .. } | TableFactor::Unpivot { .. } => refuse(span, "PIVOT"),
            TableFactor::Function { name, .. } => ControlFlow::Break(
                Error::unsupported("LATERAL with a table function is not supported")
                    .with_hint("The version of a table at a time is joined so: o JOIN t FOR SYSTEM_TIME AS OF o.ts AS t ON o.key = t.key.")
                    .at(place(name.span())),
            ),
            TableFactor::JsonTable { .. } | TableFactor::XmlTable { .. } | TableFactor::OpenJsonTable { .. } => {
                refuse(span, "this table function")
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        share::check(expr)?;
        rows::of_call(expr);
        row_null::rewrite(expr);
        row_compare::rewrite(expr)?;
        quantified::rewrite(expr)?;
        array_of::rewrite(expr)?;
        if let Expr::Floor { field, .. } | Expr::Ceil { field, .. } = expr
            && let CeilFloorKind::DateTimeField(unit) = &*field
            && *unit != DateTimeField::NoDateTime
        {
            let (unit, span) = (text(unit.to_string(), expr.span()), expr.span());
            let name = if matches!(expr, Expr::Floor { .. }) { "floor_time" } else { "ceil_time" };
            if let Expr::Floor { expr: of, .. } | Expr::Ceil { expr: of, .. } = expr {
                let of = std::mem::replace(of.as_mut(), Expr::Value(Value::Null.with_span(span)));
                *expr = call(name, span, [of, unit]);
            }
        }
        ControlFlow::Continue(())
    }

    /// After what is inside has been visited, since the hint makes a table of it that has been seen to already.
    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        self.hint_in_argument(expr);
        if let Err(e) = excludes::rewrite(expr).and_then(|()| spellings::rewrite(expr)) {
            return ControlFlow::Break(e);
        }
        row_in::rewrite_value(expr);
        grouping_sets::group_id(expr);
        fields_by_text(expr);
        as_calls(expr);
        ControlFlow::Continue(())
    }
}

impl Finish<'_> {
    /// `TABLE t /*+ OPTIONS(..) */` as an argument becomes `TABLE (SELECT * FROM t ..)`, where the hint has its place.
    fn hint_in_argument(&mut self, expr: &mut Expr) {
        let Expr::Function(function) = expr else { return };
        let FunctionArguments::List(list) = &mut function.args else { return };
        if function.name.to_string() != TABLE_ARGUMENT {
            return;
        }
        let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(table))) = list.args.first_mut() else { return };
        let parts = match &*table {
            Expr::Identifier(name) => vec![name.clone()],
            Expr::CompoundIdentifier(parts) => parts.clone(),
            _ => return,
        };
        let with_hints = parts.last().map(|last| self.hint_behind(last)).unwrap_or_default();
        if !with_hints.is_empty() {
            let relation = table_factor(ObjectName::from(parts), with_hints);
            *table = Expr::Subquery(Box::new(select_all(vec![TableWithJoins { relation, joins: vec![] }])));
        }
    }
}

/// Forms that DataFusion plans without the columns of an outer query, or with another meaning, as calls of functions.
fn as_calls(expr: &mut Expr) {
    let span = expr.span();
    match expr {
        Expr::Function(function) => other_name(function),
        Expr::Array(array) => *expr = call("make_array", span, std::mem::take(&mut array.elem)),
        Expr::SimilarTo { negated, expr: of, pattern, escape_char: None } => {
            let Expr::Value(v) = pattern.as_ref() else { return };
            let Value::SingleQuotedString(pattern) = &v.value else { return };
            // The whole text has to fit, `%` is any text and `_` any character; the rest is as in a regular expression.
            let pattern = format!("^(?:{})$", pattern.replace('%', ".*").replace('_', "."));
            let of = std::mem::replace(of.as_mut(), Expr::Value(Value::Null.with_span(span)));
            let fits = call("regexp_like", span, [of, text(pattern, span)]);
            *expr = match negated {
                true => Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(fits) },
                false => fits,
            };
        }
        _ => {}
    }
}

/// Functions that DataFusion has under another name.
const OTHER_NAMES: [(&str, &str); 17] = [
    ("ANY", "bool_or"),
    ("APPROX_COUNT_DISTINCT", "approx_distinct"),
    ("COLLECT", "array_agg"),
    ("COLLECT_LIST", "array_agg"),
    ("COLLECT_SET", "array_agg"),
    ("COUNTIF", "count"),
    ("COUNT_IF", "count"),
    ("ENDSWITH", "ends_with"),
    ("EVERY", "bool_and"),
    ("GROUPING_ID", "grouping"),
    ("LISTAGG", "string_agg"),
    ("LOGICAL_AND", "bool_and"),
    ("LOGICAL_OR", "bool_or"),
    ("PERCENTILE", "percentile_cont"),
    ("SOME", "bool_or"),
    ("STARTSWITH", "starts_with"),
    ("VARIANCE", "var_samp"),
];

fn other_name(function: &mut Function) {
    let [ObjectNamePart::Identifier(name)] = function.name.0.as_mut_slice() else { return };
    let FunctionArguments::List(list) = &mut function.args else { return };
    let known = OTHER_NAMES.iter().find(|(flink, _)| name.value.eq_ignore_ascii_case(flink));
    let Some((flink, own)) = known else { return };
    name.value = (*own).into();
    let span = name.span;
    match *flink {
        "COLLECT" | "COLLECT_LIST" => function.null_treatment = Some(NullTreatment::IgnoreNulls),
        "COLLECT_SET" => {
            function.null_treatment = Some(NullTreatment::IgnoreNulls);
            list.duplicate_treatment = Some(DuplicateTreatment::Distinct);
        }
        // What is not true is not counted.
        "COUNTIF" | "COUNT_IF" => list.args.iter_mut().for_each(|arg| {
            if let FunctionArg::Unnamed(FunctionArgExpr::Expr(of)) = arg {
                let condition = std::mem::replace(of, Expr::Value(Value::Null.with_span(span)));
                *of = call("nullif", span, [condition, Expr::Value(Value::Boolean(false).with_span(span))]);
            }
        }),
        _ => {}
    }
    if *flink == "LISTAGG" && list.args.len() == 1 {
        list.args.push(FunctionArg::Unnamed(FunctionArgExpr::Expr(text(",", name.span))));
    }
}

/// DataFusion's planner knows `list[1]['field']`, and `list[1].field` not.
fn fields_by_text(expr: &mut Expr) {
    let Expr::CompoundFieldAccess { root, access_chain } = expr else { return };
    // The leading names of a path that begins with a name may be a table and a column.
    let path = if matches!(root.as_ref(), Expr::Identifier(_)) {
        access_chain.iter().take_while(|a| matches!(a, AccessExpr::Dot(_))).count()
    } else {
        0
    };
    for access in access_chain.iter_mut().skip(path) {
        if let AccessExpr::Dot(Expr::Identifier(field)) = access {
            *access = AccessExpr::Dot(text(field.value.clone(), field.span));
        }
    }
}

/// A table by its name.
pub fn table_factor(name: ObjectName, with_hints: Vec<Expr>) -> TableFactor {
    TableFactor::Table {
        name,
        alias: None,
        args: None,
        with_hints,
        version: None,
        with_ordinality: false,
        partitions: vec![],
        json_path: None,
        sample: None,
        index_hints: vec![],
    }
}
