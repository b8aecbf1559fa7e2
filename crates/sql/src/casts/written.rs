//! Rows, arrays, maps and intervals as texts: `(1, a)`, `[1, NULL]`, `{a=1}`, `+1 02:03:04.000`, as in Flink.

use std::fmt::Write;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit, TimeUnit};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::Result;
use tidemill_plan::window::Zone;

use super::{Between, Way};

/// The values as texts.
pub(super) fn written(array: &ArrayRef, zone: Zone) -> Result<ArrayRef> {
    Ok(match array.data_type() {
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let elements = texts(list.values(), zone)?;
            built(array, |row, out| {
                let offsets = list.value_offsets();
                let range = offsets[row] as usize..offsets[row + 1] as usize;
                enclosed(out, '[', range.map(|i| shown(&elements, i)), ']');
            })
        }
        DataType::Map(..) => {
            let map = array.as_map();
            let (keys, values) = (texts(map.keys(), zone)?, texts(map.values(), zone)?);
            built(array, |row, out| {
                let offsets = map.value_offsets();
                out.push('{');
                for (n, i) in (offsets[row] as usize..offsets[row + 1] as usize).enumerate() {
                    let comma = if n > 0 { ", " } else { "" };
                    // A String takes all that is written.
                    let _ = write!(out, "{comma}{}={}", shown(&keys, i), shown(&values, i));
                }
                out.push('}');
            })
        }
        DataType::Struct(_) => {
            let columns = array.as_struct().columns().iter().map(|c| texts(c, zone)).collect::<Result<Vec<_>>>()?;
            built(array, |row, out| enclosed(out, '(', columns.iter().map(|c| shown(c, row)), ')'))
        }
        DataType::Timestamp(unit, instant) => {
            let wall = match instant {
                Some(_) => Between::new(zone, Way::ToWall).shifted(array, &DataType::Timestamp(*unit, None))?,
                None => Arc::clone(array),
            };
            let pattern = match unit {
                TimeUnit::Second => "%Y-%m-%d %H:%M:%S",
                TimeUnit::Millisecond => "%Y-%m-%d %H:%M:%S%.3f",
                TimeUnit::Microsecond => "%Y-%m-%d %H:%M:%S%.6f",
                TimeUnit::Nanosecond => "%Y-%m-%d %H:%M:%S%.9f",
            };
            let options = FormatOptions::new().with_timestamp_format(Some(pattern));
            let formatter = ArrayFormatter::try_new(&wall, &options)?;
            built(array, |row, out| {
                let _ = write!(out, "{}", formatter.value(row));
            })
        }
        DataType::Interval(_) => {
            let lengths = cast(array, &DataType::Interval(IntervalUnit::MonthDayNano))?;
            let lengths = lengths.as_primitive::<IntervalMonthDayNanoType>();
            built(array, |row, out| interval(lengths.value(row), out))
        }
        _ => cast(array, &DataType::Utf8)?,
    })
}

fn texts(array: &ArrayRef, zone: Zone) -> Result<StringArray> {
    Ok(written(array, zone)?.as_string::<i32>().clone())
}

fn shown(texts: &StringArray, i: usize) -> &str {
    if texts.is_null(i) { "NULL" } else { texts.value(i) }
}

/// A text for each value that is not NULL.
fn built(array: &ArrayRef, mut write: impl FnMut(usize, &mut String)) -> ArrayRef {
    let mut out = StringBuilder::with_capacity(array.len(), array.len() * 16);
    let mut buffer = String::new();
    for row in 0..array.len() {
        if array.is_null(row) {
            out.append_null();
            continue;
        }
        buffer.clear();
        write(row, &mut buffer);
        out.append_value(&buffer);
    }
    Arc::new(out.finish())
}

fn enclosed<'t>(out: &mut String, open: char, parts: impl Iterator<Item = &'t str>, close: char) {
    out.push(open);
    for (i, part) in parts.enumerate() {
        out.push_str(if i > 0 { ", " } else { "" });
        out.push_str(part);
    }
    out.push(close);
}

/// Months as `+1-02`, all else as `+1 02:03:04.005`, and both where there are both.
fn interval(length: IntervalMonthDayNano, out: &mut String) {
    let (months, nanos) =
        (length.months, i128::from(length.days) * 86_400_000_000_000 + i128::from(length.nanoseconds));
    let sign = |negative: bool| if negative { '-' } else { '+' };
    if months != 0 {
        let size = months.unsigned_abs();
        // A String takes all that is written.
        let _ = write!(out, "{}{}-{:02}", sign(months < 0), size / 12, size % 12);
    }
    if months == 0 || nanos != 0 {
        out.push_str(if months == 0 { "" } else { " " });
        let millis = nanos.unsigned_abs() / 1_000_000;
        let (seconds, days) = (millis / 1_000 % 86_400, millis / 86_400_000);
        let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
        let _ = write!(out, "{}{days} {hours:02}:{minutes:02}:", sign(nanos < 0));
        let _ = write!(out, "{:02}.{:03}", seconds % 60, millis % 1_000);
    }
}
