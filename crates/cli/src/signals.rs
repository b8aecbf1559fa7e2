//! What the operating system asks of the program: to stop, or to say how it is.

use tidemill::Result;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that a running query listens to.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    report: Signal,
    quit: Signal,
}

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Ctrl-C or SIGTERM.
    Stop,
    /// SIGUSR1, or Ctrl-\ on the terminal.
    Report,
}

impl Signals {
    /// Begins to listen.
    pub(crate) fn listen() -> Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            report: signal(SignalKind::user_defined1())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.report.recv() => Asked::Report,
            _ = self.quit.recv() => Asked::Report,
        }
    }
}
