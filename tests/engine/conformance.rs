//! The conformance files, each by both engines.
//!
//! `TIDEMILL_SLT=joins` runs the files whose path holds that word. `UPDATE_EXPECT=1` writes the expected answers anew, from
//! DataFusion's batch answers: `UPDATE_EXPECT=1 cargo test -p tidemill-tests conformance`.

use std::path::{Path, PathBuf};

use futures::StreamExt;
use futures::stream;
use sqllogictest::{Runner, default_normalizer, default_validator, parse_file, strict_column_validator};
use tidemill_tests::conformance::database::{Database, Mode};

fn files() -> Vec<PathBuf> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("slt")];
    let mut files = vec![];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the folder of the files is there") {
            let path = entry.expect("an entry of the folder").path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.extension().is_some_and(|e| e == "slt") => files.push(path),
                false => {}
            }
        }
    }
    let wanted = std::env::var("TIDEMILL_SLT").unwrap_or_default();
    files.retain(|f| f.to_string_lossy().contains(&wanted));
    files.sort();
    files
}

async fn run(file: PathBuf, mode: Mode) -> Result<(), String> {
    let mut runner = Runner::new(move || async move { Ok(Database::new(mode)) });
    if mode == Mode::Batch {
        let (validator, normalizer, columns) = (default_validator, default_normalizer, strict_column_validator);
        return runner.update_test_file(&file, " ", validator, normalizer, columns).await.map_err(|e| e.to_string());
    }
    // All that fails, not only the first: each record stands for itself.
    let records = parse_file(&file).map_err(|e| e.to_string())?;
    let mut failed = vec![];
    for record in records {
        if let Err(e) = runner.run_async(record).await {
            failed.push(format!("{mode:?}: {}", e.display(false)));
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n")) }
}

#[tokio::test(flavor = "multi_thread")]
async fn conformance() {
    let modes = match std::env::var_os("UPDATE_EXPECT") {
        Some(_) => vec![Mode::Batch],
        None => vec![Mode::Bounded, Mode::Standing],
    };
    let files = files();
    assert!(!files.is_empty(), "there are files");
    let runs = files.into_iter().flat_map(|f| modes.clone().into_iter().map(move |m| (f.clone(), m)));
    let at_once = std::thread::available_parallelism().map_or(2, usize::from);
    let spawned = runs.map(|(file, mode)| async move { tokio::spawn(run(file, mode)).await });
    let results: Vec<_> = stream::iter(spawned).buffered(at_once).collect().await;
    let failed: Vec<String> = results
        .into_iter()
        .filter_map(|r| match r {
            Ok(result) => result.err(),
            Err(panicked) => Some(panicked.to_string()),
        })
        .collect();
    assert!(failed.is_empty(), "{} failed\n\n{}", failed.len(), failed.join("\n\n"));
}
