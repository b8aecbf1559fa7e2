//! Forms of expressions that sqlparser does not have, or has in another way.
//!
//! [`prefix`] and [`infix`] are asked before sqlparser's own rules and pass (`None`) on whatever is not ours.

use sqlparser::ast::{
    BinaryOperator, CastKind, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments,
    Ident, Interval, Map, MapEntry, ObjectName, UnaryOperator, Value,
};
use sqlparser::dialect::{Dialect as _, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Span, Token, TokenWithSpan, Word};

use super::interval::{self, Unit};
use super::{grouping_sets, json, json_make, quantified, spellings, types};

type Parsed<T> = Result<T, ParserError>;

/// The name of the function that stands for `TABLE t [PARTITION BY a, b]` as an argument: first the table, then the columns.
pub const TABLE_ARGUMENT: &str = "TABLE";

/// An error at a token.
pub fn fail<T>(at: &TokenWithSpan, message: impl std::fmt::Display) -> Parsed<T> {
    // The place travels in the text: sqlparser's errors have no other way.
    let start = at.span.start;
    Err(ParserError::ParserError(format!("{message} at Line: {}, Column: {}", start.line, start.column)))
}

/// A call of a function.
pub fn call(name: &str, span: Span, args: impl IntoIterator<Item = Expr>) -> Expr {
    let args = args.into_iter().map(|e| FunctionArg::Unnamed(FunctionArgExpr::Expr(e))).collect();
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::with_span(span, name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: vec![] }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: vec![],
    })
}

/// A text as an expression.
pub fn text(value: impl Into<String>, span: Span) -> Expr {
    Expr::Value(Value::SingleQuotedString(value.into()).with_span(span))
}

/// The expression that begins where the parser stands, if its form is one of ours.
pub fn prefix(parser: &mut Parser) -> Option<Parsed<Expr>> {
    if parser.peek_token_ref().token == Token::Minus && word_at(parser, 1, "INTERVAL") {
        return negative_interval(parser);
    }
    if let Some(parsed) = spellings::prefix(parser).or_else(|| grouping_sets::prefix(parser)) {
        return Some(parsed);
    }
    let [first, second] = [0, 1].map(|n| parser.peek_nth_token_ref(n));
    let Token::Word(Word { value, quote_style: None, keyword }) = &first.token else { return None };
    let paren = second.token == Token::LParen;
    match keyword {
        Keyword::CAST | Keyword::TRY_CAST if paren => {
            let kind = if *keyword == Keyword::CAST { CastKind::Cast } else { CastKind::TryCast };
            Some(cast(parser, kind))
        }
        Keyword::INTERVAL => match second.token {
            Token::SingleQuotedString(_) | Token::Number(..) | Token::Minus | Token::Plus => parse_interval(parser),
            // A column of that name, which sqlparser would take for a literal whose text is the next word.
            _ if !paren => Some(parser.parse_identifier().map(Expr::Identifier)),
            _ => None,
        },
        Keyword::MAP if second.token == Token::LBracket => Some(map(parser)),
        Keyword::TABLE if paren || matches!(second.token, Token::Word(_)) => Some(table_argument(parser)),
        // The name of the person who asks means nothing here, and columns are called so.
        Keyword::USER if !paren => Some(parser.parse_identifier().map(Expr::Identifier)),
        _ if paren && ["TIMESTAMPDIFF", "TIMESTAMPADD"].iter().any(|f| value.eq_ignore_ascii_case(f)) => {
            Some(unit_first(parser))
        }
        _ if paren && json_make::FUNCTIONS.iter().any(|f| value.eq_ignore_ascii_case(f)) => {
            Some(json_make::function(parser))
        }
        _ if paren && json::FUNCTIONS.iter().any(|f| value.eq_ignore_ascii_case(f)) => Some(json::function(parser)),
        _ => None,
    }
}

/// Whether the `n`th token from here is a bare word.
pub fn word_at(parser: &Parser, n: usize, word: &str) -> bool {
    matches!(&parser.peek_nth_token_ref(n).token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
}

/// What follows `expr`, if its form is one of ours: `IS [NOT] JSON [VALUE | SCALAR | OBJECT | ARRAY]`,
/// `[NOT] BETWEEN SYMMETRIC a AND b`, `= ANY (VALUES ..)`.
pub fn infix(parser: &mut Parser, expr: &Expr) -> Option<Parsed<Expr>> {
    if let Some(parsed) = quantified::of_values(parser, expr) {
        return Some(parsed);
    }
    if !word_at(parser, 0, "IS") {
        let negated = word_at(parser, 0, "NOT");
        let n = usize::from(negated);
        let symmetric = word_at(parser, n + 1, "SYMMETRIC");
        let ours = word_at(parser, n, "BETWEEN") && (symmetric || word_at(parser, n + 1, "ASYMMETRIC"));
        return ours.then(|| between(parser, expr, negated, symmetric));
    }
    let word = word_at;
    let negated = word(parser, 1, "NOT");
    let n = if negated { 2 } else { 1 };
    if word(parser, n, "DISTINCT") && word(parser, n + 1, "FROM") {
        return Some(distinct_from(parser, expr, negated));
    }
    if !word(parser, n, "JSON") {
        return None;
    }
    let span = parser.peek_token_ref().span;
    for _ in 0..if negated { 3 } else { 2 } {
        parser.advance_token();
    }
    let mut args = vec![expr.clone()];
    if let Some(kind) = ["VALUE", "SCALAR", "OBJECT", "ARRAY"].into_iter().find(|k| word(parser, 0, k)) {
        parser.advance_token();
        args.push(text(kind, span));
    }
    let is_json = call("is_json", span, args);
    Some(Ok(match negated {
        true => Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(is_json) },
        false => is_json,
    }))
}

