//! What there is not.

use expect_test::expect;

use crate::tests::fixture::check;

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
