//! Hints: `/*+ OPTIONS('key' = 'value') */` behind the name of a table, and `/*+ STATE_TTL('table' = '1 day') */` behind
//! `SELECT`. To sqlparser they are comments. Hints of Flink on how to run a join are
//! read over, which is said once.

use sqlparser::tokenizer::Token;
use tidemill_core::option::parse_duration;
use tidemill_core::{Error, Micros, Result, Span};

use super::script::Script;
use super::source::Source;
use super::statement::Name;

/// Hints of Flink that say how a query is to be run, and that change nothing here.
const FOR_FLINK: &[(&str, &str)] = &[
    ("BROADCAST", JOINS),
    ("SHUFFLE_HASH", JOINS),
    ("SHUFFLE_MERGE", JOINS),
    ("NEST_LOOP", JOINS),
    ("MULTI_JOIN", JOINS),
    ("JOIN_REORDER", JOINS),
    (
        "LOOKUP",
        "rows are looked up in batches, in their order, and what is not found is not looked for again; how often a lookup \
         that fails is tried says the option 'lookup.max-retries' of its table, which /*+ OPTIONS(..) */ behind the table sets too",
    ),
];

/// Why the hints of joins do nothing.
const JOINS: &str = "there is one way to keep a join up to date";

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
            loop {
                if let Some((name, why)) = FOR_FLINK.iter().find(|(name, _)| inner.word(name)) {
                    inner.skip_arguments();
                    let note = format!("the hint {name} has no effect: {why}");
                    if !self.notes.contains(&note) {
                        self.notes.push(note);
                    }
                } else {
                    let names = [("OPTIONS", "'key' = 'value'"), ("STATE_TTL", "'table' = '1 day'")];
                    let Some((name, form)) = names.into_iter().find(|(name, _)| inner.word(name)) else {
                        return Err(refuse());
                    };
                    let options = inner.options().map_err(|e| {
                        Error::statement(format!("the hint does not read as {name}({form}): {}", e.message())).at(*span)
                    })?;
                    match name {
                        "STATE_TTL" => self.add_state_ttls(options, *span)?,
                        _ => {
                            let options = options.into_iter().map(|(k, v)| (k.value, v)).collect();
                            self.hints.insert(self.source.tokens[before - 1].span.start, (options, *span));
                        }
                    }
                }
                let comma = inner.parser.consume_token(&Token::Comma);
                if !comma && inner.at_end() {
                    break;
                }
            }
        }
        Ok(())
    }

    fn add_state_ttls(&mut self, options: Vec<(Name, String)>, span: Span) -> Result<()> {
        for (table, ttl) in options {
            let ttl = parse_duration("STATE_TTL", &ttl).map_err(|e| e.at(span))?;
            self.state_ttls.push((table.value, Micros::try_from(ttl.as_micros()).unwrap_or(Micros::MAX)));
        }
        Ok(())
    }

    /// What stands in parentheses, whatever it is.
    fn skip_arguments(&mut self) {
        let mut open = 0_usize;
        while !self.at_end() {
            match self.peek(0) {
                Token::LParen => open += 1,
                Token::RParen => open = open.saturating_sub(1),
                _ if open == 0 => return,
                _ => {}
            }
            self.parser.advance_token();
            if open == 0 {
                return;
            }
        }
    }
}
