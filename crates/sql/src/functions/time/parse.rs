//! Text and numbers as times: `TO_TIMESTAMP`, `TO_TIMESTAMP_LTZ`, `TO_DATE`, `UNIX_TIMESTAMP`.

use std::sync::Arc;

use arrow::array::Int64Array;
use arrow::datatypes::{DataType, TimeUnit};
use chrono::NaiveDateTime;
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::functions::datetime;
use datafusion::logical_expr::Volatility;
use tidemill_core::time::ticks_per_second;

use super::super::call::{Call, Compiled};
use super::super::declaration::{Function, Kind, TIMESTAMP_3, takes, timestamp_ltz};
use super::super::instants::{all_ticks, column_of, to_ticks};
use super::super::pattern::{Parsed, Pattern, Rest, parse_standard};
use super::super::zone::Zone;

pub(in super::super) static TO_TIMESTAMP: Function = Function {
    names: &["to_timestamp"],
    usage: "TO_TIMESTAMP(string[, pattern])",
    about: "The text read as TIMESTAMP(3), by a pattern as for DATE_FORMAT; without one as `yyyy-MM-dd HH:mm:ss`, \
            with or without a fraction, a `T` in the middle, or the time. NULL where it cannot be read. A number \
            is seconds, as in DataFusion.",
    examples: &[
        ("to_timestamp('2024-01-31 10:05:09')", "2024-01-31 10:05:09"),
        ("to_timestamp('2024-01-31T10:05:09.123456')", "2024-01-31 10:05:09.123"),
        ("to_timestamp('2024-1-5')", "2024-01-05 00:00:00"),
        ("to_timestamp('2024-01-31T10:05:09+02:00')", "2024-01-31 08:05:09"),
        ("to_timestamp('31/01/2024 10.05', 'dd/MM/yyyy HH.mm')", "2024-01-31 10:05:00"),
        ("to_timestamp('20240131100509123', 'yyyyMMddHHmmssSSS')", "2024-01-31 10:05:09.123"),
        ("to_timestamp('Jan 5, 2024 3:07 pm', 'MMM d, yyyy h:mm a')", "2024-01-05 15:07:00"),
        ("to_timestamp('2024-01-31 10:05', 'yyyy-MM-dd[ HH:mm]')", "2024-01-31 10:05:00"),
        ("to_timestamp('2024-01-31', 'yyyy-MM-dd[ HH:mm]')", "2024-01-31 00:00:00"),
        ("to_timestamp('2024-01-31 10:05:09.1', 'yyyy-MM-dd HH:mm:ss')", "NULL"),
        ("to_timestamp('2024-13-31 10:05:09')", "NULL"),
        ("to_timestamp('soon')", "NULL"),
        ("to_timestamp(CAST(NULL AS STRING))", "NULL"),
        ("to_timestamp(1706695509)", "2024-01-31 10:05:09"),
    ],
    types: |args| takes(args, &[Kind::Text, Kind::Text], 1, TIMESTAMP_3),
    compute: |call| read(call, |read| to_ticks(read.to_utc(Zone::UTC)?, 1_000)),
    otherwise: Some(|| datetime::to_timestamp(&Default::default())),
    ..Function::PLAIN
};

/// Reads the first argument by the pattern in the second, if there is one.
fn read(call: &Call, f: impl Fn(Parsed) -> Option<i64>) -> Result<arrow::array::ArrayRef> {
    let text = call.text(0)?;
    if call.len() == 1 {
        return column_of(call.result_type(), call.rows, |row| Ok(text.at(row).and_then(parse_standard).and_then(&f)));
    }
    let pattern = call.text(1)?;
    let mut patterns = Compiled::new();
    column_of(call.result_type(), call.rows, |row| {
        let (Some(text), Some(pattern)) = (text.at(row), pattern.at(row)) else { return Ok(None) };
        Ok(patterns.get(pattern, Pattern::compile)?.parse(text, Rest::Rejected).and_then(&f))
    })
}

pub(in super::super) static TO_DATE: Function = Function {
    names: &["to_date"],
    usage: "TO_DATE(string[, pattern])",
    about: "The text read as DATE, by a pattern as for DATE_FORMAT (without one: `yyyy-MM-dd`). NULL where it cannot \
            be read.",
    examples: &[
        ("to_date('2024-01-31')", "2024-01-31"),
        ("to_date('31.1.2024', 'dd.MM.yyyy')", "2024-01-31"),
        ("to_date('2024-01-31 23:59:59')", "2024-01-31"),
        ("to_date('soon')", "NULL"),
    ],
    types: |args| takes(args, &[Kind::Text, Kind::Text], 1, DataType::Date32),
    compute: |call| read(call, |read| to_ticks(read.local, 1)),
    otherwise: Some(datetime::to_date),
    ..Function::PLAIN
};

