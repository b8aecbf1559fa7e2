//! Changes as files: what each way of saying them writes, and which tables make no sense.

use expect_test::{Expect, expect};
use tidemill_core::ChangeMode;
use tidemill_core::sink::Accepts;

use super::*;

fn with_key(path: &Path, options: &[(&str, &str)]) -> TableSpec {
    let fields = vec![Field::new("k", DataType::Int64, false), text("op"), text("v")];
    TableSpec { primary_key: vec!["k".into()], ..table(path, fields, options) }
}

/// A deletion, an update, an insertion: as an operator before the sink hands them over.
fn changes(columns: &[&str]) -> Vec<Delta> {
    let one = |k: &[i64], v: &[Option<&str>], weights: &[i64]| {
        let all = [("k", ints(k)), ("op", super::texts(v)), ("v", super::texts(v))];
        let wanted: Vec<_> = all.into_iter().filter(|(name, _)| columns.contains(name)).collect();
        Delta::weighted(batch(&wanted), Int64Array::from(weights.to_vec()))
    };
    vec![
        one(&[9], &[Some("gone")], &[-1]),
        one(&[1, 1], &[Some("a"), Some("b")], &[-1, 1]),
        one(&[2, 3], &[Some("c"), None], &[1, 1]),
    ]
}

async fn check(options: &[(&str, &str)], accepts: Accepts, columns: &[&str], expected: Expect) {
    let dir = tempfile::tempdir().unwrap();
    let table = with_key(dir.path(), options);
    let sink = Filesystem.sink(&table).unwrap();
    assert_eq!((sink.accepts(), sink.key()), (accepts, vec![0]));
    let mut writer = sink.open().await.unwrap();
    for delta in changes(columns) {
        writer.write(&delta).await.unwrap();
    }
    writer.close().await.unwrap();
    expected.assert_eq(&std::fs::read_to_string(dir.path().join(&names(dir.path())[0])).unwrap());
}

#[tokio::test]
async fn the_kind_of_change_stands_in_a_column() {
    check(
        &[("format", "csv"), ("changelog.operation-column", "op")],
        Accepts::Retract,
        &["k", "v"],
        expect![[r#"
            9,-D,gone
            1,-U,a
            1,+U,b
            2,+I,c
            3,+I,
        "#]],
    )
    .await;
    check(
        &[("format", "json"), ("changelog.operation-column", "op"), ("changelog.mode", "upsert")],
        Accepts::Upsert,
        &["k", "v"],
        expect![[r#"
            {"k":9,"op":"-D","v":"gone"}
            {"k":1,"op":"-U","v":"a"}
            {"k":1,"op":"+U","v":"b"}
            {"k":2,"op":"+U","v":"c"}
            {"k":3,"op":"+U","v":null}
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_deletion_by_key_is_a_row_of_nothing_but_its_key() {
    check(
        &[("format", "json"), ("changelog.mode", "upsert")],
        Accepts::Upsert,
        &["k", "op", "v"],
        expect![[r#"
            {"k":9,"op":null,"v":null}
            {"k":1,"op":null,"v":null}
            {"k":1,"op":"b","v":"b"}
            {"k":2,"op":"c","v":"c"}
            {"k":3,"op":null,"v":null}
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_format_of_changes_says_it_itself() {
    check(
        &[("format", "debezium-json")],
        Accepts::Retract,
        &["k", "op", "v"],
        expect![[r#"
            {"before":{"k":9,"op":"gone","v":"gone"},"after":null,"op":"d"}
            {"before":{"k":1,"op":"a","v":"a"},"after":{"k":1,"op":"b","v":"b"},"op":"u"}
            {"before":null,"after":{"k":2,"op":"c","v":"c"},"op":"c"}
            {"before":null,"after":{"k":3,"op":null,"v":null},"op":"c"}
        "#]],
    )
    .await;
}

#[tokio::test]
async fn changes_are_read_with_their_weights() {
    let record = br#"{"before":{"k":1},"op":"d"}"#;
    let dir = directory(&[("a.json", record)]);
    let table = with_key(dir.path(), &[("format", "debezium-json")]);
    let source = Filesystem.source(&table).unwrap();
    assert_eq!(source.changes(), ChangeMode::Retract);
    let pieces = read(&table, Read { projection: vec![0, 2], ..Read::default() }).await.unwrap();
    assert_eq!(pieces[0].weights.as_ref().unwrap().values(), &[-1]);
}

#[test]
fn tables_that_make_no_sense_say_why() {
    let dir = tempfile::tempdir().unwrap();
    let check = |key: bool, options: &[(&str, &str)], expected: Expect| {
        let mut table = with_key(dir.path(), options);
        if !key {
            table.primary_key = vec![];
        }
        let e = Filesystem.sink(&table).unwrap_err();
        expected.assert_eq(&format!("{}\n{}", e.message(), e.hint().unwrap_or_default()));
    };
    check(
        false,
        &[("format", "json"), ("changelog.mode", "upsert")],
        expect![[r#"
            table 't': 'changelog.mode' = 'upsert' needs to know which row a record replaces
            Declare PRIMARY KEY (..) NOT ENFORCED."#]],
    );
    check(
        true,
        &[("format", "json"), ("changelog.mode", "retract")],
        expect![[r#"
            table 't': 'changelog.mode' = 'retract' does not say where the kind of change is written
            Name a STRING column of the table in 'changelog.operation-column', or use format 'debezium-json'."#]],
    );
    check(
        true,
        &[("format", "debezium-json"), ("changelog.mode", "upsert")],
        expect![[r#"
            table 't': its format says itself what a record does
            Leave 'changelog.operation-column' and 'changelog.mode' out."#]],
    );
    check(
        true,
        &[("format", "json"), ("changelog.operation-column", "opp")],
        expect![[r#"
            table 't' has no column 'opp' to write the kind of change to
            Did you mean 'op'? Known: k, op, v."#]],
    );
    check(
        true,
        &[("format", "json"), ("changelog.operation-column", "k")],
        expect![[r#"
            column 'k' of 'changelog.operation-column' is not a STRING
            It holds '+I', '-U', '+U' or '-D'."#]],
    );
}
