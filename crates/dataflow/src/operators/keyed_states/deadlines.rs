//! What is due when the watermark moves on, found without looking at what is not.
//!
//! Numbers are put into buckets of time, and only the bucket that the watermark stands in is kept in order. A number may
//! stand here for a deadline that has moved since: its owner looks at what comes out, and puts it back if it is early.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use tidemill_core::{Micros, Watermark};

/// Numbers, each with the time at which to look at it.
#[derive(Debug)]
pub struct Deadlines {
    width: Micros,
    later: BTreeMap<Micros, Vec<(Micros, u32)>>,
    /// Those of buckets that the watermark has reached.
    now: BinaryHeap<Reverse<(Micros, u32)>>,
    /// The bucket that the watermark stands in.
    reached: Micros,
}

impl Deadlines {
    /// None yet, in buckets `width` microseconds wide (at least 1).
    pub fn new(width: Micros) -> Self {
        Self { width: width.max(1), later: BTreeMap::new(), now: BinaryHeap::new(), reached: Micros::MIN }
    }

    /// `id` is to be looked at when the watermark has reached `at`.
    pub fn push(&mut self, at: Micros, id: u32) {
        let bucket = at.div_euclid(self.width);
        if bucket <= self.reached {
            self.now.push(Reverse((at, id)));
        } else {
            self.later.entry(bucket).or_default().push((at, id));
        }
    }

    /// Moves everything due at `watermark` to the end of `due`, in no special order.
    pub fn take_due(&mut self, watermark: Watermark, due: &mut Vec<(Micros, u32)>) {
        let bucket = watermark.0.div_euclid(self.width);
        while let Some(entry) = self.later.first_entry()
            && *entry.key() <= bucket
        {
            for one in entry.remove() {
                match one.0 <= watermark.0 {
                    true => due.push(one),
                    false => self.now.push(Reverse(one)),
                }
            }
        }
        self.reached = self.reached.max(bucket);
        while let Some(Reverse(first)) = self.now.peek()
            && first.0 <= watermark.0
        {
            due.push(*first);
            self.now.pop();
        }
    }

    /// The earliest time at which there is something to look at.
    pub fn earliest(&self) -> Option<Micros> {
        let now = self.now.peek().map(|Reverse((at, _))| *at);
        now.or_else(|| self.later.first_key_value()?.1.iter().map(|(at, _)| *at).min())
    }

    /// Forgets everything but how far the watermark has come.
    pub fn clear(&mut self) {
        self.later.clear();
        self.now.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pushed: &[Micros], steps: &[(Micros, &[Micros])]) {
        let mut deadlines = Deadlines::new(10);
        for at in pushed {
            deadlines.push(*at, *at as u32);
        }
        for (watermark, expected) in steps {
            let mut due = vec![];
            deadlines.take_due(Watermark(*watermark), &mut due);
            due.sort();
            assert_eq!(due.iter().map(|d| d.0).collect::<Vec<_>>(), *expected, "at {watermark}");
        }
    }

    #[test]
    fn each_comes_out_once_when_its_time_has_come() {
        check(&[5, 17, 12, 30, 31], &[(4, &[]), (12, &[5, 12]), (16, &[]), (17, &[17]), (i64::MAX, &[30, 31])]);
        check(&[i64::MAX], &[(i64::MAX - 1, &[]), (i64::MAX, &[i64::MAX])]);
        check(&[1], &[(i64::MIN, &[]), (0, &[]), (1, &[1])]);
    }

    #[test]
    fn what_is_pushed_behind_the_watermark_comes_out_next() {
        let mut deadlines = Deadlines::new(10);
        let mut due = vec![];
        deadlines.take_due(Watermark(55), &mut due);
        deadlines.push(3, 1);
        deadlines.push(57, 2);
        assert_eq!(deadlines.earliest(), Some(3));
        deadlines.take_due(Watermark(56), &mut due);
        assert_eq!(due, [(3, 1)]);
        assert_eq!(deadlines.earliest(), Some(57));
    }
}
