//! The law, over hundreds of cases, each in five cuts.
//!
//! `TIDEMILL_LAW_CASES` says how many (default 600), `TIDEMILL_LAW_SEED` where to begin: a failure prints the seed that
//! brings it back.

use tidemill_tests::law::{Case, check, shrink};

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_is_batch() {
    let first = number("TIDEMILL_LAW_SEED", 1);
    for seed in first..first + number("TIDEMILL_LAW_CASES", 600) {
        let case = Case::generate(seed);
        if let Some(found) = check(&case).await.expect("the batch side has an answer") {
            let (case, found) = shrink(&case, found).await;
            panic!("the stream is not the batch\n{case}{found}");
        }
    }
}
