//! Records in, rows and rejected records out.

use bytes::Bytes;
use expect_test::{Expect, expect};
use tidemill_core::format::{Format, Origin};

use super::Csv;
use crate::formats::testing::{columns, decode, options, picture, rows, schema};

fn check(o: &[(&str, &str)], table: &str, text: &str, expected: Expect) {
    let (schema, o) = (schema(table), options(o));
    let all: Vec<usize> = (0..schema.fields().len()).collect();
    let decoded = decode(&Csv, &schema, &all, &o, text.as_bytes());
    expected.assert_eq(&picture(&decoded));
    for wanted in 0..all.len() {
        let one = decode(&Csv, &schema, &[wanted], &o, text.as_bytes());
        assert_eq!(one.rejected, decoded.rejected, "wanting only column {wanted}");
        assert_eq!(one.batch.column(0), decoded.batch.column(wanted));
    }
    // Cut anywhere that the format allows, it is the same.
    let head = Csv.head_len(text.as_bytes(), &schema, &o).unwrap_or(0);
    for step in [1, 3, 7, 20] {
        let (mut begin, mut end, mut cut) = (head, head, String::new());
        let mut rejected = String::new();
        let mut decoder = Csv.decoder(&schema, &all, &o).expect("a decoder");
        while begin < text.len() {
            end = (end + step).min(text.len());
            let whole = Csv.whole_records(&text.as_bytes()[begin..end], &o);
            let len = if end == text.len() { end - begin } else { whole };
            let block = Bytes::copy_from_slice(&text.as_bytes()[begin..begin + len]);
            let origin = Origin::new("f", begin as u64).with_head(Bytes::copy_from_slice(&text.as_bytes()[..head]));
            let part = picture(&decoder.decode(&block, &origin).expect("decoded"));
            for line in part.lines() {
                *(if line.starts_with('!') { &mut rejected } else { &mut cut }) += &format!("{line}\n");
            }
            begin += len;
        }
        assert_eq!(cut + &rejected, picture(&decoded), "{step} bytes at a time");
    }
}

