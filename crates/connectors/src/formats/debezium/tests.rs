//! Records of changes in, rows with weights out, and back.

use arrow::array::Int64Array;
use bytes::Bytes;
use expect_test::{Expect, expect};
use tidemill_core::Delta;
use tidemill_core::format::{Decoded, Format, Origin};

use super::DebeziumJson;
use crate::formats::testing::{options, picture, schema};

fn decode(key: &[usize], wanted: &[usize], o: &[(&str, &str)], block: &str) -> Decoded {
    let columns = schema("id bigint!, name string, price double!");
    let mut decoder = DebeziumJson.keyed_decoder(&columns, key, wanted, &options(o)).unwrap();
    decoder.decode(&Bytes::copy_from_slice(block.as_bytes()), &Origin::new("f", 0)).unwrap()
}

/// Rows with their weights before them.
fn check(key: &[usize], wanted: &[usize], o: &[(&str, &str)], block: &str, expected: Expect) {
    let decoded = decode(key, wanted, o, block);
    let weights = decoded.weights.clone().unwrap();
    let text = picture(&decoded);
    let line = |(i, line): (usize, &str)| match weights.values().get(i) {
        Some(weight) => format!("{weight:+} {line}\n"),
        None => format!("{line}\n"),
    };
    expected.assert_eq(&text.lines().enumerate().map(line).collect::<String>());
}

const RECORDS: &str = r#"{"before":null,"after":{"id":1,"name":"a","price":1.5},"op":"c","ts_ms":1,"source":{"x":[1]}}
{"before":{"id":1,"name":"a","price":1.5},"after":{"id":1,"name":"b","price":2},"op":"u"}
{"after":{"id":2,"price":3},"op":"r"}
null

{"op":"d","before":{"id":1,"name":"b","price":2},"after":null}
"#;

