//! One way to say what a function gives: [`check`] an expression against the text of its result.
//!
//! Every expression is evaluated twice: as it stands, with constants, and with each constant replaced by a column of
//! them, so that both ways through a function are taken.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{ColumnarValue, Expr};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_expr::create_physical_expr;
use datafusion::prelude::{SessionConfig, SessionContext};
use expect_test::expect_file;
use tidemill_core::{EpochClock, Micros, Watermark};

use super::{ALL, FlinkSyntax, aggregate, all};

/// 2024-01-31 10:05:09.123456 UTC, the time at which all tests happen.
const NOW: Micros = 1_706_695_509_123_456;

/// The result of `sql` in UTC is written as `expected`, from constants and from columns.
pub(super) fn check(sql: &str, expected: &str) {
    check_in("UTC", sql, expected);
}

/// [`check`] in a time zone.
pub(super) fn check_in(zone: &str, sql: &str, expected: &str) {
    let context = context(zone, &clock(NOW, Watermark::MIN));
    assert_eq!(text(from_constants(&context, sql)), expected, "{sql}, from constants");
    assert_eq!(text(from_columns(&context, sql)), expected, "{sql}, from columns");
}

/// [`check`] with the readings of `clock`.
pub(super) fn check_with(clock: &EpochClock, sql: &str, expected: &str) {
    assert_eq!(text(from_constants(&context("UTC", clock), sql)), expected, "{sql}");
}

/// [`check`] from constants only, for what depends on one argument being constant.
pub(super) fn check_constant(sql: &str, expected: &str) {
    check_with(&clock(NOW, Watermark::MIN), sql, expected);
}

/// A clock with these readings.
pub(super) fn clock(now: Micros, watermark: Watermark) -> EpochClock {
    let clock = EpochClock::default();
    clock.set(now, watermark);
    clock
}

fn context(zone: &str, clock: &EpochClock) -> SessionContext {
    let mut config = SessionConfig::new();
    let options = config.options_mut();
    options.execution.time_zone = Some(zone.to_string());
    options.sql_parser.dialect = datafusion::common::config::Dialect::PostgreSQL;
    options.sql_parser.map_string_types_to_utf8view = false;
    let mut builder = SessionStateBuilder::new().with_config(config).with_default_features();
    if let Some(planners) = builder.expr_planners() {
        planners.insert(0, Arc::new(FlinkSyntax::new(clock)));
    }
    let context = SessionContext::new_with_state(builder.build());
    all(clock).into_iter().for_each(|function| context.register_udf(function));
    context
}

fn from_constants(context: &SessionContext, sql: &str) -> Result<ArrayRef> {
    let schema = Arc::new(Schema::empty());
    let row = RecordBatch::try_new_with_options(
        Arc::clone(&schema),
        vec![],
        &RecordBatchOptions::new().with_row_count(Some(1)),
    )?;
    let expr = context.parse_sql_expr(sql, &DFSchema::empty())?;
    evaluate(context, expr, &schema, &row)
}

/// Three rows: the constants, NULLs, and the constants again; the first and the last must agree.
fn from_columns(context: &SessionContext, sql: &str) -> Result<ArrayRef> {
    let (mut fields, mut columns) = (vec![], vec![]);
    let expr = context.parse_sql_expr(sql, &DFSchema::empty())?.transform_up(|expr| match expr {
        Expr::Literal(value, _) => {
            let name = format!("c{}", columns.len());
            let column = take(&value.to_array()?, &UInt32Array::from(vec![Some(0), None, Some(0)]), None)?;
            fields.push(Field::new(&name, column.data_type().clone(), true));
            columns.push(column);
            Ok(Transformed::yes(Expr::Column(Column::from_name(name))))
        }
        other => Ok(Transformed::no(other)),
    })?;
    let schema = Arc::new(Schema::new(fields));
    let rows = RecordBatch::try_new_with_options(
        Arc::clone(&schema),
        columns,
        &RecordBatchOptions::new().with_row_count(Some(3)),
    )?;
    let answer = evaluate(context, expr.data, &schema, &rows)?;
    assert_eq!(text(Ok(answer.slice(2, 1))), text(Ok(answer.slice(0, 1))), "{sql}, the third row and the first");
    Ok(answer.slice(0, 1))
}

