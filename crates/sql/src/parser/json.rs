//! `JSON_VALUE`, `JSON_QUERY` and `JSON_EXISTS` with their clauses.
//!
//! The functions answer NULL (or FALSE) where there is nothing, or the text is not JSON; the clauses become `CASE`s around
//! them. As in Flink a path is strict unless it begins with `lax`: what is not there is an error of a strict path, and
//! empty for a lax one; a null at the path is empty for both.

use datafusion::arrow::datatypes::DataType;
use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{CaseWhen, CastKind, Expr, Value};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Span, Token, TokenWithSpan};

use super::forms::{call, fail, text, word_at};
use super::types;

type Parsed<T> = Result<T, ParserError>;

/// The functions with clauses of their own.
pub(super) const FUNCTIONS: [&str; 3] = ["JSON_VALUE", "JSON_QUERY", "JSON_EXISTS"];

/// What takes the place of a value that is not there.
#[derive(Clone, Default)]
enum Instead {
    /// Nothing was said.
    #[default]
    Unsaid,
    Null,
    EmptyArray,
    EmptyObject,
    Value(Box<Expr>),
    /// The query stops.
    Error,
}

#[derive(Default)]
struct Otherwise {
    on_empty: Instead,
    on_error: Instead,
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
    let (json, path) = (args[0].clone(), args[1].clone());
    let returning = match parser.parse_keyword(Keyword::RETURNING) {
        true => Some(types::parse_type(parser)?.data_type),
        false => None,
    };
    if function == "json_query"
        && let Some(wrapper) = wrapper(parser)?
    {
        args.push(text(wrapper, span));
    }
    let otherwise = otherwise(parser)?;
    parser.expect_token(&Token::RParen)?;
    let raw = call(&function, span, args);
    let form = Form { function, returning, json, path, span };
    form.check(&name, &otherwise)?;
    Ok(match form.function.as_str() {
        "json_exists" => form.exists(raw, otherwise),
        _ => form.value(raw, otherwise),
    })
}

/// A call, without its clauses.
struct Form {
    function: String,
    returning: Option<DataType>,
    json: Expr,
    path: Expr,
    span: Span,
}

impl Form {
    /// Refuses what Flink refuses too.
    fn check(&self, at: &TokenWithSpan, otherwise: &Otherwise) -> Parsed<()> {
        if self.function != "json_query" {
            return Ok(());
        }
        let is_object = |instead: &Instead| matches!(instead, Instead::EmptyObject);
        match &self.returning {
            None | Some(DataType::Utf8) => Ok(()),
            Some(DataType::List(_)) if is_object(&otherwise.on_empty) || is_object(&otherwise.on_error) => {
                fail(at, "JSON_QUERY RETURNING ARRAY has no EMPTY OBJECT: write EMPTY ARRAY")
            }
            Some(DataType::List(element)) if !element.data_type().is_nested() => Ok(()),
            Some(_) => fail(at, "JSON_QUERY is RETURNING STRING or an ARRAY of strings, numbers or booleans"),
        }
    }

    /// Whether what is not there is an error. Only a path that is written out can say that it is not.
    fn is_strict(&self) -> bool {
        let Expr::Value(value) = &self.path else { return true };
        let Value::SingleQuotedString(path) = &value.value else { return true };
        let path = path.trim_start();
        let lax = path.get(..3).is_some_and(|mode| mode.eq_ignore_ascii_case("lax"));
        !(lax && path[3..].starts_with(char::is_whitespace))
    }

    /// `JSON_EXISTS`: what is not there is FALSE, unless that is an error and something is said of it.
    fn exists(&self, exists: Expr, otherwise: Otherwise) -> Expr {
        let instead = match otherwise.on_error {
            Instead::Unsaid => return exists,
            _ if !self.is_strict() => return exists,
            instead => self.instead(instead),
        };
        let boolean = |b| Expr::Value(Value::Boolean(b).with_span(self.span));
        let conditions = vec![
            (Expr::IsNull(Box::new(self.json.clone())), self.null()),
            (exists, boolean(true)),
            (self.is_json_null(), boolean(false)),
        ];
        case(conditions, instead)
    }

