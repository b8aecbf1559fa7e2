//! What is made up is what was asked for, and the same again for the same seed.

use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};
use arrow::util::pretty::pretty_format_batches;
use expect_test::{Expect, expect};
use tidemill_core::OptionValues;

use super::*;

fn table(fields: Vec<Field>, options: &[(&str, &str)]) -> TableSpec {
    let mut options = OptionValues::from_pairs(options.iter().copied());
    options.0.insert("connector".into(), NAME.into());
    TableSpec {
        name: "t".into(),
        schema: Some(Arc::new(Schema::new(fields))),
        metadata: vec![],
        partition_by: vec![],
        primary_key: vec![],
        options,
    }
}

async fn read(table: &TableSpec, batch_rows: usize, from: Option<&Position>) -> Vec<Piece> {
    let source = Datagen.source(table).unwrap();
    let projection = (0..source.schema().fields().len()).collect();
    let request = ReadRequest { projection, batch_rows, decode_threads: 1 };
    let mut reader = source.open(&NAME.into(), from, &request).await.unwrap();
    let mut pieces = vec![];
    while let Some(piece) = reader.next().await.unwrap() {
        pieces.push(piece);
    }
    pieces
}

fn show(pieces: &[Piece]) -> String {
    let batches: Vec<RecordBatch> = pieces.iter().map(|p| p.batch.clone()).collect();
    let all = arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap();
    pretty_format_batches(&[all]).unwrap().to_string()
}

fn everything() -> (Vec<Field>, Vec<(&'static str, &'static str)>) {
    let point: Fields = vec![Field::new("x", DataType::Int8, true), Field::new("y", DataType::Float32, true)].into();
    let kv = DataType::Struct(
        vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Int16, true)].into(),
    );
    let fields = vec![
        Field::new("id", DataType::Int64, false),
        Field::new("name", DataType::Utf8, true),
        Field::new("price", DataType::Decimal128(6, 2), true),
        Field::new("ok", DataType::Boolean, true),
        Field::new("ts", DataType::Timestamp(TimeUnit::Millisecond, None), true),
        Field::new("d", DataType::Date32, true),
        Field::new("point", DataType::Struct(point), true),
        Field::new("tags", DataType::List(Arc::new(Field::new("item", DataType::Binary, true))), true),
        Field::new("m", DataType::Map(Arc::new(Field::new("entries", kv, false)), false), true),
    ];
    let options = vec![
        ("rows-per-second", "unlimited"),
        ("seed", "7"),
        ("fields.id.kind", "sequence"),
        ("fields.id.start", "10"),
        ("fields.id.end", "14"),
        ("fields.name.length", "6"),
        ("fields.name.var-len", "true"),
        ("fields.name.null-rate", "0.4"),
        ("fields.price.min", "1.50"),
        ("fields.price.max", "2.00"),
        ("fields.ts.max-past", "1 h"),
        ("fields.point.x.min", "0"),
        ("fields.point.x.max", "9"),
        ("fields.point.y.min", "-1"),
        ("fields.point.y.max", "1"),
        ("fields.tags.length", "2"),
        ("fields.tags.element.length", "2"),
        ("fields.m.length", "1"),
        ("fields.m.key.length", "3"),
    ];
    (fields, options)
}

#[tokio::test]
async fn every_type_can_be_made() {
    let (fields, options) = everything();
    let pieces = read(&table(fields, &options), 100, None).await;
    expect![[r#"
        +----+-------+-------+-------+-------------------------+------------+------------------------+--------------+---------------+
        | id | name  | price | ok    | ts                      | d          | point                  | tags         | m             |
        +----+-------+-------+-------+-------------------------+------------+------------------------+--------------+---------------+
        | 10 | d0    | 1.61  | false | 2023-12-31T23:08:38.294 | 2024-01-01 | {x: 5, y: 0.1760551}   | [0b15, ea54] | {6ba: -5955}  |
        | 11 | e31af | 1.96  | true  | 2023-12-31T23:50:37.690 | 2024-01-01 | {x: 8, y: 0.9512159}   | [4da8, 65e5] | {2d4: 2297}   |
        | 12 |       | 1.59  | true  | 2023-12-31T23:08:32.025 | 2024-01-01 | {x: 5, y: 0.94783485}  | [98c9, 908b] | {ca6: -12670} |
        | 13 |       | 1.74  | true  | 2023-12-31T23:53:52.174 | 2024-01-01 | {x: 8, y: 0.1767794}   | [05f2, a4af] | {a85: -18346} |
        | 14 |       | 1.83  | true  | 2023-12-31T23:40:29.097 | 2024-01-01 | {x: 8, y: -0.38521868} | [2b7f, 7451] | {d32: 29623}  |
        +----+-------+-------+-------+-------------------------+------------+------------------------+--------------+---------------+"#]].assert_eq(&show(&pieces));
}

#[tokio::test]
async fn a_row_is_the_same_in_whatever_batch_and_after_a_restart() {
    let (fields, options) = everything();
    let table = table(fields, &options);
    let all = read(&table, 100, None).await;
    let small = read(&table, 2, None).await;
    assert_eq!(show(&all), show(&small));
    assert_eq!(small[0].position.to_string(), "row:2");
    let rest = read(&table, 100, Some(&small[0].position)).await;
    assert_eq!(show(&rest), show(&small[1..]));
}

#[test]
fn boundedness_and_wrong_options() {
    let check = |options: &[(&str, &str)], expected: Expect| {
        let fields = vec![Field::new("id", DataType::Int8, false), Field::new("name", DataType::Utf8, true)];
        let text = match Datagen.source(&table(fields, options)) {
            Ok(source) => format!("bounded: {}", source.bounded()),
            Err(e) => e.to_string(),
        };
        expected.assert_eq(&text);
    };
    check(&[], expect!["bounded: false"]);
    check(&[("number-of-rows", "5")], expect!["bounded: true"]);
    check(
        &[("fields.id.kind", "sequence"), ("fields.id.start", "1"), ("fields.id.end", "9")],
        expect!["bounded: true"],
    );
    check(&[("fields.id.kind", "sequence")], expect!["a sequence needs 'fields.id.start' and 'fields.id.end'"]);
    check(
        &[("fields.idd.kind", "random")],
        expect![[r#"
        connector 'datagen' has no use for the option 'fields.idd.kind'
        hint: Did you mean 'fields.id.kind'? Known: fields.id.kind, fields.id.max, fields.id.min, fields.id.null-rate, fields.name.kind, fields.name.length, fields.name.null-rate, fields.name.var-len."#]],
    );
    check(
        &[("fields.id.kind", "squence")],
        expect![[r#"
        option 'fields.id.kind' does not know 'squence'
        hint: Did you mean 'sequence'? Known: random, sequence."#]],
    );
    check(
        &[("fields.id.max", "1000")],
        expect!["option 'fields.id.max' is '1000', which the column's type cannot hold"],
    );
    check(
        &[("fields.id.null-rate", "0.5")],
        expect!["option 'fields.id.null-rate' is above 0, but the column is NOT NULL"],
    );
    check(
        &[("rows-per-second", "many")],
        expect!["option 'rows-per-second' is 'many', which is neither a number of rows nor 'unlimited'"],
    );
}
