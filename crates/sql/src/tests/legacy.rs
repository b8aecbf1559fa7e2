//! The old form of windows.

use expect_test::expect;

use super::fixture::check;

#[test]
fn group_windows() {
    check(
        "SELECT auction, TUMBLE_START(ts, INTERVAL '10' SECOND) AS s, TUMBLE_END(ts, INTERVAL '10' SECOND), COUNT(*) FROM bid GROUP BY TUMBLE(ts, INTERVAL '10' SECOND), auction",
        expect![[r#"
            Projection: bid.auction, window_start AS s, window_end AS TUMBLE_END(ts, INTERVAL '10' SECOND), count(Int64(1)) AS count(*)
              Aggregate: groupBy=[[window_start, window_end, bid.auction]], aggr=[[count(Int64(1))]]
                Projection: bid.auction, window_start, window_end
                  Window: TUMBLE size 10 s on bid.ts
                    SubqueryAlias: bid
                      TableScan: bid projection=[auction, ts]
        "#]],
    );
    check(
        "SELECT HOP_ROWTIME(b.ts, INTERVAL '2' SECOND, INTERVAL '10' SECOND) AS t, max(b.price) FROM bid b WHERE b.price > 3 GROUP BY HOP(b.ts, INTERVAL '2' SECOND, INTERVAL '10' SECOND) HAVING HOP_END(b.ts, INTERVAL '2' SECOND, INTERVAL '10' SECOND) > TIMESTAMP '2020-01-01 00:00:00'",
        expect![[r#"
        Projection: window_time AS t, max(b.price)
          Aggregate: groupBy=[[window_start, window_end, window_time]], aggr=[[max(b.price)]]
            Filter: window_end > TimestampMillisecond(1577836800000, None)
              Projection: b.price, window_start, window_end, window_time
                Window: HOP size 10 s slide 2 s on b.ts
                  SubqueryAlias: b
                    SubqueryAlias: bid
                      Filter: bid.price > Int64(3)
                        TableScan: bid projection=[price, ts]
    "#]],
    );
    check(
        "SELECT bidder, SESSION_START(ts, INTERVAL '1' MINUTE) AS s FROM bid WHERE price > 10 GROUP BY SESSION(ts, INTERVAL '1' MINUTE), bidder",
        expect![[r#"
        Projection: bid.bidder, window_start AS s
          Aggregate: groupBy=[[window_start, window_end, bid.bidder]], aggr=[[]]
            Projection: bid.bidder, window_start, window_end
              Window: SESSION gap 1 min on bid.ts partition by bid.bidder
                SubqueryAlias: bid
                  Projection: bid.bidder, bid.ts
                    Filter: bid.price > Int64(10)
                      TableScan: bid projection=[bidder, price, ts]
    "#]],
    );
    check(
        "SELECT UPPER(url), SESSION_END(ts, INTERVAL '1' MINUTE) AS s FROM bid GROUP BY SESSION(ts, INTERVAL '1' MINUTE), UPPER(url) ORDER BY SESSION_END(ts, INTERVAL '1' MINUTE)",
        expect![[r#"
        Sort: s ASC NULLS FIRST
          Projection: group_key_0 AS UPPER(url), window_end AS s
            Aggregate: groupBy=[[window_start, window_end, group_key_0]], aggr=[[]]
              Projection: group_key_0, window_start, window_end
                Window: SESSION gap 1 min on bid.ts partition by group_key_0
                  Projection: bid.ts, upper(bid.url) AS group_key_0
                    SubqueryAlias: bid
                      TableScan: bid projection=[url, ts]
    "#]],
    );
}

#[test]
fn wrong_group_windows() {
    check(
        "SELECT TUMBLE_START(ts, INTERVAL '1' MINUTE) FROM bid GROUP BY auction",
        expect![[r#"
        TUMBLE_START needs a GROUP BY TUMBLE(..) in the same query
          --> line 1, column 8
          |
        1 | SELECT TUMBLE_START(ts, INTERVAL '1' MINUTE) FROM bid GROUP BY auction
          |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    "#]],
    );
    check(
        "SELECT TUMBLE_START(ts, INTERVAL '2' MINUTE) FROM bid GROUP BY TUMBLE(ts, INTERVAL '1' MINUTE)",
        expect![[r#"
        TUMBLE_START has other arguments than the window of the GROUP BY
          --> line 1, column 8
          |
        1 | SELECT TUMBLE_START(ts, INTERVAL '2' MINUTE) FROM bid GROUP BY TUMBLE(ts, INTERVAL '1' MINUTE)
          |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    "#]],
    );
    check(
        "SELECT HOP_START(ts, INTERVAL '1' MINUTE) FROM bid GROUP BY TUMBLE(ts, INTERVAL '1' MINUTE)",
        expect![[r#"
        HOP_START has other arguments than the window of the GROUP BY
          --> line 1, column 8
          |
        1 | SELECT HOP_START(ts, INTERVAL '1' MINUTE) FROM bid GROUP BY TUMBLE(ts, INTERVAL '1' MINUTE)
          |        ^^^^^^^^^^^^^^^^^^^^^^^^^^
    "#]],
    );
    check(
        "SELECT 1 FROM bid GROUP BY HOP(ts, INTERVAL '1' MINUTE)",
        expect![[r#"
            GROUP BY HOP has another number of arguments
              --> line 1, column 28
              |
            1 | SELECT 1 FROM bid GROUP BY HOP(ts, INTERVAL '1' MINUTE)
              |                            ^^^^^^^^^^^^^^^^^^^^
            hint: Write HOP(time, slide, size [, offset]).
        "#]],
    );
    check(
        "SELECT 1 FROM bid GROUP BY TUMBLE(ts, INTERVAL '1' MINUTE), TUMBLE(ts, INTERVAL '2' MINUTE)",
        expect![[r#"
        GROUP BY two window functions is not supported
          --> line 1, column 61
          |
        1 | SELECT 1 FROM bid GROUP BY TUMBLE(ts, INTERVAL '1' MINUTE), TUMBLE(ts, INTERVAL '2' MINUTE)
          |                                                             ^^^^^^^^^^^^^^^^^^^^^^^
    "#]],
    );
}
