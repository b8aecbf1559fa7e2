//! The vocabulary of Tidemill: the words that every other crate speaks.
//!
//! Read in this order:
//!
//! 1. [`error`]: what went wrong, where in the text, and what to do about it.
//! 2. [`time`]: event time, watermarks, and the clock that is handed in.
//! 3. [`delta`]: a batch of rows with an optional weight each; all that flows through the engine.
//! 4. [`option`]: the one declaration an option has.
//! 5. [`table`]: what `CREATE TABLE` said, as a connector needs to know it.
//! 6. [`source`], [`sink`], [`format`](mod@format): the edges, as traits.
//! 7. [`json`]: rows as people read them.
//!
//! This crate performs no input or output and never reads a clock. It knows Arrow, and neither DataFusion nor a runtime.

pub mod delta;
pub mod error;
pub mod format;
pub mod json;
pub mod lookup;
pub mod option;
pub mod sink;
pub mod source;
pub mod table;
pub mod time;

pub use delta::{ChangeMode, Delta};
pub use error::{Error, ErrorKind, Result, Span};
pub use option::{OptionKind, OptionSpec, OptionValues};
pub use source::{Piece, Position, RejectedRow, SplitId};
pub use time::{Clock, EpochClock, ManualClock, Micros, SystemClock, Watermark};
