//! Updating aggregates against a row-by-row answer, after every epoch.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::{DataType, Field};
use datafusion_physical_expr::expressions::col;
use tidemill_core::{ChangeMode, Delta, Micros, Watermark};
use tidemill_plan::op::{Emit, Expire, UpdatingAggregateOp};
use tidemill_plan::window::Zone;
use tidemill_plan::{StreamOp, Window, WindowKind};

use super::build;
use crate::operators::keyed_states::testing::{
    Chance, In, Row, Steps, ZSet, add, aggregate_fields, aggregation, bound_fields, delta, input_schema, node, rows_of,
    seeds, split,
};

const MS: i64 = 1_000;

/// By `k`, over everything, or (with a size and an allowed lateness) by the end of a window, that the rows have as their
/// time, and `k`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Key,
    Nothing,
    Window { size: i64, lateness: i64 },
}

fn operator(by: By, emit: Emit) -> (UpdatingAggregateOp, Vec<Field>) {
    let (mut group, aggregates) = aggregation(by != By::Nothing);
    let mut fields: Vec<Field> = group.keys.iter().map(|(_, f)| f.as_ref().clone()).collect();
    let mut expire = None;
    if let By::Window { size, lateness } = by {
        let end = bound_fields()[1].clone().with_nullable(true);
        group.keys.push((col("ts", &input_schema()).unwrap(), std::sync::Arc::new(end.clone())));
        fields.push(end.clone());
        let window = Window {
            kind: WindowKind::Tumble { size: size * MS },
            offset: 0,
            time: 1,
            time_type: end.data_type().clone(),
            zone: Zone::Utc,
        };
        expire = Some(Expire { end_key: 1, window, allowed_lateness: lateness * MS });
    }
    fields.extend(aggregate_fields());
    (UpdatingAggregateOp { group, aggregates, emit, expire, ttl: None }, fields)
}

fn steps(by: By, emit: Emit, workers: usize) -> Steps {
    let (op, fields) = operator(by, emit);
    let node = node(StreamOp::UpdatingAggregate(op.clone()), fields);
    Steps::new(workers, |input, graph| build(&op, &node, input, &input_schema(), &ChangeMode::Append, graph))
}

/// The row's group: its keys; `None` where it is late.
fn group_of(row: &In, by: By) -> Option<Row> {
    match by {
        By::Key => Some(vec![row.k]),
        By::Nothing => Some(vec![]),
        By::Window { lateness, .. } => {
            let late = row.ts.is_some_and(|end| row.split.is_some_and(|w| end + lateness <= w));
            (!late).then(|| vec![row.k, row.ts])
        }
    }
}

fn answer(input: &[In], by: By) -> ZSet {
    let mut groups: BTreeMap<Row, Vec<i64>> = BTreeMap::new();
    if by == By::Nothing {
        groups.insert(vec![], vec![]);
    }
    for row in input {
        if let Some(group) = group_of(row, by) {
            groups.entry(group).or_default().extend(row.v);
        }
    }
    let finish = |(mut row, values): (Row, Vec<i64>)| {
        let sum = (!values.is_empty()).then(|| values.iter().sum());
        row.extend([Some(values.len() as i64), sum, values.iter().max().copied()]);
        (row, 1)
    };
    groups.into_iter().map(finish).collect()
}

/// A group comes at most once with each weight, and never with the row that it had.
fn check_shape(deltas: &[Delta], keys: usize, seed: u64) {
    let mut seen = BTreeSet::new();
    let mut gone = BTreeMap::new();
    for (row, weight) in deltas.iter().flat_map(rows_of) {
        assert!(seen.insert((row[..keys].to_vec(), weight)), "seed {seed}: {row:?} comes twice with {weight}");
        if weight < 0 {
            gone.insert(row[..keys].to_vec(), row);
        } else if let Some(before) = gone.get(&row[..keys]) {
            assert_ne!(before, &row, "seed {seed}: nothing changed");
        }
    }
}