#[test]
fn fields_by_place() {
    check(
        &[],
        "a bigint, s string, d double",
        "1,x,1.5\n\n2,,\r\n,\"\",0.1\n 3 ,\"a,b\"\"c\nd\",1e3\n\"4\",y \"z\",5\r\n5,\"x\",7",
        expect![[r#"
            1 | x | 1.5
            2 |  | -
            - |  | 0.1
            3 | a,b"c\nd | 1000.0
            4 | y "z" | 5.0
            5 | x | 7.0
        "#]],
    );
}

#[test]
fn bad_records() {
    check(
        &[],
        "a bigint, s string, n bigint!",
        "1,x,1\nx,y,2\n1,x\n1,x,2,3\n1,x,\n9223372036854775808,,1\n2,\"x\"y,1\n3,z,3\n4,\"open,4\n5,\"ok\",5\n6,\"open,6\n7,x,7\n",
        expect![[r#"
            1 | x | 1
            3 | z | 3
            5 | ok | 5
            7 | x | 7
            ! f:6 "x,y,2": field 'a': 'x' is not a BIGINT
            ! f:12 "1,x": not valid CSV: 2 fields where 3 should be
            ! f:16 "1,x,2,3": not valid CSV: 4 fields where 3 should be
            ! f:24 "1,x,": field 'n': NULL in a column that is NOT NULL
            ! f:29 "9223372036854775808,,1": field 'a': '9223372036854775808' is not a BIGINT
            ! f:52 "2,\"x\"y,1": not valid CSV: the quotes of a field are broken
            ! f:67 "4,\"open,4": not valid CSV: the quotes of a field are broken
            ! f:86 "6,\"open,6": not valid CSV: the quotes of a field are broken
        "#]],
    );
}

#[test]
fn errors_may_be_null() {
    check(
        &[("csv.ignore-parse-errors", "true")],
        "a bigint, s string, n bigint!",
        "x,y,1\n1,x\n1,x,2,3\n",
        expect![[r#"
            - | y | 1
            1 | x | 2
            ! f:6 "1,x": field 'n': missing, and the column is NOT NULL
        "#]],
    );
}

#[test]
fn fields_by_name() {
    let text = "\u{FEFF}S,extra,\"a\"\nx,?,1\ny,,2\n";
    check(
        &[("csv.header", "true")],
        "a bigint, s string, m bigint",
        text,
        expect![[r#"
        1 | x | -
        2 | y | -
    "#]],
    );
    check(
        &[],
        "a bigint, s string",
        "S,A\nx,1\n",
        expect![[r#"
        1 | x
    "#]],
    );
    check(
        &[],
        "a bigint, s string",
        "1,x\n",
        expect![[r#"
        1 | x
    "#]],
    );
    check(
        &[("csv.header", "false")],
        "a string, s string",
        "a,s\n",
        expect![[r#"
        a | s
    "#]],
    );
    check(&[("csv.header", "true")], "a bigint", "a", expect![""]);
}

#[test]
fn every_character_can_be_another() {
    check(
        &[
            ("csv.field-delimiter", "\\t"),
            ("csv.quote-character", "'"),
            ("csv.allow-comments", "true"),
            ("csv.null-literal", "n/a"),
        ],
        "a bigint, s string",
        "# 'not a quote\n1\t'x\ty'\nn/a\t'n/a'\n2\tn/a\n",
        expect![[r#"
            1 | x\ty
            - | n/a
            2 | -
        "#]],
    );
    check(
        &[("csv.escape-character", "\\"), ("csv.field-delimiter", "|")],
        "s string, t string",
        "a\\|b|\"x\\\"y\"\n\\||\"z\\\nw\"\n\"\"\"\"|b\n",
        expect![[r#"
            a|b | x"y
            | | z\nw
            " | b
        "#]],
    );
    check(
        &[("csv.disable-quote-character", "true")],
        "s string, t string",
        "\"a,b\"\n",
        expect![[r#"
        "a | b"
    "#]],
    );
    check(
        &[("csv.null-literal", "")],
        "s string, t string",
        ",\"\"\n",
        expect![[r#"
        - | 
    "#]],
    );
    assert!(Csv.decoder(&schema("a bigint"), &[0], &options(&[("csv.field-delimiter", "ab")])).is_err());
    assert!(Csv.decoder(&schema("a row"), &[0], &options(&[])).is_err());
}

#[test]
fn a_quote_without_end_holds_back_a_megabyte_and_no_more() {
    let mut text = b"1,\"x\n".to_vec();
    text.resize(super::records::MOST_QUOTED, b'\n');
    let o = options(&[]);
    assert_eq!(Csv.whole_records(&text, &o), 0);
    text.resize(2 * super::records::MOST_QUOTED, b'\n');
    assert_eq!(Csv.whole_records(&text, &o), text.len());
}

#[test]
fn encodes_what_it_reads() {
    let (s, all) = (schema("a bigint, s string, t ltz3, d double"), [0, 1, 2, 3]);
    let o = options(&[("csv.header", "true"), ("csv.null-literal", "null")]);
    let text = "a,s,t,d\n1,\"a,\"\"b\",2024-01-31 10:00:00.5,1\nnull,\"null\",null,null\n3,null,null,NaN\n";
    let batch = decode(&Csv, &s, &all, &o, text.as_bytes()).batch;
    let mut out = vec![];
    let mut encoder = Csv.encoder(&s, &o).expect("an encoder");
    encoder.header(&mut out);
    encoder.encode(&batch, &mut out).expect("writable");
    expect![[r#"
        a,s,t,d
        1,"a,""b",2024-01-31 10:00:00.5Z,1.0
        null,"null",null,null
        3,null,null,NaN
    "#]]
    .assert_eq(&String::from_utf8_lossy(&out));
    assert_eq!(rows(&decode(&Csv, &s, &all, &o, &out).batch), rows(&batch));
}

#[test]
fn columns_of_a_sample() {
    let infer =
        |o: &[(&str, &str)], text: &str| columns(&Csv.infer_schema(text.as_bytes(), &options(o)).expect("columns"));
    expect![[r#"
        id Int64
        name Utf8
        price Float64
        at Timestamp(ms)
        zip Utf8
        ok Boolean
    "#]]
    .assert_eq(&infer(&[], "id,name,price,at,zip,ok\n1,x,2,2024-01-31 10:00:00,007,true\n2,,2.5,,1,false\n"));
    expect![[r#"
        f0 Int64
        f1 Utf8
    "#]]
    .assert_eq(&infer(&[], "1,x\n2,y\n"));
}
