//! `tidemill run FILE.sql`, `tidemill -c SQL`, and statements on standard input.

use std::io::Write;

use futures::future::join_all;
use tidemill::pipeline::{ResultReader, Started};
use tidemill::{Output, Result, Session, StateReport, Summary, WatermarkReport};

use crate::args::{Args, Format, Run};
use crate::print::{self, ChangePrinter};
use crate::progress::{self, Line};
use crate::signals::{Asked, Signals};

/// Runs a text to the end of its inputs, or until it is told to stop.
pub(crate) async fn run(session: &Session, text: &str, args: &Args, run: &Run) -> Result<()> {
    let script = session.prepare(text).await?;
    for warning in &script.warnings {
        say(&format!("warning: {warning}"));
    }
    let started = match script.pipeline {
        Some(pipeline) => {
            if run.explain {
                say(&tidemill::sql::explain::stream(pipeline.plan_ref()));
            }
            Some(pipeline.start().await?)
        }
        None => None,
    };
    print_outputs(&script.outputs, args.format)?;
    if let Some(started) = started {
        let summary = follow(started, args.format, args.quiet).await?;
        if run.explain {
            say(&report(&summary.watermarks, &summary.state));
        }
        if !args.quiet {
            say(&progress::summary(&summary));
        }
    }
    Ok(())
}

/// Prints what statements said; results are printed as they come, elsewhere.
pub(crate) fn print_outputs(outputs: &[Output], format: Format) -> Result<()> {
    let mut out = std::io::stdout().lock();
    for output in outputs {
        match output {
            Output::Message(message) => say(message),
            Output::Text(text) => writeln!(out, "{}", text.trim_end())?,
            Output::Rows(rows) => print::table(&mut out, format, rows)?,
            Output::Result(_) | Output::Summary(_) => {}
        }
    }
    Ok(())
}

/// Prints results as they come until the queries end or somebody asks to stop.
pub(crate) async fn follow(started: Started, format: Format, quiet: bool) -> Result<Summary> {
    let mut signals = Signals::listen()?;
    let Started { running, results } = started;
    let line = Line::new(quiet);
    let (stop, reporter, metrics) = (running.stop_handle(), running.reporter(), running.metrics());
    let readers = join_all(results.into_iter().map(|r| read(r, format, &line)));
    let listen = async {
        loop {
            match signals.next().await {
                Asked::Stop => stop.stop(),
                Asked::Report => match (reporter.watermarks().await, reporter.state().await) {
                    (Ok(watermarks), Ok(state)) => line.suspend(|| say(&report(&watermarks, &state))),
                    // It has ended; whoever asked sees that.
                    _ => return std::future::pending::<()>().await,
                },
            }
        }
    };
    let ended = async { tokio::join!(readers, running.wait()) };
    let (tables, summary) = tokio::select! {
        ended = ended => ended,
        () = listen => unreachable!("listening never ends"),
        () = line.follow(&metrics) => unreachable!("following never ends"),
    };
    line.clear();
    // Where the dataflow failed, its own error says more than that of a reader.
    let summary = summary?;
    let mut out = std::io::stdout().lock();
    for table in tables {
        if let Some(rows) = table? {
            print::table(&mut out, format, &rows)?;
        }
    }
    Ok(summary)
}

/// Who holds time back, and what is kept.
pub(crate) fn report(watermarks: &WatermarkReport, state: &StateReport) -> String {
    format!("== Watermark ==\n{watermarks}== State ==\n{state}")
}

/// Reads one result. A table with borders is printed when it is complete, all else at once.
async fn read(mut result: ResultReader, format: Format, line: &Line) -> Result<Option<arrow::array::RecordBatch>> {
    if result.info.bounded && (result.info.retracts || matches!(format, Format::Table)) {
        return result.collect().await.map(Some);
    }
    let mut printer = ChangePrinter::new(format, result.info.retracts);
    while let Some(changes) = result.changes.recv().await {
        let changes = changes?;
        line.suspend(|| printer.print(&mut std::io::stdout().lock(), &changes))?;
    }
    Ok(None)
}

/// A line for people, beside the results.
pub(crate) fn say(text: &str) {
    // If standard error is closed there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{}", text.trim_end());
}
