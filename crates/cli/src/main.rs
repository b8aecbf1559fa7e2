//! The binary: runs pipeline files, and is a prompt for exploring streams.
//!
//! Standard output carries results and nothing else; progress, summaries, warnings and errors go to standard error.

mod args;
mod print;
mod progress;
mod repl;
mod run;
mod signals;

use std::io::{IsTerminal, Read, Write};
use std::process::ExitCode;

use clap::Parser;
use tidemill::{Error, Result, Session};

use args::{Args, Command};

/// Operators come by large arrays and let them go, over and over: docs/decisions/0008.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = Args::parse();
    start_logging(args.verbose);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => return fail(&Error::external("the operating system gives no threads").caused_by(e), ""),
    };
    let result = match dispatch(&args, &runtime) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { error, text }) => fail(&error, &text),
    };
    // A reader of standard input cannot be cancelled; nothing is lost by not waiting for it.
    runtime.shutdown_background();
    result
}

/// An error, and the text that it points into.
struct Failure {
    error: Error,
    text: String,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, text: String::new() }
    }
}

fn dispatch(args: &Args, runtime: &tokio::runtime::Runtime) -> Result<(), Failure> {
    match &args.command {
        Some(Command::Run(run)) => {
            let session = args.session(run)?;
            for file in &run.files {
                script(args, runtime, &session, &read_file(file)?, run)?;
            }
            Ok(())
        }
        None => match (&args.execute, std::io::stdin().is_terminal()) {
            (Some(text), _) => script(args, runtime, &args.session(&args.as_run())?, text, &args.as_run()),
            (None, true) => Ok(repl::run(args, runtime)?),
            (None, false) => {
                let mut text = String::new();
                std::io::stdin()
                    .read_to_string(&mut text)
                    .map_err(|e| Error::external("standard input cannot be read as text").caused_by(e))?;
                script(args, runtime, &args.session(&args.as_run())?, &text, &args.as_run())
            }
        },
    }
}

fn script(
    args: &Args,
    runtime: &tokio::runtime::Runtime,
    session: &Session,
    text: &str,
    run: &args::Run,
) -> Result<(), Failure> {
    let variables = run.variables()?;
    let with_text = |text: &str| {
        let text = text.to_string();
        move |error| Failure { error, text }
    };
    let text = tidemill::sql::parser::substitute(text, &variables).map_err(with_text(text))?;
    runtime.block_on(run::run(session, &text, args, run)).map_err(with_text(&text))
}

fn read_file(path: &str) -> Result<String> {
    std::fs::read_to_string(path).map_err(|e| {
        Error::external(format!("'{path}' cannot be read: {e}"))
            .with_hint("Name a text file of SQL statements.")
            .caused_by(e)
    })
}

fn fail(error: &Error, text: &str) -> ExitCode {
    let red = if std::io::stderr().is_terminal() { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
    // If standard error is closed there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{}error{}: {}", red.0, red.1, error.render(text));
    ExitCode::FAILURE
}

fn start_logging(verbose: u8) {
    use tracing_subscriber::EnvFilter;
    let default = match verbose {
        0 => "warn",
        1 => "warn,tidemill=info",
        _ => "info,tidemill=debug",
    };
    let filter = EnvFilter::try_from_env("TIDEMILL_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}
