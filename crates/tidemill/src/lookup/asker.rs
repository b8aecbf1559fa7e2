//! The rows that ask, joined with what was found for them, in their order.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::compute::{take, take_arrays};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::row::{RowConverter, SortField};
use datafusion::execution::SessionState;
use tidemill_core::lookup::{Found, Lookup};
use tidemill_core::{Delta, Error, ErrorKind, Micros, Result};
use tidemill_dataflow::expression::{conform, evaluate};
use tidemill_plan::lookup::{LookupJoinOp, LookupTable};
use tidemill_plan::op::{SourceInput, StreamOp};
use tidemill_plan::{NodeId, StreamPlan};
use tokio::sync::Mutex;

use super::whole::Whole;

/// The lookup joins of a plan.
#[derive(Default)]
pub(crate) struct Lookups(HashMap<NodeId, Arc<Asker>>);

/// One lookup join.
pub(crate) struct Asker {
    op: LookupJoinOp,
    left: SchemaRef,
    output: SchemaRef,
    /// The output with NULLs allowed everywhere, for pairs that turn out to be none.
    loose: SchemaRef,
    converter: RowConverter,
    whole: Mutex<Option<Whole>>,
}

impl Lookups {
    /// Those of `plan`. Nothing is read yet.
    pub(crate) fn of(plan: &StreamPlan) -> Result<Self> {
        let mut all = HashMap::new();
        for node in plan.nodes() {
            if let StreamOp::Source(source) = &node.op
                && let SourceInput::Lookup(op) = &source.input
            {
                let left = Arc::clone(&plan.node(op.asks).edge.schema);
                all.insert(node.id, Arc::new(Asker::new(op, left, &node.edge.schema)?));
            }
        }
        Ok(Self(all))
    }

    /// The lookup join at `node`.
    pub(crate) fn at(&self, node: NodeId) -> Result<Arc<Asker>> {
        self.0.get(&node).cloned().ok_or_else(|| Error::internal("a lookup that is not in the plan"))
    }
}

impl Asker {
    fn new(op: &LookupJoinOp, left: SchemaRef, output: &SchemaRef) -> Result<Self> {
        let loose = output.fields().iter().map(|f| Field::clone(f).with_nullable(true)).collect::<Vec<_>>();
        let keys = op.keys.iter().map(|(l, _)| SortField::new(left.field(*l).data_type().clone()));
        Ok(Self {
            converter: RowConverter::new(keys.collect())?,
            op: op.clone(),
            left,
            output: Arc::clone(output),
            loose: Arc::new(Schema::new(loose)),
            whole: Mutex::new(None),
        })
    }

    /// The rows with what is found for them now. The order of the rows is kept.
    pub(crate) async fn answer(&self, asked: &[Delta], state: &SessionState, now: Micros) -> Result<Delta> {
        let asked = Delta::concat(&self.left, asked)?;
        let keys: Vec<ArrayRef> = self.op.keys.iter().map(|(l, _)| asked.batch.column(*l).clone()).collect();
        let fits = without_nulls(&keys);
        let encoded = self.converter.convert_columns(&keys)?;
        // Each key is asked for once.
        let (mut distinct, mut firsts): (HashMap<&[u8], u32>, Vec<u32>) = (HashMap::new(), vec![]);
        let rows: Vec<_> = (0..asked.num_rows()).map(|i| encoded.row(i)).collect();
        let mut key_of: Vec<Option<u32>> = Vec::with_capacity(rows.len());
        for (i, row) in rows.iter().enumerate() {
            key_of.push(fits.as_ref().is_none_or(|f| f.is_valid(i)).then(|| {
                *distinct.entry(row.as_ref()).or_insert_with(|| {
                    firsts.push(i as u32);
                    firsts.len() as u32 - 1
                })
            }));
        }
        let wanted: Vec<&[u8]> = firsts.iter().map(|i| rows[*i as usize].as_ref()).collect();
        let (found, starts, places) = self.find(&keys, &firsts, &wanted, state, now).await?;
        let (mut left, mut right): (Vec<u32>, Vec<Option<u32>>) = (vec![], vec![]);
        for (row, key) in key_of.into_iter().enumerate() {
            let of_key = key.map_or(0..0, |k| starts[k as usize] as usize..starts[k as usize + 1] as usize);
            if of_key.is_empty() && self.op.outer {
                left.push(row as u32);
                right.push(None);
            }
            for place in &places[of_key] {
                left.push(row as u32);
                right.push(Some(*place));
            }
        }
        let (left, right) = self.confirmed(&asked.batch, &found, left, right)?;
        let (left, right) = (UInt32Array::from(left), UInt32Array::from(right));
        let batch = conform(&self.output, beside(&asked.batch, &found, &left, &right)?, left.len())?;
        let split_watermark = match &asked.split_watermark {
            Some(watermarks) => Some(Int64Array::from(take(watermarks, &left, None)?.to_data())),
            None => None,
        };
        Ok(Delta { batch, weights: None, split_watermark })
    }

