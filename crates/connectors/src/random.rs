//! Random numbers by number: the n-th of a stream is computed from n alone (SplitMix64).
//!
//! So the same row is the same whatever rows were generated before it, in whatever batches, on whatever thread.

/// A stream of random numbers that can be asked for in any order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Random {
    key: u64,
}

impl Random {
    /// The stream of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self { key: mix(seed.wrapping_add(GOLDEN)) }
    }

    /// Another stream, independent of this one.
    pub(crate) fn stream(self, number: u64) -> Self {
        Self { key: mix(self.key ^ mix(number.wrapping_add(1).wrapping_mul(GOLDEN))) }
    }

    /// Another stream, of a name.
    pub(crate) fn named(self, name: &str) -> Self {
        self.stream(name.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3)))
    }

    /// Number `n`: any 64 bits.
    #[inline]
    pub(crate) fn at(self, n: u64) -> u64 {
        mix(self.key.wrapping_add(n.wrapping_mul(GOLDEN)))
    }

    /// Number `n`, below `end` (which is above 0), each as often as the others but for 2^-64 x `end`.
    #[inline]
    pub(crate) fn below(self, n: u64, end: u64) -> u64 {
        ((u128::from(self.at(n)) * u128::from(end)) >> 64) as u64
    }

    /// Number `n`, from 0 to below 1.
    #[inline]
    pub(crate) fn unit(self, n: u64) -> f64 {
        (self.at(n) >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

#[inline]
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spread_evenly() {
        let random = Random::new(1).named("x");
        let mut counts = [0; 10];
        (0..10_000).for_each(|n| counts[random.below(n, 10) as usize] += 1);
        assert!(counts.iter().all(|c| (900..1_100).contains(c)), "{counts:?}");
        assert_ne!(Random::new(1).at(0), Random::new(2).at(0));
        assert_ne!(random.stream(0).at(0), random.stream(1).at(0));
        let mean = (0..10_000).map(|n| random.unit(n)).sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
    }
}
