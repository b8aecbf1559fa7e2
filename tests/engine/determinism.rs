//! Two runs with the same inputs and the same clock give the same bytes.

use std::path::Path;
use std::sync::Arc;

use arrow::ipc::writer::StreamWriter;
use tidemill::simulate::{Cut, CutRows, simulate};
use tidemill::{ManualClock, Pipeline, Session};
use tidemill_tests::law::{Case, Composed};

/// Every change of every epoch, in its order, with its weights.
async fn bytes(pipeline: &Pipeline, cut: Cut) -> Vec<u8> {
    let simulated = simulate(pipeline, cut).await.expect("the query runs");
    let mut bytes = vec![];
    for delta in &simulated.results[0] {
        let mut writer = StreamWriter::try_new(vec![], &delta.batch.schema()).expect("a schema can be written");
        writer.write(&delta.batch).expect("rows can be written");
        bytes.extend(writer.into_inner().expect("the stream ends"));
        bytes.extend(delta.weights.iter().flat_map(|w| w.values().iter().flat_map(|w| w.to_le_bytes())));
        bytes.extend((delta.num_rows() as u64).to_le_bytes());
        bytes.extend(delta.split_watermark.iter().flat_map(|w| w.iter().flatten().flat_map(i64::to_le_bytes)));
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_the_same_to_the_byte() {
    let cut = |seed, workers| Cut { seed, workers, rows: CutRows::UpTo(6), start: 7 };
    let mut compared = 0;
    for seed in 1..16 {
        let mut pipelines = vec![];
        for _ in 0..2 {
            let windowed = Case::generate(seed).pipeline().await.expect("windows are planned");
            pipelines.push((windowed, Composed::generate(seed).pipeline().await.ok()));
        }
        let [(a, x), (b, y)] = pipelines.as_slice() else { unreachable!("two of them") };
        for workers in [1, 3] {
            assert_eq!(bytes(a, cut(seed, workers)).await, bytes(b, cut(seed, workers)).await, "windows, seed {seed}");
            if let (Some(x), Some(y)) = (x, y) {
                assert_eq!(
                    bytes(x, cut(seed, workers)).await,
                    bytes(y, cut(seed, workers)).await,
                    "composed, seed {seed}"
                );
                compared += 1;
            }
        }
    }
    assert!(compared > 8, "composed queries are compared too, and were {compared} times");
}

/// The whole way: files in, a pipeline on a clock that is set by hand, files out.
#[tokio::test(flavor = "multi_thread")]
async fn files_are_the_same_to_the_byte() {
    let folder = tempfile::tempdir().expect("a folder");
    let input = folder.path().join("in");
    std::fs::create_dir(&input).expect("a folder in it");
    let line = |i: u64| {
        let (second, key) = (i * 7 % 600, i * i % 17);
        format!("{{\"k\": {key}, \"v\": {i}, \"ts\": \"2024-05-01 10:{:02}:{:02}\"}}\n", second / 60, second % 60)
    };
    std::fs::write(input.join("a.json"), (0..500).map(line).collect::<String>()).expect("it is written");
    let mut runs = vec![];
    for run in ["one", "two"] {
        let out = folder.path().join(run);
        let session = Session::with_clock(Arc::new(ManualClock::at(1_714_500_000_000_000)));
        let text = format!(
            "SET 'workers' = '1';
             CREATE TABLE t (k INT, v BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE)
               WITH ('connector' = 'filesystem', 'path' = '{input}', 'format' = 'json');
             CREATE TABLE o (s TIMESTAMP(3), k INT, n BIGINT, v BIGINT, at TIMESTAMP_LTZ(3))
               WITH ('connector' = 'filesystem', 'path' = '{out}', 'format' = 'json');
             INSERT INTO o SELECT window_start, k, COUNT(*), SUM(v), CURRENT_TIMESTAMP
               FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, k;",
            input = input.display(),
            out = out.display(),
        );
        session.execute(&text).await.unwrap_or_else(|e| panic!("{}", e.render(&text)));
        runs.push(contents(&out));
    }
    assert!(!runs[0].is_empty() && runs[0].iter().all(|c| c.contains("\"n\"")), "something was written: {:?}", runs[0]);
    assert_eq!(runs[0], runs[1]);
}

/// The texts of all files of a folder, in the order of their names.
fn contents(folder: &Path) -> Vec<String> {
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).expect("the output is there").flatten().map(|e| e.path()).collect();
    paths.sort();
    paths.iter().filter(|p| p.is_file()).map(|p| std::fs::read_to_string(p).expect("text")).collect()
}
