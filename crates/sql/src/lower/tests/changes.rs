//! Tables whose records are changes, and sinks that take changes: the plans, and what is refused.

use expect_test::{Expect, expect};

use super::sql;

const TABLES: &str = "
CREATE TABLE stock (id BIGINT, n BIGINT NOT NULL, at TIMESTAMP(3), PRIMARY KEY (id) NOT ENFORCED, WATERMARK FOR at AS at)
  WITH ('connector' = 'goes-on', 'changelog.mode' = 'upsert');
CREATE TABLE log (op STRING, id BIGINT, note STRING) WITH ('connector' = 'ends', 'changelog.operation-column' = 'op');
CREATE TABLE by_auction (auction BIGINT, n BIGINT, PRIMARY KEY (auction) NOT ENFORCED)
  WITH ('connector' = 'ends', 'takes' = 'upserts');
CREATE TABLE by_n (auction BIGINT, n BIGINT, PRIMARY KEY (n) NOT ENFORCED) WITH ('connector' = 'ends', 'takes' = 'upserts');
CREATE TABLE changes (auction BIGINT, n BIGINT) WITH ('connector' = 'ends', 'takes' = 'changes');
";

fn check(statement: &str, expected: Expect) {
    sql::check(&format!("{TABLES}{statement}"), expected);
}

