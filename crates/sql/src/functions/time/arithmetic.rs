//! `TIMESTAMPDIFF` and `TIMESTAMPADD`: counting and adding units of time.

use arrow::array::Int64Array;
use arrow::datatypes::{DataType, TimeUnit};
use chrono::{Datelike, NaiveDateTime};

use super::super::call::Compiled;
use super::super::declaration::{Function, Kind, takes};
use super::super::instants::{SECONDS_PER_DAY, column_of, to_ticks};
use super::unit::Unit;

/// Counts whole units between two times.
pub(in super::super) static TIMESTAMPDIFF: Function = Function {
    names: &["timestampdiff"],
    usage: "TIMESTAMPDIFF(unit, from, to)",
    about: "How many whole units lie between two times, as BIGINT; less than 0 if the second is earlier. Units: \
            MICROSECOND, MILLISECOND, SECOND, MINUTE, HOUR, DAY, WEEK, MONTH, QUARTER, YEAR.",
    examples: &[
        ("timestampdiff('MINUTE', TIMESTAMP '2024-01-31 10:00:00', TIMESTAMP '2024-01-31 11:30:59')", "90"),
        ("timestampdiff('DAY', TIMESTAMP '2024-01-31 10:00:00', TIMESTAMP '2024-02-02 09:59:59')", "1"),
        ("timestampdiff('SECOND', TIMESTAMP '2024-01-31 10:00:01', TIMESTAMP '2024-01-31 10:00:00')", "-1"),
        ("timestampdiff('MONTH', TIMESTAMP '2024-01-31 10:00:00', TIMESTAMP '2024-02-29 10:00:00')", "1"),
        ("timestampdiff('MONTH', TIMESTAMP '2024-01-15 10:00:00', TIMESTAMP '2024-03-15 09:00:00')", "1"),
        ("timestampdiff('YEAR', DATE '2020-02-29', DATE '2024-02-28')", "3"),
        ("timestampdiff('WEEK', DATE '2024-01-01', DATE '2023-12-01')", "-4"),
        ("timestampdiff('HOUR', DATE '2024-01-01', TIMESTAMP '2024-01-01 05:00:00')", "5"),
        ("timestampdiff('DAY', CAST(NULL AS TIMESTAMP), TIMESTAMP '2024-01-01 05:00:00')", "NULL"),
    ],
    types: |args| takes(args, &[Kind::Text, Kind::Time, Kind::Time], 3, DataType::Int64),
    compute: |call| {
        let (unit, from, to) = (call.text(0)?, call.instants(1)?, call.instants(2)?);
        let zone = call.zone()?;
        let mut units = Compiled::new();
        call.collected::<i64, Int64Array>(|row| {
            let Some(name) = unit.at(row) else { return Ok(None) };
            Ok(match *units.get(name, Unit::parse)? {
                Unit::Micros(size) => {
                    // Two instants are compared as such, so that an hour skipped by the wall's clock does not count.
                    let both_instants = from.is_instant && to.is_instant;
                    let ends = if both_instants {
                        from.utc(row).zip(to.utc(row))
                    } else {
                        from.local(row, zone).zip(to.local(row, zone))
                    };
                    ends.and_then(|(a, b)| Some(to_ticks(b, 1_000_000)?.checked_sub(to_ticks(a, 1_000_000)?)? / size))
                }
                Unit::Months(size) => {
                    from.local(row, zone).zip(to.local(row, zone)).map(|(a, b)| whole_months(a, b) / size)
                }
            })
        })
    },
    ..Function::PLAIN
};

/// How often a month can be added to `a` without passing `b`; the other way round if `b` is earlier.
fn whole_months(a: NaiveDateTime, b: NaiveDateTime) -> i64 {
    if b < a {
        return -whole_months(b, a);
    }
    let months = i64::from(b.year() - a.year()) * 12 + i64::from(b.month()) - i64::from(a.month());
    match Unit::Months(1).add(a, months) {
        Some(reached) if reached > b => months - 1,
        _ => months,
    }
}

