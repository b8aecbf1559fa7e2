//! The parts of a time: `YEAR`, `HOUR`, `DAYOFWEEK` and their like.

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit};
use chrono::{Datelike, NaiveDateTime, Timelike};
use datafusion::common::Result;

use super::super::call::Call;
use super::super::declaration::{Function, Kind, Types, takes};

const NANOS_PER_SECOND: i128 = 1_000_000_000;

fn is_length(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Interval(_) | DataType::Duration(_))
}

/// The part of each time, or of each interval; the difference of two times is one of nanoseconds.
fn part(
    call: &Call,
    of_time: impl Fn(NaiveDateTime) -> i64,
    of_interval: impl Fn(IntervalMonthDayNano) -> i64,
) -> Result<ArrayRef> {
    if is_length(call.type_of(0)) {
        let lengths = cast(&call.array(0)?, &DataType::Interval(IntervalUnit::MonthDayNano))?;
        let lengths = lengths.as_primitive::<IntervalMonthDayNanoType>();
        return call
            .collected::<i64, Int64Array>(|row| Ok(lengths.is_valid(row).then(|| of_interval(lengths.value(row)))));
    }
    let time = call.instants(0)?;
    let zone = call.zone()?;
    call.collected::<i64, Int64Array>(|row| Ok(time.local(row, zone).map(&of_time)))
}

/// The types of the parts of a date, and of an interval.
fn of_date(args: &[DataType]) -> Option<Types> {
    match args {
        [length] if is_length(length) => Some(Types { args: vec![length.clone()], result: DataType::Int64 }),
        _ => takes(args, &[Kind::Time], 1, DataType::Int64),
    }
}

/// The types of the parts of a time, which a time of day has too.
fn of_time(args: &[DataType]) -> Option<Types> {
    match args {
        [time @ (DataType::Time32(_) | DataType::Time64(_))] => {
            Some(Types { args: vec![time.clone()], result: DataType::Int64 })
        }
        _ => of_date(args),
    }
}

/// The days of an interval, and its hours beyond them, in nanoseconds.
fn nanos(length: IntervalMonthDayNano) -> i128 {
    i128::from(length.days) * 86_400 * NANOS_PER_SECOND + i128::from(length.nanoseconds)
}

/// How many units of so many nanoseconds an interval has that make no larger unit, of which there are `of` in one.
fn units(length: IntervalMonthDayNano, size: i128, of: i128) -> i64 {
    (nanos(length) / size % of) as i64
}

/// What no interval has.
fn none(_: IntervalMonthDayNano) -> i64 {
    0
}

/// The number of a century or of a millennium, which begins in the year after a full one.
fn era(year: i32, size: i32) -> i64 {
    i64::from(if year > 0 { (year - 1) / size + 1 } else { year / size - 1 })
}

pub(in super::super) static YEAR: Function = Function {
    names: &["year"],
    usage: "YEAR(time)",
    about: "The year, as BIGINT. `EXTRACT(YEAR FROM time)` is the same, and so on for all parts; they are taken of intervals too. Others, by \
            EXTRACT alone: DECADE, CENTURY, MILLENNIUM, ISOYEAR, ISODOW, EPOCH, and of the second alone MILLISECOND, MICROSECOND, NANOSECOND.",
    examples: &[("year(DATE '1994-09-27')", "1994"), ("year(CAST(NULL AS TIMESTAMP))", "NULL")],
    types: of_date,
    compute: |call| part(call, |t| t.year().into(), |l| i64::from(l.months / 12)),
    ..Function::PLAIN
};

pub(in super::super) static QUARTER: Function = Function {
    names: &["quarter"],
    usage: "QUARTER(time)",
    about: "The quarter of the year, 1 to 4.",
    examples: &[("quarter(DATE '1994-09-27')", "3")],
    types: of_date,
    compute: |call| part(call, |t| t.quarter().into(), |l| i64::from(l.months % 12 / 3 + 1)),
    ..Function::PLAIN
};

pub(in super::super) static MONTH: Function = Function {
    names: &["month"],
    usage: "MONTH(time)",
    about: "The month of the year, 1 to 12.",
    examples: &[("month(DATE '1994-09-27')", "9")],
    types: of_date,
    compute: |call| part(call, |t| t.month().into(), |l| i64::from(l.months % 12)),
    ..Function::PLAIN
};

pub(in super::super) static WEEK: Function = Function {
    names: &["week"],
    usage: "WEEK(time)",
    about: "The week of the year by ISO 8601: it begins on Monday, and week 1 has the year's first Thursday.",
    examples: &[("week(DATE '1994-09-27')", "39"), ("week(DATE '2024-12-30')", "1")],
    types: of_date,
    compute: |call| part(call, |t| t.iso_week().week().into(), |l| units(l, 7 * 86_400 * NANOS_PER_SECOND, i128::MAX)),
    ..Function::PLAIN
};

