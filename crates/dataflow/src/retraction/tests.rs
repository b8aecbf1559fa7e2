//! Updating aggregates over rows that come and go, against the batch kernel over the rows that are left, after every epoch.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion_expr::AggregateUDF;
use datafusion_functions_aggregate as functions;
use datafusion_physical_expr::PhysicalSortExpr;
use datafusion_physical_expr::aggregate::AggregateExprBuilder;
use datafusion_physical_expr::expressions::{col, lit};
use tidemill_core::{ChangeMode, Delta, Watermark};
use tidemill_plan::StreamOp;
use tidemill_plan::op::{AggregateCall, Emit, GroupBy, UpdatingAggregateOp};

use crate::aggregate::{Kernel, Table};
use crate::operators::keyed_states::testing::{Chance, Steps, node, seeds};
use crate::operators::updating_aggregate::build;

fn schema() -> SchemaRef {
    let field = |n: &str, t| Field::new(n, t, true);
    Arc::new(Schema::new(vec![
        field("k", DataType::Int64),
        field("v", DataType::Int64),
        field("f", DataType::Float64),
        field("d", DataType::Decimal128(10, 2)),
        field("s", DataType::Utf8),
        field("b", DataType::Boolean),
    ]))
}

/// A row as small numbers; what they stand for is in [`batch`].
type Row = [Option<i64>; 6];

fn batch(rows: &[Row]) -> RecordBatch {
    let column = |i: usize| rows.iter().map(move |r| r[i]);
    let float = |v: i64| match v {
        7 => f64::INFINITY,
        8 => 1e300,
        v => v as f64 / 10.0,
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter(column(0))),
        Arc::new(Int64Array::from_iter(column(1))),
        Arc::new(Float64Array::from_iter(column(2).map(|v| v.map(float)))),
        Arc::new(
            Decimal128Array::from_iter(column(3).map(|v| v.map(i128::from))).with_precision_and_scale(10, 2).unwrap(),
        ),
        Arc::new(StringArray::from_iter(column(4).map(|v| v.map(|v| "xyz"[..v as usize % 4].to_string())))),
        Arc::new(BooleanArray::from_iter(column(5).map(|v| v.map(|v| v % 2 == 0)))),
    ];
    RecordBatch::try_new(schema(), columns).unwrap()
}

fn calls() -> Vec<AggregateCall> {
    let schema = schema();
    let call = |f: Arc<AggregateUDF>, args: &[&str], how: &str| {
        let args = args.iter().map(|a| if *a == "1" { lit(1_i64) } else { col(a, &schema).unwrap() }).collect();
        let mut function = AggregateExprBuilder::new(f, args).schema(schema.clone()).alias("a");
        if how.contains("distinct") {
            function = function.distinct();
        }
        if how.contains("order") {
            let by = |n: &str| PhysicalSortExpr::new_default(col(n, &schema).unwrap());
            function = function.order_by(["v", "s", "f", "d", "b"].map(by).to_vec());
        }
        let filter = how.contains("filter").then(|| col("b", &schema).unwrap());
        AggregateCall { function: function.build().map(Arc::new).unwrap(), filter }
    };
    let count = functions::count::count_udaf;
    let (sum, avg) = (functions::sum::sum_udaf, functions::average::avg_udaf);
    let (min, max) = (functions::min_max::min_udaf, functions::min_max::max_udaf);
    let median = functions::median::median_udaf;
    let first = functions::first_last::first_value_udaf;
    vec![
        call(count(), &["1"], ""),
        call(count(), &["v"], "filter"),
        call(count(), &["s"], "distinct"),
        call(count(), &["v"], "distinct filter"),
        call(sum(), &["v"], ""),
        call(sum(), &["v"], "distinct"),
        call(sum(), &["f"], ""),
        call(sum(), &["d"], "filter"),
        call(avg(), &["f"], ""),
        call(avg(), &["d"], ""),
        call(min(), &["v"], ""),
        call(max(), &["f"], ""),
        call(max(), &["s"], "filter"),
        call(min(), &["s"], ""),
        call(min(), &["d"], ""),
        call(functions::bool_and_or::bool_and_udaf(), &["b"], ""),
        call(functions::bool_and_or::bool_or_udaf(), &["b"], ""),
        call(functions::bit_and_or_xor::bit_xor_udaf(), &["v"], ""),
        call(functions::bit_and_or_xor::bit_and_udaf(), &["v"], ""),
        call(median(), &["v"], ""),
        call(median(), &["d"], "filter"),
        call(functions::array_agg::array_agg_udaf(), &["v"], "order"),
        call(first(), &["s"], "order"),
        call(functions::nth_value::nth_value_udaf(), &["v", "1"], "order filter"),
    ]
}

