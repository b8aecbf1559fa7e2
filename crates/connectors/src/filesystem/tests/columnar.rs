//! Parquet and Arrow files.

use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use ::parquet::file::properties::WriterProperties;
use arrow::array::{DictionaryArray, Int32Array, StructArray, TimestampMicrosecondArray, UInt32Array};
use arrow::datatypes::{Fields, Int32Type, TimeUnit};
use arrow_ipc::writer::{FileWriter, StreamWriter};
use expect_test::expect;

use super::*;

/// A Parquet file of row groups of 1000 rows.
pub(super) fn parquet(batch: &RecordBatch) -> Vec<u8> {
    parquet_with(batch, Compression::UNCOMPRESSED)
}

fn parquet_with(batch: &RecordBatch, compression: Compression) -> Vec<u8> {
    let mut bytes = vec![];
    let properties =
        WriterProperties::builder().set_max_row_group_row_count(Some(1_000)).set_compression(compression).build();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

/// An Arrow file of the file kind, in batches of 1000 rows.
fn arrow_file(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = vec![];
    let mut writer = FileWriter::try_new(&mut bytes, &batch.schema()).unwrap();
    for start in (0..batch.num_rows()).step_by(1_000) {
        writer.write(&batch.slice(start, 1_000.min(batch.num_rows() - start))).unwrap();
    }
    writer.finish().unwrap();
    drop(writer);
    bytes
}

fn arrow_stream(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = vec![];
    let mut writer = StreamWriter::try_new(&mut bytes, &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    bytes
}

fn rows(numbers: std::ops::Range<i64>) -> RecordBatch {
    let texts: Vec<String> = numbers.clone().map(|n| format!("row {n}")).collect();
    let texts: ArrayRef = Arc::new(StringArray::from(texts));
    batch(&[("text", texts), ("n", ints(&numbers.collect::<Vec<_>>()))])
}

#[tokio::test]
async fn parquet_is_read_however_it_is_compressed() {
    let compressions = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::BROTLI(BrotliLevel::default()),
        Compression::LZ4,
        Compression::LZ4_RAW,
        Compression::ZSTD(ZstdLevel::default()),
    ];
    for compression in compressions {
        let dir = directory(&[("a", &parquet_with(&rows(0..2_500), compression))]);
        let table = table(dir.path(), vec![int("n")], &[("format", "parquet")]);
        let all = read(&table, Read::default()).await.unwrap();
        assert_eq!(numbers(&all), (0..2_500).collect::<Vec<_>>(), "{compression}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_keep_their_order_and_every_position_resumes() {
    for format in ["parquet", "arrow"] {
        let write = if format == "parquet" { parquet } else { arrow_file };
        let dir = directory(&[
            ("a", &write(&rows(0..3_500))),
            ("b", &write(&rows(0..0))),
            ("c", &if format == "arrow" { arrow_stream(&rows(3_500..4_000)) } else { write(&rows(3_500..4_000)) }),
        ]);
        let table = table(dir.path(), vec![int("n")], &[("format", format)]);
        for threads in [1, 4] {
            let whole = read(&table, Read { batch_rows: 300, threads, ..Read::default() }).await.unwrap();
            assert_eq!(numbers(&whole), (0..4_000).collect::<Vec<_>>(), "{format}, {threads} threads");
            let mut taken = 0;
            for piece in &whole {
                taken += piece.batch.num_rows();
                let from = Some(&piece.position);
                let rest = read(&table, Read { threads, from, ..Read::default() }).await.unwrap();
                let expected: Vec<i64> = (taken as i64..4_000).collect();
                assert_eq!(numbers(&rest), expected, "{format} from {}", piece.position);
            }
            assert!(whole.last().unwrap().position.to_string().ends_with("/c:500"));
        }
        let source = Filesystem.source(&table).unwrap();
        let request = ReadRequest { projection: vec![], batch_rows: 10_000, decode_threads: 1 };
        let mut reader = source.open(&source.splits().await.unwrap().splits[0], None, &request).await.unwrap();
        let mut count = 0;
        while let Some(piece) = reader.next().await.unwrap() {
            count += piece.batch.num_rows();
        }
        assert_eq!(count, 4_000, "{format} without a column");
    }
}

#[tokio::test]
async fn columns_become_those_that_were_declared() {
    let inner: Fields = vec![Field::new("Y", DataType::Int32, true), Field::new("x", DataType::Utf8, true)].into();
    let row = StructArray::new(inner, vec![Arc::new(Int32Array::from(vec![1, 2])), texts(&[Some("p"), None])], None);
    let times = TimestampMicrosecondArray::from(vec![1_500_000, 2_000_000]).with_timezone("+02:00");
    let words: DictionaryArray<Int32Type> = vec!["u", "v"].into_iter().collect();
    let data = batch(&[
        ("ID", Arc::new(UInt32Array::from(vec![1, 2])) as ArrayRef),
        ("ts", Arc::new(times)),
        ("word", Arc::new(words)),
        ("row", Arc::new(row)),
        ("unused", ints(&[0, 0])),
    ]);
    let wanted: Fields =
        vec![Field::new("x", DataType::Utf8, true), Field::new("y", DataType::Int64, true), text("new")].into();
    let fields = vec![
        Field::new("word", DataType::Utf8, true),
        Field::new("id", DataType::Int64, false),
        Field::new("ts", DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())), true),
        Field::new("row", DataType::Struct(wanted), true),
        text("missing"),
    ];
    for (format, bytes) in [("parquet", parquet(&data)), ("arrow", arrow_file(&data))] {
        let dir = directory(&[("f", &bytes)]);
        let declared = table(dir.path(), fields.clone(), &[("format", format)]);
        let pieces = read(&declared, Read::default()).await.unwrap();
        expect![[r#"
            +------+----+--------------------------+---------------------+---------+
            | word | id | ts                       | row                 | missing |
            +------+----+--------------------------+---------------------+---------+
            | u    | 1  | 1970-01-01T00:00:01.500Z | {x: p, y: 1, new: } |         |
            | v    | 2  | 1970-01-01T00:00:02Z     | {x: , y: 2, new: }  |         |
            +------+----+--------------------------+---------------------+---------+"#]]
        .assert_eq(&show(&all(&pieces)));

        let schema = Filesystem.infer_schema(&table(dir.path(), vec![], &[("format", format)])).await.unwrap();
        let found: Vec<String> = schema.fields().iter().map(|f| format!("{} {}", f.name(), f.data_type())).collect();
        expect![[r#"ID Int64, ts Timestamp(µs, "UTC"), word Utf8, row Struct("Y": Int32, "x": Utf8), unused Int64"#]]
            .assert_eq(&found.join(", "));
    }
}

#[tokio::test]
async fn what_does_not_fit_names_the_file_and_the_column() {
    let dir =
        directory(&[("f.parquet", &parquet(&batch(&[("n", ints(&[1, 70_000])), ("t", texts(&[Some("x"), None]))])))]);
    let check = async |fields: Vec<Field>| {
        let table = table(dir.path(), fields, &[("format", "parquet")]);
        let e = read(&table, Read::default()).await.unwrap_err();
        e.to_string().replace(dir.path().to_str().unwrap(), "$")
    };
    expect![[r#"
        file '$/f.parquet': column 'n' cannot be read as SMALLINT: Cast error: Can't cast value 70000 to type Int16
        hint: In the file it is BIGINT."#]]
    .assert_eq(&check(vec![Field::new("n", DataType::Int16, true)]).await);
    expect![[r#"
        file '$/f.parquet': column 't' cannot be read as BIGINT: Cast error: Cannot cast string 'x' to value of Int64 type
        hint: In the file it is STRING."#]].assert_eq(&check(vec![Field::new("t", DataType::Int64, true)]).await);
    expect![[r#"
        file '$/f.parquet' has no column 'm', which is NOT NULL
        hint: Did you mean 'n'? Known: n, t."#]]
    .assert_eq(&check(vec![Field::new("m", DataType::Int64, false)]).await);
    let arrow = table(dir.path(), vec![int("n")], &[("format", "arrow")]);
    let e = read(&arrow, Read::default()).await.unwrap_err().to_string().replace(dir.path().to_str().unwrap(), "$");
    expect!["cannot read '$/f.parquet' as Arrow: it begins neither like an Arrow file nor like an Arrow stream"]
        .assert_eq(&e);
}

#[tokio::test]
async fn a_row_without_a_value_that_must_be_there_is_rejected_whole() {
    let data =
        batch(&[("n", ints(&[1, 2, 3])), ("must", texts(&[Some("a"), None, Some("c")])), ("more", ints(&[7, 8, 9]))]);
    for (format, bytes) in [("parquet", parquet(&data)), ("arrow", arrow_file(&data))] {
        let dir = directory(&[("f", &bytes)]);
        let fields = vec![int("n"), Field::new("must", DataType::Utf8, false)];
        let table = table(dir.path(), fields, &[("format", format)]);
        // Checked also where it is not wanted.
        let pieces = read(&table, Read { projection: vec![0], ..Read::default() }).await.unwrap();
        assert_eq!(numbers(&pieces), [1, 3]);
        let rejected = &pieces[0].rejected[0];
        assert_eq!(rejected.raw, r#"{"n":2,"more":8}"#);
        assert_eq!(rejected.position.to_string(), format!("{}/f:1", dir.path().display()));
        assert_eq!(rejected.reason, "field 'must' is NULL and must not be");
        let (raw, position) = pieces[0].raw.as_ref().unwrap().record(1);
        assert_eq!(raw, r#"{"n":3,"must":"c","more":9}"#);
        assert!(position.to_string().ends_with("/f:2"));
    }
}
