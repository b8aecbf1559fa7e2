//! Flink's SQL as a dialect of sqlparser: the generic one without the features of other systems that would get in the way.

use std::any::TypeId;

use sqlparser::ast::Expr;
use sqlparser::dialect::{Dialect as SqlDialect, GenericDialect};
use sqlparser::keywords::{Keyword, RESERVED_FOR_COLUMN_ALIAS};
use sqlparser::parser::{Parser, ParserError};

use super::forms;

/// The dialect.
#[derive(Debug, Clone, Copy)]
pub struct Dialect;

impl SqlDialect for Dialect {
    /// sqlparser asks in many places whether this is the generic dialect, which stands for most of them.
    fn dialect(&self) -> TypeId {
        TypeId::of::<GenericDialect>()
    }

    /// Flink quotes names by backticks, DataFusion by double quotes: both are right here.
    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '`' || ch == '"'
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_' || ch == '$'
    }

    /// `.. AS top` without its AS: TOP stands before a SELECT list where it stands at all.
    fn is_column_alias(&self, keyword: &Keyword, _: &mut Parser) -> bool {
        *keyword == Keyword::TOP || !RESERVED_FOR_COLUMN_ALIAS.contains(keyword)
    }

    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        forms::prefix(parser)
    }

    fn parse_infix(&self, parser: &mut Parser, expr: &Expr, _precedence: u8) -> Option<Result<Expr, ParserError>> {
        forms::infix(parser, expr)
    }

    fn supports_unicode_string_literal(&self) -> bool {
        true
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_group_by_with_modifier(&self) -> bool {
        true
    }

    /// `CROSS JOIN b ON ..`.
    fn supports_cross_join_constraint(&self) -> bool {
        true
    }

    fn supports_left_associative_joins_without_parens(&self) -> bool {
        true
    }

    fn supports_match_recognize(&self) -> bool {
        true
    }

    fn supports_window_function_null_treatment_arg(&self) -> bool {
        true
    }

    fn supports_window_clause_named_window_reference(&self) -> bool {
        true
    }

    fn supports_dictionary_syntax(&self) -> bool {
        true
    }

    fn support_map_literal_syntax(&self) -> bool {
        true
    }

    fn supports_struct_literal(&self) -> bool {
        true
    }

    fn supports_select_wildcard_except(&self) -> bool {
        true
    }

    fn supports_select_wildcard_exclude(&self) -> bool {
        true
    }

    fn supports_parens_around_table_factor(&self) -> bool {
        true
    }

    fn supports_values_as_table_factor(&self) -> bool {
        true
    }

    fn supports_limit_comma(&self) -> bool {
        true
    }

    fn allow_extract_custom(&self) -> bool {
        true
    }

    fn allow_extract_single_quotes(&self) -> bool {
        true
    }

    fn supports_string_escape_constant(&self) -> bool {
        true
    }

    fn supports_bitwise_shift_operators(&self) -> bool {
        true
    }

    fn supports_array_typedef_with_brackets(&self) -> bool {
        true
    }

    /// `EXISTS (SELECT FROM t)`; elsewhere it is refused.
    fn supports_empty_projections(&self) -> bool {
        true
    }

    /// Parsed so that it can be refused by name.
    fn supports_table_versioning(&self) -> bool {
        true
    }
}
