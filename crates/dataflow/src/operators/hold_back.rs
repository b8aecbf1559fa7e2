//! Results that are held back: changes of whole rows are added up, and what is left of them is put out after a while, or
//! when the window of a row has closed.
//!
//! Not for what an aggregation can hold back itself, which costs it nothing.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{Array, Int64Array, UInt32Array};
use arrow::datatypes::SchemaRef;
use tidemill_core::{Delta, Error, Micros, Result, Watermark};
use tidemill_plan::Node;
use tidemill_plan::op::{HoldBackOp, Release};
use tidemill_plan::window::Window;

use super::session_aggregate::bounds::forwarded;
use crate::aggregate::Groups;
use crate::event_time::micros;
use crate::expression::relabel;
use crate::graph::{Graph, Routing, StepId};
use crate::{Cx, Operator, StateSize};

/// So many rows are held as they came before they are added up.
const SLACK: usize = 8_192;

/// Adds the step: equal rows meet on one worker.
pub fn build(op: &HoldBackOp, node: &Node, input: StepId, graph: &mut Graph) -> StepId {
    let (op, schema) = (op.clone(), node.edge.schema.clone());
    let routing = match schema.fields().len() {
        0 => Routing::ToOne,
        columns => Routing::ByKey((0..columns).collect()),
    };
    graph.add("HoldBack", node.id, vec![(input, routing)], move || {
        Ok(Box::new(HoldBack::new(op.release.clone(), schema.clone())))
    })
}

/// The operator.
pub struct HoldBack {
    release: Release,
    schema: SchemaRef,
    /// By when it is due: the end of a window as an instant; 0 where the clock decides.
    held: BTreeMap<Micros, Held>,
    /// The stretch of the clock in which something was put out last.
    released: Option<i64>,
    watermark: Watermark,
}

/// Changes that are due together.
#[derive(Default)]
struct Held {
    deltas: Vec<Delta>,
    rows: usize,
    /// How many rows there were when they were added up last.
    net: usize,
}

impl Held {
    fn push(&mut self, delta: Delta, schema: &SchemaRef) -> Result<()> {
        self.rows += delta.num_rows();
        self.deltas.push(delta);
        if self.rows > 2 * self.net + SLACK {
            let net = net(schema, &self.deltas)?;
            (self.rows, self.net) = (net.num_rows(), net.num_rows());
            self.deltas = vec![net];
        }
        Ok(())
    }
}

/// Each row that is in `deltas` once, with its weights added up; none where they come to nothing.
fn net(schema: &SchemaRef, deltas: &[Delta]) -> Result<Delta> {
    let all = Delta::concat(schema, deltas)?;
    let Some(weights) = &all.weights else { return Ok(all) };
    let mut rows = Groups::try_new(schema)?;
    let mut ids = vec![];
    rows.intern(all.batch.columns(), all.num_rows(), &mut ids)?;
    let mut sums = vec![0_i64; rows.len()];
    let mut firsts = vec![u32::MAX; rows.len()];
    for (row, id) in ids.iter().enumerate() {
        sums[*id] += weights.value(row);
        firsts[*id] = firsts[*id].min(row as u32);
    }
    let left = sums.iter().zip(&firsts).filter(|(sum, _)| **sum != 0);
    let picks = UInt32Array::from_iter_values(left.clone().map(|(_, first)| *first));
    let weights = Int64Array::from_iter_values(left.map(|(sum, _)| *sum));
    Ok(Delta { weights: Some(weights), ..all.take(&picks)? })
}

/// The rows as often as their weights say: what is never taken back again.
fn insertions(delta: Delta) -> Result<Delta> {
    let Some(weights) = &delta.weights else { return Ok(delta) };
    if weights.values().iter().any(|w| *w < 0) {
        return Err(Error::internal("a window has closed with rows taken back that were not in it"));
    }
    let picks = weights.values().iter().enumerate();
    let picks = picks.flat_map(|(row, w)| std::iter::repeat_n(row as u32, *w as usize));
    Ok(Delta::insert(delta.take(&UInt32Array::from_iter_values(picks))?.batch))
}

impl HoldBack {
    /// Of rows with these columns.
    pub fn new(release: Release, schema: SchemaRef) -> Self {
        Self { release, schema, held: BTreeMap::new(), released: None, watermark: Watermark::MIN }
    }

    fn by_window(&mut self, delta: &Delta, end: usize, window: &Window) -> Result<()> {
        let walls = micros(delta.batch.column(end))?;
        let mut rows: HashMap<Option<Micros>, Vec<u32>> = HashMap::new();
        for row in 0..walls.len() {
            rows.entry(walls.is_valid(row).then(|| walls.value(row))).or_default().push(row as u32);
        }
        for (wall, rows) in rows {
            let due = wall.map_or(Micros::MAX, |wall| window.zone.to_instant(wall));
            let part = if rows.len() == delta.num_rows() { delta.clone() } else { delta.take(&rows.into())? };
            self.held.entry(due).or_default().push(part, &self.schema)?;
        }
        Ok(())
    }
}

