//! The command line.

use std::collections::BTreeMap;

use clap::{Parser, Subcommand, ValueEnum};
use tidemill::{Error, Result, Session};

/// Streaming SQL over files and streams: as correct as a batch run.
///
/// Without a command: a prompt, or the statements on standard input.
#[derive(Debug, Parser)]
#[command(name = "tidemill", version, max_term_width = 100)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Run these statements and exit
    #[arg(short = 'c', long = "command", value_name = "SQL")]
    pub execute: Option<String>,

    /// How results are printed
    #[arg(long, global = true, value_enum, default_value_t = Format::Table)]
    pub format: Format,

    /// Change a setting, as SET does: --set table.local-time-zone=Europe/Berlin
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    pub set: Vec<String>,

    /// Worker threads [default: all cores]
    #[arg(long, global = true, value_name = "N")]
    pub workers: Option<usize>,

    /// No progress, no summary
    #[arg(short, long, global = true)]
    pub quiet: bool,

    /// Say more of what goes on (-v, -vv); or set TIDEMILL_LOG
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run files of statements, one after the other, until their sources end, or until Ctrl-C
    Run(Run),
}

#[derive(Debug, clap::Args, Default)]
pub(crate) struct Run {
    /// The files of SQL statements: what one defines, those after it see
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<String>,

    /// The value of ${NAME} in the files; ${NAME:-value} has one without it
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub var: Vec<String>,

    /// Show the plan first, and who held time back at the end
    #[arg(long)]
    pub explain: bool,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table with borders
    Table,
    /// A JSON object a line
    Json,
    /// CSV with a header
    Csv,
    /// A line for each column
    Vertical,
}

impl Args {
    /// What `run` takes, for statements that do not come from a file.
    pub(crate) fn as_run(&self) -> Run {
        Run::default()
    }

    /// A session with the settings of the command line.
    pub(crate) fn session(&self, _run: &Run) -> Result<Session> {
        let session = Session::new();
        for pair in &self.set {
            let (key, value) = key_value("--set", pair)?;
            session.set(key, value)?;
        }
        if let Some(workers) = self.workers {
            session.set("workers", &workers.to_string())?;
        }
        Ok(session)
    }
}

impl Run {
    /// The values of `${NAME}`.
    pub(crate) fn variables(&self) -> Result<BTreeMap<String, String>> {
        self.var.iter().map(|pair| key_value("--var", pair).map(|(k, v)| (k.to_string(), v.to_string()))).collect()
    }
}

fn key_value<'a>(option: &str, pair: &'a str) -> Result<(&'a str, &'a str)> {
    pair.split_once('=').map(|(k, v)| (k.trim(), v.trim())).ok_or_else(|| {
        Error::statement(format!("{option} '{pair}' is not a name and a value"))
            .with_hint(format!("Write {option} NAME=VALUE."))
    })
}
