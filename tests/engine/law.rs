//! The law, over hundreds of cases, each in several cuts, as many at once as there are cores.
//!
//! `TIDEMILL_LAW_CASES` says how many (default 600 with windows and 400 composed), `TIDEMILL_LAW_SEED` where to begin: a failure
//! prints the seed that brings it back.

use futures::StreamExt;
use futures::stream;
use tidemill_tests::law::{Case, Composed, Verdict, check, shrink};

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

/// Runs `case` for each seed; returns what they gave, in the order of the seeds.
async fn each<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    cases: u64,
    case: impl Fn(u64) -> F,
) -> Vec<T> {
    let first = number("TIDEMILL_LAW_SEED", 1);
    let seeds = first..first + number("TIDEMILL_LAW_CASES", cases);
    let at_once = std::thread::available_parallelism().map_or(2, usize::from);
    // A task begins when its turn has come, not before.
    let running = seeds.map(|seed| {
        let case = case(seed);
        async move { tokio::spawn(case).await }
    });
    stream::iter(running).buffered(at_once).map(|done| done.expect("a case that panics is a failure")).collect().await
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_is_batch() {
    let failures = each(600, |seed| async move {
        let case = Case::generate(seed);
        let found = check(&case).await.expect("the batch side has an answer")?;
        let (case, found) = shrink(&case, found).await;
        Some(format!("{case}{found}"))
    });
    let failures: Vec<String> = failures.await.into_iter().flatten().collect();
    assert!(failures.is_empty(), "the stream is not the batch, {} times\n{}", failures.len(), failures.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn composed_queries_keep_the_law() {
    let verdicts = each(400, |seed| async move {
        let case = Composed::generate(seed);
        match case.check().await.expect("the tables can be made") {
            found @ Verdict::Differs(..) => {
                let (case, found) = case.shrink(found).await;
                Verdict::Refused(format!("DIFFERS\n{case}{found}"))
            }
            other => other,
        }
    });
    let (mut agreed, mut refused, mut failures) = (0, std::collections::BTreeMap::new(), vec![]);
    for verdict in verdicts.await {
        match verdict {
            Verdict::Agrees => agreed += 1,
            Verdict::Refused(text) if text.starts_with("DIFFERS") => failures.push(text),
            Verdict::Refused(text) | Verdict::NoBatch(text) => {
                *refused.entry(text.lines().next().unwrap_or_default().to_string()).or_insert(0) += 1;
            }
            Verdict::Differs(..) => unreachable!("it has just been shrunk"),
        }
    }
    println!("{agreed} agreed; not answered: {refused:#?}");
    assert!(failures.is_empty(), "the stream is not the batch, {} times\n{}", failures.len(), failures.join("\n"));
}
