//! Rows that may still equal the greatest or least value of a window, for a join that would keep all others in vain.
//!
//! Keeps one value for each window: the extreme so far. An epoch's rows wait until all of it have been seen, so that of an
//! epoch with a thousand rows one or two go on. What is left out can have no partner, however the input is cut; what goes
//! on may have none.

use std::collections::BTreeMap;

use arrow::array::{
    Array, ArrayRef, ArrowNativeTypeOp, ArrowPrimitiveType, AsArray, BooleanArray, Int64Array, downcast_primitive,
};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::DataType;
use tidemill_core::{Delta, Error, Micros, Result, Watermark};
use tidemill_plan::Node;
use tidemill_plan::op::ContendersOp;
use tidemill_plan::window::WindowKind;

use crate::event_time::micros;
use crate::expression::evaluate;
use crate::graph::{Graph, Routing, StepId};
use crate::operator::{Cx, Operator, StateSize};

/// Adds the step: each worker compares the rows it has with the extremes of the rows it has.
pub fn build(op: &ContendersOp, node: &Node, inputs: &[StepId], graph: &mut Graph) -> StepId {
    let (op, values) = (op.clone(), node.edge.schema.field(op.value).data_type().clone());
    let inputs = inputs.iter().map(|i| (*i, Routing::Stay)).collect();
    graph.add(node.op.name(), node.id, inputs, move || Ok(Box::new(Contenders::new(op.clone(), &values)?)))
}

/// Lets through the rows of port 0 that may equal an extreme of the rows of port 1.
pub struct Contenders {
    op: ContendersOp,
    extremes: Box<dyn Extremes>,
    /// The rows of this epoch, until all that they are compared with is known.
    waiting: Vec<Delta>,
}

impl Contenders {
    /// For values of type `values`.
    pub fn new(op: ContendersOp, values: &DataType) -> Result<Self> {
        let extremes = extremes(&op, values)?;
        Ok(Self { op, extremes, waiting: vec![] })
    }
}

impl Operator for Contenders {
    fn push(&mut self, port: usize, delta: Delta, _cx: &mut Cx) -> Result<()> {
        if port == 0 {
            self.waiting.push(delta);
            return Ok(());
        }
        let values = evaluate(&self.op.of, &delta.batch)?;
        let times = micros(delta.batch.column(self.op.window.time))?;
        // A row below its split's watermark may be late for its window, and then it does not count in it.
        self.extremes.see(&times, &values, delta.split_watermark.as_ref())
    }

    fn advance(&mut self, watermark: Watermark, cx: &mut Cx) -> Result<Watermark> {
        for delta in std::mem::take(&mut self.waiting) {
            let times = micros(delta.batch.column(self.op.time))?;
            let values = delta.batch.column(self.op.value);
            let keep = self.extremes.contend(&times, values, delta.split_watermark.as_ref())?;
            match keep.true_count() {
                0 => {}
                all if all == delta.num_rows() => cx.emit(delta),
                _ => cx.emit(delta.filter(&keep)?),
            }
        }
        self.extremes.forget_before(watermark.0.saturating_add(self.op.least));
        Ok(watermark)
    }

    fn state(&self) -> StateSize {
        let rows = self.extremes.len();
        StateSize { rows, bytes: rows * 2 * size_of::<i128>(), oldest: self.extremes.oldest() }
    }
}

/// The extreme so far of each window, by its end.
trait Extremes: Send {
    /// Takes in values at `times`, but for those of rows with a `split_watermark`.
    fn see(&mut self, times: &Int64Array, values: &ArrayRef, below: Option<&Int64Array>) -> Result<()>;

    /// Which of the `values` may equal the extreme of a window that a row at their time may meet. Those of rows with a
    /// `split_watermark` may always: whoever reads them is to find out whether they are late.
    fn contend(&mut self, times: &Int64Array, values: &ArrayRef, below: Option<&Int64Array>) -> Result<BooleanArray>;

    /// Forgets the windows that end before `end`.
    fn forget_before(&mut self, end: Micros);

    fn len(&self) -> usize;

    /// The end of the first window.
    fn oldest(&self) -> Option<Micros>;
}

/// Of values of type `T`, the greatest where `MAX`, else the least.
struct ExtremesOf<T: ArrowPrimitiveType, const MAX: bool> {
    size: Micros,
    offset: Micros,
    /// The end of a window that a row may meet, less the row's time.
    least: Micros,
    most: Micros,
    by_end: BTreeMap<Micros, T::Native>,
}

