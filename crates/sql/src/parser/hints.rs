//! Hints: `/*+ OPTIONS('key' = 'value') */` behind the name of a table, and `/*+ STATE_TTL('table' = '1 day') */` behind
//! `SELECT`. To sqlparser they are comments.

use tidemill_core::option::parse_duration;
use tidemill_core::{Error, Micros, Result};

use super::script::Script;
use super::source::Source;

impl Script<'_> {
    /// The hints of the statement.
    pub(super) fn read_hints(&mut self) -> Result<()> {
        for (before, hint, span) in &self.source.hints {
            if *before <= self.range.start || *before > self.range.end {
                continue;
            }
            let refuse = || {
                Error::unsupported(format!("the hint /*+{hint}*/ is not supported"))
                    .with_hint("Known: /*+ OPTIONS('key' = 'value') */ behind the name of a table, /*+ STATE_TTL('table' = '1 day') */ behind SELECT.")
                    .at(*span)
            };
            let source = Source::new(hint).map_err(|_| refuse())?;
            let mut inner = Script::over(&source, 0..source.tokens.len());
            let names = [("OPTIONS", "'key' = 'value'"), ("STATE_TTL", "'table' = '1 day'")];
            let Some((name, form)) = names.into_iter().find(|(name, _)| inner.word(name)) else {
                return Err(refuse());
            };
            let options = inner.options().and_then(|o| inner.end().map(|()| o)).map_err(|e| {
                Error::statement(format!("the hint does not read as {name}({form}): {}", e.message())).at(*span)
            })?;
            if name == "STATE_TTL" {
                for (table, ttl) in options {
                    let ttl = parse_duration("STATE_TTL", &ttl).map_err(|e| e.at(*span))?;
                    let ttl = Micros::try_from(ttl.as_micros()).unwrap_or(Micros::MAX);
                    self.state_ttls.push((table.value, ttl));
                }
                continue;
            }
            let options = options.into_iter().map(|(k, v)| (k.value, v)).collect();
            self.hints.insert(self.source.tokens[before - 1].span.start, (options, *span));
        }
        Ok(())
    }
}
