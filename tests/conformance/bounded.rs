//! A query over tables that end: in one batch, in one epoch, in tiny cuts.

use arrow::array::RecordBatch;
use tidemill::simulate::{Cut, CutRows, simulate};
use tidemill::{Session, batch, consolidate};

use super::{Failure, format};

/// The cuts of a stream run, under the names they have in failures.
const CUTS: [(&str, Cut); 3] = [
    ("one epoch", Cut { seed: 0, workers: 1, rows: CutRows::All, start: 0 }),
    ("tiny cuts, one worker", Cut { seed: 5, workers: 1, rows: CutRows::UpTo(2), start: 0 }),
    ("tiny cuts, three workers", Cut { seed: 6, workers: 3, rows: CutRows::UpTo(3), start: 0 }),
];

/// The batch answer to `text`, with which every stream run agrees. `ordered` says whether the order of rows belongs to it.
///
/// # Errors
/// If the query is wrong, or if a run does not agree: which, and how they differ.
pub async fn answer(session: &Session, text: &str, ordered: bool) -> Result<RecordBatch, Failure> {
    let expected = batch::answer(session, text).await?;
    let script = session.prepare(text).await?;
    let pipeline = script.pipeline.ok_or_else(|| Failure("the text is not a query".into()))?;
    let schema = pipeline.results()[0].schema.clone();
    for (name, cut) in CUTS {
        let simulated = simulate(&pipeline, cut).await.map_err(|e| Failure(format!("{name}: {e}")))?;
        let rows = consolidate(&schema, &simulated.results[0]).map_err(|e| Failure(format!("{name}: {e}")))?;
        agree(name, &expected, &rows, ordered)?;
    }
    Ok(expected)
}

/// Says how two answers differ, if they do.
///
/// # Errors
/// If they do.
pub fn agree(name: &str, expected: &RecordBatch, rows: &RecordBatch, ordered: bool) -> Result<(), Failure> {
    let (mut expected, mut rows) = (format::rows(expected)?, format::rows(rows)?);
    if !ordered {
        expected.sort();
        rows.sort();
    }
    if expected == rows {
        return Ok(());
    }
    let only = |a: &[Vec<String>], b: &[Vec<String>]| {
        let mut left = b.to_vec();
        let mut only = vec![];
        for row in a {
            match left.iter().position(|l| l == row) {
                Some(place) => drop(left.swap_remove(place)),
                None => only.push(row.join(" ")),
            }
        }
        only
    };
    let (batch, stream) = (only(&expected, &rows), only(&rows, &expected));
    let order = if batch.is_empty() && stream.is_empty() { "the same rows in another order" } else { "other rows" };
    Err(Failure(format!(
        "{name}: {order} than in batch\nonly in batch:\n  {}\nonly in stream:\n  {}",
        batch.join("\n  "),
        stream.join("\n  ")
    )))
}
