//! Times as text: `DATE_FORMAT`, `TO_CHAR`, `FROM_UNIXTIME`, `CONVERT_TZ`.

use std::fmt::Write;

use arrow::datatypes::DataType;
use chrono::DateTime;
use datafusion::common::exec_err;
use datafusion::logical_expr::Volatility;

use super::super::call::Compiled;
use super::super::declaration::{Function, Kind, takes};
use super::super::pattern::{Pattern, Template, parse_standard};
use super::super::zone::Zone;

const STANDARD: &str = "yyyy-MM-dd HH:mm:ss";

pub(in super::super) static DATE_FORMAT: Function = Function {
    names: &["date_format"],
    usage: "DATE_FORMAT(time, pattern)",
    about: "The time as text, by a pattern of Java's letters: `y` year, `M` month, `d` day, `H` hour, `m` minute, `s` \
            second, `S` fraction, `E` day of the week, `a` AM or PM, `D` day of the year, `w` week, `Q` quarter, `X` \
            offset; text stands in quotes. A string is read as a TIMESTAMP; a TIMESTAMP_LTZ is shown in the session's \
            time zone.",
    examples: &[
        ("date_format(TIMESTAMP '2024-01-31 10:05:09', 'yyyy-MM-dd HH:mm')", "2024-01-31 10:05"),
        ("date_format('2024-01-31 10:05:09', 'yyyyMMdd')", "20240131"),
        ("date_format(TIMESTAMP '2024-01-31 15:05:09.123456', 'h:mm:ss.SSS a')", "3:05:09.123 PM"),
        ("date_format(TIMESTAMP '2024-01-31 15:05:09', 'yyyy-MM-dd''T''HH:mm:ssXXX')", "2024-01-31T15:05:09Z"),
        ("date_format(DATE '2024-01-31', 'EEE, d MMM yy')", "Wed, 31 Jan 24"),
        ("date_format(DATE '2024-01-31', 'EEEE MMMM DDD ww k Q')", "Wednesday January 031 05 24 1"),
        ("date_format(DATE '2024-12-31', 'YYYY ww W e')", "2025 01 5 3"),
        ("date_format('no time', 'yyyy')", "NULL"),
        ("date_format(CAST(NULL AS TIMESTAMP), 'yyyy')", "NULL"),
    ],
    volatility: Volatility::Stable,
    types: |args| {
        takes(args, &[Kind::Text, Kind::Text], 2, DataType::Utf8)
            .or_else(|| takes(args, &[Kind::Time, Kind::Text], 2, DataType::Utf8))
    },
    compute: |call| {
        let pattern = call.text(1)?;
        let mut patterns = Compiled::new();
        if call.type_of(0) == &DataType::Utf8 {
            let text = call.text(0)?;
            return call.written(|row, out| {
                let (Some(text), Some(pattern)) = (text.at(row), pattern.at(row)) else { return Ok(None) };
                let pattern = patterns.get(pattern, Pattern::compile)?;
                Ok(parse_standard(text).and_then(|read| pattern.format(read.to_utc(Zone::UTC)?, Zone::UTC, out)))
            });
        }
        let time = call.instants(0)?;
        let zone = if time.is_instant { call.zone()? } else { Zone::UTC };
        call.written(|row, out| {
            let (Some(utc), Some(pattern)) = (time.utc(row), pattern.at(row)) else { return Ok(None) };
            Ok(patterns.get(pattern, Pattern::compile)?.format(utc, zone, out))
        })
    },
    ..Function::PLAIN
};

pub(in super::super) static TO_CHAR: Function = Function {
    names: &["to_char"],
    usage: "TO_CHAR(time, pattern)",
    about: "The time as text, by a pattern of PostgreSQL: `YYYY`, `MM`, `DD`, `HH24`, `HH12`, `MI`, `SS`, `MS`, `US`, `Mon`, \
            `Month`, `Dy`, `Day`, `AM`, `Q`, `IW`, `TZ` and so on; `FM` leaves blanks and zeros away, and text stands in double \
            quotes. A pattern with `%` is one of DataFusion's: `%Y-%m`. A TIMESTAMP_LTZ is shown in the session's time zone.",
    examples: &[
        ("to_char(DATE '2022-03-01', 'YYYY-MM')", "2022-03"),
        ("to_char(TIMESTAMP '2022-03-01 15:04:05.123456', 'YYYY-MM-DD HH24:MI:SS.US')", "2022-03-01 15:04:05.123456"),
        ("to_char(TIMESTAMP '2022-03-01 15:04:05.123456', 'yyyymmdd hh12:mi:ss.ms pm')", "20220301 03:04:05.123 pm"),
        ("to_char(DATE '2022-03-01', 'FMDay, FMDD Mon YY \"day\" DDD')", "Tuesday, 1 Mar 22 day 060"),
        ("to_char(DATE '2022-03-01', 'Month|DY|Q|IYYY-IW-ID')", "March    |TUE|1|2022-09-2"),
        ("to_char(DATE '2022-03-01', '%d.%m.%Y')", "01.03.2022"),
        ("to_char(CAST(NULL AS DATE), 'YYYY')", "NULL"),
    ],
    volatility: Volatility::Stable,
    types: |args| takes(args, &[Kind::Time, Kind::Text], 2, DataType::Utf8),
    otherwise: Some(datafusion::functions::datetime::to_char),
    compute: |call| {
        let (time, pattern) = (call.instants(0)?, call.text(1)?);
        let zone = if time.is_instant { call.zone()? } else { Zone::UTC };
        let mut patterns = Compiled::new();
        call.written(|row, out| {
            let (Some(utc), Some(pattern)) = (time.utc(row), pattern.at(row)) else { return Ok(None) };
            if pattern.contains('%') {
                let Some(local) = zone.to_local(utc) else { return Ok(None) };
                return match write!(out, "{}", local.format(pattern)) {
                    Ok(()) => Ok(Some(())),
                    Err(_) => exec_err!("the date pattern \"{pattern}\" has a % that stands for nothing"),
                };
            }
            Ok(patterns.get(pattern, |p| Ok(Template::compile(p)))?.format(utc, zone, out))
        })
    },
    ..Function::PLAIN
};

