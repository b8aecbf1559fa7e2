//! Files as a sink.

use arrow::array::{Date32Array, Int64Array, RecordBatch, new_null_array};
use arrow::datatypes::DataType;
use expect_test::expect;
use tidemill_core::sink::SinkWriter;

use super::*;

async fn open(table: &TableSpec) -> Box<dyn SinkWriter> {
    Filesystem.sink(table).unwrap().open().await.unwrap()
}

fn rows(numbers: &[i64]) -> Delta {
    let texts: Vec<Option<&str>> = numbers.iter().map(|n| (n % 2 == 0).then_some("even")).collect();
    Delta::insert(batch(&[("as_the_query_calls_it", ints(numbers)), ("x", super::texts(&texts))]))
}

#[tokio::test]
async fn what_is_written_is_read_again() {
    for format in ["json", "csv", "parquet", "arrow"] {
        for compression in ["auto", "none", "gzip", "zstd"] {
            if (format, compression) == ("arrow", "gzip") {
                continue;
            }
            let dir = tempfile::tempdir().unwrap();
            let out = dir.path().join("new/out");
            let mut options = vec![("format", format), ("compression", compression)];
            if format == "csv" {
                options.push(("csv.header", "true"));
            }
            let table = table(&out, vec![int("n"), text("text")], &options);
            let mut writer = open(&table).await;
            writer.write(&rows(&[1, 2])).await.unwrap();
            writer.write(&rows(&[3])).await.unwrap();
            writer.close().await.unwrap();
            assert_eq!(names(&out).len(), 1, "{:?}", names(&out));
            let mut reading = table.clone();
            reading.options.0.insert("compression".into(), "auto".into());
            let pieces = read(&reading, Read::default()).await.unwrap();
            assert_eq!(numbers(&pieces), [1, 2, 3], "{format} {compression}");
            assert_eq!(
                show(&all(&pieces)),
                show(&batch(&[("n", ints(&[1, 2, 3])), ("text", super::texts(&[None, Some("even"), None]))]))
            );
        }
    }
}

#[tokio::test]
async fn nothing_is_seen_before_it_is_published_nor_after_a_failure() {
    let dir = tempfile::tempdir().unwrap();
    let table = table(dir.path(), vec![int("n"), text("text")], &[("format", "json")]);
    let visible = || names(dir.path()).iter().filter(|n| !n.starts_with('.')).count();
    let mut writer = open(&table).await;
    writer.write(&rows(&[1])).await.unwrap();
    assert_eq!((visible(), names(dir.path()).len()), (0, 1));
    writer.publish().await.unwrap();
    assert_eq!((visible(), names(dir.path()).len()), (1, 1));
    writer.publish().await.unwrap();
    assert_eq!(visible(), 1, "there was nothing to publish");
    writer.write(&rows(&[2])).await.unwrap();
    drop(writer);
    assert_eq!((visible(), names(dir.path()).len()), (1, 1), "a failed query leaves nothing");
    assert_eq!(numbers(&read(&table, Read::default()).await.unwrap()), [1]);
    // A second run writes beside the first.
    let mut writer = open(&table).await;
    writer.write(&rows(&[3])).await.unwrap();
    writer.close().await.unwrap();
    let mut found = numbers(&read(&table, Read::default()).await.unwrap());
    found.sort_unstable();
    assert_eq!(found, [1, 3]);
}

#[tokio::test]
async fn a_full_file_is_followed_by_another() {
    let dir = tempfile::tempdir().unwrap();
    let options = [("format", "json"), ("sink.rolling-policy.file-size", "100 b")];
    let table = table(dir.path(), vec![int("n"), text("text")], &options);
    let mut writer = open(&table).await;
    for n in 0..60 {
        writer.write(&rows(&[n])).await.unwrap();
    }
    assert!(names(dir.path()).iter().all(|n| n.starts_with('.')), "a full file is hidden until it is published");
    writer.close().await.unwrap();
    assert!(names(dir.path()).len() > 10, "{:?}", names(dir.path()));
    let read = numbers(&read(&table, Read::default()).await.unwrap());
    assert_eq!(read, (0..60).collect::<Vec<_>>(), "the tenth file is read after the second");
}

