//! The options of a table that are ours and not its connector's.

use tidemill_core::{Error, Micros, OptionKind, OptionSpec, OptionValues, Result};
use tidemill_plan::op::OnError;

use crate::catalog::Table;

/// When a silent split of this table stops holding time back.
pub const IDLE_TIMEOUT: OptionSpec = OptionSpec::optional(
    "source.idle-timeout",
    OptionKind::Duration,
    "A split of the table that has been silent for so long no longer holds the watermark back. '0' turns it off. As the setting of the same name where it is not given.",
);

/// What becomes of a record that cannot be taken in.
pub const ON_ERROR: OptionSpec = OptionSpec::new(
    "on-error",
    OptionKind::OneOf(&["reject", "fail"]),
    "reject",
    "What becomes of a record that cannot be decoded or has no event time: kept in tidemill.rejected_rows, or the query stops.",
);

/// The options of every table, whatever its connector.
pub const TABLE_OPTIONS: &[OptionSpec] = &[IDLE_TIMEOUT, ON_ERROR];

/// Other names for them, from Flink.
const ALIASES: &[(&str, &str)] = &[("scan.watermark.idle-timeout", IDLE_TIMEOUT.name)];

/// Options of Flink that mean nothing here.
const WITHOUT_EFFECT: &[&str] = &["scan.watermark.emit.strategy", "scan.parallelism", "sink.parallelism"];

/// What the options of ours say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TableOptions {
    /// `'source.idle-timeout'`, if it was given.
    pub(crate) idle_timeout: Option<Micros>,
    /// `'on-error'`.
    pub(crate) on_error: OnError,
}

/// Takes our options out of `options`; what is left is the connector's.
pub(crate) fn take(options: &mut OptionValues) -> Result<TableOptions> {
    let mut own = OptionValues::default();
    for spec in TABLE_OPTIONS {
        let aliases = ALIASES.iter().filter(|(_, name)| *name == spec.name).map(|(alias, _)| *alias);
        for key in std::iter::once(spec.name).chain(aliases) {
            if let Some(value) = options.0.remove(key) {
                own.0.insert(spec.name.to_string(), value);
            }
        }
    }
    for key in WITHOUT_EFFECT {
        options.0.remove(*key);
    }
    own.check("a table", &[TABLE_OPTIONS])?;
    let micros = |d: std::time::Duration| Micros::try_from(d.as_micros()).unwrap_or(Micros::MAX);
    let on_error = match own.one_of(&ON_ERROR)? {
        Some("fail") => OnError::Fail,
        _ => OnError::Reject,
    };
    Ok(TableOptions { idle_timeout: own.duration(&IDLE_TIMEOUT)?.map(micros), on_error })
}

impl Table {
    /// The same table with some options changed, as a hint behind its name says.
    pub fn with_options(&self, options: &[(String, String)]) -> Result<Self> {
        let mut table = self.clone();
        let mut given = OptionValues::from_pairs(options.iter().cloned());
        let keys: Vec<String> = given.0.keys().cloned().collect();
        let own = take(&mut given)?;
        let said = |spec: &OptionSpec| {
            keys.iter().any(|k| k == spec.name || ALIASES.iter().any(|(alias, name)| k == alias && *name == spec.name))
        };
        if said(&IDLE_TIMEOUT) {
            table.idle_timeout = own.idle_timeout;
        }
        if said(&ON_ERROR) {
            table.on_error = own.on_error;
        }
        if given.0.contains_key("connector") {
            return Err(Error::statement("a hint cannot change the connector of a table"));
        }
        table.spec.options.0.extend(given.0);
        Ok(table)
    }
}
