-- Departures and delays per airport and hour, in the two days of the blizzard of February 2013 (TUMBLE).
--
-- Shows: a table over a Parquet file whose columns are found in the file, event time computed from two columns, a
-- watermark for data that is truly out of order (a flight that leaves late comes in late, by up to most of a day),
-- percentiles, FILTER.
--
-- Watch the departures of the 8th thin out, the 9th stay empty until the evening, and the delays when traffic resumes.

CREATE TABLE flights (
  sched AS TIMESTAMPADD(MINUTE, `minute`, time_hour),
  WATERMARK FOR sched AS sched - INTERVAL '1' DAY
) WITH (
  'connector' = 'filesystem',
  'path' = 'sql-examples/data/flights.parquet',
  'format' = 'parquet'
);

SELECT
  window_start AS hour_utc,
  origin,
  COUNT(dep_time) AS departed,
  COUNT(*) FILTER (WHERE dep_time IS NULL) AS cancelled,
  MEDIAN(dep_delay) AS median_delay,
  APPROX_PERCENTILE_CONT(dep_delay, 0.9) AS p90_delay
FROM TABLE(TUMBLE(TABLE flights, DESCRIPTOR(sched), INTERVAL '1' HOUR))
WHERE sched BETWEEN TIMESTAMP '2013-02-08 10:00:00' AND TIMESTAMP '2013-02-10 04:59:00'
GROUP BY window_start, window_end, origin;
