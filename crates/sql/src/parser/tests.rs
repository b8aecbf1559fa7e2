//! Pictures of what is parsed.

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
fn windows() {
    check(
        "SELECT * FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), INTERVAL '10' MINUTES)) AS w",
        expect![[r#"
        SELECT * FROM TABLE(TUMBLE(TABLE(bid), DESCRIPTOR(ts), INTERVAL '0 months 0 days 600000000000 nanoseconds')) AS w [Default]
    "#]],
    );
    check(
        "SELECT * FROM TABLE(HOP(DATA => TABLE `Bid`, TIMECOL => DESCRIPTOR(ts), SLIDE => INTERVAL '5' MINUTES, SIZE => INTERVAL '1:30' MINUTE TO SECOND))",
        expect![[r#"
            SELECT * FROM TABLE(HOP(DATA => TABLE(`Bid`), TIMECOL => DESCRIPTOR(ts), SLIDE => INTERVAL '0 months 0 days 300000000000 nanoseconds', SIZE => INTERVAL '0 months 0 days 90000000000 nanoseconds')) [Default]
        "#]],
    );
    check(
        "SELECT * FROM TABLE(SESSION(TABLE bid PARTITION BY a, b.c, DESCRIPTOR(ts), INTERVAL '5' MINUTES))",
        expect![[r#"
        SELECT * FROM TABLE(SESSION(TABLE(bid, a, b.c), DESCRIPTOR(ts), INTERVAL '0 months 0 days 300000000000 nanoseconds')) [Default]
    "#]],
    );
    check(
        "SELECT * FROM TABLE(SESSION(TABLE bid PARTITION BY (a, b), DESCRIPTOR(ts), INTERVAL '5' MINUTES))",
        expect![[r#"
        SELECT * FROM TABLE(SESSION(TABLE(bid, a, b), DESCRIPTOR(ts), INTERVAL '0 months 0 days 300000000000 nanoseconds')) [Default]
    "#]],
    );
    check(
        "SELECT * FROM CUMULATE((SELECT * FROM bid), ts, INTERVAL '1' MINUTE, INTERVAL '1' HOUR) w",
        expect![[r#"
        SELECT * FROM CUMULATE((SELECT * FROM bid), ts, INTERVAL '0 months 0 days 60000000000 nanoseconds', INTERVAL '0 months 0 days 3600000000000 nanoseconds') w [Default]
    "#]],
    );
    check(
        "SELECT TUMBLE_START(ts, INTERVAL '1' DAY) FROM t GROUP BY TUMBLE(ts, INTERVAL '1' DAY)",
        expect![[r#"
            SELECT TUMBLE_START(ts, INTERVAL '0 months 1 days 0 nanoseconds') AS `TUMBLE_START(ts, INTERVAL '1' DAY)` FROM t GROUP BY TUMBLE(ts, INTERVAL '0 months 1 days 0 nanoseconds') [Default]
        "#]],
    );
}

#[test]
fn hints() {
    check(
        "SELECT * FROM t /*+ OPTIONS('a' = 'b', 'c.d'='e') */ AS x JOIN u ON true",
        expect![[r#"
        SELECT * FROM t AS x WITH ('a' = 'b', 'c.d' = 'e') JOIN u ON true [Default]
    "#]],
    );
    check(
        "INSERT INTO s /*+ OPTIONS('a'='b') */ SELECT * FROM TABLE(TUMBLE(TABLE t /*+ OPTIONS('c'='d') */, DESCRIPTOR(ts), INTERVAL '1' DAY))",
        expect![[r#"
            insert s[][("a", "b")] SELECT * FROM TABLE(TUMBLE(TABLE((SELECT * FROM t WITH ('c' = 'd'))), DESCRIPTOR(ts), INTERVAL '0 months 1 days 0 nanoseconds')) [Default]
        "#]],
    );
    check(
        "SELECT /*+ FASTER(t) */ * FROM t",
        expect![[r#"
        the hint /*+ FASTER(t) */ is not supported
          --> line 1, column 8
          |
        1 | SELECT /*+ FASTER(t) */ * FROM t
          |        ^^^
        hint: Known: /*+ OPTIONS('key' = 'value') */ behind the name of a table, /*+ STATE_TTL('table' = '1 day') */ behind SELECT.
    "#]],
    );
    check(
        "SELECT a /*+ OPTIONS('a'='b') */ FROM t",
        expect![[r#"
        a hint stands behind the name of a table
          --> line 1, column 10
          |
        1 | SELECT a /*+ OPTIONS('a'='b') */ FROM t
          |          ^^^
    "#]],
    );
    check(
        "SELECT * FROM t /*+ OPTIONS('a') */",
        expect![[r#"
        the hint does not read as OPTIONS('key' = 'value'): expected =, found )
          --> line 1, column 17
          |
        1 | SELECT * FROM t /*+ OPTIONS('a') */
          |                 ^^^
    "#]],
    );
}

#[test]
fn expressions() {
    check(
        "SELECT TIMESTAMPDIFF(MINUTE, a, b), TIMESTAMPADD(SQL_TSI_DAY, 1, ts), FLOOR(ts TO HOUR), CEIL(ts TO DAY), FLOOR(1.5)",
        expect![[r#"
            SELECT timestampdiff('MINUTE', a, b) AS `TIMESTAMPDIFF(MINUTE, a, b)`, timestampadd('DAY', 1, ts) AS `TIMESTAMPADD(SQL_TSI_DAY, 1, ts)`, floor_time(ts, 'HOUR') AS `FLOOR(ts TO HOUR)`, ceil_time(ts, 'DAY') AS `CEIL(ts TO DAY)`, FLOOR(1.5) AS `FLOOR(1.5)` [Default]
        "#]],
    );
    check(
        "SELECT CAST(a AS STRING), TRY_CAST(b AS TIMESTAMP_LTZ(3)), CAST(c AS ROW<x INT>), CAST(d AS VARCHAR(3)), CAST(e AS CHAR(2))",
        expect![[r#"
            SELECT CAST(a AS tidemill_type(STRING)) AS `CAST(a AS STRING)`, TRY_CAST(b AS tidemill_type(TIMESTAMP_LTZ(3))) AS `TRY_CAST(b AS TIMESTAMP_LTZ(3))`, CAST(c AS tidemill_type(ROW<`x` INT>)) AS `CAST(c AS ROW<x INT>)`, left(CAST(d AS tidemill_type(STRING)), 3) AS `CAST(d AS VARCHAR(3))`, rpad(CAST(e AS tidemill_type(STRING)), 2, ' ') AS `CAST(e AS CHAR(2))` [Default]
        "#]],
    );
    check(
        "SELECT MAP['a', 1], ARRAY[1, 2], ROW(1, 'a'), user, u.user, t.nested.field, arr[1]",
        expect![[r#"
            SELECT MAP {'a': 1} AS `MAP['a', 1]`, make_array(1, 2) AS `ARRAY[1, 2]`, ROW(1, 'a') AS `ROW(1, 'a')`, user, u.user, t.nested.field, arr[1] AS `arr[1]` [Default]
        "#]],
    );
    check(
        "SELECT x IS JSON, y IS NOT JSON OBJECT, JSON_VALUE(x, '$.a' RETURNING INT NULL ON EMPTY)",
        expect![[r#"
            SELECT is_json(x), NOT is_json(y, 'OBJECT') AS `y IS NOT JSON OBJECT`, TRY_CAST(json_value(x, '$.a') AS tidemill_type(INT)) AS `JSON_VALUE(x, '$.a' RETURNING INT NULL ON EMPTY)` [Default]
        "#]],
    );
    check(
        "SELECT INTERVAL '1' DAY + INTERVAL '-2' HOUR, INTERVAL '1 10:00:00' DAY TO SECOND, - INTERVAL '1' YEAR",
        expect![[r#"
            SELECT INTERVAL '0 months 1 days 0 nanoseconds' + INTERVAL '0 months 0 days -7200000000000 nanoseconds' AS `INTERVAL '1' DAY + INTERVAL '-2' HOUR`, INTERVAL '0 months 1 days 36000000000000 nanoseconds' AS `INTERVAL '1 10:00:00' DAY TO SECOND`, INTERVAL '-12 months 0 days 0 nanoseconds' AS `- INTERVAL '1' YEAR` [Default]
        "#]],
    );
    check(
        "SELECT DATE '2020-01-01', TIMESTAMP '2020-01-01 00:00:00', TIME '10:00:00', date, time, timestamp, value, interval FROM t",
        expect![[r#"
            SELECT DATE '2020-01-01' AS `DATE '2020-01-01'`, TIMESTAMP '2020-01-01 00:00:00' AS `TIMESTAMP '2020-01-01 00:00:00'`, TIME '10:00:00' AS `TIME '10:00:00'`, date, time, timestamp, value, interval FROM t [Default]
        "#]],
    );
    check(
        "SELECT EXTRACT(HOUR FROM ts), POSITION('a' IN b), TRIM(BOTH ' ' FROM c), OVERLAY(a PLACING b FROM 1), a LIKE 'x!%' ESCAPE '!', a SIMILAR TO b, a IS DISTINCT FROM b",
        expect![[r#"
            SELECT EXTRACT(HOUR FROM ts) AS `EXTRACT(HOUR FROM ts)`, POSITION('a' IN b) AS `POSITION('a' IN b)`, TRIM(BOTH ' ' FROM c) AS `TRIM(BOTH ' ' FROM c)`, OVERLAY(a PLACING b FROM 1) AS `OVERLAY(a PLACING b FROM 1)`, a LIKE 'x\%' AS `a LIKE 'x!%' ESCAPE '!'`, a SIMILAR TO b AS `a SIMILAR TO b`, a IS DISTINCT FROM b AS `a IS DISTINCT FROM b` [Default]
        "#]],
    );
    check(
        "SELECT a FROM t FETCH FIRST 3 ROWS ONLY",
        expect![[r#"
        SELECT a FROM t LIMIT 3 [Default]
    "#]],
    );
    check(
        "SELECT * FROM t CROSS JOIN UNNEST(arr) AS u(x)",
        expect![[r#"
        SELECT * FROM t CROSS JOIN UNNEST(arr) AS u (x) [Default]
    "#]],
    );
}

#[test]
fn create_table() {
    check(
        "CREATE TEMPORARY TABLE IF NOT EXISTS `Orders` (
           id BIGINT NOT NULL PRIMARY KEY NOT ENFORCED COMMENT 'the id',
           item ROW<name STRING 'its name', tags ARRAY<ROW<k STRING, v MAP<STRING, INT>>>>,
           ms BIGINT,
           ts AS TO_TIMESTAMP_LTZ(ms, 3) COMMENT 'when',
           file STRING METADATA FROM 'file.name' VIRTUAL,
           `offset` BIGINT METADATA,
           WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
         ) COMMENT 'all of them' PARTITIONED BY (day, hour) WITH ('connector' = 'filesystem', format = 'json', json.x-y = true)",
        expect![[r#"
            table Orders
              id: BIGINT not null the id
              item: ROW<`name` STRING, `tags` ARRAY<ROW<`k` STRING, `v` MAP<STRING, INT>>>> 
              ms: BIGINT 
              ts: = TO_TIMESTAMP_LTZ(ms, 3) -> TO_TIMESTAMP_LTZ(ms, 3) when
              file: STRING metadata Some("file.name") virtual=true 
              offset: BIGINT metadata None virtual=false 
              watermark ts: ts - INTERVAL '5' SECOND
              key ["id"]
              by ["day", "hour"]
              connector = filesystem
              format = json
              json.x-y = true

        "#]],
    );
    check(
        "CREATE TABLE t WITH ('connector' = 'datagen')",
        expect![[r#"
        table t
          connector = datagen

    "#]],
    );
    check(
        "CREATE TABLE t (WATERMARK FOR a AS a, CONSTRAINT pk PRIMARY KEY (a, b) NOT ENFORCED) LIKE u (INCLUDING ALL EXCLUDING OPTIONS OVERWRITING WATERMARKS)",
        expect![[r#"
        table t
          watermark a: a
          key ["a", "b"]
          like u [(Including, All), (Excluding, Options), (Overwriting, Watermarks)]

    "#]],
    );
}

#[test]
fn wrong() {
    check(
        "SELECT a FROM t WHERE",
        expect![[r#"
        expected an expression, found the end of the statement
          --> line 1, column 21
          |
        1 | SELECT a FROM t WHERE
          |                     ^
    "#]],
    );
    check(
        "SELEC 1",
        expect![[r#"
        expected a statement, such as SELECT, INSERT INTO or CREATE TABLE, found SELEC
          --> line 1, column 1
          |
        1 | SELEC 1
          | ^^^^^
    "#]],
    );
    check(
        "SELECT 1;\n\nSELECT 'abc",
        expect![[r#"
        unterminated string literal
          --> line 3, column 8
          |
        3 | SELECT 'abc
          |        ^
    "#]],
    );
    check(
        "CREATE TABLE t (\n  a INT,\n  b BLOB\n)",
        expect![[r#"
        there is no type 'BLOB'; the types are BOOLEAN, TINYINT, SMALLINT, INT, BIGINT, FLOAT, DOUBLE, DECIMAL, STRING, VARCHAR, CHAR, BYTES, VARBINARY, BINARY, DATE, TIME, TIMESTAMP, TIMESTAMP_LTZ, ROW, ARRAY, MAP
          --> line 3, column 5
          |
        3 |   b BLOB
          |     ^^^^
    "#]],
    );
    check(
        "CREATE TABLE t (a INT, PRIMARY KEY (a) ENFORCED)",
        expect![[r#"
            a PRIMARY KEY is not checked
              --> line 1, column 24
              |
            1 | CREATE TABLE t (a INT, PRIMARY KEY (a) ENFORCED)
              |                        ^^^^^^^
            hint: Write PRIMARY KEY (..) NOT ENFORCED.
        "#]],
    );
    check(
        "CREATE TABLE t (a INTERVAL DAY)",
        expect![[r#"
        type INTERVAL is not supported
          --> line 1, column 19
          |
        1 | CREATE TABLE t (a INTERVAL DAY)
          |                   ^^^^^^^^
    "#]],
    );
    check(
        "CREATE TABLE t (a INT) AS SELECT 1",
        expect![[r#"
            the columns of CREATE TABLE .. AS SELECT come from the query alone
              --> line 1, column 24
              |
            1 | CREATE TABLE t (a INT) AS SELECT 1
              |                        ^^
            hint: Leave them out, or write CREATE TABLE with its columns, then INSERT INTO it.
        "#]],
    );
    check(
        "CREATE TABLE t (WATERMARK FOR a.b AS a.b)",
        expect![[r#"
        WATERMARK FOR needs a column of the table, not a field of one
          --> line 1, column 32
          |
        1 | CREATE TABLE t (WATERMARK FOR a.b AS a.b)
          |                                ^
        hint: Make the field a column: name AS row_column.field.
    "#]],
    );
    check(
        "CREATE MATERIALIZED VIEW v AS SELECT 1",
        expect![[r#"
        CREATE MATERIALIZED VIEW is not supported yet
          --> line 1, column 8
          |
        1 | CREATE MATERIALIZED VIEW v AS SELECT 1
          |        ^^^^^^^^^^^^
        hint: CREATE VIEW names a query; INSERT INTO keeps its result.
    "#]],
    );
    check(
        "CREATE DATABASE d",
        expect![[r#"
            CREATE DATABASE is not supported
              --> line 1, column 8
              |
            1 | CREATE DATABASE d
              |        ^^^^^^^^
            hint: There is one database, default_database.
        "#]],
    );
    check(
        "INSERT OVERWRITE t SELECT 1",
        expect![[r#"
            insert t[][] SELECT 1 [Default]
        "#]],
    );
    check(
        "SELECT * FROM orders JOIN rates FOR SYSTEM_TIME AS OF orders.ts ON true",
        expect![[r#"
            SELECT * FROM orders JOIN rates FOR SYSTEM_TIME AS OF orders.ts ON true [Default]
        "#]],
    );
    check(
        "SELECT * FROM t, LATERAL TABLE(f(x))",
        expect![[r#"
            LATERAL with a table function is not supported
              --> line 1, column 26
              |
            1 | SELECT * FROM t, LATERAL TABLE(f(x))
              |                          ^^^^^
            hint: The version of a table at a time is joined so: o JOIN t FOR SYSTEM_TIME AS OF o.ts AS t ON o.key = t.key.
        "#]],
    );
    check(
        "SELECT * FROM t MATCH_RECOGNIZE (PATTERN (A) DEFINE A AS true)",
        expect![[r#"
        MATCH_RECOGNIZE is not supported
          --> line 1, column 15
          |
        1 | SELECT * FROM t MATCH_RECOGNIZE (PATTERN (A) DEFINE A AS true)
          |               ^
    "#]],
    );
    check(
        "EXECUTE STATEMENT SET BEGIN INSERT INTO t SELECT 1;",
        expect![[r#"
        the STATEMENT SET has no END
          --> line 1, column 1
          |
        1 | EXECUTE STATEMENT SET BEGIN INSERT INTO t SELECT 1;
          | ^^^^^^^
    "#]],
    );
    check(
        "SELECT INTERVAL 'x' SECOND",
        expect![[r#"
        'x' is not an interval of these units
          --> line 1, column 17
          |
        1 | SELECT INTERVAL 'x' SECOND
          |                 ^^^
    "#]],
    );
    check(
        "UPDATE t SET a = 1",
        expect![[r#"
            UPDATE is not supported
              --> line 1, column 1
              |
            1 | UPDATE t SET a = 1
              | ^^^^^^
            hint: Rows are updated by the changes of their source: see 'changelog.mode' and 'changelog.operation-column'.
        "#]],
    );
    check(
        "SELECT MAP['a']",
        expect![[r#"
        MAP[..] needs a value for each key
          --> line 1, column 8
          |
        1 | SELECT MAP['a']
          |        ^^^
    "#]],
    );
    check(
        "SELECT 1 SELECT 2",
        expect![[r#"
        expected the end of the statement, or ';', found SELECT
          --> line 1, column 10
          |
        1 | SELECT 1 SELECT 2
          |          ^^^^^^
    "#]],
    );
    check(
        "CREATE TABLE t (a DECIMAL(5, 7)) WITH ('a' = 'b', 'a' = 'c')",
        expect![[r#"
        DECIMAL(5, 7) does not exist: the precision is from 1 to 76, the scale not above it
          --> line 1, column 26
          |
        1 | CREATE TABLE t (a DECIMAL(5, 7)) WITH ('a' = 'b', 'a' = 'c')
          |                          ^
    "#]],
    );
    check(
        "CREATE TABLE t (a INT) WITH ('a' = 'b', 'a' = 'c')",
        expect![[r#"
        option 'a' is given twice
          --> line 1, column 41
          |
        1 | CREATE TABLE t (a INT) WITH ('a' = 'b', 'a' = 'c')
          |                                         ^^^
    "#]],
    );
}
