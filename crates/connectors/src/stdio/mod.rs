//! `'connector' = 'stdin'` and `'connector' = 'stdout'`: records on the standard input and output of the process.

mod stdin;
mod stdout;

pub use stdin::Stdin;
pub use stdout::Stdout;

use tidemill_core::format::Format;
use tidemill_core::table::TableSpec;
use tidemill_core::{Error, OptionKind, OptionSpec, Result};

const FORMAT: OptionSpec = OptionSpec::required("format", OptionKind::Text, "The format of the records.");

/// The format of `table`, with all options checked.
fn format(table: &TableSpec, connector: &str) -> Result<&'static dyn Format> {
    let Some(name) = table.options.text(&FORMAT) else {
        table.options.check(&format!("connector '{connector}'"), &[crate::TABLE_OPTIONS, &[FORMAT]])?;
        return Err(Error::internal("a required option was checked and is missing"));
    };
    let format = crate::formats::format(name)?;
    table.options.check(&format!("connector '{connector}'"), &[crate::TABLE_OPTIONS, &[FORMAT], format.options()])?;
    Ok(format)
}
