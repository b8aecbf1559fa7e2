-- Writes the events of Nexmark as JSON files, a line for each, for from_json.sql.
--
-- Shows: the generator's rows, nested as they are, as JSON.

CREATE TABLE events WITH (
  'connector' = 'nexmark',
  'events.num' = '${EVENTS:-1000000}',
  'first-event.rate' = '${RATE:-10000}'
);

CREATE TABLE files (
  event_type INT,
  person ROW<id BIGINT, name STRING, emailAddress STRING, creditCard STRING, city STRING, state STRING,
             dateTime TIMESTAMP(3), extra STRING>,
  auction ROW<id BIGINT, itemName STRING, description STRING, initialBid BIGINT, reserve BIGINT,
              dateTime TIMESTAMP(3), expires TIMESTAMP(3), seller BIGINT, category BIGINT, extra STRING>,
  bid ROW<auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING,
          dateTime TIMESTAMP(3), extra STRING>
) WITH (
  'connector' = 'filesystem',
  'path' = '${EVENTS_PATH:-target/nexmark/events}',
  'format' = 'json',
  'json.encode.ignore-null-fields' = 'true'
);

INSERT INTO files
SELECT event_type, person, auction, bid FROM events;
