//! DataFusion's errors in our words: without its prefixes, with the place in the text, with the nearest name.

use datafusion::common::{Column, DataFusionError, SchemaError, Span as PlanSpan};
use tidemill_core::{Error, ErrorKind, Span};

use crate::error_types::in_sql;
use crate::functions;

/// The hint where the tables that have a column are not known.
pub(crate) const WHICH_TABLE: &str = "Say which: put the name of its table, or the table's alias, and a dot before it.";

/// An error of ours as DataFusion carries it through its planner.
pub(crate) fn carried(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// What DataFusion says, as an error of ours.
pub(crate) fn planning(error: DataFusionError) -> Error {
    let (innermost, span) = unwrapped(error);
    let error = match innermost {
        DataFusionError::External(e) => match e.downcast::<Error>() {
            Ok(own) => *own,
            Err(other) => Error::external(other.to_string()),
        },
        DataFusionError::SchemaError(e, _) => schema_error(&e),
        DataFusionError::NotImplemented(message) => {
            out_of_place(&message).unwrap_or_else(|| Error::unsupported(sentence(&message)))
        }
        DataFusionError::Plan(message)
        | DataFusionError::Configuration(message)
        | DataFusionError::Execution(message) => plan_error(&message),
        DataFusionError::SQL(e, _) => Error::statement(sentence(&e.to_string())),
        DataFusionError::ArrowError(e, _) => Error::statement(sentence(&e.to_string())),
        DataFusionError::Internal(message) => internal(&message),
        other => Error::new(ErrorKind::Statement, sentence(&other.to_string())),
    };
    match span {
        Some(span) => error.at(span),
        None => error,
    }
}

/// The column that was not found, and those there are, where that is what went wrong.
pub(crate) fn missing_column(error: &DataFusionError) -> Option<(&Column, &[Column])> {
    match error {
        DataFusionError::SchemaError(e, _) => match e.as_ref() {
            SchemaError::FieldNotFound { field, valid_fields } => Some((field, valid_fields)),
            _ => None,
        },
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => missing_column(inner),
        DataFusionError::Shared(inner) => missing_column(inner),
        DataFusionError::Collection(all) => all.iter().find_map(missing_column),
        _ => None,
    }
}

/// Where a column stands in the text.
pub(crate) fn column_span(column: &Column) -> Option<Span> {
    column.spans.first().map(span_of)
}

/// The place that an error names.
pub(crate) fn error_span(error: &DataFusionError) -> Option<Span> {
    match error {
        DataFusionError::Diagnostic(diagnostic, inner) => error_span(inner).or(diagnostic.span.map(span_of)),
        DataFusionError::Context(_, inner) => error_span(inner),
        DataFusionError::Shared(inner) => error_span(inner),
        DataFusionError::Collection(all) => all.first().and_then(error_span),
        _ => None,
    }
}

/// A place of DataFusion's.
pub(crate) fn span_of(span: PlanSpan) -> Span {
    let len = if span.start.line == span.end.line { span.end.column.saturating_sub(span.start.column) } else { 1 };
    Span::new(span.start.line, span.start.column, len)
}

/// The error inside the wrappings, and the place that one of them names.
fn unwrapped(error: DataFusionError) -> (DataFusionError, Option<Span>) {
    match error {
        DataFusionError::Context(_, inner) => unwrapped(*inner),
        DataFusionError::Diagnostic(diagnostic, inner) => {
            let (inner, span) = unwrapped(*inner);
            (inner, span.or(diagnostic.span.map(span_of)))
        }
        DataFusionError::Collection(mut all) if !all.is_empty() => unwrapped(all.swap_remove(0)),
        DataFusionError::Shared(shared) => match std::sync::Arc::try_unwrap(shared) {
            Ok(inner) => unwrapped(inner),
            Err(shared) => (DataFusionError::Plan(shared.to_string()), None),
        },
        other => (other, None),
    }
}

fn schema_error(error: &SchemaError) -> Error {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => no_column(field, valid_fields),
        SchemaError::AmbiguousReference { field } => {
            let e = Error::statement(format!("column '{}' is ambiguous: more than one input has it", field.name))
                .with_hint(WHICH_TABLE);
            match column_span(field) {
                Some(span) => e.at(span),
                None => e,
            }
        }
        SchemaError::DuplicateQualifiedField { name, .. } | SchemaError::DuplicateUnqualifiedField { name } => {
            Error::statement(format!("there would be two columns called '{name}'"))
                .with_hint("Give one of them another name, by AS.")
        }
    }
}

fn no_column(field: &Column, valid: &[Column]) -> Error {
    let mut known: Vec<&str> = vec![];
    for column in valid {
        if !known.contains(&column.name.as_str()) {
            known.push(&column.name);
        }
    }
    let whose = match &field.relation {
        Some(relation) if valid.iter().any(|c| c.relation.as_ref() == Some(relation)) => format!(" in '{relation}'"),
        Some(relation) => {
            let known: Vec<String> = tables_of(valid);
            let e = Error::statement(format!(
                "there is no table '{relation}' here, as '{relation}.{}' asks for",
                field.name
            ));
            let e = match known.is_empty() {
                true => e,
                false => e.with_nearest(&relation.to_string(), known.iter().map(String::as_str)),
            };
            return match column_span(field) {
                Some(span) => e.at(span),
                None => e,
            };
        }
        None => String::new(),
    };
    let e = Error::statement(format!("there is no column '{}'{whose}", field.name)).with_nearest(&field.name, known);
    match column_span(field) {
        Some(span) => e.at(span),
        None => e,
    }
}

