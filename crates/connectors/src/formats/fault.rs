//! Why a record cannot be taken in. Built only when something is wrong; says nothing about where the record stands.

use std::fmt;

use arrow::datatypes::{DataType, TimeUnit};

/// The result of reading a value.
pub(crate) type Read<T> = Result<T, Fault>;

/// What is wrong with a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault(Box<Inner>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    /// Whether the record's structure is intact, and one value in it is wrong.
    value: bool,
    path: String,
    reason: String,
}

impl Fault {
    /// The record is not what its format asks for: nothing in it can be trusted.
    #[cold]
    pub(crate) fn syntax(reason: impl Into<String>) -> Self {
        Self(Box::new(Inner { value: false, path: String::new(), reason: reason.into() }))
    }

    /// One value does not fit its column.
    #[cold]
    pub(crate) fn value(reason: impl Into<String>) -> Self {
        Self(Box::new(Inner { value: true, path: String::new(), reason: reason.into() }))
    }

    /// `text` does not fit a column of `data_type`.
    #[cold]
    pub(crate) fn mismatch(text: &[u8], data_type: &DataType) -> Self {
        Self::value(format!("{} is not {}", quoted(text), article(&sql_type(data_type))))
    }

    /// Whether only one value is wrong, so that it could be taken as NULL.
    pub(crate) fn is_value(&self) -> bool {
        self.0.value
    }

    /// Says in which field it happened; the innermost is said first.
    #[cold]
    pub(crate) fn in_field(mut self, name: &str) -> Self {
        self.0.path = match self.0.path.as_str() {
            "" => name.to_owned(),
            inner if inner.starts_with('[') => format!("{name}{inner}"),
            inner => format!("{name}.{inner}"),
        };
        self
    }

    /// Says at which place of a list, or key of a map, it happened.
    #[cold]
    pub(crate) fn in_element(self, element: impl fmt::Display) -> Self {
        self.in_field(&format!("[{element}]"))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.path.as_str() {
            "" => f.write_str(&self.0.reason),
            path => write!(f, "field '{path}': {}", self.0.reason),
        }
    }
}

/// `'text'`, cut where it is long.
fn quoted(text: &[u8]) -> String {
    const MOST: usize = 60;
    let text = String::from_utf8_lossy(&text[..text.len().min(4 * MOST + 4)]);
    match text.char_indices().nth(MOST) {
        Some((cut, _)) => format!("'{}...'", &text[..cut]),
        None => format!("'{text}'"),
    }
}

fn article(noun: &str) -> String {
    let an = noun.starts_with(['A', 'E', 'I', 'O', 'U']);
    format!("{} {noun}", if an { "an" } else { "a" })
}

/// The type as it is written in `CREATE TABLE`.
pub(crate) fn sql_type(t: &DataType) -> String {
    let precision = |u: &TimeUnit| match u {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    };
    match t {
        DataType::Boolean => "BOOLEAN".into(),
        DataType::Int8 => "TINYINT".into(),
        DataType::Int16 => "SMALLINT".into(),
        DataType::Int32 => "INT".into(),
        DataType::Int64 => "BIGINT".into(),
        DataType::UInt8 => "TINYINT UNSIGNED".into(),
        DataType::UInt16 => "SMALLINT UNSIGNED".into(),
        DataType::UInt32 => "INT UNSIGNED".into(),
        DataType::UInt64 => "BIGINT UNSIGNED".into(),
        DataType::Float32 => "FLOAT".into(),
        DataType::Float64 => "DOUBLE".into(),
        DataType::Decimal128(p, s) | DataType::Decimal256(p, s) => format!("DECIMAL({p}, {s})"),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "STRING".into(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "BYTES".into(),
        DataType::Date32 | DataType::Date64 => "DATE".into(),
        DataType::Time32(u) | DataType::Time64(u) => format!("TIME({})", precision(u)),
        DataType::Timestamp(u, None) => format!("TIMESTAMP({})", precision(u)),
        DataType::Timestamp(u, Some(_)) => format!("TIMESTAMP_LTZ({})", precision(u)),
        DataType::Struct(_) => "ROW".into(),
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => "ARRAY".into(),
        DataType::Map(..) => "MAP".into(),
        other => other.to_string(),
    }
}
