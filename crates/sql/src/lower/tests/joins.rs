//! Joins: what they match, what their result is, what bounds them.

use expect_test::expect;

use super::sql::{check, planned};

#[test]
fn keys_and_what_is_beside_them() {
    check("SELECT b.price, p.v FROM bid b LEFT JOIN plain p ON b.auction + 1 = p.k AND b.price < p.v;", expect![[""]]);
    check("SELECT price FROM bid WHERE auction NOT IN (SELECT k FROM plain);", expect![[""]]);
    check("SELECT price, v FROM bid, plain WHERE price < v;", expect![[""]]);
}

#[test]
fn over_tables_that_end_a_row_without_a_partner_comes_once() {
    check("SELECT o.price, a.seller FROM old o LEFT JOIN auction a ON o.auction = a.id;", expect![[""]]);
    check("SELECT o.price, a.seller FROM old o LEFT JOIN auction a ON o.auction = a.id EMIT CHANGES;", expect![[""]]);
}

#[test]
fn time_bounds_a_join_however_it_is_said() {
    check(
        "SELECT a.price, b.price AS p2 FROM bid a JOIN bid b ON a.auction = b.auction AND a.at BETWEEN b.at - INTERVAL '5' SECOND AND b.at + INTERVAL '1' MINUTE;",
        expect![[""]],
    );
    check(
        "SELECT a.price FROM bid a LEFT JOIN bid b ON a.auction = b.auction AND a.at - b.at < INTERVAL '1' HOUR AND b.at <= a.at;",
        expect![[""]],
    );
    check(
        "SELECT a.price, b.price AS p2 FROM bid a JOIN bid b ON a.auction = b.auction AND a.at > b.at;",
        expect![[""]],
    );
}

#[test]
fn windows_that_meet_bound_a_join() {
    check(
        "SELECT a.window_time AS t, b.price FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(at), INTERVAL '10' SECOND)) a
         FULL JOIN TABLE(TUMBLE(TABLE bid, DESCRIPTOR(at), INTERVAL '10' SECOND)) b
         ON a.window_start = b.window_start AND a.window_end = b.window_end AND a.auction = b.bidder;",
        expect![[""]],
    );
    // The end of a window is a time, too.
    check(
        "SELECT b.auction, b.price FROM bid b JOIN (
           SELECT MAX(price) AS most, window_end AS t FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(at), INTERVAL '10' SECOND)) GROUP BY window_start, window_end
         ) m ON b.price = m.most WHERE b.at BETWEEN m.t - INTERVAL '10' SECOND AND m.t;",
        expect![[""]],
    );
}

#[test]
fn time_goes_on_above_a_bounded_join_and_not_above_others() {
    let query = |condition: &str| {
        format!(
            "WITH j AS (SELECT a.at AS at, b.price FROM bid a JOIN bid b ON a.auction = b.auction {condition})
             SELECT window_end, SUM(price) AS s FROM TABLE(TUMBLE(TABLE j, DESCRIPTOR(at), INTERVAL '10' SECOND)) GROUP BY window_start, window_end;"
        )
    };
    check(&query("AND a.at BETWEEN b.at AND b.at + INTERVAL '1' SECOND"), expect![[""]]);
    check(&query(""), expect![[""]]);
}

#[test]
fn a_subquery_as_a_value_has_one_row_or_fails() {
    check("SELECT price FROM bid WHERE price > (SELECT v FROM plain WHERE k = 1);", expect![[""]]);
}

#[test]
fn what_bounds_the_state_of_a_join() {
    let state = |sql: &str| tidemill_plan::explain::state(&planned(sql).unwrap().1);
    let join = |sql: &str| {
        state(sql).lines().find(|l| l.trim_start().starts_with("Join")).unwrap_or_default().trim().to_string()
    };
    expect![[""]].assert_eq(&join("SELECT b.price FROM bid b JOIN plain p ON b.auction = p.k;"));
    expect![[""]].assert_eq(&join("SELECT a.price FROM bid a JOIN bid b ON a.auction = b.auction AND a.at > b.at;"));
    expect![[""]].assert_eq(&join(
        "SET 'allowed-lateness' = '3 s'; SELECT a.price FROM bid a JOIN bid b ON a.auction = b.auction AND a.at BETWEEN b.at AND b.at + INTERVAL '1' SECOND;",
    ));
    expect![[""]].assert_eq(&join("SELECT o.price FROM old o JOIN auction a ON o.auction = a.id;"));
}
