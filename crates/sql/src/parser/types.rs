//! Flink's types, and what they are in Arrow. Their names are in [`type_names`](super::type_names).

use std::sync::Arc;

use datafusion::arrow::datatypes::{
    DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType, Field, Fields, TimeUnit,
};
use sqlparser::ast;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, Word};

use super::dialect::Dialect;
use super::forms::fail;
pub use super::type_names::{quoted, type_name};

/// The names of all types, for messages.
pub const TYPE_NAMES: &[&str] = &[
    "BOOLEAN",
    "TINYINT",
    "SMALLINT",
    "INT",
    "BIGINT",
    "FLOAT",
    "DOUBLE",
    "DECIMAL",
    "STRING",
    "VARCHAR",
    "CHAR",
    "BYTES",
    "VARBINARY",
    "BINARY",
    "DATE",
    "TIME",
    "TIMESTAMP",
    "TIMESTAMP_LTZ",
    "ROW",
    "ARRAY",
    "MAP",
];

/// A type, with the length that a cast to it cuts text to.
#[derive(Debug, Clone, PartialEq)]
pub struct Type {
    /// In Arrow.
    pub data_type: DataType,
    /// `CHAR(n)`, which also fills up, or `VARCHAR(n)`.
    pub text_length: Option<TextLength>,
}

/// How long text is made by a cast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextLength {
    /// In characters.
    pub chars: u64,
    /// `CHAR`: shorter text is filled up with spaces.
    pub fixed: bool,
}

/// Reads a type from where the parser stands.
pub fn parse_type(parser: &mut Parser) -> Result<Type, ParserError> {
    let mut types = Types { parser, closed: 0 };
    let t = types.parse()?;
    match types.closed {
        0 => Ok(t),
        _ => fail(parser.get_current_token(), "one '>' too many"),
    }
}

/// Reads a type from a text of its own.
pub fn type_of_text(text: &str) -> Option<DataType> {
    let mut parser = Parser::new(&Dialect).try_with_sql(text).ok()?;
    let t = parse_type(&mut parser).ok()?;
    (parser.peek_token_ref().token == Token::EOF).then_some(t.data_type)
}

/// The name that carries a type of ours through sqlparser's syntax tree.
const CARRIER: &str = "tidemill_type";

/// `data_type` as a node of sqlparser's syntax tree.
pub fn carry(data_type: &DataType) -> ast::DataType {
    ast::DataType::Custom(ast::ObjectName::from(vec![ast::Ident::new(CARRIER)]), vec![type_name(data_type)])
}

/// The type that a node of sqlparser's syntax tree means; `None` where it is not one of Flink's.
pub fn from_ast(node: &ast::DataType) -> Option<DataType> {
    match node {
        ast::DataType::Custom(name, text) if name.to_string() == CARRIER => type_of_text(text.first()?),
        other => type_of_text(&other.to_string()),
    }
}

struct Types<'p, 'a> {
    parser: &'p mut Parser<'a>,
    /// How many `>` of a `>>` are left over.
    closed: usize,
}

impl Types<'_, '_> {
    fn parse(&mut self) -> Result<Type, ParserError> {
        let mut t = self.parse_one()?;
        // The standard's way to write it, INT ARRAY, and that of Postgres, INT[].
        while self.parser.parse_keyword(Keyword::ARRAY) || self.word("MULTISET") || self.brackets()? {
            t = plain(DataType::List(Arc::new(Field::new("item", t.data_type, true))));
        }
        Ok(t)
    }

    /// `[]` behind a type, or `[3]`: a length is not checked.
    fn brackets(&mut self) -> Result<bool, ParserError> {
        if !self.parser.consume_token(&Token::LBracket) {
            return Ok(false);
        }
        if self.parser.peek_token_ref().token != Token::RBracket {
            self.parser.parse_literal_uint()?;
        }
        self.parser.expect_token(&Token::RBracket)?;
        Ok(true)
    }