#[test]
fn above_a_log_of_changes_they_are_made_exact() {
    check(
        "SELECT n FROM stock WHERE n > 1;",
        expect![[r#"
            Sink result  [retract, unbounded]
              Compact net changes  [retract, unbounded]
                Filter n@0 > 1  [retract, unbounded]
                  Project n  [retract, unbounded]
                    Normalize by id  [retract, event time at, unbounded]
                      Source stock columns=[id, n, at] changes=tombstones watermark=at  [upsert[0], event time at, unbounded]
        "#]],
    );
    check(
        "SELECT note FROM log;",
        expect![[r#"
        Sink result  [retract, bounded]
          Compact net changes  [retract, bounded]
            Project note  [retract, bounded]
              Normalize by all columns  [retract, bounded]
                Source log columns=[op, id, note] changes=op  [retract, bounded]
    "#]],
    );
}

#[test]
fn before_a_sink_changes_are_added_up() {
    check(
        "INSERT INTO changes SELECT auction, COUNT(*) FROM bid GROUP BY auction;",
        expect![[r#"
        Sink changes  [retract, unbounded]
          Compact net changes by auction  [retract, unbounded]
            Project auction, count(Int64(1))@1 AS n  [retract, unbounded]
              UpdatingAggregate emit=changes group=[auction@0] aggregates=[count(Int64(1))]  [retract, unbounded]
                Project auction  [append, unbounded]
                  Source bid columns=[auction, at] watermark=at - 4 s  [append, event time at, unbounded]
        warning: GROUP BY over 'bid' keeps one row of aggregates for each group, and never lets go of it: group by a window to let groups go.
    "#]],
    );
    check(
        "INSERT INTO by_auction SELECT auction, COUNT(*) FROM bid GROUP BY auction;",
        expect![[r#"
            Sink by_auction  [upsert[0], unbounded]
              Compact last row by auction  [upsert[0], unbounded]
                Project auction, count(Int64(1))@1 AS n  [retract, unbounded]
                  UpdatingAggregate emit=changes group=[auction@0] aggregates=[count(Int64(1))]  [retract, unbounded]
                    Project auction  [append, unbounded]
                      Source bid columns=[auction, at] watermark=at - 4 s  [append, event time at, unbounded]
            warning: GROUP BY over 'bid' keeps one row of aggregates for each group, and never lets go of it: group by a window to let groups go.
        "#]],
    );
    // Two auctions may have as many bids.
    check(
        "INSERT INTO by_n SELECT auction, COUNT(*) FROM bid GROUP BY auction;",
        expect![[r#"
            Sink by_n  [upsert[1], unbounded]
              Compact greatest live row by n  [upsert[1], unbounded]
                Project auction, count(Int64(1))@1 AS n  [retract, unbounded]
                  UpdatingAggregate emit=changes group=[auction@0] aggregates=[count(Int64(1))]  [retract, unbounded]
                    Project auction  [append, unbounded]
                      Source bid columns=[auction, at] watermark=at - 4 s  [append, event time at, unbounded]
            warning: GROUP BY over 'bid' keeps one row of aggregates for each group, and never lets go of it: group by a window to let groups go.
            warning: Compact over 'bid' keeps the live rows of each PRIMARY KEY of the sink, and never lets go of it: group by the sink's PRIMARY KEY, so that the query proves there is one.
        "#]],
    );
    check(
        "INSERT INTO by_auction SELECT auction, price FROM bid;",
        expect![[r#"
            Sink by_auction  [upsert[0], unbounded]
              Compact last row by auction  [upsert[0], unbounded]
                Project auction, price@1 AS n  [append, unbounded]
                  Project auction, price  [append, unbounded]
                    Source bid columns=[auction, price, at] watermark=at - 4 s  [append, event time at, unbounded]
        "#]],
    );
    // Which rows are told apart by a column that is left behind.
    check(
        "SELECT n FROM (SELECT auction, COUNT(*) AS n FROM bid GROUP BY auction);",
        expect![[r#"
        Sink result  [retract, unbounded]
          Compact net changes  [retract, unbounded]
            Project count(Int64(1))@1 AS n  [retract, unbounded]
              UpdatingAggregate emit=changes group=[auction@0] aggregates=[count(Int64(1))]  [retract, unbounded]
                Project auction  [append, unbounded]
                  Source bid columns=[auction, at] watermark=at - 4 s  [append, event time at, unbounded]
        warning: GROUP BY over 'bid' keeps one row of aggregates for each group, and never lets go of it: group by a window to let groups go.
    "#]],
    );
}

#[test]
fn a_sink_of_insertions_refuses_updates_and_says_which_part_of_the_query_makes_them() {
    check(
        "INSERT INTO sink SELECT auction, COUNT(*) FROM bid GROUP BY auction;",
        expect![[r#"
        table 'sink' takes insertions only, and this result is updated by the GROUP BY without a window over 'bid'
           --> line 21, column 1
           |
        21 | INSERT INTO sink SELECT auction, COUNT(*) FROM bid GROUP BY auction;
           | ^^^^^^
        hint: Group by window_start and window_end of a window function beside auction. Or write to a table that takes updates: format 'debezium-json', a 'changelog.operation-column', or connector 'print'."#]],
    );
    check(
        "INSERT INTO sink SELECT MAX(auction), COUNT(*) FROM bid;",
        expect![[r#"
        table 'sink' takes insertions only, and this result is updated by an aggregation of all rows over 'bid'
           --> line 21, column 1
           |
        21 | INSERT INTO sink SELECT MAX(auction), COUNT(*) FROM bid;
           | ^^^^^^
        hint: Group by window_start and window_end of a window function. Or write to a table that takes updates: format 'debezium-json', a 'changelog.operation-column', or connector 'print'."#]],
    );
    check(
        "INSERT INTO sink SELECT id, n FROM stock;",
        expect![[r#"
            table 'sink' takes insertions only, and this result is updated by 'stock', whose records are changes
               --> line 21, column 1
               |
            21 | INSERT INTO sink SELECT id, n FROM stock;
               | ^^^^^^
            hint: Group it by a window that closes. Or write to a table that takes updates: format 'debezium-json', a 'changelog.operation-column', or connector 'print'."#]],
    );
    check(
        "INSERT INTO sink SELECT auction, COUNT(*) FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(at), INTERVAL '10' SECOND))
         GROUP BY window_start, window_end, auction EMIT CHANGES;",
        expect![[r#"
            table 'sink' takes insertions only, and this result is updated by EMIT CHANGES of the windows over 'bid'
               --> line 21, column 1
               |
            21 | INSERT INTO sink SELECT auction, COUNT(*) FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(at), INTERVAL '10' SECOND))
               | ^^^^^^
            hint: Leave EMIT CHANGES out, so that each window is put out once, when it has closed. Or write to a table that takes updates: format 'debezium-json', a 'changelog.operation-column', or connector 'print'."#]],
    );
}

#[test]
fn options_of_changes_that_make_no_sense() {
    let table = |columns: &str, options: &str| {
        format!("CREATE TABLE x ({columns}) WITH ('connector' = 'ends', {options}); SELECT * FROM x;")
    };
    check(
        &table("a BIGINT", "'changelog.mode' = 'upsert'"),
        expect![[r#"
        table 'x': 'changelog.mode' = 'upsert' needs to know whose row a record replaces
           --> line 21, column 85
           |
        21 | CREATE TABLE x (a BIGINT) WITH ('connector' = 'ends', 'changelog.mode' = 'upsert'); SELECT * FROM x;
           |                                                                                     ^^^^^^
        hint: Declare PRIMARY KEY (..) NOT ENFORCED."#]],
    );
    check(
        &table("a BIGINT", "'changelog.mode' = 'retract'"),
        expect![[r#"
        table 'x': 'changelog.mode' = 'retract' does not say which record takes a row back
           --> line 21, column 86
           |
        21 | CREATE TABLE x (a BIGINT) WITH ('connector' = 'ends', 'changelog.mode' = 'retract'); SELECT * FROM x;
           |                                                                                      ^^^^^^
        hint: Name a column of the table in 'changelog.operation-column', or use a format of changes ('debezium-json')."#]],
    );
    check(
        &table("a BIGINT", "'changelog.operation-column' = 'b'"),
        expect![[r#"
        there is no column 'b'
           --> line 21, column 92
           |
        21 | CREATE TABLE x (a BIGINT) WITH ('connector' = 'ends', 'changelog.operation-column' = 'b'); SELECT * FROM x;
           |                                                                                            ^^^^^^
        hint: Did you mean 'a'? Known: a."#]],
    );
    check(
        &table("a BIGINT", "'changelog.operation-column' = 'a'"),
        expect![[r#"
        column 'a' of 'changelog.operation-column' is not a STRING
           --> line 21, column 92
           |
        21 | CREATE TABLE x (a BIGINT) WITH ('connector' = 'ends', 'changelog.operation-column' = 'a'); SELECT * FROM x;
           |                                                                                            ^^^^^^
        hint: It holds '+I', '-U', '+U' or '-D'."#]],
    );
    check(
        &table("a STRING", "'changelog.operation-column' = 'a', 'changelog.mode' = 'append'"),
        expect![[r#"
        table 'x': 'changelog.operation-column' and 'changelog.mode' = 'append' exclude each other
           --> line 21, column 121
           |
        21 | CREATE TABLE x (a STRING) WITH ('connector' = 'ends', 'changelog.operation-column' = 'a', 'changelog.mode' = 'append'); SELECT * FROM x;
           |                                                                                                                         ^^^^^^
        hint: Leave one of them out."#]],
    );
    check(
        &table("a STRING, k AS a || a, PRIMARY KEY (k) NOT ENFORCED", "'changelog.mode' = 'upsert'"),
        expect![[r#"
            table 'x': its PRIMARY KEY has the computed column 'k', which a deletion does not know
               --> line 21, column 128
               |
            21 | CREATE TABLE x (a STRING, k AS a || a, PRIMARY KEY (k) NOT ENFORCED) WITH ('connector' = 'ends', 'changelog.mode' = 'upsert'); SELECT * FROM x;
               |                                                                                                                                ^^^^^^
            hint: Make a column of the records the key."#]],
    );
}
