//! Wrong tables, and what cannot be written into them.

use expect_test::expect;

use crate::tests::fixture::check;

#[test]
fn inserts() {
    check(
        "INSERT INTO sink SELECT auction, url FROM bid",
        expect![[r#"
        the query has 2 columns, and 'sink' takes 3: a, b, c
          --> line 1, column 13
          |
        1 | INSERT INTO sink SELECT auction, url FROM bid
          |             ^^^^
        hint: Columns go by place. Name those that the query has: INSERT INTO t (a, b) SELECT ..
    "#]],
    );
    check(
        "INSERT INTO sink (a, z) SELECT auction, url FROM bid",
        expect![[r#"
        there is no column 'z'
          --> line 1, column 22
          |
        1 | INSERT INTO sink (a, z) SELECT auction, url FROM bid
          |                      ^
        hint: Did you mean 'a'? Known: a, b, c.
    "#]],
    );
    check(
        "INSERT INTO sink (total) SELECT auction FROM bid",
        expect![[r#"
        column 'total' is computed: it cannot be written
          --> line 1, column 19
          |
        1 | INSERT INTO sink (total) SELECT auction FROM bid
          |                   ^^^^^
    "#]],
    );
    check(
        "INSERT INTO sink (a) SELECT extra FROM bid",
        expect![[r#"
        column 1 of the query, 'extra', is ROW<`Kind` STRING, `tags` ARRAY<STRING>>, and column 'a' of 'sink' is BIGINT
          --> line 1, column 13
          |
        1 | INSERT INTO sink (a) SELECT extra FROM bid
          |             ^^^^
    "#]],
    );
    check(
        "INSERT INTO snik SELECT 1",
        expect![[r#"
        there is no table 'snik'
          --> line 1, column 13
          |
        1 | INSERT INTO snik SELECT 1
          |             ^^^^
        hint: Did you mean 'sink'? Known: bid, dear, flights, sink, tidemill.late_rows, tidemill.rejected_rows.
    "#]],
    );
    check(
        "INSERT INTO dear SELECT 1",
        expect![[r#"
        'dear' is a view, not a table
          --> line 1, column 13
          |
        1 | INSERT INTO dear SELECT 1
          |             ^^^^
    "#]],
    );
}

#[test]
fn tables() {
    check(
        "CREATE TABLE t (a INT)",
        expect![[r#"
        table 't' names no connector
          --> line 1, column 14
          |
        1 | CREATE TABLE t (a INT)
          |              ^
    "#]],
    );
    check(
        "CREATE TABLE t (a INT) WITH ('connector' = 'tset')",
        expect![[r#"
        there is no connector 'tset'
          --> line 1, column 30
          |
        1 | CREATE TABLE t (a INT) WITH ('connector' = 'tset')
          |                              ^^^^^^^^^^^
        hint: Did you mean 'test'? Known: test.
    "#]],
    );
    check(
        "CREATE TABLE t (a INT) WITH ('connector' = 'test',\n 'pth' = 'x')",
        expect![[r#"
        connector 'test' has no option 'pth'
          --> line 2, column 2
          |
        2 |  'pth' = 'x')
          |  ^^^^^
        hint: Did you mean 'path'? Known: connector, bounded, path.
    "#]],
    );
    check(
        "CREATE TABLE t (a INT, a STRING) WITH ('connector' = 'test')",
        expect![[r#"
        there are two columns called 'a'
          --> line 1, column 24
          |
        1 | CREATE TABLE t (a INT, a STRING) WITH ('connector' = 'test')
          |                        ^
    "#]],
    );
    check(
        "CREATE TABLE t (a INT, b AS c + 1) WITH ('connector' = 'test')",
        expect![[r#"
        there is no column 'c'
          --> line 1, column 29
          |
        1 | CREATE TABLE t (a INT, b AS c + 1) WITH ('connector' = 'test')
          |                             ^
        hint: Did you mean 'a'? Known: a.
    "#]],
    );
    check(
        "CREATE TABLE t (a INT, WATERMARK FOR ts AS ts) WITH ('connector' = 'test')",
        expect![[r#"
        there is no column 'ts'
          --> line 1, column 38
          |
        1 | CREATE TABLE t (a INT, WATERMARK FOR ts AS ts) WITH ('connector' = 'test')
          |                                      ^^
        hint: Known: a.
    "#]],
    );
    check(
        "CREATE TABLE t (a INT, WATERMARK FOR a AS a) WITH ('connector' = 'test')",
        expect![[r#"
        WATERMARK FOR needs a TIMESTAMP or TIMESTAMP_LTZ column, and 'a' is INT
          --> line 1, column 38
          |
        1 | CREATE TABLE t (a INT, WATERMARK FOR a AS a) WITH ('connector' = 'test')
          |                                      ^
        hint: Declare a computed column, ts AS TO_TIMESTAMP_LTZ(ms, 3) or TO_TIMESTAMP(text), and use that.
    "#]],
    );
    check(
        "CREATE TABLE t (a TIMESTAMP(3), WATERMARK FOR a AS 1) WITH ('connector' = 'test')",
        expect![[r#"
        the watermark has to be a time, and '1' is BIGINT
          --> line 1, column 47
          |
        1 | CREATE TABLE t (a TIMESTAMP(3), WATERMARK FOR a AS 1) WITH ('connector' = 'test')
          |                                               ^
        hint: Write a - INTERVAL '5' SECOND.
    "#]],
    );
    check(
        "CREATE TABLE t (a INT METADATA FROM 'ofset') WITH ('connector' = 'test')",
        expect![[r#"
        the connector has no metadata 'ofset'
          --> line 1, column 17
          |
        1 | CREATE TABLE t (a INT METADATA FROM 'ofset') WITH ('connector' = 'test')
          |                 ^
        hint: Did you mean 'offset'? Known: file.name, offset.
    "#]],
    );
    check(
        "CREATE TABLE t (a INT, PRIMARY KEY (b) NOT ENFORCED) WITH ('connector' = 'test')",
        expect![[r#"
        there is no column 'b'
          --> line 1, column 37
          |
        1 | CREATE TABLE t (a INT, PRIMARY KEY (b) NOT ENFORCED) WITH ('connector' = 'test')
          |                                     ^
        hint: Did you mean 'a'? Known: a.
    "#]],
    );
    check(
        "CREATE TABLE t (a INT) WITH ('connector' = 'test', 'on-error' = 'ignore')",
        expect![[r#"
        option 'on-error' does not know 'ignore'
          --> line 1, column 52
          |
        1 | CREATE TABLE t (a INT) WITH ('connector' = 'test', 'on-error' = 'ignore')
          |                                                    ^^^^^^^^^^
        hint: Known: reject, fail.
    "#]],
    );
    check(
        "CREATE TABLE bid (a INT) WITH ('connector' = 'test')",
        expect![[r#"
        there is a table or view called 'bid' already
          --> line 1, column 14
          |
        1 | CREATE TABLE bid (a INT) WITH ('connector' = 'test')
          |              ^^^
        hint: Drop it first, or write IF NOT EXISTS.
    "#]],
    );
    check(
        "CREATE VIEW v (a, b) AS SELECT 1",
        expect![[r#"
        the view names 2 columns, and its query has 1
          --> line 1, column 13
          |
        1 | CREATE VIEW v (a, b) AS SELECT 1
          |             ^
    "#]],
    );
    check(
        "CREATE VIEW v AS SELECT nothing FROM bid",
        expect![[r#"
        there is no column 'nothing'
          --> line 1, column 25
          |
        1 | CREATE VIEW v AS SELECT nothing FROM bid
          |                         ^^^^^^^
        hint: Known: auction, bidder, price, channel, url, extra, ms, ts.
    "#]],
    );
}