impl<T: ArrowPrimitiveType, const MAX: bool> ExtremesOf<T, MAX>
where
    T::Native: ArrowNativeTypeOp,
{
    fn beats(a: T::Native, b: T::Native) -> bool {
        if MAX { a.is_gt(b) } else { a.is_lt(b) }
    }

    /// The end of the first window that ends at `t` or after it.
    fn end_from(&self, t: Micros) -> Micros {
        let past = t.wrapping_sub(self.offset).rem_euclid(self.size);
        if past == 0 { t } else { t.saturating_add(self.size - past) }
    }

    fn note(&mut self, end: Micros, value: Option<T::Native>) {
        let Some(value) = value else { return };
        self.by_end.entry(end).and_modify(|v| *v = if Self::beats(value, *v) { value } else { *v }).or_insert(value);
    }

    /// What a value at `t` has to reach, and the times around `t` for which that is so.
    fn bar(&self, t: Micros) -> Bar<T::Native> {
        let (from, to) = (t.saturating_add(self.least), t.saturating_add(self.most));
        let first = self.end_from(from);
        let after = self.end_from(to.saturating_add(1));
        // Up to the time at which the first window is no longer met, or another one is.
        let since = first.saturating_sub(self.size).saturating_sub(self.least).saturating_add(1);
        let since = since.max(after.saturating_sub(self.size).saturating_sub(self.most));
        let until = first.saturating_sub(self.least).saturating_add(1).min(after.saturating_sub(self.most));
        let mut lowest = None;
        let mut end = first;
        while end < after {
            match (self.by_end.get(&end), lowest) {
                // Nothing is known of it, so that everything may meet it.
                (None, _) => return Bar { since, until, lowest: None },
                (Some(v), Some(l)) if !Self::beats(l, *v) => lowest = Some(l),
                (Some(v), _) => lowest = Some(*v),
            }
            end = end.saturating_add(self.size);
        }
        Bar { since, until, lowest }
    }
}

/// For times from `since` to before `until`: the least that a value has to be, if there is such a bound.
struct Bar<N> {
    since: Micros,
    until: Micros,
    lowest: Option<N>,
}

impl<T: ArrowPrimitiveType, const MAX: bool> Extremes for ExtremesOf<T, MAX>
where
    T::Native: ArrowNativeTypeOp,
{
    fn see(&mut self, times: &Int64Array, values: &ArrayRef, below: Option<&Int64Array>) -> Result<()> {
        let values = values.as_primitive::<T>();
        let counts = |row: usize| {
            times.is_valid(row) && values.is_valid(row) && below.is_none_or(|watermark| watermark.is_null(row))
        };
        let all = times.null_count() == 0 && values.null_count() == 0 && below.is_none();
        let (mut start, mut end) = (0, 0);
        let mut extreme: Option<T::Native> = None;
        for (row, (t, value)) in times.values().iter().zip(values.values()).enumerate() {
            if !all && !counts(row) {
                continue;
            }
            if *t < start || *t >= end {
                self.note(end, extreme.take());
                end = self.end_from(t.saturating_add(1));
                start = end.saturating_sub(self.size);
            }
            extreme = Some(match extreme {
                Some(e) if !Self::beats(*value, e) => e,
                _ => *value,
            });
        }
        self.note(end, extreme);
        Ok(())
    }

    fn contend(&mut self, times: &Int64Array, values: &ArrayRef, below: Option<&Int64Array>) -> Result<BooleanArray> {
        let values = values.as_primitive::<T>();
        let mut bar = Bar { since: 0, until: 0, lowest: None };
        let (t, v) = (times.values(), values.values());
        let kept = BooleanBuffer::collect_bool(t.len(), |row| {
            if t[row] < bar.since || t[row] >= bar.until {
                bar = self.bar(t[row]);
            }
            bar.lowest.is_none_or(|lowest| !Self::beats(lowest, v[row]))
        });
        // NULL equals nothing, and a row without a time meets no window: whoever reads them leaves them out.
        let unsure = |row: usize| times.is_null(row) || values.is_null(row) || below.is_some_and(|w| w.is_valid(row));
        let sure = times.null_count() == 0 && values.null_count() == 0 && below.is_none();
        Ok(BooleanArray::from(match sure {
            true => kept,
            false => BooleanBuffer::collect_bool(t.len(), |row| kept.value(row) || unsure(row)),
        }))
    }

    fn forget_before(&mut self, end: Micros) {
        while let Some(first) = self.by_end.first_entry().filter(|first| *first.key() < end) {
            first.remove();
        }
    }

    fn len(&self) -> usize {
        self.by_end.len()
    }

    fn oldest(&self) -> Option<Micros> {
        self.by_end.first_key_value().map(|(end, _)| *end)
    }
}

fn extremes(op: &ContendersOp, values: &DataType) -> Result<Box<dyn Extremes>> {
    macro_rules! primitive {
        ($t:ty) => {
            of::<$t>(op)
        };
    }
    downcast_primitive! {
        values => (primitive),
        other => Err(Error::internal(format!("contenders by values of type {other}"))),
    }
}

