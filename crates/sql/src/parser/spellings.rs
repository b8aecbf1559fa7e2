//! Standard SQL's spellings of what sqlparser or DataFusion know in one way only: `TRIM(LEADING FROM x)`, `CASE b WHEN 2, 3 THEN`,
//! `UNKNOWN`, `CAST(ROW(..) AS ROW<..>)`, `LIKE .. ESCAPE`, `RLIKE`, `WITHIN GROUP` of any aggregate, `COUNT(DISTINCT a, b)`, `LIMIT m, n`,
//! `DATE(x)`.

use datafusion::arrow::datatypes::DataType;
use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    self, CaseWhen, CastKind, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArguments, LimitClause, ObjectNamePart, Offset, OffsetRows, Query, Spanned, TrimWhereField, TypedString,
    UnaryOperator, Value, WindowFrameBound, WindowFrameUnits, WindowType,
};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, Word};
use tidemill_core::{Error, Result};

use super::forms::{call, fail, text, word_at};
use super::source::place;
use super::types;

type Parsed<T> = std::result::Result<T, ParserError>;

/// Forms that sqlparser does not read.
pub(super) fn prefix(parser: &mut Parser) -> Option<Parsed<Expr>> {
    let Token::Word(Word { value, quote_style: None, keyword }) = &parser.peek_token_ref().token else { return None };
    let next = &parser.peek_nth_token_ref(1).token;
    match keyword {
        Keyword::TRIM if *next == Token::LParen && word_at(parser, 3, "FROM") => {
            let at = [
                ("LEADING", TrimWhereField::Leading),
                ("TRAILING", TrimWhereField::Trailing),
                ("BOTH", TrimWhereField::Both),
            ];
            let (_, at) = at.into_iter().find(|(word, _)| word_at(parser, 2, word))?;
            (0..4).for_each(|_| parser.advance_token());
            Some(parser.parse_expr().and_then(|expr| {
                parser.expect_token(&Token::RParen)?;
                let (expr, trim_where) = (Box::new(expr), Some(at));
                Ok(Expr::Trim { expr, trim_where, trim_what: None, trim_characters: None })
            }))
        }
        Keyword::CASE => Some(case(parser)),
        Keyword::UNKNOWN if !matches!(next, Token::LParen | Token::Period) => {
            let span = parser.next_token().span;
            Some(Ok(cast(Expr::Value(Value::Null.with_span(span)), &DataType::Boolean)))
        }
        _ if value.starts_with('_') && matches!(next, Token::SingleQuotedString(_)) => {
            let at = parser.peek_token_ref().clone();
            Some(fail(&at, "a text with the name of a character set is not supported: write '..' or U&'..'"))
        }
        _ => None,
    }
}

/// `CASE`, where several values may stand behind one `WHEN`.
fn case(parser: &mut Parser) -> Parsed<Expr> {
    let case_token = AttachedToken(parser.next_token());
    let operand = match parser.peek_keyword(Keyword::WHEN) {
        true => None,
        false => Some(Box::new(parser.parse_expr()?)),
    };
    parser.expect_keyword(Keyword::WHEN)?;
    let mut conditions = vec![];
    loop {
        let values = match operand {
            Some(_) => parser.parse_comma_separated(Parser::parse_expr)?,
            None => vec![parser.parse_expr()?],
        };
        parser.expect_keyword(Keyword::THEN)?;
        let result = parser.parse_expr()?;
        conditions.extend(values.into_iter().map(|condition| CaseWhen { condition, result: result.clone() }));
        if !parser.parse_keyword(Keyword::WHEN) {
            break;
        }
    }
    let else_result = match parser.parse_keyword(Keyword::ELSE) {
        true => Some(Box::new(parser.parse_expr()?)),
        false => None,
    };
    parser.expect_keyword(Keyword::END)?;
    let end_token = AttachedToken(parser.get_current_token().clone());
    Ok(Expr::Case { case_token, end_token, operand, conditions, else_result })
}

fn cast(expr: Expr, to: &DataType) -> Expr {
    let data_type = types::carry(to);
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(expr), data_type, array: false, format: None }
}

/// `ROW(1, 'a')` as a row with the fields of `to`, by their places.
pub(super) fn row_as(expr: &Expr, to: &DataType) -> Option<Expr> {
    let (Expr::Function(function), DataType::Struct(fields)) = (expr, to) else { return None };
    let FunctionArguments::List(list) = &function.args else { return None };
    if !function.name.to_string().eq_ignore_ascii_case("ROW") || list.args.len() != fields.len() {
        return None;
    }
    let mut parts = vec![];
    for (field, arg) in fields.iter().zip(&list.args) {
        let FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) = arg else { return None };
        parts.push(text(field.name().clone(), value.span()));
        let value = row_as(value, field.data_type()).unwrap_or_else(|| cast(value.clone(), field.data_type()));
        parts.push(value);
    }
    Some(call("named_struct", expr.span(), parts))
}

