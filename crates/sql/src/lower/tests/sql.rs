//! Files of SQL, from their text to the stream plan.

use std::sync::Arc;

use async_trait::async_trait;
use expect_test::{Expect, expect};
use tidemill_core::sink::Accepts;
use tidemill_core::table::TableSpec;
use tidemill_core::{EpochClock, Error, Result};
use tidemill_plan::StreamPlan;
use tidemill_plan::op::SinkTarget;

use super::fixture::{Planned, Planted, Taking};
use crate::bind::{Connect, Connected};
use crate::catalog::Catalog;
use crate::explain;
use crate::lower::{LowerOptions, Lowering};
use crate::parser::{StatementKind, parse};
use crate::session::{Planner, Query};

/// Tables whose connector says whether they end: `'connector' = 'ends'`, `'goes-on'`; and what they take, written:
/// `'takes' = 'upserts'`, `'changes'`, or insertions only.
struct Tables;

#[async_trait]
impl Connect for Tables {
    async fn connect(&self, spec: TableSpec) -> Result<Connected> {
        let schema = spec.schema.clone().ok_or_else(|| Error::statement("no columns"))?;
        let bounded = spec.options.get("connector") == Some("ends");
        let sink = Arc::clone(&schema);
        Ok(Connected {
            schema,
            metadata: vec![],
            source: Arc::new(move |spec| {
                let schema = spec.schema.clone().ok_or_else(|| Error::statement("no columns"))?;
                Ok(Arc::new(Planned { schema, bounded }))
            }),
            sink: Arc::new(move |spec| {
                let key = spec.primary_key.iter().filter_map(|k| sink.index_of(k).ok()).collect();
                Ok(match spec.options.get("takes") {
                    Some("upserts") => Arc::new(Taking(Arc::clone(&sink), Accepts::Upsert, key)),
                    Some(_) => Arc::new(Taking(Arc::clone(&sink), Accepts::Retract, key)),
                    None => Arc::new(Planted(Arc::clone(&sink))),
                })
            }),
        })
    }
}

const TABLES: &str = "
CREATE TABLE bid (auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, at TIMESTAMP(3), extra ROW<tags ARRAY<STRING>>,
  WATERMARK FOR at AS at - INTERVAL '4' SECOND) WITH ('connector' = 'goes-on');
CREATE TABLE old (auction BIGINT, price BIGINT, ms BIGINT, at AS TO_TIMESTAMP_LTZ(ms, 3),
  WATERMARK FOR at AS at - INTERVAL '1' MINUTE) WITH ('connector' = 'ends');
CREATE TABLE auction (id BIGINT, seller BIGINT) WITH ('connector' = 'ends');
CREATE TABLE plain (k BIGINT, v DOUBLE, p AS PROCTIME()) WITH ('connector' = 'goes-on');
CREATE TABLE lists (k BIGINT, tags ARRAY<STRING>, inner ROW<tags ARRAY<STRING>>, at TIMESTAMP(3), two TIMESTAMP(3), WATERMARK FOR at AS at)
  WITH ('connector' = 'ends');
CREATE TABLE events (kind INT, bid ROW<auction BIGINT, price BIGINT, extra ROW<a INT, b STRING>, id BIGINT NOT NULL>, ts AS bid.auction)
  WITH ('connector' = 'goes-on');
CREATE TABLE sink (auction BIGINT, n BIGINT) WITH ('connector' = 'ends');
";

