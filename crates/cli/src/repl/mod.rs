//! The prompt: SQL over several lines until `;`, and a few commands that begin with a backslash.
//!
//! Errors never end it. Ctrl-C cancels the query that runs, or empties the line; Ctrl-D leaves.

mod assist;
mod meta;

use std::path::PathBuf;
use std::time::Instant;

use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Config, Editor};
use tidemill::{Error, ErrorKind, Result, Session};
use tokio::runtime::Runtime;

use crate::args::{Args, Format};
use crate::run::{follow, print_outputs, report, say};
use assist::Assist;

/// What a prompt remembers between lines.
pub(crate) struct Repl {
    pub session: Session,
    pub format: Format,
    pub timing: bool,
    pub quiet: bool,
    /// How the last query ended: who held time back, and what was kept.
    pub last: Option<String>,
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    GoOn,
    Quit,
}

/// Reads and runs until the person leaves.
pub(crate) fn run(args: &Args, runtime: &Runtime) -> Result<()> {
    let session = args.session(&args.as_run())?;
    let mut repl = Repl { session: session.clone(), format: args.format, timing: false, quiet: args.quiet, last: None };
    let config = Config::builder().auto_add_history(false).max_history_size(10_000).map_err(readline)?.build();
    let mut editor: Editor<Assist, FileHistory> = Editor::with_config(config).map_err(readline)?;
    editor.set_helper(Some(Assist::new(session)));
    let history = history_file();
    if let Some(file) = &history {
        // There is none before the first time.
        let _ = editor.load_history(file);
    }
    if !args.quiet {
        say(&format!("Tidemill {}. SQL ends with ';'. \\? for help, \\q to leave.", env!("CARGO_PKG_VERSION")));
    }
    loop {
        match editor.readline("tidemill> ") {
            Ok(line) if line.trim().is_empty() => {}
            Ok(line) => {
                // A line that cannot be remembered can still be run.
                let _ = editor.add_history_entry(line.trim_end());
                if let Some(file) = &history {
                    let _ = editor.append_history(file);
                }
                if repl.line(line.trim(), runtime) == After::Quit {
                    return Ok(());
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => return Ok(()),
            Err(e) => return Err(readline(e)),
        }
    }
}

impl Repl {
    /// Runs what was typed, and says what went wrong.
    fn line(&mut self, line: &str, runtime: &Runtime) -> After {
        let started = Instant::now();
        let (result, text) = match line.strip_prefix('\\') {
            Some(command) => (meta::run(self, command, runtime), ""),
            None => (self.sql(line, runtime).map(|()| After::GoOn), line),
        };
        if self.timing {
            say(&format!("{:.3} s", started.elapsed().as_secs_f64()));
        }
        result.unwrap_or_else(|error| {
            if error.kind() != ErrorKind::Cancelled {
                say(&format!("error: {}", error.render(text)));
            }
            After::GoOn
        })
    }

    /// Runs statements: one after the other, so that each sees what the one before defined, and a query that does not end
    /// can be cancelled.
    pub(crate) fn sql(&mut self, text: &str, runtime: &Runtime) -> Result<()> {
        runtime.block_on(async {
            let script = self.session.prepare(text).await?;
            for warning in &script.warnings {
                say(&format!("warning: {warning}"));
            }
            print_outputs(&script.outputs, self.format)?;
            if let Some(pipeline) = script.pipeline {
                let summary = follow(pipeline.start().await?, self.format, self.quiet).await?;
                self.last = Some(report(&summary.watermarks, &summary.state));
                let p = &summary.progress;
                if !self.quiet && p.late + p.rejected() > 0 {
                    say(&format!(
                        "{} late, {} rejected: see tidemill.late_rows, tidemill.rejected_rows",
                        p.late,
                        p.rejected()
                    ));
                }
            }
            Ok(())
        })
    }
}

/// `~/.tidemill_history`, or nowhere where there is no home.
fn history_file() -> Option<PathBuf> {
    match std::env::var_os("TIDEMILL_HISTORY") {
        Some(file) => Some(file.into()),
        None => std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".tidemill_history")),
    }
}

fn readline(e: ReadlineError) -> Error {
    Error::external(format!("the terminal cannot be read: {e}")).caused_by(e)
}
