//! Files of records, read to their end.

use std::io::Write;

use expect_test::{Expect, expect};

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_keep_their_order_however_many_threads_decode() {
    let dir = directory(&[("b.json", lines(5_000..9_000).as_bytes()), ("a.json", lines(0..5_000).as_bytes())]);
    let table = table(dir.path(), vec![int("n")], &[("format", "json")]);
    for threads in [1, 4] {
        let pieces = read(&table, Read { batch_rows: 100, threads, ..Read::default() }).await.unwrap();
        assert!(pieces.len() > 10, "many blocks: {}", pieces.len());
        assert_eq!(numbers(&pieces), (0..9_000).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_position_resumes_with_the_rest() {
    // Several blocks a file, an empty file, and a last line without its newline.
    let (a, c) = (lines(0..3_000), lines(3_000..4_000));
    let files = [("a.json", a.as_bytes()), ("b.json", b""), ("c.json", c.trim_end().as_bytes())];
    let dir = directory(&files);
    let table = table(dir.path(), vec![int("n")], &[("format", "json")]);
    let whole = read(&table, Read { batch_rows: 64, ..Read::default() }).await.unwrap();
    let expected = numbers(&whole);
    assert_eq!(expected, (0..4_000).collect::<Vec<_>>());
    let mut taken = 0;
    for piece in &whole {
        taken += piece.batch.num_rows();
        let from = Some(&piece.position);
        let rest = read(&table, Read { from, ..Read::default() }).await.unwrap();
        assert_eq!(numbers(&rest), expected[taken..], "from {}", piece.position);
    }
    let last = format!("{}/c.json:{}", dir.path().display(), files[2].1.len());
    assert_eq!(whole.last().unwrap().position.to_string(), last);
}

#[tokio::test]
async fn a_csv_header_stands_once_a_file_also_after_a_restart() {
    let rows = |numbers: std::ops::Range<i64>| -> String { numbers.map(|n| format!("\"row\n{n}\",{n}\n")).collect() };
    let files =
        [("a.csv", format!("name,n\n{}", rows(0..3_000))), ("b.csv", format!("name,n\n{}", rows(3_000..4_000)))];
    let dir = directory(&files.each_ref().map(|(n, b)| (*n, b.as_bytes())));
    let table = table(dir.path(), vec![text("name"), int("n")], &[("format", "csv"), ("csv.header", "true")]);
    let by_number = |from| Read { projection: vec![1], batch_rows: 64, from, ..Read::default() };
    let whole = read(&table, by_number(None)).await.unwrap();
    assert_eq!(numbers(&whole), (0..4_000).collect::<Vec<_>>());
    assert!(whole.iter().all(|p| p.rejected.is_empty()));
    let middle = &whole[1].position;
    let rest = read(&table, by_number(Some(middle))).await.unwrap();
    assert_eq!(numbers(&rest), numbers(&whole[2..]));
}

#[tokio::test]
async fn compressed_files_are_read_by_their_ending_and_resumed() {
    let gzip = |text: String| {
        let mut writer = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
        writer.write_all(text.as_bytes()).unwrap();
        writer.finish().unwrap()
    };
    let mut twice = gzip(lines(0..2_000));
    twice.extend(gzip(lines(2_000..3_000)));
    let zstd = zstd::encode_all(lines(3_000..5_000).as_bytes(), 1).unwrap();
    let dir = directory(&[("a.json.gz", &twice), ("b.json.zst", &zstd), ("c.json", lines(5_000..5_100).as_bytes())]);
    let table = table(dir.path(), vec![int("n")], &[("format", "json")]);
    let whole = read(&table, Read { batch_rows: 100, ..Read::default() }).await.unwrap();
    assert_eq!(numbers(&whole), (0..5_100).collect::<Vec<_>>());
    for i in [0, whole.len() / 2] {
        let rest = read(&table, Read { from: Some(&whole[i].position), ..Read::default() }).await.unwrap();
        assert_eq!(numbers(&rest), numbers(&whole[i + 1..]), "from {}", whole[i].position);
    }
    let bytes: u64 = whole.iter().map(|p| p.bytes).sum();
    let size = twice.len() + zstd.len() + lines(5_000..5_100).len();
    assert_eq!(bytes, size as u64, "bytes are counted before decompression");
}

#[tokio::test]
async fn each_file_can_be_a_split() {
    let dir = directory(&[("a.json", lines(0..3).as_bytes()), ("b.json", lines(3..5).as_bytes())]);
    let table = table(dir.path(), vec![int("n")], &[("format", "json"), ("source.splits", "file")]);
    let source = Filesystem.source(&table).unwrap();
    let splits = source.splits().await.unwrap();
    assert!(!splits.more_later);
    let names: Vec<&str> = splits.splits.iter().map(|s| s.0.rsplit('/').next().unwrap()).collect();
    assert_eq!(names, ["a.json", "b.json"]);
    assert_eq!(numbers(&read(&table, Read::default()).await.unwrap()), [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn metadata_and_partitions_are_columns() {
    let dir = directory(&[
        ("day=2024-01-31/kind=a%2Fb/x.json", b"{\"n\":1}\n{\"n\":2}\n"),
        ("day=2024-02-01/kind=__DEFAULT_PARTITION__/y.json", b"{\"n\":3}\n"),
    ]);
    let fields = vec![int("n"), Field::new("day", DataType::Date32, true), text("kind")];
    let mut table = table(dir.path(), fields, &[("format", "json")]);
    table.partition_by = vec!["day".into(), "kind".into()];
    let metadata = |name: &str, key: &str| MetadataColumn { name: name.into(), key: key.into() };
    table.metadata = vec![metadata("file", "file.name"), metadata("size", "file.size"), metadata("path", "file.path")];
    let pieces = read(&table, Read { projection: vec![0, 1, 2, 3, 4], ..Read::default() }).await.unwrap();
    expect![[r#"
        +---+------------+------+--------+------+
        | n | day        | kind | file   | size |
        +---+------------+------+--------+------+
        | 1 | 2024-01-31 | a/b  | x.json | 16   |
        | 2 | 2024-01-31 | a/b  | x.json | 16   |
        | 3 | 2024-02-01 |      | y.json | 8    |
        +---+------------+------+--------+------+"#]]
    .assert_eq(&show(&all(&pieces)));
    // Constants alone: the rows are counted all the same.
    let pieces = read(&table, Read { projection: vec![3], ..Read::default() }).await.unwrap();
    assert_eq!(all(&pieces).num_rows(), 3);
    let path = read(&table, Read { projection: vec![5], ..Read::default() }).await.unwrap();
    let full = dir.path().canonicalize().unwrap().join("day=2024-01-31/kind=a%2Fb/x.json");
    assert!(show(&path[0].batch).contains(full.to_str().unwrap()), "{}", show(&path[0].batch));

    table.metadata = vec![metadata("x", "file.naem")];
    let e = Filesystem.source(&table).unwrap_err();
    expect![[r#"
        connector 'filesystem' has no metadata 'file.naem'
        hint: Did you mean 'file.name'? Known: file.path, file.name, file.size, file.modification-time."#]]
    .assert_eq(&e.to_string());
}

#[tokio::test]
async fn a_query_may_want_no_column_at_all() {
    let dir = directory(&[("a.json", lines(0..3).as_bytes())]);
    let table = table(dir.path(), vec![int("n")], &[("format", "json")]);
    let source = Filesystem.source(&table).unwrap();
    let request = ReadRequest { projection: vec![], batch_rows: 10, decode_threads: 1 };
    let split = &source.splits().await.unwrap().splits[0];
    let piece = source.open(split, None, &request).await.unwrap().next().await.unwrap().unwrap();
    assert_eq!((piece.batch.num_columns(), piece.batch.num_rows()), (0, 3));
}

#[tokio::test]
async fn columns_are_found_in_the_data() {
    async fn check(name: &str, bytes: &[u8], options: &[(&str, &str)], expected: Expect) {
        let dir = directory(&[("0.empty", b""), (name, bytes)]);
        let mut table = table(dir.path(), vec![], options);
        table.partition_by = vec!["day".into()];
        let text = match Filesystem.infer_schema(&table).await {
            Ok(schema) => {
                let fields = schema.fields().iter().map(|f| format!("{} {}", f.name(), f.data_type()));
                fields.collect::<Vec<_>>().join(", ")
            }
            Err(e) => e.to_string(),
        };
        expected.assert_eq(&text);
    }
    check(
        "a.json",
        b"{\"n\":1,\"t\":\"x\"}\n{\"n\":2.5}\n",
        &[("format", "json")],
        expect!["n Float64, t Utf8, day Utf8"],
    )
    .await;
    check(
        "a.csv",
        b"n,t\n1,x\n2,y\n",
        &[("format", "csv"), ("csv.header", "true")],
        expect!["n Int64, t Utf8, day Utf8"],
    )
    .await;
    let gz = |text: &[u8]| {
        let mut writer = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
        writer.write_all(text).unwrap();
        writer.finish().unwrap()
    };
    check("a.json.gz", &gz(b"{\"n\":1}\n"), &[("format", "json")], expect!["n Int64, day Utf8"]).await;
}

#[tokio::test]
async fn what_is_missing_is_named() {
    async fn check(path: &str, options: &[(&str, &str)], expected: Expect) {
        let dir = directory(&[("empty/_hidden.json", b"")]);
        let root = dir.path().to_str().unwrap();
        let table = table(&dir.path().join(path), vec![int("n")], options);
        let e = match read(&table, Read::default()).await {
            Ok(pieces) => panic!("{pieces:?}"),
            Err(e) => e.to_string().replace(root, "$"),
        };
        expected.assert_eq(&e);
    }
    check("none", &[("format", "json")], expect!["there is no file or directory '$/none'"]).await;
    check("none/*.json", &[("format", "json")], expect!["no file matches '$/none/*.json'"]).await;
    check(
        "empty",
        &[("format", "json")],
        expect![[r#"
        there is no file in '$/empty'
        hint: Files whose names begin with '.' or '_' are not read."#]],
    )
    .await;
    check("empty", &[], expect![[r#"
        connector 'filesystem' needs the option 'format'
        hint: How the files are written: a format of records, or `parquet` or `arrow` (Arrow IPC, file or stream). Write WITH ('format' = '...')."#]]).await;
    check(
        "empty",
        &[("format", "jsno")],
        expect![[r#"
            there is no format 'jsno'
            hint: Did you mean 'json'? Known: json, csv, raw, debezium-json, parquet, arrow."#]],
    )
    .await;
    check("empty", &[("format", "json"), ("csv.header", "true")], expect![[r#"
        connector 'filesystem' has no option 'csv.header'
        hint: Known: connector, on-error, lookup.full-cache.periodic-reload.interval, lookup.max-retries, lookup.on-error, changelog.mode, changelog.operation-column, source.idle-timeout, path, format, compression, source.monitor-interval, source.splits, sink.rolling-policy.file-size, sink.rolling-policy.rollover-interval, partition.default-name, json.ignore-parse-errors, json.fail-on-missing-field, json.timestamp-format.standard, json.map-null-key.mode, json.map-null-key.literal, json.encode.decimal-as-plain-number, json.encode.ignore-null-fields."#]]).await;
    check(
        "empty",
        &[("format", "json"), ("compression", "brotli")],
        expect![[r#"
        option 'compression' does not know 'brotli'
        hint: Known: auto, none, gzip, zstd."#]],
    )
    .await;
}

#[tokio::test]
async fn after_an_error_there_is_nothing_more() {
    for (name, format) in [("a.json.gz", "json"), ("a.parquet", "parquet")] {
        let dir = directory(&[(name, b"not what it says"), ("b.json", b"{\"n\":1}\n")]);
        let table = table(dir.path(), vec![int("n")], &[("format", format)]);
        let source = Filesystem.source(&table).unwrap();
        let request = ReadRequest { projection: vec![0], batch_rows: 10, decode_threads: 2 };
        let mut reader = source.open(&source.splits().await.unwrap().splits[0], None, &request).await.unwrap();
        let e = reader.next().await.unwrap_err();
        assert!(e.message().contains(name), "{e}");
        assert!(reader.next().await.unwrap().is_none());
    }
}

#[tokio::test]
async fn an_object_of_a_store_is_read_in_ranges() {
    use object_store::memory::InMemory;
    use object_store::{ObjectStore, ObjectStoreExt};
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    for (name, numbers) in [("x/b.json", 5..9), ("x/a.json", 0..5)] {
        store.put(&name.into(), lines(numbers).into_bytes().into()).await.unwrap();
    }
    let table = table(Path::new("memory:///x"), vec![int("n")], &[("format", "json")]);
    let options = super::super::options::FileOptions::new(&table).unwrap();
    let location = super::super::location::Location::in_store(store, "x".into(), "memory:///x");
    let source = super::super::source::FileSource::at(&table, options, location).unwrap();
    let source: &dyn tidemill_core::source::Source = &source;
    let request = ReadRequest { projection: vec![0], batch_rows: 10, decode_threads: 2 };
    let mut reader = source.open(&source.splits().await.unwrap().splits[0], None, &request).await.unwrap();
    let mut pieces = vec![];
    while let Some(piece) = reader.next().await.unwrap() {
        pieces.push(piece);
    }
    assert_eq!(numbers(&pieces), (0..9).collect::<Vec<_>>());
    assert_eq!(pieces[0].position.to_string(), format!("memory:///x/a.json:{}", lines(0..5).len()));
}

#[tokio::test]
async fn a_row_column_with_fewer_fields_is_decoded_without_the_others() {
    let row = |fields: Vec<Field>| Field::new("r", DataType::Struct(fields.into()), true);
    let dir = directory(&[(
        "a.json",
        b"{\"n\":1,\"r\":{\"a\":1,\"b\":\"x\",\"c\":2}}\n{\"n\":2}\n{\"r\":{\"c\":3},\"n\":3}\n",
    )]);
    let whole = vec![int("n"), row(vec![int("a"), text("b"), int("c")])];
    let narrow = Arc::new(Schema::new(vec![int("n"), row(vec![int("c")])]));
    let source = |format| Filesystem.source(&table(dir.path(), whole.clone(), &[("format", format)])).unwrap();
    let source_of_json = source("json").narrowed(narrow.clone()).expect("JSON finds fields by name");
    assert_eq!(source_of_json.schema(), narrow);
    let request = ReadRequest { projection: vec![0, 1], batch_rows: 100, decode_threads: 1 };
    let split = source_of_json.splits().await.unwrap().splits.remove(0);
    let mut reader = source_of_json.open(&split, None, &request).await.unwrap();
    let piece = reader.next().await.unwrap().unwrap();
    expect![[r#"
        +---+--------+
        | n | r      |
        +---+--------+
        | 1 | {c: 2} |
        | 2 |        |
        | 3 | {c: 3} |
        +---+--------+"#]]
    .assert_eq(&show(&piece.batch));
    assert!(source("parquet").narrowed(narrow).is_none(), "other formats read rows as a whole");
}
