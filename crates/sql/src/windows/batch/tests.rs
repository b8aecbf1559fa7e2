//! The batch form of windows against rows by hand, and against the arithmetic that the operators use.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray};
use datafusion::arrow::compute::{cast, concat_batches};
use datafusion::arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion::catalog::TableProvider;
use datafusion::common::Column;
use datafusion::datasource::MemTable;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{Extension, LogicalPlan, LogicalPlanBuilder, col, lit};
use datafusion::prelude::{SessionConfig, SessionContext};
use expect_test::{Expect, expect};
use tidemill_core::time::format_micros;
use tidemill_plan::window::{Window, WindowKind, Zone};

use super::{batch_plan, expand};
use crate::lower::tests::fixture;
use crate::windows::WindowNode;

const S: i64 = 1_000_000;

/// Rows `(k, ts)`, `ts` in microseconds as a column of type `time_type`, through a window; rows as text, in order.
fn rows(
    times: &[(i64, Option<i64>)],
    time_type: &DataType,
    kind: WindowKind,
    offset: i64,
    zone: Zone,
) -> Vec<[i64; 5]> {
    let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(times.iter().map(|(k, _)| *k)));
    let micros = TimestampMicrosecondArray::from_iter(times.iter().map(|(_, t)| *t));
    let micros: ArrayRef = match time_type {
        DataType::Timestamp(_, zone) => Arc::new(micros.with_timezone_opt(zone.clone())),
        other => panic!("not a timestamp: {other}"),
    };
    let schema =
        Arc::new(Schema::new(vec![Field::new("k", DataType::Int64, false), Field::new("ts", time_type.clone(), true)]));
    let batch = RecordBatch::try_new(schema.clone(), vec![keys, cast(&micros, time_type).unwrap()]).unwrap();
    let table: Arc<dyn TableProvider> = Arc::new(MemTable::try_new(schema, vec![vec![batch]]).unwrap());
    let scan = LogicalPlanBuilder::scan("t", provider_as_source(table), None).unwrap().build().unwrap();
    let column = |name: &str| Column::new(Some("t"), name);
    let node = WindowNode::try_new(scan, column("ts"), kind, offset, zone, vec![column("k")]).unwrap();
    let plan = expand(LogicalPlan::Extension(Extension { node: Arc::new(node) })).unwrap();
    let all = ["k", "ts", "window_start", "window_end", "window_time"];
    let order = all.map(|c| col(c).sort(true, true)).to_vec();
    let plan = LogicalPlanBuilder::from(plan).sort(order).unwrap().build().unwrap();
    let batch = run(&plan);
    let columns: Vec<Int64Array> = batch
        .columns()
        .iter()
        .map(|c| {
            let micros = match c.data_type() {
                DataType::Timestamp(_, zone) => {
                    cast(c, &DataType::Timestamp(TimeUnit::Microsecond, zone.clone())).unwrap()
                }
                _ => Arc::clone(c),
            };
            Int64Array::from(cast(&micros, &DataType::Int64).unwrap().to_data())
        })
        .collect();
    (0..batch.num_rows()).map(|row| std::array::from_fn(|c| columns[c].value(row))).collect()
}

fn run(plan: &LogicalPlan) -> RecordBatch {
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let batches = runtime.block_on(async {
        let physical = context.state().create_physical_plan(plan).await.unwrap();
        datafusion::physical_plan::collect(physical, context.task_ctx()).await.unwrap()
    });
    let schema = Arc::new(plan.schema().as_arrow().clone());
    let batches: Vec<_> =
        batches.into_iter().map(|b| RecordBatch::try_new(b.schema(), b.columns().to_vec()).unwrap()).collect();
    match batches.first() {
        Some(first) => concat_batches(&first.schema(), &batches).unwrap(),
        None => RecordBatch::new_empty(schema),
    }
}

fn picture(rows: Vec<[i64; 5]>) -> String {
    let one = |r: [i64; 5]| {
        let times = r[1..].iter().map(|t| format_micros(*t)).collect::<Vec<_>>();
        format!("{} {}\n", r[0], times.join(" | "))
    };
    rows.into_iter().map(one).collect()
}

fn check(kind: WindowKind, times: &[(i64, i64)], expected: Expect) {
    let times: Vec<_> = times.iter().map(|(k, t)| (*k, Some(t * S))).chain([(9, None)]).collect();
    let wall = DataType::Timestamp(TimeUnit::Millisecond, None);
    expected.assert_eq(&picture(rows(&times, &wall, kind, 0, Zone::Utc)));
}