/// `IS [NOT] DISTINCT FROM a`, which ends before an `AND`.
fn distinct_from(parser: &mut Parser, expr: &Expr, negated: bool) -> Parsed<Expr> {
    for _ in 0..3 + usize::from(negated) {
        parser.advance_token();
    }
    let precedence = super::dialect::Dialect.prec_value(Precedence::Is);
    let other = Box::new(parser.parse_subexpr(precedence)?);
    let expr = Box::new(expr.clone());
    Ok(if negated { Expr::IsNotDistinctFrom(expr, other) } else { Expr::IsDistinctFrom(expr, other) })
}

/// `[NOT] BETWEEN [A]SYMMETRIC a AND b`: with SYMMETRIC the bounds may stand either way round.
fn between(parser: &mut Parser, expr: &Expr, negated: bool, symmetric: bool) -> Parsed<Expr> {
    for _ in 0..2 + usize::from(negated) {
        parser.advance_token();
    }
    let precedence = super::dialect::Dialect.prec_value(Precedence::Between);
    let low = parser.parse_subexpr(precedence)?;
    parser.expect_keyword(Keyword::AND)?;
    let high = parser.parse_subexpr(precedence)?;
    let lies = |low: &Expr, high: &Expr| Expr::Between {
        expr: Box::new(expr.clone()),
        negated,
        low: Box::new(low.clone()),
        high: Box::new(high.clone()),
    };
    if !symmetric {
        return Ok(lies(&low, &high));
    }
    let op = if negated { BinaryOperator::And } else { BinaryOperator::Or };
    let either = Expr::BinaryOp { left: Box::new(lies(&low, &high)), op, right: Box::new(lies(&high, &low)) };
    Ok(Expr::Nested(Box::new(either)))
}

/// `CAST(expr AS type)`, with Flink's types. A cast to `VARCHAR(n)` cuts, one to `CHAR(n)` also fills up.
fn cast(parser: &mut Parser, kind: CastKind) -> Parsed<Expr> {
    let span = parser.next_token().span;
    parser.expect_token(&Token::LParen)?;
    let expr = parser.parse_expr()?;
    parser.expect_keyword(Keyword::AS)?;
    let target = types::parse_type(parser)?;
    parser.expect_token(&Token::RParen)?;
    if let Some(row) = spellings::row_as(&expr, &target.data_type) {
        return Ok(row);
    }
    let expr = Expr::Cast {
        kind,
        expr: Box::new(expr),
        data_type: types::carry(&target.data_type),
        array: false,
        format: None,
    };
    let Some(length) = target.text_length else { return Ok(expr) };
    let chars = Expr::Value(Value::Number(length.chars.to_string(), false).with_span(span));
    Ok(match length.fixed {
        true => call("rpad", span, [expr, chars, text(" ", span)]),
        false => call("left", span, [expr, chars]),
    })
}

/// `INTERVAL '10' SECONDS`, `INTERVAL '1:30' MINUTE TO SECOND`. Without a unit it is not ours.
fn parse_interval(parser: &mut Parser) -> Option<Parsed<Expr>> {
    let mut n = 1;
    let mut negative = false;
    if let Token::Minus | Token::Plus = parser.peek_nth_token_ref(n).token {
        negative = parser.peek_nth_token_ref(n).token == Token::Minus;
        n += 1;
    }
    let value = match &parser.peek_nth_token_ref(n).token {
        Token::SingleQuotedString(s) | Token::Number(s, _) => s.clone(),
        _ => return None,
    };
    unit_at(parser, n + 1)?;
    for _ in 0..=n {
        parser.advance_token();
    }
    Some(interval_units(parser, &value, negative))
}

/// `-INTERVAL '8' HOUR`, of which DataFusion would turn the sign of the months alone.
fn negative_interval(parser: &mut Parser) -> Option<Parsed<Expr>> {
    let (Token::SingleQuotedString(value) | Token::Number(value, _)) = &parser.peek_nth_token_ref(2).token else {
        return None;
    };
    let value = value.clone();
    unit_at(parser, 3)?;
    for _ in 0..3 {
        parser.advance_token();
    }
    Some(interval_units(parser, &value, true))
}

/// The units after the text of an interval.
fn interval_units(parser: &mut Parser, value: &str, negative: bool) -> Parsed<Expr> {
    let at = parser.get_current_token().clone();
    let length = length_of(parser, &at, value, negative)?;
    Ok(Expr::Interval(Interval {
        value: Box::new(text(length.text(), at.span)),
        leading_field: None,
        leading_precision: None,
        last_field: None,
        fractional_seconds_precision: None,
    }))
}

