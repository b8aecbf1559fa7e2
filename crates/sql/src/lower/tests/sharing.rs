//! What is asked for twice is done once.

use super::sql::planned;

/// How many nodes of each of these kinds the plan of `sql` has.
fn check(sql: &str, expected: &[(&str, usize)]) {
    let (_, plan, _) = planned(sql).unwrap();
    for (kind, count) in expected {
        let found = plan.nodes().iter().filter(|n| n.op.name() == *kind).count();
        assert_eq!(found, *count, "{kind} of {sql}");
    }
}

const COUNTS: &str = "SELECT {key} AS k, COUNT(*) AS n, window_start AS s, window_end AS e
    FROM TABLE(HOP(TABLE bid, DESCRIPTOR(at), INTERVAL '2' SECOND, INTERVAL '{size}' SECOND))
    GROUP BY {key}, window_start, window_end";

fn counts(key: &str, size: u32) -> String {
    COUNTS.replace("{key}", key).replace("{size}", &size.to_string())
}

#[test]
fn the_same_windowed_aggregate_under_other_names() {
    let both = |a: &str, b: &str| format!("SELECT k AS one, n FROM ({a}) UNION ALL SELECT k AS other, n FROM ({b})");
    check(&both(&counts("auction", 10), &counts("auction", 10)), &[("WindowAggregate", 1), ("Source", 1)]);
    check(&both(&counts("auction", 10), &counts("auction", 4)), &[("WindowAggregate", 2)]);
    check(&both(&counts("auction", 10), &counts("bidder", 10)), &[("WindowAggregate", 2)]);
}

#[test]
fn fields_of_a_row_that_are_taken_out_twice() {
    let filtered = "SELECT bid.price AS p FROM events WHERE kind = 2";
    check(&format!("SELECT p AS a FROM ({filtered}); SELECT p AS b FROM ({filtered})"), &[("Filter", 1), ("Sink", 2)]);
    check(
        "SELECT bid.price AS p FROM events WHERE kind = 2; SELECT bid.price AS p FROM events WHERE kind = 3",
        &[("Filter", 2)],
    );
}

#[test]
fn chance_is_not_shared() {
    check("SELECT random() AS a FROM events; SELECT random() AS b FROM events", &[("Project", 2)]);
}
