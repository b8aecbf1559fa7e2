//! Frames that leave rows out: `EXCLUDE CURRENT ROW | GROUP | TIES`, and frames that end before they begin (`ROWS BETWEEN 2 PRECEDING
//! AND 3 PRECEDING`), which are empty.
//!
//! Neither sqlparser nor DataFusion knows them. On the way: [`mark`] puts what is left out behind `ORDER BY` as a name of its own, where a
//! named window keeps it; [`rewrite`] takes it from there and makes a call of [`excluding`](crate::functions::excluding) of a call that looks
//! at its frame.

use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName,
    OrderByExpr, Spanned, Value, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowSpec, WindowType,
};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};
use tidemill_core::{Error, Result};

use super::source::place;
use crate::functions::excluding::{Excluded, Left, name_of};

/// How the name of what is left out begins.
const MARK: &str = "__exclude_";

/// Functions that do not look at their frame.
const FRAMELESS: &[&str] = &["row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "lag", "lead"];

/// Takes `EXCLUDE ..` out of frames, and puts its mark behind `ORDER BY`.
pub(super) fn mark(tokens: &mut Vec<TokenWithSpan>) {
    // White space is no token here.
    let word = |token: Option<&TokenWithSpan>, word: &str| matches!(token.map(|t| &t.token), Some(Token::Word(w)) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word));
    let mut at = 0;
    while at < tokens.len() {
        at += 1;
        let begin = at - 1;
        if !word(tokens.get(begin), "EXCLUDE") {
            continue;
        }
        let next = |n: usize, w: &str| word(tokens.get(begin + n), w);
        let (excluded, length) = match () {
            () if next(1, "CURRENT") && next(2, "ROW") => (Some(Left::CurrentRow), 3),
            () if next(1, "NO") && next(2, "OTHERS") => (None, 3),
            () if next(1, "GROUP") => (Some(Left::Group), 2),
            () if next(1, "TIES") => (Some(Left::Ties), 2),
            () => continue,
        };
        if !matches!(tokens.get(begin + length).map(|t| &t.token), Some(Token::RParen)) {
            continue;
        }
        let Some((frame, ordered)) = frame_before(tokens, begin) else { continue };
        let span = tokens[begin].span;
        tokens.drain(begin..begin + length);
        let Some(excluded) = excluded else { continue };
        let name = Token::make_word(&format!("{MARK}{}", excluded.name()), None);
        let added = match ordered {
            true => vec![Token::Comma, name],
            false => vec![Token::make_keyword("ORDER"), Token::make_keyword("BY"), name],
        };
        tokens.splice(frame..frame, added.into_iter().map(|token| TokenWithSpan::new(token, span)));
    }
}

/// Where the frame begins that is not over before `end`, and whether its window has an `ORDER BY`.
fn frame_before(tokens: &[TokenWithSpan], end: usize) -> Option<(usize, bool)> {
    let (mut depth, mut frame) = (0, None);
    for at in (0..end).rev() {
        match &tokens[at].token {
            Token::RParen => depth += 1,
            Token::LParen if depth == 0 => return frame.map(|f| (f, false)),
            Token::LParen => depth -= 1,
            Token::Word(w) if depth == 0 && w.quote_style.is_none() => match w.keyword {
                Keyword::ROWS | Keyword::RANGE | Keyword::GROUPS => frame = Some(at),
                Keyword::ORDER if frame.is_some() => return frame.map(|f| (f, true)),
                Keyword::SELECT => return None,
                _ => {}
            },
            _ => {}
        }
    }
    None
}

/// Whether `order_by` is nothing but marks, so that a window's own is still to be put before it.
pub(super) fn only_marks(order_by: &[OrderByExpr]) -> bool {
    order_by.iter().all(|o| marked(o).is_some())
}

fn marked(order: &OrderByExpr) -> Option<Left> {
    let Expr::Identifier(name) = &order.expr else { return None };
    Left::of(name.value.strip_prefix(MARK)?)
}

