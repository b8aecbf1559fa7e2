//! What is said of a plan: its expressions, its time and state, why it is refused.

use expect_test::expect;

use super::sql::*;
use crate::explain;

#[test]
fn expressions_over_results() {
    check(
        "SELECT DATE_FORMAT(window_end, 'HH:mm') AS t, channel, SUM(price) / COUNT(*) AS mean, COUNT(DISTINCT bidder) AS bidders
         FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(at), INTERVAL '1' HOUR))
         WHERE price > 10 AND channel <> 'x'
         GROUP BY window_start, window_end, channel HAVING COUNT(*) > 3;",
        expect![[r#"
            Sink result  [append, unbounded]
              Project date_format(window_end@0, HH:mm) AS t, channel, sum(bid.price)@2 / count(Int64(1))@3 AS mean, count(DISTINCT bid.bidder)@4 AS bidders  [append, unbounded]
                Filter count(Int64(1))@5 > 3 columns=[window_end, channel, sum(bid.price), count(Int64(1)), count(DISTINCT bid.bidder)]  [append, unbounded]
                  WindowAggregate TUMBLE size 1 h on at group=[channel@2] aggregates=[sum(bid.price), count(Int64(1)), count(DISTINCT bid.bidder)]  [append, event time window_time, unbounded]
                    Filter price@1 > 10 AND channel@2 != x  [append, event time at, unbounded]
                      Source bid columns=[bidder, price, channel, at] watermark=at - 4 s  [append, event time at, unbounded]
        "#]],
    );
    check(
        "SELECT UPPER(channel) AS c, COUNT(*) FILTER (WHERE price > 10) AS dear
         FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(at), INTERVAL '1' HOUR))
         GROUP BY window_start, window_end, UPPER(channel);",
        expect![[r#"
            Sink result  [append, unbounded]
              Project upper(bid.channel)@3 AS c, count(Int64(1)) FILTER (WHERE bid.price > Int64(10))@4 AS dear  [append, unbounded]
                WindowAggregate TUMBLE size 1 h on at group=[upper(channel@1)] aggregates=[count(Int64(1)) FILTER (WHERE bid.price > Int64(10)) FILTER (WHERE price@0 > 10)]  [append, event time window_time, unbounded]
                  Source bid columns=[price, channel, at] watermark=at - 4 s  [append, event time at, unbounded]
        "#]],
    );
    check(
        "SELECT window_start, channel, bidder, GROUPING(bidder) AS g, COUNT(*) AS n
         FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(at), INTERVAL '1' HOUR))
         GROUP BY window_start, window_end, ROLLUP (channel, bidder);",
        expect![[r#"
            Sink result  [append, unbounded]
              Project window_start, channel, bidder, g, n  [append, unbounded]
                Project window_start, channel, bidder, CAST(__grouping_id@5 & 1 AS Int32) AS g, count(Int64(1))@6 AS n, window_end  [append, unbounded]
                  WindowAggregate TUMBLE size 1 h on at group=[channel@1, bidder@0] sets=3 aggregates=[count(Int64(1))]  [append, event time window_time, unbounded]
                    Source bid columns=[bidder, channel, at] watermark=at - 4 s  [append, event time at, unbounded]
        "#]],
    );
}

#[test]
fn refusals_point_at_the_query() {
    check(
        "INSERT INTO sink SELECT auction, COUNT(*) FROM bid GROUP BY auction;",
        expect![[r#"
            table 'sink' takes insertions only, and this result is updated by the GROUP BY without a window over 'bid'
               --> line 13, column 1
               |
            13 | INSERT INTO sink SELECT auction, COUNT(*) FROM bid GROUP BY auction;
               | ^^^^^^
            hint: Group by window_start and window_end of a window function beside auction. Or write to a table that takes updates: format 'debezium-json', a 'changelog.operation-column', or connector 'print'."#]],
    );
}

#[test]
fn time_and_state_are_explained() {
    let sql = "SELECT auction, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(at), INTERVAL '10' SECOND))
         GROUP BY window_start, window_end, auction;
         SELECT k, SUM(v) AS v FROM TABLE(TUMBLE(TABLE plain, DESCRIPTOR(p), INTERVAL '10' SECOND))
         GROUP BY window_start, window_end, k;";
    let (queries, plan, _) = planned(sql).unwrap();
    expect![[r#"
        bid: the watermark of at is at - INTERVAL '4' SECOND, the least over the splits; a split without rows for 10 s is left out
        plain: no watermark
        WindowAggregate TUMBLE size 10 s on at group=[auction@0] aggregates=[count(Int64(1))]: waits for bid
        WindowAggregate TUMBLE size 10 s on p group=[k@0] aggregates=[sum(plain.v)]: waits for the clock
    "#]].assert_eq(&explain::watermark(&plan));
    expect![[r#"
        == Logical ==
        Projection: bid.auction, count(Int64(1)) AS count(*) AS n
          Aggregate: groupBy=[[window_start, window_end, bid.auction]], aggr=[[count(Int64(1))]]
            Projection: bid.auction, window_start, window_end
              Window: TUMBLE size 10 s on bid.at
                SubqueryAlias: bid
                  TableScan: bid projection=[auction, at]
        Projection: plain.k, sum(plain.v) AS v
          Aggregate: groupBy=[[window_start, window_end, plain.k]], aggr=[[sum(plain.v)]]
            Projection: plain.k, plain.v, window_start, window_end
              Window: TUMBLE size 10 s on plain.p
                SubqueryAlias: plain
                  Projection: plain.k, plain.v, proctime() AS p
                    TableScan: plain projection=[k, v]
        == Stream ==
        Sink result  [append, unbounded]
          Project auction, count(Int64(1))@4 AS n  [append, unbounded]
            WindowAggregate TUMBLE size 10 s on at group=[auction@0] aggregates=[count(Int64(1))]  [append, event time window_time, unbounded]
              Source bid columns=[auction, at] watermark=at - 4 s  [append, event time at, unbounded]
        Sink result  [append, unbounded]
          Project k, sum(plain.v)@4 AS v  [append, unbounded]
            WindowAggregate TUMBLE size 10 s on p group=[k@0] aggregates=[sum(plain.v)]  [append, event time window_time, unbounded]
              ProcessingTime  [append, event time p, unbounded]
                Project k, v, proctime() AS p  [append, unbounded]
                  Source plain columns=[k, v]  [append, unbounded]
        == State ==
        WindowAggregate: keeps one row of aggregates for each group of an open window, until the watermark passes window_end
        WindowAggregate: keeps one row of aggregates for each group of an open window, until the watermark passes window_end
    "#]].assert_eq(&explain::all(&queries.iter().map(|q| &q.plan).collect::<Vec<_>>(), &plan));
}