#[test]
fn rows_are_put_into_their_windows() {
    check(
        WindowKind::Tumble { size: 10 * S },
        &[(1, 10), (1, -1)],
        expect![[r#"
        1 1969-12-31 23:59:59 | 1969-12-31 23:59:50 | 1970-01-01 00:00:00 | 1969-12-31 23:59:59.999
        1 1970-01-01 00:00:10 | 1970-01-01 00:00:10 | 1970-01-01 00:00:20 | 1970-01-01 00:00:19.999
    "#]],
    );
    check(
        WindowKind::Hop { size: 10 * S, slide: 4 * S },
        &[(1, 9), (1, 11)],
        expect![[r#"
        1 1970-01-01 00:00:09 | 1970-01-01 00:00:00 | 1970-01-01 00:00:10 | 1970-01-01 00:00:09.999
        1 1970-01-01 00:00:09 | 1970-01-01 00:00:04 | 1970-01-01 00:00:14 | 1970-01-01 00:00:13.999
        1 1970-01-01 00:00:09 | 1970-01-01 00:00:08 | 1970-01-01 00:00:18 | 1970-01-01 00:00:17.999
        1 1970-01-01 00:00:11 | 1970-01-01 00:00:04 | 1970-01-01 00:00:14 | 1970-01-01 00:00:13.999
        1 1970-01-01 00:00:11 | 1970-01-01 00:00:08 | 1970-01-01 00:00:18 | 1970-01-01 00:00:17.999
    "#]],
    );
    check(
        WindowKind::Hop { size: 2 * S, slide: 5 * S },
        &[(1, 6), (1, 8)],
        expect![[r#"
        1 1970-01-01 00:00:06 | 1970-01-01 00:00:05 | 1970-01-01 00:00:07 | 1970-01-01 00:00:06.999
    "#]],
    );
    check(
        WindowKind::Cumulate { max: 10 * S, step: 5 * S },
        &[(1, 3), (1, 17)],
        expect![[r#"
        1 1970-01-01 00:00:03 | 1970-01-01 00:00:00 | 1970-01-01 00:00:05 | 1970-01-01 00:00:04.999
        1 1970-01-01 00:00:03 | 1970-01-01 00:00:00 | 1970-01-01 00:00:10 | 1970-01-01 00:00:09.999
        1 1970-01-01 00:00:17 | 1970-01-01 00:00:10 | 1970-01-01 00:00:20 | 1970-01-01 00:00:19.999
    "#]],
    );
    // 5 and 10 are one session of key 1, 16 is the next; key 2 has its own.
    check(
        WindowKind::Session { gap: 5 * S },
        &[(1, 16), (1, 10), (2, 7), (1, 5)],
        expect![[r#"
        1 1970-01-01 00:00:05 | 1970-01-01 00:00:05 | 1970-01-01 00:00:15 | 1970-01-01 00:00:14.999
        1 1970-01-01 00:00:10 | 1970-01-01 00:00:05 | 1970-01-01 00:00:15 | 1970-01-01 00:00:14.999
        1 1970-01-01 00:00:16 | 1970-01-01 00:00:16 | 1970-01-01 00:00:21 | 1970-01-01 00:00:20.999
        2 1970-01-01 00:00:07 | 1970-01-01 00:00:07 | 1970-01-01 00:00:12 | 1970-01-01 00:00:11.999
    "#]],
    );
}

#[test]
fn both_arithmetics_agree() {
    let kinds = [
        WindowKind::Tumble { size: 7 * S },
        WindowKind::Tumble { size: 86_400 * S },
        WindowKind::Hop { size: 10 * S, slide: 4 * S },
        WindowKind::Hop { size: 3 * S, slide: 7 * S },
        WindowKind::Hop { size: 7_200 * S, slide: 3_600 * S },
        WindowKind::Cumulate { max: 12 * S, step: 3 * S },
        WindowKind::Cumulate { max: 86_400 * S, step: 21_600 * S },
    ];
    let berlin = Zone::parse("Europe/Berlin").unwrap();
    let types = [
        (DataType::Timestamp(TimeUnit::Second, None), Zone::Utc),
        (DataType::Timestamp(TimeUnit::Millisecond, None), Zone::Utc),
        (DataType::Timestamp(TimeUnit::Nanosecond, None), Zone::Utc),
        (DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), Zone::Utc),
        (DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())), berlin),
        (DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), berlin),
    ];
    // Around 1970, and around both changes of the clock in 2024.
    let mut times: Vec<i64> = (-30..30).map(|i| i * S).collect();
    for change in [1_711_846_800 * S, 1_729_990_800 * S] {
        times.extend((-40..40).map(|i| change + i * 1_800 * S));
    }
    for (time_type, zone) in &types {
        for kind in kinds {
            for offset in [0, 3 * S, -2 * S] {
                let window = Window { kind, offset, time: 1, time_type: time_type.clone(), zone: *zone };
                let mut expected: Vec<[i64; 5]> = vec![];
                for t in &times {
                    for span in window.windows_of(zone.to_wall(*t)) {
                        let last = zone.to_instant(span.end) - 1_000;
                        expected.push([1, *t, span.start, span.end, last]);
                    }
                }
                expected.sort_unstable();
                let given: Vec<_> = times.iter().map(|t| (1, Some(*t))).collect();
                assert_eq!(
                    rows(&given, time_type, kind, offset, *zone),
                    expected,
                    "{kind} {offset} {time_type} {zone}"
                );
            }
        }
    }
}

#[test]
fn given_tables_take_the_place_of_streams() {
    let keys = vec![col("window_start"), col("window_end")];
    let count = datafusion::functions_aggregate::expr_fn::count(lit(1_i64));
    let plan = fixture::window(fixture::scan("bid", false), WindowKind::Tumble { size: 10 * S }, &[]);
    let plan = plan.aggregate(keys, vec![count.alias("n")]).unwrap().project(vec![col("n")]).unwrap().build().unwrap();
    let schema = fixture::bid("bid", false).spec.schema.clone().unwrap();
    let time = cast(&TimestampMicrosecondArray::from(vec![Some(0), Some(5 * S), None]), schema.field(3).data_type());
    let mut columns: Vec<ArrayRef> =
        schema.fields().iter().map(|f| datafusion::arrow::array::new_null_array(f.data_type(), 3)).collect();
    columns[3] = time.unwrap();
    let batch = RecordBatch::try_new(schema.clone(), columns).unwrap();
    let table: Arc<dyn TableProvider> = Arc::new(MemTable::try_new(schema, vec![vec![batch]]).unwrap());
    let plan = fixture::state().optimize(&plan).unwrap();
    let plan = batch_plan(&plan, &HashMap::from([("bid".to_string(), table)])).unwrap();
    let counted = Int64Array::from(run(&plan).column(0).to_data());
    assert_eq!(counted, Int64Array::from(vec![2]));
}
