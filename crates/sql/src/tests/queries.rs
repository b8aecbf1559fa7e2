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
            Projection: __datafusion_extracted_1 AS Kind, array_element(__datafusion_extracted_2 AS tags, Int64(1)) AS b.extra.tags[1], get_field(array_element(b.rows, Int64(1)), Utf8("c0")) AS rows[1].c0, __datafusion_extracted_2 AS (extra).TAGS, bid2.delay
              Cross Join:
                SubqueryAlias: b
                  Projection: List([{c0: 1}]) AS rows, __datafusion_extracted_1, __datafusion_extracted_2
                    SubqueryAlias: bid
                      Projection: get_field(bid.extra, Utf8("Kind")) AS __datafusion_extracted_1, get_field(bid.extra, Utf8("tags")) AS __datafusion_extracted_2
                        TableScan: bid projection=[extra]
                SubqueryAlias: bid2
                  SubqueryAlias: flights
                    TableScan: flights projection=[delay]
        "#]],
    );
    check(
        "SELECT auction, tag FROM bid CROSS JOIN UNNEST(bid.extra.tags) AS t(tag)",
        expect![[r#"
            Projection: bid.auction, EXPR$0 AS tag
              Unnest: lists[EXPR$0|depth=1] structs[]
                Projection: bid.auction, __datafusion_extracted_1 AS EXPR$0
                  SubqueryAlias: bid
                    Projection: bid.auction, get_field(bid.extra, Utf8("tags")) AS __datafusion_extracted_1
                      TableScan: bid projection=[auction, extra]
        "#]],
    );
}

#[test]
fn lists_are_taken_apart() {
    check(
        "SELECT auction, t.tag FROM bid, UNNEST(extra.tags) AS t (tag) WHERE tag <> ''",
        expect![[r#"
        Projection: bid.auction, EXPR$0 AS tag
          Filter: EXPR$0 != Utf8("")
            Unnest: lists[EXPR$0|depth=1] structs[]
              Projection: bid.auction, __datafusion_extracted_1 AS EXPR$0
                SubqueryAlias: bid
                  Projection: bid.auction, get_field(bid.extra, Utf8("tags")) AS __datafusion_extracted_1
                    TableScan: bid projection=[auction, extra]
    "#]],
    );
    check(
        "SELECT auction, tag FROM bid LEFT JOIN UNNEST(ARRAY[auction, price]) AS t(tag) ON TRUE",
        expect![[r#"
        Projection: bid.auction, EXPR$0 AS tag
          Unnest: lists[EXPR$0|depth=1] structs[]
            Projection: bid.auction, make_array(bid.auction, bid.price) AS EXPR$0
              SubqueryAlias: bid
                TableScan: bid projection=[auction, price]
    "#]],
    );
    check(
        "SELECT d.price, k, v FROM dear AS d CROSS JOIN UNNEST(MAP['a', price]) AS m (k, v)",
        expect![[r#"
        Projection: d.price, get_field(EXPR$0, Utf8("key")) AS k, get_field(EXPR$0, Utf8("value")) AS v
          Unnest: lists[EXPR$0|depth=1] structs[]
            Projection: d.price, map_entries(map(List([a]), make_array(d.price))) AS EXPR$0
              SubqueryAlias: d
                SubqueryAlias: dear
                  SubqueryAlias: bid
                    Filter: bid.price > Int64(100)
                      TableScan: bid projection=[price]
    "#]],
    );
    check(
        "SELECT x, y FROM dear CROSS JOIN UNNEST(ARRAY[ROW(auction, price), ROW(1, 2)]) AS t (x, y) CROSS JOIN UNNEST(ARRAY[x]) AS u (z)",
        expect![[r#"
        Projection: t.x, t.y
          Unnest: lists[EXPR$0|depth=1] structs[]
            Projection: get_field(EXPR$0, Utf8("c0")) AS x, get_field(EXPR$0, Utf8("c1")) AS y, make_array(get_field(EXPR$0, Utf8("c0"))) AS EXPR$0
              Unnest: lists[EXPR$0|depth=1] structs[]
                Projection: make_array(struct(dear.auction, dear.price) AS row(outer_ref(dear.auction),outer_ref(dear.price)), Struct({c0:1,c1:2})) AS EXPR$0
                  SubqueryAlias: dear
                    SubqueryAlias: bid
                      Filter: bid.price > Int64(100)
                        TableScan: bid projection=[auction, price]
    "#]],
    );
    check(
        "SELECT UNNEST(extra.tags) FROM bid",
        expect![[r#"
        Projection: __unnest_placeholder(tags,depth=1) AS UNNEST(tags)
          Unnest: lists[__unnest_placeholder(tags)|depth=1] structs[]
            Projection: __datafusion_extracted_1 AS tags AS __unnest_placeholder(tags)
              SubqueryAlias: bid
                Projection: get_field(bid.extra, Utf8("tags")) AS __datafusion_extracted_1
                  TableScan: bid projection=[extra]
    "#]],
    );
    check(
        "SELECT * FROM UNNEST(ARRAY[1, 2]) AS t(x)",
        expect![[r#"
        SubqueryAlias: t
          Projection: EXPR$0 AS x
            Unnest: lists[EXPR$0|depth=1] structs[]
              Projection: List([1, 2]) AS EXPR$0
                EmptyRelation: rows=1
    "#]],
    );
    check(
        "SELECT * FROM bid CROSS JOIN UNNEST(price) AS t(x)",
        expect![[r#"
        UNNEST needs an ARRAY or a MAP, not BIGINT
          --> line 1, column 37
          |
        1 | SELECT * FROM bid CROSS JOIN UNNEST(price) AS t(x)
          |                                     ^^^^^^^^^^^^^
    "#]],
    );
}

#[test]
fn casts_of_times() {
    check(
        "SELECT CAST(ts AS STRING), CAST(sched AS STRING) || '!', CAST(sched AS TIMESTAMP_LTZ(3)), CAST(ts AS TIMESTAMP(0)) FROM bid, flights",
        expect![[r#"
            Projection: date_format(bid.ts, Utf8("yyyy-MM-dd HH:mm:ss.SSS")) AS CAST(ts AS STRING), date_format(flights.sched, Utf8("yyyy-MM-dd HH:mm:ss.SSS")) || Utf8("!") AS CAST(sched AS STRING) || '!', CAST(flights.sched AS Timestamp(ms, "UTC")) AS CAST(sched AS TIMESTAMP_LTZ(3)), CAST(bid.ts AS Timestamp(s)) AS CAST(ts AS TIMESTAMP(0))
              Cross Join:
                SubqueryAlias: bid
                  TableScan: bid projection=[ts]
                SubqueryAlias: flights
                  TableScan: flights projection=[sched]
        "#]],
    );
    check(
        "SET 'table.local-time-zone' = 'Europe/Berlin'; SELECT CAST(ts AS TIMESTAMP(3)), CAST(sched AS TIMESTAMP_LTZ(6)), CAST(ts AS DATE), CAST('2024-07-01 00:00:00' AS TIMESTAMP_LTZ(3)) FROM bid, flights WHERE ts > TIMESTAMP '2024-07-01 00:00:00'",
        expect![[r#"
            table.local-time-zone = Europe/Berlin
            Projection: __common_expr_1 AS CAST(ts AS TIMESTAMP(3)), instant_of_wall_clock(CAST(flights.sched AS Timestamp(µs))) AS CAST(sched AS TIMESTAMP_LTZ(6)), CAST(__common_expr_1 AS Date32) AS CAST(ts AS DATE), TimestampMillisecond(1719784800000, Some("UTC")) AS CAST('2024-07-01 00:00:00' AS TIMESTAMP_LTZ(3))
              Projection: wall_clock_of_instant(bid.ts) AS __common_expr_1, flights.sched
                Cross Join:
                  SubqueryAlias: bid
                    Filter: bid.ts > TimestampMillisecond(1719784800000, Some("UTC"))
                      TableScan: bid projection=[ts]
                  SubqueryAlias: flights
                    TableScan: flights projection=[sched]
        "#]],
    );
}

#[test]
fn json() {
    check(
        "SELECT JSON_VALUE(url, '$.a' RETURNING INT DEFAULT 0 ON EMPTY DEFAULT -1 ON ERROR) AS a, JSON_QUERY(url, '$.b' WITH CONDITIONAL ARRAY WRAPPER), JSON_EXISTS(url, '$.c' FALSE ON ERROR) FROM bid",
        expect![[r#"
            Projection: CASE WHEN __common_expr_1 THEN Int32(NULL) WHEN json_is_null(bid.url, Utf8("$.a")) THEN Int32(0) WHEN json_value(bid.url, Utf8("$.a")) IS NULL THEN Int32(-1) WHEN cast_by_place(json_value(bid.url, Utf8("$.a"))) IS NULL THEN Int32(-1) ELSE cast_by_place(json_value(bid.url, Utf8("$.a"))) END AS a, json_query(bid.url, Utf8("$.b"), Utf8("CONDITIONAL")) AS JSON_QUERY(url, '$.b' WITH CONDITIONAL ARRAY WRAPPER), __common_expr_1 AND Boolean(NULL) OR json_exists(bid.url, Utf8("$.c")) IS NOT DISTINCT FROM Boolean(true) AND bid.url IS NOT NULL AS JSON_EXISTS(url, '$.c' FALSE ON ERROR)
              Projection: bid.url IS NULL AS __common_expr_1, bid.url
                SubqueryAlias: bid
                  TableScan: bid projection=[url]
        "#]],
    );
}

#[test]
fn types() {
    check(
        "SELECT CAST(price AS DECIMAL(23, 3)), CAST(url AS VARCHAR(3)), CAST('2024-01-01 10:00:00' AS TIMESTAMP(3)), TIMESTAMP '2024-01-01 10:00:00' FROM bid",
        expect![[r#"
            Projection: CAST(bid.price AS Decimal128(23, 3)) AS CAST(price AS DECIMAL(23, 3)), left(CAST(bid.url AS Utf8), Int64(3)) AS CAST(url AS VARCHAR(3)), TimestampMillisecond(1704103200000, None) AS CAST('2024-01-01 10:00:00' AS TIMESTAMP(3)), TimestampMicrosecond(1704103200000000, None) AS TIMESTAMP '2024-01-01 10:00:00'
              SubqueryAlias: bid
                TableScan: bid projection=[price, url]
        "#]],
    );
    check(
        "SELECT ROW(1, 'a'), MAP['a', price], ARRAY[1, 2], INTERVAL '1:30' MINUTE TO SECOND FROM bid",
        expect![[r#"
            Projection: Struct({c0:1,c1:a}) AS ROW(1, 'a'), map(List([a]), make_array(bid.price)) AS MAP['a', price], List([1, 2]) AS ARRAY[1, 2], IntervalMonthDayNano("IntervalMonthDayNano { months: 0, days: 0, nanoseconds: 90000000000 }") AS INTERVAL '1:30' MINUTE TO SECOND
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
            Projection: timestampdiff(Utf8("MINUTE"), bid.ts, bid.ts) AS TIMESTAMPDIFF(MINUTE, ts, ts), floor_time(bid.ts, Utf8("HOUR")) AS FLOOR(ts TO HOUR), date_format(bid.ts, Utf8("yyyy-MM-dd")) AS DATE_FORMAT(ts, 'yyyy-MM-dd'), upper(bid.url), hour(bid.ts) AS EXTRACT(HOUR FROM ts), instr(bid.url, Utf8("a")) AS POSITION('a' IN url)
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
            Projection: Int64(1) AS id
              SubqueryAlias: x
                SubqueryAlias: bid /*+ [("bounded", "true")] */
                  TableScan: bid projection=[]
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
