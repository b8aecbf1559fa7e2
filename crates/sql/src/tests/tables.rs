//! Statements that change and show the catalog.

use expect_test::expect;

use super::fixture::check;

#[test]
fn what_a_table_is() {
    check(
        "DESCRIBE bid; SHOW CREATE TABLE flights; SHOW TABLES; SHOW VIEWS; DESCRIBE dear; SHOW CREATE VIEW dear; DESCRIBE tidemill.late_rows",
        expect![[r#"
        +---------+------------------------------------------+------+-----+----------------------------+--------------------------+---------+
        | name    | type                                     | null | key | extras                     | watermark                | comment |
        +---------+------------------------------------------+------+-----+----------------------------+--------------------------+---------+
        | auction | BIGINT                                   | true |     |                            |                          |         |
        | bidder  | BIGINT                                   | true |     |                            |                          |         |
        | price   | BIGINT                                   | true |     |                            |                          |         |
        | channel | STRING                                   | true |     |                            |                          |         |
        | url     | STRING                                   | true |     |                            |                          |         |
        | extra   | ROW<`Kind` STRING, `tags` ARRAY<STRING>> | true |     |                            |                          |         |
        | ms      | BIGINT                                   | true |     |                            |                          |         |
        | ts      | TIMESTAMP_LTZ(3)                         | true |     | AS TO_TIMESTAMP_LTZ(ms, 3) | ts - INTERVAL '4' SECOND |         |
        +---------+------------------------------------------+------+-----+----------------------------+--------------------------+---------+
        +------------------------------------------------------+
        | result                                               |
        +------------------------------------------------------+
        | CREATE TABLE `flights` (                             |
        |   `Carrier` STRING,                                  |
        |   `delay` INT,                                       |
        |   `sched` TIMESTAMP(3),                              |
        |   `file` STRING METADATA FROM 'file.name' VIRTUAL,   |
        |   `late` AS delay > 15,                              |
        |   WATERMARK FOR `sched` AS sched - INTERVAL '1' HOUR |
        | ) WITH (                                             |
        |   'connector' = 'test',                              |
        |   'bounded' = 'true'                                 |
        | )                                                    |
        +------------------------------------------------------+
        +------------+
        | table name |
        +------------+
        | bid        |
        | flights    |
        | sink       |
        | dear       |
        +------------+
        +-----------+
        | view name |
        +-----------+
        | dear      |
        +-----------+
        +---------+------------------+-------+
        | name    | type             | null  |
        +---------+------------------+-------+
        | auction | BIGINT           | true  |
        | price   | BIGINT           | true  |
        | ts      | TIMESTAMP_LTZ(3) | false |
        +---------+------------------+-------+
        +--------------------------------------------------------------------------+
        | result                                                                   |
        +--------------------------------------------------------------------------+
        | CREATE VIEW dear AS SELECT auction, price, ts FROM bid WHERE price > 100 |
        +--------------------------------------------------------------------------+
        +------------+------------------+-------+
        | name       | type             | null  |
        +------------+------------------+-------+
        | source     | STRING           | true  |
        | operator   | STRING           | false |
        | event_time | TIMESTAMP_LTZ(6) | true  |
        | watermark  | TIMESTAMP_LTZ(6) | true  |
        | window_end | TIMESTAMP(6)     | true  |
        | row        | STRING           | true  |
        +------------+------------------+-------+
    "#]],
    );
}

#[test]
fn found_columns() {
    check(
        "CREATE TABLE t (upper AS UPPER(Name), WATERMARK FOR x AS x, x AS TO_TIMESTAMP_LTZ(id, 3)) WITH ('connector' = 'test'); SHOW CREATE TABLE t; SELECT upper FROM t",
        expect![[r#"
        table 't' created
        +-----------------------------------+
        | result                            |
        +-----------------------------------+
        | CREATE TABLE `t` (                |
        |   `id` BIGINT,                    |
        |   `Name` STRING,                  |
        |   `upper` AS UPPER(Name),         |
        |   `x` AS TO_TIMESTAMP_LTZ(id, 3), |
        |   WATERMARK FOR `x` AS x          |
        | ) WITH (                          |
        |   'connector' = 'test'            |
        | )                                 |
        +-----------------------------------+
        SubqueryAlias: t
          Projection: upper(t.Name) AS upper
            TableScan: t projection=[Name]
    "#]],
    );
}

#[test]
fn like() {
    check(
        "CREATE TABLE t (n INT) WITH ('path' = 'p') LIKE flights (EXCLUDING GENERATED OVERWRITING WATERMARKS); SHOW CREATE TABLE t",
        expect![[r#"
        table 't' created
        +------------------------------------------------------+
        | result                                               |
        +------------------------------------------------------+
        | CREATE TABLE `t` (                                   |
        |   `Carrier` STRING,                                  |
        |   `delay` INT,                                       |
        |   `sched` TIMESTAMP(3),                              |
        |   `file` STRING METADATA FROM 'file.name' VIRTUAL,   |
        |   `n` INT,                                           |
        |   WATERMARK FOR `sched` AS sched - INTERVAL '1' HOUR |
        | ) WITH (                                             |
        |   'path' = 'p',                                      |
        |   'connector' = 'test',                              |
        |   'bounded' = 'true'                                 |
        | )                                                    |
        +------------------------------------------------------+
    "#]],
    );
    check(
        "CREATE TABLE t (delay INT) LIKE flights",
        expect![[r#"
        column 'delay' is in 'flights' and in the new table
          --> line 1, column 33
          |
        1 | CREATE TABLE t (delay INT) LIKE flights
          |                                 ^^^^^^^
        hint: Write another name.
    "#]],
    );
    check(
        "CREATE TABLE t (WATERMARK FOR sched AS sched) LIKE flights",
        expect![[r#"
        a WATERMARK is in 'flights' and in the new table
          --> line 1, column 52
          |
        1 | CREATE TABLE t (WATERMARK FOR sched AS sched) LIKE flights
          |                                                    ^^^^^^^
        hint: Write OVERWRITING WATERMARKS.
    "#]],
    );
    check(
        "CREATE TABLE t (a INT) WITH ('connector' = 'test') LIKE bid (EXCLUDING ALL); SHOW CREATE TABLE t",
        expect![[r#"
        table 't' created
        +-----------------------------------------------------+
        | result                                              |
        +-----------------------------------------------------+
        | CREATE TABLE `t` (                                  |
        |   `auction` BIGINT,                                 |
        |   `bidder` BIGINT,                                  |
        |   `price` BIGINT,                                   |
        |   `channel` STRING,                                 |
        |   `url` STRING,                                     |
        |   `extra` ROW<`Kind` STRING, `tags` ARRAY<STRING>>, |
        |   `ms` BIGINT,                                      |
        |   `a` INT                                           |
        | ) WITH (                                            |
        |   'connector' = 'test'                              |
        | )                                                   |
        +-----------------------------------------------------+
    "#]],
    );
}

#[test]
fn settings() {
    check(
        "SET; SET 'workers' = '3'; SET; SET pipeline.name = 'x'; RESET workers; SET",
        expect![[r#"
        +-----+-------+
        | key | value |
        +-----+-------+
        +-----+-------+
        workers = 3
        +---------+-------+
        | key     | value |
        +---------+-------+
        | workers | 3     |
        +---------+-------+
        accepted, has no effect: 'pipeline.name'
        reset
        +-----+-------+
        | key | value |
        +-----+-------+
        +-----+-------+
    "#]],
    );
    check(
        "SET 'allowed-latenes' = '3'",
        expect![[r#"
            there is no setting 'allowed-latenes'
              --> line 1, column 5
              |
            1 | SET 'allowed-latenes' = '3'
              |     ^^^^^^^^^^^^^^^^^
            hint: Did you mean 'allowed-lateness'? Known: table.local-time-zone, allowed-lateness, state.unbounded, state.ttl, source.idle-timeout, workers, late-rows.keep, rejected-rows.keep, execution.epoch-rows, sink.publish-interval.
        "#]],
    );
    check(
        "SET 'table.local-time-zone' = 'Europe/Atlantis'",
        expect![[r#"
        there is no time zone 'Europe/Atlantis'
          --> line 1, column 5
          |
        1 | SET 'table.local-time-zone' = 'Europe/Atlantis'
          |     ^^^^^^^^^^^^^^^^^^^^^^^
        hint: Write 'UTC' or a name such as 'Europe/Berlin'.
    "#]],
    );
}

#[test]
fn drops() {
    check(
        "DROP TABLE bid; DROP VIEW IF EXISTS dear; DROP TABLE IF EXISTS nothing; SHOW TABLES",
        expect![[r#"
        table 'bid' dropped
        view 'dear' dropped
        there is no table 'nothing'
        +------------+
        | table name |
        +------------+
        | flights    |
        | sink       |
        +------------+
    "#]],
    );
    check(
        "DROP TABLE dear",
        expect![[r#"
        'dear' is a view, not a table
          --> line 1, column 12
          |
        1 | DROP TABLE dear
          |            ^^^^
        hint: Write DROP VIEW.
    "#]],
    );
    check(
        "DROP VIEW dera",
        expect![[r#"
        there is no table 'dera'
          --> line 1, column 11
          |
        1 | DROP VIEW dera
          |           ^^^^
        hint: Did you mean 'dear'? Known: bid, dear, flights, sink, tidemill.late_rows, tidemill.rejected_rows.
    "#]],
    );
    check(
        "DROP TABLE bid; SELECT * FROM dear",
        expect![[r#"
        in view 'dear': there is no table 'bid'
          --> line 1, column 31
          |
        1 | DROP TABLE bid; SELECT * FROM dear
          |                               ^^^^
        hint: Known: dear, flights, sink, tidemill.late_rows, tidemill.rejected_rows.
    "#]],
    );
    check(
        "CREATE VIEW IF NOT EXISTS dear AS SELECT 1; CREATE OR REPLACE VIEW dear (x) AS SELECT 1; SELECT x FROM dear",
        expect![[r#"
        'dear' is there already
        view 'dear' created
        SubqueryAlias: dear
          Projection: Int64(1) AS x
            EmptyRelation: rows=1
    "#]],
    );
}
