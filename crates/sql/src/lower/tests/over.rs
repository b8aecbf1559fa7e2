//! Functions with `OVER`: which form each becomes, and what it keeps.

use expect_test::{Expect, expect};
use tidemill_plan::explain;

use super::sql::planned;

fn check(sql: &str, expected: Expect) {
    let text = match planned(sql) {
        Ok((_, plan, warnings)) => {
            let warnings: String = warnings.iter().map(|w| format!("warning: {w}\n")).collect();
            format!("{}---\n{}{warnings}", explain::stream(&plan), explain::state(&plan))
        }
        Err(e) => e.to_string(),
    };
    expected.assert_eq(&text);
}

#[test]
fn in_the_order_of_event_time() {
    check(
        "SELECT auction, at, SUM(price) OVER (PARTITION BY auction % 3 ORDER BY at, price), LAG(price) OVER (PARTITION BY auction % 3 ORDER BY at, price) FROM bid",
        expect![[r#"
            Sink result  [append, event time at, unbounded]
              Project auction, at, sum(bid.price) PARTITION BY [bid.auction % Int64(3)] ORDER BY [bid.at ASC NULLS FIRST, bid.price ASC NULLS FIRST] RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW, lag(bid.price) PARTITION BY [bid.auction % Int64(3)] ORDER BY [bid.at ASC NULLS FIRST, bid.price ASC NULLS FIRST] RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW  [append, event time at, unbounded]
                Over emit=in the order of at partition=[__common_expr_1] order=[at@3 ASC, price@2 ASC] functions=[sum(price@2) RANGE UNBOUNDED PRECEDING TO CURRENT ROW, lag(price@2)]  [append, event time at, unbounded]
                  Project auction@0 % 3 AS __common_expr_1, auction, price, at  [append, event time at, unbounded]
                    Source bid columns=[auction, price, at] watermark=at - 4 s  [append, event time at, unbounded]
            ---
            Sink: keeps nothing
              Project: keeps nothing
                Over: keeps for each partition the rows that a frame can reach, running aggregates instead of rows, for ever (RANGE BETWEEN INTERVAL .. PRECEDING lets partitions go)
                  Project: keeps nothing
                    Source: keeps nothing
            warning: Over over 'bid' keeps for each partition the rows that a frame can reach, running aggregates instead of rows, and never lets go of it: RANGE BETWEEN INTERVAL .. PRECEDING lets partitions go.
        "#]],
    );
    check(
        "SELECT auction, COUNT(*) OVER (PARTITION BY auction ORDER BY at RANGE INTERVAL '1' HOUR PRECEDING) FROM bid",
        expect![[r#"
            Sink result  [append, unbounded]
              Project auction, count(Int64(1)) PARTITION BY [bid.auction] ORDER BY [bid.at ASC NULLS FIRST] RANGE BETWEEN 0 months 0 days 3600000000000 nanoseconds PRECEDING AND CURRENT ROW@2 AS count(*) PARTITION BY [bid.auction] ORDER BY [bid.at ASC NULLS FIRST] RANGE BETWEEN 0 months 0 days 3600000000000 nanoseconds PRECEDING AND CURRENT ROW  [append, unbounded]
                Over emit=in the order of at partition=[auction] order=[at@1 ASC] functions=[count(1) RANGE 1 hours PRECEDING TO CURRENT ROW]  [append, event time at, unbounded]
                  Source bid columns=[auction, at] watermark=at - 4 s  [append, event time at, unbounded]
            ---
            Sink: keeps nothing
              Project: keeps nothing
                Over: keeps the rows that a frame can reach, until the watermark passes their time by 1 h 1 us
                  Source: keeps nothing
        "#]],
    );
}

#[test]
fn windows_are_built_on_it() {
    check(
        "SELECT window_start, MAX(s) FROM TABLE(TUMBLE((SELECT at, SUM(price) OVER (ORDER BY at ROWS 9 PRECEDING) AS s FROM bid), DESCRIPTOR(at), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end",
        expect![[r#"
            Sink result  [append, unbounded]
              Project window_start, max(s)  [append, unbounded]
                WindowAggregate TUMBLE size 1 min on at aggregates=[max(s)]  [append, event time window_time, unbounded]
                  Over emit=in the order of at order=[at@1 ASC] functions=[sum(price@0) ROWS 9 PRECEDING TO CURRENT ROW]  [append, event time at, unbounded]
                    Source bid columns=[price, at] watermark=at - 4 s  [append, event time at, unbounded]
            ---
            Sink: keeps nothing
              Project: keeps nothing
                WindowAggregate: keeps one row of aggregates for each group of an open window, until the watermark passes window_end
                  Over: keeps the rows that a frame can reach, running aggregates instead of rows, until the query ends
                    Source: keeps nothing
        "#]],
    );
}

#[test]
fn when_its_window_has_closed() {
    check(
        "SELECT window_start, auction, n, n * 1.0 / SUM(n) OVER (PARTITION BY window_start, window_end) AS share FROM (
           SELECT window_start, window_end, auction, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(at), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, auction)",
        expect![[r#"
            Sink result  [append, unbounded]
              Project window_start, auction, n, share  [append, unbounded]
                Project window_start, auction, count(Int64(1))@4 AS n, CAST(n@4 AS Float64) / CAST(sum(n) PARTITION BY [window_start, window_end] ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING@5 AS Float64) AS share, window_end  [append, unbounded]
                  Over emit=when window_end has passed partition=[window_start, window_end] functions=[sum(n@4) ROWS UNBOUNDED PRECEDING TO UNBOUNDED FOLLOWING]  [append, unbounded]
                    WindowAggregate TUMBLE size 1 min on at group=[auction@0] aggregates=[count(Int64(1))]  [append, event time window_time, unbounded]
                      Source bid columns=[auction, at] watermark=at - 4 s  [append, event time at, unbounded]
            ---
            Sink: keeps nothing
              Project: keeps nothing
                Project: keeps nothing
                  Over: keeps every row of an open window, until the watermark passes window_end
                    WindowAggregate: keeps one row of aggregates for each group of an open window, until the watermark passes window_end
                      Source: keeps nothing
        "#]],
    );
    check(
        "SELECT window_start, price, NTILE(4) OVER (PARTITION BY window_start ORDER BY price) FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(at), INTERVAL '1' MINUTE))",
        expect![[r#"
            Sink result  [append, unbounded]
              Project window_start, price, ntile(Int64(4)) PARTITION BY [window_start] ORDER BY [bid.price ASC NULLS FIRST] RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW@5 AS NTILE(4) OVER (PARTITION BY window_start ORDER BY price)  [append, unbounded]
                Over emit=when window_end has passed partition=[window_start] order=[price@0 ASC] functions=[ntile(4)]  [append, unbounded]
                  WindowRows TUMBLE size 1 min on at  [append, event time at, unbounded]
                    Source bid columns=[price, at] watermark=at - 4 s  [append, event time at, unbounded]
            ---
            Sink: keeps nothing
              Project: keeps nothing
                Over: keeps every row of an open window, until the watermark passes window_end
                  WindowRows: keeps nothing
                    Source: keeps nothing
        "#]],
    );
}

#[test]
fn at_the_end() {
    check(
        "SELECT id, LEAD(id) OVER (ORDER BY id) FROM auction",
        expect![[r#"
            Sink result  [append, bounded]
              Over emit=at the end order=[id@0 ASC] functions=[lead(id@0)]  [append, bounded]
                Source auction columns=[id]  [append, bounded]
            ---
            Sink: keeps nothing
              Over: keeps every row, until the input ends
                Source: keeps nothing
        "#]],
    );
}

#[test]
fn with_each_change() {
    check(
        "SELECT auction, RANK() OVER (ORDER BY price DESC), LEAD(price) OVER (ORDER BY at) FROM bid",
        expect![[r#"
            Sink result  [retract, unbounded]
              Compact net changes  [retract, unbounded]
                Project auction, rank() ORDER BY [bid.price DESC NULLS LAST] RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW, lead(bid.price) ORDER BY [bid.at ASC NULLS FIRST] RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW  [retract, unbounded]
                  Over emit=changes order=[at@2 ASC] functions=[lead(price@1)]  [retract, unbounded]
                    Over emit=changes order=[price@1 DESC NULLS LAST] functions=[rank()]  [retract, unbounded]
                      Source bid columns=[auction, price, at] watermark=at - 4 s  [append, event time at, unbounded]
            ---
            Sink: keeps nothing
              Compact: keeps nothing
                Project: keeps nothing
                  Over: keeps every row with its values, for ever (bound the state of what it reads)
                    Over: keeps every row with its values: UNBOUNDED (ORDER BY the event time with a frame that ends at CURRENT ROW, or PARTITION BY window_start, window_end)
                      Source: keeps nothing
            warning: Over over 'bid' keeps every row with its values, and never lets go of it: ORDER BY the event time with a frame that ends at CURRENT ROW, or PARTITION BY window_start, window_end.
            warning: Over over 'bid' keeps every row with its values, and never lets go of it: bound the state of what it reads.
        "#]],
    );
    check(
        "SELECT auction, n, LAG(n) OVER (ORDER BY auction) FROM (SELECT auction, COUNT(*) AS n FROM bid GROUP BY auction)",
        expect![[r#"
            Sink result  [retract, unbounded]
              Project auction, count(Int64(1))@1 AS n, lag(n) ORDER BY [bid.auction ASC NULLS FIRST] ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW  [retract, unbounded]
                Over emit=changes order=[auction@0 ASC] functions=[lag(n@1)]  [retract, unbounded]
                  UpdatingAggregate emit=changes group=[auction@0] aggregates=[count(Int64(1))]  [retract, unbounded]
                    Project auction  [append, unbounded]
                      Source bid columns=[auction, at] watermark=at - 4 s  [append, event time at, unbounded]
            ---
            Sink: keeps nothing
              Project: keeps nothing
                Over: keeps every row with its values, for ever (bound the state of what it reads)
                  UpdatingAggregate: keeps one row of aggregates for each group, for ever (group by a window to let groups go)
                    Project: keeps nothing
                      Source: keeps nothing
            warning: GROUP BY over 'bid' keeps one row of aggregates for each group, and never lets go of it: group by a window to let groups go.
            warning: Over over 'bid' keeps every row with its values, and never lets go of it: bound the state of what it reads.
        "#]],
    );
    check(
        "SELECT id, LEAD(id) OVER (ORDER BY id) FROM auction EMIT CHANGES",
        expect![[r#"
            Sink result  [retract, bounded]
              Over emit=changes order=[id@0 ASC] functions=[lead(id@0)]  [retract, bounded]
                Source auction columns=[id]  [append, bounded]
            ---
            Sink: keeps nothing
              Over: keeps every row with its values, until the input ends
                Source: keeps nothing
        "#]],
    );
}

#[test]
fn named_windows_and_qualify() {
    check(
        "SELECT auction, price FROM bid WINDOW w AS (PARTITION BY auction ORDER BY at) QUALIFY price > LAG(price) OVER w",
        expect![[r#"
            Sink result  [append, unbounded]
              Filter price@1 > lag(bid.price) PARTITION BY [bid.auction] ORDER BY [bid.at ASC NULLS FIRST] RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW@3 columns=[auction, price]  [append, unbounded]
                Over emit=in the order of at partition=[auction] order=[at@2 ASC] functions=[lag(price@1)]  [append, event time at, unbounded]
                  Source bid columns=[auction, price, at] watermark=at - 4 s  [append, event time at, unbounded]
            ---
            Sink: keeps nothing
              Filter: keeps nothing
                Over: keeps for each partition the rows that a frame can reach, running aggregates instead of rows, for ever (RANGE BETWEEN INTERVAL .. PRECEDING lets partitions go)
                  Source: keeps nothing
            warning: Over over 'bid' keeps for each partition the rows that a frame can reach, running aggregates instead of rows, and never lets go of it: RANGE BETWEEN INTERVAL .. PRECEDING lets partitions go.
        "#]],
    );
    check(
        "SELECT auction, SUM(price) OVER (w ROWS 2 PRECEDING) FROM bid WINDOW w AS (PARTITION BY auction ORDER BY at)",
        expect![[r#"
            Sink result  [append, unbounded]
              Project auction, sum(bid.price) PARTITION BY [bid.auction] ORDER BY [bid.at ASC NULLS FIRST] ROWS BETWEEN 2 PRECEDING AND CURRENT ROW  [append, unbounded]
                Over emit=in the order of at partition=[auction] order=[at@2 ASC] functions=[sum(price@1) ROWS 2 PRECEDING TO CURRENT ROW]  [append, event time at, unbounded]
                  Source bid columns=[auction, price, at] watermark=at - 4 s  [append, event time at, unbounded]
            ---
            Sink: keeps nothing
              Project: keeps nothing
                Over: keeps for each partition the rows that a frame can reach, running aggregates instead of rows, for ever (RANGE BETWEEN INTERVAL .. PRECEDING lets partitions go)
                  Source: keeps nothing
            warning: Over over 'bid' keeps for each partition the rows that a frame can reach, running aggregates instead of rows, and never lets go of it: RANGE BETWEEN INTERVAL .. PRECEDING lets partitions go.
        "#]],
    );
    check(
        "SELECT auction, price FROM bid QUALIFY price > AVG(price) OVER (PARTITION BY auction ORDER BY at)",
        expect![[r#"
            Sink result  [append, unbounded]
              Filter CAST(price@1 AS Float64) > avg(bid.price) PARTITION BY [bid.auction] ORDER BY [bid.at ASC NULLS FIRST] RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW@3 columns=[auction, price]  [append, unbounded]
                Over emit=in the order of at partition=[auction] order=[at@2 ASC] functions=[avg(CAST(price@1 AS Float64)) RANGE UNBOUNDED PRECEDING TO CURRENT ROW]  [append, event time at, unbounded]
                  Source bid columns=[auction, price, at] watermark=at - 4 s  [append, event time at, unbounded]
            ---
            Sink: keeps nothing
              Filter: keeps nothing
                Over: keeps for each partition the rows that a frame can reach, running aggregates instead of rows, for ever (RANGE BETWEEN INTERVAL .. PRECEDING lets partitions go)
                  Source: keeps nothing
            warning: Over over 'bid' keeps for each partition the rows that a frame can reach, running aggregates instead of rows, and never lets go of it: RANGE BETWEEN INTERVAL .. PRECEDING lets partitions go.
        "#]],
    );
}

#[test]
fn what_is_refused() {
    check(
        "SELECT SUM(price) OVER (ORDER BY at ROWS BETWEEN 1 FOLLOWING AND CURRENT ROW) FROM bid",
        expect![
            "invalid window frame: start bound (1 FOLLOWING) cannot be larger than end bound (CURRENT ROW) (line 13, column 1)"
        ],
    );
    check(
        "SELECT SUM(price) OVER (ORDER BY at RANGE BETWEEN 1 PRECEDING AND CURRENT ROW) FROM bid",
        expect![[r#"
        RANGE with an offset of 1 is not for ORDER BY a TIMESTAMP(3) (line 13, column 1)
        hint: Write an interval: INTERVAL '1' DAY."#]],
    );
    check(
        "SELECT SUM(price) OVER (ORDER BY price RANGE BETWEEN INTERVAL '1' DAY PRECEDING AND CURRENT ROW) FROM bid",
        expect![[r#"
            RANGE with an interval as its offset is not for ORDER BY a BIGINT (line 13, column 1)
            hint: Write a number."#]],
    );
    check(
        "SELECT SUM(price) OVER (ORDER BY at, price RANGE INTERVAL '1' SECOND PRECEDING) FROM bid",
        expect!["RANGE requires exactly one ORDER BY column (line 13, column 1)"],
    );
}