/// Makes a call that knows what is left out of one whose frame leaves rows out.
pub(super) fn rewrite(expr: &mut Expr) -> Result<()> {
    let Expr::Function(function) = expr else { return Ok(()) };
    let Some(WindowType::WindowSpec(spec)) = &mut function.over else { return Ok(()) };
    let left = spec.order_by.last().and_then(marked);
    spec.order_by.retain(|o| marked(o).is_none());
    let empty = ends_before_it_begins(spec);
    if left.is_none() && empty.is_none() {
        return Ok(());
    }
    let name = function.name.to_string().to_ascii_lowercase();
    if empty.is_some() {
        // The frame whose rows may be in it after all.
        let units = if empty == Some(true) { WindowFrameUnits::Range } else { WindowFrameUnits::Rows };
        spec.window_frame = Some(WindowFrame {
            units,
            start_bound: WindowFrameBound::CurrentRow,
            end_bound: Some(WindowFrameBound::CurrentRow),
        });
    }
    if FRAMELESS.contains(&name.as_str()) {
        spec.window_frame = None;
        return Ok(());
    }
    as_excluding(function, &name, left, empty)
}

fn as_excluding(function: &mut Function, name: &str, left: Option<Left>, empty: Option<bool>) -> Result<()> {
    let span = function.name.span();
    let refused = |what: &str| {
        let message = format!("{what} in {} over a frame that leaves rows out is not supported", name.to_uppercase());
        Err(Error::unsupported(message).at(place(span)))
    };
    let FunctionArguments::List(list) = &mut function.args else { return Ok(()) };
    if !list.clauses.is_empty() {
        return refused("ORDER BY");
    }
    let distinct = list.duplicate_treatment.take() == Some(DuplicateTreatment::Distinct);
    for arg in &mut list.args {
        match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(_)) => {}
            FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => {
                let one = Expr::Value(Value::Number("1".into(), false).with_span(span));
                *arg = FunctionArg::Unnamed(FunctionArgExpr::Expr(one));
            }
            _ => return refused("a named argument"),
        }
    }
    let args = list.args.len();
    let filter = function.filter.take();
    let filtered = filter.is_some();
    list.args.extend(filter.map(|f| FunctionArg::Unnamed(FunctionArgExpr::Expr(*f))));
    let excluded = Excluded { left, empty, args, filtered, distinct };
    function.name = ObjectName::from(vec![Ident::with_span(span, name_of(&excluded, name))]);
    Ok(())
}

/// Whether a frame ends before it begins, and then whether it is one of `RANGE`, in which rows without a value still have their peers.
fn ends_before_it_begins(spec: &WindowSpec) -> Option<bool> {
    let frame = spec.window_frame.as_ref()?;
    let less = |a: &Option<Box<Expr>>, b: &Option<Box<Expr>>| {
        let (a, b) = (length(a.as_deref()?)?, length(b.as_deref()?)?);
        Some(a.0 == b.0 && a.1 < b.1)
    };
    let reversed = match (&frame.start_bound, frame.end_bound.as_ref()?) {
        (WindowFrameBound::Preceding(a), WindowFrameBound::Preceding(b)) => less(a, b)?,
        (WindowFrameBound::Following(a), WindowFrameBound::Following(b)) => less(b, a)?,
        _ => false,
    };
    reversed.then_some(frame.units == WindowFrameUnits::Range)
}

/// Whether an offset is an interval, and how long it is: in rows, or about so many seconds.
fn length(offset: &Expr) -> Option<(bool, f64)> {
    const UNITS: &[(&str, f64)] = &[
        ("nanosecond", 1e-9),
        ("microsecond", 1e-6),
        ("millisecond", 1e-3),
        ("second", 1.0),
        ("minute", 60.0),
        ("hour", 3_600.0),
        ("day", 86_400.0),
        ("week", 604_800.0),
        ("month", 2_592_000.0),
        ("year", 31_536_000.0),
    ];
    let unit = |name: &str| {
        let name = name.to_ascii_lowercase();
        UNITS.iter().find(|(unit, _)| name.trim_end_matches('s') == *unit).map(|(_, seconds)| *seconds)
    };
    match offset {
        Expr::Value(v) => match &v.value {
            Value::Number(digits, _) => Some((false, digits.parse().ok()?)),
            _ => None,
        },
        Expr::Interval(interval) => {
            let Expr::Value(v) = interval.value.as_ref() else { return None };
            let mut text = v.value.clone().into_string()?;
            if let Some(field) = &interval.leading_field {
                text = format!("{text} {field}");
            }
            let words: Vec<&str> = text.split_whitespace().collect();
            let parts = words.chunks(2).map(|part| match part {
                [count, name] => Some(count.parse::<f64>().ok()? * unit(name)?),
                _ => None,
            });
            Some((true, parts.sum::<Option<f64>>()?))
        }
        _ => None,
    }
}