pub(super) fn planned(sql: &str) -> Result<(Vec<Query>, StreamPlan, Vec<String>)> {
    let catalog = Catalog::new();
    let clock = EpochClock::default();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut queries = vec![];
    let text = format!("{TABLES}{sql}");
    for statement in parse(&text)? {
        match &statement.kind {
            StatementKind::Select(_) | StatementKind::Insert(_) | StatementKind::StatementSet(_) => {
                queries.extend(Planner::new(&catalog, clock.clone())?.query(&statement)?);
            }
            _ => drop(runtime.block_on(catalog.execute(&statement, &Tables))?),
        }
    }
    let planner = Planner::new(&catalog, clock.clone())?;
    let settings = catalog.settings();
    let options = LowerOptions {
        allowed_lateness: settings.allowed_lateness()?,
        zone: settings.zone()?,
        unbounded_state: settings.state_unbounded()?.into(),
        state_ttl: 0,
    };
    let mut lowering = Lowering::new(planner.state(), clock, options);
    for (i, query) in queries.iter().enumerate() {
        let target = match &query.target {
            Some(name) => SinkTarget::Table { name: name.clone(), sink: catalog.table(name)?.open_sink()? },
            None => SinkTarget::Result(i),
        };
        lowering.add(query, target)?;
    }
    let (plan, warnings) = lowering.finish()?;
    Ok((queries, plan, warnings))
}

pub(super) fn check(sql: &str, expected: Expect) {
    let text = match planned(sql) {
        Ok((_, plan, warnings)) => {
            warnings.iter().fold(explain::stream(&plan), |text, w| format!("{text}warning: {w}\n"))
        }
        Err(e) => e.render(&format!("{TABLES}{sql}")),
    };
    expected.assert_eq(&text);
}

