//! `FLOOR(time TO unit)` and `CEIL(time TO unit)`.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use datafusion::common::Result;

use super::super::call::{Call, Compiled};
use super::super::declaration::{Function, Kind, Types, takes};
use super::super::instants::column_of;
use super::unit::{DAY, Unit};

fn types(args: &[DataType]) -> Option<Types> {
    let [time, unit] = args else { return None };
    if time.is_temporal() && matches!(time, DataType::Time32(_) | DataType::Time64(_)) {
        takes(std::slice::from_ref(unit), &[Kind::Text], 1, time.clone())?;
        return Some(Types { args: vec![time.clone(), DataType::Utf8], result: time.clone() });
    }
    let mut types = takes(args, &[Kind::Time, Kind::Text], 2, DataType::Null)?;
    types.result = types.args[0].clone();
    Some(types)
}

pub(in super::super) static FLOOR_TIME: Function = Function {
    names: &["floor_time"],
    usage: "FLOOR(time TO unit)",
    about: "The beginning of the unit that the time lies in; weeks begin on Sunday. Units: MILLISECOND, SECOND, \
            MINUTE, HOUR, DAY, WEEK, MONTH, QUARTER, YEAR, DECADE, CENTURY, MILLENNIUM. A TIMESTAMP_LTZ follows the \
            session's time zone. Also callable as `floor_time(time, 'HOUR')`.",
    examples: &[
        ("floor_time(TIMESTAMP '2024-05-15 12:44:31.5', 'HOUR')", "2024-05-15 12:00:00"),
        ("floor_time(TIME '12:44:31', 'MINUTE')", "12:44:00"),
        ("floor_time(TIMESTAMP '2024-05-15 12:44:31.5', 'WEEK')", "2024-05-12 00:00:00"),
        ("floor_time(TIMESTAMP '2024-05-15 12:44:31.5', 'QUARTER')", "2024-04-01 00:00:00"),
        ("floor_time(DATE '2024-05-15', 'YEAR')", "2024-01-01"),
        ("floor_time(TIMESTAMP '1969-12-31 23:59:59.5', 'SECOND')", "1969-12-31 23:59:59"),
        ("floor_time(TIMESTAMP '1925-05-15 12:44:31.5', 'DECADE')", "1920-01-01 00:00:00"),
        ("floor_time(DATE '2000-05-15', 'CENTURY')", "1901-01-01"),
        ("floor_time(CAST(NULL AS TIMESTAMP), 'DAY')", "NULL"),
    ],
    types,
    compute: |call| round(call, floor),
    ..Function::PLAIN
};

pub(in super::super) static CEIL_TIME: Function = Function {
    names: &["ceil_time"],
    usage: "CEIL(time TO unit)",
    about: "The first beginning of a unit that is not before the time. Units as for FLOOR. \
            Also callable as `ceil_time(time, 'HOUR')`.",
    examples: &[
        ("ceil_time(TIMESTAMP '2024-05-15 12:44:31', 'HOUR')", "2024-05-15 13:00:00"),
        ("ceil_time(TIMESTAMP '2024-05-15 12:00:00', 'HOUR')", "2024-05-15 12:00:00"),
        ("ceil_time(TIMESTAMP '2024-12-15 12:44:31', 'MONTH')", "2025-01-01 00:00:00"),
        ("ceil_time(TIME '12:44:31', 'MINUTE')", "12:45:00"),
        ("ceil_time(DATE '2024-05-15', 'WEEK')", "2024-05-19"),
    ],
    types,
    compute: |call| {
        round(call, |time, unit| {
            let start = floor(time, unit)?;
            if start == time { Some(start) } else { unit.add(start, 1) }
        })
    },
    ..Function::PLAIN
};

fn round(call: &Call, f: impl Fn(NaiveDateTime, Unit) -> Option<NaiveDateTime>) -> Result<ArrayRef> {
    let (time, unit) = (call.instants(0)?, call.text(1)?);
    let zone = call.zone()?;
    let mut units = Compiled::new();
    column_of(call.result_type(), call.rows, |row| {
        let (Some(utc), Some(name)) = (time.utc(row), unit.at(row)) else { return Ok(None) };
        let unit = *units.get(name, Unit::parse)?;
        if !time.is_instant || unit.is_days() {
            let rounded = time.local(row, zone).and_then(|local| f(local, unit));
            return Ok(rounded.and_then(|rounded| time.ticks_of(rounded, zone)));
        }
        // Within a day the offset is carried along, so that of an hour that comes twice each stays itself.
        let offset = TimeDelta::seconds(zone.offset_at(utc).into());
        Ok(utc
            .checked_add_signed(offset)
            .and_then(|local| f(local, unit)?.checked_sub_signed(offset))
            .and_then(|utc| super::super::instants::to_ticks(utc, time.per_second)))
    })
}

fn floor(time: NaiveDateTime, unit: Unit) -> Option<NaiveDateTime> {
    let date = time.date();
    match unit {
        Unit::Months(months) => {
            // Decades begin in years that ten divides, centuries and millennia a year later: the 21st in 2001. Quarters and
            // months are within the year.
            let first = if months > 120 { 12 } else { 0 };
            let month = i64::from(date.year()) * 12 + i64::from(date.month0()) - first;
            let start = month - month.rem_euclid(months) + first;
            let year = i32::try_from(start.div_euclid(12)).ok()?;
            Some(NaiveDate::from_ymd_opt(year, start.rem_euclid(12) as u32 + 1, 1)?.into())
        }
        Unit::Micros(size) if size > DAY => {
            let sunday = TimeDelta::days(date.weekday().num_days_from_sunday().into());
            Some(date.checked_sub_signed(sunday)?.into())
        }
        Unit::Micros(size) => {
            let since_midnight = time.time().signed_duration_since(NaiveTime::MIN).num_nanoseconds()?;
            Some(NaiveDateTime::from(date) + TimeDelta::nanoseconds(since_midnight - since_midnight % (size * 1_000)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::check_in;

    #[test]
    fn the_day_of_an_instant_is_the_sessions() {
        // 2024-03-31 22:30 UTC is April 1 in Berlin; the day begins at 22:00 UTC in summer time.
        let time = "to_timestamp_ltz(1711924200, 0)";
        check_in("Europe/Berlin", &format!("floor_time({time}, 'DAY')"), "2024-03-31 22:00:00Z");
        check_in("Europe/Berlin", &format!("floor_time({time}, 'MONTH')"), "2024-03-31 22:00:00Z");
        check_in("UTC", &format!("floor_time({time}, 'DAY')"), "2024-03-31 00:00:00Z");
        check_in("Asia/Kolkata", &format!("floor_time({time}, 'HOUR')"), "2024-03-31 22:30:00Z");
    }

    #[test]
    fn an_hour_that_comes_twice_stays_itself() {
        // 2024-10-27 00:30 and 01:30 UTC are both 02:30 in Berlin.
        check_in("Europe/Berlin", "floor_time(to_timestamp_ltz(1729989000, 0), 'HOUR')", "2024-10-27 00:00:00Z");
        check_in("Europe/Berlin", "floor_time(to_timestamp_ltz(1729992600, 0), 'HOUR')", "2024-10-27 01:00:00Z");
    }
}
