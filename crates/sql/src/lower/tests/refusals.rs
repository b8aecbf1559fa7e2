//! What is refused over tables that do not end, and how it is said.

use datafusion::functions_aggregate::expr_fn::count;
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{ExprFunctionExt, LogicalPlanBuilder, col, lit};
use expect_test::{Expect, expect};
use tidemill_plan::window::WindowKind;

use super::fixture::{Case, scan, window_over};

fn check(plan: LogicalPlanBuilder, expected: Expect) {
    expected.assert_eq(&Case::of(plan).to_string());
}

#[test]
fn constructs_without_an_incremental_form() {
    let bid = || scan("bid", false);
    check(
        bid().sort(vec![col("price").sort(true, true)]).unwrap(),
        expect![[r#"
            ORDER BY over the unbounded table 'bid' is not supported yet
            hint: A stream has no last row to sort up to. Order by the event time first, add LIMIT to keep the first rows, or leave ORDER BY out."#]],
    );
    check(
        bid().limit(0, Some(3)).unwrap(),
        expect![[r#"
            Sink result  [retract, unbounded]
              TopN ROW_NUMBER <= 3 order=[] emit=changes  [retract, unbounded]
                Source bid columns=[auction, bidder, price, ts, tags] watermark=ts - 4 s  [append, event time ts, unbounded]
        "#]],
    );
    let rank = row_number().order_by(vec![col("price").sort(true, true)]).build().unwrap();
    check(
        bid().window(vec![rank]).unwrap(),
        expect![[r#"
            Sink result  [retract, unbounded]
              Over emit=changes order=[price@2 ASC] functions=[row_number()]  [retract, unbounded]
                Source bid columns=[auction, bidder, price, ts, tags] watermark=ts - 4 s  [append, event time ts, unbounded]
            warning: Over over 'bid' keeps every row with its values, and never lets go of it: ORDER BY the event time with a frame that ends at CURRENT ROW, or PARTITION BY window_start, window_end.
        "#]],
    );
}

#[test]
fn windows_that_would_never_close() {
    let plan = scan("bid", false).project(vec![
        datafusion::logical_expr::cast(
            col("price"),
            datafusion::arrow::datatypes::DataType::Timestamp(
                datafusion::arrow::datatypes::TimeUnit::Millisecond,
                None,
            ),
        )
        .alias("paid"),
        col("auction"),
    ]);
    let plan = window_over(plan.unwrap(), "paid", WindowKind::Tumble { size: 10_000_000 }, &[]);
    let plan = plan.aggregate(vec![col("window_start"), col("window_end")], vec![count(lit(1_i64))]).unwrap();
    check(
        plan,
        expect![[r#"
        no watermark speaks of the time column 'paid', so its windows would never close
        hint: Declare WATERMARK FOR paid AS paid - INTERVAL '5' SECOND in CREATE TABLE, and hand the column on as it is; or ask for EMIT CHANGES."#]],
    );
}

#[test]
fn what_stands_where_it_cannot() {
    super::sql::check(
        "SELECT auction FROM old WHERE ROW_NUMBER() OVER (PARTITION BY auction ORDER BY at) = 1",
        expect![[r#"
            a function with OVER stands in SELECT, QUALIFY or ORDER BY only
               --> line 13, column 1
               |
            13 | SELECT auction FROM old WHERE ROW_NUMBER() OVER (PARTITION BY auction ORDER BY at) = 1
               | ^^^^^^
            hint: Ask over it: SELECT * FROM (SELECT *, ROW_NUMBER() OVER (..) AS n FROM ..) WHERE n = 1."#]],
    );
    super::sql::check(
        "SELECT auction, COUNT(*) FROM old GROUP BY COUNT(*), auction",
        expect![[r#"
        an aggregate function stands in SELECT, HAVING, QUALIFY or ORDER BY only
           --> line 13, column 1
           |
        13 | SELECT auction, COUNT(*) FROM old GROUP BY COUNT(*), auction
           | ^^^^^^
        hint: Group by what a query in FROM has as a column: FROM (SELECT .., COUNT(*) AS n ..) GROUP BY n. A number in GROUP BY is a place in SELECT."#]],
    );
}
