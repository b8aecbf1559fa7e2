//! Files that grow, appear and are rotated. The test asks; nothing waits.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::Duration;

use tidemill_core::SplitId;
use tokio::runtime::{Builder, Runtime};

use super::super::columns::FileColumns;
use super::super::location::Location;
use super::super::options::{FileFormat, FileOptions};
use super::super::source::FileSplit;
use super::super::tail::Tail;
use super::*;
use crate::records::cut::Cutting;
use crate::records::feed::{Pull, Pulled};

/// A directory and somebody who follows it.
struct Following {
    dir: TempDir,
    runtime: Runtime,
    pattern: &'static str,
    tail: Tail,
    /// After the last record that was read.
    position: Option<Position>,
}

impl Following {
    fn new(pattern: &'static str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let tail = tail(&dir, &runtime, pattern, None);
        Self { dir, runtime, pattern, tail, position: None }
    }

    /// Stops and starts again after the last record.
    fn restart(&mut self) {
        self.tail = tail(&self.dir, &self.runtime, self.pattern, self.position.as_ref());
    }

    /// What is new, until there is nothing for the moment.
    fn poll(&mut self) -> String {
        let mut text = String::new();
        loop {
            match self.tail.pull().unwrap() {
                Pulled::Item(block) => {
                    text.push_str(std::str::from_utf8(&block.cut.bytes).unwrap());
                    self.position = Some(block.position);
                }
                Pulled::Wait => return text.replace('\n', " "),
                Pulled::End => panic!("a source that is followed does not end"),
            }
        }
    }

    fn append(&self, name: &str, text: &str) {
        let file = OpenOptions::new().create(true).append(true).open(self.dir.path().join(name));
        file.unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        std::fs::rename(self.dir.path().join(from), self.dir.path().join(to)).unwrap();
    }

    fn remove(&self, name: &str) {
        std::fs::remove_file(self.dir.path().join(name)).unwrap();
    }
}

fn tail(dir: &TempDir, runtime: &Runtime, pattern: &str, from: Option<&Position>) -> Tail {
    let table = table(&dir.path().join(pattern), vec![text("line")], &[("format", "raw")]);
    let options = FileOptions::new(&table).unwrap();
    let columns = Arc::new(FileColumns::new(&table, "").unwrap());
    let FileFormat::Records(format) = options.format else { panic!("raw is a format of records") };
    let cutting = Cutting {
        format,
        options: options.all.clone(),
        schema: columns.records.clone(),
        key: vec![],
        batch_rows: 100,
        eager: false,
    };
    let split = FileSplit {
        location: Location::parse(&options.path).unwrap(),
        only: None,
        format: options.format,
        compression: options.compression,
        columns,
        constants: vec![],
        batch_rows: 100,
        interval: Duration::ZERO,
        runtime: runtime.handle().clone(),
    };
    Tail::new(Arc::new(split), Arc::new(cutting), from).unwrap()
}

#[test]
fn appended_lines_and_new_files() {
    let mut f = Following::new("*");
    assert_eq!(f.poll(), "", "an empty directory is waited for");
    f.append("b.log", "1\n2\n");
    f.append("a.log", "0\n");
    assert_eq!(f.poll(), "0 1 2 ");
    assert_eq!(f.poll(), "");
    f.append("a.log", "3\n");
    f.append("c.log", "4\n");
    assert_eq!(f.poll(), "3 4 ");
}

#[test]
fn a_last_line_waits_for_its_newline() {
    let mut f = Following::new("a.log");
    f.append("a.log", "1\n2");
    assert_eq!(f.poll(), "1 ");
    f.append("a.log", "2");
    assert_eq!(f.poll(), "");
    f.append("a.log", "2\n3\n");
    assert_eq!(f.poll(), "222 3 ");
}

#[test]
fn rotation_loses_nothing_and_repeats_nothing() {
    // The old file goes out of sight, or stays in sight under another name.
    for pattern in ["a.log", "a.log*"] {
        let mut f = Following::new(pattern);
        f.append("a.log", "1\n");
        assert_eq!(f.poll(), "1 ");
        f.append("a.log", "2\n");
        f.rename("a.log", "a.log.1");
        // The writer has not noticed yet and goes on in the old file.
        f.append("a.log.1", "3\n");
        f.append("a.log", "4\n");
        assert_eq!(f.poll(), "2 3 4 ", "{pattern}");
        f.append("a.log.1", "5\n");
        assert_eq!(f.poll(), "5 ", "{pattern}");
        f.append("a.log", "6\n");
        assert_eq!(f.poll(), "6 ", "{pattern}");
        assert_eq!(f.poll(), "", "{pattern}");
        f.remove("a.log.1");
        f.rename("a.log", "a.log.1");
        f.append("a.log", "7\n");
        assert_eq!(f.poll(), "7 ", "{pattern}");
    }
}

#[test]
fn rotation_while_nobody_looked() {
    let mut f = Following::new("*");
    f.append("a.log", "1\n");
    f.append("b.log", "x\n");
    assert_eq!(f.poll(), "1 x ");
    f.append("a.log", "2\n");
    f.append("b.log", "y\n");
    f.rename("a.log", "a.log.1");
    f.append("a.log", "a new and longer file\n");
    f.restart();
    let found = f.poll();
    let mut lines: Vec<&str> = found.split_inclusive(' ').collect();
    lines.sort_unstable();
    assert_eq!(lines.concat(), "2 a and file longer new y ");
    f.restart();
    assert_eq!(f.poll(), "");
}