    fn parse_one(&mut self) -> Result<Type, ParserError> {
        let token = self.parser.next_token();
        let Token::Word(Word { value, quote_style: None, .. }) = &token.token else {
            return self.parser.expected("a type", token);
        };
        let name = value.to_ascii_uppercase();
        let data_type = match name.as_str() {
            "BOOLEAN" | "BOOL" => DataType::Boolean,
            // Beside Flink's names, those of Postgres, which no other type could be meant by.
            "TINYINT" => self.integer(DataType::Int8, DataType::UInt8),
            "SMALLINT" | "INT2" => self.integer(DataType::Int16, DataType::UInt16),
            "INT" | "INTEGER" | "INT4" => self.integer(DataType::Int32, DataType::UInt32),
            "BIGINT" | "INT8" => self.integer(DataType::Int64, DataType::UInt64),
            "FLOAT" | "REAL" | "FLOAT4" => DataType::Float32,
            "DOUBLE" => {
                self.word("PRECISION");
                DataType::Float64
            }
            "FLOAT8" => DataType::Float64,
            "DECIMAL" | "DEC" | "NUMERIC" => self.decimal()?,
            "STRING" | "TEXT" => DataType::Utf8,
            "VARCHAR" | "CHAR" | "CHARACTER" => {
                let varying = self.word("VARYING") || name == "VARCHAR";
                let length = self.number_in_parens()?;
                let text_length = match (length, varying) {
                    (None, true) => None,
                    (chars, varying) => Some(TextLength { chars: chars.unwrap_or(1), fixed: !varying }),
                };
                return Ok(Type { data_type: DataType::Utf8, text_length });
            }
            "BYTES" | "BYTEA" => DataType::Binary,
            "BINARY" | "VARBINARY" => {
                self.number_in_parens()?;
                DataType::Binary
            }
            "DATE" => DataType::Date32,
            "TIME" => {
                self.number_in_parens()?;
                self.zone()?;
                DataType::Time32(TimeUnit::Millisecond)
            }
            "TIMESTAMP" => {
                let unit = self.unit()?;
                if self.zone()? { instant(unit) } else { DataType::Timestamp(unit, None) }
            }
            "TIMESTAMP_LTZ" | "TIMESTAMPTZ" => instant(self.unit()?),
            // A MULTISET is the array of its members, each as often as it is in it.
            "ARRAY" | "MULTISET" => {
                self.open()?;
                let item = self.nested("item")?;
                self.close()?;
                DataType::List(Arc::new(item))
            }
            "MAP" => {
                self.open()?;
                let key = self.nested("key")?.with_nullable(false);
                self.parser.expect_token(&Token::Comma)?;
                let value = self.nested("value")?;
                self.close()?;
                let entries = DataType::Struct(Fields::from(vec![key, value]));
                DataType::Map(Arc::new(Field::new("entries", entries, false)), false)
            }
            "ROW" | "STRUCT" => self.row()?,
            "RAW" | "INTERVAL" | "STRUCTURED" | "VARIANT" | "SYMBOL" => {
                return fail(&token, format!("type {name} is not supported"));
            }
            _ => return fail(&token, format!("there is no type '{value}'; the types are {}", TYPE_NAMES.join(", "))),
        };
        Ok(plain(data_type))
    }

    /// A whole number, `UNSIGNED` or not.
    fn integer(&mut self, signed: DataType, unsigned: DataType) -> DataType {
        if self.word("UNSIGNED") { unsigned } else { signed }
    }

    fn decimal(&mut self) -> Result<DataType, ParserError> {
        let at = self.parser.peek_token();
        let (mut precision, mut scale) = (10, 0);
        if self.parser.consume_token(&Token::LParen) {
            precision = self.parser.parse_literal_uint()?;
            if self.parser.consume_token(&Token::Comma) {
                scale = self.parser.parse_literal_uint()?;
            }
            self.parser.expect_token(&Token::RParen)?;
        }
        if precision == 0 || precision > u64::from(DECIMAL256_MAX_PRECISION) || scale > precision {
            return fail(
                &at,
                format!(
                    "DECIMAL({precision}, {scale}) does not exist: the precision is from 1 to {DECIMAL256_MAX_PRECISION}, the scale not above it"
                ),
            );
        }
        // Both are below 77 now.
        let (precision, scale) = (precision as u8, scale as i8);
        Ok(match precision > DECIMAL128_MAX_PRECISION {
            true => DataType::Decimal256(precision, scale),
            false => DataType::Decimal128(precision, scale),
        })
    }

    /// `(p)` of a timestamp; 6 where it is left out.
    fn unit(&mut self) -> Result<TimeUnit, ParserError> {
        let at = self.parser.peek_token();
        match self.number_in_parens()?.unwrap_or(6) {
            0 => Ok(TimeUnit::Second),
            1..=3 => Ok(TimeUnit::Millisecond),
            4..=6 => Ok(TimeUnit::Microsecond),
            7..=9 => Ok(TimeUnit::Nanosecond),
            p => fail(&at, format!("a time has at most 9 digits after the second, not {p}")),
        }
    }

    /// `WITHOUT TIME ZONE`, or `WITH LOCAL TIME ZONE`: then true.
    fn zone(&mut self) -> Result<bool, ParserError> {
        let at = self.parser.peek_token();
        if self.word("WITHOUT") {
            self.words(&["TIME", "ZONE"])?;
            return Ok(false);
        }
        if !matches!(self.parser.peek_nth_token_ref(1).token, Token::Word(ref w) if w.value.eq_ignore_ascii_case("LOCAL") || w.keyword == Keyword::TIME)
            || !self.word("WITH")
        {
            return Ok(false);
        }
        if !self.word("LOCAL") {
            return fail(&at, "WITH TIME ZONE is not supported: write WITH LOCAL TIME ZONE, or TIMESTAMP_LTZ");
        }
        self.words(&["TIME", "ZONE"])?;
        Ok(true)
    }

