//! Names that differ only in case.

use expect_test::expect;

use super::fixture::check;

#[test]
fn exactly_first_then_without_case() {
    check(
        "SELECT PRICE, B.Auction, EXTRA.Kind FROM Bid b WHERE BID.price = 1",
        expect![[r#"
        there is no table 'BID' here, as 'BID.price' asks for
          --> line 1, column 54
          |
        1 | SELECT PRICE, B.Auction, EXTRA.Kind FROM Bid b WHERE BID.price = 1
          |                                                      ^^^^^^^^^
        hint: Did you mean 'b'? Known: b.
    "#]],
    );
    check(
        "SELECT Price, b.AUCTION, EXTRA.Kind, B.Extra.Kind FROM Bid b WHERE B.price = 1",
        expect![[r#"
        there is no table 'B.Extra' here, as 'B.Extra.Kind' asks for
          --> line 1, column 38
          |
        1 | SELECT Price, b.AUCTION, EXTRA.Kind, B.Extra.Kind FROM Bid b WHERE B.price = 1
          |                                      ^^^^^^^^^^^^
        hint: Known: b.
    "#]],
    );
    check(
        "SELECT CARRIER AS c, COUNT(*) AS n FROM flights GROUP BY carrier HAVING max(DELAY) > 3 ORDER BY C",
        expect![[r#"
        Sort: c ASC NULLS FIRST
          Projection: flights.Carrier AS c, count(Int64(1)) AS count(*) AS n
            Filter: max(flights.delay) > Int32(3)
              Aggregate: groupBy=[[flights.Carrier]], aggr=[[count(Int64(1)), max(flights.delay)]]
                SubqueryAlias: flights
                  TableScan: flights projection=[Carrier, delay]
    "#]],
    );
    check(
        "SELECT WINDOW_START FROM TABLE(TUMBLE(TABLE BID, DESCRIPTOR(TS), INTERVAL '1' HOUR)) GROUP BY WINDOW_START, WINDOW_END",
        expect![[r#"
        Projection: window_start
          Aggregate: groupBy=[[window_start, window_end]], aggr=[[]]
            Projection: window_start, window_end
              Window: TUMBLE size 1 h on BID.ts
                SubqueryAlias: BID
                  TableScan: bid projection=[ts]
    "#]],
    );
    check(
        "SELECT * FROM bid JOIN dear USING (AUCTION) WHERE bid.Price > DEAR.price",
        expect![[r#"
        Projection: bid.auction, bid.bidder, bid.price, bid.channel, bid.url, bid.extra, bid.ms, bid.ts, dear.price, dear.ts
          Inner Join: bid.auction = dear.auction Filter: dear.price < bid.price
            SubqueryAlias: bid
              TableScan: bid projection=[auction, bidder, price, channel, url, extra, ms, ts]
            SubqueryAlias: dear
              SubqueryAlias: bid
                Filter: bid.price > Int64(100)
                  TableScan: bid projection=[auction, price, ts]
    "#]],
    );
    check(
        "SELECT extra.kind FROM bid",
        expect![[r#"
            Projection: __datafusion_extracted_1 AS kind
              SubqueryAlias: bid
                Projection: get_field(bid.extra, Utf8("Kind")) AS __datafusion_extracted_1
                  TableScan: bid projection=[extra]
        "#]],
    );
}

#[test]
fn ambiguous_names() {
    check(
        "CREATE TABLE t (ab INT, AB INT) WITH ('connector' = 'test'); SELECT ab, AB FROM t; SELECT Ab FROM t",
        expect![[r#"
        column 'Ab' could be 'ab' or 'AB'
          --> line 1, column 91
          |
        1 | CREATE TABLE t (ab INT, AB INT) WITH ('connector' = 'test'); SELECT ab, AB FROM t; SELECT Ab FROM t
          |                                                                                           ^^
        hint: Write it exactly as it is declared.
    "#]],
    );
    check(
        "CREATE TABLE BID (a INT) WITH ('connector' = 'test'); SELECT a FROM BID; SELECT * FROM Bid",
        expect![[r#"
        table 'Bid' could be 'BID' or 'bid'
          --> line 1, column 88
          |
        1 | CREATE TABLE BID (a INT) WITH ('connector' = 'test'); SELECT a FROM BID; SELECT * FROM Bid
          |                                                                                        ^^^
        hint: Write it exactly as it is declared.
    "#]],
    );
    check(
        "SELECT price FROM bid, dear",
        expect![[r#"
            column 'price' is ambiguous: more than one input has it
              --> line 1, column 8
              |
            1 | SELECT price FROM bid, dear
              |        ^^^^^
            hint: Say which: put the name of its table, or the table's alias, and a dot before it.
        "#]],
    );
}