    /// `JSON_VALUE` and `JSON_QUERY`.
    fn value(&self, raw: Expr, otherwise: Otherwise) -> Expr {
        let Otherwise { on_empty, on_error } = otherwise;
        let typed = match &self.returning {
            None | Some(DataType::Utf8) => raw.clone(),
            Some(DataType::List(_)) => self.elements(raw.clone()),
            // A value that is not of the type is an error, and an error is NULL.
            Some(data_type) => cast(CastKind::TryCast, raw.clone(), data_type),
        };
        let is_plain = |instead: &Instead| matches!(instead, Instead::Unsaid | Instead::Null);
        if is_plain(&on_empty) && is_plain(&on_error) {
            return typed;
        }
        let is_null = |e: Expr| Expr::IsNull(Box::new(e));
        let (on_empty, on_error) = (self.instead(on_empty), self.instead(on_error));
        let mut conditions = vec![(is_null(self.json.clone()), self.null())];
        if self.is_strict() {
            conditions.push((self.is_json_null(), on_empty));
            conditions.push((is_null(raw.clone()), on_error.clone()));
        } else {
            conditions.push((is_null(raw.clone()), on_empty));
        }
        if typed != raw {
            conditions.push((is_null(typed.clone()), on_error));
        }
        case(conditions, typed)
    }

    /// The elements of a JSON array, as the type that is asked for.
    fn elements(&self, array: Expr) -> Expr {
        match &self.returning {
            Some(DataType::List(element)) => {
                let element = cast(CastKind::Cast, Expr::Value(Value::Null.with_span(self.span)), element.data_type());
                call("json_elements", self.span, [array, element])
            }
            _ => array,
        }
    }

    /// What takes the place of a value, as the type of the result.
    fn instead(&self, instead: Instead) -> Expr {
        match instead {
            Instead::Unsaid | Instead::Null => self.null(),
            Instead::EmptyArray => self.elements(text("[]", self.span)),
            Instead::EmptyObject => text("{}", self.span),
            Instead::Value(value) => match (self.function.as_str(), &self.returning) {
                ("json_exists", _) => *value,
                (_, Some(data_type)) => cast(CastKind::Cast, *value, data_type),
                (_, None) => cast(CastKind::Cast, *value, &DataType::Utf8),
            },
            Instead::Error => {
                let stop = call("json_stop", self.span, [self.json.clone(), self.path.clone()]);
                match self.returning.as_ref() {
                    None if self.function == "json_exists" => cast(CastKind::Cast, stop, &DataType::Boolean),
                    None | Some(DataType::Utf8) => stop,
                    Some(DataType::List(_)) => self.elements(stop),
                    Some(data_type) => cast(CastKind::Cast, stop, data_type),
                }
            }
        }
    }

    fn is_json_null(&self) -> Expr {
        call("json_is_null", self.span, [self.json.clone(), self.path.clone()])
    }

    fn null(&self) -> Expr {
        Expr::Value(Value::Null.with_span(self.span))
    }
}

fn case(conditions: Vec<(Expr, Expr)>, otherwise: Expr) -> Expr {
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: conditions.into_iter().map(|(condition, result)| CaseWhen { condition, result }).collect(),
        else_result: Some(Box::new(otherwise)),
    }
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
fn otherwise(parser: &mut Parser) -> Parsed<Otherwise> {
    let mut otherwise = Otherwise::default();
    while parser.peek_token_ref().token != Token::RParen {
        let at = parser.peek_token();
        let boolean = |b| Instead::Value(Box::new(Expr::Value(Value::Boolean(b).with_span(at.span))));
        let what = if parser.parse_keyword(Keyword::NULL) || word(parser, "UNKNOWN") {
            Instead::Null
        } else if parser.parse_keyword(Keyword::TRUE) {
            boolean(true)
        } else if parser.parse_keyword(Keyword::FALSE) {
            boolean(false)
        } else if word(parser, "EMPTY") {
            match word(parser, "ARRAY") {
                true => Instead::EmptyArray,
                false if word(parser, "OBJECT") => Instead::EmptyObject,
                false => return parser.expected_ref("ARRAY or OBJECT", parser.peek_token_ref()),
            }
        } else if parser.parse_keyword(Keyword::DEFAULT) {
            Instead::Value(Box::new(parser.parse_expr()?))
        } else if word(parser, "ERROR") {
            Instead::Error
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

/// Takes a bare word, if it stands here.
pub(super) fn word(parser: &mut Parser, word: &str) -> bool {
    let found = word_at(parser, 0, word);
    if found {
        parser.advance_token();
    }
    found
}
