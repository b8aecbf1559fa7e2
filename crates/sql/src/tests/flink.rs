//! Queries of Flink's documentation and of pipelines: all of them are read and planned.

use super::fixture::{catalog, run};

const TABLES: &str = "
CREATE TABLE clicks (user STRING, url STRING, `count` INT, value DOUBLE, cTime TIMESTAMP(3), WATERMARK FOR cTime AS cTime - INTERVAL '0.1' SECOND) WITH ('connector' = 'test');
CREATE TABLE Bid (bidtime TIMESTAMP(3), price DECIMAL(10, 2), item STRING, supplier_id STRING, WATERMARK FOR bidtime AS bidtime - INTERVAL '1' SECOND) WITH ('connector' = 'test');
CREATE TABLE orders (id BIGINT, items ARRAY<ROW<sku STRING, qty INT>>, attrs MAP<STRING, STRING>, proc AS PROCTIME(), row_time TIMESTAMP_LTZ(3) METADATA FROM 'offset', o TIMESTAMP(3), WATERMARK FOR o AS o) WITH ('connector' = 'test');
";

const QUERIES: &[&str] = &[
    "SELECT user, COUNT(url) AS cnt FROM clicks GROUP BY user",
    "SELECT user, TUMBLE_END(cTime, INTERVAL '1' HOURS) AS endT, COUNT(url) AS cnt FROM clicks GROUP BY TUMBLE(cTime, INTERVAL '1' HOURS), user",
    "SELECT * FROM TABLE(TUMBLE(TABLE `Bid`, DESCRIPTOR(bidtime), INTERVAL '10' MINUTES))",
    "SELECT window_start, window_end, SUM(price) AS total_price FROM TABLE(TUMBLE(DATA => TABLE Bid, TIMECOL => DESCRIPTOR(bidtime), SIZE => INTERVAL '10' MINUTES)) GROUP BY window_start, window_end",
    "SELECT window_start, window_end, SUM(price) FROM TABLE(CUMULATE(TABLE Bid, DESCRIPTOR(bidtime), INTERVAL '2' MINUTES, INTERVAL '10' MINUTES)) GROUP BY window_start, window_end",
    "SELECT window_start, window_end, supplier_id, SUM(price) AS total_price FROM TABLE(TUMBLE(TABLE Bid, DESCRIPTOR(bidtime), INTERVAL '10' MINUTES)) GROUP BY window_start, window_end, GROUPING SETS ((supplier_id), ())",
    "SELECT window_start, window_end, supplier_id, SUM(price) AS total_price FROM TABLE(TUMBLE(TABLE Bid, DESCRIPTOR(bidtime), INTERVAL '10' MINUTES)) GROUP BY window_start, window_end, ROLLUP (supplier_id)",
    "SELECT window_start, window_end, item, supplier_id, SUM(price) AS total_price, GROUPING(item) FROM TABLE(TUMBLE(TABLE Bid, DESCRIPTOR(bidtime), INTERVAL '10' MINUTES)) GROUP BY window_start, window_end, CUBE (supplier_id, item)",
    "SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY price DESC) as rownum FROM (SELECT window_start, window_end, supplier_id, SUM(price) as price, COUNT(*) as cnt FROM TABLE(TUMBLE(TABLE Bid, DESCRIPTOR(bidtime), INTERVAL '10' MINUTES)) GROUP BY window_start, window_end, supplier_id)) WHERE rownum <= 3",
    "SELECT L.item AS L_Num, R.item AS R_Num, COALESCE(L.window_start, R.window_start) AS window_start FROM (SELECT * FROM TABLE(TUMBLE(TABLE Bid, DESCRIPTOR(bidtime), INTERVAL '5' MINUTES))) L FULL JOIN (SELECT * FROM TABLE(TUMBLE(TABLE Bid, DESCRIPTOR(bidtime), INTERVAL '5' MINUTES))) R ON L.item = R.item AND L.window_start = R.window_start AND L.window_end = R.window_end",
    "SELECT * FROM (SELECT * FROM TABLE(TUMBLE(TABLE Bid, DESCRIPTOR(bidtime), INTERVAL '5' MINUTES))) L WHERE L.item IN (SELECT item FROM (SELECT * FROM TABLE(TUMBLE(TABLE Bid, DESCRIPTOR(bidtime), INTERVAL '5' MINUTES))) R WHERE L.window_start = R.window_start AND L.window_end = R.window_end)",
    "CREATE VIEW window1 AS SELECT window_start, window_end, window_time AS rowtime, SUM(price) AS partial_price FROM TABLE(TUMBLE(TABLE Bid, DESCRIPTOR(bidtime), INTERVAL '5' MINUTES)) GROUP BY supplier_id, window_start, window_end, window_time; SELECT window_start, window_end, SUM(partial_price) AS total_price FROM TABLE(TUMBLE(TABLE window1, DESCRIPTOR(rowtime), INTERVAL '10' MINUTES)) GROUP BY window_start, window_end",
    "SELECT id, sku, qty FROM orders CROSS JOIN UNNEST(items) AS t (sku, qty)",
    "SELECT id, i.sku FROM orders, UNNEST(items) AS i",
    "SELECT id, k, v FROM orders LEFT JOIN UNNEST(attrs) AS t (k, v) ON TRUE",
    "SELECT attrs['a'], items[1].sku, CARDINALITY(items) FROM orders",
    "SELECT id, COUNT(*) FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(proc), INTERVAL '1' SECOND)) GROUP BY id, window_start, window_end",
    "SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS t (id, name)",
    "SELECT LISTAGG(item), LISTAGG(DISTINCT item, '|'), FIRST_VALUE(price), LAST_VALUE(price), STDDEV_POP(value), VAR_SAMP(value) FROM Bid CROSS JOIN clicks GROUP BY supplier_id",
    "SELECT value, `count`, count(*) FILTER (WHERE value > 3) FROM clicks GROUP BY value, `count`",
    "SELECT SUM(price) OVER w FROM Bid WINDOW w AS (PARTITION BY item ORDER BY bidtime RANGE BETWEEN INTERVAL '1' HOUR PRECEDING AND CURRENT ROW)",
    "SELECT CASE WHEN price > 3 THEN 'a' ELSE 'b' END, COALESCE(NULLIF(item, ''), 'none'), item || '-' || supplier_id, price * 2, CURRENT_TIMESTAMP - INTERVAL '1' DAY, bidtime + INTERVAL '1:30' HOUR TO MINUTE FROM Bid",
    "SELECT item FROM Bid WHERE item SIMILAR TO '(a|b)%' OR item NOT LIKE 'x%' OR price BETWEEN 1 AND 2 OR item IN ('a', 'b') OR item IS NOT DISTINCT FROM supplier_id",
    "(SELECT item FROM Bid) UNION ALL (SELECT url FROM clicks)",
    "SELECT item FROM Bid ORDER BY price DESC LIMIT 10",
    "SELECT SESSION_START(bidtime, INTERVAL '10' MINUTE), supplier_id, HOUR(SESSION_END(bidtime, INTERVAL '10' MINUTE)) FROM Bid GROUP BY SESSION(bidtime, INTERVAL '10' MINUTE), supplier_id HAVING COUNT(*) > 1",
    "SELECT b.item, TUMBLE_ROWTIME(b.bidtime, INTERVAL '1' MINUTE), COUNT(*) FROM Bid b JOIN clicks c ON b.item = c.url WHERE c.value > 1 GROUP BY b.item, TUMBLE(b.bidtime, INTERVAL '1' MINUTE)",
    "SELECT TUMBLE_START(t, INTERVAL '1' HOUR), SUM(n) FROM (SELECT TUMBLE_ROWTIME(bidtime, INTERVAL '1' MINUTE) AS t, COUNT(*) AS n FROM Bid GROUP BY TUMBLE(bidtime, INTERVAL '1' MINUTE)) GROUP BY TUMBLE(t, INTERVAL '1' HOUR)",
    "SELECT date, time, timestamp, year, day FROM (SELECT 1 AS date, 2 AS time, 3 AS timestamp, 4 AS year, 5 AS day)",
    "SELECT TO_TIMESTAMP('2024-01-01 00:00:00'), UNIX_TIMESTAMP(), FROM_UNIXTIME(0), DATE_FORMAT(bidtime, 'HH'), YEAR(bidtime), DAYOFWEEK(bidtime), TO_DATE('2024-01-01'), CEIL(bidtime TO DAY) FROM Bid",
    "SELECT JSON_VALUE(item, '$.a'), JSON_QUERY(item, '$.b'), JSON_EXISTS(item, '$.c'), item IS JSON OBJECT, REGEXP_REPLACE(item, 'a', 'b'), SUBSTRING(item FROM 2 FOR 3), TRIM(LEADING 'x' FROM item), CHAR_LENGTH(item), UPPER(item), INITCAP(item), LPAD(item, 5, ' '), SPLIT_INDEX(item, ',', 0), MD5(item), IF(price > 1, 'a', 'b'), IFNULL(item, ''), MOD(3, 2), ROUND(price, 1), POWER(2, 3), GREATEST(1, 2) FROM Bid",
    "SELECT JSON_OBJECT('a' VALUE item, KEY 'b' VALUE JSON_ARRAY(price, 1 NULL ON NULL) ABSENT ON NULL), JSON_EXISTS(item, 'strict $.c' TRUE ON ERROR) FROM Bid WHERE price NOT BETWEEN SYMMETRIC 3 AND 1 AND STARTSWITH(item, 'x')",
    "SELECT JSON_OBJECTAGG(KEY item VALUE price ABSENT ON NULL), JSON_ARRAYAGG(item), PERCENTILE(price, 0.5), GROUPING_ID(item) FROM Bid GROUP BY CUBE (item)",
    "SELECT DISTINCT item FROM default_catalog.default_database.Bid",
    "SELECT item, CURRENT_WATERMARK(bidtime) FROM Bid WHERE CURRENT_WATERMARK(bidtime) IS NULL OR bidtime > CURRENT_WATERMARK(bidtime)",
    "SELECT t.* FROM Bid AS t, (SELECT MAX(price) AS m FROM Bid) WHERE t.price = m",
    "SELECT b.*, 1 AS one FROM Bid b",
    "SELECT item, (SELECT MAX(value) FROM clicks) FROM Bid WHERE EXISTS (SELECT 1 FROM clicks WHERE clicks.url = Bid.item)",
    "SELECT window_start, COUNT(DISTINCT item) FROM TABLE(HOP(TABLE Bid, DESCRIPTOR(bidtime), INTERVAL '5' MINUTES, INTERVAL '12' MINUTES, INTERVAL '1' MINUTE)) GROUP BY window_start, window_end",
    "SELECT window_start FROM TABLE(SESSION(TABLE Bid PARTITION BY supplier_id, item, DESCRIPTOR(bidtime), GAP => INTERVAL '5' MINUTES)) GROUP BY window_start, window_end, supplier_id, item",
];

#[test]
fn every_query_is_planned() {
    let catalog = catalog();
    for table in ["bid", "sink"] {
        catalog.remove(table);
    }
    run(&catalog, TABLES).unwrap_or_else(|e| panic!("{}", e.render(TABLES)));
    let failed: Vec<_> = QUERIES
        .iter()
        .filter_map(|query| run(&catalog, query).err().map(|e| format!("{}\n\n", e.render(query))))
        .collect();
    assert!(failed.is_empty(), "{}", failed.concat());
}
