//! Every operator of a stream plan, with all that it needs to know.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::FieldRef;
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_expr::aggregate::AggregateFunctionExpr;
use tidemill_core::sink::Sink;
use tidemill_core::{ChangeMode, Micros};

pub use crate::as_of::{AsOfForm, AsOfJoinOp, AsOfMatch};
pub use crate::contenders::ContendersOp;
use crate::graph::NodeId;
use crate::history::HistoryOp;
pub use crate::join::{JoinOp, TimeBound, Unmatched};
pub use crate::narrow::FilterOp;
pub use crate::over::{OverForm, OverFunction, OverOp};
use crate::retraction::{Keeps, Retraction};
pub use crate::source::{AtEnd, ChangeKind, Changelog, EventTime, OnError, SourceInput, SourceOp, WatermarkExpr};
use crate::window::Window;

/// An expression over an operator's input columns.
pub type Expr = Arc<dyn PhysicalExpr>;

/// What a node does. The one list of operators: a new one is a line here, a line where the dataflow builds it, a file.
#[derive(Debug, Clone)]
pub enum StreamOp {
    /// Rows from a table.
    Source(SourceOp),
    /// The changes of a table that is a log of changes, made exact: see [`NormalizeOp`].
    Normalize(NormalizeOp),
    /// The versions that the rows of such a table had, as rows that stay: see [`HistoryOp`].
    History(HistoryOp),
    /// Rows that are known already: `VALUES`. Put out once, in the first epoch; then the edge ends.
    Values(Vec<RecordBatch>),
    /// The rows for which an expression is true.
    Filter(FilterOp),
    /// Expressions over each row, one for each output column.
    Project(Vec<Expr>),
    /// All rows of all inputs. Columns go by place.
    Union,
    /// From here on time is the clock: the watermark forwarded is the epoch's reading of it. The edge's event-time column
    /// holds `PROCTIME()`. No row is ever late.
    ProcessingTime,
    /// Counts rows as they come on each worker, in a column at the end.
    Number,
    /// A row for each element of a list column.
    Unnest(UnnestOp),
    /// Each row once for each window it belongs to, with `window_start`, `window_end` and `window_time` added at the end.
    WindowRows(Window),
    /// As [`WindowRows`](Self::WindowRows) for sessions: rows wait until their session has closed, or come at once and change.
    SessionRows(SessionRowsOp),
    /// Aggregates by window and group.
    WindowAggregate(WindowAggregateOp),
    /// Aggregates by group, kept up to date with each epoch. Rows of the input may be taken back.
    UpdatingAggregate(UpdatingAggregateOp),
    /// The first rows of each partition by an order: `ROW_NUMBER() <= n`, `ORDER BY .. LIMIT n`.
    TopN(TopNOp),
    /// Adds up the changes of an epoch before they leave.
    Compact(CompactOp),
    /// The rows that may still equal the extreme of a window: see [`ContendersOp`].
    Contenders(ContendersOp),
    /// Matches the rows of two inputs.
    Join(JoinOp),
    /// Each row of the left input with the one row of the right that was valid at its time.
    AsOfJoin(AsOfJoinOp),
    /// Functions with `OVER`: each row with their values behind its columns.
    Over(OverOp),
    /// Holds changes back, row by row, until they are due.
    HoldBack(HoldBackOp),
    /// One row of each key: `ROW_NUMBER() = 1`, `DISTINCT ON`.
    Deduplicate(DeduplicateOp),
    /// Rows in the order of these columns, the first of which is event time, as the watermark passes them.
    TemporalSort(Vec<SortKey>),
    /// Hands its rows to the world: a table's sink, or the reader of a result.
    Sink(SinkOp),
}

/// Makes exact retractions and insertions of a [`Changelog`]: what is taken back is the row as it was inserted, and a row
/// that was never inserted is not taken back but rejected. Output columns are those of the source.
#[derive(Debug, Clone)]
pub struct NormalizeOp {
    /// As [`Changelog::key`].
    pub key: Vec<usize>,
    /// The event-time column, if there is one: a row is taken back at its own time, and may be late for its windows.
    pub event_time: Option<usize>,
    /// What becomes of the retraction of a row that was never inserted.
    pub on_error: OnError,
}