pub(in super::super) static DAYOFYEAR: Function = Function {
    names: &["dayofyear"],
    usage: "DAYOFYEAR(time)",
    about: "The day of the year, 1 to 366.",
    examples: &[("dayofyear(DATE '1994-09-27')", "270")],
    types: of_date,
    compute: |call| part(call, |t| t.ordinal().into(), none),
    ..Function::PLAIN
};

pub(in super::super) static DAYOFMONTH: Function = Function {
    names: &["dayofmonth", "day"],
    usage: "DAYOFMONTH(time)",
    about: "The day of the month, 1 to 31.",
    examples: &[("dayofmonth(DATE '1994-09-27')", "27")],
    types: of_date,
    compute: |call| part(call, |t| t.day().into(), |l| units(l, 86_400 * NANOS_PER_SECOND, i128::MAX)),
    ..Function::PLAIN
};

pub(in super::super) static DAYOFWEEK: Function = Function {
    names: &["dayofweek"],
    usage: "DAYOFWEEK(time)",
    about: "The day of the week: 1 is Sunday, 7 is Saturday.",
    examples: &[("dayofweek(DATE '1994-09-27')", "3"), ("dayofweek(DATE '2024-01-07')", "1")],
    types: of_date,
    compute: |call| part(call, |t| i64::from(t.weekday().num_days_from_sunday()) + 1, none),
    ..Function::PLAIN
};

pub(in super::super) static HOUR: Function = Function {
    names: &["hour"],
    usage: "HOUR(time)",
    about: "The hour of the day, 0 to 23.",
    examples: &[("hour(TIMESTAMP '1994-09-27 13:14:15')", "13"), ("hour(TIME '13:14:15')", "13")],
    types: of_time,
    compute: |call| part(call, |t| t.hour().into(), |l| units(l, 3_600 * NANOS_PER_SECOND, 24)),
    ..Function::PLAIN
};

pub(in super::super) static MINUTE: Function = Function {
    names: &["minute"],
    usage: "MINUTE(time)",
    about: "The minute of the hour, 0 to 59.",
    examples: &[("minute(TIMESTAMP '1994-09-27 13:14:15')", "14"), ("minute(TIMESTAMP '1960-09-27 13:14:15.5')", "14")],
    types: of_time,
    compute: |call| part(call, |t| t.minute().into(), |l| units(l, 60 * NANOS_PER_SECOND, 60)),
    ..Function::PLAIN
};

pub(in super::super) static SECOND: Function = Function {
    names: &["second"],
    usage: "SECOND(time)",
    about: "The second of the minute, 0 to 59.",
    examples: &[("second(TIMESTAMP '1994-09-27 13:14:15.9')", "15")],
    types: of_time,
    compute: |call| part(call, |t| t.second().into(), |l| units(l, NANOS_PER_SECOND, 60)),
    ..Function::PLAIN
};

pub(in super::super) static DECADE: Function = Function {
    names: &["extract_decade"],
    usage: "EXTRACT(DECADE FROM time)",
    about: "The decade.",
    examples: &[("extract_decade(DATE '1994-09-27')", "199")],
    types: of_date,
    compute: |call| part(call, |t| i64::from(t.year().div_euclid(10)), |l| i64::from(l.months / 120)),
    ..Function::PLAIN
};

pub(in super::super) static CENTURY: Function = Function {
    names: &["extract_century"],
    usage: "EXTRACT(CENTURY FROM time)",
    about: "The century: the 20th ends with the year 2000.",
    examples: &[("extract_century(DATE '2000-01-31')", "20"), ("extract_century(DATE '2001-01-31')", "21")],
    types: of_date,
    compute: |call| part(call, |t| era(t.year(), 100), |l| i64::from(l.months / 1_200)),
    ..Function::PLAIN
};

pub(in super::super) static MILLENNIUM: Function = Function {
    names: &["extract_millennium"],
    usage: "EXTRACT(MILLENNIUM FROM time)",
    about: "The millennium: the second ends with the year 2000.",
    examples: &[("extract_millennium(DATE '2000-01-31')", "2")],
    types: of_date,
    compute: |call| part(call, |t| era(t.year(), 1_000), |l| i64::from(l.months / 12_000)),
    ..Function::PLAIN
};

