//! Window functions in `FROM`.

use expect_test::expect;

use super::fixture::check;

#[test]
fn every_window_in_every_form() {
    check(
        "SELECT auction, window_start, window_end, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), INTERVAL '10' SECONDS)) GROUP BY auction, window_start, window_end",
        expect![[r#"
        Projection: bid.auction, window_start, window_end, count(Int64(1)) AS count(*) AS n
          Aggregate: groupBy=[[bid.auction, window_start, window_end]], aggr=[[count(Int64(1))]]
            Projection: bid.auction, window_start, window_end
              Window: TUMBLE size 10 s on bid.ts
                SubqueryAlias: bid
                  TableScan: bid projection=[auction, ts]
    "#]],
    );
    check(
        "SELECT * FROM TUMBLE(flights, sched, INTERVAL '1' DAY, INTERVAL '6' HOUR) AS w",
        expect![[r#"
        SubqueryAlias: w
          Window: TUMBLE size 1 d on flights.sched offset 6 h
            SubqueryAlias: flights
              Projection: flights.Carrier, flights.delay, flights.sched, flights.file, flights.delay > Int32(15) AS late
                TableScan: flights projection=[Carrier, delay, sched, file]
    "#]],
    );
    check(
        "SELECT window_time, max(price) FROM TABLE(HOP(TABLE bid, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '10' SECOND)) GROUP BY window_start, window_end, window_time",
        expect![[r#"
        Projection: window_time, max(bid.price)
          Aggregate: groupBy=[[window_start, window_end, window_time]], aggr=[[max(bid.price)]]
            Projection: bid.price, window_start, window_end, window_time
              Window: HOP size 10 s slide 2 s on bid.ts
                SubqueryAlias: bid
                  TableScan: bid projection=[price, ts]
    "#]],
    );
    check(
        "SELECT w.window_end, w.price FROM TABLE(HOP(DATA => TABLE bid, TIMECOL => DESCRIPTOR(ts), SIZE => INTERVAL '10' SECOND, SLIDE => INTERVAL '3' SECOND)) w",
        expect![[r#"
        Projection: w.window_end, w.price
          SubqueryAlias: w
            Projection: bid.price, window_end
              Window: HOP size 10 s slide 3 s on bid.ts
                SubqueryAlias: bid
                  TableScan: bid projection=[price, ts]
    "#]],
    );
    check(
        "SELECT count(*) FROM TABLE(CUMULATE(TABLE flights, DESCRIPTOR(sched), INTERVAL '1' HOUR, INTERVAL '1' DAY)) GROUP BY window_start, window_end",
        expect![[r#"
        Projection: count(Int64(1)) AS count(*)
          Aggregate: groupBy=[[window_start, window_end]], aggr=[[count(Int64(1))]]
            Projection: window_start, window_end
              Window: CUMULATE max 1 d step 1 h on flights.sched
                SubqueryAlias: flights
                  TableScan: flights projection=[sched]
    "#]],
    );
    check(
        "SELECT bidder, count(*) FROM TABLE(SESSION(TABLE bid PARTITION BY bidder, DESCRIPTOR(ts), INTERVAL '10' MINUTES)) GROUP BY bidder, window_start, window_end",
        expect![[r#"
        Projection: bid.bidder, count(Int64(1)) AS count(*)
          Aggregate: groupBy=[[bid.bidder, window_start, window_end]], aggr=[[count(Int64(1))]]
            Projection: bid.bidder, window_start, window_end
              Window: SESSION gap 10 min on bid.ts partition by bid.bidder
                SubqueryAlias: bid
                  TableScan: bid projection=[bidder, ts]
    "#]],
    );
    check(
        "SELECT count(*) FROM TABLE(SESSION(DATA => TABLE bid PARTITION BY (bidder, channel), TIMECOL => DESCRIPTOR(ts), GAP => INTERVAL '10' MINUTES)) GROUP BY bidder, channel, window_start, window_end",
        expect![[r#"
        Projection: count(Int64(1)) AS count(*)
          Aggregate: groupBy=[[bid.bidder, bid.channel, window_start, window_end]], aggr=[[count(Int64(1))]]
            Projection: bid.bidder, bid.channel, window_start, window_end
              Window: SESSION gap 10 min on bid.ts partition by bid.bidder, bid.channel
                SubqueryAlias: bid
                  TableScan: bid projection=[bidder, channel, ts]
    "#]],
    );
}

#[test]
fn over_any_relation() {
    check(
        "SELECT price, window_end FROM TABLE(TUMBLE(TABLE dear, DESCRIPTOR(ts), INTERVAL '1' MINUTE))",
        expect![[r#"
        Projection: dear.price, window_end
          Window: TUMBLE size 1 min on dear.ts
            SubqueryAlias: dear
              SubqueryAlias: bid
                Filter: bid.price > Int64(100)
                  TableScan: bid projection=[price, ts]
    "#]],
    );
    check(
        "WITH b AS (SELECT price AS p, ts FROM bid) SELECT p, window_end FROM TABLE(TUMBLE(TABLE b, DESCRIPTOR(ts), INTERVAL '1' MINUTE))",
        expect![[r#"
        Projection: b.p, window_end
          Window: TUMBLE size 1 min on b.ts
            SubqueryAlias: b
              Projection: bid.price AS p, bid.ts
                SubqueryAlias: bid
                  TableScan: bid projection=[price, ts]
    "#]],
    );
    check(
        "SELECT p FROM TUMBLE((SELECT price AS p, ts AS t FROM bid WHERE price > 3), DESCRIPTOR(t), INTERVAL '1' MINUTE) WHERE p < 10",
        expect![[r#"
        Projection: p
          Window: TUMBLE size 1 min on t
            Projection: bid.price AS p, bid.ts AS t
              SubqueryAlias: bid
                Filter: bid.price > Int64(3) AND bid.price < Int64(10)
                  TableScan: bid projection=[price, ts]
    "#]],
    );
    check(
        "SELECT price FROM TABLE(TUMBLE(TABLE bid /*+ OPTIONS('bounded'='true') */, DESCRIPTOR(bid.ts), INTERVAL '1' MINUTE))",
        expect![[r#"
        Projection: bid.price
          Window: TUMBLE size 1 min on bid.ts
            SubqueryAlias: bid
              SubqueryAlias: bid /*+ [("bounded", "true")] */
                TableScan: bid projection=[price, ts]
    "#]],
    );
}

#[test]
fn a_window_over_a_window() {
    check(
        "SELECT window_start, window_end, SUM(n) FROM TABLE(TUMBLE(TABLE (
           SELECT window_start, window_end, window_time, COUNT(*) AS n
           FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, window_time
         ), DESCRIPTOR(window_time), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end",
        expect![[r#"
            Aggregate: groupBy=[[window_start, window_end]], aggr=[[sum(n)]]
              Projection: n, window_start, window_end
                Window: TUMBLE size 1 min on window_time0
                  Projection: window_time AS window_time0, count(Int64(1)) AS n
                    Aggregate: groupBy=[[window_start, window_end, window_time]], aggr=[[count(Int64(1))]]
                      Projection: window_start, window_end, window_time
                        Window: TUMBLE size 10 s on bid.ts
                          SubqueryAlias: bid
                            TableScan: bid projection=[ts]
        "#]],
    );
}

#[test]
fn a_session_keeps_its_rows_together() {
    check(
        "SELECT price FROM TABLE(SESSION(TABLE bid PARTITION BY bidder, DESCRIPTOR(ts), INTERVAL '10' MINUTES)) WHERE price > 1 AND bidder = 2",
        expect![[r#"
        Filter: bid.price > Int64(1)
          Projection: bid.price
            Window: SESSION gap 10 min on bid.ts partition by bid.bidder
              SubqueryAlias: bid
                Filter: bid.bidder = Int64(2)
                  TableScan: bid projection=[bidder, price, ts]
    "#]],
    );
}

#[test]
fn wrong_windows() {
    check(
        "SELECT * FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(tss), INTERVAL '10' SECOND))",
        expect![[r#"
        there is no column 'tss'
          --> line 1, column 50
          |
        1 | SELECT * FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(tss), INTERVAL '10' SECOND))
          |                                                  ^^^
        hint: Did you mean 'ts'? Known: auction, bidder, price, channel, url, extra, ms, ts.
    "#]],
    );
    check(
        "SELECT * FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(price), INTERVAL '10' SECOND))",
        expect![[r#"
        TUMBLE needs a TIMESTAMP or TIMESTAMP_LTZ column, and 'price' is BIGINT
          --> line 1, column 50
          |
        1 | SELECT * FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(price), INTERVAL '10' SECOND))
          |                                                  ^^^^^
        hint: Declare a computed column: ts AS TO_TIMESTAMP_LTZ(ms, 3).
    "#]],
    );
    check(
        "SELECT * FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(ts), INTERVAL '10' SECOND))",
        expect![[r#"
        there is no table 'bids'
          --> line 1, column 34
          |
        1 | SELECT * FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(ts), INTERVAL '10' SECOND))
          |                                  ^^^^
        hint: Did you mean 'bid'? Known: bid, dear, flights, sink, tidemill.late_rows, tidemill.rejected_rows.
    "#]],
    );
    check(
        "SELECT * FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts)))",
        expect![[r#"
        TUMBLE lacks its size
          --> line 1, column 21
          |
        1 | SELECT * FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts)))
          |                     ^^^^^^
        hint: Write TUMBLE(TABLE t, DESCRIPTOR(time), size [, offset]).
    "#]],
    );
    check(
        "SELECT * FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), INTERVAL '0' SECOND))",
        expect![[r#"
        the size has to be above zero, not 0 s
          --> line 1, column 64
          |
        1 | SELECT * FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), INTERVAL '0' SECOND))
          |                                                                ^^^
    "#]],
    );
    check(
        "SELECT * FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), INTERVAL '1' MONTH))",
        expect![[r#"
        the size needs a fixed length, and months have none
          --> line 1, column 64
          |
        1 | SELECT * FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), INTERVAL '1' MONTH))
          |                                                                ^^^
    "#]],
    );
    check(
        "SELECT * FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), INTERVAL '0.0001' SECOND))",
        expect![[r#"
        the size has to be whole milliseconds
          --> line 1, column 64
          |
        1 | SELECT * FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), INTERVAL '0.0001' SECOND))
          |                                                                ^^^^^^^^
    "#]],
    );
    check(
        "SELECT * FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), 10))",
        expect![[r#"
        the size has to be an interval, such as INTERVAL '10' SECOND, not '10'
          --> line 1, column 55
          |
        1 | SELECT * FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), 10))
          |                                                       ^^
    "#]],
    );
    check(
        "SELECT * FROM TABLE(CUMULATE(TABLE bid, DESCRIPTOR(ts), INTERVAL '7' SECOND, INTERVAL '10' SECOND))",
        expect![[r#"
        the size, 10 s, has to be a multiple of the step, 7 s
          --> line 1, column 87
          |
        1 | SELECT * FROM TABLE(CUMULATE(TABLE bid, DESCRIPTOR(ts), INTERVAL '7' SECOND, INTERVAL '10' SECOND))
          |                                                                                       ^^^^
    "#]],
    );
    check(
        "SELECT * FROM TABLE(HOP(DATA => TABLE bid, TIMECOL => DESCRIPTOR(ts), SIZE => INTERVAL '1' SECOND, SLIED => INTERVAL '1' SECOND))",
        expect![[r#"
        HOP has no argument 'SLIED'
          --> line 1, column 100
          |
        1 | SELECT * FROM TABLE(HOP(DATA => TABLE bid, TIMECOL => DESCRIPTOR(ts), SIZE => INTERVAL '1' SECOND, SLIED => INTERVAL '1' SECOND))
          |                                                                                                    ^^^^^
        hint: Did you mean 'SLIDE'? Known: DATA, TIMECOL, SLIDE, SIZE, OFFSET.
    "#]],
    );
    check(
        "SELECT * FROM TABLE(TUMBEL(TABLE bid, DESCRIPTOR(ts), INTERVAL '10' SECOND))",
        expect![[r#"
        there is no table function 'TUMBEL'
          --> line 1, column 21
          |
        1 | SELECT * FROM TABLE(TUMBEL(TABLE bid, DESCRIPTOR(ts), INTERVAL '10' SECOND))
          |                     ^^^^^^
        hint: Did you mean 'TUMBLE'? Known: TUMBLE, HOP, CUMULATE, SESSION.
    "#]],
    );
    check(
        "SELECT * FROM TABLE(TUMBLE(TABLE bid PARTITION BY bidder, DESCRIPTOR(ts), INTERVAL '10' SECOND))",
        expect![[r#"
        PARTITION BY is for SESSION: TUMBLE windows are the same for all keys
          --> line 1, column 51
          |
        1 | SELECT * FROM TABLE(TUMBLE(TABLE bid PARTITION BY bidder, DESCRIPTOR(ts), INTERVAL '10' SECOND))
          |                                                   ^^^^^^
        hint: Leave it out, and GROUP BY the keys.
    "#]],
    );
    check(
        "SELECT * FROM TABLE(HOP(TABLE bid, DESCRIPTOR(ts), INTERVAL '1' SECOND, INTERVAL '1' SECOND, INTERVAL '1' SECOND, 1))",
        expect![[r#"
        HOP has an argument too many
          --> line 1, column 115
          |
        1 | SELECT * FROM TABLE(HOP(TABLE bid, DESCRIPTOR(ts), INTERVAL '1' SECOND, INTERVAL '1' SECOND, INTERVAL '1' SECOND, 1))
          |                                                                                                                   ^
        hint: Write HOP(TABLE t, DESCRIPTOR(time), slide, size [, offset]).
    "#]],
    );
}