/// Adds units to a time.
pub(in super::super) static TIMESTAMPADD: Function = Function {
    names: &["timestampadd"],
    usage: "TIMESTAMPADD(unit, count, time)",
    about: "The time so many units later, of the same type; a date and a unit shorter than a day give a TIMESTAMP, and \
            a TIME goes on past midnight. Units as for TIMESTAMPDIFF.",
    examples: &[
        ("timestampadd('MINUTE', 90, TIMESTAMP '2024-01-31 10:00:00')", "2024-01-31 11:30:00"),
        ("timestampadd('MONTH', 1, TIMESTAMP '2024-01-31 10:00:00')", "2024-02-29 10:00:00"),
        ("timestampadd('QUARTER', -1, DATE '2024-01-31')", "2023-10-31"),
        ("timestampadd('WEEK', 1, DATE '2003-01-02')", "2003-01-09"),
        ("timestampadd('MILLISECOND', 5, TIMESTAMP '2024-01-31 10:00:00')", "2024-01-31 10:00:00.005"),
        ("timestampadd('MINUTE', 90, TIME '23:00:00')", "00:30:00"),
        ("timestampadd('DAY', 1, TIME '23:00:00')", "23:00:00"),
        ("timestampadd('YEAR', 1, CAST(NULL AS DATE))", "NULL"),
        ("timestampadd('DAY', 9223372036854775807, TIMESTAMP '2024-01-31 10:00:00')", "NULL"),
    ],
    types: |args| {
        if let [unit, count, time @ (DataType::Time32(_) | DataType::Time64(_))] = args {
            let mut types = takes(&[unit.clone(), count.clone()], &[Kind::Text, Kind::Int], 2, time.clone())?;
            types.args.push(time.clone());
            return Some(types);
        }
        let mut types = takes(args, &[Kind::Text, Kind::Int, Kind::Time], 3, DataType::Null)?;
        types.result = types.args[2].clone();
        Some(types)
    },
    by_value: Some(|types, values| {
        let unit = values[0]?.try_as_str()??;
        let whole_days = Unit::parse(unit).ok()?.is_days();
        let fraction = TimeUnit::Millisecond;
        (types[2] == DataType::Date32 && !whole_days).then_some(DataType::Timestamp(fraction, None))
    }),
    compute: |call| {
        let (unit, count, time) = (call.text(0)?, call.int(1)?, call.instants(2)?);
        let zone = call.zone()?;
        let mut units = Compiled::new();
        let widened = call.type_of(2) == &DataType::Date32 && call.result_type() != &DataType::Date32;
        let is_time_of_day = matches!(call.type_of(2), DataType::Time32(_) | DataType::Time64(_));
        let day = time.per_second * SECONDS_PER_DAY;
        column_of(call.result_type(), call.rows, |row| {
            let (Some(name), Some(count)) = (unit.at(row), count.at(row)) else { return Ok(None) };
            let unit = *units.get(name, Unit::parse)?;
            let ticks = match unit {
                // Months, and days too, are those of the wall: the hour stays when the clock changes.
                unit if unit.is_days() => time
                    .local(row, zone)
                    .and_then(|t| unit.add(t, count))
                    .and_then(|t| if widened { to_ticks(t, 1_000) } else { time.ticks_of(t, zone) }),
                unit => time
                    .utc(row)
                    .and_then(|t| unit.add(t, count))
                    .and_then(|t| to_ticks(t, if widened { 1_000 } else { time.per_second })),
            };
            Ok(if is_time_of_day { ticks.map(|ticks| ticks.rem_euclid(day)) } else { ticks })
        })
    },
    ..Function::PLAIN
};

#[cfg(test)]
mod tests {
    use super::super::super::tests::{check, check_constant};

    #[test]
    fn a_short_unit_makes_a_date_a_timestamp() {
        check_constant("timestampadd('HOUR', 5, DATE '2024-01-31')", "2024-01-31 05:00:00");
    }

    #[test]
    fn an_unknown_unit_is_an_error_that_lists_them() {
        check(
            "timestampadd('FORTNIGHT', 1, DATE '2024-01-31')",
            "Execution error: there is no unit of time 'FORTNIGHT'; there are MICROSECOND, MILLISECOND, SECOND, \
             MINUTE, HOUR, DAY, WEEK, MONTH, QUARTER, YEAR, DECADE, CENTURY, MILLENNIUM",
        );
    }
}