fn evaluate(context: &SessionContext, expr: Expr, schema: &SchemaRef, rows: &RecordBatch) -> Result<ArrayRef> {
    let schema = DFSchema::try_from(Arc::clone(schema))?;
    // As a query does: some functions are only a way to write another expression.
    let simplify = ExprSimplifier::new(
        SimplifyContext::builder()
            .with_schema(Arc::new(schema.clone()))
            .with_config_options(Arc::clone(context.state().config_options()))
            .build(),
    );
    let expr = simplify.simplify(simplify.coerce(expr, &schema)?)?;
    let mut props = ExecutionProps::new();
    props.mark_start_execution(Arc::clone(context.state().config_options()));
    let physical = create_physical_expr(&expr, &schema, &props, &PhysicalPlanningContext::default())?;
    match physical.evaluate(rows)? {
        ColumnarValue::Array(array) => Ok(array),
        ColumnarValue::Scalar(scalar) => scalar.to_array_of_size(rows.num_rows()),
    }
}

/// The text of the first row, or of the error.
fn text(answer: Result<ArrayRef>) -> String {
    let array = match answer {
        Ok(array) => array,
        Err(error) => return error.strip_backtrace(),
    };
    let options = FormatOptions::default()
        .with_null("NULL")
        .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.f"))
        .with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.fZ"));
    let options = if array.data_type().is_nested() { options.with_null("") } else { options };
    if array.is_null(0) {
        return "NULL".into();
    }
    ArrayFormatter::try_new(&array, &options).map_or_else(|e| e.to_string(), |f| f.value(0).to_string())
}

