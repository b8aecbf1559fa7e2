//! Random queries, for the stream and for the batch side.

use tidemill::simulate::Random;

/// A query over the table `t`.
#[derive(Debug, Clone)]
pub struct Query {
    /// As the stream runs it.
    pub stream: String,
    /// The same, with late rows left out by a filter on `w`.
    pub batch: String,
    /// A view that the batch side reads: the rows that are not late for their session.
    pub definition: Option<String>,
    /// Settings that belong to it.
    pub settings: Vec<(&'static str, String)>,
    /// Whether rows may be taken back.
    pub retracts: bool,
}

const AGGREGATES: &[&str] = &[
    "COUNT(*)",
    "COUNT(v)",
    "SUM(v)",
    "MIN(v)",
    "MAX(v)",
    "AVG(v)",
    "COUNT(DISTINCT v)",
    "SUM(DISTINCT v)",
    "SUM(f)",
    "AVG(f)",
    "MIN(k2)",
    "MAX(k2)",
    "MIN(ts)",
    "MAX(f)",
    "BIT_XOR(v)",
    "BOOL_AND(b)",
    "BOOL_OR(b)",
    "MEDIAN(v)",
    "VAR_POP(f)",
    "STDDEV(f)",
    "COUNT(*) FILTER (WHERE v > 0)",
    "SUM(v) FILTER (WHERE b)",
    "ARRAY_AGG(v ORDER BY v)",
    "ARRAY_AGG(DISTINCT k2 ORDER BY k2)",
    "STRING_AGG(k2, ',' ORDER BY k2)",
    "FIRST_VALUE(v ORDER BY v, ts, k2, f, b, k1)",
    "LAST_VALUE(v ORDER BY v, ts, k2, f, b, k1)",
    "NTH_VALUE(v, 2 ORDER BY v)",
    "CORR(v, f)",
];

/// One window function: how it is written, by the relation that it is over.
fn window(draw: &mut dyn FnMut(i64) -> i64) -> (String, bool) {
    let offset = |draw: &mut dyn FnMut(i64) -> i64| match draw(3) {
        0 => format!(", INTERVAL '{}' SECOND", draw(9) + 1),
        _ => String::new(),
    };
    match draw(4) {
        0 => {
            let size = [1, 2, 5, 7, 10, 60, 3600][draw(7) as usize];
            (format!("TUMBLE(TABLE {{from}}, DESCRIPTOR(ts), INTERVAL '{size}' SECOND{})", offset(draw)), false)
        }
        1 => {
            // Multiples, non-multiples, and gaps between windows.
            let (slide, size) = [(2, 10), (3, 10), (1, 4), (5, 2), (4, 4), (7, 60), (1, 30)][draw(7) as usize];
            let offset = offset(draw);
            (
                format!(
                    "HOP(TABLE {{from}}, DESCRIPTOR(ts), INTERVAL '{slide}' SECOND, INTERVAL '{size}' SECOND{offset})"
                ),
                false,
            )
        }
        2 => {
            let (step, max) = [(2, 10), (5, 60), (1, 3), (10, 10)][draw(4) as usize];
            let offset = offset(draw);
            (
                format!(
                    "CUMULATE(TABLE {{from}}, DESCRIPTOR(ts), INTERVAL '{step}' SECOND, INTERVAL '{max}' SECOND{offset})"
                ),
                false,
            )
        }
        _ => {
            let gap = [1, 2, 5, 20][draw(4) as usize];
            (format!("SESSION(TABLE {{from}}{{partition}}, DESCRIPTOR(ts), INTERVAL '{gap}' SECOND)"), true)
        }
    }
}

/// A query for a case.
pub fn generate(random: &mut Random) -> Query {
    let mut draw_from = |limit: i64| random.below(limit as u64) as i64;
    let draw: &mut dyn FnMut(i64) -> i64 = &mut draw_from;
    let keys = ["k1", "k2", "b", "v % 3", "COALESCE(k2, 'none')"];
    let plain = ["k1", "k2", "b"];
    let (function, session) = window(draw);
    let count = draw(3) as usize;
    let pool: &[&str] = if session { &plain } else { &keys };
    let mut group: Vec<&str> = vec![];
    for _ in 0..count {
        let key = pool[draw(pool.len() as i64) as usize];
        if !group.contains(&key) {
            group.push(key);
        }
    }
    let mut aggregates: Vec<&str> = vec![];
    for _ in 0..=draw(4) {
        let call = AGGREGATES[draw(AGGREGATES.len() as i64) as usize];
        // DataFusion has no answer in batch to two orders in one query.
        let second_order = call.contains("ORDER BY") && aggregates.iter().any(|a| a.contains("ORDER BY"));
        if !aggregates.contains(&call) && !second_order {
            aggregates.push(call);
        }
    }
    let lateness = if draw(4) == 0 { draw(6) + 1 } else { 0 };
    let mut settings = vec![];
    if lateness > 0 {
        settings.push(("allowed-lateness", format!("{lateness} s")));
    }
    let zone = ["UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York"][draw(4) as usize];
    settings.push(("table.local-time-zone", zone.to_string()));
    let predicate = ["", "v > 0", "v IS NOT NULL OR b", "k1 <> 1 AND f < 5", "ts > TIMESTAMP '2024-03-30 22:00:03'"];
    let predicate = predicate[draw(5) as usize];
    let partition = match group.is_empty() {
        true => String::new(),
        false => format!(" PARTITION BY {}", group.join(", ")),
    };
    // What a late row is, in the words of the batch side. Sessions are cut after late rows are left out.
    let gap = function.rsplit("INTERVAL '").next().and_then(|s| s.split('\'').next()).unwrap_or("0").to_string();
    let late_by_window = format!("(w IS NULL OR window_end + INTERVAL '{lateness}' SECOND > w)");
    let late_by_row = format!("(w IS NULL OR ts + INTERVAL '{gap}' SECOND + INTERVAL '{lateness}' SECOND > w)");
    // Windows as rows wait for nothing, so no row is late for them; sessions have to wait.
    let shape = draw(11);
    // Every row twice: the two sides of the union are read side by side.
    let twice = draw(6) == 0;
    let emit_changes = draw(6) == 0;
    let from = |batch: bool| {
        let (source, filter) = match (batch, session) {
            (true, true) => ("in_time", String::new()),
            (true, false) if shape != 0 => ("t", late_by_window.clone()),
            (_, _) => ("t", String::new()),
        };
        let source = match twice {
            true => format!("(SELECT * FROM {source} UNION ALL SELECT * FROM {source})"),
            false => source.to_string(),
        };
        let table = function.replace("{partition}", &partition).replace("{from}", &source);
        let mut conditions: Vec<String> = vec![filter, predicate.to_string()];
        conditions.retain(|c| !c.is_empty());
        let conditions = match conditions.is_empty() {
            true => String::new(),
            false => {
                format!(" WHERE {}", conditions.iter().map(|c| format!("({c})")).collect::<Vec<_>>().join(" AND "))
            }
        };
        format!("FROM TABLE({table}){conditions}")
    };
    let statement = |batch: bool| {
        let from = from(batch);
        let keyed = |list: &str| match list.is_empty() {
            true => String::new(),
            false => format!(", {list}"),
        };
        let names: Vec<String> = group.iter().enumerate().map(|(i, k)| format!("{k} AS g{i}")).collect();
        let calls: Vec<String> = aggregates.iter().enumerate().map(|(i, a)| format!("{a} AS a{i}")).collect();
        let select = [names.clone(), calls.clone()].concat().join(", ");
        let simple = format!(
            "SELECT window_start, window_end, {select} {from} GROUP BY window_start, window_end{}",
            keyed(&group.join(", "))
        );
        match shape {
            // The rows themselves.
            0 => format!("SELECT window_start, window_end, window_time, k1, k2, v, f, b, ts {from}"),
            // A filter on groups.
            1 => format!("{simple} HAVING COUNT(*) > 1"),
            // Several groupings at once.
            2 if !group.is_empty() && !session => format!(
                "SELECT window_start, window_end, {select} {from} GROUP BY window_start, window_end, GROUPING SETS (({}), ())",
                group.join(", ")
            ),
            // The same window once more, over the groups.
            3 => format!(
                "SELECT window_start, window_end, COUNT(*) AS n, MAX(c) AS m FROM \
                 (SELECT window_start, window_end, COUNT(*) AS c{} {from} GROUP BY window_start, window_end{}) \
                 GROUP BY window_start, window_end",
                keyed(&names.join(", ")),
                keyed(&group.join(", "))
            ),
            // Expressions over results.
            4 => format!(
                "SELECT window_start, c * 2 + 1 AS d FROM (SELECT window_start, window_end, COUNT(*) AS c {from} GROUP BY window_start, window_end)"
            ),
            // Lists beside the rows of a window.
            8 => format!(
                "SELECT window_start, window_end, e, COUNT(*) AS c FROM (SELECT * {from}) AS z CROSS JOIN UNNEST(ARRAY[v, v + 1]) AS q(e) \
                 GROUP BY window_start, window_end, e"
            ),
            // A window over the time of a window. What is corrected below would come too late above.
            9 if lateness == 0 => format!(
                "SELECT window_start, window_end, COUNT(*) AS n, SUM(c) AS s FROM TABLE(TUMBLE(TABLE \
                 (SELECT window_time AS wt, COUNT(*) AS c{} {from} GROUP BY window_start, window_end, window_time{}), \
                 DESCRIPTOR(wt), INTERVAL '60' SECOND)) GROUP BY window_start, window_end",
                keyed(&names.join(", ")),
                keyed(&group.join(", "))
            ),
            _ => simple,
        }
    };
    // Of sessions only the closed ones are put out: that is refused by name.
    let emit = match emit_changes && !session && shape != 0 && shape != 9 {
        true => " EMIT CHANGES",
        false => "",
    };
    Query {
        stream: format!("{}{emit}", statement(false)),
        batch: statement(true),
        definition: session.then(|| format!("CREATE VIEW in_time AS SELECT * FROM t WHERE {late_by_row};")),
        settings,
        retracts: lateness > 0 || !emit.is_empty(),
    }
}
