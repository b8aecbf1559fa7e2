//! Lists and rows as values.

use expect_test::expect;

use super::sql::*;

#[test]
fn lists_beside_their_rows() {
    check(
        "SELECT k, tag FROM lists CROSS JOIN UNNEST(tags) AS t (tag);",
        expect![[r#"
        Sink result  [append, bounded]
          Project k, EXPR$0@1 AS tag  [append, bounded]
            Unnest tags  [append, bounded]
              Project k, tags  [append, bounded]
                Source lists columns=[k, tags, at] watermark=at  [append, event time at, bounded]
    "#]],
    );
    check(
        "SELECT l.k, t.tag FROM lists AS l, UNNEST(l.inner.tags) AS t (tag) WHERE k > 3 AND tag <> 'x';",
        expect![[r#"
            Sink result  [append, bounded]
              Filter EXPR$0@1 != x columns=[k, tag]  [append, bounded]
                Unnest __datafusion_extracted_1  [append, bounded]
                  Filter k@1 > 3  [append, bounded]
                    Project get_field(inner@1, tags) AS __datafusion_extracted_1, k  [append, bounded]
                      Project k, inner  [append, bounded]
                        Source lists columns=[k, inner, at] watermark=at  [append, event time at, bounded]
        "#]],
    );
    check(
        "SELECT k, tag FROM lists LEFT JOIN UNNEST(tags) AS t (tag) ON TRUE;",
        expect![[r#"
        Sink result  [append, bounded]
          Project k, EXPR$0@1 AS tag  [append, bounded]
            Unnest tags, NULL where there is none  [append, bounded]
              Project k, tags  [append, bounded]
                Source lists columns=[k, tags, at] watermark=at  [append, event time at, bounded]
    "#]],
    );
    check(
        "SELECT window_start, tag, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE (
           SELECT at, tag FROM lists CROSS JOIN UNNEST(tags) AS t (tag)), DESCRIPTOR(at), INTERVAL '10' SECOND))
         GROUP BY window_start, window_end, tag;",
        expect![[r#"
            Sink result  [append, bounded]
              Project window_start, tag, count(Int64(1))@4 AS n  [append, bounded]
                WindowAggregate TUMBLE size 10 s on at group=[tag@1] aggregates=[count(Int64(1))]  [append, event time window_time, bounded]
                  Unnest tags  [append, event time at, bounded]
                    Source lists columns=[tags, at] watermark=at  [append, event time at, bounded]
        "#]],
    );
}

#[test]
fn rows_of_all_kinds() {
    check(
        "SELECT auction FROM bid UNION ALL SELECT id FROM auction;",
        expect![[r#"
        Sink result  [append, unbounded]
          Union  [append, unbounded]
            Project auction  [append, unbounded]
              Source bid columns=[auction, at] watermark=at - 4 s  [append, event time at, unbounded]
            Project id@0 AS auction  [append, bounded]
              Source auction columns=[id]  [append, bounded]
    "#]],
    );
    check(
        "SELECT * FROM tidemill.late_rows;",
        expect![[r#"
        Sink result  [append, bounded]
          Source tidemill.late_rows columns=[source, operator, event_time, watermark, window_end, row]  [append, bounded]
    "#]],
    );
    check(
        "SELECT DISTINCT channel FROM bid;",
        expect![[r#"
        Sink result  [append, unbounded]
          UpdatingAggregate emit=changes group=[channel@0] aggregates=[]  [append, unbounded]
            Project channel  [append, unbounded]
              Source bid columns=[channel, at] watermark=at - 4 s  [append, event time at, unbounded]
        warning: GROUP BY over 'bid' keeps one row of aggregates for each group, and never lets go of it: group by a window to let groups go.
    "#]],
    );
    check(
        "SELECT k, COUNT(*) AS n FROM (VALUES (1, 'a'), (2, 'b')) AS t (k, v) GROUP BY k;",
        expect![[r#"
        Sink result  [append, bounded]
          Project k, count(Int64(1))@1 AS n  [append, bounded]
            UpdatingAggregate emit=at the end group=[k@0] aggregates=[count(Int64(1))]  [append, bounded]
              Values rows=2  [append, bounded]
    "#]],
    );
}