#[test]
fn every_example_holds() {
    let mut wrong = String::new();
    for function in ALL.iter().flat_map(|(_, functions)| *functions) {
        for (sql, expected) in function.examples {
            let context = context("UTC", &clock(NOW, Watermark::MIN));
            for (how, answer) in
                [("constants", from_constants(&context, sql)), ("columns", from_columns(&context, sql))]
            {
                let answer = text(answer);
                if answer != *expected {
                    let _ = writeln!(wrong, "{sql}\n  expected {expected}\n  from {how} {answer}");
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// Flink's functions that DataFusion has, with the meaning that Flink gives them.
#[test]
fn datafusions_own_agree() {
    for (sql, expected) in [
        ("upper('ebb')", "EBB"),
        ("lower('EBB')", "ebb"),
        ("initcap('hello wORLD 2nd-hand')", "Hello World 2nd-Hand"),
        ("reverse('Ebbe!')", "!ebbE"),
        ("repeat('ab', 2)", "abab"),
        ("repeat('ab', -1)", ""),
        ("replace('ababab', 'abab', 'z')", "zab"),
        ("translate('abcd', 'bd', 'x')", "axc"),
        ("btrim('  x ')", "x"),
        ("TRIM(BOTH 'x' FROM 'xxaxx')", "a"),
        ("ltrim('  x ')", "x "),
        ("rtrim('  x ')", "  x"),
        ("char_length('Mühle')", "5"),
        ("character_length(CAST(NULL AS STRING))", "NULL"),
        ("nullif(5, 5)", "NULL"),
        ("nullif(5, 0)", "5"),
        ("coalesce(CAST(NULL AS INT), 5)", "5"),
        ("ln(1)", "0.0"),
        ("log2(8)", "3.0"),
        ("log10(1000)", "3.0"),
        ("exp(0)", "1.0"),
        ("sqrt(9)", "3.0"),
        ("abs(-3)", "3"),
        ("ceil(1.2)", "2.0"),
        ("floor(-1.2)", "-2.0"),
        ("pi()", "3.141592653589793"),
        ("degrees(pi())", "180.0"),
        ("array_contains(split('a,b', ','), 'b')", "true"),
        ("array_distinct(split('b,a,b', ','))", "[b, a]"),
        ("array_reverse(split('b,a', ','))", "[a, b]"),
        ("array_join(split('b,a', ','), '-')", "b-a"),
        ("array_append(split('b', ','), 'a')", "[b, a]"),
        ("array_concat(split('b', ','), split('a', ','))", "[b, a]"),
        ("array_union(split('b,b', ','), split('a', ','))", "[b, a]"),
        ("array_except(split('b,a', ','), split('a', ','))", "[b]"),
        ("array_max(split('b,a', ','))", "b"),
        ("array_min(split('b,a', ','))", "a"),
        ("array_slice(split('a,b,c', ','), 2, 3)", "[b, c]"),
        ("map_keys(str_to_map('a=1,b=2'))", "[a, b]"),
        ("map_values(str_to_map('a=1,b=2'))", "[1, 2]"),
        ("char_length(uuid())", "36"),
    ] {
        check_constant(sql, expected);
    }
}

#[test]
fn a_name_belongs_to_one_function() {
    let mut names: Vec<&str> = ALL.iter().flat_map(|(_, f)| f.iter().flat_map(|f| f.names)).copied().collect();
    names.sort_unstable();
    let before = names.len();
    names.dedup();
    assert_eq!(names.len(), before);
}

#[test]
fn wrong_arguments_are_told_how_it_is_called() {
    check_constant(
        "split_index('a', 1)",
        "Execution error: Function 'split_index' user-defined coercion failed with: Error during planning: SPLIT_INDEX does not take (Utf8, Int64): it is called as SPLIT_INDEX(string, separator, index)",
    );
}

#[test]
fn an_empty_batch_gives_an_empty_column() {
    let context = context("UTC", &clock(NOW, Watermark::MIN));
    let schema = Arc::new(Schema::new(vec![Field::new("s", DataType::Utf8, true)]));
    let none = RecordBatch::new_empty(Arc::clone(&schema));
    for sql in ["split_index(s, ',', 1)", "date_format(s, 'yyyy')", "upper(regexp_extract(s, 'a'))", "now()"] {
        let planned = DFSchema::try_from(Arc::clone(&schema)).and_then(|df| context.parse_sql_expr(sql, &df));
        let answer = planned.and_then(|expr| evaluate(&context, expr, &schema, &none));
        assert_eq!(answer.map(|a| a.len()).ok(), Some(0), "{sql}");
    }
}

#[test]
fn the_reference_page_is_that_of_the_declarations() {
    let mut page = String::from(
        "# Functions\n\nAll functions of DataFusion can be called, and these, which mean what they mean in Flink. Where a name \
         is in both, this page holds. NULL in gives NULL out unless a function says otherwise.\n\nThis page is made from the \
         declarations in `crates/sql/src/functions`, and each example is run by a test.\n",
    );
    for (heading, functions) in ALL {
        let _ = write!(page, "\n## {heading}\n\n| function | what it gives | for example |\n| --- | --- | --- |\n");
        for function in *functions {
            let (sql, result) = function.examples[0];
            let result = if result.is_empty() { "(empty)".to_string() } else { format!("`{result}`") };
            let cells = [format!("`{}`", function.usage), function.about.to_string(), format!("`{sql}` → {result}")];
            let _ = writeln!(page, "| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | "));
        }
    }
    page.push_str("\n## Aggregates\n\n| function | what it gives |\n| --- | --- |\n");
    let own = aggregate::ALL.iter().map(|a| (a.usage, a.about));
    for (usage, about) in own.chain(aggregate::OTHER_NAMES.iter().copied()) {
        let _ = writeln!(page, "| `{usage}` | {about} |");
    }
    page.push_str("\nEvery aggregate takes DISTINCT and FILTER, and every frame of OVER.\n");
    expect_file!["../../../../docs/functions.md"].assert_eq(&page);
}
