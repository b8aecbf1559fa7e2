//! What a statement says.

use std::fmt;

use datafusion::arrow::datatypes::DataType;
use sqlparser::ast;
use tidemill_core::{Micros, Span};

/// A statement, the text it was, and where in the file it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// What it says.
    pub kind: StatementKind,
    /// Its text, from the first word to the last.
    pub text: String,
    /// Its first word.
    pub span: Span,
}

/// What a statement says.
#[derive(Debug, Clone, PartialEq)]
pub enum StatementKind {
    /// `CREATE TABLE`.
    CreateTable(Box<CreateTable>),
    /// `CREATE VIEW`.
    CreateView(Box<CreateView>),
    /// `DROP TABLE`, `DROP VIEW`.
    Drop {
        /// Of a view.
        view: bool,
        /// Which one.
        name: Name,
        /// No error if there is none.
        if_exists: bool,
    },
    /// `ALTER TABLE`, `ALTER VIEW`.
    Alter(Box<Alter>),
    /// `INSERT INTO`.
    Insert(Box<Insert>),
    /// `EXECUTE STATEMENT SET BEGIN .. END`: inserts that are one dataflow.
    StatementSet(Vec<Insert>),
    /// A query.
    Select(Box<Select>),
    /// `SET`, alone: all settings that were set.
    ShowSet,
    /// `SET key = value`.
    Set {
        /// The setting.
        key: Name,
        /// Its new value.
        value: String,
    },
    /// `RESET key`, or `RESET` for all.
    Reset(Option<Name>),
    /// `SHOW ..`.
    Show(Show),
    /// `USE`, `USE CATALOG`, `CREATE DATABASE IF NOT EXISTS` of the one that there is.
    Use(Name),
    /// `DESCRIBE name`.
    Describe(Name),
    /// `EXPLAIN ..`.
    Explain {
        /// Which of its forms.
        kind: ExplainKind,
        /// What is explained: a query, an insert, or a set of them.
        statement: Box<Statement>,
    },
    /// `VERIFY [runs] [SEED seed] query`.
    Verify {
        /// How many runs as a stream; `None` where that is not said.
        runs: Option<u64>,
        /// What the cuts of the runs are made from.
        seed: Option<u64>,
        /// The query.
        statement: Box<Statement>,
    },
}

/// A name as written, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The name, without quotes. Parts are joined by dots.
    pub value: String,
    /// Its place.
    pub span: Span,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.value)
    }
}

/// `SHOW ..`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Show {
    /// `SHOW TABLES`, with the pattern of its `LIKE`.
    Tables(Option<String>),
    /// `SHOW VIEWS`, with the pattern of its `LIKE`.
    Views(Option<String>),
    /// `SHOW CATALOGS`, `SHOW CURRENT CATALOG`.
    Catalogs,
    /// `SHOW DATABASES`, `SHOW CURRENT DATABASE`.
    Databases,
    /// `SHOW FUNCTIONS`.
    Functions,
    /// `SHOW SETTINGS`.
    Settings,
    /// `SHOW COLUMNS FROM name`.
    Columns(Name),
    /// `SHOW CREATE TABLE name`, `SHOW CREATE VIEW name`.
    Create(Name),
}

/// Which plan `EXPLAIN` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExplainKind {
    /// The logical plan, the stream plan and the state.
    Default,
    /// The logical plan.
    Logical,
    /// The stream plan.
    Stream,
    /// What bounds the state of each operator.
    State,
    /// Who holds time back.
    Watermark,
}

/// When a result is put out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EmitClause {
    /// As suits the query.
    #[default]
    Default,
    /// `EMIT ON WINDOW CLOSE`.
    OnWindowClose,
    /// `EMIT CHANGES [EVERY interval]`.
    Changes {
        /// The least time between two emissions.
        every: Option<Micros>,
    },
}

/// A query and when it emits.
#[derive(Debug, Clone, PartialEq)]
pub struct Select {
    /// The query.
    pub query: ast::Query,
    /// `EMIT ..`.
    pub emit: EmitClause,
    /// `STATE_TTL` hints: the tables that they name, and for how long state is kept that nothing touches.
    pub state_ttls: Vec<(String, Micros)>,
    /// What its hints say that has no effect.
    pub notes: Vec<String>,
}

/// `INSERT {INTO | OVERWRITE} target [PARTITION (..)] [(columns)] query`.
#[derive(Debug, Clone, PartialEq)]
pub struct Insert {
    /// The table to write.
    pub target: Name,
    /// `/*+ OPTIONS(..) */` of the target.
    pub options: Vec<(String, String)>,
    /// `OVERWRITE`: what is written takes the place of what was there.
    pub overwrite: bool,
    /// `PARTITION (..)`: partition columns, with the one value that they have if it is said.
    pub partition: Vec<(Name, Option<ast::Expr>)>,
    /// The columns named; empty for all.
    pub columns: Vec<Name>,
    /// What is written.
    pub query: ast::Query,
    /// `EMIT ..`.
    pub emit: EmitClause,
    /// `STATE_TTL` hints: the tables that they name, and for how long state is kept that nothing touches.
    pub state_ttls: Vec<(String, Micros)>,
    /// What its hints say that has no effect.
    pub notes: Vec<String>,
    /// Its text.
    pub text: String,
    /// Its first word.
    pub span: Span,
}

