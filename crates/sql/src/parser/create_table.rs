//! `CREATE TABLE`.

use datafusion::arrow::datatypes::DataType;
use sqlparser::ast;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::Token;
use tidemill_core::{Error, Result};

use super::script::Script;
use super::statement::{ColumnDef, ColumnDefKind, CreateTable, LikeClause, LikePart, LikeRule, Name, WatermarkDef};
use super::types;

impl Script<'_> {
    /// What follows `CREATE [TEMPORARY] TABLE`.
    pub(super) fn create_table(&mut self) -> Result<CreateTable> {
        let if_not_exists = self.words(&["IF", "NOT", "EXISTS"]);
        let name = self.table_name()?;
        let mut table = CreateTable { if_not_exists, ..CreateTable::empty(name) };
        if self.token(&Token::LParen) {
            while !self.token(&Token::RParen) {
                self.table_element(&mut table)?;
                if !self.token(&Token::Comma) {
                    self.expect(&Token::RParen)?;
                    break;
                }
            }
        }
        loop {
            let at = self.here();
            if self.word("COMMENT") {
                table.comment = Some(self.string()?);
            } else if self.words(&["PARTITIONED", "BY"]) {
                table.partitioned_by = self.names_in_parens()?;
            } else if self.word("WITH") {
                table.options = self.options()?;
            } else if self.word("LIKE") {
                table.like = Some(self.like()?);
            } else if self.word("AS") {
                return self.as_select(table, at);
            } else if self.words(&["DISTRIBUTED"]) {
                return Err(Error::unsupported("DISTRIBUTED BY is not supported").at(at));
            } else {
                return Ok(table);
            }
        }
    }

    /// What follows `AS`: the query whose columns are those of the table, and whose rows it is given.
    fn as_select(&mut self, mut table: CreateTable, at: tidemill_core::Span) -> Result<CreateTable> {
        if table.columns.is_some() || table.like.is_some() {
            return Err(Error::unsupported("the columns of CREATE TABLE .. AS SELECT come from the query alone")
                .with_hint("Leave them out, or write CREATE TABLE with its columns, then INSERT INTO it.")
                .at(at));
        }
        if table.if_not_exists {
            return Err(Error::unsupported("CREATE TABLE IF NOT EXISTS .. AS SELECT is not supported")
                .with_hint("Write CREATE TABLE IF NOT EXISTS with its columns, then INSERT INTO it.")
                .at(at));
        }
        table.as_select = Some(Box::new(self.rows_for(table.name.clone(), at)?));
        Ok(table)
    }

    /// A column, `WATERMARK FOR` or a key.
    pub(super) fn table_element(&mut self, table: &mut CreateTable) -> Result<()> {
        let at = self.here();
        if self.words(&["WATERMARK", "FOR"]) {
            let watermark = self.watermark()?;
            if table.watermark.replace(watermark).is_some() {
                return Err(Error::statement("a table has one WATERMARK, and this is the second").at(at));
            }
            return Ok(());
        }
        let constraint = self.word("CONSTRAINT");
        if constraint {
            self.name()?;
        }
        if self.words(&["PRIMARY", "KEY"]) {
            let columns = self.names_in_parens()?;
            self.not_enforced(at)?;
            return self.primary_key(table, columns, at);
        }
        if constraint || self.peek_words(&["UNIQUE"]) && self.peek_is(1, &Token::LParen) {
            return Err(Error::unsupported("of constraints only PRIMARY KEY (..) NOT ENFORCED is supported").at(at));
        }
        let column = self.column(table)?;
        table.columns.get_or_insert_default().push(column);
        Ok(())
    }

    fn watermark(&mut self) -> Result<WatermarkDef> {
        let column = self.name()?;
        if self.peek_is(0, &Token::Period) {
            return Err(Error::statement("WATERMARK FOR needs a column of the table, not a field of one")
                .with_hint("Make the field a column: name AS row_column.field.")
                .at(self.here()));
        }
        if !self.word("AS") {
            // Rows come in order.
            let name = ast::Ident::with_quote('`', &column.value);
            return Ok(WatermarkDef { expr: ast::Expr::Identifier(name), text: types::quoted(&column.value), column });
        }
        let (expr, text) = self.expression()?;
        Ok(WatermarkDef { column, expr, text })
    }

    fn column(&mut self, table: &mut CreateTable) -> Result<ColumnDef> {
        let name = self.name()?;
        if self.word("AS") {
            let (expr, text) = self.expression()?;
            let comment = self.comment()?;
            return Ok(ColumnDef { name, kind: ColumnDefKind::Computed { expr: Box::new(expr), text }, comment });
        }
        let data_type = self.parsed(types::parse_type)?.data_type;
        let mut nullable = true;
        let mut metadata: Option<Option<String>> = None;
        let mut is_virtual = false;
        let mut comment = None;
        let mut generated: Option<ColumnDefKind> = None;
        loop {
            let at = self.here();
            if self.words(&["NOT", "NULL"]) {
                nullable = false;
            } else if self.word("NULL") {
                nullable = true;
            } else if self.words(&["PRIMARY", "KEY"]) {
                self.not_enforced(at)?;
                self.primary_key(table, vec![name.clone()], at)?;
            } else if self.words(&["GENERATED", "ALWAYS", "AS"]) {
                generated = Some(self.generated(&data_type)?);
            } else if self.word("METADATA") {
                let key = if self.word("FROM") { Some(self.string()?) } else { None };
                metadata = Some(key);
                is_virtual = self.word("VIRTUAL");
            } else if self.word("COMMENT") {
                comment = Some(self.string()?);
            } else if self.word("DEFAULT") || self.word("REFERENCES") || self.word("CHECK") {
                return Err(
                    Error::unsupported("a column has a type, NOT NULL, METADATA, PRIMARY KEY or COMMENT").at(at)
                );
            } else {
                break;
            }
        }
        let kind = match metadata {
            None if generated.is_some() => generated.unwrap_or(ColumnDefKind::Physical { data_type, nullable }),
            Some(key) => ColumnDefKind::Metadata { data_type, nullable, key, is_virtual },
            None => ColumnDefKind::Physical { data_type, nullable },
        };
        Ok(ColumnDef { name, kind, comment })
    }

    fn primary_key(&mut self, table: &mut CreateTable, columns: Vec<Name>, at: tidemill_core::Span) -> Result<()> {
        match table.primary_key.replace(columns) {
            None => Ok(()),
            Some(_) => Err(Error::statement("a table has one PRIMARY KEY, and this is the second").at(at)),
        }
    }

    /// `NOT ENFORCED` may be left out: no key is ever checked.
    fn not_enforced(&mut self, at: tidemill_core::Span) -> Result<()> {
        if self.words(&["NOT", "ENFORCED"]) || !self.word("ENFORCED") {
            return Ok(());
        }
        Err(Error::statement("a PRIMARY KEY is not checked").with_hint("Write PRIMARY KEY (..) NOT ENFORCED.").at(at))
    }

    /// What follows `GENERATED ALWAYS AS`: an expression in parentheses, which is computed as the type says.
    fn generated(&mut self, data_type: &DataType) -> Result<ColumnDefKind> {
        self.expect(&Token::LParen)?;
        let (expr, text) = self.expression()?;
        self.expect(&Token::RParen)?;
        if !self.word("STORED") {
            self.word("VIRTUAL");
        }
        let text = format!("CAST({text} AS {})", types::type_name(data_type));
        let expr = ast::Expr::Cast {
            kind: ast::CastKind::Cast,
            expr: Box::new(expr),
            data_type: types::carry(data_type),
            array: false,
            format: None,
        };
        Ok(ColumnDefKind::Computed { expr: Box::new(expr), text })
    }

    fn comment(&mut self) -> Result<Option<String>> {
        if self.word("COMMENT") { Ok(Some(self.string()?)) } else { Ok(None) }
    }

    /// `('key' = 'value', bare.key = 'value')`.
    pub(super) fn options(&mut self) -> Result<Vec<(Name, String)>> {
        let mut options: Vec<(Name, String)> = vec![];
        self.expect(&Token::LParen)?;
        while !self.token(&Token::RParen) {
            let key = self.option_key()?;
            self.expect(&Token::Eq)?;
            let value = self.option_value()?;
            if options.iter().any(|(k, _)| k.value == key.value) {
                return Err(Error::statement(format!("option '{key}' is given twice")).at(key.span));
            }
            options.push((key, value));
            if !self.token(&Token::Comma) {
                self.expect(&Token::RParen)?;
                break;
            }
        }
        Ok(options)
    }

    fn like(&mut self) -> Result<LikeClause> {
        let table = self.table_name()?;
        let mut rules = vec![];
        if self.token(&Token::LParen) {
            while !self.token(&Token::RParen) {
                let rule = match () {
                    () if self.word("INCLUDING") => LikeRule::Including,
                    () if self.word("EXCLUDING") => LikeRule::Excluding,
                    () if self.word("OVERWRITING") => LikeRule::Overwriting,
                    () => return Err(self.expected("INCLUDING, EXCLUDING or OVERWRITING")),
                };
                let part = match () {
                    () if self.word("ALL") => LikePart::All,
                    () if self.word("CONSTRAINTS") => LikePart::Constraints,
                    () if self.word("GENERATED") => LikePart::Generated,
                    () if self.word("METADATA") => LikePart::Metadata,
                    () if self.word("OPTIONS") => LikePart::Options,
                    () if self.word("PARTITIONS") => LikePart::Partitions,
                    () if self.word("WATERMARKS") => LikePart::Watermarks,
                    () => {
                        let parts = "ALL, CONSTRAINTS, GENERATED, METADATA, OPTIONS, PARTITIONS or WATERMARKS";
                        return Err(self.expected(parts));
                    }
                };
                rules.push((rule, part));
            }
        }
        Ok(LikeClause { table, rules })
    }

    /// `(a, b)`.
    pub(super) fn names_in_parens(&mut self) -> Result<Vec<Name>> {
        self.expect(&Token::LParen)?;
        let mut names = vec![self.name()?];
        while self.token(&Token::Comma) {
            names.push(self.name()?);
        }
        self.expect(&Token::RParen)?;
        Ok(names)
    }

    /// `'key'`, `key`, `a.b-c`.
    pub(super) fn option_key(&mut self) -> Result<Name> {
        let (at, first) = (self.here(), self.index());
        if let Some(value) = self.maybe_string() {
            return Ok(Name { value, span: at });
        }
        while matches!(self.peek(0), Token::Word(_) | Token::Period | Token::Minus | Token::Number(..)) {
            self.parser.advance_token();
        }
        if self.index() == first {
            return Err(self.expected("the name of an option"));
        }
        let value = self.source.text_of(first..self.index()).to_string();
        Ok(Name { span: tidemill_core::Span::new(at.line, at.column, value.chars().count() as u64), value })
    }

    /// `'value'`, or one bare word or number.
    fn option_value(&mut self) -> Result<String> {
        if let Some(value) = self.maybe_string() {
            return Ok(value);
        }
        match self.peek(0) {
            Token::Word(w) if w.quote_style.is_none() && w.keyword != Keyword::WITH => {}
            Token::Number(..) => {}
            _ => return Err(self.expected("a value in single quotes")),
        }
        let first = self.index();
        self.parser.advance_token();
        Ok(self.source.text_of(first..self.index()).to_string())
    }
}