/// `LIMIT m, n` as `LIMIT n OFFSET m`.
pub(super) fn limit(query: &mut Query) {
    if let Some(LimitClause::OffsetCommaLimit { offset, limit }) = &query.limit_clause {
        let offset = Some(Offset { value: offset.clone(), rows: OffsetRows::None });
        let limit = Some(limit.clone());
        query.limit_clause = Some(LimitClause::LimitOffset { limit, offset, limit_by: vec![] });
    }
}

/// Forms that DataFusion does not know.
pub(super) fn rewrite(expr: &mut Expr) -> Result<()> {
    match expr {
        Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. } => {
            let Some(Value::SingleQuotedString(escape)) = escape_char.as_ref().map(|v| &v.value) else {
                return Ok(());
            };
            if escape != "\\" {
                **pattern = escaped(pattern, escape)?;
                *escape_char = None;
            }
        }
        Expr::RLike { negated, expr: text, pattern, .. } => {
            let matches = call("regexp", text.span(), vec![text.as_ref().clone(), pattern.as_ref().clone()]);
            *expr = match negated {
                true => Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(matches) },
                false => matches,
            };
        }
        Expr::Value(v) => {
            if let Value::UnicodeStringLiteral(text) = &mut v.value {
                v.value = Value::SingleQuotedString(std::mem::take(text));
            }
        }
        Expr::TypedString(literal) => nanoseconds(literal),
        Expr::Function(function) => {
            counted_offsets(function)?;
            within_group(function);
            within_group_over(function);
            count_of_rows(function);
            if let Some(value) = default_by_row(function).or_else(|| date_of(function)) {
                *expr = value;
            }
        }
        _ => {}
    }
    Ok(())
}

/// `TIMESTAMP '.. 10:00:00.123456789'` has the digits that it is written with, where TIMESTAMP alone would have six.
fn nanoseconds(literal: &mut TypedString) {
    /// The years whose nanoseconds since 1970 can all be counted.
    const COUNTED: std::ops::RangeInclusive<i32> = 1678..=2261;
    let ast::DataType::Timestamp(precision @ None, _) = &mut literal.data_type else { return };
    let Value::SingleQuotedString(text) = &literal.value.value else { return };
    let text = text.trim();
    let digits = text.split_once('.').map_or(0, |(_, rest)| rest.bytes().take_while(u8::is_ascii_digit).count());
    let year = text.split('-').next().and_then(|year| year.parse().ok());
    if digits > 6 && year.is_some_and(|year| COUNTED.contains(&year)) {
        *precision = Some(9);
    }
}

/// `DATE(x)` as `CAST(x AS DATE)`.
fn date_of(function: &Function) -> Option<Expr> {
    let FunctionArguments::List(list) = &function.args else { return None };
    match list.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(of))] if function.name.to_string().eq_ignore_ascii_case("date") => {
            Some(cast(of.clone(), &DataType::Date32))
        }
        _ => None,
    }
}

/// `ROWS BETWEEN INTERVAL '1' DAY PRECEDING ..`: what counts rows, or groups of them, is a whole number.
fn counted_offsets(function: &Function) -> Result<()> {
    let Some(WindowType::WindowSpec(spec)) = &function.over else { return Ok(()) };
    let Some(frame) = spec.window_frame.as_ref().filter(|f| f.units != WindowFrameUnits::Range) else { return Ok(()) };
    for bound in std::iter::once(&frame.start_bound).chain(&frame.end_bound) {
        let (WindowFrameBound::Preceding(Some(offset)) | WindowFrameBound::Following(Some(offset))) = bound else {
            continue;
        };
        let whole = match offset.as_ref() {
            Expr::Interval(_) => false,
            Expr::Value(v) => !matches!(&v.value, Value::Number(n, _) if n.parse::<u64>().is_err()),
            _ => true,
        };
        if !whole {
            return Err(Error::statement(format!("an offset of {} is a whole number", frame.units))
                .with_hint("RANGE takes the distance of what is ordered by: RANGE BETWEEN INTERVAL '1' DAY PRECEDING AND CURRENT ROW.")
                .at(place(offset.span())));
        }
    }
    Ok(())
}

