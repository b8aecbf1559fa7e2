//! What is said of a wrong statement: here of queries, in `tables` of tables and inserts, in `unsupported` of what there is not.

mod tables;
mod unsupported;

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
        cannot create filter with non-boolean predicate 'bid.price' returning BIGINT
          --> line 1, column 8
          |
        1 | SELECT price + url FROM bid WHERE price
          |        ^^^^^
    "#]],
    );
    check(
        "SELECT ABS(url) FROM bid",
        expect![[r#"
        function 'abs' does not take these arguments: abs(STRING)
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
        cannot infer common argument type for comparison operation ROW<`Kind` STRING, `tags` ARRAY<STRING>> > BIGINT
          --> line 1, column 1
          |
        1 | SELECT price FROM bid WHERE extra > 3
          | ^^^^^^
    "#]],
    );
    check(
        "SELECT SUM(extra) FROM bid",
        expect![[r#"
        function 'sum' does not take these arguments: sum(ROW<`Kind` STRING, `tags` ARRAY<STRING>>)
          --> line 1, column 8
          |
        1 | SELECT SUM(extra) FROM bid
          |        ^^^
        hint: Known: sum(Decimal), sum(BIGINT UNSIGNED), sum(BIGINT), sum(DOUBLE), sum(Duration), sum(Interval).
    "#]],
    );
}

#[test]
fn operators_and_frames() {
    check(
        "SELECT price DIV 2 FROM bid",
        expect![[r#"
        there is no operator 'DIV'
          --> line 1, column 14
          |
        1 | SELECT price DIV 2 FROM bid
          |              ^^^
    "#]],
    );
    check(
        "SELECT SUM(price) OVER (ORDER BY ts ROWS BETWEEN INTERVAL '1' DAY PRECEDING AND CURRENT ROW) AS s FROM bid",
        expect![[r#"
            an offset of ROWS is a whole number
              --> line 1, column 59
              |
            1 | SELECT SUM(price) OVER (ORDER BY ts ROWS BETWEEN INTERVAL '1' DAY PRECEDING AND CURRENT ROW) AS s FROM bid
              |                                                           ^^^
            hint: RANGE takes the distance of what is ordered by: RANGE BETWEEN INTERVAL '1' DAY PRECEDING AND CURRENT ROW.
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
