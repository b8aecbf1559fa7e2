//! A table of the catalog, as planning sees it.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::logical_expr::{Expr, TableSource};
use tidemill_core::sink::Sink;
use tidemill_core::source::Source;
use tidemill_core::table::TableSpec;
use tidemill_core::{Micros, Result};
use tidemill_plan::history::{GONE, ORDER};
use tidemill_plan::op::OnError;

/// Makes the source of a table, or says why it cannot be read. It is handed the table's spec, whose options a query may
/// have changed by a hint.
pub type SourceFn = Arc<dyn Fn(&TableSpec) -> Result<Arc<dyn Source>> + Send + Sync>;
/// Makes the sink of a table, or says why it cannot be written.
pub type SinkFn = Arc<dyn Fn(&TableSpec) -> Result<Arc<dyn Sink>> + Send + Sync>;

/// What `CREATE TABLE` made, or what a program registered.
#[derive(Clone)]
pub struct Table {
    /// Its name, as written.
    pub name: String,
    /// All columns in the order of the statement: physical, metadata and computed ones.
    pub columns: Vec<Column>,
    /// Event time and watermark, if declared.
    pub event_time: Option<EventTimeColumn>,
    /// The columns of `PRIMARY KEY`, as indices into `columns`.
    pub primary_key: Vec<usize>,
    /// What the connector was told.
    pub spec: TableSpec,
    /// To read from it. Behind a function, since most connectors read or write but do not do both, and the error belongs
    /// to the statement that asks.
    pub source: SourceFn,
    /// To write to it.
    pub sink: SinkFn,
    /// `'source.idle-timeout'` of the table; 0 turns it off. Where the table does not say, a query puts the session's in.
    pub idle_timeout: Option<Micros>,
    /// `'on-error'`.
    pub on_error: OnError,
    /// The statement that made it, for `SHOW CREATE TABLE`.
    pub ddl: String,
}

impl Table {
    /// The source of this table, or why it cannot be read.
    pub fn open_source(&self) -> Result<Arc<dyn Source>> {
        (self.source)(&self.spec)
    }

    /// The sink of this table, or why it cannot be written.
    pub fn open_sink(&self) -> Result<Arc<dyn Sink>> {
        (self.sink)(&self.spec)
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("name", &self.name).field("columns", &self.columns).finish_non_exhaustive()
    }
}

/// A column of a table.
#[derive(Debug, Clone)]
pub struct Column {
    /// Name, type and whether it may be NULL.
    pub field: Arc<Field>,
    /// Where its values come from.
    pub kind: ColumnKind,
    /// `COMMENT '..'`.
    pub comment: Option<String>,
}

/// Where the values of a column come from.
#[derive(Debug, Clone)]
pub enum ColumnKind {
    /// From the record.
    Physical,
    /// From the connector.
    Metadata {
        /// The connector's name for it.
        key: String,
        /// Whether it is left out when the table is written.
        is_virtual: bool,
    },
    /// From the other columns: the expression, over the physical and metadata columns (computed columns it refers to are
    /// put in), and its text.
    Computed {
        /// The expression, its columns unqualified.
        expr: Box<Expr>,
        /// As it was written.
        text: String,
    },
}

/// `WATERMARK FOR column AS expr`.
#[derive(Debug, Clone)]
pub struct EventTimeColumn {
    /// The column, as an index into the table's columns.
    pub column: usize,
    /// The watermark, over physical and metadata columns and the event-time column itself, unqualified.
    pub watermark: Expr,
    /// As it was written.
    pub text: String,
}

/// What a `TableScan` of a stream reads: the columns that the source decodes (physical ones, then metadata ones), and after
/// them the event-time column where that is computed.
///
/// The other computed columns are a projection above the scan, so that they cost nothing where they are not asked for.
#[derive(Debug, Clone)]
pub struct StreamScan {
    /// The table.
    pub table: Arc<Table>,
    /// The source of this query.
    pub source: Arc<dyn Source>,
    /// Whether it reads the versions that the rows of the table had, not the rows that are there. Two columns more then stand
    /// at the end: those of a [`HistoryOp`](tidemill_plan::history::HistoryOp).
    pub history: bool,
    schema: SchemaRef,
}

impl StreamScan {
    /// A scan of `table`.
    pub fn try_new(table: Arc<Table>) -> Result<Self> {
        let source = table.open_source()?;
        Ok(Self::with_source(table, source))
    }

    /// A scan of `table` from a source that was opened for it.
    pub fn with_source(table: Arc<Table>, source: Arc<dyn Source>) -> Self {
        let mut fields: Vec<Arc<Field>> = source.schema().fields().iter().cloned().collect();
        if let Some(time) = &table.event_time
            && let column = &table.columns[time.column]
            && matches!(column.kind, ColumnKind::Computed { .. })
        {
            // A row without event time is rejected where it comes in, so what is read has none.
            fields.push(Arc::new(column.field.as_ref().clone().with_nullable(false)));
        }
        Self { table, source, history: false, schema: Arc::new(Schema::new(fields)) }
    }

    /// The same scan of another source of the same rows.
    #[must_use]
    pub fn over(&self, source: Arc<dyn Source>) -> Self {
        let scan = Self::with_source(Arc::clone(&self.table), source);
        if self.history { scan.of_history() } else { scan }
    }

    /// The same scan of the versions that the rows of the table had.
    #[must_use]
    pub fn of_history(self) -> Self {
        let mut fields: Vec<Arc<Field>> = self.schema.fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new(ORDER, DataType::Int64, false)));
        fields.push(Arc::new(Field::new(GONE, DataType::Boolean, false)));
        Self { history: true, schema: Arc::new(Schema::new(fields)), ..self }
    }

    /// How many columns the table itself has here.
    pub fn own_columns(&self) -> usize {
        self.schema.fields().len() - if self.history { 2 } else { 0 }
    }
}

impl TableSource for StreamScan {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}
