//! Reads records from standard input: one split, one pass.
//!
//! A thread of its own reads and cuts, and is never joined: a read from a terminal cannot be interrupted, and a query that is
//! stopped must not wait for a key.

use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use tidemill_core::format::Format;
use tidemill_core::source::{Connector, Position, ReadRequest, Source, SplitId, SplitReader, Splits};
use tidemill_core::table::TableSpec;
use tidemill_core::{ChangeMode, Error, OptionSpec, OptionValues, Result};
use tokio::sync::mpsc;

use super::FORMAT;
use crate::changelog;
use crate::records::cut::{Cutter, Cutting, Rest};
use crate::records::feed::Feed;
use crate::records::layout::Layout;
use crate::records::pipe::{Block, Pipe};

const NAME: &str = "stdin";

/// `'connector' = 'stdin'`.
#[derive(Debug)]
pub struct Stdin;

impl Connector for Stdin {
    fn name(&self) -> &'static str {
        NAME
    }

    fn doc(&self) -> &'static str {
        "Reads records from the standard input of the process until it ends."
    }

    fn options(&self) -> &'static [OptionSpec] {
        &[FORMAT]
    }

    fn source(&self, table: &TableSpec) -> Result<Arc<dyn Source>> {
        let format = super::format(table, NAME)?;
        let Some(schema) = table.schema.clone() else {
            return Err(Error::internal(format!("table '{}' was opened without its columns", table.name)));
        };
        let input = Input::new(format, schema, table.options.clone(), Box::new(std::io::stdin()));
        Ok(Arc::new(input.of_table(table)))
    }
}

/// A stream that can be read once.
struct Input {
    format: &'static dyn Format,
    schema: SchemaRef,
    /// The columns as a query sees them.
    read: SchemaRef,
    key: Vec<usize>,
    options: OptionValues,
    stream: Mutex<Option<Box<dyn Read + Send>>>,
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Input").field("format", &self.format).finish_non_exhaustive()
    }
}

impl Input {
    fn new(
        format: &'static dyn Format,
        schema: SchemaRef,
        options: OptionValues,
        stream: Box<dyn Read + Send>,
    ) -> Self {
        Self { format, read: schema.clone(), key: vec![], schema, options, stream: Mutex::new(Some(stream)) }
    }

    /// With the key of `table`.
    fn of_table(mut self, table: &TableSpec) -> Self {
        self.key = changelog::key_in(table, &self.schema);
        self.read = changelog::read_schema(table, self.format, &self.schema);
        self
    }
}

#[async_trait]
impl Source for Input {
    fn schema(&self) -> SchemaRef {
        self.read.clone()
    }

    fn changes(&self) -> ChangeMode {
        changelog::changes_of(self.format)
    }

    fn bounded(&self) -> bool {
        true
    }

    async fn splits(&self) -> Result<Splits> {
        Ok(Splits { splits: vec![NAME.into()], more_later: false })
    }

    async fn open(
        &self,
        _split: &SplitId,
        from: Option<&Position>,
        request: &ReadRequest,
    ) -> Result<Box<dyn SplitReader>> {
        if from.is_some() {
            return Err(Error::external("standard input cannot be read again from a position")
                .with_hint("Write it to a file and read that, if the query is to be resumed."));
        }
        let Some(stream) = self.stream.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return Err(Error::unsupported("standard input can be read by one query at a time, once"));
        };
        let cutting = Arc::new(Cutting {
            format: self.format,
            options: self.options.clone(),
            schema: self.schema.clone(),
            key: self.key.clone(),
            batch_rows: request.batch_rows.max(1),
            // Somebody may be typing: a line is to be seen when it is there.
            eager: true,
        });
        let (sender, blocks) = mpsc::channel(2);
        let on_thread = cutting.clone();
        std::thread::Builder::new().name("stdin".into()).spawn(move || read(on_thread, stream, &sender))?;
        let layout = Layout::records_only(&self.read, &request.projection);
        Ok(Box::new(Pipe::new(Feed::channel(blocks), cutting, layout, request.decode_threads)?))
    }
}

fn read(cutting: Arc<Cutting>, stream: Box<dyn Read + Send>, blocks: &mpsc::Sender<Result<Block>>) {
    let stream = Mutex::new(Some(stream));
    let open = |_| {
        let stream = stream.lock().unwrap_or_else(PoisonError::into_inner).take();
        stream.ok_or_else(|| Error::internal("standard input was opened twice"))
    };
    let mut cutter = match Cutter::open(cutting, NAME.into(), 0, open) {
        Ok(cutter) => cutter,
        Err(e) => return drop(blocks.blocking_send(Err(e))),
    };
    loop {
        let block = match cutter.next(Rest::IsRecord) {
            Ok(Some(cut)) => Ok(Block {
                position: format!("{NAME}:{}", cut.end).into(),
                input_bytes: cut.bytes.len() as u64,
                constants: Arc::new([]),
                cut,
            }),
            Ok(None) => return,
            Err(e) => Err(e),
        };
        // Nobody listens any more, or the error was the last there is to say.
        let failed = block.is_err();
        if blocks.blocking_send(block).is_err() || failed {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::{DataType, Field, Int64Type, Schema};

    use super::*;

    /// A stream that gives its parts one at a time.
    struct Parts(std::vec::IntoIter<&'static str>);

    impl Read for Parts {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            self.0.next().map_or(Ok(0), |part| part.as_bytes().read(out))
        }
    }

    #[tokio::test]
    async fn a_line_is_there_as_soon_as_it_was_typed() {
        let schema: SchemaRef = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
        let parts = Parts(vec!["{\"n\":1}\n{\"n\"", ":2}\n", "{\"n\":3}"].into_iter());
        let format = crate::formats::format("json").unwrap();
        let input = Input::new(format, schema, OptionValues::default(), Box::new(parts));
        let request = ReadRequest { projection: vec![0], batch_rows: 1000, decode_threads: 2 };
        let mut reader = input.open(&NAME.into(), None, &request).await.unwrap();
        let mut pieces = vec![];
        while let Some(piece) = reader.next().await.unwrap() {
            let numbers: Vec<i64> = piece.batch.column(0).as_primitive::<Int64Type>().values().to_vec();
            pieces.push((numbers, piece.position.to_string()));
        }
        let expected = [(vec![1], "stdin:8"), (vec![2], "stdin:16"), (vec![3], "stdin:23")];
        assert_eq!(pieces, expected.map(|(n, p)| (n, p.to_owned())));
        assert!(input.open(&NAME.into(), None, &request).await.is_err());
    }
}