fn one_case(seed: u64) {
    let mut chance = Chance(seed);
    let by = match chance.below(4) {
        0 => By::Nothing,
        1 => By::Key,
        _ => By::Window { size: 1 + chance.below(50), lateness: chance.below(2) * chance.below(80) },
    };
    let emit = match chance.below(5) {
        0 => Emit::AtEnd,
        1 if by != By::Key => Emit::OnClose,
        2 => Emit::Changes { every: 3 },
        _ => Emit::Changes { every: 0 },
    };
    let workers = 1 + chance.below(3) as usize;
    let keys = 1 + chance.below(6);
    let (step, delay, count) = (1 + chance.below(20), chance.below(40), chance.below(300) as usize);
    let mut input = split(&mut chance, count, keys, step, delay);
    if let By::Window { size, .. } = by {
        // The rows come with the end of their window as their time.
        for (row, _) in &mut input {
            row.ts = row.ts.map(|ts| ts.div_euclid(size) * size + size);
        }
    }
    let mut operator = steps(by, emit, workers);
    let (mut all, mut so_far): (ZSet, Vec<In>) = (ZSet::new(), vec![]);
    let mut rest = &input[..];
    let mut now: Micros = 0;
    loop {
        let cut = (1 + chance.below(40) as usize).min(rest.len());
        let (rows, later) = rest.split_at(cut);
        rest = later;
        let watermark = rows.last().map_or(i64::MIN / MS, |r| r.1);
        let rows: Vec<In> = rows.iter().map(|r| r.0).collect();
        so_far.extend(&rows);
        let pieces: Vec<_> = rows.chunks(1 + chance.below(20) as usize).map(delta).collect();
        let end = rest.is_empty();
        let wm = if end { Watermark::MAX } else { Watermark(watermark * MS) };
        now += 1;
        let out = operator.epoch(pieces, wm, now);
        check_shape(&out, group_of(&In { k: None, ts: None, v: None, split: None }, by).unwrap().len(), seed);
        add(&mut all, &out);
        let mut expected = answer(&so_far, by);
        match (emit, by) {
            (Emit::AtEnd, _) | (Emit::OnClose, By::Nothing | By::Key) if !end => expected.clear(),
            (Emit::OnClose, By::Window { .. }) if !end => {
                expected.retain(|row, _| row[1].is_some_and(|end| end <= watermark));
            }
            _ => {}
        }
        let held_back = matches!(emit, Emit::Changes { every } if every > 0) && !end;
        if !held_back {
            assert_eq!(all, expected, "seed {seed}: {by:?} {emit:?} at {watermark}");
        }
        if end {
            break;
        }
    }
    let late = so_far.iter().filter(|r| group_of(r, by).is_none()).count();
    assert_eq!(operator.late.iter().map(|l| l.rows.num_rows()).sum::<usize>(), late, "seed {seed}: late rows");
    if by != By::Nothing && by != By::Key {
        let state = operator.state();
        assert_eq!((state.rows, state.bytes, state.oldest), (0, 0, None), "seed {seed}: state");
    }
}

#[test]
fn what_was_put_out_adds_up_to_the_batch_answer() {
    seeds(250).for_each(one_case);
}

fn at(k: i64, v: Option<i64>) -> In {
    In { k: Some(k), ts: Some(0), v, split: None }
}

/// The rows that come out in one epoch, with their weights: key, count, sum, maximum.
fn check(steps: &mut Steps, now: Micros, input: &[In], expected: &[(&[i64], i64)]) {
    let out = steps.epoch(vec![delta(input)], Watermark(0), now);
    let got: Vec<_> = out.iter().flat_map(rows_of).collect();
    let expected: Vec<_> = expected.iter().map(|(r, w)| (r.iter().map(|v| Some(*v)).collect::<Row>(), *w)).collect();
    assert_eq!(got, expected);
}

#[test]
fn a_group_is_retracted_and_inserted_once_an_epoch_and_not_at_all_if_it_stays() {
    let mut steps = steps(By::Key, Emit::Changes { every: 0 }, 1);
    check(&mut steps, 0, &[at(1, Some(5)), at(2, Some(7)), at(1, Some(6))], &[(&[1, 2, 11, 6], 1), (&[2, 1, 7, 7], 1)]);
    check(&mut steps, 1, &[at(2, Some(1)), at(2, Some(2))], &[(&[2, 1, 7, 7], -1), (&[2, 3, 10, 7], 1)]);
    check(&mut steps, 2, &[at(1, None), at(2, None)], &[]);
    check(&mut steps, 3, &[], &[]);
}

#[test]
fn changes_are_held_back_for_as_long_as_was_asked() {
    let mut steps = steps(By::Key, Emit::Changes { every: 10 }, 1);
    check(&mut steps, 100, &[at(1, Some(5))], &[(&[1, 1, 5, 5], 1)]);
    check(&mut steps, 105, &[at(1, Some(6))], &[]);
    check(&mut steps, 109, &[at(2, Some(1))], &[]);
    check(&mut steps, 110, &[at(1, Some(7))], &[(&[1, 1, 5, 5], -1), (&[1, 3, 18, 7], 1), (&[2, 1, 1, 1], 1)]);
    check(&mut steps, 111, &[at(2, Some(1))], &[]);
    check(&mut steps, 120, &[], &[(&[2, 1, 1, 1], -1), (&[2, 2, 2, 1], 1)]);
}

