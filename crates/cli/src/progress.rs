//! Live progress on a terminal: one line, rewritten a few times a second. Nothing at all on a pipe.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tidemill::metrics::Metrics;
use tidemill::{Progress, Summary};

/// How often the line is rewritten.
const REFRESH: Duration = Duration::from_millis(200);

/// The progress line of a run.
pub(crate) struct Line {
    bar: ProgressBar,
}

impl Line {
    /// A line on standard error, if that is a terminal and nobody asked for quiet.
    pub(crate) fn new(quiet: bool) -> Self {
        let shown = !quiet && std::io::stderr().is_terminal();
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            bar.set_style(style);
        }
        Self { bar }
    }

    /// Rewrites the line until it is dropped.
    pub(crate) async fn follow(&self, metrics: &Metrics) {
        loop {
            tokio::time::sleep(REFRESH).await;
            self.bar.set_message(describe(&metrics.progress(), now()));
            self.bar.tick();
        }
    }

    /// Runs `print` with the line out of the way.
    pub(crate) fn suspend<R>(&self, print: impl FnOnce() -> R) -> R {
        self.bar.suspend(print)
    }

    /// Takes the line away.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

fn describe(progress: &Progress, now: i64) -> String {
    let mut parts = vec![format!(
        "{} rows in, {} rows/s",
        HumanCount(progress.rows_in()),
        HumanCount(progress.rows_per_second() as u64)
    )];
    for source in &progress.sources {
        let time = match (source.ended, source.lag(now)) {
            (true, _) => "ended".to_string(),
            (false, Some(lag)) if lag < Duration::from_secs(86_400) => {
                format!("watermark {}, {:.1} s behind", source.watermark, lag.as_secs_f64())
            }
            (false, Some(_)) => format!("watermark {}", source.watermark),
            (false, None) => format!("{} rows", HumanCount(source.rows)),
        };
        parts.push(format!("{}: {time}", source.name));
    }
    parts.join("  ")
}

/// The last words of a run.
pub(crate) fn summary(summary: &Summary) -> String {
    let p = &summary.progress;
    let bytes: u64 = p.sources.iter().map(|s| s.bytes).sum();
    format!(
        "{}{} rows in ({}), {} rows out, {} late, {} rejected, {:.2} s, {} rows/s",
        if summary.stopped { "stopped: " } else { "" },
        HumanCount(p.rows_in()),
        HumanBytes(bytes),
        HumanCount(p.rows_out()),
        HumanCount(p.late),
        HumanCount(p.rejected()),
        p.elapsed.as_secs_f64(),
        HumanCount(p.rows_per_second() as u64),
    )
}

/// The time of day, for how far a source is behind.
fn now() -> i64 {
    tidemill::Clock::now(&tidemill::SystemClock)
}