pub(in super::super) static FROM_UNIXTIME: Function = Function {
    names: &["from_unixtime"],
    usage: "FROM_UNIXTIME(seconds[, pattern])",
    about: "Seconds since 1970-01-01 00:00 UTC as text in the session's time zone, by a pattern as for DATE_FORMAT \
            (without one: `yyyy-MM-dd HH:mm:ss`).",
    examples: &[
        ("from_unixtime(44)", "1970-01-01 00:00:44"),
        ("from_unixtime(1706695509, 'yyyy/MM/dd HH')", "2024/01/31 10"),
        ("from_unixtime(9223372036854775807)", "NULL"),
        ("from_unixtime(CAST(NULL AS BIGINT))", "NULL"),
    ],
    volatility: Volatility::Stable,
    types: |args| {
        // A number of any kind: fractions of a second are cut off.
        let whole =
            args.first().map(|t| if t.is_floating() || t.is_decimal() { DataType::Int64 } else { t.clone() })?;
        let args: Vec<DataType> = [whole].into_iter().chain(args[1..].iter().cloned()).collect();
        takes(&args, &[Kind::Int, Kind::Text], 1, DataType::Utf8)
    },
    compute: |call| {
        let seconds = call.int(0)?;
        let pattern = if call.len() > 1 { Some(call.text(1)?) } else { None };
        let zone = call.zone()?;
        let mut patterns = Compiled::new();
        call.written(|row, out| {
            let pattern = match &pattern {
                Some(pattern) => pattern.at(row),
                None => Some(STANDARD),
            };
            let (Some(seconds), Some(pattern)) = (seconds.at(row), pattern) else { return Ok(None) };
            let pattern = patterns.get(pattern, Pattern::compile)?;
            Ok(DateTime::from_timestamp(seconds, 0).and_then(|t| pattern.format(t.naive_utc(), zone, out)))
        })
    },
    ..Function::PLAIN
};

pub(in super::super) static CONVERT_TZ: Function = Function {
    names: &["convert_tz"],
    usage: "CONVERT_TZ(string, from, to)",
    about: "The text of a time (`yyyy-MM-dd HH:mm:ss`) in one time zone as the text of the same instant in another. \
            Zones are names (`America/Los_Angeles`), `PST` and its like, or offsets (`GMT-08:00`).",
    examples: &[
        ("convert_tz('1970-01-01 00:00:00', 'UTC', 'America/Los_Angeles')", "1969-12-31 16:00:00"),
        ("convert_tz('2024-07-01 12:00:00', 'Europe/Berlin', 'GMT-08:00')", "2024-07-01 02:00:00"),
        ("convert_tz('2024-07-01', '+02:00', 'UTC')", "2024-06-30 22:00:00"),
        ("convert_tz('2024-07-01 12:00:00', 'Europe/Atlantis', 'UTC')", "NULL"),
        ("convert_tz('no time', 'UTC', 'UTC')", "NULL"),
    ],
    types: |args| takes(args, &[Kind::Text; 3], 3, DataType::Utf8),
    compute: |call| {
        let (text, from, to) = (call.text(0)?, call.text(1)?, call.text(2)?);
        let (mut froms, mut tos) = (Compiled::new(), Compiled::new());
        let standard = Pattern::compile(STANDARD)?;
        call.written(|row, out| {
            let (Some(text), Some(from), Some(to)) = (text.at(row), from.at(row), to.at(row)) else { return Ok(None) };
            let from = *froms.get(from, |name| Ok(Zone::parse(name)))?;
            let to = *tos.get(to, |name| Ok(Zone::parse(name)))?;
            let (Some(from), Some(to)) = (from, to) else { return Ok(None) };
            Ok(parse_standard(text).and_then(|read| standard.format(read.to_utc(from)?, to, out)))
        })
    },
    ..Function::PLAIN
};

#[cfg(test)]
mod tests {
    use super::super::super::tests::{check, check_in};

    #[test]
    fn an_instant_is_shown_in_the_session_zone() {
        let instant = "to_timestamp_ltz(1706695509123, 3)";
        check_in(
            "Asia/Tokyo",
            &format!("date_format({instant}, 'yyyy-MM-dd HH:mm:ss.SSS z XXX')"),
            "2024-01-31 19:05:09.123 JST +09:00",
        );
        check_in("Asia/Tokyo", "date_format(TIMESTAMP '2024-01-31 10:05:09', 'HH')", "10");
        check_in("Asia/Tokyo", "from_unixtime(44)", "1970-01-01 09:00:44");
        check_in("+05:30", &format!("date_format({instant}, 'HH:mm xx')"), "15:35 +0530");
    }

    #[test]
    fn a_pattern_that_means_nothing_is_an_error() {
        check(
            "date_format(DATE '2024-01-31', 'yyyy-MM-ddThh')",
            "Execution error: the date pattern \"yyyy-MM-ddThh\" has the letter T, which stands for nothing; text is quoted: 'T'",
        );
        check(
            "date_format(DATE '2024-01-31', '''open')",
            "Execution error: the quote in the date pattern \"'open\" is not closed",
        );
    }
}