struct Query {
    group: GroupBy,
    calls: Vec<AggregateCall>,
    fields: Vec<FieldRef>,
}

fn query(chance: &mut Chance) -> Query {
    let schema = schema();
    let key = |n: &str| (col(n, &schema).unwrap(), Arc::new(schema.field_with_name(n).unwrap().clone()));
    let keys = match chance.below(4) {
        0 => vec![],
        1 => vec![key("k"), key("s")],
        _ => vec![key("k")],
    };
    let sets = match keys.len() {
        2 => vec![vec![false, false], vec![false, true], vec![true, true]],
        _ => vec![],
    };
    let grouping_id = (!sets.is_empty()).then(|| Arc::new(Field::new("id", DataType::UInt8, false)));
    let all = calls();
    let calls: Vec<_> = (0..chance.below(5)).map(|_| all[chance.below(all.len() as i64) as usize].clone()).collect();
    let mut fields: Vec<FieldRef> = keys.iter().map(|(_, f)| f.clone()).collect();
    fields.extend(grouping_id.clone());
    let value = |(i, c): (usize, &AggregateCall)| {
        Arc::new(c.function.field().as_ref().clone().with_name(format!("a{i}")).with_nullable(true))
    };
    fields.extend(calls.iter().enumerate().map(value));
    Query { group: GroupBy { keys, sets, grouping_id }, calls, fields }
}

fn lines(columns: &[ArrayRef], rows: usize) -> Vec<String> {
    let options = FormatOptions::default().with_null("-");
    let of: Vec<_> = columns.iter().map(|c| ArrayFormatter::try_new(c.as_ref(), &options).unwrap()).collect();
    let rounded = |text: String| match text.parse::<f64>() {
        Ok(v) if text.contains('.') && v.is_finite() => format!("{v:.9e}"),
        _ => text,
    };
    (0..rows).map(|r| of.iter().map(|f| rounded(f.value(r).to_string())).collect::<Vec<_>>().join(" ")).collect()
}

/// What the batch kernel says of rows.
fn answer(query: &Query, rows: &BTreeMap<Row, i64>) -> Vec<String> {
    let kernel = Arc::new(Kernel::try_new(&query.group, &query.calls).unwrap());
    let mut table = Table::try_new(&kernel).unwrap();
    let all: Vec<Row> = rows.iter().flat_map(|(r, w)| std::iter::repeat_n(*r, *w as usize)).collect();
    if !all.is_empty() {
        table.update(&kernel.evaluate_inputs(&batch(&all)).unwrap()).unwrap();
    }
    table.open_totals().unwrap();
    let rows = table.len();
    let (mut columns, values) = table.finish().unwrap();
    columns.extend(values);
    let mut lines = lines(&columns, rows);
    lines.sort();
    lines
}

