//! Which fields of a `ROW` column the source decodes.

use tidemill_plan::StreamOp;

use super::sql::planned;
use crate::parser::types::type_name;

/// The columns that the one source of `sql` decodes, with their types.
fn check(sql: &str, expected: &str) {
    let (_, plan, _) = planned(sql).unwrap();
    let sources: Vec<_> = plan.nodes().iter().filter(|n| matches!(n.op, StreamOp::Source(_))).collect();
    assert_eq!(sources.len(), 1, "a table is read once");
    let columns = sources[0].edge.schema.fields().iter().map(|f| format!("{} {}", f.name(), type_name(f.data_type())));
    assert_eq!(columns.collect::<Vec<_>>().join(", "), expected, "{sql}");
}

#[test]
fn fields_that_nobody_reads_are_left_out() {
    check("SELECT bid.price FROM events", "bid ROW<`price` BIGINT, `id` BIGINT NOT NULL>");
    check(
        "SELECT e.bid.price + 1 FROM events e WHERE e.bid.extra.b = 'x' AND kind = 2",
        "kind INT, bid ROW<`price` BIGINT, `extra` ROW<`b` STRING>, `id` BIGINT NOT NULL>",
    );
    check("SELECT MAX(bid.extra.a) FROM events", "bid ROW<`extra` ROW<`a` INT>, `id` BIGINT NOT NULL>");
    check(
        "CREATE VIEW bids AS SELECT bid.auction AS auction, bid.price AS price FROM events WHERE kind = 2; SELECT auction FROM bids WHERE price > 3",
        "kind INT, bid ROW<`auction` BIGINT, `price` BIGINT, `id` BIGINT NOT NULL>",
    );
}

#[test]
fn all_queries_of_a_file_read_them() {
    check(
        "SELECT bid.price FROM events; SELECT bid.auction FROM events WHERE kind = 1",
        "kind INT, bid ROW<`auction` BIGINT, `price` BIGINT, `id` BIGINT NOT NULL>",
    );
    let whole = "bid ROW<`auction` BIGINT, `price` BIGINT, `extra` ROW<`a` INT, `b` STRING>, `id` BIGINT NOT NULL>";
    check("SELECT bid.price FROM events; SELECT bid FROM events", whole);
    check("SELECT bid.extra, bid.price, bid.auction FROM events", whole);
    check("SELECT bid.price FROM events WHERE bid IS NOT NULL", whole);
}
