//! Pictures of what is parsed.

mod forms;
mod tables;

use expect_test::{Expect, expect};

use super::parse;
use super::statement::{ColumnDefKind, Insert, StatementKind};
use super::types::type_name;

/// A statement in a few lines.
fn picture(kind: &StatementKind) -> String {
    match kind {
        StatementKind::Select(s) => format!("{} [{:?}]", s.query, s.emit),
        StatementKind::Insert(i) => insert(i),
        StatementKind::StatementSet(set) => {
            set.iter().map(|i| format!("  {}\n", insert(i))).fold("set\n".into(), |a, b| a + &b)
        }
        StatementKind::Verify { runs, seed, statement } => {
            format!("verify {runs:?} {seed:?}: {}", picture(&statement.kind))
        }
        StatementKind::Explain { kind, statement } => format!("explain {kind:?}: {}", picture(&statement.kind)),
        StatementKind::CreateView(v) => {
            let columns: Vec<_> = v.columns.iter().map(|c| c.value.as_str()).collect();
            format!("view {}{columns:?} {}", v.name, v.query)
        }
        StatementKind::CreateTable(t) => {
            let mut out = format!("table {}\n", t.name);
            for c in t.columns.iter().flatten() {
                let null = |nullable: &bool| if *nullable { "" } else { " not null" };
                let what = match &c.kind {
                    ColumnDefKind::Physical { data_type, nullable } => type_name(data_type) + null(nullable),
                    ColumnDefKind::Metadata { data_type, nullable, key, is_virtual } => {
                        format!("{}{} metadata {key:?} virtual={is_virtual}", type_name(data_type), null(nullable))
                    }
                    ColumnDefKind::Computed { expr, text } => format!("= {text} -> {expr}"),
                };
                out += &format!("  {}: {what} {}\n", c.name, c.comment.as_deref().unwrap_or(""));
            }
            if let Some(w) = &t.watermark {
                out += &format!("  watermark {}: {}\n", w.column, w.text);
            }
            if let Some(key) = &t.primary_key {
                out += &format!("  key {:?}\n", key.iter().map(|c| &c.value).collect::<Vec<_>>());
            }
            if !t.partitioned_by.is_empty() {
                out += &format!("  by {:?}\n", t.partitioned_by.iter().map(|c| &c.value).collect::<Vec<_>>());
            }
            for (k, v) in &t.options {
                out += &format!("  {k} = {v}\n");
            }
            if let Some(like) = &t.like {
                out += &format!("  like {} {:?}\n", like.table, like.rules);
            }
            out
        }
        other => format!("{other:?}"),
    }
}

fn insert(i: &Insert) -> String {
    let columns: Vec<_> = i.columns.iter().map(|c| c.value.as_str()).collect();
    format!("insert {}{columns:?}{:?} {} [{:?}]", i.target, i.options, i.query, i.emit)
}

#[track_caller]
fn check(text: &str, expected: Expect) {
    let out = match parse(text) {
        Ok(statements) => statements.iter().map(|s| picture(&s.kind) + "\n").collect(),
        Err(e) => e.render(text) + "\n",
    };
    expected.assert_eq(&out);
}

