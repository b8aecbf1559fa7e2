//! Blocks of records, decoded on several threads and handed over in their order.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use arrow::array::ArrayRef;
use async_trait::async_trait;
use tidemill_core::Result;
use tidemill_core::format::Decoder;
use tidemill_core::source::{Piece, Position, SplitReader};
use tokio::task::JoinHandle;

use super::cut::{Cut, Cutting};
use super::feed::{Feed, died};
use super::layout::Layout;

/// A block, and what the reader of its file knows beside it.
#[derive(Debug)]
pub(crate) struct Block {
    /// The records.
    pub(crate) cut: Cut,
    /// Where to resume after them.
    pub(crate) position: Position,
    /// How many bytes of input it was, before decompression.
    pub(crate) input_bytes: u64,
    /// The wanted constants of the file, one value each.
    pub(crate) constants: Arc<[ArrayRef]>,
}

/// A decoder that is free again, and what it made.
type Done = (Box<dyn Decoder>, Result<Piece>);

/// Reads a split of records.
pub(crate) struct Pipe {
    blocks: Feed<Block>,
    ended: bool,
    cutting: Arc<Cutting>,
    layout: Arc<Layout>,
    /// Blocks that are being decoded, in their order.
    decoding: VecDeque<JoinHandle<Done>>,
    /// How many may be decoded at a time.
    limit: usize,
    /// Decoders that have nothing to do.
    idle: Vec<Box<dyn Decoder>>,
}

impl Pipe {
    /// Decodes `blocks` on at most `threads` threads.
    pub(crate) fn new(blocks: Feed<Block>, cutting: Arc<Cutting>, layout: Layout, threads: usize) -> Result<Self> {
        // Made now, so that an option that is wrong is said before the query runs.
        let decoder = decoder(&cutting, &layout)?;
        Ok(Self {
            blocks,
            ended: false,
            cutting,
            layout: Arc::new(layout),
            decoding: VecDeque::new(),
            // One more than threads, so that the next block is there when a thread becomes free.
            limit: threads.max(1) + 1,
            idle: vec![decoder],
        })
    }

    fn decode(&mut self, block: Block) -> Result<()> {
        let mut decoder = match self.idle.pop() {
            Some(decoder) => decoder,
            None => decoder(&self.cutting, &self.layout)?,
        };
        let layout = self.layout.clone();
        self.decoding.push_back(tokio::task::spawn_blocking(move || {
            let piece = piece(&mut *decoder, &layout, block);
            (decoder, piece)
        }));
        Ok(())
    }
}

fn decoder(cutting: &Cutting, layout: &Layout) -> Result<Box<dyn Decoder>> {
    cutting.format.keyed_decoder(&cutting.schema, &cutting.key, &layout.records, &cutting.options)
}

fn piece(decoder: &mut dyn Decoder, layout: &Layout, block: Block) -> Result<Piece> {
    let Block { cut, position, input_bytes, constants } = block;
    let decoded = decoder.decode(&cut.bytes, &cut.origin)?;
    let batch = layout.assemble(&decoded.batch, &constants)?;
    Ok(Piece {
        batch,
        weights: decoded.weights,
        rejected: decoded.rejected,
        position,
        bytes: input_bytes,
        raw: Some(decoded.raw),
    })
}

#[async_trait]
impl SplitReader for Pipe {
    async fn next(&mut self) -> Result<Option<Piece>> {
        let piece = self.piece().await;
        if piece.is_err() {
            // What comes after an error would be rows with a hole before them.
            self.ended = true;
            self.decoding.clear();
        }
        piece
    }
}

impl Pipe {
    async fn piece(&mut self) -> Result<Option<Piece>> {
        loop {
            let room = !self.ended && self.decoding.len() < self.limit;
            tokio::select! {
                // Blocks first: the threads are to be kept busy, and a block that is there costs nothing to hand on.
                biased;
                block = self.blocks.next(), if room => match block? {
                    Some(block) => self.decode(block)?,
                    None => self.ended = true,
                },
                done = first(&mut self.decoding), if !self.decoding.is_empty() => {
                    self.decoding.pop_front();
                    let (decoder, piece) = done.map_err(died)?;
                    self.idle.push(decoder);
                    return piece.map(Some);
                }
                else => return Ok(None),
            }
        }
    }
}

/// Waits for the first task without taking it from the queue, so that a dropped future loses nothing.
async fn first<T>(tasks: &mut VecDeque<JoinHandle<T>>) -> Result<T, tokio::task::JoinError> {
    poll_fn(|cx| match tasks.front_mut() {
        Some(task) => Future::poll(Pin::new(task), cx),
        None => Poll::Pending,
    })
    .await
}
