//! The options that a table has whatever its connector. The engine acts on them; connectors only let them pass.

use tidemill_core::lookup::{LOOKUP_ON_ERROR, LOOKUP_RELOAD, LOOKUP_RETRIES};
use tidemill_core::table::{CHANGELOG_MODE, OPERATION_COLUMN};
use tidemill_core::{OptionKind, OptionSpec};

/// Options of every table.
pub const TABLE_OPTIONS: &[OptionSpec] = &[
    OptionSpec::required("connector", OptionKind::Text, "Which outside system holds the table."),
    OptionSpec::new(
        "on-error",
        OptionKind::OneOf(&["reject", "fail"]),
        "reject",
        "What a record does that cannot be read: it is kept in `tidemill.rejected_rows`, or it stops the query.",
    ),
    LOOKUP_RELOAD,
    LOOKUP_RETRIES,
    LOOKUP_ON_ERROR,
    CHANGELOG_MODE,
    OPERATION_COLUMN,
    OptionSpec::optional(
        "source.idle-timeout",
        OptionKind::Duration,
        "A split of a live source that has been silent for so long does not hold the watermark back.",
    ),
];
