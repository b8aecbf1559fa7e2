//! A case, its check, and how it is shrunk.

use std::fmt;
use std::sync::Arc;

use tidemill::simulate::{Cut, CutRows, Random, simulate};
use tidemill::tables::memory::MemoryTable;
use tidemill::{EventTime, Pipeline, Result, Session, batch, consolidate};

use super::compare::rows_as_text;
use super::query::{self, Query};
use super::rows::{self, Rows};

/// Rows and a query, made from a seed.
#[derive(Debug, Clone)]
pub struct Case {
    /// Where it came from.
    pub seed: u64,
    /// What is read.
    pub rows: Rows,
    /// What is asked.
    pub query: Query,
}

/// A stream run that did not add up to the batch answer.
#[derive(Debug, Clone)]
pub struct Disagreement {
    /// The cut under which it happened.
    pub cut: Cut,
    /// What the batch said, sorted.
    pub batch: Vec<String>,
    /// What the stream added up to, sorted; or how it failed.
    pub stream: Result<Vec<String>, String>,
}

impl Case {
    /// The case of `seed`.
    pub fn generate(seed: u64) -> Self {
        let mut random = Random(seed);
        let zoned = random.below(4) == 0;
        let query = query::generate(&mut random);
        // The batch side knows a late row by an instant; in other zones than UTC the windows of instants have wall-clock bounds.
        let utc = query.settings.iter().all(|(key, value)| *key != "table.local-time-zone" || value == "UTC");
        let rows = rows::generate(&mut random, zoned, zoned && !utc);
        Self { seed, rows, query }
    }

    /// The query as a stream, planned.
    ///
    /// # Errors
    /// What planning says.
    pub async fn pipeline(&self) -> Result<Pipeline> {
        let script = self.session()?.prepare(&self.query.stream).await?;
        Ok(script.pipeline.expect("the text is a query"))
    }

    fn session(&self) -> Result<Session> {
        let session = Session::new();
        for (key, value) in &self.query.settings {
            session.set(key, value)?;
        }
        let batches = self.rows.batches();
        let schema = batches[0].schema();
        let table = MemoryTable::try_new(schema, batches.into_iter().map(|b| vec![b]).collect())?;
        let delay = std::time::Duration::from_micros(self.rows.delay as u64);
        session.register_source("t", Arc::new(table), Some(EventTime::new("ts", delay)))?;
        Ok(session)
    }
}

/// The cuts under which a case is run: all at once, a row at a time, small and large epochs, one worker and several.
fn cuts(seed: u64) -> [Cut; 5] {
    let cut = |workers, rows| Cut { seed, workers, rows, start: 0 };
    [
        Cut::whole(),
        cut(1, CutRows::Exactly(1)),
        cut(3, CutRows::UpTo(7)),
        cut(1, CutRows::UpTo(40)),
        cut(2, CutRows::All),
    ]
}

/// Runs a case under many cuts. `None` where all of them agree with the batch.
///
/// # Errors
/// If the batch side itself cannot be answered: then the generator is wrong.
pub async fn check(case: &Case) -> Result<Option<Disagreement>> {
    let session = case.session()?;
    if let Some(definition) = &case.query.definition {
        session.execute(definition).await?;
    }
    let expected = batch::answer(&session, &case.query.batch)
        .await
        .map_err(|e| e.context(format!("batch side of seed {}: {}", case.seed, case.query.batch)))?;
    let expected = rows_as_text(&expected);
    let pipeline = session.prepare(&case.query.stream).await.map(|s| s.pipeline.expect("the text is a query"));
    for cut in cuts(case.seed) {
        let stream = match &pipeline {
            Ok(pipeline) => stream(pipeline, cut).await.map_err(|e| e.to_string()),
            Err(e) => Err(e.to_string()),
        };
        if stream.as_ref() != Ok(&expected) {
            return Ok(Some(Disagreement { cut, batch: expected, stream }));
        }
    }
    Ok(None)
}

async fn stream(pipeline: &Pipeline, cut: Cut) -> Result<Vec<String>> {
    let schema = pipeline.results()[0].schema.clone();
    let simulated = simulate(pipeline, cut).await?;
    Ok(rows_as_text(&consolidate(&schema, &simulated.results[0])?))
}

/// Leaves rows out as long as the case still disagrees.
pub async fn shrink(case: &Case, found: Disagreement) -> (Case, Disagreement) {
    let (mut case, mut found) = (case.clone(), found);
    let mut chunk = case.rows.len();
    while chunk > 0 {
        let mut smaller = false;
        for split in 0..case.rows.splits.len() {
            let mut from = 0;
            while from < case.rows.splits[split].len() {
                let mut candidate = case.clone();
                let to = (from + chunk).min(candidate.rows.splits[split].len());
                candidate.rows.splits[split].drain(from..to);
                match check(&candidate).await {
                    Ok(Some(still)) => {
                        (case, found) = (candidate, still);
                        smaller = true;
                    }
                    _ => from += chunk,
                }
            }
        }
        if !smaller {
            chunk /= 2;
        }
    }
    (case, found)
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "cut: {:?}", self.cut)?;
        match &self.stream {
            Err(e) => writeln!(f, "the stream failed: {e}"),
            Ok(stream) => {
                for row in self.batch.iter().filter(|r| !stream.contains(r)) {
                    writeln!(f, "only in batch:  {row}")?;
                }
                for row in stream.iter().filter(|r| !self.batch.contains(r)) {
                    writeln!(f, "only in stream: {row}")?;
                }
                writeln!(f, "{} rows in batch, {} in stream", self.batch.len(), stream.len())
            }
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}\nstream: {}\nbatch:  {}", self.seed, self.query.stream, self.query.batch)?;
        writeln!(
            f,
            "settings: {:?}\ndelay: {} us, time type: {}",
            self.query.settings, self.rows.delay, self.rows.time_type
        )?;
        for (split, batch) in self.rows.batches().iter().enumerate() {
            let table = arrow::util::pretty::pretty_format_batches(std::slice::from_ref(batch));
            writeln!(f, "split {split}:\n{}", table.map(|t| t.to_string()).unwrap_or_default())?;
        }
        Ok(())
    }
}
