-- The share of flights that left on time, per carrier, over the last three hours, every hour (HOP).
--
-- Shows: overlapping windows, HAVING, a view, columns that are declared, and 15 minutes as the airlines' "on time".

CREATE TABLE flights (
  carrier STRING,
  dep_delay INT,
  `minute` INT,
  time_hour TIMESTAMP(6),
  sched AS TIMESTAMPADD(MINUTE, `minute`, time_hour),
  WATERMARK FOR sched AS sched - INTERVAL '1' DAY
) WITH (
  'connector' = 'filesystem',
  'path' = 'sql-examples/data/flights.parquet',
  'format' = 'parquet'
);

CREATE VIEW christmas AS
SELECT * FROM flights WHERE sched >= TIMESTAMP '2013-12-23 05:00:00' AND sched < TIMESTAMP '2013-12-24 05:00:00';

SELECT
  window_start,
  window_end,
  carrier,
  COUNT(*) AS flights,
  ROUND(100.0 * COUNT(*) FILTER (WHERE dep_delay < 15) / COUNT(*), 1) AS on_time_percent
FROM TABLE(HOP(TABLE christmas, DESCRIPTOR(sched), INTERVAL '1' HOUR, INTERVAL '3' HOUR))
GROUP BY window_start, window_end, carrier
HAVING COUNT(*) >= 25;
