//! How fast a generator may go.

use std::time::Duration;

use tidemill_core::{Error, Result};
use tokio::time::{Instant, sleep_until};

/// So many rows a second, counted from the first.
///
/// Pieces are of up to a tenth of a second, so that a slow generator is steady and a fast one has large batches.
#[derive(Debug)]
pub(crate) struct Pace {
    rows_per_second: Option<u64>,
    begin: Option<Instant>,
    given: u64,
}

impl Pace {
    /// As fast as possible where there is no rate.
    pub(crate) fn new(rows_per_second: Option<u64>) -> Self {
        Self { rows_per_second, begin: None, given: 0 }
    }

    /// Waits until rows are due; how many may be given now, at most `most`. Nothing is lost if the wait is given up.
    pub(crate) async fn due(&mut self, most: usize) -> usize {
        let (rows, after) = self.step(most);
        if !after.is_zero() {
            sleep_until(*self.begin.get_or_insert_with(Instant::now) + after).await;
        }
        rows
    }

    /// How many rows come next, and how long after the beginning the last of them is due.
    fn step(&self, most: usize) -> (usize, Duration) {
        let Some(rate) = self.rows_per_second else { return (most, Duration::ZERO) };
        let rows = (rate / 10).clamp(1, most.max(1) as u64);
        let nanos = u128::from(self.given + rows) * 1_000_000_000 / u128::from(rate);
        (rows as usize, Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }

    /// `rows` were given.
    pub(crate) fn gave(&mut self, rows: usize) {
        self.given += rows as u64;
    }
}

/// A rate as an option: a number, or `0` or `unlimited` for as fast as possible.
pub(crate) fn parse_rate(name: &str, value: &str) -> Result<Option<u64>> {
    let value = value.trim();
    if value.eq_ignore_ascii_case("unlimited") {
        return Ok(None);
    }
    let rate: u64 = value.replace('_', "").parse().map_err(|_| {
        Error::statement(format!("option '{name}' is '{value}', which is neither a number of rows nor 'unlimited'"))
    })?;
    Ok((rate > 0).then_some(rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_at_the_rate() {
        let check = |rate, most, expected: &[(usize, u64)]| {
            let mut pace = Pace::new(rate);
            for (rows, millis) in expected {
                assert_eq!(pace.step(most), (*rows, Duration::from_millis(*millis)), "{rate:?}");
                pace.gave(*rows);
            }
        };
        check(Some(1_000), 8_192, &[(100, 100), (100, 200), (100, 300)]);
        check(Some(2), 8_192, &[(1, 500), (1, 1_000)]);
        check(Some(1_000_000), 8_000, &[(8_000, 8), (8_000, 16)]);
        check(None, 8_192, &[(8_192, 0), (8_192, 0)]);
    }

    #[test]
    fn rates() {
        assert_eq!(parse_rate("r", "10_000").unwrap(), Some(10_000));
        assert_eq!(parse_rate("r", "0").unwrap(), None);
        assert_eq!(parse_rate("r", "unlimited").unwrap(), None);
        assert!(parse_rate("r", "fast").is_err());
    }
}
