//! Joins: what they match, what their result is, what bounds them.

use expect_test::expect;

use super::sql::{check, planned};

#[test]
fn keys_and_what_is_beside_them() {
    check(
        "SELECT b.price, p.v FROM bid b LEFT JOIN plain p ON b.auction + 1 = p.k AND b.price < p.v;",
        expect![[r#"
        Sink result  [retract, unbounded]
          Compact net changes  [retract, unbounded]
            Project price, v  [retract, unbounded]
              Join left on=[b.auction + Int64(1) = k] where=CAST(price@1 AS Float64) < v@4  [retract, unbounded]
                Project auction, price, auction@0 + 1 AS b.auction + Int64(1)  [append, unbounded]
                  Project auction, price  [append, unbounded]
                    Source bid columns=[auction, price, at] watermark=at - 4 s  [append, event time at, unbounded]
                Source plain columns=[k, v]  [append, unbounded]
        warning: Join over 'bid', 'plain' keeps every row of both sides, and never lets go of it: bound it by time (l.ts BETWEEN r.ts - INTERVAL .. AND r.ts), or join windows of both sides.
    "#]],
    );
    check(
        "SELECT price FROM bid WHERE auction NOT IN (SELECT k FROM plain);",
        expect![[r#"
        Sink result  [retract, unbounded]
          Compact net changes  [retract, unbounded]
            Project price  [retract, unbounded]
              Join left anti on=[auction = k] as NOT IN on one worker  [retract, unbounded]
                Project auction, price  [append, unbounded]
                  Source bid columns=[auction, price, at] watermark=at - 4 s  [append, event time at, unbounded]
                Source plain columns=[k]  [append, unbounded]
        warning: Join over 'bid', 'plain' keeps every row of both sides, and never lets go of it: bound it by time (l.ts BETWEEN r.ts - INTERVAL .. AND r.ts), or join windows of both sides.
    "#]],
    );
    check(
        "SELECT price, v FROM bid, plain WHERE price < v;",
        expect![[r#"
        Sink result  [append, unbounded]
          Join inner where=CAST(price@0 AS Float64) < v@1 on one worker  [append, unbounded]
            Project price  [append, unbounded]
              Source bid columns=[price, at] watermark=at - 4 s  [append, event time at, unbounded]
            Source plain columns=[v]  [append, unbounded]
        warning: Join over 'bid', 'plain' keeps every row of both sides, and never lets go of it: bound it by time (l.ts BETWEEN r.ts - INTERVAL .. AND r.ts), or join windows of both sides.
    "#]],
    );
}

#[test]
fn over_tables_that_end_a_row_without_a_partner_comes_once() {
    check(
        "SELECT o.price, a.seller FROM old o LEFT JOIN auction a ON o.auction = a.id;",
        expect![[r#"
        Sink result  [append, bounded]
          Project price, seller  [append, bounded]
            Join left on=[auction = id] unmatched=when over  [append, bounded]
              Project auction, price  [append, bounded]
                Source old columns=[auction, price, ms, at] watermark=at - 1 min  [append, event time at, bounded]
              Source auction columns=[id, seller]  [append, bounded]
    "#]],
    );
    check(
        "SELECT o.price, a.seller FROM old o LEFT JOIN auction a ON o.auction = a.id EMIT CHANGES;",
        expect![[r#"
        Sink result  [retract, bounded]
          Compact net changes  [retract, bounded]
            Project price, seller  [retract, bounded]
              Join left on=[auction = id]  [retract, bounded]
                Project auction, price  [append, bounded]
                  Source old columns=[auction, price, ms, at] watermark=at - 1 min  [append, event time at, bounded]
                Source auction columns=[id, seller]  [append, bounded]
    "#]],
    );
}

#[test]
fn time_bounds_a_join_however_it_is_said() {
    check(
        "SELECT a.price, b.price AS p2 FROM bid a JOIN bid b ON a.auction = b.auction AND a.at BETWEEN b.at - INTERVAL '5' SECOND AND b.at + INTERVAL '1' MINUTE;",
        expect![[r#"
            Sink result  [append, unbounded]
              Project price, price@4 AS p2  [append, unbounded]
                Join inner on=[auction = auction] where=at@2 >= at@5 - IntervalMonthDayNano { months: 0, days: 0, nanoseconds: 5000000000 } AND at@2 <= at@5 + IntervalMonthDayNano { months: 0, days: 0, nanoseconds: 60000000000 } time=at - at from -5 s to 1 min  [append, event time at, unbounded]
                  #0 Source bid columns=[auction, price, at] watermark=at - 4 s  [append, event time at, unbounded]
                  #0 Source (see above)
        "#]],
    );
    check(
        "SELECT a.price FROM bid a LEFT JOIN bid b ON a.auction = b.auction AND a.at - b.at < INTERVAL '1' HOUR AND b.at <= a.at;",
        expect![[r#"
            Sink result  [append, unbounded]
              Project price  [append, unbounded]
                Join left on=[auction = auction] where=CAST(at@2 - at@4 AS Duration(µs)) < 3600000000 AND at@4 <= at@2 time=at - at from 0 s to 1 h unmatched=when over  [append, event time at, unbounded]
                  #0 Source bid columns=[auction, price, at] watermark=at - 4 s  [append, event time at, unbounded]
                  Project auction, at  [append, event time at, unbounded]
                    #0 Source (see above)
        "#]],
    );
    check(
        "SELECT a.price, b.price AS p2 FROM bid a JOIN bid b ON a.auction = b.auction AND a.at > b.at;",
        expect![[r#"
            Sink result  [append, unbounded]
              Project price, price@4 AS p2  [append, unbounded]
                Join inner on=[auction = auction] where=at@2 > at@5 time=at - at from 0 s to any  [append, event time at, unbounded]
                  #0 Source bid columns=[auction, price, at] watermark=at - 4 s  [append, event time at, unbounded]
                  #0 Source (see above)
            warning: Join over 'bid' keeps every row of the right side, and never lets go of it: bound it by time (l.ts BETWEEN r.ts - INTERVAL .. AND r.ts), or join windows of both sides.
        "#]],
    );
}

#[test]
fn windows_that_meet_bound_a_join() {
    check(
        "SELECT a.window_time AS t, b.price FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(at), INTERVAL '10' SECOND)) a
         FULL JOIN TABLE(TUMBLE(TABLE bid, DESCRIPTOR(at), INTERVAL '10' SECOND)) b
         ON a.window_start = b.window_start AND a.window_end = b.window_end AND a.auction = b.bidder;",
        expect![[r#"
            Sink result  [append, unbounded]
              Project window_time@3 AS t, price  [append, unbounded]
                Join full on=[window_start = window_start, window_end = window_end, auction = bidder] within TUMBLE size 10 s unmatched=when over  [append, unbounded]
                  Project auction, window_start, window_end, window_time  [append, unbounded]
                    WindowRows TUMBLE size 10 s on at  [append, event time at, unbounded]
                      Project auction, at  [append, event time at, unbounded]
                        #0 Source bid columns=[auction, bidder, price, at] watermark=at - 4 s  [append, event time at, unbounded]
                  Project bidder, price, window_start, window_end  [append, unbounded]
                    WindowRows TUMBLE size 10 s on at  [append, event time at, unbounded]
                      Project bidder, price, at  [append, event time at, unbounded]
                        #0 Source (see above)
        "#]],
    );
    // The end of a window is a time, too.
    check(
        "SELECT b.auction, b.price FROM bid b JOIN (
           SELECT MAX(price) AS most, window_end AS t FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(at), INTERVAL '10' SECOND)) GROUP BY window_start, window_end
         ) m ON b.price = m.most WHERE b.at BETWEEN m.t - INTERVAL '10' SECOND AND m.t;",
        expect![[r#"
            Sink result  [append, unbounded]
              Project auction, price  [append, unbounded]
                Join inner on=[price = most] where=at@2 >= t@4 - IntervalMonthDayNano { months: 0, days: 0, nanoseconds: 10000000000 } AND at@2 <= t@4 time=at - t from -10 s to 0 s  [append, event time at, unbounded]
                  Contenders price >= max(price@0) so far of TUMBLE size 10 s on at  [append, event time at, unbounded]
                    #0 Source bid columns=[auction, price, at] watermark=at - 4 s  [append, event time at, unbounded]
                    #1 Project price, at  [append, event time at, unbounded]
                      #0 Source (see above)
                  Project max(bid.price)@3 AS most, window_end@1 AS t, window_start  [append, unbounded]
                    WindowAggregate TUMBLE size 10 s on at aggregates=[max(bid.price)]  [append, event time window_time, unbounded]
                      #1 Project (see above)
        "#]],
    );
}

#[test]
fn time_goes_on_above_a_bounded_join_and_not_above_others() {
    let query = |condition: &str| {
        format!(
            "WITH j AS (SELECT a.at AS at, b.price FROM bid a JOIN bid b ON a.auction = b.auction {condition})
             SELECT window_end, SUM(price) AS s FROM TABLE(TUMBLE(TABLE j, DESCRIPTOR(at), INTERVAL '10' SECOND)) GROUP BY window_start, window_end;"
        )
    };
    check(
        &query("AND a.at BETWEEN b.at AND b.at + INTERVAL '1' SECOND"),
        expect![[r#"
        Sink result  [append, unbounded]
          Project window_end, sum(j.price)@3 AS s  [append, unbounded]
            WindowAggregate TUMBLE size 10 s on at aggregates=[sum(j.price)]  [append, event time window_time, unbounded]
              Join inner on=[auction = auction] where=at@1 >= at@4 AND at@1 <= at@4 + IntervalMonthDayNano { months: 0, days: 0, nanoseconds: 1000000000 } time=at - at from 0 s to 1 s  [append, event time at, unbounded]
                Project auction, at  [append, event time at, unbounded]
                  #0 Source bid columns=[auction, price, at] watermark=at - 4 s  [append, event time at, unbounded]
                #0 Source (see above)
    "#]],
    );
    check(
        &query(""),
        expect![[r#"
        no watermark speaks of the time column 'at', so its windows would never close
           --> line 13, column 1
           |
        13 | WITH j AS (SELECT a.at AS at, b.price FROM bid a JOIN bid b ON a.auction = b.auction )
           | ^^^^
        hint: Declare WATERMARK FOR at AS at - INTERVAL '5' SECOND in CREATE TABLE, and hand the column on as it is; or ask for EMIT CHANGES."#]],
    );
}

#[test]
fn a_subquery_as_a_value_has_one_row_or_fails() {
    check(
        "SELECT price FROM bid WHERE price > (SELECT v FROM plain WHERE k = 1);",
        expect![[r#"
        Sink result  [retract, unbounded]
          Compact net changes  [retract, unbounded]
            Project price  [retract, unbounded]
              Join inner where=CAST(price@0 AS Float64) > v@1 on one worker  [retract, unbounded]
                Project price  [append, unbounded]
                  Source bid columns=[price, at] watermark=at - 4 s  [append, event time at, unbounded]
                UpdatingAggregate emit=changes aggregates=[v]  [retract, unbounded]
                  Filter k@0 = 1  [append, unbounded]
                    Source plain columns=[k, v]  [append, unbounded]
        warning: Join over 'bid', 'plain' keeps every row of both sides, and never lets go of it: bound it by time (l.ts BETWEEN r.ts - INTERVAL .. AND r.ts), or join windows of both sides.
    "#]],
    );
}

#[test]
fn what_bounds_the_state_of_a_join() {
    let state = |sql: &str| tidemill_plan::explain::state(&planned(sql).unwrap().1);
    let join = |sql: &str| {
        state(sql).lines().find(|l| l.trim_start().starts_with("Join")).unwrap_or_default().trim().to_string()
    };
    expect!["Join: keeps every row of both sides: UNBOUNDED (bound it by time (l.ts BETWEEN r.ts - INTERVAL .. AND r.ts), or join windows of both sides)"].assert_eq(&join("SELECT b.price FROM bid b JOIN plain p ON b.auction = p.k;"));
    expect!["Join: keeps every row of the right side: UNBOUNDED (bound it by time (l.ts BETWEEN r.ts - INTERVAL .. AND r.ts), or join windows of both sides)"].assert_eq(&join("SELECT a.price FROM bid a JOIN bid b ON a.auction = b.auction AND a.at > b.at;"));
    expect!["Join: keeps every row of both sides, until the watermark passes the time of its last partner by 3 s"].assert_eq(&join(
        "SET 'allowed-lateness' = '3 s'; SELECT a.price FROM bid a JOIN bid b ON a.auction = b.auction AND a.at BETWEEN b.at AND b.at + INTERVAL '1' SECOND;",
    ));
    expect!["Join: keeps every row of both sides, until the input ends"]
        .assert_eq(&join("SELECT o.price FROM old o JOIN auction a ON o.auction = a.id;"));
}
