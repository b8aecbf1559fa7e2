//! Operators over operators, over tables that only grow and tables whose rows are taken back; as bounded queries, and as
//! queries over tables without an end, whose results are updated with every epoch.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use tidemill::core::{ChangeMode, Delta};
use tidemill::simulate::{Cut, CutRows, Random, simulate};
use tidemill::tables::memory::MemoryTable;
use tidemill::{Pipeline, Result, Session, batch, consolidate};

use super::compare::rows_as_text;
use super::relation::{Relation, TABLES};

/// A row: `a INT, s STRING, n BIGINT`.
type Row = (Option<i32>, Option<&'static str>, Option<i64>);

/// Rows of a table by split, each with a weight.
type Changes = Vec<Vec<(Row, i64)>>;

/// A query and its tables, made from a seed.
#[derive(Debug, Clone)]
pub struct Composed {
    /// Where it came from.
    pub seed: u64,
    /// What is asked.
    pub query: Relation,
    tables: [Changes; 2],
    /// Whether the tables are declared to have no end.
    endless: bool,
}

/// What came of a case.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// All runs gave the batch answer.
    Agrees,
    /// DataFusion has no answer to it.
    NoBatch(String),
    /// The engine says that it has no incremental form for it.
    Refused(String),
    /// A run gave something else: which, what the batch says, and what the run said.
    Differs(Cut, Vec<String>, Result<Vec<String>, String>),
}

impl Composed {
    /// The case of `seed`.
    pub fn generate(seed: u64) -> Self {
        let mut random = Random(seed ^ 0x005E_ED0F_C0DE);
        let depth = 1 + random.below(3) as usize;
        let query = Relation::generate(&mut random, depth);
        let tables = [changes(&mut random), changes(&mut random)];
        let endless = random.below(3) != 0;
        Self { seed, query, tables, endless }
    }

    /// The query as a stream, planned.
    ///
    /// # Errors
    /// What planning says.
    pub async fn pipeline(&self) -> Result<Pipeline> {
        let script = self.session(self.endless)?.prepare(&self.query.to_string()).await?;
        Ok(script.pipeline.expect("the text is a query"))
    }

    fn session(&self, endless: bool) -> Result<Session> {
        let session = Session::new();
        session.set("state.unbounded", "allow")?;
        for (name, splits) in TABLES.iter().zip(&self.tables) {
            let retracts = splits.iter().flatten().any(|(_, weight)| *weight < 0);
            let changes = if retracts { ChangeMode::Retract } else { ChangeMode::Append };
            let splits = splits.iter().map(|s| vec![delta(s, retracts)]).collect();
            let table = MemoryTable::of_changes(schema(), splits, changes)?;
            let table = if endless { table.without_end() } else { table };
            session.register_source(name, Arc::new(table), None)?;
        }
        Ok(session)
    }

    fn len(&self) -> usize {
        self.tables.iter().flatten().map(Vec::len).sum()
    }

    /// Runs it in many cuts.
    ///
    /// # Errors
    /// If the tables cannot be made.
    pub async fn check(&self) -> Result<Verdict> {
        let text = self.query.to_string();
        let expected = match batch::answer(&self.session(false)?, &text).await {
            Ok(answer) => rows_as_text(&answer),
            Err(e) => return Ok(Verdict::NoBatch(e.to_string())),
        };
        let session = self.session(self.endless)?;
        let pipeline = match session.prepare(&text).await {
            Ok(script) => script.pipeline.expect("the text is a query"),
            Err(e) if e.to_string().contains("not supported") => return Ok(Verdict::Refused(e.to_string())),
            Err(e) => return Ok(Verdict::Differs(Cut::whole(), expected, Err(e.to_string()))),
        };
        let schema = pipeline.results()[0].schema.clone();
        let cut = |workers, rows| Cut { seed: self.seed, workers, rows, start: 0 };
        for cut in [Cut::whole(), cut(1, CutRows::Exactly(1)), cut(3, CutRows::UpTo(3)), cut(2, CutRows::UpTo(9))] {
            let stream = match simulate(&pipeline, cut).await {
                Ok(simulated) => consolidate(&schema, &simulated.results[0]).map(|rows| rows_as_text(&rows)),
                Err(e) => Err(e),
            };
            let stream = stream.map_err(|e| e.to_string());
            if stream.as_ref() != Ok(&expected) {
                return Ok(Verdict::Differs(cut, expected, stream));
            }
        }
        Ok(Verdict::Agrees)
    }