#[test]
fn a_group_that_nothing_touches_is_let_go() {
    let (op, fields) = operator(By::Key, Emit::Changes { every: 0 });
    let op = UpdatingAggregateOp { ttl: Some(10), ..op };
    let node = node(StreamOp::UpdatingAggregate(op.clone()), fields);
    for changes in [ChangeMode::Append, ChangeMode::Retract] {
        let mut steps = Steps::new(1, |input, graph| build(&op, &node, input, &input_schema(), &changes, graph));
        check(&mut steps, 100, &[at(1, Some(5)), at(2, Some(7))], &[(&[1, 1, 5, 5], 1), (&[2, 1, 7, 7], 1)]);
        check(&mut steps, 109, &[at(2, Some(1))], &[(&[2, 1, 7, 7], -1), (&[2, 2, 8, 7], 1)]);
        check(&mut steps, 110, &[], &[]);
        assert_eq!(steps.state().rows, 1);
        // What was put out stays, and the group begins anew.
        check(
            &mut steps,
            112,
            &[at(2, Some(1)), at(1, Some(1))],
            &[(&[2, 2, 8, 7], -1), (&[2, 3, 9, 7], 1), (&[1, 1, 1, 1], 1)],
        );
        check(&mut steps, 200, &[], &[]);
        assert_eq!(steps.state().rows, 0);
    }
}

#[test]
fn an_aggregate_over_everything_has_a_result_before_there_is_a_row() {
    for workers in [1, 3] {
        for (emit, watermark) in [(Emit::Changes { every: 0 }, Watermark::MIN), (Emit::AtEnd, Watermark::MAX)] {
            let mut steps = steps(By::Nothing, emit, workers);
            let rows: Vec<_> = steps.epoch(vec![], watermark, 0).iter().flat_map(rows_of).collect();
            assert_eq!(rows, [(vec![Some(0), None, None], 1)], "{emit:?} with {workers} workers");
            assert!(steps.epoch(vec![], watermark, 1).is_empty());
        }
    }
}

#[test]
fn work_is_proportional_to_the_groups_that_are_touched() {
    use super::merge::{UpdatingMerge, When};
    use super::partial_states::PartialStates;
    use super::tables::partial_schema;
    use crate::aggregate::{Kernel, Table};
    use crate::{Cx, Operator};
    use std::sync::Arc;

    let (op, fields) = operator(By::Key, Emit::Changes { every: 0 });
    let kernel = Arc::new(Kernel::try_new(&op.group, &op.aggregates).unwrap());
    let schema = partial_schema(&kernel);
    let output = Arc::new(arrow::datatypes::Schema::new(fields));
    let states = PartialStates::new(&kernel, schema.clone()).unwrap();
    let mut merge = UpdatingMerge::new(&kernel, states, When::Changed { every: 0 }, None, output);
    let mut epoch = |keys: std::ops::Range<i64>| {
        let rows: Vec<In> = keys.map(|k| at(k, Some(k))).collect();
        let mut table = Table::try_new(&kernel).unwrap();
        table.update(&kernel.evaluate_inputs(&delta(&rows).batch).unwrap()).unwrap();
        let batch = arrow::array::RecordBatch::try_new(schema.clone(), table.seal().unwrap().columns()).unwrap();
        let before = merge.work;
        let mut cx = Cx::new(0);
        merge.push(0, Delta::insert(batch), &mut cx).unwrap();
        merge.advance(Watermark::MIN, &mut cx).unwrap();
        merge.end_epoch(&mut cx).unwrap();
        merge.work - before
    };
    // Each touched group is merged once and evaluated once.
    assert_eq!(epoch(0..20_000), 40_000);
    for i in 0..2_000 {
        assert_eq!(epoch(i..i + 3), 6);
    }
    // Garbage goes too: as many rows again would be four times as much as lives.
    assert_eq!(merge.state().rows, 20_000);
    let bytes = merge.state().bytes;
    assert!(bytes < 20_000 * 400, "{bytes} bytes");
}

#[test]
fn results_of_nested_types_are_compared_by_value() {
    use super::changes::{Side, changes};
    use arrow::array::{ArrayRef, Int64Array, ListArray};
    use arrow::datatypes::Int64Type;
    use std::sync::Arc;

    let lists = |values: &[&[i64]]| -> ArrayRef {
        let rows = values.iter().map(|v| Some(v.iter().map(|v| Some(*v)).collect::<Vec<_>>()));
        Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(rows))
    };
    let keys: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    let (new, old) = ([lists(&[&[1], &[2, 3], &[4]])], [lists(&[&[1], &[2]])]);
    let side = |groups, values| Side { groups, values };
    let changes = changes(&[keys], 3, side(&[0, 1, 2], &new), side(&[0, 1], &old)).unwrap();
    assert_eq!(changes.changed, [1, 2]);
    assert_eq!(changes.weights, Some(Int64Array::from(vec![-1, 1, 1])));
    let expected: ArrayRef = Arc::new(Int64Array::from(vec![2, 2, 3]));
    assert_eq!(&changes.columns[0], &expected);
    assert_eq!(changes.columns[1].as_ref(), lists(&[&[2], &[2, 3], &[4]]).as_ref());
    assert!(matches!(changes.columns[1].data_type(), DataType::List(_)));
}