/// `INTERVAL '1' SECOND` as a length, for clauses that are not expressions.
pub fn interval_length(parser: &mut Parser) -> Parsed<interval::Length> {
    parser.expect_keyword(Keyword::INTERVAL)?;
    let value = parser.parse_literal_string()?;
    let at = parser.get_current_token().clone();
    length_of(parser, &at, &value, false)
}

fn length_of(parser: &mut Parser, at: &TokenWithSpan, value: &str, negative: bool) -> Parsed<interval::Length> {
    let first = unit(parser)?;
    let last = match parser.parse_keyword(Keyword::TO) {
        true => Some(unit(parser)?),
        false => None,
    };
    match interval::parse(value, first, last) {
        Some(l) if negative => Ok(interval::Length { months: -l.months, days: -l.days, nanos: -l.nanos }),
        Some(l) => Ok(l),
        None => fail(at, format!("'{value}' is not an interval of these units")),
    }
}

/// A unit, and the precision that may stand after it and changes nothing.
fn unit(parser: &mut Parser) -> Parsed<Unit> {
    let Some(unit) = unit_at(parser, 0) else {
        return parser.expected_ref("a unit of time, such as SECOND", parser.peek_token_ref());
    };
    parser.advance_token();
    if parser.consume_token(&Token::LParen) {
        parser.parse_comma_separated(Parser::parse_literal_uint)?;
        parser.expect_token(&Token::RParen)?;
    }
    Ok(unit)
}

fn unit_at(parser: &Parser, n: usize) -> Option<Unit> {
    match &parser.peek_nth_token_ref(n).token {
        Token::Word(Word { value, quote_style: None, .. }) => Unit::parse(value),
        _ => None,
    }
}

/// `MAP['a', 1, 'b', 2]`.
fn map(parser: &mut Parser) -> Parsed<Expr> {
    let at = parser.next_token();
    parser.expect_token(&Token::LBracket)?;
    let mut items = parser.parse_comma_separated(Parser::parse_expr)?.into_iter();
    parser.expect_token(&Token::RBracket)?;
    let mut entries = vec![];
    while let Some(key) = items.next() {
        let Some(value) = items.next() else { return fail(&at, "MAP[..] needs a value for each key") };
        entries.push(MapEntry { key: Box::new(key), value: Box::new(value) });
    }
    Ok(Expr::Map(Map { entries }))
}

/// `TABLE t`, `TABLE t PARTITION BY a, b`, `TABLE t PARTITION BY (a, b)`, `TABLE (SELECT ..)`.
fn table_argument(parser: &mut Parser) -> Parsed<Expr> {
    let span = parser.next_token().span;
    let table = match parser.peek_token_ref().token {
        Token::LParen => parser.parse_prefix()?,
        _ => identifier(parser)?,
    };
    let mut args = vec![table];
    if parser.parse_keywords(&[Keyword::PARTITION, Keyword::BY]) {
        if parser.consume_token(&Token::LParen) {
            args.extend(parser.parse_comma_separated(identifier)?);
            parser.expect_token(&Token::RParen)?;
        } else {
            args.push(identifier(parser)?);
            // A comma ends the argument unless a plain name follows that no call begins with.
            while parser.peek_token_ref().token == Token::Comma
                && matches!(parser.peek_nth_token_ref(1).token, Token::Word(_))
                && matches!(parser.peek_nth_token_ref(2).token, Token::Comma | Token::Period | Token::RParen)
            {
                parser.advance_token();
                args.push(identifier(parser)?);
            }
        }
    }
    if parser.peek_keyword(Keyword::ORDER) {
        return fail(parser.peek_token_ref(), "ORDER BY within a TABLE argument is not supported");
    }
    Ok(call(TABLE_ARGUMENT, span, args))
}

/// `a`, `a.b`.
fn identifier(parser: &mut Parser) -> Parsed<Expr> {
    let mut parts = vec![parser.parse_identifier()?];
    while parser.consume_token(&Token::Period) {
        parts.push(parser.parse_identifier()?);
    }
    Ok(match parts.len() {
        1 => Expr::Identifier(parts.remove(0)),
        _ => Expr::CompoundIdentifier(parts),
    })
}

/// `TIMESTAMPDIFF(MINUTE, a, b)`: the unit, a bare word, becomes a text.
fn unit_first(parser: &mut Parser) -> Parsed<Expr> {
    let name = parser.next_token();
    parser.expect_token(&Token::LParen)?;
    let at = parser.next_token();
    let unit = match &at.token {
        Token::Word(w) => w.value.to_ascii_uppercase().replace("SQL_TSI_", ""),
        Token::SingleQuotedString(s) => s.clone(),
        _ => return parser.expected("a unit of time, such as MINUTE", at),
    };
    let mut args = vec![text(unit, at.span)];
    while parser.consume_token(&Token::Comma) {
        args.push(parser.parse_expr()?);
    }
    parser.expect_token(&Token::RParen)?;
    Ok(call(&name.token.to_string().to_ascii_lowercase(), name.span, args))
}
