//! The house stands: no crate imports what it must not know, and the text speaks of the project alone.

use std::fs;
use std::path::{Path, PathBuf};

/// For each crate, the dependencies that its existence forbids.
const FORBIDDEN: &[(&str, &[&str])] = &[
    (
        "core",
        &[
            "tokio",
            "datafusion",
            "tidemill-plan",
            "tidemill-dataflow",
            "tidemill-sql",
            "tidemill-connectors",
            "tidemill",
        ],
    ),
    ("plan", &["tokio", "tidemill-dataflow", "tidemill-sql", "tidemill-connectors", "tidemill"]),
    ("dataflow", &["tokio", "object_store", "tidemill-sql", "tidemill-connectors", "tidemill"]),
    ("sql", &["tokio", "tidemill-dataflow", "tidemill-connectors", "tidemill"]),
    ("connectors", &["datafusion", "tidemill-plan", "tidemill-dataflow", "tidemill-sql", "tidemill"]),
    ("tidemill", &["clap", "rustyline", "indicatif"]),
    (
        "cli",
        &["datafusion", "tidemill-core", "tidemill-plan", "tidemill-dataflow", "tidemill-sql", "tidemill-connectors"],
    ),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The names under `[dependencies]` of a crate.
fn dependencies(name: &str) -> Vec<String> {
    let file = root().join("crates").join(name).join("Cargo.toml");
    let text = fs::read_to_string(&file).expect("every crate has a Cargo.toml");
    let section = text.lines().skip_while(|l| l.trim() != "[dependencies]").skip(1);
    let lines = section.take_while(|l| !l.starts_with('['));
    let name = |l: &str| l.split(['.', '=', ' ']).next().unwrap_or_default().to_string();
    lines.filter(|l| !l.is_empty() && !l.starts_with('#')).map(name).collect()
}

#[test]
fn no_crate_imports_what_it_must_not_know() {
    for (name, forbidden) in FORBIDDEN {
        let found = dependencies(name);
        assert!(!found.is_empty(), "crate {name} has dependencies");
        for dependency in &found {
            assert!(!forbidden.contains(&dependency.as_str()), "crate {name} must not depend on {dependency}");
        }
    }
}

#[test]
fn the_dataflow_reads_no_clock_and_prints_nothing() {
    let mut wrong = vec![];
    for file in sources(&root().join("crates/dataflow/src")) {
        let text = fs::read_to_string(&file).expect("a source file is text");
        for word in ["SystemTime::now", "Instant::now", "println!", "std::fs", "std::net", "thread_rng"] {
            if text.contains(word) {
                wrong.push(format!("{}: {word}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}