/// Adds up the changes of an epoch, so that a sink gets only what differs from the epoch before; a retraction stands right
/// before the insertion of the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompactOp {
    /// The columns that pair a retraction with an insertion. Empty: all of them.
    pub key: Vec<usize>,
    /// What the sink is handed.
    pub give: Give,
}

/// What a [`CompactOp`] gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Give {
    /// All that has changed: rows gone and rows new.
    Changes,
    /// One row for each key that has changed: the row as it is now, or with weight -1 the row that is gone. The plan
    /// proves that there is at most one live row for a key.
    LastByKey,
    /// The same where nothing proves it: the live rows of each key are kept, and the greatest of them (column by column)
    /// is the one that is given. So it does not depend on which came first.
    GreatestByKey,
    /// The same over insertions only: the last one of a key is given.
    LastInserted,
}

/// A row for each element of list columns, and a column for each field of struct columns.
#[derive(Debug, Clone)]
pub struct UnnestOp {
    /// The list columns of the input to take apart, side by side: shorter ones are filled with NULL.
    pub lists: Vec<usize>,
    /// The struct columns of the input that become a column for each field.
    pub structs: Vec<usize>,
    /// Whether a row whose lists are all NULL or empty gives one row with NULLs (`LEFT JOIN UNNEST`), or none.
    pub preserve_nulls: bool,
    /// For each output column, the input column it is made from. A struct's fields come one after the other.
    pub from: Vec<usize>,
}

/// Sessions as rows.
#[derive(Debug, Clone)]
pub struct SessionRowsOp {
    /// A [`WindowKind::Session`](crate::WindowKind::Session).
    pub window: Window,
    /// The columns of `PARTITION BY`.
    pub partition_by: Vec<usize>,
    /// How long a closed window may still be corrected.
    pub allowed_lateness: Micros,
    /// Whether rows come out at once, with the bounds that their session has so far, and again when these change; otherwise
    /// when their session has closed. Rows of the input may be taken back only if so.
    pub changing: bool,
}

/// Which window a row of a [`WindowAggregateOp`] belongs to.
#[derive(Debug, Clone)]
pub enum RowWindow {
    /// By its time. For sessions, all group keys together are the partition.
    ByTime(Window),
    /// It stands in the row, put there by an operator below: the columns of `window_start` and `window_end` (wall clock),
    /// and, if it is there, of `window_time`. The window is over when the watermark has reached `window_end`.
    Attached {
        /// Column of `window_start`.
        start: usize,
        /// Column of `window_end`.
        end: usize,
        /// The window it was, for its zone and the type of `window_time`.
        window: Window,
    },
}

/// One aggregate call. `DISTINCT`, `ORDER BY` and `IGNORE NULLS` are inside the expression.
#[derive(Debug, Clone)]
pub struct AggregateCall {
    /// The function with its arguments.
    pub function: Arc<AggregateFunctionExpr>,
    /// `FILTER (WHERE ..)`.
    pub filter: Option<Expr>,
}

/// The keys of an aggregation.
#[derive(Debug, Clone)]
pub struct GroupBy {
    /// The key expressions, with the field of each in the output.
    pub keys: Vec<(Expr, FieldRef)>,
    /// `GROUPING SETS`, `CUBE`, `ROLLUP`: for each set, which keys are NULL in it. Empty without them. With sets the
    /// output has a column after the keys: the grouping id, as DataFusion computes it.
    pub sets: Vec<Vec<bool>>,
    /// The field of the grouping id, where there are sets.
    pub grouping_id: Option<FieldRef>,
}

/// When a window's result is put out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emit {
    /// Once, when the window has closed: an append result.
    OnClose,
    /// With each epoch that changed it, at most once every so many microseconds (0: every epoch): a retract result.
    Changes {
        /// The least time between two emissions, by the epoch's clock.
        every: Micros,
    },
    /// Once, at the end of a bounded input.
    AtEnd,
}

