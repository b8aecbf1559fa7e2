//! The window function as a node of DataFusion's logical plan.
//!
//! Output: the columns of the input, then `window_start`, `window_end`, `window_time`. The node states what is meant;
//! [`lower`](crate::lower) makes stream operators of it, and [`batch`](super::batch) makes plain DataFusion of it.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{Column, DFSchema, DFSchemaRef, ExprSchema, Result, plan_err};
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};
use tidemill_plan::window::{Length, Window, WindowKind, Zone};

/// The names of the three columns that a window function adds, in their order.
pub const WINDOW_COLUMNS: [&str; 3] = ["window_start", "window_end", "window_time"];

/// `TABLE(TUMBLE(..))` and its like: every row once for each of its windows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowNode {
    /// The rows.
    pub input: LogicalPlan,
    /// The time column of the input: a timestamp.
    pub time: Column,
    /// Which windows there are.
    pub kind: WindowKind,
    /// By how much all of them are shifted, in microseconds.
    pub offset: i64,
    /// The zone on whose wall clock windows are cut.
    pub zone: Zone,
    /// `PARTITION BY` of a session.
    pub partition_by: Vec<Column>,
    schema: DFSchemaRef,
}

impl WindowNode {
    /// Windows over `input`. The zone is the session's; it only matters for instants.
    pub fn try_new(
        input: LogicalPlan,
        time: Column,
        kind: WindowKind,
        offset: i64,
        zone: Zone,
        partition_by: Vec<Column>,
    ) -> Result<Self> {
        let time_type = input.schema().field_from_column(&time)?.data_type().clone();
        let zone = match &time_type {
            DataType::Timestamp(_, Some(_)) => zone,
            DataType::Timestamp(_, None) => Zone::Utc,
            other => return plan_err!("a window needs a TIMESTAMP column, and '{}' is {other}", time.name),
        };
        // The index is not known before the plan is lowered; nothing here depends on it.
        let window = Window { kind, offset, time: 0, time_type, zone };
        let types = [window.bound_type(), window.bound_type(), window.window_time_type()];
        let mut fields: Vec<_> = input.schema().iter().map(|(q, f)| (q.cloned(), Arc::clone(f))).collect();
        for (name, data_type) in WINDOW_COLUMNS.iter().zip(types) {
            fields.push((None, Arc::new(Field::new(*name, data_type, false))));
        }
        let schema = Arc::new(DFSchema::new_with_metadata(fields, input.schema().as_ref().metadata().clone())?);
        Ok(Self { input, time, kind, offset, zone, partition_by, schema })
    }

    /// The window over the column at `time` of the lowered input.
    pub fn window(&self, time: usize, time_type: DataType) -> Window {
        Window { kind: self.kind, offset: self.offset, time, time_type, zone: self.zone }
    }
}

impl Hash for WindowNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.input, &self.time, &self.kind, self.offset, self.zone, &self.partition_by).hash(state);
    }
}

impl PartialOrd for WindowNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let key = |n: &Self| (n.time.clone(), n.kind, n.offset, n.zone, n.partition_by.clone());
        match self.input.partial_cmp(&other.input) {
            Some(Ordering::Equal) => key(self).partial_cmp(&key(other)),
            other => other,
        }
    }
}

impl UserDefinedLogicalNodeCore for WindowNode {
    fn name(&self) -> &str {
        "Window"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        std::iter::once(&self.time).chain(&self.partition_by).map(|c| Expr::Column(c.clone())).collect()
    }

    /// A filter on columns of the input may go below: a window function neither drops nor changes rows. Except for
    /// sessions, where a row that is filtered out no longer holds its session together; there only a filter on
    /// partition columns may.
    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        let partition: HashSet<&str> = self.partition_by.iter().map(|c| c.name.as_str()).collect();
        let session = matches!(self.kind, WindowKind::Session { .. });
        let kept = |name: &str| WINDOW_COLUMNS.contains(&name) || (session && !partition.contains(name));
        self.schema.fields().iter().map(|f| f.name().clone()).filter(|n| kept(n)).collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Window: {} on {}", self.kind, self.time)?;
        if self.offset != 0 {
            write!(f, " offset {}", Length(self.offset))?;
        }
        if self.zone != Zone::Utc {
            write!(f, " zone {}", self.zone)?;
        }
        if !self.partition_by.is_empty() {
            let columns: Vec<_> = self.partition_by.iter().map(ToString::to_string).collect();
            write!(f, " partition by {}", columns.join(", "))?;
        }
        Ok(())
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        let mut columns = Vec::with_capacity(exprs.len());
        for expr in exprs {
            match expr {
                Expr::Column(column) => columns.push(column),
                other => return plan_err!("a window is over a column, not over {other}"),
            }
        }
        let (Some(input), false) = (inputs.pop(), columns.is_empty()) else {
            return plan_err!("a window has one input and a time column");
        };
        let time = columns.remove(0);
        Self::try_new(input, time, self.kind, self.offset, self.zone, columns)
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let own = self.input.schema().fields().len();
        let mut needed: Vec<usize> = output_columns.iter().copied().filter(|i| *i < own).collect();
        for column in std::iter::once(&self.time).chain(&self.partition_by) {
            needed.push(self.input.schema().maybe_index_of_column(column)?);
        }
        needed.sort_unstable();
        needed.dedup();
        Some(vec![needed])
    }
}
