//! The first rows: which operator a rank, a limit, an order becomes.

use expect_test::expect;

use super::sql::check;

#[test]
fn a_rank_that_is_not_selected_is_not_put_out() {
    check(
        "SELECT auction, price FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY auction ORDER BY price DESC) AS rn FROM bid)
         WHERE rn <= 10 AND price > 5;
         SELECT auction, rn FROM (SELECT *, RANK() OVER (PARTITION BY auction, price % 7 ORDER BY price) AS rn FROM bid)
         WHERE rn BETWEEN 2 AND 3 AND rn + 1 < 9;
         SELECT auction FROM bid QUALIFY DENSE_RANK() OVER (ORDER BY price) < 3;",
        expect![[r#"
            Sink result  [retract, unbounded]
              Filter price@1 > 5  [retract, unbounded]
                TopN ROW_NUMBER <= 10 partition=[auction] order=[price DESC] emit=changes  [retract, unbounded]
                  #1 Project auction, price  [append, unbounded]
                    Source bid columns=[auction, price, at] watermark=at - 4 s  [append, event time at, unbounded]
            Sink result  [retract, unbounded]
              Compact net changes  [retract, unbounded]
                Filter CAST(rank() PARTITION BY [bid.auction, bid.price % Int64(7)] ORDER BY [bid.price ASC NULLS FIRST] RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW@3 AS Decimal128(20, 0)) + 1 < 9 columns=[auction, rn]  [retract, unbounded]
                  TopN RANK 2 to 3 partition=[auction, __key_2] order=[price] ranks=[RANK] emit=changes  [retract, unbounded]
                    Project auction, price, price@1 % 7 AS __key_2  [append, unbounded]
                      #1 Project (see above)
            Sink result  [retract, unbounded]
              Compact net changes  [retract, unbounded]
                Project auction  [retract, unbounded]
                  TopN DENSE_RANK <= 2 order=[price] emit=changes  [retract, unbounded]
                    #1 Project (see above)
            warning: TopN over 'bid' keeps the first 10 rows of each partition, and never lets go of it: partition by window_start and window_end to let partitions go.
            warning: TopN over 'bid' keeps the first 3 rows of each partition, and never lets go of it: partition by window_start and window_end to let partitions go.
        "#]],
    );
}

#[test]
fn one_row_a_key() {
    check(
        "SELECT auction, price FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY auction, bidder ORDER BY at DESC) AS rn FROM bid)
         WHERE rn = 1;
         SELECT DISTINCT ON (auction) auction, bidder, price FROM bid ORDER BY auction, price DESC;
         SELECT k, v, rn FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY p) AS rn FROM plain) WHERE rn = 1;
         SELECT k, v FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY p DESC) AS rn FROM plain) WHERE rn <= 1;
         SELECT n FROM (SELECT n, ROW_NUMBER() OVER (PARTITION BY n ORDER BY auction) AS rn
           FROM (SELECT auction, COUNT(*) AS n FROM bid GROUP BY auction)) WHERE rn = 1;",
        expect![[r#"
            Sink result  [retract, unbounded]
              Compact net changes  [retract, unbounded]
                Project auction, price  [retract, unbounded]
                  Deduplicate key=[auction, bidder] keep=the first by at DESC emit=changes  [retract, unbounded]
                    #0 Source bid columns=[auction, bidder, price, at] watermark=at - 4 s  [append, event time at, unbounded]
            Sink result  [retract, unbounded]
              Deduplicate key=[auction] keep=the first by price DESC emit=changes  [retract, unbounded]
                Project auction, bidder, price  [append, unbounded]
                  #0 Source (see above)
            Sink result  [append, unbounded]
              Project k, v, row_number() PARTITION BY [plain.k] ORDER BY [plain.p ASC NULLS FIRST] RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW@3 AS rn  [append, unbounded]
                Project k, v, p, 1 AS row_number() PARTITION BY [plain.k] ORDER BY [plain.p ASC NULLS FIRST] RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW  [append, unbounded]
                  Deduplicate key=[k] keep=the first that came  [append, unbounded]
                    #9 Project k, v, proctime() AS p  [append, unbounded]
                      Source plain columns=[k, v]  [append, unbounded]
            Sink result  [retract, unbounded]
              Compact net changes by k  [retract, unbounded]
                Project k, v  [retract, unbounded]
                  Deduplicate key=[k] keep=the last that came emit=changes  [retract, unbounded]
                    #9 Project (see above)
            Sink result  [retract, unbounded]
              Compact net changes by n  [retract, unbounded]
                Project count(Int64(1))@1 AS n  [retract, unbounded]
                  TopN ROW_NUMBER <= 1 partition=[count(Int64(1))] order=[auction] emit=changes  [retract, unbounded]
                    UpdatingAggregate emit=changes group=[auction@0] aggregates=[count(Int64(1))]  [retract, unbounded]
                      Project auction  [append, unbounded]
                        #0 Source (see above)
            warning: Deduplicate over 'bid' keeps one row of each key, and never lets go of it: make window_start and window_end part of the key to let keys go.
            warning: Deduplicate over 'plain' keeps each key that has come, and never lets go of it: make window_start and window_end part of the key to let keys go.
            warning: Deduplicate over 'plain' keeps one row of each key, and never lets go of it: make window_start and window_end part of the key to let keys go.
            warning: GROUP BY over 'bid' keeps one row of aggregates for each group, and never lets go of it: group by a window to let groups go.
            warning: TopN over 'bid' keeps every row of each partition, and never lets go of it: bound the state of what it reads.
        "#]],
    );
}