fn of<T: ArrowPrimitiveType>(op: &ContendersOp) -> Result<Box<dyn Extremes>>
where
    T::Native: ArrowNativeTypeOp,
{
    let WindowKind::Tumble { size } = op.window.kind else {
        return Err(Error::internal("contenders in windows that are not side by side"));
    };
    let (offset, least, most) = (op.window.offset, op.least, op.most);
    Ok(match op.greatest {
        true => Box::new(ExtremesOf::<T, true> { size, offset, least, most, by_end: BTreeMap::new() }),
        false => Box::new(ExtremesOf::<T, false> { size, offset, least, most, by_end: BTreeMap::new() }),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{RecordBatch, TimestampMillisecondArray};
    use arrow::datatypes::{Int64Type, TimeUnit, TimestampMillisecondType};
    use datafusion_physical_expr::expressions::Column;
    use tidemill_plan::window::{Window, Zone};

    use super::*;

    /// `(second, value)` rows of one epoch.
    type Rows = Vec<(i64, Option<i64>)>;

    fn delta(rows: &Rows) -> Delta {
        let times = TimestampMillisecondArray::from_iter_values(rows.iter().map(|(t, _)| t * 1_000));
        let values: Int64Array = rows.iter().map(|(_, v)| *v).collect();
        let columns = [("t", Arc::new(times) as ArrayRef), ("v", Arc::new(values) as _)];
        Delta::insert(RecordBatch::try_from_iter(columns).unwrap())
    }

    /// Rows may meet the windows of 10 s from whose end they are 0 to 10 s away.
    fn by(greatest: bool) -> Contenders {
        let time_type = DataType::Timestamp(TimeUnit::Millisecond, None);
        let kind = WindowKind::Tumble { size: 10_000_000 };
        let window = Window { kind, offset: 0, time: 0, time_type, zone: Zone::Utc };
        let of = Arc::new(Column::new("v", 1));
        let op = ContendersOp { value: 1, time: 0, least: 0, most: 10_000_000, of, window, greatest };
        Contenders::new(op, &DataType::Int64).unwrap()
    }

    /// Rows as they contend, in one epoch after another, with themselves; and how many windows are kept in the end.
    fn contend(greatest: bool, epochs: &[Rows]) -> (Vec<Rows>, usize) {
        let mut contenders = by(greatest);
        let mut watermark = Watermark::MIN;
        let mut out = vec![];
        for rows in epochs {
            let mut cx = Cx::new(0);
            for port in [0, 1] {
                contenders.push(port, delta(rows), &mut cx).unwrap();
            }
            watermark = watermark.max(Watermark(rows.iter().map(|(t, _)| t * 1_000_000).max().unwrap_or(0)));
            contenders.advance(watermark, &mut cx).unwrap();
            let emitted = cx.take_emitted().into_iter().flat_map(|delta| {
                let times = delta.batch.column(0).as_primitive::<TimestampMillisecondType>().clone();
                let values = delta.batch.column(1).as_primitive::<Int64Type>().clone();
                (0..times.len()).map(move |i| (times.value(i) / 1_000, values.is_valid(i).then(|| values.value(i))))
            });
            out.push(emitted.collect());
        }
        (out, contenders.state().rows)
    }

    #[test]
    fn a_row_below_what_its_window_has_seen_is_left_out() {
        let epochs = [
            vec![(1, Some(5)), (2, Some(7)), (3, Some(7)), (4, None)],
            vec![(5, Some(6)), (6, Some(7))],
            vec![(7, Some(8)), (8, Some(7))],
        ];
        let greatest = [vec![(2, Some(7)), (3, Some(7)), (4, None)], vec![(6, Some(7))], vec![(7, Some(8))]];
        assert_eq!(contend(true, &epochs).0, greatest);
        let least = [vec![(1, Some(5)), (4, None)], vec![], vec![]];
        assert_eq!(contend(false, &epochs).0, least);
    }

    #[test]
    fn a_row_that_may_be_late_counts_for_nothing_and_goes_on() {
        let (mut contenders, mut cx) = (by(true), Cx::new(0));
        let marked = |rows: &Rows| Delta {
            split_watermark: Some(rows.iter().enumerate().map(|(i, _)| (i == 1).then_some(0)).collect()),
            ..delta(rows)
        };
        let rows = vec![(1, Some(5)), (2, Some(9)), (3, Some(4))];
        contenders.push(1, marked(&rows), &mut cx).unwrap();
        contenders.push(0, marked(&vec![(1, Some(5)), (2, Some(1)), (3, Some(4))]), &mut cx).unwrap();
        contenders.advance(Watermark(0), &mut cx).unwrap();
        let out = cx.take_emitted();
        assert_eq!(out[0].batch.column(1).as_primitive::<Int64Type>().values(), &[5, 1]);
    }

    #[test]
    fn at_the_edge_of_two_windows_the_lower_bar_counts() {
        // A row at 10 s is 0 s from the end of the first window and 10 s from that of the second.
        let epochs =
            [vec![(1, Some(5)), (9, Some(4)), (10, Some(5)), (10, Some(4)), (11, Some(9))], vec![(11, Some(5))]];
        let expected = [vec![(1, Some(5)), (10, Some(5)), (11, Some(9))], vec![]];
        assert_eq!(contend(true, &epochs).0, expected);
    }

    #[test]
    fn a_window_of_which_nothing_is_known_bars_nothing_and_one_that_is_over_is_forgotten() {
        let windows: Vec<Rows> = (0..50).map(|i| vec![(i * 10, Some(i)), (i * 10 + 5, Some(i))]).collect();
        let (out, kept) = contend(true, &windows);
        // At its start a window meets the one before it too, whose value is lower.
        assert_eq!(out, windows);
        assert!(kept <= 2, "{kept} windows are kept");
    }
}
