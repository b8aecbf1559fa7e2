//! Lines in, rows and rejected records out.

use expect_test::{Expect, expect};
use tidemill_core::format::Format;

use super::Json;
use crate::formats::testing::{columns, decode, options, picture, rows, schema};

fn check(table: &str, lines: &str, expected: Expect) {
    check_with(&[], table, lines, expected);
}

fn check_with(o: &[(&str, &str)], table: &str, lines: &str, expected: Expect) {
    let schema = schema(table);
    let all: Vec<usize> = (0..schema.fields().len()).collect();
    let decoded = decode(&Json, &schema, &all, &options(o), lines.as_bytes());
    expected.assert_eq(&picture(&decoded));
    // Whatever is wanted, the same records are taken, the same are rejected, and a column looks the same.
    for wanted in 0..all.len() {
        let one = decode(&Json, &schema, &[wanted], &options(o), lines.as_bytes());
        assert_eq!(one.rejected, decoded.rejected, "wanting only column {wanted}");
        assert_eq!(one.batch.column(0), decoded.batch.column(wanted));
    }
}

#[test]
fn flat_records() {
    check(
        "a bigint, s string",
        "{\"a\":1,\"s\":\"x\"}\n\n{\"s\" : \"y\" , \"a\" : -2 }\r\n  {}  \n{\"a\":null,\"b\":[{\"c\":[]}],\"s\":\"\"}",
        expect![[r#"
            1 | x
            -2 | y
            - | -
            - | 
        "#]],
    );
}

#[test]
fn names_are_exact_before_they_are_alike() {
    check(
        "a bigint",
        "{\"A\":1}\n{\"a\":2,\"A\":3}\n{\"A\":4,\"a\":5}\n{\"a\":6,\"a\":7}\n{\"A\":8,\"A\":9}\n{\"\\u0061\":10}",
        expect![[r#"
            1
            2
            5
            7
            9
            10
        "#]],
    );
    check(
        "a bigint, A bigint",
        "{\"A\":1,\"a\":2}",
        expect![[r#"
        2 | 1
    "#]],
    );
}

#[test]
fn whole_numbers() {
    check(
        "i tinyint, l bigint, u ubigint",
        r#"{"i":127,"l":-9223372036854775808,"u":18446744073709551615}
{"i":128}
{"i":-128,"l":"12","u":" 7 "}
{"l":9223372036854775808}
{"l":1.0,"i":1e2}
{"l":1.5}
{"l":"1.0"}
{"l":01}
{"l":-}
{"l":"abc"}
{"l":true}
{"l":{"x":[1]}}
{"u":-1}
{"l":1e999}
{"l":0e999}
{"l":123456789012345678901234567890}
"#,
        expect![[r#"
            127 | -9223372036854775808 | 18446744073709551615
            -128 | 12 | 7
            100 | 1 | -
            - | 0 | -
            ! f:60 "{\"i\":128}": field 'i': '128' is not a TINYINT
            ! f:100 "{\"l\":9223372036854775808}": field 'l': '9223372036854775808' is not a BIGINT
            ! f:144 "{\"l\":1.5}": field 'l': '1.5' is not a BIGINT
            ! f:154 "{\"l\":\"1.0\"}": field 'l': '1.0' is not a BIGINT
            ! f:166 "{\"l\":01}": not valid JSON: expected a number, found '01}'
            ! f:175 "{\"l\":-}": not valid JSON: expected a number, found '-}'
            ! f:183 "{\"l\":\"abc\"}": field 'l': 'abc' is not a BIGINT
            ! f:195 "{\"l\":true}": field 'l': 'true' is not a BIGINT
            ! f:206 "{\"l\":{\"x\":[1]}}": field 'l': '{"x":[1]}' is not a BIGINT
            ! f:222 "{\"u\":-1}": field 'u': '-1' is not a BIGINT UNSIGNED
            ! f:231 "{\"l\":1e999}": field 'l': '1e999' is not a BIGINT
            ! f:255 "{\"l\":123456789012345678901234567890}": field 'l': '123456789012345678901234567890' is not a BIGINT
        "#]],
    );
}

#[test]
fn fractions() {
    check(
        "f float, d double",
        r#"{"f":0.1,"d":0.1}
{"f":16777217,"d":9007199254740993}
{"d":"NaN"}
{"d":"-Infinity"}
{"d":-0.0,"f":1e-3}
{"d":1e400}
{"d":1.}
{"d":.5}
{"d":123456789.123456789}
{"d":2.2250738585072011e-308}
"#,
        expect![[r#"
            0.1 | 0.1
            16777216.0 | 9007199254740992.0
            - | NaN
            - | -inf
            0.001 | -0.0
            - | 123456789.12345679
            - | 2.225073858507201e-308
            ! f:104 "{\"d\":1e400}": field 'd': '1e400' is not a DOUBLE
            ! f:116 "{\"d\":1.}": not valid JSON: expected a number, found '1.}'
            ! f:125 "{\"d\":.5}": not valid JSON: expected a value, found '.5}'
        "#]],
    );
}

#[test]
fn decimals_never_pass_through_a_float() {
    check(
        "d decimal, e decimal38, w decimal76",
        r#"{"d":12345678.91,"e":"1234567890123456789012345678.0123456789","w":1e75}
{"d":0.005,"e":0.00000000005}
{"d":-0.005,"e":1E-10}
{"d":0.0049}
{"d":99999999.994}
{"d":99999999.995}
{"d":1e8}
{"d":"1e7","e":"+.5","w":"9999999999999999999999999999999999999999999999999999999999999999999999999999"}
{"w":1e76}
{"d":"x"}
"#,
        expect![[r#"
            12345678.91 | 1234567890123456789012345678.0123456789 | 1000000000000000000000000000000000000000000000000000000000000000000000000000
            0.01 | 0.0000000001 | -
            -0.01 | 0.0000000001 | -
            0.00 | - | -
            99999999.99 | - | -
            10000000.00 | 0.5000000000 | 9999999999999999999999999999999999999999999999999999999999999999999999999999
            ! f:158 "{\"d\":99999999.995}": field 'd': '99999999.995' is not a DECIMAL(10, 2)
            ! f:177 "{\"d\":1e8}": field 'd': '1e8' is not a DECIMAL(10, 2)
            ! f:292 "{\"w\":1e76}": field 'w': '1e76' is not a DECIMAL(76, 0)
            ! f:303 "{\"d\":\"x\"}": field 'd': 'x' is not a DECIMAL(10, 2)
        "#]],
    );
}

#[test]
fn times_in_both_forms() {
    check(
        "t ts3, l ltz3, n ts9, d date, c time",
        r#"{"t":"2024-01-31 10:00:00.123","l":"2024-01-31T10:00:00.123Z","n":"2024-01-31T10:00:00.123456789","d":"2024-02-29","c":"10:00:00.5"}
{"t":"2024-01-31T10:00:00Z","l":"2024-01-31 10:00:00","n":"1677-09-21T00:12:43.145224192","d":"0001-01-01","c":"23:59"}
{"t":"2024-01-31T10:00:00.9999+02:00","l":"2024-01-31 10:00:00.000-08","n":"1969-12-31 23:59:59.999999999"}
{"t":"1969-12-31 23:59:59.9999","l":"2024-01-31T10:00+0530"}
{"t":"2024-02-30 10:00:00"}
{"t":"2024-01-31 24:00:00"}
{"t":"2024-01-31 10:00:00."}
{"t":1706695200000}
{"t":"2024-01-31 10:00:00 Europe/Berlin"}
{"n":"2300-01-01 00:00:00"}
{"d":"2023-02-29"}
{"c":"10:00:61"}
"#,
        expect![[r#"
            2024-01-31T10:00:00.123 | 2024-01-31T10:00:00.123Z | 2024-01-31T10:00:00.123456789 | 2024-02-29 | 10:00:00.500
            2024-01-31T10:00:00 | 2024-01-31T10:00:00Z | 1677-09-21T00:12:43.145224192 | 0001-01-01 | 23:59:00
            2024-01-31T08:00:00.999 | 2024-01-31T18:00:00Z | 1969-12-31T23:59:59.999999999 | - | -
            1969-12-31T23:59:59.999 | 2024-01-31T04:30:00Z | - | - | -
            ! f:422 "{\"t\":\"2024-02-30 10:00:00\"}": field 't': '2024-02-30 10:00:00' is not a TIMESTAMP(3)
            ! f:450 "{\"t\":\"2024-01-31 24:00:00\"}": field 't': '2024-01-31 24:00:00' is not a TIMESTAMP(3)
            ! f:478 "{\"t\":\"2024-01-31 10:00:00.\"}": field 't': '2024-01-31 10:00:00.' is not a TIMESTAMP(3)
            ! f:507 "{\"t\":1706695200000}": field 't': '1706695200000' is not a TIMESTAMP(3)
            ! f:527 "{\"t\":\"2024-01-31 10:00:00 Europe/Berlin\"}": field 't': '2024-01-31 10:00:00 Europe/Berlin' is not a TIMESTAMP(3)
            ! f:569 "{\"n\":\"2300-01-01 00:00:00\"}": field 'n': '2300-01-01 00:00:00' is not a TIMESTAMP(9)
            ! f:597 "{\"d\":\"2023-02-29\"}": field 'd': '2023-02-29' is not a DATE
            ! f:616 "{\"c\":\"10:00:61\"}": field 'c': '10:00:61' is not a TIME(3)
        "#]],
    );
}

#[test]
fn strings_booleans_bytes() {
    check(
        "s string, b bool, x bytes",
        r#"{"s":"a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00","b":true,"x":"AP8="}
{"s":12.50,"b":"FALSE"}
{"s":{"a" : [1, "x y\" "]},"b":"true"}
{"s":true}
{"s":"\ud83d"}
{"s":"\q"}
{"s":"\u12"}
{"b":1}
{"b":"yes"}
{"x":"%"}
{"x":1}
"#,
        expect![[r#"
            a"\/\u{8}\u{c}\n\r\té😀 | true | 00ff
            12.50 | false | -
            {"a":[1,"x y\" "]} | true | -
            true | - | -
            ! f:138 "{\"s\":\"\\ud83d\"}": not valid Unicode: a string has one half of a surrogate pair
            ! f:153 "{\"s\":\"\\q\"}": not valid JSON: a string has an escape that does not exist
            ! f:164 "{\"s\":\"\\u12\"}": not valid JSON: a string has a '\u' without four hexadecimal digits
            ! f:177 "{\"b\":1}": field 'b': '1' is not a BOOLEAN
            ! f:185 "{\"b\":\"yes\"}": field 'b': 'yes' is not a BOOLEAN
            ! f:197 "{\"x\":\"%\"}": field 'x': '%' is not base64
            ! f:207 "{\"x\":1}": field 'x': '1' is not a BYTES
        "#]],
    );
}

#[test]
fn parts() {
    check(
        "r row, a array, m map, rs rows",
        r#"{"r":{"price":1,"channel":"x"},"a":[1,null,3],"m":{"k":1,"l":null,"k":2},"rs":[{"price":1},null,{}]}
{"r":null,"a":[],"m":{}}
{"a":null,"rs":[]}
{"r":{"channel":5}}
{"r":{"price":"x"}}
{"a":[1,"x"]}
{"m":{"k":true}}
{"rs":[{"price":1},{"price":1.5}]}
{"r":[1]}
{"a":[1,]}
{"r":{"price":1},"r":null}
"#,
        expect![[r#"
            {price: 1, channel: x} | [1, -, 3] | {k: 2, l: -} | [{price: 1, channel: -}, -, {price: -, channel: -}]
            - | [] | {} | -
            - | - | - | []
            {price: -, channel: 5} | - | - | -
            - | - | - | -
            ! f:165 "{\"r\":{\"price\":\"x\"}}": field 'r.price': 'x' is not a BIGINT
            ! f:185 "{\"a\":[1,\"x\"]}": field 'a[2]': 'x' is not an INT
            ! f:199 "{\"m\":{\"k\":true}}": field 'm[k]': 'true' is not an INT
            ! f:216 "{\"rs\":[{\"price\":1},{\"price\":1.5}]}": field 'rs[2].price': '1.5' is not a BIGINT
            ! f:251 "{\"r\":[1]}": field 'r': '[1]' is not a ROW
            ! f:261 "{\"a\":[1,]}": not valid JSON: expected a value, found ']}'
        "#]],
    );
}

#[test]
fn broken_records_leave_their_neighbours_alone() {
    check(
        "a bigint!, s string",
        "{\"a\":1}\n{\"a\":2,\"s\":\"cut\n{\"a\":3}}\n[1]\nnull\n{\"s\":\"x\"}\n{\"a\":null}\n{\"a\":4 \"s\":1}\n{\"a\":5,}\n{\"a\":6,\"s\":\"}\n{\"x\":{\"y\":[1,2}}\n{\"a\":7,\"s\":nul}\n{\"a\":8}\n{\"a\"",
        expect![[r#"
            1 | -
            8 | -
            ! f:8 "{\"a\":2,\"s\":\"cut": not valid JSON: a string is not closed
            ! f:24 "{\"a\":3}}": not valid JSON: expected the end of the line, found '}'
            ! f:33 "[1]": not valid JSON: expected an object, found '[1]'
            ! f:37 "null": not valid JSON: expected an object, found 'null'
            ! f:42 "{\"s\":\"x\"}": field 'a': missing, and the column is NOT NULL
            ! f:52 "{\"a\":null}": field 'a': NULL in a column that is NOT NULL
            ! f:63 "{\"a\":4 \"s\":1}": not valid JSON: expected ',' or '}', found '"s":1}'
            ! f:77 "{\"a\":5,}": not valid JSON: expected a field name, found '}'
            ! f:86 "{\"a\":6,\"s\":\"}": not valid JSON: a string is not closed
            ! f:100 "{\"x\":{\"y\":[1,2}}": not valid JSON: expected ',' or ']', found '}}'
            ! f:117 "{\"a\":7,\"s\":nul}": not valid JSON: expected a value, found 'nul}'
            ! f:141 "{\"a\"": not valid JSON: the record ends where ':' should be
        "#]],
    );
}

#[test]
fn invalid_utf8_rejects_its_line() {
    let s = schema("s string");
    let block = b"{\"s\":\"\xC3\xA9\"}\n{\"s\":\"\xFF\"}\n{\"u\":\"\xFF\",\"s\":\"x\"}\n{\"s\":\"y\"}";
    expect![[r#"
        é
        y
        ! f:11 "{\"s\":\"�\"}": not valid UTF-8
        ! f:21 "{\"u\":\"�\",\"s\":\"x\"}": not valid UTF-8
    "#]]
    .assert_eq(&picture(&decode(&Json, &s, &[0], &options(&[]), block)));
}

#[test]
fn errors_may_be_null() {
    check_with(
        &[("json.ignore-parse-errors", "true")],
        "a bigint, r row, n bigint!, q row1, l array",
        r#"{"a":"x","r":{"price":"y","channel":"z"},"n":1,"q":{"id":"x"},"l":[1,"x"]}
{"a":1,"n":"x"}
{"a":1,"n":2
"#,
        expect![[r#"
            - | {price: -, channel: z} | 1 | - | [1, -]
            ! f:75 "{\"a\":1,\"n\":\"x\"}": field 'n': 'x' is not a BIGINT
            ! f:91 "{\"a\":1,\"n\":2": not valid JSON: the record ends where ',' or '}' should be
        "#]],
    );
}

#[test]
fn missing_fields_may_be_errors() {
    check_with(
        &[("json.fail-on-missing-field", "true")],
        "a bigint, r row",
        r#"{"a":null,"r":null}
{"a":1}
{"a":1,"r":{"price":1}}
"#,
        expect![[r#"
            - | -
            ! f:20 "{\"a\":1}": field 'r': missing
            ! f:28 "{\"a\":1,\"r\":{\"price\":1}}": field 'r.channel': missing
        "#]],
    );
    let both = options(&[("json.fail-on-missing-field", "true"), ("json.ignore-parse-errors", "true")]);
    assert!(Json.decoder(&schema("a bigint"), &[0], &both).is_err());
}

#[test]
fn types_that_only_programs_declare() {
    check(
        "v large, a bigint",
        "{\"v\":\"x\\n\",\"a\":1}\n{\"v\":{}}\n{\"a\":2}",
        expect![[r#"
        x\n | 1
        - | 2
        ! f:18 "{\"v\":{}}": field 'v': '{}' is not a STRING
    "#]],
    );
}

#[test]
fn a_row_finds_its_record() {
    let s = schema("a bigint");
    let decoded = decode(&Json, &s, &[], &options(&[]), b"{\"a\":1}\r\n{\n{\"a\":2}");
    assert_eq!((decoded.batch.num_rows(), decoded.batch.num_columns()), (2, 0));
    let (raw, position) = decoded.raw.record(1);
    assert_eq!((&raw[..], &*position.0), (&b"{\"a\":2}"[..], "f:11"));
    assert_eq!(&decoded.raw.record(0).0[..], b"{\"a\":1}");
}

fn check_encoded(o: &[(&str, &str)], table: &str, lines: &str, expected: Expect) {
    let schema = schema(table);
    let all: Vec<usize> = (0..schema.fields().len()).collect();
    let batch = decode(&Json, &schema, &all, &options(&[]), lines.as_bytes()).batch;
    let mut out = vec![];
    Json.encoder(&schema, &options(o)).expect("an encoder").encode(&batch, &mut out).expect("writable");
    let text = String::from_utf8(out).expect("UTF-8");
    expected.assert_eq(&text);
    // What is written reads back as it was.
    assert_eq!(rows(&decode(&Json, &schema, &all, &options(&[]), text.as_bytes()).batch), rows(&batch));
}

#[test]
fn encodes_as_flink_does() {
    let lines = r#"{"d":1,"f":0.1,"e":0.00000001,"t":"2020-10-10 00:00:00","l":"2020-10-10 00:00:00.120","s":"a\"\\\n\u0001é","x":"AP8="}
{"d":1e10,"f":1.5e-5,"e":12,"t":null,"l":"1969-12-31 23:59:59.999","c":"10:00:00.5","y":"0001-01-01"}
{"d":"NaN","f":123456.7,"e":-1.5,"r":{"price":1},"a":[1,null],"m":{"k":null}}
{"d":12345678.9,"f":"-Infinity"}
"#;
    let table =
        "d double, f float, e decimal38, t ts0, l ltz3, s string, x bytes, c time, y date, r row, a array, m map";
    check_encoded(
        &[("json.encode.ignore-null-fields", "true")],
        table,
        lines,
        expect![[r#"
        {"d":1.0,"f":0.1,"e":1.00E-8,"t":"2020-10-10 00:00:00","l":"2020-10-10 00:00:00.12Z","s":"a\"\\\n\u0001é","x":"AP8="}
        {"d":1.0E10,"f":1.5E-5,"e":12.0000000000,"l":"1969-12-31 23:59:59.999Z","c":"10:00:00.5","y":"0001-01-01"}
        {"d":"NaN","f":123456.7,"e":-1.5000000000,"r":{"price":1},"a":[1,null],"m":{"k":null}}
        {"d":1.23456789E7,"f":"-Infinity"}
    "#]],
    );
    check_encoded(
        &[("json.timestamp-format.standard", "iso-8601"), ("json.encode.decimal-as-plain-number", "true")],
        "e decimal38, t ts3, l ltz3",
        lines,
        expect![[r#"
            {"e":0.0000000100,"t":"2020-10-10T00:00:00","l":"2020-10-10T00:00:00.12Z"}
            {"e":12.0000000000,"t":null,"l":"1969-12-31T23:59:59.999Z"}
            {"e":-1.5000000000,"t":null,"l":null}
            {"e":null,"t":null,"l":null}
        "#]],
    );
}

#[test]
fn columns_of_a_sample() {
    let sample = r#"{"z":1,"a":"x","t":"2024-01-31 10:00:00","l":"2024-01-31T10:00:00.1234Z","d":"2024-01-31"}
broken
{"z":1.5,"a":1,"r":{"p":null,"q":true},"n":null,"x":[1,null],"big":18446744073709551615,"t":"2024-01-31 10:00:00.5"}
{"r":{"p":[]},"x":[2.5]}
"#;
    expect![[r#"
        z Float64
        a Utf8
        t Timestamp(ms)
        l Timestamp(µs, "UTC")
        d Utf8
        r Struct("p": List(Utf8), "q": Boolean)
        n Utf8
        x List(Float64)
        big Decimal128(20, 0)
    "#]]
    .assert_eq(&columns(&Json.infer_schema(sample.as_bytes(), &options(&[])).expect("columns")));
    assert!(Json.infer_schema(b"1\n", &options(&[])).is_err());
}