#[test]
fn statements() {
    check("", expect![[""]]);
    check(
        "-- first\nSET 'a.b' = 'c'; set table.local-time-zone = Europe/Berlin; SET; RESET 'x'; RESET;\n\
         SHOW TABLES; SHOW CREATE TABLE `t 1`; SHOW COLUMNS FROM a.b; DESC t; /* end */",
        expect![[r#"
            Set { key: Name { value: "a.b", span: Span { line: 2, column: 5, len: 5 } }, value: "c" }
            Set { key: Name { value: "table.local-time-zone", span: Span { line: 2, column: 22, len: 21 } }, value: "Europe/Berlin" }
            ShowSet
            Reset(Some(Name { value: "x", span: Span { line: 2, column: 72, len: 3 } }))
            Reset(None)
            Show(Tables(None))
            Show(Create(Name { value: "t 1", span: Span { line: 3, column: 32, len: 5 } }))
            Show(Columns(Name { value: "a.b", span: Span { line: 3, column: 57, len: 1 } }))
            Describe(Name { value: "t", span: Span { line: 3, column: 67, len: 1 } })
        "#]],
    );
    check(
        "EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT 1; INSERT INTO b (x, y) VALUES (1, 2); END; SELECT 1;",
        expect![[r#"
            set
              insert a[][] SELECT 1 [Default]
              insert b["x", "y"][] VALUES (1, 2) [Default]

            SELECT 1 AS `1` [Default]
        "#]],
    );
    check(
        "BEGIN STATEMENT SET; INSERT INTO a SELECT CASE WHEN true THEN 1 END; END",
        expect![[r#"
        set
          insert a[][] SELECT CASE WHEN true THEN 1 END [Default]

    "#]],
    );
    check(
        "VERIFY SELECT 1; VERIFY 5 SELECT 1; VERIFY 7 SEED 9 SELECT 1",
        expect![[r#"
            verify None None: SELECT 1 AS `1` [Default]
            verify Some(5) None: SELECT 1 AS `1` [Default]
            verify Some(7) Some(9): SELECT 1 AS `1` [Default]
        "#]],
    );
    check(
        "EXPLAIN STATE SELECT 1; EXPLAIN PLAN FOR INSERT INTO t SELECT 1",
        expect![[r#"
            explain State: SELECT 1 AS `1` [Default]
            explain Default: insert t[][] SELECT 1 [Default]
        "#]],
    );
    check(
        "CREATE TEMPORARY VIEW v (a, b) AS SELECT 1, 2; DROP VIEW IF EXISTS v; DROP TABLE t",
        expect![[r#"
        view v["a", "b"] SELECT 1, 2
        Drop { view: true, name: Name { value: "v", span: Span { line: 1, column: 68, len: 1 } }, if_exists: true }
        Drop { view: false, name: Name { value: "t", span: Span { line: 1, column: 82, len: 1 } }, if_exists: false }
    "#]],
    );
}

#[test]
fn emit() {
    check(
        "SELECT * FROM t EMIT CHANGES",
        expect![[r#"
        SELECT * FROM t [Changes { every: None }]
    "#]],
    );
    check(
        "SELECT a emit FROM t AS t EMIT CHANGES EVERY INTERVAL '1.5' SECONDS;",
        expect![[r#"
        SELECT a AS emit FROM t AS t [Changes { every: Some(1500000) }]
    "#]],
    );
    check(
        "INSERT INTO s SELECT * FROM t EMIT ON WINDOW CLOSE",
        expect![[r#"
        insert s[][] SELECT * FROM t [OnWindowClose]
    "#]],
    );
    check(
        "SELECT 1 EMIT CHANGES EVERY INTERVAL '1' MONTH",
        expect![[r#"
        EMIT CHANGES EVERY needs an interval of a fixed length, such as INTERVAL '1' SECOND
          --> line 1, column 29
          |
        1 | SELECT 1 EMIT CHANGES EVERY INTERVAL '1' MONTH
          |                             ^^^^^^^^
    "#]],
    );
    check(
        "SELECT 1 EMIT CHANGES NOW",
        expect![[r#"
        expected the end of the statement, or ';', found NOW
          --> line 1, column 23
          |
        1 | SELECT 1 EMIT CHANGES NOW
          |                       ^^^
    "#]],
    );
}

#[test]
fn rows_with_one_key() {
    check(
        "INSERT INTO s SELECT a b FROM t ON CONFLICT DO DEDUPLICATE EMIT CHANGES",
        expect![[r#"
        insert s[][] SELECT a AS b FROM t [Changes { every: None }]
    "#]],
    );
    check(
        "INSERT INTO s SELECT 1 ON CONFLICT DO NOTHING",
        expect![[r#"
        ON CONFLICT DO NOTHING is not supported
          --> line 1, column 39
          |
        1 | INSERT INTO s SELECT 1 ON CONFLICT DO NOTHING
          |                                       ^^^^^^^
        hint: ON CONFLICT DO DEDUPLICATE is: of several rows with one key the greatest is written.
    "#]],
    );
}
