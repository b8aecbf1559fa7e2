//! Random relations for [`composed`](super::composed): operators over operators. Each relation has the columns `a INT`,
//! `s STRING` and `n BIGINT`, so that any of them can stand in the place of any other, also when a query is made smaller.

use std::fmt;

use tidemill::simulate::Random;

/// A relation: SQL in which `{0}` and `{1}` stand for its inputs, and those inputs.
#[derive(Debug, Clone)]
pub struct Relation {
    sql: String,
    inputs: Vec<Relation>,
}

/// The tables.
pub const TABLES: [&str; 2] = ["t", "u"];

/// Operators of one input.
const ONE: &[&str] = &[
    "SELECT a, s, n FROM {0} x WHERE n > 0 OR s IS NULL",
    "SELECT a, s, n FROM {0} x WHERE a IS NOT NULL",
    "SELECT a + 1 AS a, UPPER(s) AS s, n * 2 AS n FROM {0} x",
    "SELECT a, CASE WHEN n > 3 THEN 'big' ELSE s END AS s, n % 5 AS n FROM {0} x",
    // Groupings.
    "SELECT a, MIN(s) AS s, SUM(n) AS n FROM {0} x GROUP BY a",
    "SELECT a, MAX(s) AS s, COUNT(*) AS n FROM {0} x GROUP BY a",
    "SELECT MAX(a) AS a, s, COUNT(DISTINCT n) AS n FROM {0} x GROUP BY s",
    "SELECT a, s, MAX(n) AS n FROM {0} x GROUP BY a, s",
    "SELECT a, s, MIN(n) AS n FROM {0} x GROUP BY a, s HAVING COUNT(*) > 1",
    "SELECT a, STRING_AGG(s, ',' ORDER BY s) AS s, SUM(n) FILTER (WHERE n > 0) AS n FROM {0} x GROUP BY a",
    "SELECT CAST(COUNT(a) AS INT) AS a, MIN(s) AS s, SUM(n) AS n FROM {0} x",
    "SELECT CAST(n % 3 AS INT) AS a, s, COUNT(n) AS n FROM {0} x GROUP BY n % 3, s",
    "SELECT a, s, SUM(n) AS n FROM {0} x GROUP BY GROUPING SETS ((a), (s), ())",
    "SELECT a, s, COUNT(*) AS n FROM {0} x GROUP BY ROLLUP (a, s)",
    "SELECT a, s, CAST(MEDIAN(n) AS BIGINT) AS n FROM {0} x GROUP BY a, s",
    "SELECT a, FIRST_VALUE(s ORDER BY n, s) AS s, BIT_XOR(n) AS n FROM {0} x GROUP BY a",
    "SELECT a, CAST(ARRAY_AGG(n ORDER BY n) AS STRING) AS s, SUM(DISTINCT n) AS n FROM {0} x GROUP BY a",
    "SELECT DISTINCT a, s, n FROM {0} x",
    "SELECT DISTINCT a, s, CAST(1 AS BIGINT) AS n FROM {0} x",
    // The first rows.
    "SELECT a, s, n FROM (SELECT a, s, n, ROW_NUMBER() OVER (PARTITION BY a ORDER BY n DESC, s) AS r FROM {0} x) WHERE r = 1",
    "SELECT a, s, n FROM (SELECT a, s, n, ROW_NUMBER() OVER (PARTITION BY s ORDER BY n, a) AS r FROM {0} x) WHERE r <= 3",
    "SELECT a, s, CAST(r AS BIGINT) AS n FROM (SELECT a, s, n, ROW_NUMBER() OVER (ORDER BY n DESC, a, s) AS r FROM {0} x) WHERE r BETWEEN 2 AND 4",
    "SELECT a, s, CAST(r AS BIGINT) AS n FROM (SELECT a, s, n, RANK() OVER (PARTITION BY a ORDER BY n) AS r FROM {0} x) WHERE r <= 2",
    "SELECT a, s, n FROM (SELECT a, s, n, DENSE_RANK() OVER (PARTITION BY s ORDER BY n DESC) AS r FROM {0} x) WHERE r <= 2",
    "SELECT a, s, n FROM {0} x ORDER BY n, a, s LIMIT 3",
    "SELECT a, s, n FROM {0} x ORDER BY s DESC, n, a LIMIT 4 OFFSET 1",
    // OVER.
    "SELECT a, s, SUM(n) OVER (PARTITION BY a ORDER BY n) AS n FROM {0} x",
    "SELECT a, s, COUNT(*) OVER (PARTITION BY s) AS n FROM {0} x",
    "SELECT a, s, LAG(n) OVER (PARTITION BY a ORDER BY n, s) AS n FROM {0} x",
    "SELECT a, s, MAX(n) OVER (ORDER BY n, a, s ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS n FROM {0} x",
    "SELECT a, s, CAST(ROW_NUMBER() OVER (PARTITION BY a ORDER BY n, s) AS BIGINT) AS n FROM {0} x",
    "SELECT a, s, SUM(n) OVER (ORDER BY n RANGE BETWEEN 2 PRECEDING AND 2 FOLLOWING) AS n FROM {0} x",
    // Lists.
    "SELECT a, s, e AS n FROM {0} x CROSS JOIN UNNEST(ARRAY[n, n + 1]) AS q(e)",
];