pub(in super::super) static TO_TIMESTAMP_LTZ: Function = Function {
    names: &["to_timestamp_ltz"],
    usage: "TO_TIMESTAMP_LTZ(number[, precision]) or TO_TIMESTAMP_LTZ(string[, pattern[, zone]])",
    about: "A count since 1970-01-01 00:00 UTC as TIMESTAMP_LTZ: of seconds (precision 0), milliseconds (3, the \
            default), microseconds (6) or nanoseconds (9). Or a text, read as by TO_TIMESTAMP, in a time zone \
            (without one: UTC). The result has precision 3, or that of the count if it is finer. NULL where it \
            cannot be read, or is too far away for a date.",
    examples: &[
        ("to_timestamp_ltz(1706695509, 0)", "2024-01-31 10:05:09Z"),
        ("to_timestamp_ltz(1706695509123, 3)", "2024-01-31 10:05:09.123Z"),
        ("to_timestamp_ltz(1706695509123)", "2024-01-31 10:05:09.123Z"),
        ("to_timestamp_ltz(1706695509.5, 0)", "2024-01-31 10:05:09.500Z"),
        ("to_timestamp_ltz('2024-01-31 10:05:09')", "2024-01-31 10:05:09Z"),
        ("to_timestamp_ltz('31.01.2024', 'dd.MM.yyyy')", "2024-01-31 00:00:00Z"),
        ("to_timestamp_ltz('2024-01-31 10:05:09', 'yyyy-MM-dd HH:mm:ss', 'Asia/Shanghai')", "2024-01-31 02:05:09Z"),
        ("to_timestamp_ltz('2024-01-31 10:05:09 +0800', 'yyyy-MM-dd HH:mm:ss X')", "2024-01-31 02:05:09Z"),
        ("to_timestamp_ltz('soon')", "NULL"),
        ("to_timestamp_ltz(9223372036854775807, 0)", "NULL"),
        ("to_timestamp_ltz(1706695509000000000, 3)", "NULL"),
        ("to_timestamp_ltz(CAST(NULL AS BIGINT), 3)", "NULL"),
    ],
    types: |args| {
        let result = timestamp_ltz(TimeUnit::Millisecond);
        takes(args, &[Kind::Int, Kind::Int], 1, result.clone())
            .or_else(|| takes(args, &[Kind::Double, Kind::Int], 1, result.clone()))
            .or_else(|| takes(args, &[Kind::Text; 3], 1, result))
    },
    by_value: Some(|types, values| match values.get(1)? {
        Some(ScalarValue::Int64(Some(precision @ (6 | 9)))) if types[0].is_numeric() => {
            Some(timestamp_ltz(if *precision == 6 { TimeUnit::Microsecond } else { TimeUnit::Nanosecond }))
        }
        _ => None,
    }),
    compute: |call| {
        let DataType::Timestamp(unit, _) = call.result_type() else { return exec_err!("not a timestamp") };
        let per_second = ticks_per_second(*unit);
        if call.type_of(0) == &DataType::Utf8 {
            let zone = if call.len() > 2 { Some(call.text(2)?) } else { None };
            let Some(zone) = zone else { return read(call, |read| to_ticks(read.to_utc(Zone::UTC)?, per_second)) };
            let (text, pattern) = (call.text(0)?, call.text(1)?);
            let (mut patterns, mut zones) = (Compiled::new(), Compiled::new());
            return column_of(call.result_type(), call.rows, |row| {
                let (Some(text), Some(pattern), Some(zone)) = (text.at(row), pattern.at(row), zone.at(row)) else {
                    return Ok(None);
                };
                let Some(zone) = *zones.get(zone, |name| Ok(Zone::parse(name)))? else { return Ok(None) };
                let read = patterns.get(pattern, Pattern::compile)?.parse(text, Rest::Rejected);
                Ok(read.and_then(|read| to_ticks(read.to_utc(zone)?, per_second)))
            });
        }
        let precision = if call.len() > 1 { Some(call.int(1)?) } else { None };
        let scale = |row| -> Result<Option<i64>> {
            let Some(precision) = &precision else { return Ok(Some(1_000)) };
            match precision.at(row) {
                None => Ok(None),
                Some(p @ (0 | 3 | 6 | 9)) => Ok(Some(10_i64.pow(p as u32))),
                Some(p) => exec_err!("TO_TIMESTAMP_LTZ has no precision {p}: it is 0, 3, 6 or 9"),
            }
        };
        let all = all_ticks(per_second);
        if call.type_of(0) == &DataType::Float64 {
            let count = call.double(0)?;
            return column_of(call.result_type(), call.rows, |row| {
                let (Some(count), Some(scale)) = (count.at(row), scale(row)?) else { return Ok(None) };
                let ticks = (count * per_second as f64 / scale as f64).trunc();
                Ok((ticks.abs() < i64::MAX as f64).then_some(ticks as i64).filter(|ticks| all.contains(ticks)))
            });
        }
        let count = call.int(0)?;
        column_of(call.result_type(), call.rows, |row| {
            let (Some(count), Some(scale)) = (count.at(row), scale(row)?) else { return Ok(None) };
            let ticks = match per_second >= scale {
                true => count.checked_mul(per_second / scale),
                false => Some(count.div_euclid(scale / per_second)),
            };
            Ok(ticks.filter(|ticks| all.contains(ticks)))
        })
    },
    ..Function::PLAIN
};