/// Aggregates by window and group.
///
/// Output columns: `window_start`, `window_end`, `window_time`, the keys, the grouping id if there are sets, the aggregates.
#[derive(Debug, Clone)]
pub struct WindowAggregateOp {
    /// Which window a row belongs to.
    pub window: RowWindow,
    /// The keys beside the window.
    pub group: GroupBy,
    /// The aggregates.
    pub aggregates: Vec<AggregateCall>,
    /// How long a closed window may still be corrected, by a retraction and an insertion. 0: not at all, and the output
    /// is append only.
    pub allowed_lateness: Micros,
}

/// Aggregates by group, kept up to date. Output columns: the keys, the grouping id if there are sets, the aggregates.
///
/// Also does `EMIT CHANGES` for windows: the window's columns are then among the keys.
#[derive(Debug, Clone)]
pub struct UpdatingAggregateOp {
    /// The keys.
    pub group: GroupBy,
    /// The aggregates.
    pub aggregates: Vec<AggregateCall>,
    /// When results are put out.
    pub emit: Emit,
    /// For windows: which key is `window_end`, when a group is let go, and what a late row is.
    pub expire: Option<Expire>,
    /// A group that no row has touched for so long by the epoch's clock is let go, with what was put out of it left as it is.
    pub ttl: Option<Micros>,
}

impl UpdatingAggregateOp {
    /// Whether its aggregates follow rows with weights, one by one: over an input with these changes. Else each epoch is
    /// aggregated by itself and merged into what is kept, which is cheaper where that is a few numbers. Not so for
    /// distinct values: merging them would go over all of a group's values with every epoch.
    pub fn follows_rows(&self, changes: &ChangeMode) -> bool {
        let at_end = self.emit == Emit::AtEnd || self.emit == Emit::OnClose && self.expire.is_none();
        let kept =
            || self.aggregates.iter().map(|call| (Retraction::of(&call.function), Keeps::of(&call.function, false)));
        *changes != ChangeMode::Append
            || (!at_end
                && kept().any(|(retraction, _)| retraction.is_some_and(|r| r.distinct))
                && kept().all(|(_, keeps)| keeps != Keeps::Rows))
    }
}

/// When a group of an updating aggregate over windows is over.
#[derive(Debug, Clone)]
pub struct Expire {
    /// The key that is `window_end`.
    pub end_key: usize,
    /// The window it came from.
    pub window: Window,
    /// How long after its end it may still change.
    pub allowed_lateness: Micros,
}

/// How rows are numbered within their partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RankFunction {
    /// 1, 2, 3 and so on. Rows that are equal in the order are told apart by all of their columns.
    RowNumber,
    /// One more than the rows that stand before; rows that are equal in the order have the same.
    Rank,
    /// One more than the distinct values that stand before.
    DenseRank,
}

impl RankFunction {
    /// Its name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::RowNumber => "ROW_NUMBER",
            Self::Rank => "RANK",
            Self::DenseRank => "DENSE_RANK",
        }
    }
}

/// A column that rows are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SortKey {
    /// The column of the input.
    pub column: usize,
    /// The greatest first.
    pub descending: bool,
    /// NULL before all others.
    pub nulls_first: bool,
}

/// The rows of each partition whose number is in a range. Output columns: those of the input, then `ranks`.
#[derive(Debug, Clone)]
pub struct TopNOp {
    /// The columns of `PARTITION BY`; without them all rows are one partition.
    pub partition_by: Vec<usize>,
    /// The order; what it leaves open is decided by all columns.
    pub order_by: Vec<SortKey>,
    /// Which number the range is of.
    pub bound: RankFunction,
    /// The first number to keep, from 1 on.
    pub first: u64,
    /// The last number to keep; `None` for all from `first` on.
    pub last: Option<u64>,
    /// The numbers that are put out as columns.
    pub ranks: Vec<RankFunction>,
    /// When results are put out. At the end of the input, and when a window closes, the rows of a partition come in order.
    pub emit: Emit,
    /// For partitions by window: which key of `partition_by` is `window_end`, and when the partition is let go.
    pub expire: Option<Expire>,
}