    /// Leaves operators and rows out as long as it still differs.
    pub async fn shrink(mut self, mut found: Verdict) -> (Self, Verdict) {
        let mut again = true;
        while again {
            again = false;
            for query in self.query.smaller() {
                let candidate = Self { query, ..self.clone() };
                if let Ok(still @ Verdict::Differs(..)) = candidate.check().await {
                    (self, found) = (candidate, still);
                    again = true;
                    break;
                }
            }
        }
        let mut chunk = self.len();
        while chunk > 0 {
            let mut smaller = false;
            for (table, split) in
                (0..2).flat_map(|t| (0..self.tables[t].len()).map(move |s| (t, s))).collect::<Vec<_>>()
            {
                let mut from = 0;
                while from < self.tables[table][split].len() {
                    let mut candidate = self.clone();
                    let rows = &mut candidate.tables[table][split];
                    rows.drain(from..(from + chunk).min(rows.len()));
                    match candidate.check().await {
                        Ok(still @ Verdict::Differs(..)) if candidate.never_negative() => {
                            (self, found) = (candidate, still);
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
        (self, found)
    }

    /// Whether no row is taken back before it is there.
    fn never_negative(&self) -> bool {
        self.tables.iter().flatten().all(|split| {
            let mut live: Vec<Row> = vec![];
            split.iter().all(|(row, weight)| match live.iter().position(|l| l == row) {
                Some(place) if *weight < 0 => {
                    live.swap_remove(place);
                    true
                }
                _ => {
                    live.push(*row);
                    *weight > 0
                }
            })
        })
    }
}

fn changes(random: &mut Random) -> Changes {
    let retracts = random.below(2) == 0;
    let most = [0, 4, 12, 30][random.below(4) as usize];
    let row = |random: &mut Random| -> Row {
        (
            (random.below(7) != 0).then(|| random.below(4) as i32),
            (random.below(7) != 0).then(|| ["p", "q", "", "rs"][random.below(4) as usize]),
            (random.below(7) != 0).then(|| random.below(12) as i64 - 4),
        )
    };
    let mut splits = vec![];
    for _ in 0..1 + random.below(2) {
        let mut live: Vec<Row> = vec![];
        let mut split = vec![];
        for _ in 0..random.below(most + 1) {
            let old = live.len() as u64;
            if retracts && old > 0 && random.below(3) == 0 {
                let gone = live.swap_remove(random.below(old) as usize);
                split.push((gone, -1));
                if random.below(2) == 0 {
                    continue;
                }
            }
            let new = match old > 0 && random.below(6) == 0 {
                // The same once more.
                true => live.get(random.below(live.len() as u64) as usize).copied().unwrap_or((None, None, None)),
                false => row(random),
            };
            live.push(new);
            split.push((new, 1));
        }
        splits.push(split);
    }
    splits
}

fn schema() -> Arc<Schema> {
    let field = |name: &str, data_type| Field::new(name, data_type, true);
    Arc::new(Schema::new(vec![field("a", DataType::Int32), field("s", DataType::Utf8), field("n", DataType::Int64)]))
}

fn delta(rows: &[(Row, i64)], retracts: bool) -> Delta {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|((a, ..), _)| *a).collect::<Int32Array>()),
        Arc::new(rows.iter().map(|((_, s, _), _)| *s).collect::<StringArray>()),
        Arc::new(rows.iter().map(|((.., n), _)| *n).collect::<Int64Array>()),
    ];
    let batch = RecordBatch::try_new(schema(), columns).expect("columns of one length");
    match retracts {
        true => Delta::weighted(batch, rows.iter().map(|(_, weight)| *weight).collect()),
        false => Delta::insert(batch),
    }
}

impl fmt::Display for Composed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.endless { "without an end" } else { "that end" };
        writeln!(f, "seed {}, tables {end}\n{}", self.seed, self.query)?;
        for (name, splits) in TABLES.iter().zip(&self.tables) {
            for (number, split) in splits.iter().enumerate() {
                for ((a, s, n), weight) in split {
                    writeln!(f, "{name}, split {number}: {weight:+} a={a:?} s={s:?} n={n:?}")?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agrees => f.write_str("agrees"),
            Self::NoBatch(e) | Self::Refused(e) => f.write_str(e),
            Self::Differs(cut, batch, Err(e)) => {
                writeln!(f, "cut: {cut:?}\nbatch: {} rows\nthe stream failed: {e}", batch.len())
            }
            Self::Differs(cut, batch, Ok(stream)) => {
                writeln!(f, "cut: {cut:?}\nbatch:\n  {}\nstream:\n  {}", batch.join("\n  "), stream.join("\n  "))
            }
        }
    }
}
