//! Queries that keep nothing, and what goes into a sink.

use expect_test::expect;

use super::fixture::check;

#[test]
fn only_what_is_asked_for_is_read() {
    check(
        "SELECT price FROM bid WHERE auction % 100 = 0",
        expect![[r#"
        SubqueryAlias: bid
          Projection: bid.price
            Filter: bid.auction % Int64(100) = Int64(0)
              TableScan: bid projection=[auction, price]
    "#]],
    );
    check(
        "SELECT delay, late, file FROM flights",
        expect![[r#"
        Projection: flights.delay, flights.late, flights.file
          SubqueryAlias: flights
            Projection: flights.delay, flights.file, flights.delay > Int32(15) AS late
              TableScan: flights projection=[delay, file]
    "#]],
    );
    check(
        "SELECT * FROM dear",
        expect![[r#"
        SubqueryAlias: dear
          SubqueryAlias: bid
            Filter: bid.price > Int64(100)
              TableScan: bid projection=[auction, price, ts]
    "#]],
    );
}

#[test]
fn nested_fields() {
    check(
        "SELECT extra.Kind, b.extra.tags[1], rows[1].c0, (extra).TAGS, bid2.delay FROM (SELECT *, ARRAY[ROW(1)] AS rows FROM bid) AS b, flights AS bid2",
        expect![[r#"
        projections require unique expression names but the expression "get_field(b.extra, Utf8("Kind"))" at position 0 and "get_field(b.extra, Utf8("Kind"))" at position 3 have the same name. Consider aliasing ("AS") one of them
          --> line 1, column 1
          |
        1 | SELECT extra.Kind, b.extra.tags[1], rows[1].c0, (extra).TAGS, bid2.delay FROM (SELECT *, ARRAY[ROW(1)] AS rows FROM bid) AS b, flights AS bid2
          | ^^^^^^
    "#]],
    );
    check(
        "SELECT auction, tag FROM bid CROSS JOIN UNNEST(bid.extra.tags) AS t(tag)",
        expect![[r#"
        Cross Join:
          SubqueryAlias: bid
            TableScan: bid projection=[auction]
          SubqueryAlias: t
            Subquery:
              Projection: __unnest_placeholder(outer_ref(bid.extra)[tags],depth=1) AS tag
                Unnest: lists[__unnest_placeholder(outer_ref(bid.extra)[tags])|depth=1] structs[]
                  Projection: get_field(outer_ref(bid.extra), Utf8("tags")) AS __unnest_placeholder(outer_ref(bid.extra)[tags])
                    EmptyRelation: rows=1
    "#]],
    );
}

#[test]
fn types() {
    check(
        "SELECT CAST(price AS DECIMAL(23, 3)), CAST(url AS VARCHAR(3)), CAST('2024-01-01 10:00:00' AS TIMESTAMP(3)), TIMESTAMP '2024-01-01 10:00:00' FROM bid",
        expect![[r#"
        Projection: CAST(bid.price AS Decimal128(23, 3)), left(CAST(bid.url AS Utf8), Int64(3)), TimestampMillisecond(1704103200000, None) AS Utf8("2024-01-01 10:00:00"), TimestampMicrosecond(1704103200000000, None) AS EXPR$3
          SubqueryAlias: bid
            TableScan: bid projection=[price, url]
    "#]],
    );
    check(
        "SELECT ROW(1, 'a'), MAP['a', price], ARRAY[1, 2], INTERVAL '1:30' MINUTE TO SECOND FROM bid",
        expect![[r#"
        Projection: Struct({c0:1,c1:a}) AS row(Int64(1),Utf8("a")), map(List([a]), make_array(bid.price)) AS map(make_array(Utf8("a")),make_array(bid.price)), List([1, 2]) AS make_array(Int64(1),Int64(2)), IntervalMonthDayNano("IntervalMonthDayNano { months: 0, days: 0, nanoseconds: 90000000000 }")
          SubqueryAlias: bid
            TableScan: bid projection=[price]
    "#]],
    );
}

#[test]
fn the_clock_is_not_folded() {
    check(
        "SELECT CURRENT_TIMESTAMP, LOCALTIMESTAMP, PROCTIME(), NOW(), CURRENT_DATE FROM bid",
        expect![[r#"
        Projection: current_timestamp(), localtimestamp(), proctime(), current_timestamp() AS now(), current_date()
          SubqueryAlias: bid
            TableScan: bid projection=[]
    "#]],
    );
}

#[test]
fn functions() {
    check(
        "SELECT TIMESTAMPDIFF(MINUTE, ts, ts), FLOOR(ts TO HOUR), DATE_FORMAT(ts, 'yyyy-MM-dd'), Upper(url), EXTRACT(HOUR FROM ts), POSITION('a' IN url) FROM bid",
        expect![[r#"
        Projection: timestampdiff(Utf8("MINUTE"), bid.ts, bid.ts), floor_time(bid.ts, Utf8("HOUR")), date_format(bid.ts, Utf8("yyyy-MM-dd")), upper(bid.url), hour(bid.ts), instr(bid.url, Utf8("a"))
          SubqueryAlias: bid
            TableScan: bid projection=[url, ts]
    "#]],
    );
    check(
        "SELECT COUNT(*), count(DISTINCT bidder) FROM bid GROUP BY auction",
        expect![[r#"
        Projection: count(Int64(1)) AS count(*), count(DISTINCT bid.bidder)
          Aggregate: groupBy=[[bid.auction]], aggr=[[count(Int64(1)), count(DISTINCT bid.bidder)]]
            SubqueryAlias: bid
              TableScan: bid projection=[auction, bidder]
    "#]],
    );
}

#[test]
fn inserts() {
    check(
        "INSERT INTO sink SELECT auction, url, price FROM bid",
        expect![[r#"
        into sink
        Projection: bid.auction AS a, bid.url AS b, CAST(bid.price AS Float64) AS c
          SubqueryAlias: bid
            TableScan: bid projection=[auction, price, url]
    "#]],
    );
    check(
        "INSERT INTO sink (c, A) SELECT price, bidder FROM bid EMIT CHANGES",
        expect![[r#"
        into sink
        Projection: bid.bidder AS a, Utf8(NULL) AS b, CAST(bid.price AS Float64) AS c
          SubqueryAlias: bid
            TableScan: bid projection=[bidder, price]
    "#]],
    );
    check(
        "INSERT INTO sink VALUES (1, 'x', 2.5)",
        expect![[r#"
        into sink
        Projection: column1 AS a, column2 AS b, column3 AS c
          Values: (Int64(1), Utf8("x"), Float64(2.5))
    "#]],
    );
    check(
        "EXECUTE STATEMENT SET BEGIN INSERT INTO sink SELECT 1, 'a', 1; INSERT INTO sink (a) SELECT price FROM dear; END;",
        expect![[r#"
        into sink
        Projection: Int64(1) AS a, Utf8("a") AS b, Float64(1) AS c
          EmptyRelation: rows=1
        into sink
        Projection: dear.price AS a, Utf8(NULL) AS b, Float64(NULL) AS c
          SubqueryAlias: dear
            SubqueryAlias: bid
              Filter: bid.price > Int64(100)
                TableScan: bid projection=[price]
    "#]],
    );
}

#[test]
fn hints() {
    check(
        "SELECT id FROM bid /*+ OPTIONS('bounded'='true') */ AS x, LATERAL (SELECT 1 AS id) AS y",
        expect![[r#"
        Cross Join:
          SubqueryAlias: x
            SubqueryAlias: bid /*+ [("bounded", "true")] */
              TableScan: bid projection=[]
          SubqueryAlias: y
            Projection: Int64(1) AS id
              EmptyRelation: rows=1
    "#]],
    );
    check(
        "SELECT bid.price FROM bid /*+ OPTIONS('bounded'='true', 'on-error'='fail') */",
        expect![[r#"
        SubqueryAlias: bid
          SubqueryAlias: bid /*+ [("bounded", "true"), ("on-error", "fail")] */
            TableScan: bid projection=[price]
    "#]],
    );
    check(
        "SELECT price FROM bid /*+ OPTIONS('bonded'='true') */",
        expect![[r#"
        connector 'test' has no option 'bonded'
          --> line 1, column 19
          |
        1 | SELECT price FROM bid /*+ OPTIONS('bonded'='true') */
          |                   ^^^
        hint: Did you mean 'bounded'? Known: connector, bounded, path.
    "#]],
    );
    check(
        "SELECT price FROM dear /*+ OPTIONS('bounded'='true') */",
        expect![[r#"
        'dear' is a view, not a table
          --> line 1, column 19
          |
        1 | SELECT price FROM dear /*+ OPTIONS('bounded'='true') */
          |                   ^^^^
    "#]],
    );
}

#[test]
fn system_tables() {
    check(
        "SELECT source, window_end FROM tidemill.late_rows",
        expect![[r#"
        TableScan: tidemill.late_rows projection=[source, window_end]
    "#]],
    );
    check(
        "SELECT reason FROM tidemill.rejected_rows",
        expect![[r#"
        TableScan: tidemill.rejected_rows projection=[reason]
    "#]],
    );
}

#[test]
fn common_table_expressions_and_sets() {
    check(
        "WITH Dear2 AS (SELECT price AS p FROM bid), other AS (SELECT p FROM dear2) SELECT * FROM OTHER",
        expect![[r#"
        SubqueryAlias: other
          SubqueryAlias: Dear2
            Projection: bid.price AS p
              SubqueryAlias: bid
                TableScan: bid projection=[price]
    "#]],
    );
    check(
        "SELECT price FROM bid UNION ALL SELECT delay FROM flights",
        expect![[r#"
        Union
          SubqueryAlias: bid
            TableScan: bid projection=[price]
          Projection: CAST(flights.delay AS Int64) AS price
            SubqueryAlias: flights
              TableScan: flights projection=[delay]
    "#]],
    );
    check(
        "SELECT DISTINCT channel FROM bid",
        expect![[r#"
        Aggregate: groupBy=[[bid.channel]], aggr=[[]]
          SubqueryAlias: bid
            TableScan: bid projection=[channel]
    "#]],
    );
}