    fn row(&mut self) -> Result<DataType, ParserError> {
        let round = self.parser.consume_token(&Token::LParen);
        if !round {
            self.open()?;
        }
        let mut fields: Vec<Field> = vec![];
        loop {
            let at = self.parser.peek_token();
            let name = self.parser.parse_identifier()?.value;
            if fields.iter().any(|f| *f.name() == name) {
                return fail(&at, format!("field '{name}' stands twice in the same ROW"));
            }
            fields.push(self.nested(&name)?);
            if matches!(self.parser.peek_token_ref().token, Token::SingleQuotedString(_)) {
                self.parser.next_token();
            }
            if self.closed > 0 || !self.parser.consume_token(&Token::Comma) {
                break;
            }
        }
        if round {
            self.parser.expect_token(&Token::RParen)?;
        } else {
            self.close()?;
        }
        Ok(DataType::Struct(Fields::from(fields)))
    }

    /// A type within another, with `NOT NULL`.
    fn nested(&mut self, name: &str) -> Result<Field, ParserError> {
        let data_type = self.parse()?.data_type;
        let not_null = self.closed == 0 && self.parser.parse_keywords(&[Keyword::NOT, Keyword::NULL]);
        if self.closed == 0 && !not_null {
            let _ = self.parser.parse_keyword(Keyword::NULL);
        }
        Ok(Field::new(name, data_type, !not_null))
    }

    fn open(&mut self) -> Result<(), ParserError> {
        self.parser.expect_token(&Token::Lt).map(drop)
    }

    fn close(&mut self) -> Result<(), ParserError> {
        if self.closed > 0 {
            self.closed -= 1;
            return Ok(());
        }
        if self.parser.consume_token(&Token::ShiftRight) {
            self.closed += 1;
            return Ok(());
        }
        self.parser.expect_token(&Token::Gt).map(drop)
    }

    fn number_in_parens(&mut self) -> Result<Option<u64>, ParserError> {
        if !self.parser.consume_token(&Token::LParen) {
            return Ok(None);
        }
        let n = self.parser.parse_literal_uint()?;
        self.parser.expect_token(&Token::RParen)?;
        Ok(Some(n))
    }

    fn word(&mut self, word: &str) -> bool {
        let found = matches!(&self.parser.peek_token_ref().token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word));
        if found {
            self.parser.next_token();
        }
        found
    }

    fn words(&mut self, words: &[&str]) -> Result<(), ParserError> {
        for word in words {
            if !self.word(word) {
                return self.parser.expected_ref(word, self.parser.peek_token_ref());
            }
        }
        Ok(())
    }
}

fn plain(data_type: DataType) -> Type {
    Type { data_type, text_length: None }
}

fn instant(unit: TimeUnit) -> DataType {
    DataType::Timestamp(unit, Some("UTC".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let data_type = type_of_text(text).unwrap_or_else(|| panic!("'{text}' is not a type"));
        assert_eq!(type_name(&data_type), expected, "{text}");
        assert_eq!(type_of_text(expected), Some(data_type), "{expected} reads as what it was printed from");
    }

    #[test]
    fn types() {
        check("int", "INT");
        check("DOUBLE PRECISION", "DOUBLE");
        check("VARCHAR(20)", "STRING");
        check("CHARACTER VARYING(20)", "STRING");
        check("DECIMAL", "DECIMAL(10, 0)");
        check("NUMERIC(50, 4)", "DECIMAL(50, 4)");
        check("TIMESTAMP", "TIMESTAMP(6)");
        check("TIMESTAMP(3) WITHOUT TIME ZONE", "TIMESTAMP(3)");
        check("TIMESTAMP(3) WITH LOCAL TIME ZONE", "TIMESTAMP_LTZ(3)");
        check("TIMESTAMP_LTZ", "TIMESTAMP_LTZ(6)");
        check("ARRAY<ARRAY<INT NOT NULL>>", "ARRAY<ARRAY<INT NOT NULL>>");
        check("MAP<STRING, ARRAY<ROW<a INT, b STRING 'what b is'>>>", "MAP<STRING, ARRAY<ROW<`a` INT, `b` STRING>>>");
        check("ROW(a INT, `b c` ROW<d DATE>)", "ROW<`a` INT, `b c` ROW<`d` DATE>>");
        check("STRUCT<a INT, b STRUCT<c STRING>>", "ROW<`a` INT, `b` ROW<`c` STRING>>");
        check("MULTISET<STRING>", "ARRAY<STRING>");
        check("INT ARRAY", "ARRAY<INT>");
        check("INT MULTISET ARRAY", "ARRAY<ARRAY<INT>>");
        check("VARCHAR(3)[][2]", "ARRAY<ARRAY<STRING>>");
        check("ARRAY<bigint unsigned NOT NULL>", "ARRAY<BIGINT UNSIGNED NOT NULL>");
        check("timestamptz", "TIMESTAMP_LTZ(6)");
        check("text", "STRING");
    }

    #[test]
    fn what_is_no_type() {
        for text in ["INTERVAL DAY", "ARRAY<INT>>", "ROW<>", "BLOB", "FLOAT UNSIGNED", "TIMESTAMP(10)"] {
            assert_eq!(type_of_text(text), None, "{text}");
        }
    }
}
