//! `CREATE TABLE`, and what is wrong with a text.

use expect_test::expect;

use super::*;

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