fn one_case(seed: u64) {
    let mut chance = Chance(seed);
    let query = query(&mut chance);
    let emit = if chance.one_in(5) { Emit::Changes { every: 3 } } else { Emit::Changes { every: 0 } };
    let op = UpdatingAggregateOp {
        group: query.group.clone(),
        aggregates: query.calls.clone(),
        emit,
        expire: None,
        ttl: None,
    };
    let out = node(StreamOp::UpdatingAggregate(op.clone()), query.fields.iter().map(|f| f.as_ref().clone()).collect());
    let workers = 1 + chance.below(3) as usize;
    let append = chance.one_in(3);
    let mode = if append { ChangeMode::Append } else { ChangeMode::Retract };
    let mut steps = Steps::new(workers, |input, graph| build(&op, &out, input, &schema(), &mode, graph));
    let (mut there, mut all): (BTreeMap<Row, i64>, BTreeMap<String, i64>) = Default::default();
    let (keys, epochs) = (1 + chance.below(5), 1 + chance.below(30));
    for epoch in 0..epochs {
        let mut changes: Vec<(Row, i64)> = vec![];
        for _ in 0..chance.below(30) {
            let old = there.keys().nth(chance.below(there.len() as i64 + 1) as usize).copied();
            match old {
                Some(row) if !append && chance.below(5) < if epoch % 7 == 6 { 4 } else { 2 } => {
                    let weight = there[&row];
                    let weight = if chance.one_in(2) { weight } else { 1 + chance.below(weight) };
                    changes.push((row, -weight));
                    *there.get_mut(&row).unwrap() -= weight;
                    there.retain(|_, w| *w > 0);
                }
                _ => {
                    let mut value = |n: i64| Some(chance.below(n)).filter(|v| *v > 0);
                    let row = [value(keys + 1), value(6), value(9), value(5), value(5), value(4)];
                    let weight = if !append && chance.one_in(5) { 1 + chance.below(3) } else { 1 };
                    changes.push((row, weight));
                    *there.entry(row).or_insert(0) += weight;
                }
            }
        }
        // In any order: a row may go before it comes.
        for i in (1..changes.len()).rev() {
            changes.swap(i, chance.below(i as i64 + 1) as usize);
        }
        let pieces = changes.chunks(1 + chance.below(9) as usize).map(|piece| {
            let rows: Vec<Row> = piece.iter().map(|p| p.0).collect();
            match append {
                true => Delta::insert(batch(&rows)),
                false => Delta::weighted(batch(&rows), Int64Array::from_iter_values(piece.iter().map(|p| p.1))),
            }
        });
        let last = epoch + 1 == epochs;
        let watermark = if last { Watermark::MAX } else { Watermark::MIN };
        for delta in steps.epoch(pieces.collect(), watermark, epoch) {
            let lines = lines(delta.batch.columns(), delta.num_rows());
            for (row, line) in lines.into_iter().enumerate() {
                let weight = delta.weights.as_ref().map_or(1, |w| w.value(row));
                assert!(weight == 1 || weight == -1, "seed {seed}: {line} with {weight}");
                *all.entry(line).or_insert(0) += weight;
            }
        }
        all.retain(|_, w| *w != 0);
        if last || emit == (Emit::Changes { every: 0 }) {
            let got: Vec<String> = all.iter().flat_map(|(l, w)| std::iter::repeat_n(l.clone(), *w as usize)).collect();
            let names: Vec<_> = query.calls.iter().map(|c| c.function.fun().name()).collect();
            assert_eq!(got, answer(&query, &there), "seed {seed}, epoch {epoch}: {names:?}");
        }
    }
    let empty: Vec<_> = there.iter().flat_map(|(r, w)| std::iter::repeat_n((*r, -1), *w as usize)).collect();
    if !append && !empty.is_empty() && query.group.keys.len() == 1 {
        let rows: Vec<Row> = empty.iter().map(|e| e.0).collect();
        let delta = Delta::weighted(batch(&rows), Int64Array::from_value(-1, rows.len()));
        steps.epoch(vec![delta], Watermark::MAX, epochs);
        assert_eq!(steps.state().rows, 0, "seed {seed}: what is left of nothing");
    }
}

#[test]
fn what_was_put_out_adds_up_to_the_batch_answer_over_the_rows_that_are_left() {
    seeds(120).for_each(one_case);
}

#[test]
fn state_goes_with_its_rows_and_work_is_that_of_the_groups_touched() {
    let query = Query {
        group: GroupBy {
            keys: vec![(col("k", &schema()).unwrap(), Arc::new(schema().field(0).clone()))],
            sets: vec![],
            grouping_id: None,
        },
        calls: calls(),
        fields: vec![],
    };
    let kernel = Arc::new(Kernel::try_new(&query.group, &query.calls).unwrap());
    let layout = super::RowLayout::try_new(&kernel, &schema()).unwrap();
    let mut aggregates = super::Aggregates::try_new(&kernel, &layout, false).unwrap();
    let rows: Vec<Row> =
        (0..20_000).map(|k| [Some(k), Some(k % 7), Some(k % 9), Some(k % 5), Some(k), Some(k)]).collect();
    let change = |aggregates: &mut super::Aggregates, rows: &[Row], ids: &[usize], weight: i64| {
        let inputs = kernel.evaluate_inputs(&batch(rows)).unwrap();
        let laid_out = layout.rows(inputs.keys(), &inputs).unwrap();
        let arguments = layout.arguments(&kernel, &laid_out).unwrap();
        aggregates.change(&arguments, ids, &vec![weight; rows.len()], 20_000).unwrap();
    };
    let ids: Vec<usize> = (0..20_000).collect();
    change(&mut aggregates, &rows, &ids, 1);
    assert_eq!(aggregates.kept_rows(), 20_000);
    let full = aggregates.bytes();
    // The same rows again and again are no more state.
    for i in 0..200 {
        change(&mut aggregates, &rows[i..i + 100], &ids[i..i + 100], 1);
        change(&mut aggregates, &rows[i..i + 100], &ids[i..i + 100], -1);
    }
    assert!(aggregates.bytes() < 2 * full, "{} bytes, {full} before", aggregates.bytes());
    change(&mut aggregates, &rows, &ids, -1);
    assert_eq!(aggregates.kept_rows(), 0);
    aggregates.renumber(&[]).unwrap();
    assert!(aggregates.bytes() < 10_000, "{} bytes for nothing", aggregates.bytes());
}
