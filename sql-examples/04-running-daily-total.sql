-- Departures so far today, per airport, every six hours (CUMULATE), written to JSON files and counted once more per day.
--
-- Shows: windows that grow through a day of New York time (an offset of five hours from UTC), an INSERT into files,
-- a window over the same windows, and both queries as one dataflow that reads the file once.

CREATE TABLE flights (
  sched AS TIMESTAMPADD(MINUTE, `minute`, time_hour),
  WATERMARK FOR sched AS sched - INTERVAL '1' DAY
) WITH (
  'connector' = 'filesystem',
  'path' = 'sql-examples/data/flights.parquet',
  'format' = 'parquet'
);

CREATE TABLE running_totals (
  day_start TIMESTAMP(3),
  until TIMESTAMP(3),
  origin STRING,
  departed BIGINT,
  miles BIGINT
) WITH (
  'connector' = 'filesystem',
  'path' = 'target/running-totals',
  'format' = 'json'
);

CREATE VIEW totals AS
SELECT window_start, window_end, origin, COUNT(dep_time) AS departed, SUM(distance) AS miles
FROM TABLE(CUMULATE(TABLE flights, DESCRIPTOR(sched), INTERVAL '6' HOUR, INTERVAL '1' DAY, INTERVAL '5' HOUR))
GROUP BY window_start, window_end, origin;

INSERT INTO running_totals
SELECT window_start, window_end, origin, departed, miles FROM totals;

SELECT window_start AS day_start, window_end AS until, SUM(departed) AS departed, SUM(miles) AS miles
FROM totals
WHERE window_start >= TIMESTAMP '2013-12-30 00:00:00'
GROUP BY window_start, window_end;