    /// Rows for the keys at `firsts`; where those of each key begin among the places, and the places of its rows.
    async fn find(
        &self,
        keys: &[ArrayRef],
        firsts: &[u32],
        wanted: &[&[u8]],
        state: &SessionState,
        now: Micros,
    ) -> Result<(RecordBatch, Vec<u32>, Vec<u32>)> {
        let (mut starts, mut places) = (vec![0_u32], vec![]);
        match &self.op.table {
            LookupTable::Whole { plan, reload } => {
                let right: Vec<usize> = self.op.keys.iter().map(|(_, r)| *r).collect();
                let mut whole = self.whole.lock().await;
                let current = Whole::current(whole.take(), plan, &right, &self.converter, *reload, state, now).await?;
                for key in wanted {
                    places.extend_from_slice(current.of(key));
                    starts.push(places.len() as u32);
                }
                let rows = current.rows.clone();
                *whole = Some(current);
                Ok((rows, starts, places))
            }
            LookupTable::ByKey { lookup, retries, null_on_error } => {
                let picked = take_arrays(keys, &UInt32Array::from(firsts.to_vec()), None)?;
                let fields: Vec<_> = self.op.keys.iter().map(|(l, _)| Arc::clone(&self.left.fields()[*l])).collect();
                let asked = RecordBatch::try_new(Arc::new(Schema::new(fields)), picked)?;
                let found =
                    if firsts.is_empty() { None } else { ask(lookup, &asked, *retries, *null_on_error).await? };
                let Some(found) = found else {
                    return Ok((RecordBatch::new_empty(lookup.schema()), vec![0; wanted.len() + 1], places));
                };
                let mut row = 0;
                for key in 0..wanted.len() as u32 {
                    while row < found.key.len() && found.key.value(row) == key {
                        places.push(row as u32);
                        row += 1;
                    }
                    starts.push(places.len() as u32);
                }
                Ok((found.rows, starts, places))
            }
        }
    }

    /// The pairs that meet the rest of the condition; a row that is left with none stays alone, if such rows stay.
    fn confirmed(
        &self,
        asked: &RecordBatch,
        found: &RecordBatch,
        left: Vec<u32>,
        right: Vec<Option<u32>>,
    ) -> Result<(Vec<u32>, Vec<Option<u32>>)> {
        let Some(residual) = &self.op.residual else { return Ok((left, right)) };
        let (lefts, rights) = (UInt32Array::from(left), UInt32Array::from(right));
        let pairs = conform(&self.loose, beside(asked, found, &lefts, &rights)?, lefts.len())?;
        let holds = evaluate(residual, &pairs)?;
        let holds = holds.as_boolean_opt().ok_or_else(|| Error::internal("a condition that is not BOOLEAN"))?;
        let (mut left, mut right) = (vec![], vec![]);
        for i in 0..lefts.len() {
            let row = lefts.value(i);
            if rights.is_valid(i) && holds.is_valid(i) && holds.value(i) {
                left.push(row);
                right.push(Some(rights.value(i)));
            }
            let last = i + 1 == lefts.len() || lefts.value(i + 1) != row;
            if last && self.op.outer && left.last() != Some(&row) {
                left.push(row);
                right.push(None);
            }
        }
        Ok((left, right))
    }
}

/// Asks again while there is hope. `None` where rows are to be taken to have found nothing.
async fn ask(lookup: &Arc<dyn Lookup>, keys: &RecordBatch, retries: u64, null_on_error: bool) -> Result<Option<Found>> {
    let mut tries = 0;
    loop {
        match lookup.look_up(keys).await {
            Ok(found) => return Ok(Some(found)),
            Err(e) if e.kind() == ErrorKind::External && tries < retries => tries += 1,
            Err(_) if null_on_error => return Ok(None),
            Err(e) => return Err(e.context("looking up rows")),
        }
    }
}

fn beside(asked: &RecordBatch, found: &RecordBatch, left: &UInt32Array, right: &UInt32Array) -> Result<Vec<ArrayRef>> {
    let mut columns = take_arrays(asked.columns(), left, None)?;
    columns.extend(take_arrays(found.columns(), right, None)?);
    Ok(columns)
}

/// Which rows have no NULL in `columns`; `None` where all have none.
pub(super) fn without_nulls(columns: &[ArrayRef]) -> Option<NullBuffer> {
    let nulls = columns.iter().fold(None, |all: Option<NullBuffer>, c| NullBuffer::union(all.as_ref(), c.nulls()));
    nulls.filter(|n| n.null_count() > 0)
}
