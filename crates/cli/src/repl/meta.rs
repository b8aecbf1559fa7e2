//! The commands that begin with a backslash. One line each in [`HELP`], one arm each in [`run`].

use tidemill::{Error, Result};
use tokio::runtime::Runtime;

use super::{After, Repl};
use crate::args::Format;
use crate::run::say;

const HELP: &str = "\
SQL over several lines, until ';'. Ctrl-C cancels, Ctrl-D leaves, Tab completes.
While a query runs, Ctrl-\\ says who holds time back and what its operators keep.

  \\d            tables and views
  \\d NAME       columns of a table or view
  \\df           functions
  \\set          settings
  \\i FILE       run the statements of a file
  \\state        what the operators of the last query kept, and who held time back
  \\timing       show how long statements take, or stop showing it
  \\format NAME  print results as table, json, csv or vertical
  \\?            this help
  \\q            leave

EXPLAIN SELECT ..            how a query runs, what it keeps, what holds it back
EXPLAIN WATERMARK SELECT ..  what time depends on, before it runs; who holds it back while it runs says Ctrl-\\
SELECT .. FROM tidemill.late_rows        rows that came too late
SELECT .. FROM tidemill.rejected_rows    records that could not be read";

/// Runs what stands after the backslash.
pub(super) fn run(repl: &mut Repl, command: &str, runtime: &Runtime) -> Result<After> {
    let command = command.trim().trim_end_matches(';');
    let (name, argument) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    let argument = argument.trim();
    match name {
        "q" | "quit" => return Ok(After::Quit),
        "?" | "h" | "help" => say(HELP),
        "d" if argument.is_empty() => repl.sql("SHOW TABLES; SHOW VIEWS;", runtime)?,
        "d" => repl.sql(&format!("DESCRIBE {argument};"), runtime)?,
        "df" => repl.sql("SHOW FUNCTIONS;", runtime)?,
        "set" => repl.sql("SHOW SETTINGS;", runtime)?,
        "state" => match &repl.last {
            Some(report) => say(report),
            None => say("no query has run yet; while one runs, Ctrl-\\ shows what it keeps"),
        },
        "timing" => {
            repl.timing = !repl.timing;
            say(if repl.timing { "timing is on" } else { "timing is off" });
        }
        "i" => {
            let text = std::fs::read_to_string(argument)
                .map_err(|e| Error::external(format!("'{argument}' cannot be read: {e}")).caused_by(e))?;
            // The error points into the file, not into the line that was typed.
            if let Err(e) = repl.sql(&text, runtime) {
                say(&format!("error: {}", e.render(&text)));
            }
        }
        "format" => {
            repl.format = <Format as clap::ValueEnum>::from_str(argument, true).map_err(|_| {
                Error::statement(format!("there is no format '{argument}'"))
                    .with_nearest(argument, ["table", "json", "csv", "vertical"])
            })?;
        }
        other => return Err(Error::statement(format!("there is no command '\\{other}'")).with_hint("\\? lists them.")),
    }
    Ok(After::GoOn)
}
