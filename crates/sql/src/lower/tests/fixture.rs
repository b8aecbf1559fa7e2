//! Tables, a session without the dialect, and the text of a lowered plan.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::common::Column;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, LogicalPlanBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};
use tidemill_core::sink::{Accepts, Sink, SinkWriter};
use tidemill_core::source::{ReadRequest, Source, SplitReader, Splits};
use tidemill_core::table::TableSpec;
use tidemill_core::{EpochClock, Error, OptionValues, Position, Result, SplitId};
use tidemill_plan::StreamPlan;
use tidemill_plan::explain;
use tidemill_plan::op::{OnError, SinkTarget};
use tidemill_plan::window::{WindowKind, Zone};

use crate::catalog::{Column as TableColumn, ColumnKind, EventTimeColumn, StreamScan, SystemTable, Table};
use crate::lower::{Emission, LowerOptions, Lowering};
use crate::windows::WindowNode;

/// A source that is only planned with.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) schema: SchemaRef,
    pub(crate) bounded: bool,
}

#[async_trait]
impl Source for Planned {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn bounded(&self) -> bool {
        self.bounded
    }

    fn narrowed(&self, schema: SchemaRef) -> Option<Arc<dyn Source>> {
        Some(Arc::new(Self { schema, bounded: self.bounded }))
    }

    async fn splits(&self) -> Result<Splits> {
        Err(Error::internal("not read"))
    }

    async fn open(&self, _: &SplitId, _: Option<&Position>, _: &ReadRequest) -> Result<Box<dyn SplitReader>> {
        Err(Error::internal("not read"))
    }
}

/// A sink of two columns that takes insertions only.
#[derive(Debug)]
pub(crate) struct Planted(pub(crate) SchemaRef);

#[async_trait]
impl Sink for Planted {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.0)
    }

    fn accepts(&self) -> Accepts {
        Accepts::Append
    }

    async fn open(&self) -> Result<Box<dyn SinkWriter>> {
        Err(Error::internal("not written"))
    }
}

/// A sink that takes more than insertions, and its key.
#[derive(Debug)]
pub(crate) struct Taking(pub(crate) SchemaRef, pub(crate) Accepts, pub(crate) Vec<usize>);

#[async_trait]
impl Sink for Taking {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.0)
    }

    fn accepts(&self) -> Accepts {
        self.1
    }

    fn key(&self) -> Vec<usize> {
        self.2.clone()
    }

    async fn open(&self) -> Result<Box<dyn SinkWriter>> {
        Err(Error::internal("not written"))
    }
}

/// `bid (auction, bidder, price, ts, tags)` with a watermark 4 s behind `ts`. `bounded` is whether it ends.
pub(crate) fn bid(name: &str, bounded: bool) -> Arc<Table> {
    let tags = DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)));
    let schema = Arc::new(Schema::new(vec![
        Field::new("auction", DataType::Int64, true),
        Field::new("bidder", DataType::Int64, true),
        Field::new("price", DataType::Int64, true),
        Field::new("ts", DataType::Timestamp(TimeUnit::Millisecond, None), true),
        Field::new("tags", tags, true),
    ]));
    let columns =
        schema.fields().iter().map(|f| TableColumn { field: Arc::clone(f), kind: ColumnKind::Physical, comment: None });
    let four_seconds = Expr::Literal(
        datafusion::common::ScalarValue::IntervalMonthDayNano(Some(
            datafusion::arrow::datatypes::IntervalMonthDayNano::new(0, 0, 4_000_000_000),
        )),
        None,
    );
    let time = EventTimeColumn {
        column: 3,
        watermark: Expr::Column(Column::from_name("ts")) - four_seconds,
        text: "ts - INTERVAL '4' SECOND".into(),
    };
    let planned = Arc::clone(&schema);
    Arc::new(Table {
        name: name.into(),
        columns: columns.collect(),
        event_time: Some(time),
        primary_key: vec![],
        spec: TableSpec {
            name: name.into(),
            schema: Some(Arc::clone(&schema)),
            metadata: vec![],
            partition_by: vec![],
            primary_key: vec![],
            options: OptionValues::default(),
        },
        source: Arc::new(move |_| Ok(Arc::new(Planned { schema: Arc::clone(&planned), bounded }) as Arc<dyn Source>)),
        sink: Arc::new(|_| Err(Error::internal("not written"))),
        idle_timeout: None,
        on_error: OnError::Reject,
        ddl: String::new(),
    })
}

