//! Forms within queries: windows, hints, expressions.

use expect_test::expect;

use super::*;

#[test]
fn windows() {
    check(
        "SELECT * FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), INTERVAL '10' MINUTES)) AS w",
        expect![[r#"
        SELECT * FROM TABLE(TUMBLE(TABLE(bid), DESCRIPTOR(ts), INTERVAL '0 months 0 days 600000000000 nanoseconds')) AS w [Default]
    "#]],
    );
    check(
        "SELECT * FROM TABLE(HOP(DATA => TABLE `Bid`, TIMECOL => DESCRIPTOR(ts), SLIDE => INTERVAL '5' MINUTES, SIZE => INTERVAL '1:30' MINUTE TO SECOND))",
        expect![[r#"
            SELECT * FROM TABLE(HOP(DATA => TABLE(`Bid`), TIMECOL => DESCRIPTOR(ts), SLIDE => INTERVAL '0 months 0 days 300000000000 nanoseconds', SIZE => INTERVAL '0 months 0 days 90000000000 nanoseconds')) [Default]
        "#]],
    );
    check(
        "SELECT * FROM TABLE(SESSION(TABLE bid PARTITION BY a, b.c, DESCRIPTOR(ts), INTERVAL '5' MINUTES))",
        expect![[r#"
        SELECT * FROM TABLE(SESSION(TABLE(bid, a, b.c), DESCRIPTOR(ts), INTERVAL '0 months 0 days 300000000000 nanoseconds')) [Default]
    "#]],
    );
    check(
        "SELECT * FROM TABLE(SESSION(TABLE bid PARTITION BY (a, b), DESCRIPTOR(ts), INTERVAL '5' MINUTES))",
        expect![[r#"
        SELECT * FROM TABLE(SESSION(TABLE(bid, a, b), DESCRIPTOR(ts), INTERVAL '0 months 0 days 300000000000 nanoseconds')) [Default]
    "#]],
    );
    check(
        "SELECT * FROM CUMULATE((SELECT * FROM bid), ts, INTERVAL '1' MINUTE, INTERVAL '1' HOUR) w",
        expect![[r#"
        SELECT * FROM CUMULATE((SELECT * FROM bid), ts, INTERVAL '0 months 0 days 60000000000 nanoseconds', INTERVAL '0 months 0 days 3600000000000 nanoseconds') w [Default]
    "#]],
    );
    check(
        "SELECT TUMBLE_START(ts, INTERVAL '1' DAY) FROM t GROUP BY TUMBLE(ts, INTERVAL '1' DAY)",
        expect![[r#"
            SELECT TUMBLE_START(ts, INTERVAL '0 months 1 days 0 nanoseconds') AS `TUMBLE_START(ts, INTERVAL '1' DAY)` FROM t GROUP BY TUMBLE(ts, INTERVAL '0 months 1 days 0 nanoseconds') [Default]
        "#]],
    );
}

#[test]
fn hints() {
    check(
        "SELECT * FROM t /*+ OPTIONS('a' = 'b', 'c.d'='e') */ AS x JOIN u ON true",
        expect![[r#"
        SELECT * FROM t AS x WITH ('a' = 'b', 'c.d' = 'e') JOIN u ON true [Default]
    "#]],
    );
    check(
        "INSERT INTO s /*+ OPTIONS('a'='b') */ SELECT * FROM TABLE(TUMBLE(TABLE t /*+ OPTIONS('c'='d') */, DESCRIPTOR(ts), INTERVAL '1' DAY))",
        expect![[r#"
            insert s[][("a", "b")] SELECT * FROM TABLE(TUMBLE(TABLE((SELECT * FROM t WITH ('c' = 'd'))), DESCRIPTOR(ts), INTERVAL '0 months 1 days 0 nanoseconds')) [Default]
        "#]],
    );
    check(
        "SELECT /*+ FASTER(t) */ * FROM t",
        expect![[r#"
        the hint /*+ FASTER(t) */ is not supported
          --> line 1, column 8
          |
        1 | SELECT /*+ FASTER(t) */ * FROM t
          |        ^^^
        hint: Known: /*+ OPTIONS('key' = 'value') */ behind the name of a table, /*+ STATE_TTL('table' = '1 day') */ behind SELECT.
    "#]],
    );
    check(
        "SELECT a /*+ OPTIONS('a'='b') */ FROM t",
        expect![[r#"
        a hint stands behind the name of a table
          --> line 1, column 10
          |
        1 | SELECT a /*+ OPTIONS('a'='b') */ FROM t
          |          ^^^
    "#]],
    );
    check(
        "SELECT * FROM t /*+ OPTIONS('a') */",
        expect![[r#"
        the hint does not read as OPTIONS('key' = 'value'): expected =, found )
          --> line 1, column 17
          |
        1 | SELECT * FROM t /*+ OPTIONS('a') */
          |                 ^^^
    "#]],
    );
}

#[test]
fn expressions() {
    check(
        "SELECT TIMESTAMPDIFF(MINUTE, a, b), TIMESTAMPADD(SQL_TSI_DAY, 1, ts), FLOOR(ts TO HOUR), CEIL(ts TO DAY), FLOOR(1.5)",
        expect![[r#"
            SELECT timestampdiff('MINUTE', a, b) AS `TIMESTAMPDIFF(MINUTE, a, b)`, timestampadd('DAY', 1, ts) AS `TIMESTAMPADD(SQL_TSI_DAY, 1, ts)`, floor_time(ts, 'HOUR') AS `FLOOR(ts TO HOUR)`, ceil_time(ts, 'DAY') AS `CEIL(ts TO DAY)`, FLOOR(1.5) AS `FLOOR(1.5)` [Default]
        "#]],
    );
    check(
        "SELECT CAST(a AS STRING), TRY_CAST(b AS TIMESTAMP_LTZ(3)), CAST(c AS ROW<x INT>), CAST(d AS VARCHAR(3)), CAST(e AS CHAR(2))",
        expect![[r#"
            SELECT CAST(a AS tidemill_type(STRING)) AS `CAST(a AS STRING)`, TRY_CAST(b AS tidemill_type(TIMESTAMP_LTZ(3))) AS `TRY_CAST(b AS TIMESTAMP_LTZ(3))`, CAST(c AS tidemill_type(ROW<`x` INT>)) AS `CAST(c AS ROW<x INT>)`, left(CAST(d AS tidemill_type(STRING)), 3) AS `CAST(d AS VARCHAR(3))`, rpad(CAST(e AS tidemill_type(STRING)), 2, ' ') AS `CAST(e AS CHAR(2))` [Default]
        "#]],
    );
    check(
        "SELECT MAP['a', 1], ARRAY[1, 2], ROW(1, 'a'), user, u.user, t.nested.field, arr[1]",
        expect![[r#"
            SELECT MAP {'a': 1} AS `MAP['a', 1]`, make_array(1, 2) AS `ARRAY[1, 2]`, ROW(1, 'a') AS `ROW(1, 'a')`, user, u.user, t.nested.field, arr[1] AS `arr[1]` [Default]
        "#]],
    );
    check(
        "SELECT x IS JSON, y IS NOT JSON OBJECT, JSON_VALUE(x, '$.a' RETURNING INT NULL ON EMPTY)",
        expect![[r#"
            SELECT is_json(x), NOT is_json(y, 'OBJECT') AS `y IS NOT JSON OBJECT`, TRY_CAST(json_value(x, '$.a') AS tidemill_type(INT)) AS `JSON_VALUE(x, '$.a' RETURNING INT NULL ON EMPTY)` [Default]
        "#]],
    );
    check(
        "SELECT INTERVAL '1' DAY + INTERVAL '-2' HOUR, INTERVAL '1 10:00:00' DAY TO SECOND, - INTERVAL '1' YEAR",
        expect![[r#"
            SELECT INTERVAL '0 months 1 days 0 nanoseconds' + INTERVAL '0 months 0 days -7200000000000 nanoseconds' AS `INTERVAL '1' DAY + INTERVAL '-2' HOUR`, INTERVAL '0 months 1 days 36000000000000 nanoseconds' AS `INTERVAL '1 10:00:00' DAY TO SECOND`, INTERVAL '-12 months 0 days 0 nanoseconds' AS `- INTERVAL '1' YEAR` [Default]
        "#]],
    );
    check(
        "SELECT DATE '2020-01-01', TIMESTAMP '2020-01-01 00:00:00', TIME '10:00:00', date, time, timestamp, value, interval FROM t",
        expect![[r#"
            SELECT DATE '2020-01-01' AS `DATE '2020-01-01'`, TIMESTAMP '2020-01-01 00:00:00' AS `TIMESTAMP '2020-01-01 00:00:00'`, TIME '10:00:00' AS `TIME '10:00:00'`, date, time, timestamp, value, interval FROM t [Default]
        "#]],
    );
    check(
        "SELECT EXTRACT(HOUR FROM ts), POSITION('a' IN b), TRIM(BOTH ' ' FROM c), OVERLAY(a PLACING b FROM 1), a LIKE 'x!%' ESCAPE '!', a SIMILAR TO b, a IS DISTINCT FROM b",
        expect![[r#"
            SELECT EXTRACT(HOUR FROM ts) AS `EXTRACT(HOUR FROM ts)`, POSITION('a' IN b) AS `POSITION('a' IN b)`, TRIM(BOTH ' ' FROM c) AS `TRIM(BOTH ' ' FROM c)`, OVERLAY(a PLACING b FROM 1) AS `OVERLAY(a PLACING b FROM 1)`, a LIKE 'x\%' AS `a LIKE 'x!%' ESCAPE '!'`, a SIMILAR TO b AS `a SIMILAR TO b`, a IS DISTINCT FROM b AS `a IS DISTINCT FROM b` [Default]
        "#]],
    );
    check(
        "SELECT a FROM t FETCH FIRST 3 ROWS ONLY",
        expect![[r#"
        SELECT a FROM t LIMIT 3 [Default]
    "#]],
    );
    check(
        "SELECT * FROM t CROSS JOIN UNNEST(arr) AS u(x)",
        expect![[r#"
        SELECT * FROM t CROSS JOIN UNNEST(arr) AS u (x) [Default]
    "#]],
    );
}
