//! Cuts the rows of an epoch into micro-sessions: what belongs together for sure, before other epochs are looked at.

use tidemill_core::Micros;

/// Rows of one key whose times reach each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MicroSession {
    /// The key's number.
    pub key: u32,
    /// The earliest time.
    pub start: Micros,
    /// The latest time.
    pub last: Micros,
}

const NONE: u32 = u32::MAX;

/// Puts rows into micro-sessions, each with a dense number.
///
/// A row goes into the micro-session that its key was last seen in, if that is in reach, or else into a new one. Where rows
/// are out of order there can be two of a key that reach each other; whoever keeps sessions puts them together.
#[derive(Debug)]
pub struct Cutter {
    gap: Micros,
    current: Vec<u32>,
    micro: Vec<MicroSession>,
}

impl Cutter {
    /// With this pause between sessions.
    pub fn new(gap: Micros) -> Self {
        Self { gap, current: vec![], micro: vec![] }
    }

    /// For each row, given its key's number and its time, the number of its micro-session.
    pub fn cut(&mut self, keys: &[usize], times: &[Micros], slots: &mut Vec<usize>) {
        slots.clear();
        slots.reserve(keys.len());
        for (key, time) in keys.iter().zip(times) {
            if *key >= self.current.len() {
                self.current.resize(key + 1, NONE);
            }
            let current = &mut self.current[*key];
            if *current != NONE {
                let m = &mut self.micro[*current as usize];
                if *time >= m.start.saturating_sub(self.gap) && *time <= m.last.saturating_add(self.gap) {
                    m.start = m.start.min(*time);
                    m.last = m.last.max(*time);
                    slots.push(*current as usize);
                    continue;
                }
            }
            *current = self.micro.len() as u32;
            slots.push(self.micro.len());
            self.micro.push(MicroSession { key: *key as u32, start: *time, last: *time });
        }
    }

    /// The micro-sessions so far, by number.
    pub fn micro(&self) -> &[MicroSession] {
        &self.micro
    }

    /// Begins anew. Costs as much as there are micro-sessions, however many keys there have been.
    pub fn clear(&mut self) {
        for m in self.micro.drain(..) {
            self.current[m.key as usize] = NONE;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rows: &[(usize, Micros)], slots: &[usize], micro: &[(u32, Micros, Micros)]) {
        let mut cutter = Cutter::new(10);
        let mut got = vec![];
        let (keys, times): (Vec<_>, Vec<_>) = rows.iter().copied().unzip();
        for _ in 0..2 {
            cutter.cut(&keys, &times, &mut got);
            assert_eq!(got, slots);
            let found: Vec<_> = cutter.micro().iter().map(|m| (m.key, m.start, m.last)).collect();
            assert_eq!(found, micro);
            cutter.clear();
        }
    }

    #[test]
    fn rows_within_the_gap_stay_together() {
        check(&[(0, 0), (0, 10), (0, 20), (0, 31)], &[0, 0, 0, 1], &[(0, 0, 20), (0, 31, 31)]);
        check(&[(1, 5), (0, 5), (1, 6)], &[0, 1, 0], &[(1, 5, 6), (0, 5, 5)]);
        // Out of order: the third row reaches both, and the two are left for the keeper to put together.
        check(&[(0, 0), (0, 20), (0, 10)], &[0, 1, 1], &[(0, 0, 0), (0, 10, 20)]);
    }
}