pub(in super::super) static UNIX_TIMESTAMP: Function = Function {
    names: &["unix_timestamp"],
    usage: "UNIX_TIMESTAMP() or UNIX_TIMESTAMP(string[, pattern])",
    about: "Seconds since 1970-01-01 00:00 UTC, as BIGINT: of now, or of a text in the session's time zone, by a \
            pattern as for DATE_FORMAT (without one: `yyyy-MM-dd HH:mm:ss`). Text after the pattern's end is passed \
            over. NULL where it cannot be read. Takes a time as well.",
    examples: &[
        ("unix_timestamp('2024-01-31 10:05:09')", "1706695509"),
        ("unix_timestamp('1970-01-01 08:00:01.001 +0800', 'yyyy-MM-dd HH:mm:ss.SSS X')", "1"),
        ("unix_timestamp('1970-01-01 08:00:01.001 +0800', 'yyyy-MM-dd HH:mm:ss.SSS')", "28801"),
        ("unix_timestamp('1970-01-01 08:00:01.001', 'yyyy-MM-dd HH:mm:ss.SSS X')", "NULL"),
        ("unix_timestamp(TIMESTAMP '2024-01-31 10:05:09')", "1706695509"),
        ("unix_timestamp()", "1706695509"),
    ],
    volatility: Volatility::Volatile,
    types: |args| match args {
        [] => takes(args, &[], 0, DataType::Int64),
        [DataType::Timestamp(..) | DataType::Date32] => takes(args, &[Kind::Time], 1, DataType::Int64),
        _ => takes(args, &[Kind::Text, Kind::Text], 1, DataType::Int64),
    },
    compute: |call| {
        if call.len() == 0 {
            let seconds = call.clock.now().div_euclid(1_000_000);
            return Ok(Arc::new(Int64Array::from_value(seconds, call.rows)));
        }
        let zone = call.zone()?;
        let seconds = |utc: NaiveDateTime| to_ticks(utc, 1);
        if call.type_of(0) != &DataType::Utf8 {
            let time = call.instants(0)?;
            return call.collected::<i64, Int64Array>(|row| {
                Ok(time.local(row, zone).and_then(|local| seconds(zone.to_utc(local)?)))
            });
        }
        let text = call.text(0)?;
        let pattern = if call.len() > 1 { Some(call.text(1)?) } else { None };
        let mut patterns = Compiled::new();
        call.collected::<i64, Int64Array>(|row| {
            let Some(text) = text.at(row) else { return Ok(None) };
            let read = match &pattern {
                None => parse_standard(text),
                Some(pattern) => match pattern.at(row) {
                    None => return Ok(None),
                    Some(pattern) => patterns.get(pattern, Pattern::compile)?.parse(text, Rest::Ignored),
                },
            };
            Ok(read.and_then(|read| seconds(read.to_utc(zone)?)))
        })
    },
    ..Function::PLAIN
};

#[cfg(test)]
mod tests {
    use super::super::super::tests::{check_constant, check_in};

    #[test]
    fn text_is_read_in_the_session_zone() {
        check_in("Europe/Berlin", "unix_timestamp('1970-01-01 08:00:01')", "25201");
        check_in("Europe/Berlin", "to_timestamp('1970-01-01 08:00:01')", "1970-01-01 08:00:01");
    }

    #[test]
    fn a_skipped_hour_moves_on_and_a_double_one_is_the_first() {
        check_in("Europe/Berlin", "unix_timestamp('2024-03-31 02:30:00')", "1711848600");
        check_in("Europe/Berlin", "unix_timestamp('2024-10-27 02:30:00')", "1729989000");
    }

    #[test]
    fn a_finer_count_keeps_its_precision() {
        check_constant("to_timestamp_ltz(1706695509123456, 6)", "2024-01-31 10:05:09.123456Z");
        check_constant("to_timestamp_ltz(1706695509123456789, 9)", "2024-01-31 10:05:09.123456789Z");
        check_constant(
            "to_timestamp_ltz(1, 4)",
            "Execution error: TO_TIMESTAMP_LTZ has no precision 4: it is 0, 3, 6 or 9",
        );
    }
}
