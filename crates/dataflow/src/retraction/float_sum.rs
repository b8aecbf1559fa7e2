//! `SUM` and `AVG` of floating-point numbers, without an error: what was taken back leaves no trace, in whatever order rows
//! came and went.
//!
//! A sum is kept as numbers that do not overlap (J. R. Shewchuk, Adaptive Precision Floating-Point Arithmetic, 1997), mostly
//! one or two of them, and rounded once when it is asked for. Infinities and NaN are counted. Numbers below 1e-288 in
//! size are rounded to a multiple of 1e-304.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::datatypes::Float64Type;
use tidemill_core::Result;

use super::{Changing, Rows, grow, known, renumbered};

/// Room above the numbers, so that no sum of them overflows on the way: 2^-64.
const SCALE: f64 = 1.0 / (u64::MAX as f64);

/// For each group the exact sum and how many values there are.
#[derive(Debug)]
pub struct FloatSum {
    average: bool,
    sums: Vec<Parts>,
    counts: Vec<i64>,
    /// Of groups that have any: how often there is NaN, plus and minus infinity.
    specials: HashMap<usize, [i64; 3]>,
}

/// Numbers that do not overlap, the smallest first; their exact sum is what is meant.
#[derive(Debug, Clone, Default)]
struct Parts(Vec<f64>);

impl Parts {
    fn add(&mut self, mut x: f64) {
        let mut kept = 0;
        for i in 0..self.0.len() {
            let y = self.0[i];
            let (large, small) = if x.abs() < y.abs() { (y, x) } else { (x, y) };
            let sum = large + small;
            let lost = small - (sum - large);
            if lost != 0.0 {
                self.0[kept] = lost;
                kept += 1;
            }
            x = sum;
        }
        self.0.truncate(kept);
        if x != 0.0 {
            self.0.push(x);
        }
    }

    fn add_times(&mut self, x: f64, weight: i64) {
        // Each half of the weight is a whole number that a float holds.
        for part in [(weight >> 32) << 32, weight & 0xffff_ffff] {
            if part != 0 {
                let product = x * part as f64;
                self.add(x.mul_add(part as f64, -product));
                self.add(product);
            }
        }
    }

    /// The sum, rounded once.
    fn rounded(&self) -> f64 {
        let Some((mut sum, mut rest)) = self.0.split_last().map(|(last, rest)| (*last, rest)) else { return 0.0 };
        let mut lost = 0.0;
        while let Some((next, smaller)) = rest.split_last() {
            let before = sum;
            sum = before + next;
            lost = next - (sum - before);
            rest = smaller;
            if lost != 0.0 {
                break;
            }
        }
        // Halfway between two numbers: what is left decides.
        if let Some(next) = rest.last()
            && lost != 0.0
            && (lost < 0.0) == (*next < 0.0)
        {
            let other = sum + 2.0 * lost;
            if other - sum == 2.0 * lost {
                sum = other;
            }
        }
        sum
    }
}

impl FloatSum {
    /// `SUM`, or `AVG`.
    pub fn new(average: bool) -> Self {
        Self { average, sums: vec![], counts: vec![], specials: HashMap::new() }
    }

    fn sum(&self, group: usize) -> f64 {
        match self.specials.get(&group) {
            Some([nan, plus, minus]) if *nan > 0 || (*plus > 0 && *minus > 0) => f64::NAN,
            Some([_, plus, _]) if *plus > 0 => f64::INFINITY,
            Some([_, _, minus]) if *minus > 0 => f64::NEG_INFINITY,
            _ => self.sums[group].rounded() / SCALE,
        }
    }
}

impl Changing for FloatSum {
    fn change(&mut self, rows: Rows) -> Result<()> {
        grow(&mut self.sums, rows.groups, Parts::default());
        grow(&mut self.counts, rows.groups, 0);
        let values = rows.args[0].as_primitive::<Float64Type>().values();
        rows.each(|row, id, weight| {
            let value = values[row];
            self.counts[id] += weight;
            if value.is_finite() {
                match weight {
                    1 => self.sums[id].add(value * SCALE),
                    -1 => self.sums[id].add(-value * SCALE),
                    _ => self.sums[id].add_times(value * SCALE, weight),
                }
                return;
            }
            let which = if value.is_nan() { 0 } else { 1 + usize::from(value < 0.0) };
            let counts = self.specials.entry(id).or_default();
            counts[which] += weight;
            if *counts == [0; 3] {
                self.specials.remove(&id);
            }
        });
        Ok(())
    }

    fn values(&mut self, groups: &[usize]) -> Result<ArrayRef> {
        let value = |g: &usize| match (known(&self.counts, *g, 0), self.average) {
            (0, _) => None,
            (_, false) => Some(self.sum(*g)),
            (count, true) => Some(self.sum(*g) / count as f64),
        };
        Ok(Arc::new(groups.iter().map(value).collect::<Float64Array>()))
    }

    fn forget(&mut self, groups: &[usize]) {
        for g in groups {
            self.sums[*g] = Parts::default();
            self.counts[*g] = 0;
            self.specials.remove(g);
        }
    }

    fn renumber(&mut self, old: &[usize]) -> Result<()> {
        self.sums = old.iter().map(|g| self.sums.get_mut(*g).map(std::mem::take).unwrap_or_default()).collect();
        self.counts = renumbered(&self.counts, old, 0);
        if !self.specials.is_empty() {
            let specials = old.iter().enumerate().filter_map(|(new, old)| Some((new, *self.specials.get(old)?)));
            self.specials = specials.collect();
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        let parts: usize = self.sums.iter().map(|p| p.0.capacity() * size_of::<f64>()).sum();
        parts + size_of_val(&self.sums[..]) + size_of_val(&self.counts[..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_back_leaves_no_trace() {
        let mut parts = Parts::default();
        for x in [1e300, 0.1, -1e-250, 1e17, 0.2] {
            parts.add(x);
        }
        parts.add_times(0.3, 1_000_000_007);
        parts.add_times(0.3, -1_000_000_006);
        for x in [1e300, 1e17, 0.2, -1e-250] {
            parts.add(-x);
        }
        assert_eq!(parts.rounded(), 0.1 + 0.3);
        parts.add(-0.1);
        parts.add(-0.3);
        assert_eq!(parts.0, Vec::<f64>::new());
    }
}
