//! Chance: `RAND` and `RAND_INTEGER`.
//!
//! With a seed, the numbers are a function of the seed and of how many were drawn before, whatever the batches.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use arrow::array::{Float64Array, Int32Array};
use arrow::datatypes::DataType;
use datafusion::common::exec_err;
use datafusion::logical_expr::Volatility;

use super::declaration::{Function, Kind, takes};

/// Where the numbers without a seed begin, different each time the program runs.
static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one("tidemill"));

/// The number of that place in the sequence of a seed (SplitMix64).
fn random(seed: u64, place: u64) -> u64 {
    let mut z = seed.wrapping_add(place.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

pub(super) static RAND: Function = Function {
    names: &["rand"],
    usage: "RAND([seed])",
    about: "A number from 0 up to, and without, 1; with a seed, the same sequence in each run.",
    examples: &[("rand() < 1", "true"), ("rand(42) >= 0", "true")],
    volatility: Volatility::Volatile,
    per_row: true,
    types: |args| takes(args, &[Kind::Int], 0, DataType::Float64),
    compute: |call| {
        let seed = if call.len() > 0 { Some(call.int(0)?) } else { None };
        let first = call.draw();
        call.collected::<f64, Float64Array>(|row| {
            let seed = match &seed {
                None => Some(*SEED),
                Some(seed) => seed.at(row).map(|seed| seed as u64),
            };
            // 53 bits are all that a double holds.
            Ok(seed.map(|seed| (random(seed, first + row as u64) >> 11) as f64 / (1_u64 << 53) as f64))
        })
    },
    ..Function::PLAIN
};

pub(super) static RAND_INTEGER: Function = Function {
    names: &["rand_integer"],
    usage: "RAND_INTEGER(bound) or RAND_INTEGER(seed, bound)",
    about: "A whole number from 0 up to, and without, the bound; with a seed, the same sequence in each run.",
    examples: &[("rand_integer(1)", "0"), ("rand_integer(42, 10) < 10", "true")],
    volatility: Volatility::Volatile,
    per_row: true,
    types: |args| takes(args, &[Kind::Int, Kind::Int], 1, DataType::Int32),
    compute: |call| {
        let bound = call.int(call.len() - 1)?;
        let seed = if call.len() > 1 { Some(call.int(0)?) } else { None };
        let first = call.draw();
        call.collected::<i32, Int32Array>(|row| {
            let seed = match &seed {
                None => Some(*SEED),
                Some(seed) => seed.at(row).map(|seed| seed as u64),
            };
            let (Some(seed), Some(bound)) = (seed, bound.at(row)) else { return Ok(None) };
            match bound {
                1..=2_147_483_648 => Ok(Some((random(seed, first + row as u64) % bound as u64) as i32)),
                _ => exec_err!("RAND_INTEGER has no number below {bound}: the bound is 1 to 2147483648"),
            }
        })
    },
    ..Function::PLAIN
};

#[cfg(test)]
mod tests {
    use super::random;

    #[test]
    fn numbers_are_spread_and_repeat_with_their_seed() {
        let draws: Vec<u64> = (0..1_000).map(|place| random(7, place) % 10).collect();
        assert!((0..10).all(|n| (60..140).contains(&draws.iter().filter(|d| **d == n).count())));
        assert_eq!(random(7, 3), random(7, 3));
        assert_ne!(random(7, 3), random(8, 3));
    }
}
