-- The working days of aircraft: flights of one tail number with less than 16 hours between departures (SESSION).
--
-- Shows: session windows by key, out of order by hours, a session that lasts for days; the busiest runs of the year.

CREATE TABLE flights (
  sched AS TIMESTAMPADD(MINUTE, `minute`, time_hour),
  WATERMARK FOR sched AS sched - INTERVAL '1' DAY
) WITH (
  'connector' = 'filesystem',
  'path' = 'sql-examples/data/flights.parquet',
  'format' = 'parquet'
);

SELECT
  tailnum,
  window_start AS first_departure,
  window_end - INTERVAL '16' HOUR AS last_departure,
  COUNT(*) AS flights,
  SUM(distance) AS miles,
  COUNT(DISTINCT dest) AS destinations
FROM TABLE(SESSION(TABLE flights PARTITION BY tailnum, DESCRIPTOR(sched), INTERVAL '16' HOUR))
WHERE tailnum IS NOT NULL
GROUP BY window_start, window_end, tailnum
HAVING COUNT(*) >= 26;