/// The pattern with a backslash in the place of `escape`.
fn escaped(pattern: &Expr, escape: &str) -> Result<Expr> {
    let wrong = |message: &str| Error::statement(message).at(place(pattern.span()));
    let mut chars = escape.chars();
    let (Some(escape), None) = (chars.next(), chars.next()) else {
        return Err(wrong("ESCAPE takes one character"));
    };
    let own = match pattern {
        Expr::Value(v) => match &v.value {
            Value::SingleQuotedString(own) => own,
            _ => return Err(wrong("LIKE takes a text")),
        },
        _ => {
            return Err(Error::unsupported("ESCAPE behind a pattern that is not written out is not supported")
                .with_hint("The backslash escapes in every pattern.")
                .at(place(pattern.span())));
        }
    };
    let mut out = String::new();
    let mut chars = own.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c == escape => match chars.next() {
                Some(next) if next == escape || next == '%' || next == '_' => out.extend(['\\', next]),
                _ => {
                    let message = format!("behind '{escape}' a pattern has '%', '_' or '{escape}' once more");
                    return Err(wrong(&message));
                }
            },
            '\\' => out.push_str("\\\\"),
            c => out.push(c),
        }
    }
    Ok(text(out, pattern.span()))
}

/// Aggregates that take their order in parentheses.
const ORDERED: [&str; 6] = ["listagg", "string_agg", "array_agg", "collect", "first_value", "last_value"];

/// `LISTAGG(x) WITHIN GROUP (ORDER BY y)` as `LISTAGG(x ORDER BY y)`.
fn within_group(function: &mut Function) {
    let name = function.name.to_string();
    let FunctionArguments::List(list) = &mut function.args else { return };
    if !function.within_group.is_empty() && ORDERED.iter().any(|o| name.eq_ignore_ascii_case(o)) {
        list.clauses.push(FunctionArgumentClause::OrderBy(std::mem::take(&mut function.within_group)));
    }
}

/// `PERCENTILE_CONT(p) WITHIN GROUP (ORDER BY x) OVER w` as `PERCENTILE_CONT(x, p) OVER w`: where there is an `OVER`, DataFusion takes no
/// `WITHIN GROUP`.
fn within_group_over(function: &mut Function) {
    let [ObjectNamePart::Identifier(name)] = function.name.0.as_mut_slice() else { return };
    let FunctionArguments::List(list) = &mut function.args else { return };
    let [by] = function.within_group.as_slice() else { return };
    let own = name.value.to_ascii_lowercase();
    if function.over.is_none() || !["percentile_cont", "percentile_disc", "percentile", "mode"].contains(&own.as_str())
    {
        return;
    }
    if by.options.asc == Some(false) {
        let own = if own == "percentile" { "percentile_cont" } else { &own };
        name.value = format!("{own}_descending");
    }
    list.args.insert(0, FunctionArg::Unnamed(FunctionArgExpr::Expr(by.expr.clone())));
    function.within_group.clear();
}

/// `LAG(x, n, y)`, where `y` is of the row: `y` where there is no such row, which `LAG(TRUE, n)` says.
fn default_by_row(function: &Function) -> Option<Expr> {
    let name = function.name.to_string();
    let FunctionArguments::List(list) = &function.args else { return None };
    if !["lag", "lead"].iter().any(|f| name.eq_ignore_ascii_case(f)) || function.over.is_none() {
        return None;
    }
    let [_, _, FunctionArg::Unnamed(FunctionArgExpr::Expr(default))] = list.args.as_slice() else { return None };
    let constant = |e: &Expr| matches!(e, Expr::Value(_) | Expr::UnaryOp { .. } | Expr::TypedString(_));
    if constant(default) || matches!(default, Expr::Cast { expr, .. } if constant(expr)) {
        return None;
    }
    let span = default.span();
    let mut value = function.clone();
    let FunctionArguments::List(of_value) = &mut value.args else { return None };
    of_value.args.truncate(2);
    let mut exists = value.clone();
    let nulls = value.null_treatment.is_some()
        || list.clauses.iter().any(|c| matches!(c, FunctionArgumentClause::IgnoreOrRespectNulls(_)));
    if let (false, FunctionArguments::List(of_row)) = (nulls, &mut exists.args) {
        of_row.args[0] = FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(Value::Boolean(true).with_span(span))));
    }
    let condition = Expr::IsNull(Box::new(Expr::Function(exists)));
    Some(Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen { condition, result: default.clone() }],
        else_result: Some(Box::new(Expr::Function(value))),
    })
}

/// `COUNT(DISTINCT a, b)`: the rows in which nothing is NULL.
fn count_of_rows(function: &mut Function) {
    let name = function.name.to_string();
    let FunctionArguments::List(list) = &mut function.args else { return };
    let distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
    if !name.eq_ignore_ascii_case("COUNT") || !distinct || list.args.len() < 2 {
        return;
    }
    let value = |arg: &FunctionArg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => Some(value.clone()),
        _ => None,
    };
    let Some(values) = list.args.iter().map(value).collect::<Option<Vec<_>>>() else { return };
    let span = values[0].span();
    let conditions = values.iter().map(|v| CaseWhen {
        condition: Expr::IsNull(Box::new(Expr::Nested(Box::new(v.clone())))),
        result: Expr::Value(Value::Null.with_span(span)),
    });
    let row = Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: conditions.collect(),
        else_result: Some(Box::new(call("struct", span, values))),
    };
    list.args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(row))];
}
