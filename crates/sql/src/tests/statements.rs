//! Statements of other dialects that say what this one says in other words.

use expect_test::expect;

use super::fixture::check;
use crate::parser::statement::ExplainKind;
use crate::parser::{StatementKind, parse};

#[test]
fn columns_keys_and_watermarks_in_other_words() {
    check(
        "CREATE TABLE t (id INT PRIMARY KEY, r STRUCT<a INT>, m MULTISET<STRING>, twice BIGINT GENERATED ALWAYS AS (id * 2) STORED, ts TIMESTAMP(3), WATERMARK FOR ts) WITH ('connector' = 'test'); SHOW CREATE TABLE t",
        expect![[r#"
            table 't' created
            +--------------------------------------+
            | result                               |
            +--------------------------------------+
            | CREATE TABLE `t` (                   |
            |   `id` INT NOT NULL,                 |
            |   `r` ROW<`a` INT>,                  |
            |   `m` ARRAY<STRING>,                 |
            |   `twice` AS CAST(id * 2 AS BIGINT), |
            |   `ts` TIMESTAMP(3),                 |
            |   WATERMARK FOR `ts` AS `ts`,        |
            |   PRIMARY KEY (`id`) NOT ENFORCED    |
            | ) WITH (                             |
            |   'connector' = 'test'               |
            | )                                    |
            +--------------------------------------+
        "#]],
    );
    check(
        "CREATE TABLE t (a INT) WITH ('connector' = 'test'); CREATE OR REPLACE TABLE t (b INT) WITH ('connector' = 'test'); DESCRIBE t",
        expect![[r#"
            table 't' created
            table 't' replaced
            +------+------+------+-----+--------+-----------+---------+
            | name | type | null | key | extras | watermark | comment |
            +------+------+------+-----+--------+-----------+---------+
            | b    | INT  | true |     |        |           |         |
            +------+------+------+-----+--------+-----------+---------+
        "#]],
    );
}

#[test]
fn tables_of_a_query() {
    check(
        "CREATE TABLE t WITH ('connector' = 'test') AS SELECT auction, COUNT(*) AS n FROM bid GROUP BY auction",
        expect![[r#"
            table 't' created
            into t
            Projection: bid.auction, count(Int64(1)) AS n
              Aggregate: groupBy=[[bid.auction]], aggr=[[count(Int64(1))]]
                SubqueryAlias: bid
                  TableScan: bid projection=[auction]
        "#]],
    );
    check(
        "CREATE TABLE t (a INT) WITH ('connector' = 'test') AS SELECT 1",
        expect![[r#"
        the columns of CREATE TABLE .. AS SELECT come from the query alone
          --> line 1, column 52
          |
        1 | CREATE TABLE t (a INT) WITH ('connector' = 'test') AS SELECT 1
          |                                                    ^^
        hint: Leave them out, or write CREATE TABLE with its columns, then INSERT INTO it.
    "#]],
    );
    check(
        "CREATE TABLE IF NOT EXISTS t WITH ('connector' = 'test') AS SELECT 1 AS a",
        expect![[r#"
        CREATE TABLE IF NOT EXISTS .. AS SELECT is not supported
          --> line 1, column 58
          |
        1 | CREATE TABLE IF NOT EXISTS t WITH ('connector' = 'test') AS SELECT 1 AS a
          |                                                          ^^
        hint: Write CREATE TABLE IF NOT EXISTS with its columns, then INSERT INTO it.
    "#]],
    );
    check(
        "CREATE TABLE t WITH ('connector' = 'test') AS SELECT NULL AS a",
        expect![[r#"
        column 'a' of the query is NULL, which no table can have
          --> line 1, column 44
          |
        1 | CREATE TABLE t WITH ('connector' = 'test') AS SELECT NULL AS a
          |                                            ^^
        hint: Cast it to the type that it is to have.
    "#]],
    );
}

#[test]
fn the_one_catalog_and_database() {
    check(
        "SHOW CATALOGS; SHOW DATABASES; USE CATALOG default_catalog; CREATE DATABASE IF NOT EXISTS default_database",
        expect![[r#"
            +-----------------+
            | catalog name    |
            +-----------------+
            | default_catalog |
            +-----------------+
            +------------------+
            | database name    |
            +------------------+
            | default_database |
            +------------------+
            'default_catalog' is there and in use
            'default_database' is there and in use
        "#]],
    );
    check(
        "SHOW TABLES LIKE '_i%'; SHOW TABLES FROM default_catalog.default_database LIKE 'b%'",
        expect![[r#"
        +------------+
        | table name |
        +------------+
        | bid        |
        | sink       |
        +------------+
        +------------+
        | table name |
        +------------+
        | bid        |
        +------------+
    "#]],
    );
    check(
        "USE other",
        expect![[r#"
        there is no catalog or database 'other'
          --> line 1, column 5
          |
        1 | USE other
          |     ^^^^^
        hint: All tables are in the database default_database of the catalog default_catalog.
    "#]],
    );
    check(
        "SHOW TABLES FROM other",
        expect![[r#"
        there is no catalog or database 'other'
          --> line 1, column 18
          |
        1 | SHOW TABLES FROM other
          |                  ^^^^^
        hint: All tables are in the database default_database of the catalog default_catalog.
    "#]],
    );
}

#[test]
fn fields_of_rows_go_by_place() {
    check(
        "CREATE TABLE t (r ROW<a INT, b STRING>) WITH ('connector' = 'test'); INSERT INTO t SELECT ROW(auction, channel) FROM bid",
        expect![[r#"
            table 't' created
            into t
            Projection: CASE WHEN struct(bid.auction, bid.channel) IS NOT NULL THEN named_struct(Utf8("a"), CAST(__datafusion_extracted_1 AS Int32), Utf8("b"), __datafusion_extracted_2) END AS r
              SubqueryAlias: bid
                Projection: bid.auction, bid.channel, bid.auction AS __datafusion_extracted_1, bid.channel AS __datafusion_extracted_2
                  TableScan: bid projection=[auction, channel]
        "#]],
    );
}

#[test]
fn explain_with_details() {
    for text in ["EXPLAIN CHANGELOG_MODE, PLAN_ADVICE SELECT 1", "EXPLAIN PLAN FOR SELECT 1"] {
        let statement = parse(text).unwrap().remove(0);
        assert!(matches!(statement.kind, StatementKind::Explain { kind: ExplainKind::Default, .. }), "{text}");
    }
}
