-- Where did my row go? A watermark that is too impatient, and the rows that came too late for it.
--
-- Shows: late rows are never dropped in silence; they are a table.

CREATE TABLE flights (
  sched AS TIMESTAMPADD(MINUTE, `minute`, time_hour),
  WATERMARK FOR sched AS sched - INTERVAL '12' HOUR
) WITH (
  'connector' = 'filesystem',
  'path' = 'sql-examples/data/flights.parquet',
  'format' = 'parquet'
);

SELECT window_start AS hour_utc, COUNT(*) AS flights_in_time
FROM TABLE(TUMBLE(TABLE flights, DESCRIPTOR(sched), INTERVAL '1' HOUR))
WHERE `month` = 7 AND `day` = 4
GROUP BY window_start, window_end;

SELECT operator, window_end, COUNT(*) AS late_rows, MAX(watermark - event_time) AS latest
FROM tidemill.late_rows
GROUP BY operator, window_end
ORDER BY window_end;
