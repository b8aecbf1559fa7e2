//! `ALTER`, `INSERT .. PARTITION`, and what is refused with a word on what to do instead.

use expect_test::expect;

use super::fixture::check;

const TABLE: &str = "CREATE TABLE t (id BIGINT, k STRING, ms BIGINT, n AS id + 1, ts AS TO_TIMESTAMP_LTZ(ms, 3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND, PRIMARY KEY (id) NOT ENFORCED) PARTITIONED BY (k) WITH ('connector' = 'test'); ";

#[track_caller]
fn of_table(text: &str, expected: expect_test::Expect) {
    check(&format!("{TABLE}{text}"), expected);
}

#[test]
fn a_table_is_changed() {
    of_table(
        "ALTER TABLE t RENAME TO u; ALTER TABLE u SET ('path' = 'x', 'bounded' = 'true'); ALTER TABLE u RESET ('bounded');
         ALTER TABLE u ADD (z INT COMMENT 'last', y AS id * 2 FIRST); ALTER TABLE u ADD x DOUBLE AFTER id;
         ALTER TABLE u RENAME k TO kind; ALTER TABLE u DROP (z, n); ALTER TABLE u MODIFY x INT NOT NULL;
         ALTER TABLE u MODIFY WATERMARK FOR ts AS ts - INTERVAL '5' SECOND; SHOW CREATE TABLE u",
        expect![[r#"
            table 't' created
            table 't' is now 'u'
            table 'u' altered
            table 'u' altered
            table 'u' altered
            table 'u' altered
            table 'u' altered
            table 'u' altered
            table 'u' altered
            table 'u' altered
            +---------------------------------------------------+
            | result                                            |
            +---------------------------------------------------+
            | CREATE TABLE `u` (                                |
            |   `y` AS id * 2,                                  |
            |   `id` BIGINT NOT NULL,                           |
            |   `x` INT NOT NULL,                               |
            |   `kind` STRING,                                  |
            |   `ms` BIGINT,                                    |
            |   `ts` AS TO_TIMESTAMP_LTZ(ms, 3),                |
            |   WATERMARK FOR `ts` AS ts - INTERVAL '5' SECOND, |
            |   PRIMARY KEY (`id`) NOT ENFORCED                 |
            | ) PARTITIONED BY (`kind`) WITH (                  |
            |   'connector' = 'test',                           |
            |   'path' = 'x'                                    |
            | )                                                 |
            +---------------------------------------------------+
        "#]],
    );
    of_table(
        "ALTER TABLE t DROP WATERMARK; ALTER TABLE t DROP PRIMARY KEY; ALTER TABLE t RENAME ID TO number",
        expect![[r#"
            column 'n' needs column 'id'
              --> line 1, column 301
              |
            1 | CREATE TABLE t (id BIGINT, k STRING, ms BIGINT, n AS id + 1, ts AS TO_TIMESTAMP_LTZ(ms, 3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND, PRIMARY KEY (id) NOT ENFORCED) PARTITIONED BY (k) WITH ('connector' = 'test'); ALTER TABLE t DROP WATERMARK; ALTER TABLE t DROP PRIMARY KEY; ALTER TABLE t RENAME ID TO number
              |                                                                                                                                                                                                                                                                                                             ^^
            hint: Change that first, with MODIFY or DROP.
        "#]],
    );
    of_table(
        "ALTER TABLE t DROP WATERMARK; ALTER TABLE t DROP n; ALTER TABLE t RENAME ID TO number; DESCRIBE t",
        expect![[r#"
            table 't' created
            table 't' altered
            table 't' altered
            table 't' altered
            +--------+------------------+-------+-----+----------------------------+-----------+---------+
            | name   | type             | null  | key | extras                     | watermark | comment |
            +--------+------------------+-------+-----+----------------------------+-----------+---------+
            | number | BIGINT           | false | PRI |                            |           |         |
            | k      | STRING           | true  |     |                            |           |         |
            | ms     | BIGINT           | true  |     |                            |           |         |
            | ts     | TIMESTAMP_LTZ(3) | true  |     | AS TO_TIMESTAMP_LTZ(ms, 3) |           |         |
            +--------+------------------+-------+-----+----------------------------+-----------+---------+
        "#]],
    );
    of_table(
        "CREATE VIEW v AS SELECT id FROM t; ALTER TABLE t ADD w INT; SELECT * FROM v",
        expect![[r#"
        table 't' created
        view 'v' created
        table 't' altered
        SubqueryAlias: v
          SubqueryAlias: t
            TableScan: t projection=[id]
    "#]],
    );
}

#[test]
fn what_something_else_needs_stays() {
    of_table(
        "ALTER TABLE t DROP ms",
        expect![[r#"
        column 'ts' needs column 'ms'
          --> line 1, column 237
          |
        1 | CREATE TABLE t (id BIGINT, k STRING, ms BIGINT, n AS id + 1, ts AS TO_TIMESTAMP_LTZ(ms, 3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND, PRIMARY KEY (id) NOT ENFORCED) PARTITIONED BY (k) WITH ('connector' = 'test'); ALTER TABLE t DROP ms
          |                                                                                                                                                                                                                                             ^^
        hint: Change that first, with MODIFY or DROP.
    "#]],
    );
    of_table(
        "ALTER TABLE t DROP k",
        expect![[r#"
        PARTITIONED BY needs column 'k'
          --> line 1, column 237
          |
        1 | CREATE TABLE t (id BIGINT, k STRING, ms BIGINT, n AS id + 1, ts AS TO_TIMESTAMP_LTZ(ms, 3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND, PRIMARY KEY (id) NOT ENFORCED) PARTITIONED BY (k) WITH ('connector' = 'test'); ALTER TABLE t DROP k
          |                                                                                                                                                                                                                                             ^
        hint: Change that first, with MODIFY or DROP.
    "#]],
    );
    of_table(
        "ALTER TABLE t DROP ts",
        expect![[r#"
        the WATERMARK needs column 'ts'
          --> line 1, column 237
          |
        1 | CREATE TABLE t (id BIGINT, k STRING, ms BIGINT, n AS id + 1, ts AS TO_TIMESTAMP_LTZ(ms, 3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND, PRIMARY KEY (id) NOT ENFORCED) PARTITIONED BY (k) WITH ('connector' = 'test'); ALTER TABLE t DROP ts
          |                                                                                                                                                                                                                                             ^^
        hint: Change that first, with MODIFY or DROP.
    "#]],
    );
    of_table(
        "ALTER TABLE t ADD id INT",
        expect![[r#"
        there is a column 'id' already
          --> line 1, column 236
          |
        1 | CREATE TABLE t (id BIGINT, k STRING, ms BIGINT, n AS id + 1, ts AS TO_TIMESTAMP_LTZ(ms, 3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND, PRIMARY KEY (id) NOT ENFORCED) PARTITIONED BY (k) WITH ('connector' = 'test'); ALTER TABLE t ADD id INT
          |                                                                                                                                                                                                                                            ^^
    "#]],
    );
    of_table(
        "ALTER TABLE t SET ('connector' = 'other')",
        expect![[r#"
        ALTER TABLE cannot change the connector of a table
          --> line 1, column 237
          |
        1 | CREATE TABLE t (id BIGINT, k STRING, ms BIGINT, n AS id + 1, ts AS TO_TIMESTAMP_LTZ(ms, 3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND, PRIMARY KEY (id) NOT ENFORCED) PARTITIONED BY (k) WITH ('connector' = 'test'); ALTER TABLE t SET ('connector' = 'other')
          |                                                                                                                                                                                                                                             ^^^^^^^^^^^
        hint: Write CREATE OR REPLACE TABLE.
    "#]],
    );
    of_table(
        "ALTER TABLE t RESET ('paht')",
        expect![[r#"
        option 'paht' cannot be reset: it is not one that was given
          --> line 1, column 239
          |
        1 | CREATE TABLE t (id BIGINT, k STRING, ms BIGINT, n AS id + 1, ts AS TO_TIMESTAMP_LTZ(ms, 3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND, PRIMARY KEY (id) NOT ENFORCED) PARTITIONED BY (k) WITH ('connector' = 'test'); ALTER TABLE t RESET ('paht')
          |                                                                                                                                                                                                                                               ^^^^^^
        hint: Known: connector.
    "#]],
    );
    of_table(
        "ALTER TABLE t SET ('paht' = 'x')",
        expect![[r#"
        connector 'test' has no option 'paht'
          --> line 1, column 230
          |
        1 | CREATE TABLE t (id BIGINT, k STRING, ms BIGINT, n AS id + 1, ts AS TO_TIMESTAMP_LTZ(ms, 3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND, PRIMARY KEY (id) NOT ENFORCED) PARTITIONED BY (k) WITH ('connector' = 'test'); ALTER TABLE t SET ('paht' = 'x')
          |                                                                                                                                                                                                                                      ^
        hint: Did you mean 'path'? Known: connector, bounded, path.
    "#]],
    );
    of_table(
        "ALTER TABLE t RENAME TO bid",
        expect![[r#"
        there is a table or view called 'bid' already
          --> line 1, column 242
          |
        1 | CREATE TABLE t (id BIGINT, k STRING, ms BIGINT, n AS id + 1, ts AS TO_TIMESTAMP_LTZ(ms, 3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND, PRIMARY KEY (id) NOT ENFORCED) PARTITIONED BY (k) WITH ('connector' = 'test'); ALTER TABLE t RENAME TO bid
          |                                                                                                                                                                                                                                                  ^^^
    "#]],
    );
    of_table(
        "ALTER TABLE t ADD PARTITION (k = 'a')",
        expect![[r#"
        ALTER TABLE .. ADD PARTITION is not supported
          --> line 1, column 236
          |
        1 | CREATE TABLE t (id BIGINT, k STRING, ms BIGINT, n AS id + 1, ts AS TO_TIMESTAMP_LTZ(ms, 3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND, PRIMARY KEY (id) NOT ENFORCED) PARTITIONED BY (k) WITH ('connector' = 'test'); ALTER TABLE t ADD PARTITION (k = 'a')
          |                                                                                                                                                                                                                                            ^^^^^^^^^
        hint: A partition is there when a row is written into it.
    "#]],
    );
    of_table(
        "ALTER TABLE t OWNER",
        expect![[r#"
        ALTER TABLE has RENAME TO, SET, RESET, ADD, MODIFY, DROP and RENAME
          --> line 1, column 232
          |
        1 | CREATE TABLE t (id BIGINT, k STRING, ms BIGINT, n AS id + 1, ts AS TO_TIMESTAMP_LTZ(ms, 3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND, PRIMARY KEY (id) NOT ENFORCED) PARTITIONED BY (k) WITH ('connector' = 'test'); ALTER TABLE t OWNER
          |                                                                                                                                                                                                                                        ^^^^^
    "#]],
    );
    check(
        "ALTER TABLE IF EXISTS nowhere DROP a; ALTER TABLE nowhere DROP a",
        expect![[r#"
        there is no table 'nowhere'
          --> line 1, column 51
          |
        1 | ALTER TABLE IF EXISTS nowhere DROP a; ALTER TABLE nowhere DROP a
          |                                                   ^^^^^^^
        hint: Known: bid, dear, flights, sink, tidemill.late_rows, tidemill.rejected_rows.
    "#]],
    );
}

#[test]
fn a_view_is_changed() {
    check(
        "ALTER VIEW dear RENAME TO costly; SHOW CREATE VIEW costly; ALTER VIEW costly AS SELECT auction FROM bid; SHOW CREATE VIEW costly; DESCRIBE costly",
        expect![[r#"
            view 'dear' is now 'costly'
            +------------------------------------------------------------------------------+
            | result                                                                       |
            +------------------------------------------------------------------------------+
            | CREATE VIEW `costly` AS SELECT auction, price, ts FROM bid WHERE price > 100 |
            +------------------------------------------------------------------------------+
            view 'costly' altered
            +-------------------------------------------------+
            | result                                          |
            +-------------------------------------------------+
            | CREATE VIEW `costly` AS SELECT auction FROM bid |
            +-------------------------------------------------+
            +---------+--------+------+
            | name    | type   | null |
            +---------+--------+------+
            | auction | BIGINT | true |
            +---------+--------+------+
        "#]],
    );
    check(
        "ALTER TABLE dear DROP price",
        expect![[r#"
        'dear' is a view, not a table
          --> line 1, column 13
          |
        1 | ALTER TABLE dear DROP price
          |             ^^^^
        hint: Write ALTER VIEW.
    "#]],
    );
    check(
        "ALTER VIEW bid RENAME TO b",
        expect![[r#"
        'bid' is a table, not a view
          --> line 1, column 12
          |
        1 | ALTER VIEW bid RENAME TO b
          |            ^^^
        hint: Write ALTER TABLE.
    "#]],
    );
}

#[test]
fn partitions_are_given_once_for_all_rows() {
    of_table(
        "INSERT INTO t PARTITION (k = 'a') SELECT auction, ms FROM bid",
        expect![[r#"
        table 't' created
        into t
        Projection: bid.auction AS id, Utf8("a") AS k, bid.ms
          SubqueryAlias: bid
            TableScan: bid projection=[auction, ms]
    "#]],
    );
    of_table(
        "INSERT INTO t PARTITION (k) (id, k) SELECT auction, channel FROM bid",
        expect![[r#"
        table 't' created
        into t
        Projection: bid.auction AS id, bid.channel AS k, Int64(NULL) AS ms
          SubqueryAlias: bid
            TableScan: bid projection=[auction, channel]
    "#]],
    );
    of_table(
        "INSERT INTO t PARTITION (k = 'a') (id, k) SELECT auction, channel FROM bid",
        expect![[r#"
        column 'k' has its value from PARTITION already
          --> line 1, column 257
          |
        1 | CREATE TABLE t (id BIGINT, k STRING, ms BIGINT, n AS id + 1, ts AS TO_TIMESTAMP_LTZ(ms, 3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND, PRIMARY KEY (id) NOT ENFORCED) PARTITIONED BY (k) WITH ('connector' = 'test'); INSERT INTO t PARTITION (k = 'a') (id, k) SELECT auction, channel FROM bid
          |                                                                                                                                                                                                                                                                 ^
    "#]],
    );
    of_table(
        "INSERT INTO t PARTITION (k = id) SELECT auction, ms FROM bid",
        expect![[r#"
        PARTITION needs a constant for 'k'
          --> line 1, column 243
          |
        1 | CREATE TABLE t (id BIGINT, k STRING, ms BIGINT, n AS id + 1, ts AS TO_TIMESTAMP_LTZ(ms, 3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND, PRIMARY KEY (id) NOT ENFORCED) PARTITIONED BY (k) WITH ('connector' = 'test'); INSERT INTO t PARTITION (k = id) SELECT auction, ms FROM bid
          |                                                                                                                                                                                                                                                   ^
        hint: Write a text or a number; or select the column with the others.
    "#]],
    );
    of_table(
        "INSERT INTO t PARTITION (id = 1) SELECT auction, ms FROM bid",
        expect![[r#"
        there is no partition column 'id'
          --> line 1, column 243
          |
        1 | CREATE TABLE t (id BIGINT, k STRING, ms BIGINT, n AS id + 1, ts AS TO_TIMESTAMP_LTZ(ms, 3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND, PRIMARY KEY (id) NOT ENFORCED) PARTITIONED BY (k) WITH ('connector' = 'test'); INSERT INTO t PARTITION (id = 1) SELECT auction, ms FROM bid
          |                                                                                                                                                                                                                                                   ^^
        hint: Known: k.
    "#]],
    );
    check(
        "INSERT INTO sink PARTITION (b = 'x') SELECT auction, price FROM bid",
        expect![[r#"
        table 'sink' is not PARTITIONED BY anything
          --> line 1, column 29
          |
        1 | INSERT INTO sink PARTITION (b = 'x') SELECT auction, price FROM bid
          |                             ^
    "#]],
    );
}

#[test]
fn a_union_has_the_types_of_the_table() {
    check(
        "CREATE TABLE k (u INT UNSIGNED) WITH ('connector' = 'test'); INSERT INTO k SELECT CAST(auction AS INT UNSIGNED) FROM bid UNION ALL SELECT 1",
        expect![[r#"
            table 'k' created
            into k
            Projection: CAST(bid.auction AS UInt32) AS u
              Union
                Projection: CAST(CAST(bid.auction AS UInt32) AS Int64) AS bid.auction
                  SubqueryAlias: bid
                    TableScan: bid projection=[auction]
                Projection: Int64(1) AS bid.auction
                  EmptyRelation: rows=1
        "#]],
    );
}

#[test]
fn what_is_not_there_says_what_is() {
    check(
        "CREATE FUNCTION f AS 'x'",
        expect![[r#"
        CREATE FUNCTION is not supported
          --> line 1, column 8
          |
        1 | CREATE FUNCTION f AS 'x'
          |        ^^^^^^^^
        hint: SHOW FUNCTIONS lists what there is. A view can give an expression a name; a program that embeds the engine can compute in its sources and sinks.
    "#]],
    );
    check(
        "CREATE CATALOG c WITH ('type' = 'x')",
        expect![[r#"
        CREATE CATALOG is not supported
          --> line 1, column 8
          |
        1 | CREATE CATALOG c WITH ('type' = 'x')
          |        ^^^^^^^
        hint: There is one catalog, default_catalog: a file of CREATE TABLE statements is what keeps tables.
    "#]],
    );
    check(
        "LOAD MODULE hive",
        expect![[r#"
        LOAD is not supported
          --> line 1, column 1
          |
        1 | LOAD MODULE hive
          | ^^^^
        hint: All functions and formats are there: SHOW FUNCTIONS lists them. There are no modules.
    "#]],
    );
    check(
        "TRUNCATE TABLE bid",
        expect![[r#"
        TRUNCATE is not supported
          --> line 1, column 1
          |
        1 | TRUNCATE TABLE bid
          | ^^^^^^^^
        hint: INSERT OVERWRITE t SELECT .. replaces the rows of a table of files; SELECT .. WHERE FALSE leaves none.
    "#]],
    );
    check(
        "UPDATE bid SET price = 1",
        expect![[r#"
        UPDATE is not supported
          --> line 1, column 1
          |
        1 | UPDATE bid SET price = 1
          | ^^^^^^
        hint: Rows are updated by the changes of their source: see 'changelog.mode' and 'changelog.operation-column'.
    "#]],
    );
}
