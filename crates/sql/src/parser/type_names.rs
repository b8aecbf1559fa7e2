//! The names of types, as Flink writes them and as they are read again.

use std::fmt::Write;

use datafusion::arrow::datatypes::{DataType, Field, TimeUnit};

/// The name of a type as Flink writes it; Arrow's own name for types that Flink does not have.
pub fn type_name(data_type: &DataType) -> String {
    let digits = |unit: &TimeUnit| match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    };
    match data_type {
        DataType::Null => "NULL".into(),
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
        DataType::Date32 => "DATE".into(),
        DataType::Time32(_) | DataType::Time64(_) => "TIME".into(),
        DataType::Timestamp(unit, None) => format!("TIMESTAMP({})", digits(unit)),
        DataType::Timestamp(unit, Some(_)) => format!("TIMESTAMP_LTZ({})", digits(unit)),
        DataType::Interval(_) => "INTERVAL".into(),
        DataType::Duration(unit) => format!("INTERVAL DAY TO SECOND({})", digits(unit)),
        DataType::List(item) | DataType::LargeList(item) => format!("ARRAY<{}>", field_type(item)),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(kv) if kv.len() == 2 => {
                format!("MAP<{}, {}>", type_name(kv[0].data_type()), field_type(&kv[1]))
            }
            other => other.to_string(),
        },
        DataType::Struct(fields) => {
            let mut text = String::from("ROW<");
            for (i, field) in fields.iter().enumerate() {
                // Writing to a String cannot fail.
                let _ = write!(text, "{}{} {}", if i > 0 { ", " } else { "" }, quoted(field.name()), field_type(field));
            }
            text + ">"
        }
        other => other.to_string(),
    }
}

fn field_type(field: &Field) -> String {
    let name = type_name(field.data_type());
    if field.is_nullable() { name } else { name + " NOT NULL" }
}

/// A name as it is to be written: in backticks.
pub fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
