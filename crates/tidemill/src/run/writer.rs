//! The tasks that write: one for each sink, behind a bounded queue.

use std::sync::Arc;

use tidemill_core::sink::Sink;
use tidemill_core::{Delta, Error, Result};
use tokio::sync::{mpsc, oneshot};

use super::event::Event;

/// Commands that wait for the writer, at most. The epoch thread waits when there are more: backpressure.
const QUEUED: usize = 16;

enum Command {
    Write(Vec<Delta>),
    Publish,
    Close(oneshot::Sender<()>),
}

/// The epoch thread's side of a writer.
#[derive(Debug)]
pub(super) struct Writer {
    commands: mpsc::Sender<Command>,
}

impl Writer {
    /// Opens `sink` and starts its task.
    pub(super) async fn open(
        name: String,
        sink: &Arc<dyn Sink>,
        events: crossbeam_channel::Sender<Event>,
    ) -> Result<Self> {
        let mut writer = sink.open().await.map_err(|e| e.context(format!("table '{name}'")))?;
        let (commands, mut inbox) = mpsc::channel(QUEUED);
        tokio::spawn(async move {
            while let Some(command) = inbox.recv().await {
                let result = match command {
                    Command::Write(deltas) => {
                        let mut result = Ok(());
                        for delta in &deltas {
                            result = writer.write(delta).await;
                            if result.is_err() {
                                break;
                            }
                        }
                        result
                    }
                    Command::Publish => writer.publish().await,
                    Command::Close(done) => match writer.close().await {
                        Ok(()) => {
                            let _ = done.send(());
                            return;
                        }
                        Err(e) => Err(e),
                    },
                };
                if let Err(e) = result {
                    let _ = events.send(Event::Failed(e.context(format!("table '{name}'"))));
                    return;
                }
            }
        });
        Ok(Self { commands })
    }

    /// Hands over some changes; waits while the writer is behind.
    ///
    /// # Errors
    /// If the writer has failed. What failed is in the epoch thread's inbox.
    pub(super) fn write(&self, deltas: Vec<Delta>) -> Result<(), Gone> {
        self.commands.blocking_send(Command::Write(deltas)).map_err(|_| Gone)
    }

    /// Makes what was written visible.
    pub(super) fn publish(&self) -> Result<(), Gone> {
        self.commands.blocking_send(Command::Publish).map_err(|_| Gone)
    }

    /// Publishes the rest and waits until it is there.
    pub(super) fn close(self) -> Result<(), Gone> {
        let (done, closed) = oneshot::channel();
        self.commands.blocking_send(Command::Close(done)).map_err(|_| Gone)?;
        closed.blocking_recv().map_err(|_| Gone)
    }
}

/// The writer has failed; the reason comes as an event.
#[derive(Debug)]
pub(super) struct Gone;

impl From<Gone> for Error {
    fn from(_: Gone) -> Self {
        Self::internal("a writer ended without a word")
    }
}