fn tables_of(valid: &[Column]) -> Vec<String> {
    let mut tables: Vec<String> = valid.iter().filter_map(|c| c.relation.as_ref().map(ToString::to_string)).collect();
    tables.dedup();
    tables
}

/// The messages of DataFusion that people meet, in fewer words.
fn plan_error(message: &str) -> Error {
    let message = sentence(message);
    if let Some((_, rest)) = message.split_once("given name and argument types '")
        && let Some((call, rest)) = rest.split_once('\'')
    {
        let function = call.split('(').next().unwrap_or(call);
        let error = Error::statement(format!("function '{function}' does not take these arguments: {call}"));
        if let Some(usage) = functions::usage(function) {
            return error.with_hint(format!("It is called as {usage}."));
        }
        return match rest.split_once("Candidate functions:") {
            Some((_, candidates)) => {
                let known: Vec<_> = candidates.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
                error.with_hint(format!("Known: {}.", known.join(", ")))
            }
            None => error,
        };
    }
    if message.starts_with("column in ")
        && message.contains(" must be in GROUP BY")
        && let Some(column) = message.split('"').nth(1)
    {
        let error =
            Error::statement(format!("column '{column}' is neither in the GROUP BY nor inside an aggregate function"));
        return error.with_hint("Add it to the GROUP BY, or take one of its values: MAX(..), FIRST_VALUE(..).");
    }
    if let Some(error) = out_of_place(&message) {
        return error;
    }
    if let Some(name) = message.strip_prefix("invalid qualifier ") {
        return Error::statement(format!("there is neither a table nor a row '{name}' here, as '{name}.*' asks for"));
    }
    if let Some(field) = message.strip_prefix("field ").and_then(|m| m.strip_suffix(" not found in struct")) {
        return Error::statement(format!("there is no field '{field}' in the ROW"));
    }
    Error::statement(message)
}

/// What stands where it cannot stand, or is no constant where it has to be one.
fn out_of_place(message: &str) -> Option<Error> {
    const UNPLANNED: &str = "hysical plan does not support logical expression ";
    let unplanned = |what: &str| message.split_once(UNPLANNED).is_some_and(|(_, rest)| rest.starts_with(what));
    let (message, hint) = if message.contains("only support Literal types for field at idx") {
        (
            "how far LAG and LEAD look, and into how many NTILE divides, must be a constant",
            "Another row of the partition is found by number: number them with ROW_NUMBER, and join a view of them with itself.",
        )
    } else if unplanned("WindowFunction(") {
        (
            "a function with OVER stands in SELECT, QUALIFY or ORDER BY only",
            "Ask over it: SELECT * FROM (SELECT *, ROW_NUMBER() OVER (..) AS n FROM ..) WHERE n = 1.",
        )
    } else if unplanned("AggregateFunction(") {
        (
            "an aggregate function stands in SELECT, HAVING, QUALIFY or ORDER BY only",
            "Group by what a query in FROM has as a column: FROM (SELECT .., COUNT(*) AS n ..) GROUP BY n. A number in GROUP BY is a place in SELECT.",
        )
    } else {
        return None;
    };
    Some(Error::statement(message).with_hint(hint))
}

fn internal(message: &str) -> Error {
    // Type errors of arguments come this way too: they are the statement's.
    if message.contains("coerce") || message.contains("signature") {
        return plan_error(message);
    }
    Error::internal(sentence(message))
}

/// DataFusion's prefixes say which part of it is speaking, which helps nobody.
fn sentence(message: &str) -> String {
    const PREFIXES: &[&str] = &[
        "Error during planning: ",
        "Schema error: ",
        "Execution error: ",
        "This feature is not implemented: ",
        "Internal error: ",
        "Optimizer rule",
        "SQL error: ",
        "Arrow error: ",
        "Parser error: ",
        "Invalid or Unsupported Configuration: ",
        "type_coercion\ncaused by\n",
    ];
    let mut rest = message.trim();
    while let Some(after) = PREFIXES.iter().find_map(|p| rest.strip_prefix(p)) {
        rest = after.trim();
    }
    // DataFusion asks for reports to its own tracker, and prints where its own code stood.
    let rest = rest.split("\n\nbacktrace:").next().unwrap_or(rest);
    let rest = rest.split("This was likely caused by a bug in DataFusion").next().unwrap_or(rest).trim();
    let rest = in_sql(rest.trim_end_matches('.'));
    let mut chars = rest.chars();
    match chars.next() {
        Some(first) if chars.as_str().starts_with(|c: char| c.is_lowercase() || c == ' ') => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => rest,
    }
}