#[tokio::test]
async fn partitions_are_directories() {
    let dir = tempfile::tempdir().unwrap();
    let fields = vec![text("kind"), int("n"), Field::new("day", DataType::Date32, true)];
    let mut table = table(dir.path(), fields, &[("format", "json")]);
    table.partition_by = vec!["day".into(), "kind".into()];
    let mut writer = open(&table).await;
    let day: ArrayRef = Arc::new(Date32Array::from(vec![Some(19_753), Some(19_753), None, Some(19_753)]));
    let kind = super::texts(&[Some("a/b"), None, Some("c"), Some("a/b")]);
    let rows = batch(&[("kind", kind), ("n", ints(&[1, 2, 3, 4])), ("day", day)]);
    writer.write(&Delta::weighted(rows, Int64Array::from(vec![1, 1, 2, 1]))).await.unwrap();
    writer.close().await.unwrap();
    let directories: Vec<String> = names(dir.path()).iter().map(|n| n.rsplit_once('/').unwrap().0.to_owned()).collect();
    assert_eq!(
        directories,
        ["day=2024-01-31/kind=__DEFAULT_PARTITION__", "day=2024-01-31/kind=a%2Fb", "day=__DEFAULT_PARTITION__/kind=c"]
    );
    let pieces = read(&table, Read { projection: vec![0, 1, 2], ..Read::default() }).await.unwrap();
    expect![[r#"
        +------+---+------------+
        | kind | n | day        |
        +------+---+------------+
        |      | 2 | 2024-01-31 |
        | a/b  | 1 | 2024-01-31 |
        | a/b  | 4 | 2024-01-31 |
        | c    | 3 |            |
        | c    | 3 |            |
        +------+---+------------+"#]]
    .assert_eq(&show(&all(&pieces)));
}

#[tokio::test]
async fn what_a_sink_refuses() {
    let dir = directory(&[("file", b"")]);
    let check = |path: &str, options: &[(&str, &str)], partition_by: &[&str]| {
        let mut table = table(&dir.path().join(path), vec![int("n"), text("text")], options);
        table.partition_by = partition_by.iter().map(|s| (*s).to_owned()).collect();
        Filesystem.sink(&table).unwrap_err().to_string().replace(dir.path().to_str().unwrap(), "$")
    };
    expect!["path '$/file' is a file; a sink writes into a directory"].assert_eq(&check(
        "file",
        &[("format", "json")],
        &[],
    ));
    expect!["path '$/x/*.json' is a pattern; a sink writes into a directory"].assert_eq(&check(
        "x/*.json",
        &[("format", "json")],
        &[],
    ));
    expect![[r#"
        Arrow files cannot be compressed with gzip
        hint: Use 'zstd' or 'none'."#]]
    .assert_eq(&check("x", &[("format", "arrow"), ("compression", "gzip")], &[]));
    expect![[r#"
        table 't' is partitioned by 'm', which is not a column
        hint: Did you mean 'n'? Known: n, text."#]]
    .assert_eq(&check("x", &[("format", "json")], &["m"]));
    expect![[r#"
        table 't' is partitioned by all its columns
        hint: At least one column must be in the files."#]]
    .assert_eq(&check("x", &[("format", "json")], &["n", "text"]));

    let table = table(&dir.path().join("y"), vec![int("n"), text("text")], &[("format", "json")]);
    let mut writer = open(&table).await;
    let retraction = Delta { weights: Some(Int64Array::from(vec![-1])), ..rows(&[1]) };
    let e = writer.write(&retraction).await.unwrap_err();
    assert_eq!(e.kind(), tidemill_core::ErrorKind::Internal);
}

#[tokio::test]
async fn what_overwrites_takes_the_place_of_what_was_there_when_it_has_ended() {
    let dir = tempfile::tempdir().unwrap();
    let table = table(dir.path(), vec![int("n"), text("text")], &[("format", "json")]);
    let mut writer = open(&table).await;
    writer.write(&rows(&[1, 2])).await.unwrap();
    writer.close().await.unwrap();
    let sink = Filesystem.sink(&table).unwrap();
    assert!(!sink.needs_an_end());
    let over = sink.overwriting(None).expect("files are overwritten");
    assert!(over.needs_an_end());
    let mut writer = over.open().await.unwrap();
    writer.write(&rows(&[3])).await.unwrap();
    writer.publish().await.unwrap();
    assert_eq!(numbers(&read(&table, Read::default()).await.unwrap()), [1, 2], "not before the end");
    writer.close().await.unwrap();
    assert_eq!(numbers(&read(&table, Read::default()).await.unwrap()), [3]);
    // One that fails leaves everything as it was.
    let mut writer = over.open().await.unwrap();
    writer.write(&rows(&[4])).await.unwrap();
    drop(writer);
    assert_eq!(numbers(&read(&table, Read::default()).await.unwrap()), [3]);
    assert_eq!(names(dir.path()).len(), 1);
}

#[tokio::test]
async fn of_partitions_those_are_overwritten_that_rows_go_to() {
    let dir = tempfile::tempdir().unwrap();
    let mut table = table(dir.path(), vec![int("n"), text("text")], &[("format", "json")]);
    table.partition_by = vec!["text".into()];
    let mut writer = open(&table).await;
    writer.write(&rows(&[1, 2, 4])).await.unwrap();
    writer.close().await.unwrap();
    let mut writer = Filesystem.sink(&table).unwrap().overwriting(None).expect("files").open().await.unwrap();
    writer.write(&rows(&[6])).await.unwrap();
    writer.close().await.unwrap();
    let mut all = numbers(&read(&table, Read::default()).await.unwrap());
    all.sort_unstable();
    assert_eq!(all, [1, 6]);
    // The one that is named, also if no row goes there.
    let none = new_null_array(&DataType::Int64, 1);
    let partition =
        RecordBatch::try_from_iter([("n", none), ("text", rows(&[6]).batch.column(1).slice(0, 1))]).unwrap();
    let over = Filesystem.sink(&table).unwrap().overwriting(Some(partition)).expect("files");
    over.open().await.unwrap().close().await.unwrap();
    assert_eq!(numbers(&read(&table, Read::default()).await.unwrap()), [1]);
}
