//! Times as whole numbers and back, as expressions.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Int64Type, TimeUnit};
use datafusion::functions::datetime::to_local_time;
use datafusion::logical_expr::{ColumnarValue, Expr, Volatility, cast, create_udf, lit};
use tidemill_core::Micros;
use tidemill_plan::window::Zone;

/// Microseconds of a timestamp: since 1970 in UTC for an instant, on the wall for a wall-clock value.
pub(super) fn micros(time: Expr, time_type: &DataType) -> Expr {
    let DataType::Timestamp(unit, _) = time_type else { return cast(time, DataType::Int64) };
    let ticks = cast(time, DataType::Int64);
    match unit {
        TimeUnit::Second => ticks * lit(1_000_000_i64),
        TimeUnit::Millisecond => ticks * lit(1_000_i64),
        TimeUnit::Microsecond => ticks,
        // Division rounds towards zero, which is up before 1970.
        TimeUnit::Nanosecond => (ticks.clone() - remainder(ticks, 1_000)) / lit(1_000_i64),
    }
}

/// Microseconds that the clock on the wall of `zone` shows.
pub(super) fn wall_micros(time: Expr, time_type: &DataType, zone: Zone) -> Expr {
    match (time_type, zone) {
        (DataType::Timestamp(unit, Some(_)), Zone::Named(tz)) => {
            let there = cast(time, DataType::Timestamp(*unit, Some(tz.name().into())));
            micros(to_local_time().call(vec![there]), &DataType::Timestamp(*unit, None))
        }
        _ => micros(time, time_type),
    }
}

/// `value` modulo `n`, never negative.
pub(super) fn remainder(value: Expr, n: i64) -> Expr {
    (value % lit(n) + lit(n)) % lit(n)
}

/// The greatest multiple of `width`, shifted by `offset`, that is not above `t`.
pub(super) fn floor_to(t: Expr, width: Micros, offset: Micros) -> Expr {
    t.clone() - remainder(t - lit(offset), width)
}

/// Microseconds as a timestamp of type `to`.
pub(super) fn timestamp(micros: Expr, to: &DataType) -> Expr {
    match to {
        DataType::Timestamp(_, zone) => {
            let of_micros = cast(micros, DataType::Timestamp(TimeUnit::Microsecond, zone.clone()));
            cast(of_micros, to.clone())
        }
        other => cast(micros, other.clone()),
    }
}

/// The last instant at which the clock on the wall of `zone` shows `wall`, both in microseconds.
pub(super) fn instant_of(wall: Expr, zone: Zone) -> Expr {
    map_micros("instant_of_wall", wall, zone, Zone::to_instant)
}

/// What the clock on the wall of `zone` shows at `instant`, both in microseconds.
pub(super) fn wall_of(instant: Expr, zone: Zone) -> Expr {
    map_micros("wall_of_instant", instant, zone, Zone::to_wall)
}

fn map_micros(name: &str, micros: Expr, zone: Zone, f: fn(Zone, Micros) -> Micros) -> Expr {
    if zone == Zone::Utc {
        return micros;
    }
    let each = move |args: &[ColumnarValue]| {
        let values = ColumnarValue::values_to_arrays(args)?;
        let values = values[0].as_primitive::<Int64Type>();
        let mapped: ArrayRef = Arc::new(values.unary::<_, Int64Type>(|t| f(zone, t)));
        debug_assert_eq!(mapped.len(), values.len());
        Ok(ColumnarValue::Array(mapped))
    };
    // The zone is in the name, since two functions of one name are one to DataFusion.
    let name = format!("{name}_in_{}", zone.name());
    create_udf(&name, vec![DataType::Int64], DataType::Int64, Volatility::Immutable, Arc::new(each)).call(vec![micros])
}