#[test]
fn every_restart_resumes_with_the_rest() {
    let mut f = Following::new("*");
    let mut expected = String::new();
    let mut found = String::new();
    for n in 0..20 {
        let name = ["a.log", "b.log", "c.log"][n % 3];
        f.append(name, &format!("{n}\n"));
        expected.push_str(&format!("{n} "));
        if n % 4 == 3 {
            f.rename(name, &format!("{name}.{n}"));
        }
        found.push_str(&f.poll());
        f.restart();
    }
    assert_eq!(found, expected);
}

#[test]
fn a_file_that_was_emptied_is_read_anew() {
    let mut f = Following::new("a.log");
    f.append("a.log", "1\n2\nunfini");
    assert_eq!(f.poll(), "1 2 ");
    std::fs::write(f.dir.path().join("a.log"), "3\n").unwrap();
    assert_eq!(f.poll(), "unfini3 ", "what was read of the last line is kept");
    // Emptied and at once longer than before: the first bytes tell.
    std::fs::write(f.dir.path().join("a.log"), "4\n5\n6\n7\n").unwrap();
    assert_eq!(f.poll(), "4 5 6 7 ");
}

#[test]
fn a_removed_file_is_read_to_its_end() {
    let mut f = Following::new("*");
    f.append("a.log", "1\n2");
    assert_eq!(f.poll(), "1 ");
    f.remove("a.log");
    let rest: String = (0..5).map(|_| f.poll()).collect();
    assert_eq!(rest, "2", "its last line is complete when it has been gone for long enough");
    f.append("a.log", "3\n");
    assert_eq!(f.poll(), "3 ");
}

#[test]
fn a_renamed_file_is_no_new_split() {
    let dir = directory(&[("a.log", b"1\n"), ("b.log", b"2\n")]);
    let options = [("format", "raw"), ("source.monitor-interval", "1 ms"), ("source.splits", "file")];
    let source = Filesystem.source(&table(dir.path(), vec![text("line")], &options)).unwrap();
    let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let splits = || {
        let splits = runtime.block_on(source.splits()).unwrap();
        assert!(splits.more_later);
        let name = |s: &SplitId| s.0.rsplit('/').next().unwrap().to_owned();
        splits.splits.iter().map(name).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(splits(), "a.log b.log");
    std::fs::rename(dir.path().join("a.log"), dir.path().join("a.log.1")).unwrap();
    put(dir.path(), "a.log", b"3\n");
    put(dir.path(), "c.log", b"4\n");
    assert_eq!(splits(), "a.log b.log c.log");
}

#[tokio::test]
async fn new_parquet_files_are_followed_and_resumed() {
    let dir = directory(&[("a", &columnar::parquet(&batch(&[("n", ints(&[1, 2]))])))]);
    let options = [("format", "parquet"), ("source.monitor-interval", "1 ms")];
    let source = Filesystem.source(&table(dir.path(), vec![int("n")], &options)).unwrap();
    let request = ReadRequest { projection: vec![0], batch_rows: 1, decode_threads: 2 };
    let split = &source.splits().await.unwrap().splits[0];
    let mut reader = source.open(split, None, &request).await.unwrap();
    let first = reader.next().await.unwrap().unwrap();
    let second = reader.next().await.unwrap().unwrap();
    put(dir.path(), "b", &columnar::parquet(&batch(&[("n", ints(&[3]))])));
    let third = reader.next().await.unwrap().unwrap();
    assert_eq!(numbers(&[first.clone(), second, third.clone()]), [1, 2, 3]);
    put(dir.path(), "c", &columnar::parquet(&batch(&[("n", ints(&[4]))])));
    for (from, expected) in [(first, vec![2, 3, 4]), (third, vec![4])] {
        let mut reader = source.open(split, Some(&from.position), &request).await.unwrap();
        let mut pieces = vec![];
        while pieces.len() < expected.len() {
            pieces.push(reader.next().await.unwrap().unwrap());
        }
        assert_eq!(numbers(&pieces), expected, "from {}", from.position);
    }
}

#[test]
fn the_source_waits_and_is_not_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let options = [("format", "json"), ("source.monitor-interval", "1 ms")];
    let table = table(&dir.path().join("none"), vec![int("n")], &options);
    let source = Filesystem.source(&table).unwrap();
    assert!(!source.bounded() && source.live());
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    let piece = runtime.block_on(async {
        let split = source.splits().await.unwrap().splits[0].clone();
        let request = ReadRequest { projection: vec![0], batch_rows: 10, decode_threads: 1 };
        let mut reader = source.open(&split, None, &request).await.unwrap();
        let waiting = tokio::time::timeout(Duration::ZERO, reader.next()).await;
        assert!(waiting.is_err(), "there is nothing yet");
        put(dir.path(), "none/a.json", b"{\"n\":1}\n");
        reader.next().await.unwrap().unwrap()
    });
    assert_eq!(numbers(&[piece]), [1]);
}
