//! The functions of the epoch's clock and watermark.
//!
//! All of an epoch sees one reading. They are volatile for the planner, which would else freeze the time of planning.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int64Array, Time32MillisecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::Result;
use datafusion::logical_expr::Volatility;
use tidemill_core::Watermark;

use super::super::call::Call;
use super::super::declaration::{Function, Kind, TIMESTAMP_3, Types, takes, timestamp_ltz};
use super::super::instants::{column_of, from_ticks, to_ticks};

const MICROS: i64 = 1_000_000;

fn instant_type(args: &[DataType]) -> Option<Types> {
    takes(args, &[], 0, timestamp_ltz(TimeUnit::Millisecond))
}

fn instant(call: &Call) -> Result<ArrayRef> {
    let millis = call.clock.now().div_euclid(1_000);
    Ok(cast(&Int64Array::from_value(millis, call.rows), call.result_type())?)
}

/// What the wall shows in the session's zone: days since 1970 and milliseconds of the day.
fn wall(call: &Call) -> Result<Option<(i64, i64)>> {
    let (utc, zone) = (from_ticks(call.clock.now(), MICROS), call.zone()?);
    let millis = utc.and_then(|utc| zone.to_local(utc)).and_then(|local| to_ticks(local, 1_000));
    Ok(millis.map(|m| (m.div_euclid(86_400_000), m.rem_euclid(86_400_000))))
}

pub(in super::super) static CURRENT_TIMESTAMP: Function = Function {
    names: &["current_timestamp", "now", "current_row_timestamp"],
    usage: "CURRENT_TIMESTAMP, NOW(), CURRENT_ROW_TIMESTAMP()",
    about: "The time, as TIMESTAMP_LTZ(3). All rows of an epoch see the same.",
    examples: &[("current_timestamp", "2024-01-31 10:05:09.123Z"), ("now()", "2024-01-31 10:05:09.123Z")],
    volatility: Volatility::Volatile,
    types: instant_type,
    compute: instant,
    ..Function::PLAIN
};

pub(in super::super) static PROCTIME: Function = Function {
    names: &["proctime"],
    usage: "PROCTIME()",
    about: "Processing time, as TIMESTAMP_LTZ(3) NOT NULL: the time at which the engine takes the row in.",
    examples: &[("proctime()", "2024-01-31 10:05:09.123Z")],
    volatility: Volatility::Volatile,
    types: instant_type,
    compute: instant,
    ..Function::PLAIN
};

pub(in super::super) static LOCALTIMESTAMP: Function = Function {
    names: &["localtimestamp"],
    usage: "LOCALTIMESTAMP",
    about: "What the clock on the wall shows in the session's time zone, as TIMESTAMP(3).",
    examples: &[("localtimestamp", "2024-01-31 10:05:09.123")],
    volatility: Volatility::Volatile,
    types: |args| takes(args, &[], 0, TIMESTAMP_3),
    compute: |call| {
        let wall = wall(call)?;
        column_of(call.result_type(), call.rows, |_| Ok(wall.map(|(days, millis)| days * 86_400_000 + millis)))
    },
    ..Function::PLAIN
};

pub(in super::super) static CURRENT_DATE: Function = Function {
    names: &["current_date", "today"],
    usage: "CURRENT_DATE",
    about: "Today's date in the session's time zone.",
    examples: &[("current_date", "2024-01-31")],
    volatility: Volatility::Volatile,
    types: |args| takes(args, &[], 0, DataType::Date32),
    compute: |call| {
        let days = wall(call)?.and_then(|(days, _)| i32::try_from(days).ok());
        Ok(Arc::new(std::iter::repeat_n(days, call.rows).collect::<Date32Array>()))
    },
    ..Function::PLAIN
};

pub(in super::super) static LOCALTIME: Function = Function {
    names: &["localtime", "current_time"],
    usage: "LOCALTIME, CURRENT_TIME",
    about: "The time of day in the session's time zone, in whole seconds.",
    examples: &[("localtime", "10:05:09")],
    volatility: Volatility::Volatile,
    types: |args| takes(args, &[], 0, DataType::Time32(TimeUnit::Millisecond)),
    compute: |call| {
        let millis = wall(call)?.map(|(_, millis)| (millis - millis % 1_000) as i32);
        Ok(Arc::new(std::iter::repeat_n(millis, call.rows).collect::<Time32MillisecondArray>()))
    },
    ..Function::PLAIN
};

pub(in super::super) static CURRENT_WATERMARK: Function = Function {
    names: &["current_watermark"],
    usage: "CURRENT_WATERMARK(time)",
    about: "The watermark of this epoch, with the type of the event-time column that is named; NULL while there is \
            none, and after the end of the input.",
    examples: &[("current_watermark(TIMESTAMP '2024-01-31 10:05:09')", "NULL")],
    volatility: Volatility::Volatile,
    types: |args| {
        let mut types = takes(args, &[Kind::Time], 1, DataType::Null)?;
        types.result = types.args[0].clone();
        Some(types)
    },
    compute: |call| {
        let per_second = call.instants(0)?.per_second;
        let watermark = match call.clock.watermark() {
            Watermark::MIN | Watermark::MAX => None,
            Watermark(micros) => from_ticks(micros, MICROS).and_then(|t| to_ticks(t, per_second)),
        };
        column_of(call.result_type(), call.rows, |_| Ok(watermark))
    },
    ..Function::PLAIN
};

#[cfg(test)]
mod tests {
    use super::super::super::tests::{check_in, check_with, clock};
    use tidemill_core::Watermark;

    #[test]
    fn the_wall_is_that_of_the_session() {
        check_in("Asia/Tokyo", "localtimestamp", "2024-01-31 19:05:09.123");
        check_in("Asia/Tokyo", "localtime", "19:05:09");
        check_in("Pacific/Kiritimati", "current_date", "2024-02-01");
        check_in("Asia/Tokyo", "current_timestamp", "2024-01-31 10:05:09.123Z");
    }

    #[test]
    fn the_watermark_has_the_type_of_the_column() {
        let clock = clock(0, Watermark(1_706_695_509_123_456));
        check_with(&clock, "current_watermark(to_timestamp_ltz(0, 3))", "2024-01-31 10:05:09.123Z");
        check_with(&clock, "current_watermark(arrow_cast(0, 'Timestamp(s)'))", "2024-01-31 10:05:09");
        clock.set(0, Watermark::MAX);
        check_with(&clock, "current_watermark(to_timestamp_ltz(0, 3))", "NULL");
    }
}