#[test]
fn every_window_form() {
    let query = |window: &str| {
        format!(
            "SELECT window_start, window_end, auction, COUNT(*) AS n FROM TABLE({window}) GROUP BY window_start, window_end, auction;"
        )
    };
    check(
        &query("TUMBLE(TABLE bid, DESCRIPTOR(at), INTERVAL '10' SECOND)"),
        expect![[r#"
        Sink result  [append, unbounded]
          Project window_start, window_end, auction, count(Int64(1))@4 AS n  [append, unbounded]
            WindowAggregate TUMBLE size 10 s on at group=[auction@0] aggregates=[count(Int64(1))]  [append, event time window_time, unbounded]
              Source bid columns=[auction, at] watermark=at - 4 s  [append, event time at, unbounded]
    "#]],
    );
    check(
        &query("HOP(TABLE bid, DESCRIPTOR(at), INTERVAL '2' SECOND, INTERVAL '10' SECOND)"),
        expect![[r#"
        Sink result  [append, unbounded]
          Project window_start, window_end, auction, count(Int64(1))@4 AS n  [append, unbounded]
            WindowAggregate HOP size 10 s slide 2 s on at group=[auction@0] aggregates=[count(Int64(1))]  [append, event time window_time, unbounded]
              Source bid columns=[auction, at] watermark=at - 4 s  [append, event time at, unbounded]
    "#]],
    );
    check(
        &query("CUMULATE(TABLE bid, DESCRIPTOR(at), INTERVAL '2' SECOND, INTERVAL '10' SECOND)"),
        expect![[r#"
        Sink result  [append, unbounded]
          Project window_start, window_end, auction, count(Int64(1))@4 AS n  [append, unbounded]
            WindowAggregate CUMULATE max 10 s step 2 s on at group=[auction@0] aggregates=[count(Int64(1))]  [append, event time window_time, unbounded]
              Source bid columns=[auction, at] watermark=at - 4 s  [append, event time at, unbounded]
    "#]],
    );
    check(
        &query("SESSION(TABLE bid PARTITION BY auction, DESCRIPTOR(at), INTERVAL '10' SECOND)"),
        expect![[r#"
        Sink result  [append, unbounded]
          Project window_start, window_end, auction, count(Int64(1))@4 AS n  [append, unbounded]
            SessionAggregate SESSION gap 10 s on at group=[auction@0] aggregates=[count(Int64(1))]  [append, event time window_time, unbounded]
              Source bid columns=[auction, at] watermark=at - 4 s  [append, event time at, unbounded]
    "#]],
    );
    check(
        "SELECT auction, TUMBLE_START(at, INTERVAL '10' SECOND) AS s, TUMBLE_ROWTIME(at, INTERVAL '10' SECOND) AS t, COUNT(*) AS n
         FROM bid GROUP BY auction, TUMBLE(at, INTERVAL '10' SECOND);",
        expect![[r#"
            Sink result  [append, event time t, unbounded]
              Project auction, window_start@0 AS s, window_time@2 AS t, count(Int64(1))@4 AS n  [append, event time t, unbounded]
                WindowAggregate TUMBLE size 10 s on at group=[auction@0] aggregates=[count(Int64(1))]  [append, event time window_time, unbounded]
                  Source bid columns=[auction, at] watermark=at - 4 s  [append, event time at, unbounded]
        "#]],
    );
    check(
        "SELECT bidder, SESSION_START(at, INTERVAL '10' SECOND) AS s, COUNT(*) AS n
         FROM bid GROUP BY bidder, SESSION(at, INTERVAL '10' SECOND);",
        expect![[r#"
            Sink result  [append, unbounded]
              Project bidder, window_start@0 AS s, count(Int64(1))@4 AS n  [append, unbounded]
                SessionAggregate SESSION gap 10 s on at group=[bidder@0] aggregates=[count(Int64(1))]  [append, event time window_time, unbounded]
                  Source bid columns=[bidder, at] watermark=at - 4 s  [append, event time at, unbounded]
        "#]],
    );
}

#[test]
fn a_cascade() {
    check(
        "SELECT window_start, window_end, SUM(n) AS n FROM TABLE(TUMBLE(TABLE (
           SELECT window_time AS rowtime, auction, COUNT(*) AS n
           FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(at), INTERVAL '10' SECOND))
           GROUP BY window_start, window_end, window_time, auction
         ), DESCRIPTOR(rowtime), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end;",
        expect![[r#"
            Sink result  [append, unbounded]
              Project window_start, window_end, sum(n)@3 AS n  [append, unbounded]
                WindowAggregate TUMBLE size 1 min on window_time aggregates=[sum(n)]  [append, event time window_time, unbounded]
                  WindowAggregate TUMBLE size 10 s on at group=[auction@0] aggregates=[count(Int64(1))]  [append, event time window_time, unbounded]
                    Source bid columns=[auction, at] watermark=at - 4 s  [append, event time at, unbounded]
        "#]],
    );
    check(
        "CREATE VIEW counts AS SELECT window_start, window_end, auction, COUNT(*) AS n
           FROM TABLE(HOP(TABLE bid, DESCRIPTOR(at), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
           GROUP BY window_start, window_end, auction;
         SELECT window_start, window_end, MAX(n) AS top FROM counts GROUP BY window_start, window_end;
         INSERT INTO sink SELECT auction, n FROM counts WHERE n > 10;",
        expect![[r#"
            Sink result  [append, unbounded]
              Project window_start, window_end, max(counts.n)@3 AS top  [append, unbounded]
                WindowAggregate HOP size 10 s slide 2 s attached to the rows aggregates=[max(counts.n)]  [append, event time window_time, unbounded]
                  #1 WindowAggregate HOP size 10 s slide 2 s on at group=[auction@0] aggregates=[count(Int64(1))]  [append, event time window_time, unbounded]
                    Source bid columns=[auction, at] watermark=at - 4 s  [append, event time at, unbounded]
            Sink sink  [append, unbounded]
              Filter count(Int64(1))@4 > 10 columns=[auction, n]  [append, unbounded]
                #1 WindowAggregate (see above)
        "#]],
    );
}

#[test]
fn the_time_of_the_clock() {
    check(
        "SELECT k, SUM(v) AS v FROM TABLE(TUMBLE(TABLE plain, DESCRIPTOR(p), INTERVAL '10' SECOND))
         GROUP BY window_start, window_end, k;",
        expect![[r#"
            Sink result  [append, unbounded]
              Project k, sum(plain.v)@4 AS v  [append, unbounded]
                WindowAggregate TUMBLE size 10 s on p group=[k@0] aggregates=[sum(plain.v)]  [append, event time window_time, unbounded]
                  ProcessingTime  [append, event time p, unbounded]
                    Project k, v, proctime() AS p  [append, unbounded]
                      Source plain columns=[k, v]  [append, unbounded]
        "#]],
    );
    check(
        "SELECT k, COUNT(*) AS n FROM plain GROUP BY k, TUMBLE(PROCTIME(), INTERVAL '10' SECOND);",
        expect![[r#"
        Sink result  [append, unbounded]
          Project k, count(Int64(1))@4 AS n  [append, unbounded]
            WindowAggregate TUMBLE size 10 s on group_window_time group=[k@0] aggregates=[count(Int64(1))]  [append, event time window_time, unbounded]
              ProcessingTime  [append, event time group_window_time, unbounded]
                Project k, proctime() AS group_window_time  [append, unbounded]
                  Source plain columns=[k]  [append, unbounded]
    "#]],
    );
}

#[test]
fn a_computed_time() {
    check(
        "SET 'table.local-time-zone' = 'Europe/Berlin';
         SELECT window_start, MAX(price) AS top FROM TABLE(TUMBLE(TABLE old, DESCRIPTOR(at), INTERVAL '1' DAY))
         GROUP BY window_start, window_end;",
        expect![[r#"
            Sink result  [append, bounded]
              Project window_start, max(old.price)@3 AS top  [append, bounded]
                WindowAggregate TUMBLE size 1 d on at zone Europe/Berlin aggregates=[max(old.price)]  [append, event time window_time, bounded]
                  Project price, at  [append, event time at, bounded]
                    Source old columns=[price, ms, at] watermark=at - 1 min  [append, event time at, bounded]
        "#]],
    );
}

#[test]
fn parts_answered_at_the_end() {
    check(
        "SELECT auction, n FROM (SELECT auction, COUNT(*) AS n FROM old GROUP BY auction) ORDER BY n DESC LIMIT 3;",
        expect![[r#"
            Sink result  [append, bounded]
              Project auction, count(Int64(1))@1 AS n  [append, bounded]
                TopN ROW_NUMBER <= 3 order=[count(Int64(1)) DESC] emit=at the end  [append, bounded]
                  UpdatingAggregate emit=at the end group=[auction@0] aggregates=[count(Int64(1))]  [append, bounded]
                    Project auction  [append, bounded]
                      Source old columns=[auction, ms, at] watermark=at - 1 min  [append, event time at, bounded]
        "#]],
    );
    check(
        "SELECT * FROM (
           SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY n DESC) AS rk FROM (
             SELECT window_start, window_end, auction, COUNT(*) AS n
             FROM TABLE(TUMBLE(TABLE old, DESCRIPTOR(at), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, auction))
         WHERE rk <= 2;",
        expect![[r#"
            Sink result  [append, bounded]
              Project window_start, window_end, auction, count(Int64(1))@3 AS n, row_number() PARTITION BY [window_start, window_end] ORDER BY [n DESC NULLS LAST] RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW@4 AS rk  [append, bounded]
                TopN ROW_NUMBER <= 2 partition=[window_start, window_end] order=[count(Int64(1)) DESC] ranks=[ROW_NUMBER] emit=on close  [append, bounded]
                  Project window_start, window_end, auction, count(Int64(1))  [append, bounded]
                    WindowAggregate TUMBLE size 10 s on at group=[auction@0] aggregates=[count(Int64(1))]  [append, event time window_time, bounded]
                      Project auction, at  [append, event time at, bounded]
                        Source old columns=[auction, ms, at] watermark=at - 1 min  [append, event time at, bounded]
        "#]],
    );
    check(
        "SELECT o.price, a.seller FROM old o JOIN auction a ON o.auction = a.id WHERE o.price > (SELECT AVG(price) FROM old);",
        expect![[r#"
            Sink result  [append, bounded]
              Project price, seller  [append, bounded]
                Join inner where=CAST(price@0 AS Float64) > avg(old.price)@2 on one worker  [append, bounded]
                  Project price, seller  [append, bounded]
                    Join inner on=[auction = id]  [append, bounded]
                      Project auction, price  [append, bounded]
                        #0 Source old columns=[auction, price, ms, at] watermark=at - 1 min  [append, event time at, bounded]
                      Source auction columns=[id, seller]  [append, bounded]
                  UpdatingAggregate emit=at the end aggregates=[avg(old.price)]  [append, bounded]
                    Project price  [append, bounded]
                      #0 Source (see above)
        "#]],
    );
}

#[test]
fn conditions_on_the_window_wait_for_it() {
    check(
        "SELECT window_start, auction, s FROM (
           SELECT window_start, window_end, auction, SUM(price) AS s, EXTRACT(HOUR FROM window_start) AS h
           FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(at), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, auction)
         WHERE h > 10 AND window_end > TIMESTAMP '2024-01-01 00:00:00' AND auction > 7;",
        expect![[r#"
            Sink result  [append, unbounded]
              Filter window_end@1 > 1704067200000 AND hour(window_start@0) > 10 columns=[window_start, auction, s]  [append, unbounded]
                WindowAggregate TUMBLE size 10 s on at group=[auction@0] aggregates=[sum(bid.price)]  [append, event time window_time, unbounded]
                  Filter auction@0 > 7  [append, event time at, unbounded]
                    Source bid columns=[auction, price, at] watermark=at - 4 s  [append, event time at, unbounded]
        "#]],
    );
    check(
        "SELECT window_start, price FROM TABLE(HOP(TABLE bid, DESCRIPTOR(at), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
         WHERE EXTRACT(MINUTE FROM window_start) = 0;",
        expect![[r#"
            Sink result  [append, unbounded]
              Filter minute(window_start@2) = 0 columns=[window_start, price]  [append, unbounded]
                WindowRows HOP size 10 s slide 2 s on at  [append, event time at, unbounded]
                  Source bid columns=[price, at] watermark=at - 4 s  [append, event time at, unbounded]
        "#]],
    );
}

#[test]
fn a_time_that_no_watermark_speaks_of() {
    check(
        "SELECT window_start, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE lists, DESCRIPTOR(two), INTERVAL '10' SECOND))
         WHERE at IS NOT NULL GROUP BY window_start, window_end;",
        expect![[r#"
            Sink result  [append, bounded]
              Project window_start, count(Int64(1))@3 AS n  [append, bounded]
                WindowAggregate TUMBLE size 10 s on two aggregates=[count(Int64(1))]  [append, bounded]
                  Filter at@0 IS NOT NULL columns=[at, two]  [append, bounded]
                    Source lists columns=[at, two] watermark=at  [append, event time at, bounded]
        "#]],
    );
}

#[test]
fn the_hottest_auction_of_each_window() {
    let counts = "SELECT auction, COUNT(*) AS num, window_start AS s, window_end AS e
        FROM TABLE(HOP(TABLE old, DESCRIPTOR(at), INTERVAL '2' SECOND, INTERVAL '10' SECOND)) GROUP BY auction, window_start, window_end";
    check(
        &format!(
            "SELECT A.auction, A.num FROM ({counts}) AS A
             JOIN (SELECT MAX(C.num) AS most, C.s, C.e FROM ({counts}) AS C GROUP BY C.s, C.e) AS M
             ON A.s = M.s AND A.e = M.e AND A.num >= M.most;"
        ),
        expect![[r#"
            Sink result  [append, bounded]
              Project auction, num  [append, bounded]
                Join left semi on=[s = s, e = e] where=num@1 >= most@4 within HOP size 10 s slide 2 s  [append, bounded]
                  Project auction, count(Int64(1))@4 AS num, window_start@0 AS s, window_end@1 AS e  [append, bounded]
                    #2 WindowAggregate HOP size 10 s slide 2 s on at group=[auction@0] aggregates=[count(Int64(1))]  [append, event time window_time, bounded]
                      Project auction, at  [append, event time at, bounded]
                        Source old columns=[auction, ms, at] watermark=at - 1 min  [append, event time at, bounded]
                  Project max(C.num)@3 AS most, window_start@0 AS s, window_end@1 AS e  [append, bounded]
                    WindowAggregate HOP size 10 s slide 2 s attached to the rows aggregates=[max(C.num)]  [append, event time window_time, bounded]
                      #2 WindowAggregate (see above)
        "#]],
    );
}