/// Operators of two inputs.
const TWO: &[&str] = &[
    "SELECT x.a, y.s, x.n FROM {0} x JOIN {1} y ON x.a = y.a",
    "SELECT x.a, y.s, y.n FROM {0} x JOIN {1} y ON x.a = y.a AND x.n < y.n",
    "SELECT x.a, y.s, x.n FROM {0} x JOIN {1} y ON x.s IS NOT DISTINCT FROM y.s AND x.a = y.a",
    "SELECT x.a, y.s, y.n FROM {0} x LEFT JOIN {1} y ON x.a = y.a",
    "SELECT x.a, y.s, y.n FROM {0} x LEFT JOIN {1} y ON x.a = y.a AND x.n > y.n",
    "SELECT y.a, x.s, y.n FROM {0} x RIGHT JOIN {1} y ON x.a = y.a AND x.s <> y.s",
    "SELECT x.a, y.s, COALESCE(x.n, y.n) AS n FROM {0} x FULL JOIN {1} y ON x.a = y.a",
    "SELECT y.a, x.s, x.n FROM {0} x FULL JOIN {1} y ON x.a = y.a AND x.n <= y.n",
    "SELECT x.a, y.s, x.n FROM {0} x JOIN {1} y ON x.n < y.n AND x.n + 4 > y.n",
    "SELECT x.a, y.s, x.n FROM {0} x LEFT JOIN {1} y ON x.n = y.n + 1 OR x.a = y.n",
    "SELECT x.a, x.s, y.n FROM {0} x CROSS JOIN (SELECT MAX(n) AS n FROM {1} z) y",
    "SELECT a, s, n FROM {0} x WHERE a IN (SELECT a FROM {1} y)",
    "SELECT a, s, n FROM {0} x WHERE a NOT IN (SELECT a FROM {1} y)",
    "SELECT a, s, n FROM {0} x WHERE EXISTS (SELECT 1 FROM {1} y WHERE y.a = x.a AND y.n > x.n)",
    "SELECT a, s, n FROM {0} x WHERE NOT EXISTS (SELECT 1 FROM {1} y WHERE y.s = x.s)",
    "SELECT a, s, n FROM {0} x WHERE a IN (SELECT a FROM {1} y) OR n > 5",
    "SELECT a, s, n - (SELECT MAX(n) FROM {1} y) AS n FROM {0} x",
    "SELECT a, s, (SELECT COUNT(*) FROM {1} y WHERE y.a = x.a) AS n FROM {0} x",
    "SELECT a, s, n FROM {0} x WHERE n > (SELECT AVG(n) FROM {1} y)",
    "SELECT a, s, n FROM {0} x WHERE n >= (SELECT MAX(n) FROM {1} y WHERE y.a = x.a)",
    "SELECT a, s, n FROM {0} x UNION ALL SELECT a, s, n FROM {1} y",
    "SELECT a, s, n FROM {0} x UNION SELECT a, s, n FROM {1} y",
    "SELECT a, s, n FROM {0} x INTERSECT SELECT a, s, n FROM {1} y",
    "SELECT a, s, n FROM {0} x EXCEPT SELECT a, s, n FROM {1} y",
    "SELECT a, s, n FROM {0} x INTERSECT ALL SELECT a, s, n FROM {1} y",
    "SELECT a, s, n FROM {0} x EXCEPT ALL SELECT a, s, n FROM {1} y",
];

impl Relation {
    /// A relation at most `depth` operators deep.
    pub fn generate(random: &mut Random, depth: usize) -> Self {
        if depth == 0 {
            let table = TABLES[random.below(2) as usize];
            return Self { sql: format!("SELECT a, s, n FROM {table}"), inputs: vec![] };
        }
        match random.below(2) {
            0 => {
                let sql = ONE[random.below(ONE.len() as u64) as usize].to_string();
                Self { sql, inputs: vec![Self::generate(random, depth - 1)] }
            }
            _ => {
                let sql = TWO[random.below(TWO.len() as u64) as usize].to_string();
                // One side as deep as may be: both would make large queries without more to find.
                let other = random.below(depth as u64) as usize;
                let mut inputs = vec![Self::generate(random, depth - 1), Self::generate(random, other)];
                if random.below(2) == 0 {
                    inputs.swap(0, 1);
                }
                Self { sql, inputs }
            }
        }
    }

    /// Every relation that is this one with one operator left out.
    pub fn smaller(&self) -> Vec<Self> {
        let mut smaller = self.inputs.clone();
        for (place, input) in self.inputs.iter().enumerate() {
            for candidate in input.smaller() {
                let mut whole = self.clone();
                whole.inputs[place] = candidate;
                smaller.push(whole);
            }
        }
        smaller
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sql = self.sql.clone();
        for (place, input) in self.inputs.iter().enumerate() {
            // A table is named, everything else is a query in brackets.
            let text = match input.inputs.is_empty() {
                true => input.sql.rsplit(' ').next().unwrap_or_default().to_string(),
                false => format!("({input})"),
            };
            sql = sql.replace(&format!("{{{place}}}"), &text);
        }
        f.write_str(&sql)
    }
}
