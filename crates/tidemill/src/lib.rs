//! Tidemill: streaming SQL over Arrow, as correct as a batch run.
//!
//! ```text
//! SQL text ─parse─► statement ─bind─► logical plan ─lower─► stream plan ─build─► operators
//!                                                                                    │
//!                  sources ─decode─► epoch input ─► step ─► deltas ─encode─► sinks │ results
//! ```
//!
//! A [`Session`] holds tables, views and settings. [`Session::sql`] runs a `SELECT` and gives its result as a stream of
//! changes; [`Session::execute`] runs any statements to their end; [`Session::prepare`] plans a whole pipeline file, to be
//! started and stopped.
//!
//! # Rows that are there already
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use arrow::array::{ArrayRef, Int64Array, RecordBatch, TimestampMillisecondArray};
//! use tidemill::{EventTime, Session};
//!
//! # #[tokio::main(flavor = "multi_thread")]
//! # async fn main() -> tidemill::Result<()> {
//! let bids = RecordBatch::try_from_iter([
//!     ("price", Arc::new(Int64Array::from(vec![10, 30, 20])) as ArrayRef),
//!     ("ts", Arc::new(TimestampMillisecondArray::from(vec![1_000, 4_000, 11_000]))),
//! ])?;
//! let session = Session::new();
//! let time = EventTime::new("ts", Duration::from_secs(2));
//! session.register_table("bids", bids.schema(), vec![bids], Some(time))?;
//!
//! let result = session
//!     .sql("SELECT window_start, MAX(price) AS highest
//!           FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(ts), INTERVAL '10' SECOND))
//!           GROUP BY window_start, window_end")
//!     .await?;
//! assert_eq!(result.collect().await?.num_rows(), 2);
//! # Ok(())
//! # }
//! ```
//!
//! # Rows that are pushed, results as they come
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use arrow::array::{ArrayRef, Int64Array, RecordBatch, TimestampMillisecondArray};
//! use futures::StreamExt;
//! use tidemill::{EventTime, Session};
//!
//! # #[tokio::main(flavor = "multi_thread")]
//! # async fn main() -> tidemill::Result<()> {
//! let rows = |prices: Vec<i64>, seconds: Vec<i64>| {
//!     RecordBatch::try_from_iter([
//!         ("price", Arc::new(Int64Array::from(prices)) as ArrayRef),
//!         ("ts", Arc::new(TimestampMillisecondArray::from_iter_values(seconds.iter().map(|s| s * 1_000)))),
//!     ])
//! };
//! let session = Session::new();
//! let schema = rows(vec![], vec![])?.schema();
//! let bids = session.register_push("bids", schema, Some(EventTime::new("ts", Duration::ZERO)))?;
//! let mut result = session
//!     .sql("SELECT window_end, SUM(price) AS total
//!           FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(ts), INTERVAL '10' SECOND))
//!           GROUP BY window_start, window_end")
//!     .await?;
//!
//! bids.send(rows(vec![1, 2], vec![3, 9])?).await?;
//! bids.send(rows(vec![5], vec![12])?).await?; // time has passed ten seconds: the first window closes
//! let first = result.next().await.expect("a window has closed")?;
//! assert_eq!(first.num_rows(), 1);
//!
//! drop(bids); // the end of the table: what is still open closes
//! let second = result.next().await.expect("the last window")?;
//! assert_eq!(second.num_rows(), 1);
//! assert!(result.next().await.is_none());
//! # Ok(())
//! # }
//! ```

pub mod batch;
mod connect;
mod consolidate;
mod lookup;
pub mod metrics;
pub mod pipeline;
pub mod result;
pub mod run;
pub mod session;
pub mod simulate;
pub mod tables;
pub mod verify;

pub use consolidate::consolidate;
pub use metrics::Progress;
pub use pipeline::{Output, Pipeline, Script};
pub use result::{Changes, QueryResult};
pub use run::{OperatorState, Running, StateReport, Summary, WatermarkReport};
pub use session::{EventTime, Session};
pub use tables::push::Sender;
pub use tidemill_core::{ChangeMode, Clock, Delta, Error, ErrorKind, ManualClock, Result, SystemClock, Watermark};

/// The connectors and formats that were built in.
pub use tidemill_connectors as connectors;
/// The vocabulary: for programs that bring their own sources and sinks.
pub use tidemill_core as core;
/// The SQL side, for programs that look at statements: completion, highlighting, completeness.
pub use tidemill_sql as sql;
