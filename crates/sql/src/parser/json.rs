//! `JSON_VALUE`, `JSON_QUERY` and `JSON_EXISTS` with their clauses.
//!
//! The functions answer NULL (or FALSE) where there is nothing, or the text is not JSON; the clauses become `CASE`s around
//! them.

use datafusion::arrow::datatypes::DataType;
use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{CaseWhen, CastKind, Expr, UnaryOperator, Value};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Span, Token};

use super::forms::{call, fail, text, word_at};
use super::types;

type Parsed<T> = Result<T, ParserError>;

/// The functions with clauses of their own.
pub(super) const FUNCTIONS: [&str; 3] = ["JSON_VALUE", "JSON_QUERY", "JSON_EXISTS"];

/// What takes the place of a value that is not there.
#[derive(Default)]
struct Otherwise {
    on_empty: Option<Expr>,
    on_error: Option<Expr>,
}

/// One of [`FUNCTIONS`], with its arguments and clauses.
pub(super) fn function(parser: &mut Parser) -> Parsed<Expr> {
    let name = parser.next_token();
    let function = name.token.to_string().to_ascii_lowercase();
    let span = name.span;
    parser.expect_token(&Token::LParen)?;
    let mut args = parser.parse_comma_separated(Parser::parse_expr)?;
    if args.len() < 2 {
        return fail(&name, format!("{} needs a text and a path", function.to_ascii_uppercase()));
    }
    let json = args[0].clone();
    let returning = match parser.parse_keyword(Keyword::RETURNING) {
        true => Some(types::parse_type(parser)?.data_type),
        false => None,
    };
    if function == "json_query"
        && let Some(wrapper) = wrapper(parser)?
    {
        args.push(text(wrapper, span));
    }
    let mut otherwise = otherwise(parser, &function)?;
    parser.expect_token(&Token::RParen)?;
    if is_strict(&args[1]) {
        // A strict path that leads nowhere is an error, and not empty.
        otherwise.on_empty.clone_from(&otherwise.on_error);
    }
    let mut value = call(&function, span, args);
    if function == "json_exists" {
        // Nothing there is FALSE, and `coalesce` goes on from NULL.
        if otherwise.on_empty.is_some() {
            value = call("nullif", span, [value, Expr::Value(Value::Boolean(false).with_span(span))]);
        }
    } else if let Some(data_type) = returning {
        // A value that is not of the type is an error, and an error is NULL.
        value = cast(CastKind::TryCast, value, &data_type);
    } else {
        // The result is a text, and so is what takes its place.
        let as_text = |e: Expr| cast(CastKind::Cast, e, &DataType::Utf8);
        otherwise.on_empty = otherwise.on_empty.map(as_text);
        otherwise.on_error = otherwise.on_error.map(as_text);
    }
    Ok(guarded(value, json, otherwise, span))
}

/// Whether a path is written as a text that begins with `strict`.
fn is_strict(path: &Expr) -> bool {
    let Expr::Value(value) = path else { return false };
    let Value::SingleQuotedString(path) = &value.value else { return false };
    path.trim_start().get(..6).is_some_and(|mode| mode.eq_ignore_ascii_case("strict"))
}

fn cast(kind: CastKind, expr: Expr, data_type: &DataType) -> Expr {
    let data_type = types::carry(data_type);
    Expr::Cast { kind, expr: Box::new(expr), data_type, array: false, format: None }
}

/// `[WITHOUT | WITH [CONDITIONAL | UNCONDITIONAL]] [ARRAY] WRAPPER`.
fn wrapper(parser: &mut Parser) -> Parsed<Option<&'static str>> {
    let wrapper = if parser.parse_keyword(Keyword::WITHOUT) {
        "WITHOUT"
    } else if parser.parse_keyword(Keyword::WITH) {
        if word(parser, "CONDITIONAL") {
            "CONDITIONAL"
        } else {
            word(parser, "UNCONDITIONAL");
            "UNCONDITIONAL"
        }
    } else {
        return Ok(None);
    };
    word(parser, "ARRAY");
    match word(parser, "WRAPPER") {
        true => Ok(Some(wrapper)),
        false => parser.expected_ref("WRAPPER", parser.peek_token_ref()),
    }
}

/// `NULL ON EMPTY DEFAULT 0 ON ERROR`.
fn otherwise(parser: &mut Parser, function: &str) -> Parsed<Otherwise> {
    let mut otherwise = Otherwise::default();
    while parser.peek_token_ref().token != Token::RParen {
        let at = parser.peek_token();
        let boolean = |b| Some(Expr::Value(Value::Boolean(b).with_span(at.span)));
        let what = if parser.parse_keyword(Keyword::NULL) || word(parser, "UNKNOWN") {
            None
        } else if parser.parse_keyword(Keyword::TRUE) {
            boolean(true)
        } else if parser.parse_keyword(Keyword::FALSE) {
            boolean(false)
        } else if word(parser, "EMPTY") {
            match word(parser, "ARRAY") {
                true => Some(text("[]", at.span)),
                false if word(parser, "OBJECT") => Some(text("{}", at.span)),
                false => return parser.expected_ref("ARRAY or OBJECT", parser.peek_token_ref()),
            }
        } else if parser.parse_keyword(Keyword::DEFAULT) {
            Some(parser.parse_expr()?)
        } else if word(parser, "ERROR") {
            return fail(&at, format!("{} with ERROR ON .. is not supported", function.to_ascii_uppercase()));
        } else {
            return parser.expected("RETURNING, NULL ON .., DEFAULT .. ON .., or )", at);
        };
        parser.expect_keyword(Keyword::ON)?;
        if word(parser, "EMPTY") {
            otherwise.on_empty = what;
        } else if word(parser, "ERROR") {
            otherwise.on_error = what;
        } else {
            return parser.expected_ref("EMPTY or ERROR", parser.peek_token_ref());
        }
    }
    Ok(otherwise)
}

/// The value, or what takes its place: `NULL` stays `NULL`.
fn guarded(value: Expr, json: Expr, otherwise: Otherwise, span: Span) -> Expr {
    let Otherwise { on_empty, on_error } = otherwise;
    if on_empty.is_none() && on_error.is_none() {
        return value;
    }
    let null = || Expr::Value(Value::Null.with_span(span));
    let is_json = call("is_json", span, [json.clone()]);
    let not_json = Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(is_json) };
    let found = match on_empty {
        Some(on_empty) => call("coalesce", span, [value, on_empty]),
        None => value,
    };
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![
            CaseWhen { condition: Expr::IsNull(Box::new(json)), result: null() },
            CaseWhen { condition: not_json, result: on_error.unwrap_or_else(null) },
        ],
        else_result: Some(Box::new(found)),
    }
}

/// Takes a bare word, if it stands here.
pub(super) fn word(parser: &mut Parser, word: &str) -> bool {
    let found = word_at(parser, 0, word);
    if found {
        parser.advance_token();
    }
    found
}