impl Operator for HoldBack {
    fn push(&mut self, _port: usize, delta: Delta, _cx: &mut Cx) -> Result<()> {
        let delta = relabel(&self.schema, Delta { split_watermark: None, ..delta })?;
        match self.release.clone() {
            _ if delta.is_empty() => Ok(()),
            Release::Every(_) => self.held.entry(0).or_default().push(delta, &self.schema),
            Release::Closed { end, window } => self.by_window(&delta, end, &window),
        }
    }

    fn advance(&mut self, watermark: Watermark, _cx: &mut Cx) -> Result<Watermark> {
        self.watermark = watermark;
        Ok(match &self.release {
            Release::Every(_) => watermark,
            Release::Closed { window, .. } => forwarded(window.unit(), 0, watermark),
        })
    }

    fn end_epoch(&mut self, cx: &mut Cx) -> Result<()> {
        let due = match &self.release {
            Release::Every(every) => {
                // All workers see the same clock, so that they put out the same stretch of it together.
                let stretch = cx.now.div_euclid((*every).max(1));
                let now = self.watermark == Watermark::MAX || self.released != Some(stretch);
                self.released = Some(stretch);
                if now { Micros::MAX } else { Micros::MIN }
            }
            Release::Closed { .. } => self.watermark.0,
        };
        while let Some(first) = self.held.first_entry()
            && *first.key() <= due
        {
            let net = net(&self.schema, &first.remove().deltas)?;
            cx.emit(match &self.release {
                Release::Every(_) => net,
                Release::Closed { .. } => insertions(net)?,
            });
        }
        Ok(())
    }

    fn state(&self) -> StateSize {
        let bytes = self.held.values().flat_map(|h| &h.deltas).map(|d| d.batch.get_array_memory_size()).sum();
        StateSize {
            rows: self.held.values().map(|h| h.rows).sum(),
            bytes,
            oldest: match &self.release {
                Release::Every(_) => None,
                Release::Closed { .. } => self.held.keys().next().copied(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema};
    use expect_test::{Expect, expect};

    use super::*;
    use crate::testing::{picture, rows};

    fn check(held_back: &mut HoldBack, now: Micros, watermark: Watermark, input: Vec<Delta>, expected: Expect) {
        let mut cx = Cx::new(now);
        input.into_iter().for_each(|d| held_back.push(0, d, &mut cx).unwrap());
        held_back.advance(watermark, &mut cx).unwrap();
        held_back.end_epoch(&mut cx).unwrap();
        expected.assert_eq(&picture(&cx.take_emitted()));
    }

    #[test]
    fn changes_are_held_back_and_added_up() {
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, true)]));
        let mut held_back = HoldBack::new(Release::Every(10), schema);
        let some = |values: &[Option<i64>], weights| rows("a", values, weights);
        check(
            &mut held_back,
            100,
            Watermark(0),
            vec![some(&[Some(1), None], vec![1, 2])],
            expect![[r#"
            +---+--------+
            | a | weight |
            +---+--------+
            | 1 | 1      |
            |   | 2      |
            +---+--------+"#]],
        );
        check(&mut held_back, 105, Watermark(0), vec![some(&[Some(1), Some(2)], vec![-1, 1])], expect![[r#""#]]);
        check(&mut held_back, 109, Watermark(0), vec![some(&[Some(2), Some(3)], vec![-1, 1])], expect![[r#""#]]);
        check(
            &mut held_back,
            110,
            Watermark(0),
            vec![some(&[None], vec![-1])],
            expect![[r#"
            +---+--------+
            | a | weight |
            +---+--------+
            | 1 | -1     |
            | 3 | 1      |
            |   | -1     |
            +---+--------+"#]],
        );
        check(&mut held_back, 111, Watermark(0), vec![some(&[Some(7)], vec![1])], expect![[r#""#]]);
        assert_eq!(held_back.state().rows, 1);
        check(
            &mut held_back,
            112,
            Watermark::MAX,
            vec![],
            expect![[r#"
            +---+--------+
            | a | weight |
            +---+--------+
            | 7 | 1      |
            +---+--------+"#]],
        );
        assert_eq!(held_back.state().rows, 0);
    }

    #[test]
    fn many_changes_of_few_rows_are_few_rows() {
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, true)]));
        let mut held_back = HoldBack::new(Release::Every(10), schema);
        let mut cx = Cx::new(0);
        held_back.end_epoch(&mut cx).unwrap();
        for _ in 0..20 {
            let values: Vec<_> = (0..1_000).map(Some).collect();
            let weights = (0..1_000).map(|i| if i % 2 == 0 { 1 } else { -1 }).collect();
            held_back.push(0, rows("a", &values, weights), &mut cx).unwrap();
        }
        assert!(held_back.state().rows < 13_000, "{} rows", held_back.state().rows);
        assert!(cx.take_emitted().is_empty());
    }
}
