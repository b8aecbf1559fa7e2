//! Joins by time: which form they take, what is pushed below them, and what is refused.

use expect_test::expect;

use super::sql::check;

const RATES: &str = "
CREATE TABLE orders (id BIGINT, cur STRING, amount INT, ts TIMESTAMP(3), proc AS PROCTIME(), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND)
  WITH ('connector' = 'goes-on');
CREATE TABLE rates (cur STRING, rate DOUBLE, note STRING, at TIMESTAMP(3), WATERMARK FOR at AS at - INTERVAL '5' SECOND,
  PRIMARY KEY (cur) NOT ENFORCED) WITH ('connector' = 'goes-on');
CREATE TABLE history (cur STRING, rate DOUBLE, at TIMESTAMP(3), WATERMARK FOR at AS at) WITH ('connector' = 'goes-on');
CREATE TABLE ticks (sym STRING, price BIGINT, seq BIGINT) WITH ('connector' = 'ends');
CREATE VIEW last_rates AS SELECT cur, rate, at FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY cur ORDER BY at DESC) AS rn FROM history) WHERE rn = 1;
";

fn plan(sql: &str, expected: expect_test::Expect) {
    check(&format!("{RATES}{sql}"), expected);
}

#[test]
fn over_two_watermarks_each_row_is_put_out_once() {
    plan(
        "SELECT o.id, o.ts, r.rate FROM orders o ASOF JOIN rates r MATCH_CONDITION (o.ts >= r.at) ON o.cur = r.cur",
        expect![[r#"
        Sink result  [append, event time ts, unbounded]
          Project id, ts, rate  [append, event time ts, unbounded]
            AsOfJoin left ts >= at on=[cur = cur] emit=once  [append, event time ts, unbounded]
              Source orders columns=[id, cur, ts] watermark=ts - 5 s  [append, event time ts, unbounded]
              Source rates columns=[cur, rate, at] watermark=at - 5 s  [append, event time at, unbounded]
        warning: AsOfJoin over 'orders', 'rates' keeps the last version of each key of the right side, beside what the watermark has not passed, and never lets go of it: it is as many rows as the right side has keys.
    "#]],
    );
    plan(
        "SELECT * FROM orders o LEFT ASOF JOIN (SELECT * FROM history) r MATCH_CONDITION (r.at < o.ts) USING (cur) WHERE o.amount > 3 AND o.cur <> 'x' AND r.rate > 1",
        expect![[r#"
            Sink result  [append, event time ts, unbounded]
              Filter rate@6 > 1 columns=[cur, id, amount, ts, proc, rate, at]  [append, event time ts, unbounded]
                AsOfJoin left ts > at on=[cur = cur] emit=once  [append, event time ts, unbounded]
                  Project id, cur, amount, ts, proctime() AS proc  [append, event time ts, unbounded]
                    Filter amount@2 > 3 AND cur@1 != x  [append, event time ts, unbounded]
                      Source orders columns=[id, cur, amount, ts] watermark=ts - 5 s  [append, event time ts, unbounded]
                  Filter cur@0 != x  [append, event time at, unbounded]
                    Source history columns=[cur, rate, at] watermark=at  [append, event time at, unbounded]
            warning: AsOfJoin over 'history', 'orders' keeps the last version of each key of the right side, beside what the watermark has not passed, and never lets go of it: it is as many rows as the right side has keys.
        "#]],
    );
}

#[test]
fn a_row_that_looks_ahead_is_put_out_again() {
    plan(
        "SELECT o.id, r.rate FROM orders o ASOF LEFT OUTER JOIN rates r MATCH_CONDITION (o.ts <= r.at) ON o.cur = r.cur",
        expect![[r#"
            Sink result  [retract, unbounded]
              Compact net changes  [retract, unbounded]
                Project id, rate  [retract, unbounded]
                  AsOfJoin left ts <= at on=[cur = cur] emit=changes  [retract, unbounded]
                    Source orders columns=[id, cur, ts] watermark=ts - 5 s  [append, event time ts, unbounded]
                    Source rates columns=[cur, rate, at] watermark=at - 5 s  [append, event time at, unbounded]
            warning: AsOfJoin over 'orders', 'rates' keeps every row of both sides, and never lets go of it: declare WATERMARK FOR the time columns of both sides in CREATE TABLE, and look back with >= or >.
        "#]],
    );
}

#[test]
fn tables_that_end_are_waited_for() {
    plan(
        "SELECT a.sym, b.price FROM ticks a ASOF JOIN ticks b MATCH_CONDITION (a.seq < b.seq) ON a.sym = b.sym",
        expect![[r#"
        Sink result  [append, bounded]
          Project sym, price  [append, bounded]
            AsOfJoin left seq < seq on=[sym = sym] emit=once  [append, bounded]
              Project sym, seq  [append, bounded]
                #0 Source ticks columns=[sym, price, seq]  [append, bounded]
              #0 Source (see above)
    "#]],
    );
    plan(
        "SELECT o.id, t.price FROM orders o ASOF JOIN ticks t MATCH_CONDITION (o.amount + 1 > t.seq)",
        expect![[r#"
            Sink result  [retract, unbounded]
              Compact net changes  [retract, unbounded]
                Project id, price  [retract, unbounded]
                  AsOfJoin left __as_of_left_0 > seq emit=changes  [retract, unbounded]
                    Project id, CAST(amount@1 AS Int64) + 1 AS __as_of_left_0  [append, unbounded]
                      Project id, amount  [append, unbounded]
                        Source orders columns=[id, amount, ts] watermark=ts - 5 s  [append, event time ts, unbounded]
                    Source ticks columns=[price, seq]  [append, bounded]
            warning: AsOfJoin over 'orders', 'ticks' keeps every row of both sides, and never lets go of it: declare WATERMARK FOR the time columns of both sides in CREATE TABLE, and look back with >= or >.
        "#]],
    );
}

#[test]
fn a_temporal_join_takes_the_version_of_its_time() {
    plan(
        "SELECT o.id, o.amount * r.rate AS value, o.ts FROM orders AS o LEFT JOIN rates FOR SYSTEM_TIME AS OF o.ts AS r ON o.cur = r.cur AND r.rate > o.amount",
        expect![[r#"
            Sink result  [append, event time ts, unbounded]
              Project id, CAST(amount@2 AS Float64) * rate@5 AS value, ts  [append, event time ts, unbounded]
                TemporalJoin left ts >= at on=[cur = cur] if=rate@5 > CAST(amount@2 AS Float64) emit=once  [append, event time ts, unbounded]
                  Source orders columns=[id, cur, amount, ts] watermark=ts - 5 s  [append, event time ts, unbounded]
                  Source rates columns=[cur, rate, at] watermark=at - 5 s  [append, event time at, unbounded]
            warning: TemporalJoin over 'orders', 'rates' keeps the last version of each key of the right side, beside what the watermark has not passed, and never lets go of it: it is as many rows as the right side has keys.
        "#]],
    );
    // Of a view that keeps the last row of each key, all rows are versions.
    plan(
        "SELECT o.id, r.rate FROM orders AS o JOIN last_rates FOR SYSTEM_TIME AS OF o.ts AS r ON r.cur = o.cur",
        expect![[r#"
            Sink result  [append, unbounded]
              Project id, rate  [append, unbounded]
                TemporalJoin inner ts >= at on=[cur = cur] emit=once  [append, event time ts, unbounded]
                  Source orders columns=[id, cur, ts] watermark=ts - 5 s  [append, event time ts, unbounded]
                  Source history columns=[cur, rate, at] watermark=at  [append, event time at, unbounded]
            warning: TemporalJoin over 'history', 'orders' keeps the last version of each key of the right side, beside what the watermark has not passed, and never lets go of it: it is as many rows as the right side has keys.
        "#]],
    );
    // Rows with a version go on as a stream with a time.
    plan(
        "SELECT window_start, window_end, SUM(rate) AS s FROM TABLE(TUMBLE((SELECT o.ts, r.rate FROM orders o JOIN rates FOR SYSTEM_TIME AS OF o.ts AS r ON o.cur = r.cur), DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end",
        expect![[r#"
            Sink result  [append, unbounded]
              Project window_start, window_end, sum(r.rate)@3 AS s  [append, unbounded]
                WindowAggregate TUMBLE size 1 min on ts aggregates=[sum(r.rate)]  [append, event time window_time, unbounded]
                  TemporalJoin inner ts >= at on=[cur = cur] emit=once  [append, event time ts, unbounded]
                    Source orders columns=[cur, ts] watermark=ts - 5 s  [append, event time ts, unbounded]
                    Source rates columns=[cur, rate, at] watermark=at - 5 s  [append, event time at, unbounded]
            warning: TemporalJoin over 'orders', 'rates' keeps the last version of each key of the right side, beside what the watermark has not passed, and never lets go of it: it is as many rows as the right side has keys.
        "#]],
    );
}

/// A table of changes is read once, whether its rows are asked for or the versions that they had.
#[test]
fn of_a_table_of_changes_the_history_is_joined() {
    let stock = "CREATE TABLE stock (id BIGINT, n BIGINT NOT NULL, at TIMESTAMP(3), PRIMARY KEY (id) NOT ENFORCED, WATERMARK FOR at AS at)
      WITH ('connector' = 'goes-on', 'changelog.mode' = 'upsert');";
    plan(
        &format!(
            "{stock} SELECT o.id, s.n FROM orders o LEFT JOIN stock FOR SYSTEM_TIME AS OF o.ts AS s ON o.id = s.id;"
        ),
        expect![[r#"
            Sink result  [append, unbounded]
              Project id, n  [append, unbounded]
                TemporalJoin left ts >= at on=[id = id] if=NOT __history_gone@3 emit=once  [append, event time ts, unbounded]
                  Source orders columns=[id, ts] watermark=ts - 5 s  [append, event time ts, unbounded]
                  Project __history_order, __history_gone, id, n, at  [append, event time at, unbounded]
                    History of id by at  [append, event time at, unbounded]
                      Source stock columns=[id, n, at] changes=tombstones watermark=at  [upsert[0], event time at, unbounded]
            warning: TemporalJoin over 'orders', 'stock' keeps the last version of each key of the right side, beside what the watermark has not passed, and never lets go of it: it is as many rows as the right side has keys.
        "#]],
    );
    plan(
        &format!(
            "{stock} SELECT o.id, s.n, now.n AS m FROM orders o JOIN stock FOR SYSTEM_TIME AS OF o.ts AS s ON o.id = s.id JOIN stock now ON o.id = now.id WHERE o.id > 3;"
        ),
        expect![[r#"
            Sink result  [retract, unbounded]
              Compact net changes  [retract, unbounded]
                Project id, n, n@3 AS m  [retract, unbounded]
                  Join inner on=[id = id]  [retract, unbounded]
                    Project id, n  [append, unbounded]
                      TemporalJoin inner ts >= at on=[id = id] if=NOT __history_gone@3 emit=once  [append, event time ts, unbounded]
                        Filter id@0 > 3  [append, event time ts, unbounded]
                          Source orders columns=[id, ts] watermark=ts - 5 s  [append, event time ts, unbounded]
                        Filter id@0 > 3 columns=[__history_order, __history_gone, id, n, at]  [append, event time at, unbounded]
                          History of id by at  [append, event time at, unbounded]
                            #2 Source stock columns=[id, n, at] changes=tombstones watermark=at  [upsert[0], event time at, unbounded]
                    Filter id@0 > 3  [retract, unbounded]
                      Project id, n  [retract, unbounded]
                        Normalize by id  [retract, event time at, unbounded]
                          #2 Source (see above)
            warning: TemporalJoin over 'orders', 'stock' keeps the last version of each key of the right side, beside what the watermark has not passed, and never lets go of it: it is as many rows as the right side has keys.
            warning: Join over 'orders', 'stock' keeps every row of both sides, and never lets go of it: bound it by time (l.ts BETWEEN r.ts - INTERVAL .. AND r.ts), or join windows of both sides.
        "#]],
    );
}

/// Where the table ends, its first rows are known when they are joined. Before, an earlier one may come and take the first one's place.
#[test]
fn the_first_row_of_a_key_is_its_only_version() {
    let first = |of: &str| {
        format!(
            "CREATE TABLE past (cur STRING, rate DOUBLE, at TIMESTAMP(3), WATERMARK FOR at AS at) WITH ('connector' = 'ends');
             CREATE VIEW first_rates AS SELECT cur, rate, at FROM (
               SELECT *, ROW_NUMBER() OVER (PARTITION BY cur ORDER BY at) AS rn FROM {of}) WHERE rn = 1;
             SELECT o.id, r.rate FROM orders o LEFT JOIN first_rates FOR SYSTEM_TIME AS OF o.ts AS r ON o.cur = r.cur"
        )
    };
    plan(
        &first("past"),
        expect![[r#"
        Sink result  [append, unbounded]
          Project id, rate  [append, unbounded]
            TemporalJoin left ts >= at on=[cur = cur] emit=once  [append, event time ts, unbounded]
              Source orders columns=[id, cur, ts] watermark=ts - 5 s  [append, event time ts, unbounded]
              Deduplicate key=[cur] keep=the first by at emit=at the end  [append, bounded]
                Source past columns=[cur, rate, at] watermark=at  [append, event time at, bounded]
        warning: TemporalJoin over 'orders', 'past' keeps the last version of each key of the right side, beside what the watermark has not passed, and never lets go of it: it is as many rows as the right side has keys.
    "#]],
    );
    plan(
        &first("history"),
        expect![[r#"
        a join FOR SYSTEM_TIME AS OF a result whose rows are taken back is not supported: it has no versions
           --> line 25, column 14
           |
        25 |              SELECT o.id, r.rate FROM orders o LEFT JOIN first_rates FOR SYSTEM_TIME AS OF o.ts AS r ON o.cur = r.cur
           |              ^^^^^^
        hint: Join the rows that it is made of: a table with a PRIMARY KEY and a WATERMARK."#]],
    );
}

#[test]
fn a_lookup_join_asks_at_the_rim() {
    plan(
        "SELECT o.id, t.price, o.ts FROM orders o LEFT JOIN ticks FOR SYSTEM_TIME AS OF o.proc AS t ON o.cur = t.sym AND t.seq > o.id WHERE o.id > 3",
        expect![[r#"
            Sink result  [append, event time ts, unbounded]
              Project id, price, ts  [append, event time ts, unbounded]
                LookupJoin left ticks on=[cur = sym] if=seq@5 > id@0 read whole  [append, event time ts, unbounded]
                  Sink ask  [append, event time ts, unbounded]
                    Filter id@0 > 3  [append, event time ts, unbounded]
                      Source orders columns=[id, cur, ts] watermark=ts - 5 s  [append, event time ts, unbounded]
        "#]],
    );
    plan(
        "SELECT o.id, t.price FROM orders o JOIN ticks FOR SYSTEM_TIME AS OF PROCTIME() AS t ON o.amount = t.seq",
        expect![[r#"
            Sink result  [append, unbounded]
              Project id, price  [append, unbounded]
                LookupJoin inner ticks on=[__as_of_left_0 = seq] read whole  [append, unbounded]
                  Sink ask  [append, unbounded]
                    Project id, CAST(amount@1 AS Int64) AS __as_of_left_0  [append, unbounded]
                      Project id, amount  [append, unbounded]
                        Source orders columns=[id, amount, ts] watermark=ts - 5 s  [append, event time ts, unbounded]
        "#]],
    );
    // By a constant.
    plan(
        "SELECT o.id, t.price FROM orders o JOIN ticks FOR SYSTEM_TIME AS OF o.proc AS t ON t.sym = 'a' AND t.seq > o.id",
        expect![[r#"
            Sink result  [append, unbounded]
              Project id, price  [append, unbounded]
                LookupJoin inner ticks on=[__as_of_left_0 = sym] if=seq@4 > id@0 read whole  [append, unbounded]
                  Sink ask  [append, unbounded]
                    Project id, a AS __as_of_left_0  [append, unbounded]
                      Project id  [append, unbounded]
                        Source orders columns=[id, ts] watermark=ts - 5 s  [append, event time ts, unbounded]
        "#]],
    );
    // Of several streams.
    plan(
        "SELECT o.id, t.price FROM (SELECT id, cur, proc FROM orders UNION ALL SELECT id + 1, cur, proc FROM orders) o LEFT JOIN ticks FOR SYSTEM_TIME AS OF o.proc AS t ON o.cur = t.sym",
        expect![[r#"
            Sink result  [append, unbounded]
              Project id, price  [append, unbounded]
                LookupJoin left ticks on=[cur = sym] read whole  [append, unbounded]
                  Sink ask  [append, unbounded]
                    Union  [append, unbounded]
                      #1 Project id, cur  [append, unbounded]
                        Source orders columns=[id, cur, ts] watermark=ts - 5 s  [append, event time ts, unbounded]
                      Project id, cur  [append, unbounded]
                        #1 Project (see above)
        "#]],
    );
}

#[test]
fn what_cannot_be_joined_by_time_is_said() {
    let join = |on: &str| format!("SELECT * FROM orders o {on}");
    plan(
        &join("JOIN history FOR SYSTEM_TIME AS OF o.ts AS h ON o.cur = h.cur"),
        expect![[r#"
            'h' has no versions to join FOR SYSTEM_TIME AS OF: it has no PRIMARY KEY
               --> line 22, column 59
               |
            22 | SELECT * FROM orders o JOIN history FOR SYSTEM_TIME AS OF o.ts AS h ON o.cur = h.cur
               |                                                           ^^^^
            hint: Declare PRIMARY KEY (..) NOT ENFORCED and a WATERMARK for the table; or join a view that keeps the last row of each key by ROW_NUMBER() OVER (PARTITION BY key ORDER BY time DESC) = 1."#]],
    );
    plan(
        &join("JOIN rates FOR SYSTEM_TIME AS OF o.ts AS r ON o.amount = r.rate"),
        expect![[r#"
            ON of a join FOR SYSTEM_TIME AS OF has to equate the key of the table, and 'cur' is missing
               --> line 22, column 57
               |
            22 | SELECT * FROM orders o JOIN rates FOR SYSTEM_TIME AS OF o.ts AS r ON o.amount = r.rate
               |                                                         ^^^^
            hint: Add o.key = r.cur to ON."#]],
    );
    plan(
        &join("FULL JOIN rates FOR SYSTEM_TIME AS OF o.ts AS r ON o.cur = r.cur"),
        expect![[r#"
            a join FOR SYSTEM_TIME AS OF is a JOIN or a LEFT JOIN
               --> line 22, column 62
               |
            22 | SELECT * FROM orders o FULL JOIN rates FOR SYSTEM_TIME AS OF o.ts AS r ON o.cur = r.cur
               |                                                              ^^^^"#]],
    );
    plan(
        &join("JOIN rates FOR SYSTEM_TIME AS OF TIMESTAMP '2024-01-01 00:00:00' AS r ON o.cur = r.cur"),
        expect![[r#"
            FOR SYSTEM_TIME AS OF asks for a time column of the table that is joined to
               --> line 22, column 67
               |
            22 | SELECT * FROM orders o JOIN rates FOR SYSTEM_TIME AS OF TIMESTAMP '2024-01-01 00:00:00' AS r ON o.cur = r.cur
               |                                                                   ^^^^^^^^^^^^^^^^^^^^^
            hint: Write FOR SYSTEM_TIME AS OF o.ts, o being the left side of the join."#]],
    );
    plan(
        &format!(
            "CREATE VIEW dear AS SELECT * FROM last_rates WHERE rate > 1; {}",
            join("JOIN dear FOR SYSTEM_TIME AS OF o.ts AS r ON o.cur = r.cur")
        ),
        expect![[r#"
            'r' has no versions to join FOR SYSTEM_TIME AS OF: 'last_rates.rate > Int64(1)' leaves out some of its versions
               --> line 22, column 117
               |
            22 | CREATE VIEW dear AS SELECT * FROM last_rates WHERE rate > 1; SELECT * FROM orders o JOIN dear FOR SYSTEM_TIME AS OF o.ts AS r ON o.cur = r.cur
               |                                                                                                                     ^^^^
            hint: Declare PRIMARY KEY (..) NOT ENFORCED and a WATERMARK for the table; or join a view that keeps the last row of each key by ROW_NUMBER() OVER (PARTITION BY key ORDER BY time DESC) = 1."#]],
    );
    plan(
        &join("JOIN rates FOR SYSTEM_TIME AS OF o.proc AS r ON o.cur = r.cur"),
        expect![[r#"
            table 'rates' cannot be looked up: it does not end, and its connector does not answer by key
               --> line 22, column 1
               |
            22 | SELECT * FROM orders o JOIN rates FOR SYSTEM_TIME AS OF o.proc AS r ON o.cur = r.cur
               | ^^^^^^
            hint: Look up a table of files or of rows in memory; or join FOR SYSTEM_TIME AS OF the time of an event."#]],
    );
    plan(
        "SELECT * FROM rates FOR SYSTEM_TIME AS OF at",
        expect![[r#"
            FOR SYSTEM_TIME AS OF is for a table that is joined to the one whose time is asked for
               --> line 22, column 43
               |
            22 | SELECT * FROM rates FOR SYSTEM_TIME AS OF at
               |                                           ^^
            hint: Write o [LEFT] JOIN t FOR SYSTEM_TIME AS OF o.ts AS t ON o.key = t.key."#]],
    );
    plan(
        "SELECT * FROM rates VERSION AS OF 3",
        expect![[r#"
            a version of a table other than FOR SYSTEM_TIME AS OF is not supported
               --> line 22, column 15
               |
            22 | SELECT * FROM rates VERSION AS OF 3
               |               ^^^^^"#]],
    );
    plan(
        &join(", LATERAL TABLE (rates(o.ts)) AS r WHERE o.cur = r.cur"),
        expect![[r#"
            LATERAL with a table function is not supported
               --> line 22, column 34
               |
            22 | SELECT * FROM orders o , LATERAL TABLE (rates(o.ts)) AS r WHERE o.cur = r.cur
               |                                  ^^^^^
            hint: The version of a table at a time is joined so: o JOIN t FOR SYSTEM_TIME AS OF o.ts AS t ON o.key = t.key."#]],
    );
    plan(
        &join("ASOF JOIN rates r MATCH_CONDITION (o.ts = r.at) ON o.cur = r.cur"),
        expect![[r#"
            MATCH_CONDITION compares a time of the left side with one of the right
               --> line 22, column 59
               |
            22 | SELECT * FROM orders o ASOF JOIN rates r MATCH_CONDITION (o.ts = r.at) ON o.cur = r.cur
               |                                                           ^^^^^^^^^^^
            hint: Write MATCH_CONDITION (l.ts >= r.ts), with >=, >, <= or <."#]],
    );
    plan(
        &join("ASOF JOIN rates r MATCH_CONDITION (o.ts >= r.at) ON o.cur = r.cur AND r.rate > 1"),
        expect![[r#"
            ON of an ASOF JOIN takes equalities of both sides, and 'r.rate > Int64(1)' is none
               --> line 22, column 59
               |
            22 | SELECT * FROM orders o ASOF JOIN rates r MATCH_CONDITION (o.ts >= r.at) ON o.cur = r.cur AND r.rate > 1
               |                                                           ^^^^^^^^^^^^
            hint: Filter a side in a subquery, or the result in WHERE."#]],
    );
    plan(
        &join("ASOF JOIN rates r MATCH_CONDITION (o.ts >= r.att) ON o.cur = r.cur"),
        expect![[r#"
            there is no column 'att' in 'r'
               --> line 22, column 67
               |
            22 | SELECT * FROM orders o ASOF JOIN rates r MATCH_CONDITION (o.ts >= r.att) ON o.cur = r.cur
               |                                                                   ^^^^^
            hint: Did you mean 'at'? Known: id, cur, amount, ts, proc, rate, note, at."#]],
    );
    plan(
        &join("ASOF JOIN rates r MATCH_CONDITION (o.ts >= r.note) ON o.cur = r.cur"),
        expect![[r#"
            Sink result  [retract, unbounded]
              Compact net changes  [retract, unbounded]
                Project id, cur, amount, ts, proc, cur, rate, note, at  [retract, unbounded]
                  AsOfJoin left __as_of_left_0 >= __as_of_right_0 on=[cur = cur] emit=changes  [retract, unbounded]
                    Project id, cur, amount, ts, proc, __as_of_left_0  [append, event time __as_of_left_0, unbounded]
                      Project id, cur, amount, ts, proc, CAST(ts@3 AS Timestamp(ns)) AS __as_of_left_0  [append, event time ts, unbounded]
                        Project id, cur, amount, ts, proctime() AS proc  [append, event time ts, unbounded]
                          Source orders columns=[id, cur, amount, ts] watermark=ts - 5 s  [append, event time ts, unbounded]
                    Project cur, rate, note, at, __as_of_right_0  [append, unbounded]
                      Project cur, rate, note, at, CAST(note@2 AS Timestamp(ns)) AS __as_of_right_0  [append, event time at, unbounded]
                        Source rates columns=[cur, rate, note, at] watermark=at - 5 s  [append, event time at, unbounded]
            warning: AsOfJoin over 'orders', 'rates' keeps every row of both sides, and never lets go of it: declare WATERMARK FOR the time columns of both sides in CREATE TABLE, and look back with >= or >.
        "#]],
    );
}