/// Holds changes back: what is left of them when they are due is put out.
#[derive(Debug, Clone)]
pub struct HoldBackOp {
    /// When they are due.
    pub release: Release,
}

/// When changes that are held back are put out.
#[derive(Debug, Clone)]
pub enum Release {
    /// Once in so many microseconds of the epoch's clock, and at the end.
    Every(Micros),
    /// Those of a row when the watermark reaches the `window_end` in this column: rows that are never taken back.
    Closed {
        /// The column of `window_end`.
        end: usize,
        /// The window, for its zone.
        window: Window,
    },
}

/// One row of each key, over insertions alone. Output columns are those of the input.
#[derive(Debug, Clone)]
pub struct DeduplicateOp {
    /// The columns of the key; at least one.
    pub keys: Vec<usize>,
    /// Which row is kept.
    pub keep: Keep,
    /// When results are put out. The first row that came is put out at once.
    pub emit: Emit,
}

/// Which row of a key is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    /// The first that came: `ORDER BY PROCTIME()`.
    FirstArrived,
    /// The last that came: `ORDER BY PROCTIME() DESC`.
    LastArrived,
    /// The first by these columns, which take no more than sixteen bytes as a key to sort by; what they leave open is
    /// decided by all columns.
    FirstBy(Vec<SortKey>),
}

/// Hands its rows to the world.
#[derive(Debug, Clone)]
pub struct SinkOp {
    /// To whom.
    pub target: SinkTarget,
}

/// Who takes the rows of a sink node.
#[derive(Debug, Clone)]
pub enum SinkTarget {
    /// A table of the catalog.
    Table {
        /// Its name, as written in `CREATE TABLE`.
        name: String,
        /// Its sink.
        sink: Arc<dyn Sink>,
    },
    /// Whoever asked: the reader of a `SELECT`. The number counts the queries of a pipeline.
    Result(usize),
    /// The collector of an [`AtEnd`].
    Collect,
    /// The rim, which joins the rows with what a table holds and hands them back: see [`LookupJoinOp`].
    Ask,
}

impl StreamOp {
    /// The same operator in a plan where the nodes of this one stand at `places`.
    #[must_use]
    pub fn moved(&self, places: &[NodeId]) -> Self {
        let mut op = self.clone();
        if let Self::Source(source) = &mut op {
            match &mut source.input {
                SourceInput::AtEnd(at_end) => at_end.inputs.iter_mut().for_each(|(_, id)| *id = places[id.0]),
                SourceInput::Lookup(lookup) => lookup.asks = places[lookup.asks.0],
                _ => {}
            }
        }
        op
    }

    /// The operator's name in `EXPLAIN`, metrics and messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Source(op) if matches!(op.input, SourceInput::Lookup(_)) => "LookupJoin",
            Self::Source(_) => "Source",
            Self::Normalize(_) => "Normalize",
            Self::History(_) => "History",
            Self::Values(_) => "Values",
            Self::Filter(_) => "Filter",
            Self::Project(_) => "Project",
            Self::Union => "Union",
            Self::ProcessingTime => "ProcessingTime",
            Self::Number => "Number",
            Self::Unnest(_) => "Unnest",
            Self::WindowRows(_) => "WindowRows",
            Self::SessionRows(_) => "SessionRows",
            Self::WindowAggregate(op) => match &op.window {
                RowWindow::ByTime(w) if w.is_session() => "SessionAggregate",
                _ => "WindowAggregate",
            },
            Self::UpdatingAggregate(_) => "UpdatingAggregate",
            Self::TopN(_) => "TopN",
            Self::Compact(_) => "Compact",
            Self::Contenders(_) => "Contenders",
            Self::Join(_) => "Join",
            Self::AsOfJoin(op) if op.temporal => "TemporalJoin",
            Self::AsOfJoin(_) => "AsOfJoin",
            Self::Over(_) => "Over",
            Self::HoldBack(_) => "HoldBack",
            Self::Deduplicate(_) => "Deduplicate",
            Self::TemporalSort(_) => "TemporalSort",
            Self::Sink(_) => "Sink",
        }
    }
}
