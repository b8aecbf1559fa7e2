//! `JSON_OBJECT`, `JSON_ARRAY` and their aggregates, with their clauses.
//!
//! Each becomes a call of a function without clauses; the two ways of treating NULL are two functions.

use sqlparser::ast::{Expr, FunctionArguments, Ident, UnaryOperator, WindowType};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Span, Token};

use super::forms::{call, text, word_at};
use super::json::word;

type Parsed<T> = Result<T, ParserError>;

/// The functions that make JSON.
pub(super) const FUNCTIONS: [&str; 4] = ["JSON_OBJECT", "JSON_ARRAY", "JSON_OBJECTAGG", "JSON_ARRAYAGG"];

/// What makes JSON, so that its value goes into other JSON as it is. `JSON(text)` says so of any text.
const MAKERS: [&str; 4] = ["json_object", "json_object_absent", "json_array", "json_array_null"];

/// One of [`FUNCTIONS`], with its arguments and clauses.
pub(super) fn function(parser: &mut Parser) -> Parsed<Expr> {
    let name = parser.next_token();
    let (span, function) = (name.span, name.token.to_string().to_ascii_uppercase());
    parser.expect_token(&Token::LParen)?;
    let pairs = function.starts_with("JSON_OBJECT");
    let mut args = vec![];
    while parser.peek_token_ref().token != Token::RParen && on_null_here(parser).is_none() {
        if !args.is_empty() {
            parser.expect_token(&Token::Comma)?;
        }
        if pairs {
            args.push(key(parser)?);
        }
        args.push(as_it_is(parser.parse_expr()?));
    }
    let nulls = on_null(parser);
    parser.expect_token(&Token::RParen)?;
    match function.as_str() {
        "JSON_OBJECT" => Ok(call(if nulls == Some(false) { "json_object_absent" } else { "json_object" }, span, args)),
        "JSON_ARRAY" => Ok(call(if nulls == Some(true) { "json_array_null" } else { "json_array" }, span, args)),
        aggregate => match (aggregate, args.as_slice(), over(parser)?) {
            ("JSON_OBJECTAGG", [key, value], over) => {
                let absent = nulls == Some(false);
                let of = |e: &Expr| collected(e, value, absent, over.clone(), span);
                Ok(call("json_string", span, [call("map_from_arrays", span, [of(key), of(value)])]))
            }
            ("JSON_ARRAYAGG", [item], over) => {
                let items = collected(item, item, nulls != Some(true), over, span);
                Ok(call("coalesce", span, [call("json_string", span, [items]), text("[]", span)]))
            }
            _ => parser.expected("one value", name),
        },
    }
}

/// `OVER (..)` or `OVER w` behind an aggregate.
fn over(parser: &mut Parser) -> Parsed<Option<WindowType>> {
    Ok(match parser.parse_keyword(Keyword::OVER) {
        false => None,
        true if parser.consume_token(&Token::LParen) => Some(WindowType::WindowSpec(parser.parse_window_spec()?)),
        true => Some(WindowType::NamedWindow(parser.parse_identifier()?)),
    })
}

/// `[KEY] key VALUE`, or `key :`, before a value.
fn key(parser: &mut Parser) -> Parsed<Expr> {
    if word_at(parser, 0, "KEY") && !matches!(parser.peek_nth_token_ref(1).token, Token::Comma | Token::Period) {
        parser.advance_token();
    }
    let key = parser.parse_expr()?;
    if !word(parser, "VALUE") && !parser.consume_token(&Token::Colon) && !parser.consume_token(&Token::Comma) {
        return parser.expected_ref("VALUE", parser.peek_token_ref());
    }
    Ok(key)
}

/// Whether NULLs are kept, where a clause that says so stands here.
fn on_null_here(parser: &Parser) -> Option<bool> {
    let clause = word_at(parser, 1, "ON") && word_at(parser, 2, "NULL");
    let null = word_at(parser, 0, "NULL");
    (clause && (null || word_at(parser, 0, "ABSENT"))).then_some(null)
}

/// `NULL ON NULL` or `ABSENT ON NULL`.
fn on_null(parser: &mut Parser) -> Option<bool> {
    let nulls = on_null_here(parser)?;
    for _ in 0..3 {
        parser.advance_token();
    }
    Some(nulls)
}

/// JSON within JSON is no text.
fn as_it_is(value: Expr) -> Expr {
    match &value {
        Expr::Function(f) if MAKERS.contains(&f.name.to_string().as_str()) => {
            let span = f.name.0.first().and_then(|p| p.as_ident()).map_or(Span::empty(), |ident: &Ident| ident.span);
            call("json", span, [value])
        }
        _ => value,
    }
}

/// The values of a group, or of the frame of `over`, in one array, without those where `tested` is NULL if `absent`.
fn collected(value: &Expr, tested: &Expr, absent: bool, over: Option<WindowType>, span: Span) -> Expr {
    let mut collected = call("array_agg", span, [value.clone()]);
    if let Expr::Function(function) = &mut collected {
        function.over = over;
    }
    if let (true, Expr::Function(function)) = (absent, &mut collected) {
        debug_assert!(matches!(function.args, FunctionArguments::List(_)), "a call has arguments");
        let null = Expr::IsNull(Box::new(tested.clone()));
        function.filter = Some(Box::new(Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(null) }));
    }
    collected
}
