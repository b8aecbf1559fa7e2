//! What the tests of all formats share: blocks in, pictures of rows out.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use bytes::Bytes;
use tidemill_core::OptionValues;
use tidemill_core::format::{Decoded, Format, Origin};

/// Columns from `name type, ..`, where a type is one of the words below and `!` after it says NOT NULL.
pub(crate) fn schema(text: &str) -> SchemaRef {
    let field = |spec: &str| {
        let (name, word) = spec.trim().split_once(' ').expect("name and type");
        Field::new(name, data_type(word.trim_end_matches('!')), !word.ends_with('!'))
    };
    Arc::new(Schema::new(text.split(',').map(field).collect::<Vec<_>>()))
}

fn data_type(word: &str) -> DataType {
    let bid =
        || Fields::from(vec![Field::new("price", DataType::Int64, true), Field::new("channel", DataType::Utf8, true)]);
    match word {
        "bool" => DataType::Boolean,
        "tinyint" => DataType::Int8,
        "smallint" => DataType::Int16,
        "int" => DataType::Int32,
        "bigint" => DataType::Int64,
        "ubigint" => DataType::UInt64,
        "float" => DataType::Float32,
        "double" => DataType::Float64,
        "decimal" => DataType::Decimal128(10, 2),
        "decimal38" => DataType::Decimal128(38, 10),
        "decimal76" => DataType::Decimal256(76, 0),
        "string" => DataType::Utf8,
        "large" => DataType::LargeUtf8,
        "bytes" => DataType::Binary,
        "date" => DataType::Date32,
        "time" => DataType::Time32(TimeUnit::Millisecond),
        "ts0" => DataType::Timestamp(TimeUnit::Second, None),
        "ts3" => DataType::Timestamp(TimeUnit::Millisecond, None),
        "ts9" => DataType::Timestamp(TimeUnit::Nanosecond, None),
        "ltz3" => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
        "row" => DataType::Struct(bid()),
        "row1" => DataType::Struct(vec![Field::new("id", DataType::Int64, false)].into()),
        "array" => DataType::List(Arc::new(Field::new("item", DataType::Int32, true))),
        "rows" => DataType::List(Arc::new(Field::new("item", DataType::Struct(bid()), true))),
        "map" => {
            let pair = vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Int32, true)];
            DataType::Map(Arc::new(Field::new("entries", DataType::Struct(pair.into()), false)), false)
        }
        other => panic!("no type '{other}'"),
    }
}

pub(crate) fn options(pairs: &[(&str, &str)]) -> OptionValues {
    OptionValues::from_pairs(pairs.iter().copied())
}

pub(crate) fn decode(
    format: &dyn Format,
    schema: &SchemaRef,
    wanted: &[usize],
    o: &OptionValues,
    block: &[u8],
) -> Decoded {
    let mut decoder = format.decoder(schema, wanted, o).expect("a decoder");
    decoder.decode(&Bytes::copy_from_slice(block), &Origin::new("f", 0)).expect("bad records are no error")
}

/// Rows a line, columns with ` | ` between them, NULL as `-`, control characters escaped; then the rejected records.
pub(crate) fn picture(decoded: &Decoded) -> String {
    let mut out = rows(&decoded.batch);
    for r in &decoded.rejected {
        out += &format!("! {} {:?}: {}\n", r.position, String::from_utf8_lossy(&r.raw), r.reason);
    }
    out
}

pub(crate) fn rows(batch: &RecordBatch) -> String {
    let format = FormatOptions::new().with_null("-");
    let columns: Vec<_> = batch
        .columns()
        .iter()
        .map(|c| ArrayFormatter::try_new(c, &format).expect("a type that can be shown"))
        .collect();
    let shown = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    let value = |text: String| text.chars().map(shown).collect::<String>();
    let row = |i| columns.iter().map(|c| value(c.value(i).to_string())).collect::<Vec<_>>().join(" | ") + "\n";
    (0..batch.num_rows()).map(row).collect()
}

/// What `schema` looks like: `name Type`, a line each.
pub(crate) fn columns(schema: &Schema) -> String {
    schema.fields().iter().map(|f| format!("{} {}\n", f.name(), f.data_type())).collect()
}

/// Numbers that only look random: the same seed, the same test.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    /// True once in `n` times.
    pub(crate) fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

/// How many cases a randomised test runs: `TIDEMILL_FUZZ_CASES`, or `few`.
pub(crate) fn cases(few: u64) -> u64 {
    std::env::var("TIDEMILL_FUZZ_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(few)
}
