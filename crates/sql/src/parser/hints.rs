//! Hints: `/*+ OPTIONS('key' = 'value') */` behind the name of a table. To sqlparser they are comments.

use tidemill_core::{Error, Result};

use super::script::Script;
use super::source::Source;

impl Script<'_> {
    /// The hints of the statement: `/*+ OPTIONS('key' = 'value') */` behind a table.
    pub(super) fn read_hints(&mut self) -> Result<()> {
        for (before, hint, span) in &self.source.hints {
            if *before <= self.range.start || *before > self.range.end {
                continue;
            }
            let refuse = || {
                Error::unsupported(format!("the hint /*+{hint}*/ is not supported"))
                    .with_hint("Known: /*+ OPTIONS('key' = 'value') */ behind the name of a table.")
                    .at(*span)
            };
            let source = Source::new(hint).map_err(|_| refuse())?;
            let mut inner = Script::over(&source, 0..source.tokens.len());
            if !inner.word("OPTIONS") {
                return Err(refuse());
            }
            let options = inner.options().and_then(|o| inner.end().map(|()| o)).map_err(|e| {
                Error::statement(format!("the hint does not read as OPTIONS('key' = 'value'): {}", e.message()))
                    .at(*span)
            })?;
            let options = options.into_iter().map(|(k, v)| (k.value, v)).collect();
            self.hints.insert(self.source.tokens[before - 1].span.start, (options, *span));
        }
        Ok(())
    }
}
