//! The registry, and `raw`.

use expect_test::expect;

use super::testing::{decode, options, picture, schema};
use super::{format, formats};

#[test]
fn an_unknown_format_names_the_nearest() {
    let e = format("jsno").expect_err("no such format");
    assert_eq!(
        (e.message(), e.hint()),
        ("there is no format 'jsno'", Some("Did you mean 'json'? Known: json, csv, raw, debezium-json."))
    );
    assert_eq!(format("JSON").expect("found").name(), "json");
    for format in formats() {
        assert!(format.options().iter().all(|o| o.name.starts_with(format.name()) && o.doc.ends_with('.')));
    }
}

#[test]
fn raw_lines() {
    let raw = format("raw").expect("found");
    expect![[r#"
        a b
        
        é
        ! f:6 "�": field 'line': not valid UTF-8
    "#]]
    .assert_eq(&picture(&decode(raw, &schema("line string"), &[0], &options(&[]), b"a b\r\n\n\xFF\n\xC3\xA9")));
    expect![[r#"
        ff
    "#]]
    .assert_eq(&picture(&decode(raw, &schema("line bytes"), &[0], &options(&[]), b"\xFF\n")));
    assert!(raw.decoder(&schema("a bigint"), &[0], &options(&[])).is_err());
}