/// `CREATE VIEW name [(columns)] AS query`.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateView {
    /// The view.
    pub name: Name,
    /// Names for the columns of the query; empty to keep its own.
    pub columns: Vec<Name>,
    /// What it stands for.
    pub query: ast::Query,
    /// No error if there is one already.
    pub if_not_exists: bool,
    /// `OR REPLACE`.
    pub or_replace: bool,
}

/// `CREATE TABLE`.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateTable {
    /// The table.
    pub name: Name,
    /// No error if there is one already.
    pub if_not_exists: bool,
    /// The columns; `None` where the statement has none, so that the connector is to find them.
    pub columns: Option<Vec<ColumnDef>>,
    /// `WATERMARK FOR`.
    pub watermark: Option<WatermarkDef>,
    /// `PRIMARY KEY`.
    pub primary_key: Option<Vec<Name>>,
    /// `PARTITIONED BY`.
    pub partitioned_by: Vec<Name>,
    /// `WITH (..)`.
    pub options: Vec<(Name, String)>,
    /// `LIKE other (..)`.
    pub like: Option<LikeClause>,
    /// `COMMENT`.
    pub comment: Option<String>,
    /// `OR REPLACE`.
    pub or_replace: bool,
    /// `AS SELECT ..`: what the table gets its columns from. The statement after this one writes its rows.
    pub as_select: Option<Box<Insert>>,
}

impl CreateTable {
    /// A table of which nothing is said but its name.
    pub fn empty(name: Name) -> Self {
        Self {
            name,
            if_not_exists: false,
            columns: None,
            watermark: None,
            primary_key: None,
            partitioned_by: vec![],
            options: vec![],
            like: None,
            comment: None,
            or_replace: false,
            as_select: None,
        }
    }
}

/// `ALTER TABLE` or `ALTER VIEW`.
#[derive(Debug, Clone, PartialEq)]
pub struct Alter {
    /// Of a view.
    pub view: bool,
    /// Which one.
    pub name: Name,
    /// No error if there is none.
    pub if_exists: bool,
    /// What is changed.
    pub change: Change,
}

/// What `ALTER` changes.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// `RENAME TO name`.
    Rename(Name),
    /// `AS query`, of a view; and the query's text.
    Query(Box<ast::Query>, String),
    /// `SET ('key' = 'value')`.
    Set(Vec<(Name, String)>),
    /// `RESET ('key')`.
    Reset(Vec<Name>),
    /// `ADD ..`: columns, a watermark, a key; and where each column goes.
    Add(Box<CreateTable>, Vec<Position>),
    /// `MODIFY ..`: the same, in place of what there is.
    Modify(Box<CreateTable>, Vec<Position>),
    /// `DROP column`, `DROP (a, b)`.
    DropColumns(Vec<Name>),
    /// `DROP PRIMARY KEY`, `DROP CONSTRAINT name`.
    DropKey,
    /// `DROP WATERMARK`.
    DropWatermark,
    /// `RENAME old TO new`.
    RenameColumn {
        /// The column.
        old: Name,
        /// Its new name.
        new: Name,
    },
}

/// Where a column goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Position {
    /// Behind all others, or where it was.
    Unsaid,
    /// `FIRST`.
    First,
    /// `AFTER column`.
    After(Name),
}

/// A column of `CREATE TABLE`.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDef {
    /// Its name.
    pub name: Name,
    /// What it is.
    pub kind: ColumnDefKind,
    /// `COMMENT`.
    pub comment: Option<String>,
}

/// What a column is.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnDefKind {
    /// `name TYPE [NOT NULL]`.
    Physical {
        /// Its type.
        data_type: DataType,
        /// Not declared `NOT NULL`.
        nullable: bool,
    },
    /// `name TYPE METADATA [FROM 'key'] [VIRTUAL]`.
    Metadata {
        /// Its type.
        data_type: DataType,
        /// Not declared `NOT NULL`.
        nullable: bool,
        /// The connector's name for it; the column's own where it is not given.
        key: Option<String>,
        /// Left out when the table is written.
        is_virtual: bool,
    },
    /// `name AS expression`.
    Computed {
        /// The expression.
        expr: Box<ast::Expr>,
        /// Its text.
        text: String,
    },
}

/// `WATERMARK FOR column AS expression`.
#[derive(Debug, Clone, PartialEq)]
pub struct WatermarkDef {
    /// The event-time column.
    pub column: Name,
    /// The watermark.
    pub expr: ast::Expr,
    /// Its text.
    pub text: String,
}

/// `LIKE table ({INCLUDING | EXCLUDING | OVERWRITING} part, ..)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LikeClause {
    /// The table to take after.
    pub table: Name,
    /// What to do with its parts, in the order written.
    pub rules: Vec<(LikeRule, LikePart)>,
}

/// What `LIKE` does with a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LikeRule {
    /// Taken; an error if the statement has the same.
    Including,
    /// Left out.
    Excluding,
    /// Taken, unless the statement has the same.
    Overwriting,
}

/// A part of a table that `LIKE` can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LikePart {
    /// Everything.
    All,
    /// Primary keys.
    Constraints,
    /// Computed columns.
    Generated,
    /// Metadata columns.
    Metadata,
    /// The options of `WITH`.
    Options,
    /// `PARTITIONED BY`.
    Partitions,
    /// `WATERMARK FOR`.
    Watermarks,
}