#[test]
fn a_record_is_one_change_or_two() {
    check(
        &[],
        &[0, 1, 2],
        &[],
        RECORDS,
        expect![[r#"
            +1 1 | a | 1.5
            -1 1 | a | 1.5
            +1 1 | b | 2.0
            +1 2 | - | 3.0
            -1 1 | b | 2.0
        "#]],
    );
    check(
        &[],
        &[2],
        &[],
        RECORDS,
        expect![[r#"
            +1 1.5
            -1 1.5
            +1 2.0
            +1 3.0
            -1 2.0
        "#]],
    );
}

#[test]
fn with_a_key_an_update_replaces_the_row_of_its_key_and_takes_back_that_of_another() {
    check(
        &[0],
        &[0, 1],
        &[],
        r#"{"before":{"id":1,"name":"a","price":1},"after":{"id":1,"name":"b","price":1},"op":"u"}
{"before":{"id":1,"name":"b","price":1},"after":{"id":2,"name":"b","price":1},"op":"u"}
"#,
        expect![[r#"
            +1 1 | b
            -1 1 | b
            +1 2 | b
        "#]],
    );
}

#[test]
fn an_envelope_is_taken_off() {
    check(
        &[],
        &[0, 1],
        &[("debezium-json.schema-include", "true")],
        r#"{"schema":{"type":"struct","fields":[]},"payload":{"before":null,"after":{"id":1,"name":"a","price":1},"op":"c"}}
{"schema":null,"payload":null}
{"before":null,"after":{"id":1,"name":"a","price":1},"op":"c"}
{"payload":{"before":{"id":1,"name":"a","price":1},"op":"d"}}
null
"#,
        expect![[r#"
            +1 1 | a
            -1 1 | a
        "#]],
    );
}

const INCOMPLETE: &str = r#"{"before":null,"after":{"id":1,"price":1},"op":"u"}
{"before":{"id":1},"after":null,"op":"d"}
{"before":{"id":1,"name":null,"price":1},"after":{"id":7,"price":1},"op":"u"}
"#;

#[test]
fn a_key_makes_up_for_what_a_record_does_not_say() {
    check(
        &[0],
        &[0, 2],
        &[],
        INCOMPLETE,
        expect![[r#"
            +1 1 | 1.0
            -1 1 | -
            -1 1 | 1.0
            +1 7 | 1.0
        "#]],
    );
    check(
        &[],
        &[0, 2],
        &[],
        INCOMPLETE,
        expect![[r#"
            -1 1 | 1.0
            +1 7 | 1.0
            ! f:52 "{\"before\":{\"id\":1},\"after\":null,\"op\":\"d\"}": field 'before.price': missing, and the column is NOT NULL
            ! f:0 "{\"before\":null,\"after\":{\"id\":1,\"price\":1},\"op\":\"u\"}": field 'before' is NULL, and the table has no PRIMARY KEY by which the updated row could be found
        "#]],
    );
}

#[test]
fn a_broken_record_is_rejected_and_its_neighbours_are_not() {
    check(
        &[],
        &[0],
        &[],
        r#"{"before":null,"after":{"id":1,"price":1},"op":"x"}
{"before":null,"after":{"id":"one","price":1},"op":"c"}
{"before":null,"after":{"id":1,"price":null},"op":"c"}
{"after":null,"op":"c"}
{"after":{"id":3,"price":1}}
{"after":{"id":4,"price":1},"op":"c"}
[1]
nullx
{"after":{"id":5,"price":1},"op":"c"}"#,
        expect![[r#"
            +1 4
            +1 5
            ! f:52 "{\"before\":null,\"after\":{\"id\":\"one\",\"price\":1},\"op\":\"c\"}": field 'after.id': 'one' is not a BIGINT
            ! f:108 "{\"before\":null,\"after\":{\"id\":1,\"price\":null},\"op\":\"c\"}": field 'after.price': NULL in a column that is NOT NULL
            ! f:254 "[1]": not valid JSON: expected an object, found '[1]'
            ! f:258 "nullx": not valid JSON: expected an object, found 'nullx'
            ! f:0 "{\"before\":null,\"after\":{\"id\":1,\"price\":1},\"op\":\"x\"}": field 'op': 'x' is none of 'c', 'r', 'u', 'd'
            ! f:163 "{\"after\":null,\"op\":\"c\"}": field 'after' is NULL, and the record inserts it
            ! f:187 "{\"after\":{\"id\":3,\"price\":1}}": field 'op' is missing: the record does not say what it does
        "#]],
    );
}

#[test]
fn what_is_behind_a_row_is_found() {
    let decoded = decode(&[], &[0], &[], RECORDS);
    let (raw, position) = decoded.raw.record(2);
    assert!(raw.starts_with(b"{\"before\":{\"id\":1"), "{raw:?}");
    assert_eq!(position, decoded.raw.record(1).1);
}

#[test]
fn changes_are_written_and_read_again() {
    let decoded = decode(&[], &[0, 1, 2], &[], RECORDS);
    let mut weights = decoded.weights.clone().unwrap().values().to_vec();
    weights[3] = 2;
    let delta = Delta::weighted(decoded.batch.clone(), Int64Array::from(weights));
    let mut encoder = DebeziumJson.encoder(&decoded.batch.schema(), &options(&[])).unwrap();
    let mut check = |key: &[usize], expected: Expect| {
        let mut out = vec![];
        encoder.encode_changes(&delta, key, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        expected.assert_eq(&text);
        let again = decode(&[], &[0, 1, 2], &[], &text);
        assert_eq!(again.weights.unwrap().len(), 6);
    };
    check(
        &[0],
        expect![[r#"
            {"before":null,"after":{"id":1,"name":"a","price":1.5},"op":"c"}
            {"before":{"id":1,"name":"a","price":1.5},"after":{"id":1,"name":"b","price":2.0},"op":"u"}
            {"before":null,"after":{"id":2,"name":null,"price":3.0},"op":"c"}
            {"before":null,"after":{"id":2,"name":null,"price":3.0},"op":"c"}
            {"before":{"id":1,"name":"b","price":2.0},"after":null,"op":"d"}
        "#]],
    );
    check(
        &[],
        expect![[r#"
            {"before":null,"after":{"id":1,"name":"a","price":1.5},"op":"c"}
            {"before":{"id":1,"name":"a","price":1.5},"after":null,"op":"d"}
            {"before":null,"after":{"id":1,"name":"b","price":2.0},"op":"c"}
            {"before":null,"after":{"id":2,"name":null,"price":3.0},"op":"c"}
            {"before":null,"after":{"id":2,"name":null,"price":3.0},"op":"c"}
            {"before":{"id":1,"name":"b","price":2.0},"after":null,"op":"d"}
        "#]],
    );
    let with_schema = options(&[("debezium-json.schema-include", "true")]);
    assert!(DebeziumJson.encoder(&decoded.batch.schema(), &with_schema).is_err());
}