#[test]
fn orders_and_limits() {
    check(
        "SELECT auction, price FROM bid ORDER BY price DESC, auction LIMIT 3 OFFSET 2;
         SELECT auction, price FROM bid ORDER BY at, price;
         SELECT auction FROM (SELECT * FROM bid ORDER BY price) WHERE bidder = 1;
         SELECT auction, price FROM bid ORDER BY 2 OFFSET 1 ROW FETCH NEXT 3 ROWS WITH TIES;
         SELECT auction FROM bid LIMIT 2;",
        expect![[r#"
            Sink result  [retract, unbounded]
              TopN ROW_NUMBER 3 to 5 order=[price DESC, auction] emit=changes  [retract, unbounded]
                #1 Project auction, price  [append, unbounded]
                  #0 Source bid columns=[auction, bidder, price, at] watermark=at - 4 s  [append, event time at, unbounded]
            Sink result  [append, unbounded]
              Project auction, price  [append, unbounded]
                TemporalSort order=[at, price]  [append, event time at, unbounded]
                  Project auction, price, at  [append, event time at, unbounded]
                    #0 Source (see above)
            Sink result  [append, unbounded]
              Filter bidder@1 = 1 columns=[auction]  [append, unbounded]
                Project auction, bidder  [append, unbounded]
                  #0 Source (see above)
            Sink result  [retract, unbounded]
              Compact net changes  [retract, unbounded]
                Filter row_number() ORDER BY [bid.price ASC NULLS FIRST] RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW@2 > 1 columns=[auction, price]  [retract, unbounded]
                  TopN RANK <= 4 order=[price] ranks=[ROW_NUMBER] emit=changes  [retract, unbounded]
                    #1 Project (see above)
            Sink result  [retract, unbounded]
              TopN ROW_NUMBER <= 2 order=[] emit=changes  [retract, unbounded]
                Project auction  [append, unbounded]
                  #0 Source (see above)
        "#]],
    );
    check(
        "SELECT auction, price FROM bid ORDER BY price;",
        expect![[r#"
        ORDER BY over the unbounded table 'bid' is not supported yet
           --> line 13, column 1
           |
        13 | SELECT auction, price FROM bid ORDER BY price;
           | ^^^^^^
        hint: A stream has no last row to sort up to. Order by the event time first, add LIMIT to keep the first rows, or leave ORDER BY out."#]],
    );
    check(
        "SELECT auction FROM bid ORDER BY auction FETCH FIRST 10 PERCENT ROWS ONLY;",
        expect![[r#"
            FETCH .. PERCENT is not supported
               --> line 13, column 1
               |
            13 | SELECT auction FROM bid ORDER BY auction FETCH FIRST 10 PERCENT ROWS ONLY;
               | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
            hint: Say a number of rows."#]],
    );
    check(
        "SELECT DISTINCT auction FROM bid ORDER BY auction FETCH FIRST 10 ROWS WITH TIES;",
        expect![[r#"
            FETCH .. WITH TIES of DISTINCT is not supported
               --> line 13, column 1
               |
            13 | SELECT DISTINCT auction FROM bid ORDER BY auction FETCH FIRST 10 ROWS WITH TIES;
               | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
            hint: Put it into a subquery: SELECT * FROM (..) ORDER BY .. FETCH FIRST 10 ROWS WITH TIES."#]],
    );
    check(
        "SELECT auction FROM bid FETCH FIRST 10 ROWS WITH TIES;",
        expect![[r#"
            WITH TIES needs an ORDER BY that says which rows are equal
               --> line 13, column 1
               |
            13 | SELECT auction FROM bid FETCH FIRST 10 ROWS WITH TIES;
               | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
            hint: Add ORDER BY, or write ONLY."#]],
    );
}

#[test]
fn a_result_that_may_lose_rows_is_refused_by_a_table_that_cannot() {
    check(
        "INSERT INTO sink SELECT auction, price FROM bid ORDER BY price LIMIT 3;",
        expect![[r#"
            table 'sink' takes insertions only, and this result is updated by LIMIT or a rank in a range (a row that comes later may take the place of another) over 'bid'
               --> line 13, column 1
               |
            13 | INSERT INTO sink SELECT auction, price FROM bid ORDER BY price LIMIT 3;
               | ^^^^^^
            hint: Partition by window_start and window_end, or read tables that end. Or write to a table that takes updates: format 'debezium-json', a 'changelog.operation-column', or connector 'print'."#]],
    );
}
