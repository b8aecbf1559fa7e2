//! What is said of a wrong statement.

use expect_test::expect;

use super::fixture::check;

#[test]
fn names_that_are_not_there() {
    check(
        "SELECT price\nFROM bids",
        expect![[r#"
        there is no table 'bids'
          --> line 2, column 6
          |
        2 | FROM bids
          |      ^^^^
        hint: Did you mean 'bid'? Known: bid, dear, flights, sink, tidemill.late_rows, tidemill.rejected_rows.
    "#]],
    );
    check(
        "SELECT auction,\n       pricee\nFROM bid",
        expect![[r#"
        there is no column 'pricee'
          --> line 2, column 8
          |
        2 |        pricee
          |        ^^^^^^
        hint: Did you mean 'price'? Known: auction, bidder, price, channel, url, extra, ms, ts.
    "#]],
    );
    check(
        "SELECT x.price FROM bid b",
        expect![[r#"
        there is no table 'x' here, as 'x.price' asks for
          --> line 1, column 8
          |
        1 | SELECT x.price FROM bid b
          |        ^^^^^^^
        hint: Did you mean 'b'? Known: b.
    "#]],
    );
    check(
        "SELECT b.prize FROM bid b",
        expect![[r#"
        there is no column 'prize' in 'b'
          --> line 1, column 8
          |
        1 | SELECT b.prize FROM bid b
          |        ^^^^^^^
        hint: Did you mean 'price'? Known: auction, bidder, price, channel, url, extra, ms, ts.
    "#]],
    );
    check(
        "SELECT extra.Kind FROM bid AS b, bid AS c",
        expect![[r#"
            column 'extra' is ambiguous: more than one input has it
              --> line 1, column 8
              |
            1 | SELECT extra.Kind FROM bid AS b, bid AS c
              |        ^^^^^
            hint: Say which: b.extra or c.extra.
        "#]],
    );
    check(
        "SELECT extra.kinds FROM bid",
        expect![[r#"
        there is no field 'kinds' in the ROW
          --> line 1, column 14
          |
        1 | SELECT extra.kinds FROM bid
          |              ^^^^^
    "#]],
    );
    check(
        "SELECT UPPR(url) FROM bid",
        expect![[r#"
        there is no function 'uppr'
          --> line 1, column 8
          |
        1 | SELECT UPPR(url) FROM bid
          |        ^^^^
        hint: Did you mean 'upper'? SHOW FUNCTIONS lists them all.
    "#]],
    );
    check(
        "SELECT frobnicate(url) FROM bid",
        expect![[r#"
        there is no function 'frobnicate'
          --> line 1, column 8
          |
        1 | SELECT frobnicate(url) FROM bid
          |        ^^^^^^^^^^
        hint: Did you mean 'truncate'? SHOW FUNCTIONS lists them all.
    "#]],
    );
    check(
        "SELECT * FROM TABLE(f(1))",
        expect![[r#"
        there is no table function 'f'
          --> line 1, column 21
          |
        1 | SELECT * FROM TABLE(f(1))
          |                     ^
        hint: Known: TUMBLE, HOP, CUMULATE, SESSION.
    "#]],
    );
    check(
        "SELECT * FROM f(1)",
        expect![[r#"
        there is no table function 'f'
          --> line 1, column 15
          |
        1 | SELECT * FROM f(1)
          |               ^
        hint: Known: TUMBLE, HOP, CUMULATE, SESSION.
    "#]],
    );
}

#[test]
fn types_that_do_not_fit() {
    check(
        "SELECT price + url FROM bid WHERE price",
        expect![[r#"
        cannot create filter with non-boolean predicate 'bid.price' returning Int64
          --> line 1, column 8
          |
        1 | SELECT price + url FROM bid WHERE price
          |        ^^^^^
    "#]],
    );
    check(
        "SELECT ABS(url) FROM bid",
        expect![[r#"
        function 'abs' does not take these arguments: abs(Utf8)
          --> line 1, column 8
          |
        1 | SELECT ABS(url) FROM bid
          |        ^^^
        hint: Known: abs(Numeric(1)).
    "#]],
    );
    check(
        "SELECT price FROM bid WHERE extra > 3",
        expect![[r#"
        cannot infer common argument type for comparison operation Struct("Kind": Utf8, "tags": List(Utf8)) > Int64
          --> line 1, column 1
          |
        1 | SELECT price FROM bid WHERE extra > 3
          | ^^^^^^
    "#]],
    );
    check(
        "SELECT SUM(extra) FROM bid",
        expect![[r#"
        function 'sum' does not take these arguments: sum(Struct("Kind": Utf8, "tags": List(Utf8)))
          --> line 1, column 8
          |
        1 | SELECT SUM(extra) FROM bid
          |        ^^^
        hint: Known: sum(Decimal), sum(UInt64), sum(Int64), sum(Float64), sum(Duration), sum(Interval).
    "#]],
    );
}

#[test]
fn groups() {
    check(
        "SELECT auction, price FROM bid GROUP BY auction",
        expect![[r#"
        column 'bid.price' is neither in the GROUP BY nor inside an aggregate function
          --> line 1, column 17
          |
        1 | SELECT auction, price FROM bid GROUP BY auction
          |                 ^^^^^
        hint: Add it to the GROUP BY, or take one of its values: MAX(..), FIRST_VALUE(..).
    "#]],
    );
    check(
        "SELECT auction FROM bid WHERE COUNT(*) > 1",
        expect![[r#"
        aggregate functions are not allowed in the WHERE clause. Consider using HAVING instead
          --> line 1, column 1
          |
        1 | SELECT auction FROM bid WHERE COUNT(*) > 1
          | ^^^^^^
    "#]],
    );
    check(
        "SELECT price AS a, url AS a FROM bid UNION ALL SELECT 1, 'x', 3",
        expect![[r#"
            UNION queries have different number of columns
              --> line 1, column 1
              |
            1 | SELECT price AS a, url AS a FROM bid UNION ALL SELECT 1, 'x', 3
              | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        "#]],
    );
}

#[test]
fn spellings() {
    check(
        "SELECT url FROM bid WHERE url LIKE 'a!b' ESCAPE '!'",
        expect![[r#"
        behind '!' a pattern has '%', '_' or '!' once more
          --> line 1, column 36
          |
        1 | SELECT url FROM bid WHERE url LIKE 'a!b' ESCAPE '!'
          |                                    ^^^^^
    "#]],
    );
    check(
        "SELECT url FROM bid WHERE url LIKE extra ESCAPE '!'",
        expect![[r#"
        ESCAPE behind a pattern that is not written out is not supported
          --> line 1, column 36
          |
        1 | SELECT url FROM bid WHERE url LIKE extra ESCAPE '!'
          |                                    ^^^^^
        hint: The backslash escapes in every pattern.
    "#]],
    );
    check(
        "SELECT _UTF16'a'",
        expect![[r#"
        a text with the name of a character set is not supported: write '..' or U&'..'
          --> line 1, column 8
          |
        1 | SELECT _UTF16'a'
          |        ^^^^^^
    "#]],
    );
    check(
        "SELECT price FROM bid EXCEPT ALL SELECT price, url FROM bid",
        expect![[r#"
        EXCEPT ALL needs two queries of as many columns, and these have 1 and 2
          --> line 1, column 1
          |
        1 | SELECT price FROM bid EXCEPT ALL SELECT price, url FROM bid
          | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    "#]],
    );
    check(
        "SELECT * FROM bid JOIN bid AS b USING (prize)",
        expect![[r#"
        there is no column 'prize'
          --> line 1, column 40
          |
        1 | SELECT * FROM bid JOIN bid AS b USING (prize)
          |                                        ^^^^^
        hint: Did you mean 'price'? Known: auction, bidder, price, channel, url, extra, ms, ts.
    "#]],
    );
    check(
        "SELECT price FROM bid JOIN bid AS b USING (auction)",
        expect![[r#"
            column 'price' is ambiguous: more than one input has it
              --> line 1, column 8
              |
            1 | SELECT price FROM bid JOIN bid AS b USING (auction)
              |        ^^^^^
            hint: Say which: put the name of its table, or the table's alias, and a dot before it.
        "#]],
    );
}

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

#[test]
fn what_is_not_supported() {
    check(
        "SELECT * FROM bid FOR SYSTEM_TIME AS OF ts",
        expect![[r#"
            FOR SYSTEM_TIME AS OF is for a table that is joined to the one whose time is asked for
              --> line 1, column 41
              |
            1 | SELECT * FROM bid FOR SYSTEM_TIME AS OF ts
              |                                         ^^
            hint: Write o [LEFT] JOIN t FOR SYSTEM_TIME AS OF o.ts AS t ON o.key = t.key.
        "#]],
    );
    check(
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT * FROM r",
        expect![[r#"
        WITH RECURSIVE is not supported
          --> line 1, column 1
          |
        1 | WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT * FROM r
          | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    "#]],
    );
    check(
        "SELECT * FROM bid TABLESAMPLE (10 PERCENT)",
        expect![[r#"
        TABLESAMPLE is not supported
          --> line 1, column 15
          |
        1 | SELECT * FROM bid TABLESAMPLE (10 PERCENT)
          |               ^^^
    "#]],
    );
}

#[test]
fn forms_of_postgres_that_are_not_there() {
    check(
        "SELECT SUM(price) OVER (ORDER BY ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE PEERS) FROM bid",
        expect![[r#"
            EXCLUDE at the end of a frame leaves out CURRENT ROW, GROUP, TIES or NO OTHERS
              --> line 1, column 78
              |
            1 | SELECT SUM(price) OVER (ORDER BY ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE PEERS) FROM bid
              |                                                                              ^^^^^^^
        "#]],
    );
    check(
        "SELECT FROM bid",
        expect![[r#"
        SELECT without columns, other than in EXISTS (..), is not supported
          --> line 1, column 1
          |
        1 | SELECT FROM bid
          | ^^^^^^
    "#]],
    );
    check(
        "SELECT channel LIKE ANY (extra) FROM bid",
        expect![[r#"
        LIKE ANY takes patterns that are written out: LIKE ANY (ARRAY['a%', 'b%'])
          --> line 1, column 8
          |
        1 | SELECT channel LIKE ANY (extra) FROM bid
          |        ^^^^^^^^^^^^^^^^^^^^^^^
    "#]],
    );
    check(
        "SELECT DISTINCT ON (3) price, auction FROM bid",
        expect![[r#"
        DISTINCT ON (3) does not say which column it means
          --> line 1, column 21
          |
        1 | SELECT DISTINCT ON (3) price, auction FROM bid
          |                     ^
        hint: A number is the place of a column in the SELECT list, before any *. Name the column.
    "#]],
    );
    check(
        "SELECT ARRAY(SELECT DISTINCT price FROM bid ORDER BY auction)",
        expect![[r#"
        ARRAY (SELECT ..) takes a query of one column, in the order of that column
          --> line 1, column 8
          |
        1 | SELECT ARRAY(SELECT DISTINCT price FROM bid ORDER BY auction)
          |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        hint: Order the values themselves: (SELECT ARRAY_AGG(x ORDER BY y) FROM ..).
    "#]],
    );
    check(
        "SELECT a FROM bid AS b(a, b, c, d, e, f, g, h, i)",
        expect![[r#"
        b has 8 columns, and 9 names for them
          --> line 1, column 22
          |
        1 | SELECT a FROM bid AS b(a, b, c, d, e, f, g, h, i)
          |                      ^^^^^^^^^^^^^^^^^^^^^^^^^^^
    "#]],
    );
    check(
        "SELECT price FROM bid AS b, bid AS c",
        expect![[r#"
        column 'price' is ambiguous: more than one input has it
          --> line 1, column 8
          |
        1 | SELECT price FROM bid AS b, bid AS c
          |        ^^^^^
        hint: Say which: put the name of its table, or the table's alias, and a dot before it.
    "#]],
    );
    check(
        "SELECT 1 FROM bid HAVING price > 1",
        expect![[r#"
        column 'bid.price' is neither in the GROUP BY nor inside an aggregate function
          --> line 1, column 26
          |
        1 | SELECT 1 FROM bid HAVING price > 1
          |                          ^^^^^
        hint: Add it to the GROUP BY, or take one of its values: MAX(..), FIRST_VALUE(..).
    "#]],
    );
}