/// A scan of a table, all columns.
pub(crate) fn scan(name: &str, bounded: bool) -> LogicalPlanBuilder {
    let source = StreamScan::try_new(bid(name, bounded)).unwrap();
    LogicalPlanBuilder::scan(name, Arc::new(source), None).unwrap()
}

/// A scan of one of the dataflow's own tables.
pub(crate) fn system(table: SystemTable) -> LogicalPlanBuilder {
    LogicalPlanBuilder::scan(table.name(), Arc::new(table), None).unwrap()
}

/// Windows over the column `ts` of a plan.
pub(crate) fn window(input: LogicalPlanBuilder, kind: WindowKind, partition_by: &[&str]) -> LogicalPlanBuilder {
    window_over(input, "ts", kind, partition_by)
}

pub(crate) fn window_over(
    input: LogicalPlanBuilder,
    time: &str,
    kind: WindowKind,
    partition_by: &[&str],
) -> LogicalPlanBuilder {
    let input = input.build().unwrap();
    let column = |name: &str| {
        let (qualifier, field) = input.schema().qualified_field_with_unqualified_name(name).unwrap();
        Column::from((qualifier, field))
    };
    let (time, partition) = (column(time), partition_by.iter().map(|p| column(p)).collect());
    let node = WindowNode::try_new(input, time, kind, 0, Zone::Utc, partition).unwrap();
    LogicalPlanBuilder::from(LogicalPlan::Extension(Extension { node: Arc::new(node) })).alias("w").unwrap()
}

/// A session with DataFusion's functions, whose optimiser is the one that queries have.
pub(crate) fn state() -> SessionState {
    SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1)).state()
}

/// What is lowered: plans and when their results are put out.
pub(crate) struct Case {
    options: LowerOptions,
    queries: Vec<(LogicalPlan, Emission, SinkTarget)>,
}

impl Case {
    /// One query.
    pub(crate) fn of(plan: LogicalPlanBuilder) -> Self {
        Self { options: LowerOptions::default(), queries: vec![] }.and(plan)
    }

    /// One more.
    pub(crate) fn and(mut self, plan: LogicalPlanBuilder) -> Self {
        let target = SinkTarget::Result(self.queries.len());
        self.queries.push((plan.build().unwrap(), Emission::Default, target));
        self
    }

    pub(crate) fn emit(mut self, emission: Emission) -> Self {
        self.queries.last_mut().unwrap().1 = emission;
        self
    }

    pub(crate) fn into(mut self, name: &str, sink: Planted) -> Self {
        self.queries.last_mut().unwrap().2 = SinkTarget::Table { name: name.into(), sink: Arc::new(sink) };
        self
    }

    pub(crate) fn options(mut self, options: LowerOptions) -> Self {
        self.options = options;
        self
    }

    pub(crate) fn lower(self) -> Result<(StreamPlan, Vec<String>)> {
        let state = state();
        let mut lowering = Lowering::new(&state, EpochClock::default(), self.options);
        for (plan, emission, target) in self.queries {
            let plan = state.optimize(&plan).map_err(crate::error::planning)?;
            lowering.add_plan(plan, emission, target, None);
        }
        lowering.finish()
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let copy = Case { options: self.options.clone(), queries: self.queries.clone() };
        match copy.lower() {
            Ok((plan, warnings)) => {
                f.write_str(&explain::stream(&plan))?;
                warnings.iter().try_for_each(|w| writeln!(f, "warning: {w}"))
            }
            Err(e) => write!(f, "{e}"),
        }
    }
}
