//! The parts of a time: `YEAR`, `HOUR`, `DAYOFWEEK` and their like.

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::DataType;
use chrono::{Datelike, NaiveDateTime, Timelike};
use datafusion::common::Result;

use super::super::call::Call;
use super::super::declaration::{Function, Kind, Types, takes};

fn part(call: &Call, part: impl Fn(NaiveDateTime) -> u32) -> Result<ArrayRef> {
    let time = call.instants(0)?;
    let zone = call.zone()?;
    call.collected::<i64, Int64Array>(|row| Ok(time.local(row, zone).map(|t| i64::from(part(t)))))
}

/// The types of the parts of a date.
fn of_date(args: &[DataType]) -> Option<Types> {
    takes(args, &[Kind::Time], 1, DataType::Int64)
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

pub(in super::super) static YEAR: Function = Function {
    names: &["year"],
    usage: "YEAR(time)",
    about: "The year, as BIGINT. `EXTRACT(YEAR FROM time)` is the same, and so on for all parts.",
    examples: &[("year(DATE '1994-09-27')", "1994"), ("year(CAST(NULL AS TIMESTAMP))", "NULL")],
    types: of_date,
    compute: |call| {
        let time = call.instants(0)?;
        let zone = call.zone()?;
        call.collected::<i64, Int64Array>(|row| Ok(time.local(row, zone).map(|t| t.year().into())))
    },
    ..Function::PLAIN
};

pub(in super::super) static QUARTER: Function = Function {
    names: &["quarter"],
    usage: "QUARTER(time)",
    about: "The quarter of the year, 1 to 4.",
    examples: &[("quarter(DATE '1994-09-27')", "3")],
    types: of_date,
    compute: |call| part(call, |t| t.quarter()),
    ..Function::PLAIN
};

pub(in super::super) static MONTH: Function = Function {
    names: &["month"],
    usage: "MONTH(time)",
    about: "The month of the year, 1 to 12.",
    examples: &[("month(DATE '1994-09-27')", "9")],
    types: of_date,
    compute: |call| part(call, |t| t.month()),
    ..Function::PLAIN
};

pub(in super::super) static WEEK: Function = Function {
    names: &["week"],
    usage: "WEEK(time)",
    about: "The week of the year by ISO 8601: it begins on Monday, and week 1 has the year's first Thursday.",
    examples: &[("week(DATE '1994-09-27')", "39"), ("week(DATE '2024-12-30')", "1")],
    types: of_date,
    compute: |call| part(call, |t| t.iso_week().week()),
    ..Function::PLAIN
};

pub(in super::super) static DAYOFYEAR: Function = Function {
    names: &["dayofyear"],
    usage: "DAYOFYEAR(time)",
    about: "The day of the year, 1 to 366.",
    examples: &[("dayofyear(DATE '1994-09-27')", "270")],
    types: of_date,
    compute: |call| part(call, |t| t.ordinal()),
    ..Function::PLAIN
};

pub(in super::super) static DAYOFMONTH: Function = Function {
    names: &["dayofmonth", "day"],
    usage: "DAYOFMONTH(time)",
    about: "The day of the month, 1 to 31.",
    examples: &[("dayofmonth(DATE '1994-09-27')", "27")],
    types: of_date,
    compute: |call| part(call, |t| t.day()),
    ..Function::PLAIN
};

pub(in super::super) static DAYOFWEEK: Function = Function {
    names: &["dayofweek"],
    usage: "DAYOFWEEK(time)",
    about: "The day of the week: 1 is Sunday, 7 is Saturday.",
    examples: &[("dayofweek(DATE '1994-09-27')", "3"), ("dayofweek(DATE '2024-01-07')", "1")],
    types: of_date,
    compute: |call| part(call, |t| t.weekday().num_days_from_sunday() + 1),
    ..Function::PLAIN
};

pub(in super::super) static HOUR: Function = Function {
    names: &["hour"],
    usage: "HOUR(time)",
    about: "The hour of the day, 0 to 23.",
    examples: &[("hour(TIMESTAMP '1994-09-27 13:14:15')", "13"), ("hour(TIME '13:14:15')", "13")],
    types: of_time,
    compute: |call| part(call, |t| t.hour()),
    ..Function::PLAIN
};

pub(in super::super) static MINUTE: Function = Function {
    names: &["minute"],
    usage: "MINUTE(time)",
    about: "The minute of the hour, 0 to 59.",
    examples: &[("minute(TIMESTAMP '1994-09-27 13:14:15')", "14"), ("minute(TIMESTAMP '1960-09-27 13:14:15.5')", "14")],
    types: of_time,
    compute: |call| part(call, |t| t.minute()),
    ..Function::PLAIN
};

pub(in super::super) static SECOND: Function = Function {
    names: &["second"],
    usage: "SECOND(time)",
    about: "The second of the minute, 0 to 59.",
    examples: &[("second(TIMESTAMP '1994-09-27 13:14:15.9')", "15")],
    types: of_time,
    compute: |call| part(call, |t| t.second()),
    ..Function::PLAIN
};

#[cfg(test)]
mod tests {
    use super::super::super::tests::check_in;

    #[test]
    fn an_instant_is_read_in_the_session_zone() {
        check_in("Europe/Berlin", "hour(to_timestamp_ltz(1719784800, 0))", "0");
        check_in("Europe/Berlin", "month(to_timestamp_ltz(1719784800, 0))", "7");
        check_in("UTC", "month(to_timestamp_ltz(1719784800, 0))", "6");
        check_in("Europe/Berlin", "hour(TIMESTAMP '2024-06-30 22:00:00')", "22");
    }
}