pub(in super::super) static ISOYEAR: Function = Function {
    names: &["extract_isoyear"],
    usage: "EXTRACT(ISOYEAR FROM time)",
    about: "The year that the week lies in, by ISO 8601.",
    examples: &[("extract_isoyear(DATE '2024-12-30')", "2025")],
    types: of_date,
    compute: |call| part(call, |t| t.iso_week().year().into(), none),
    ..Function::PLAIN
};

pub(in super::super) static ISODOW: Function = Function {
    names: &["extract_isodow"],
    usage: "EXTRACT(ISODOW FROM time)",
    about: "The day of the week: 1 is Monday, 7 is Sunday.",
    examples: &[("extract_isodow(DATE '2024-01-07')", "7")],
    types: of_date,
    compute: |call| part(call, |t| i64::from(t.weekday().number_from_monday()), none),
    ..Function::PLAIN
};

pub(in super::super) static EPOCH: Function = Function {
    names: &["extract_epoch"],
    usage: "EXTRACT(EPOCH FROM time)",
    about: "Seconds since 1970-01-01 00:00 UTC, of an instant, or of a wall clock as if it were that of UTC; those of an interval.",
    examples: &[("extract_epoch(TIMESTAMP '1970-01-01 00:01:00.9')", "60")],
    types: of_date,
    compute: |call| {
        if is_length(call.type_of(0)) {
            return part(call, |_| 0, |l| units(l, NANOS_PER_SECOND, i128::MAX));
        }
        // An instant is the same in every zone.
        let time = call.instants(0)?;
        call.collected::<i64, Int64Array>(|row| Ok(time.utc(row).map(|t| t.and_utc().timestamp())))
    },
    ..Function::PLAIN
};

pub(in super::super) static MILLISECOND: Function = Function {
    names: &["extract_millisecond"],
    usage: "EXTRACT(MILLISECOND FROM time)",
    about: "The milliseconds of the second.",
    examples: &[("extract_millisecond(TIMESTAMP '2024-01-07 13:14:15.123456')", "123")],
    types: of_time,
    compute: |call| {
        part(call, |t| i64::from(t.nanosecond() % 1_000_000_000 / 1_000_000), |l| units(l, 1_000_000, 1_000))
    },
    ..Function::PLAIN
};

pub(in super::super) static MICROSECOND: Function = Function {
    names: &["extract_microsecond"],
    usage: "EXTRACT(MICROSECOND FROM time)",
    about: "The microseconds of the second.",
    examples: &[("extract_microsecond(TIMESTAMP '2024-01-07 13:14:15.123456')", "123456")],
    types: of_time,
    compute: |call| part(call, |t| i64::from(t.nanosecond() % 1_000_000_000 / 1_000), |l| units(l, 1_000, 1_000_000)),
    ..Function::PLAIN
};

pub(in super::super) static NANOSECOND: Function = Function {
    names: &["extract_nanosecond"],
    usage: "EXTRACT(NANOSECOND FROM time)",
    about: "The nanoseconds of the second.",
    examples: &[("extract_nanosecond(TIMESTAMP '2024-01-07 13:14:15.123456')", "123456000")],
    types: of_time,
    compute: |call| part(call, |t| i64::from(t.nanosecond() % 1_000_000_000), |l| units(l, 1, NANOS_PER_SECOND)),
    ..Function::PLAIN
};

#[cfg(test)]
mod tests {
    use super::super::super::tests::{check_constant, check_in};

    #[test]
    fn an_interval_has_parts_too() {
        check_constant("hour(INTERVAL '1 day 2 hours 3 minutes')", "2");
        check_constant("dayofmonth(INTERVAL '50 hours')", "2");
        check_constant("hour(TIMESTAMP '2024-01-02 05:00:00' - TIMESTAMP '2024-01-01 00:00:00')", "5");
        check_constant("extract_epoch(TIMESTAMP '2024-01-02 00:00:01' - TIMESTAMP '2024-01-01 00:00:00')", "86401");
        check_constant("month(INTERVAL '34 months')", "10");
        check_constant("year(INTERVAL '34 months')", "2");
        check_constant("extract_millisecond(INTERVAL '-1.5 seconds')", "-500");
        check_constant("extract_epoch(INTERVAL '1 day')", "86400");
    }

    #[test]
    fn an_instant_is_read_in_the_session_zone() {
        check_in("Europe/Berlin", "hour(to_timestamp_ltz(1719784800, 0))", "0");
        check_in("Europe/Berlin", "month(to_timestamp_ltz(1719784800, 0))", "7");
        check_in("UTC", "month(to_timestamp_ltz(1719784800, 0))", "6");
        check_in("Europe/Berlin", "hour(TIMESTAMP '2024-06-30 22:00:00')", "22");
    }
}
