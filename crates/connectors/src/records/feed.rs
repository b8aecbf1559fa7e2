//! Work that blocks (reading a file, listing a directory), seen from async code: one step at a time on a blocking thread.
//!
//! A [`Feed`] may be dropped or its `next` cancelled at any time without losing an item: a step that has begun is kept and
//! picked up by the next call. Nothing is read ahead of what was asked for, and no thread is held while there is nothing.

use std::pin::Pin;
use std::time::Duration;

use tidemill_core::{Error, Result};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Sleep, sleep};

/// What one step brought.
#[derive(Debug)]
pub(crate) enum Pulled<T> {
    /// Something.
    Item(T),
    /// Nothing now; ask again later.
    Wait,
    /// Nothing any more.
    End,
}

/// A source of items whose steps block.
pub(crate) trait Pull: Send + 'static {
    /// What it brings.
    type Item: Send + 'static;

    /// One step. Runs on a thread that may block.
    fn pull(&mut self) -> Result<Pulled<Self::Item>>;
}

/// Items one after the other, from a [`Pull`] or from a channel.
pub(crate) struct Feed<T: Send + 'static> {
    state: State<T>,
    /// How long to wait after [`Pulled::Wait`].
    interval: Duration,
}

type Source<T> = Box<dyn Pull<Item = T>>;

enum State<T: Send + 'static> {
    Idle(Source<T>),
    Running(JoinHandle<(Source<T>, Result<Pulled<T>>)>),
    Waiting(Source<T>, Pin<Box<Sleep>>),
    Channel(mpsc::Receiver<Result<T>>),
    Ended,
}

impl<T: Send + 'static> Feed<T> {
    /// Items of `source`; where it has none at the moment it is asked again after `interval`.
    pub(crate) fn pull(source: impl Pull<Item = T>, interval: Duration) -> Self {
        Self { state: State::Idle(Box::new(source)), interval }
    }

    /// Items that another thread sends.
    pub(crate) fn channel(receiver: mpsc::Receiver<Result<T>>) -> Self {
        Self { state: State::Channel(receiver), interval: Duration::ZERO }
    }

    /// The next item; waits where there is none yet; `None` at the end and after an error.
    pub(crate) async fn next(&mut self) -> Result<Option<T>> {
        loop {
            match &mut self.state {
                State::Idle(_) => self.start(),
                State::Running(task) => {
                    let done = task.await;
                    // Not polled again, whatever comes of it.
                    self.state = State::Ended;
                    let (source, pulled) = done.map_err(died)?;
                    match pulled {
                        Ok(Pulled::Item(item)) => {
                            self.state = State::Idle(source);
                            return Ok(Some(item));
                        }
                        Ok(Pulled::Wait) => self.state = State::Waiting(source, Box::pin(sleep(self.interval))),
                        Ok(Pulled::End) => {}
                        Err(e) => return Err(e),
                    }
                }
                State::Waiting(_, sleep) => {
                    sleep.await;
                    self.start();
                }
                State::Channel(receiver) => return receiver.recv().await.transpose(),
                State::Ended => return Ok(None),
            }
        }
    }

    fn start(&mut self) {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Idle(mut source) | State::Waiting(mut source, _) => {
                self.state = State::Running(tokio::task::spawn_blocking(move || {
                    let pulled = source.pull();
                    (source, pulled)
                }));
            }
            other => self.state = other,
        }
    }
}

/// A thread of ours panicked, or the runtime is shutting down.
pub(crate) fn died(e: tokio::task::JoinError) -> Error {
    if e.is_cancelled() {
        return Error::cancelled("reading was cancelled");
    }
    Error::internal("a reading thread panicked").caused_by(e)
}
