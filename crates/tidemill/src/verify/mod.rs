//! `VERIFY`: the law on a user's own query. The rows of its tables are read once; the query is then answered in one batch, and
//! run as a stream over the same rows in random cuts, on changing numbers of workers. All answers have to be the same rows.
//!
//! Nothing is written. Where the stream refused rows (late ones, or without an event time) the batch holds more than the
//! stream may; then the streams are compared with each other alone, and the report says so.

mod answers;
mod tables;

use std::fmt;

use tidemill_core::{Delta, EpochClock, Error, Micros, Result};
use tidemill_sql::parser::Statement;
use tidemill_sql::session::{Planner, Query};

use crate::batch;
use crate::consolidate::consolidate;
use crate::pipeline::Pipeline;
use crate::session::Session;
use crate::simulate::{Cut, CutRows, Random, Simulated, simulate};
use answers::Rows;
use tables::Tables;

/// Runs that `VERIFY` makes where the statement does not say how many.
pub const RUNS: usize = 20;

/// Workers of a run, at most.
const WORKERS: u64 = 4;

/// What a run's clock begins with: 1938. The functions of the query read another, which stays in 1970 in all runs, so that they
/// answer the same; no time of theirs is then one that a run has gone past.
const BEGINS: Micros = -1_000_000_000_000_000;

/// How often the input is made smaller, at most, when a disagreement was found.
const SHRINKS: usize = 500;

/// What came of it: all runs agreed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// Rows of the answer.
    pub rows: usize,
    /// Rows that were read.
    pub read: usize,
    /// Runs as a stream.
    pub runs: usize,
    /// What the first run's cut was made from; the others follow it.
    pub seed: u64,
    /// Rows that the stream refused, so that it was not compared with the batch.
    pub refused: usize,
}

impl fmt::Display for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, read, runs, seed, refused } = self;
        let with = match refused {
            0 => "with one batch run".to_string(),
            n => format!("with each other ({n} rows were late or rejected, which a batch run would hold)"),
        };
        write!(
            f,
            "verified: {runs} runs in random cuts, on 1 to {WORKERS} workers, agree {with}: {rows} rows from {read} read (seed {seed})"
        )
    }
}

/// A stream run: what it put out. Handed in, so that a test can hand in one that is wrong.
pub(crate) trait Run {
    /// Runs `pipeline`, cut as `cut` says.
    async fn run(&self, pipeline: &Pipeline, cut: Cut) -> Result<Simulated>;
}

/// The engine.
pub(crate) struct Engine;

impl Run for Engine {
    async fn run(&self, pipeline: &Pipeline, cut: Cut) -> Result<Simulated> {
        simulate(pipeline, cut).await
    }
}

/// Verifies the one query of `statement` in `runs` runs, whose cuts are made from `seed`.
///
/// # Errors
/// If the query is wrong or reads a table without an end; or if a run does not agree: with the smallest input for which that is
/// so, and the rows that only one of them has.
pub async fn verify(session: &Session, statement: &Statement, runs: usize, seed: u64) -> Result<Agreement> {
    verify_by(&Engine, session, statement, runs, seed).await
}

pub(crate) async fn verify_by(
    run: &impl Run,
    session: &Session,
    statement: &Statement,
    runs: usize,
    seed: u64,
) -> Result<Agreement> {
    let planner = Planner::new(&session.catalog, EpochClock::default())?;
    let mut queries = planner.query(statement)?;
    let (Some(query), true) = (queries.pop(), queries.is_empty()) else {
        return Err(Error::statement("VERIFY is for one query").at(statement.span));
    };
    let tables = Tables::read(&query).await.map_err(|e| e.at(statement.span))?;
    let law = Law { run, session, query };
    let (expected, refused) = law.expected(&tables).await?;
    for number in 0..runs as u64 {
        let cut = cut(seed.wrapping_add(number), tables.len());
        if let Some(found) = law.disagreement(&tables, cut, &expected, refused).await? {
            return Err(law.shrunk(tables, cut, found, refused > 0).await);
        }
    }
    Ok(Agreement { rows: expected.len(), read: tables.len(), runs, seed, refused })
}

/// How the run of a seed is cut. Row by row only where that does not take for ever.
fn cut(seed: u64, rows: usize) -> Cut {
    let mut random = Random(seed);
    let workers = 1 + random.below(WORKERS) as usize;
    let rows = match random.below(4) {
        0 if rows <= 2_000 => CutRows::Exactly(1),
        0 | 1 => CutRows::UpTo(2 + rows / 100),
        2 => CutRows::UpTo(2 + random.below(rows as u64 + 1) as usize),
        _ => CutRows::UpTo(1 + rows / 10),
    };
    Cut { seed, workers, rows, start: BEGINS }
}

/// What a disagreement looks like.
struct Found {
    expected: Rows,
    stream: Result<Rows, String>,
}

struct Law<'a, R> {
    run: &'a R,
    session: &'a Session,
    query: Query,
}

impl<R: Run> Law<'_, R> {
    /// The query over `tables`, planned.
    fn pipeline(&self, tables: &Tables) -> Result<(Query, Pipeline)> {
        let query = tables.put_into(&self.query)?;
        let pipeline = Pipeline::plan(self.session, std::slice::from_ref(&query), EpochClock::default(), &mut vec![])?;
        Ok((query, pipeline))
    }

    /// What every run is compared with, and how many rows the stream refuses.
    async fn expected(&self, tables: &Tables) -> Result<(Rows, usize)> {
        let (query, pipeline) = self.pipeline(tables)?;
        let once = simulate(&pipeline, Cut::whole()).await?;
        let refused = once.late.iter().chain(&once.rejected).map(|b| b.num_rows()).sum();
        match refused {
            0 => {
                let planner = Planner::new(&self.session.catalog, EpochClock::default())?;
                Ok((Rows::of(&batch::answer_query(&planner, &query).await?)?, 0))
            }
            _ => Ok((rows_of(&pipeline, &once.results[0])?, refused)),
        }
    }

    /// How a run differs from `expected`, if it does.
    async fn disagreement(&self, tables: &Tables, cut: Cut, expected: &Rows, refused: usize) -> Result<Option<Found>> {
        let (_, pipeline) = self.pipeline(tables)?;
        let stream = match self.run.run(&pipeline, cut).await {
            Ok(simulated) => {
                let now: usize = simulated.late.iter().chain(&simulated.rejected).map(|b| b.num_rows()).sum();
                match now == refused {
                    true => rows_of(&pipeline, &simulated.results[0]).map_err(|e| e.to_string()),
                    false => Err(format!("{now} rows were late or rejected, and {refused} in one epoch")),
                }
            }
            Err(e) => Err(e.to_string()),
        };
        let agrees = stream.as_ref().is_ok_and(|rows| rows == expected);
        Ok((!agrees).then(|| Found { expected: expected.clone(), stream }))
    }

    /// Leaves rows out as long as the run still disagrees; then says what is left.
    async fn shrunk(&self, mut tables: Tables, cut: Cut, mut found: Found, refuses: bool) -> Error {
        let mut tries = 0;
        let mut chunk = tables.len();
        while chunk > 0 && tries < SHRINKS {
            let mut from = 0;
            let mut smaller = false;
            while from < tables.len() && tries < SHRINKS {
                tries += 1;
                let candidate = tables.without(from..from + chunk);
                match self.still_disagrees(&candidate, cut, refuses).await {
                    Some(still) => {
                        (tables, found) = (candidate, still);
                        smaller = true;
                    }
                    None => from += chunk,
                }
            }
            if !smaller {
                chunk /= 2;
            }
        }
        let with = if refuses { "a run in one epoch" } else { "the batch run" };
        let differences = match &found.stream {
            Err(e) => format!("the stream failed: {e}"),
            Ok(stream) => found.expected.differences(stream),
        };
        let rows = match cut.rows {
            CutRows::All => "all rows".to_string(),
            CutRows::Exactly(n) => format!("{n} row"),
            CutRows::UpTo(n) => format!("up to {n} rows"),
        };
        Error::internal(format!(
            "the stream does not agree with {with}, at seed {}: {} workers, {rows} of each split in an epoch\n{differences}\nover these rows:\n{tables}",
            cut.seed, cut.workers
        ))
        .with_hint("This is a fault of Tidemill. The rows above and the query are all that is needed to find it.")
    }

    /// A smaller input that cannot be answered at all shows nothing.
    async fn still_disagrees(&self, tables: &Tables, cut: Cut, refuses: bool) -> Option<Found> {
        let (expected, refused) = self.expected(tables).await.ok()?;
        match (refused > 0) == refuses {
            true => self.disagreement(tables, cut, &expected, refused).await.ok()?,
            false => None,
        }
    }
}

fn rows_of(pipeline: &Pipeline, changes: &[Delta]) -> Result<Rows> {
    Rows::of(&consolidate(&pipeline.results()[0].schema, changes)?)
}

#[cfg(test)]
mod tests;
