//! The open sessions: for each key an ordered list of intervals, each with the rows of state that belong to it.
//!
//! Everything lives in three arenas and is linked by number, so that a session costs no allocation of its own. The store
//! says which rows belong together and when a session is over; what the rows mean is its owner's business.

use tidemill_core::{Micros, Watermark};

use super::cutter::MicroSession;
use crate::operators::keyed_states::{Deadlines, RowRef};

const NONE: u32 = u32::MAX;

/// Rows of state, one after the other in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rows {
    /// The first of them.
    pub first: RowRef,
    /// How many.
    pub count: u32,
}

/// A session as its owner sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Its number, good until the session goes.
    pub id: u32,
    /// Its key's number.
    pub key: u32,
    /// The time of its first row.
    pub start: Micros,
    /// The time of its last row.
    pub last: Micros,
}

/// A session that was put out and is about to change: what was put out must be retracted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reopened {
    /// The session as it was put out.
    pub found: Found,
    /// Its rows of state.
    pub rows: Vec<Rows>,
    /// Where its owner keeps what was put out, as [`SessionStore::keep_output`] was told, or [`RowRef::NONE`].
    pub output: RowRef,
}

#[derive(Debug, Clone, Copy)]
struct Session {
    key: u32,
    /// The key's next session back in time.
    earlier: u32,
    /// The key's next session in time.
    later: u32,
    start: Micros,
    last: Micros,
    first_part: u32,
    last_part: u32,
    /// The deadline that it is registered for; entries for another are stale.
    registered: Micros,
    state: Phase,
    output: RowRef,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// Put out, and kept for corrections.
    Emitted,
    Gone,
}

#[derive(Debug, Clone, Copy)]
struct Part {
    rows: Rows,
    next: u32,
}

/// What is over by now.
#[derive(Debug, Default)]
pub struct Closing {
    /// Sessions to put out, by end, start and key.
    pub emit: Vec<Found>,
    /// Sessions to let go of with [`SessionStore::remove`], once they are put out.
    pub remove: Vec<u32>,
}

/// All sessions that may still change.
#[derive(Debug)]
pub struct SessionStore {
    gap: Micros,
    lateness: Micros,
    /// The latest session of each key: the one that the next row most likely belongs to.
    heads: Vec<u32>,
    sessions: Vec<Session>,
    free: Vec<u32>,
    parts: Vec<Part>,
    free_parts: Vec<u32>,
    live: usize,
    live_keys: usize,
    deadlines: Deadlines,
    due: Vec<(Micros, u32)>,
}

impl SessionStore {
    /// None yet, with this pause between sessions and this allowed lateness.
    pub fn new(gap: Micros, lateness: Micros) -> Self {
        Self {
            gap,
            lateness,
            heads: vec![],
            sessions: vec![],
            free: vec![],
            parts: vec![],
            free_parts: vec![],
            live: 0,
            live_keys: 0,
            deadlines: Deadlines::new(gap / 32),
            due: vec![],
        }
    }

    /// How many sessions there are.
    pub fn live(&self) -> usize {
        self.live
    }

    /// How many keys have a session.
    pub fn live_keys(&self) -> usize {
        self.live_keys
    }

    /// About how many bytes it holds.
    pub fn bytes(&self) -> usize {
        if self.live == 0 {
            return 0;
        }
        self.sessions.capacity() * size_of::<Session>()
            + self.parts.capacity() * size_of::<Part>()
            + self.heads.capacity() * size_of::<u32>()
    }

    /// About the oldest event time that a session stands for.
    pub fn oldest(&self) -> Option<Micros> {
        self.deadlines.earliest().filter(|_| self.live > 0).map(|at| at.saturating_sub(2 * self.gap))
    }

    /// Adds a micro-session with its rows of state. The sessions that it reaches become one with it; those of them that
    /// were put out before are reported first.
    pub fn add(&mut self, micro: MicroSession, rows: Rows, reopened: &mut Vec<Reopened>) {
        let key = micro.key as usize;
        if key >= self.heads.len() {
            self.heads.resize(key + 1, NONE);
        }
        let part = self.new_part(rows);
        let reach = micro.last.saturating_add(self.gap);
        let (mut later, mut at) = (NONE, self.heads[key]);
        while at != NONE && self.sessions[at as usize].start > reach {
            (later, at) = (at, self.sessions[at as usize].earlier);
        }
        if at == NONE || self.sessions[at as usize].last.saturating_add(self.gap) < micro.start {
            self.live_keys += usize::from(at == NONE && later == NONE);
            let id = self.new_session(micro, part);
            self.join(key, at, id);
            self.join(key, id, later);
            return;
        }
        // `at` takes in the micro-session, and all earlier sessions that this makes it reach.
        self.reopen(at, reopened);
        let mut s = self.sessions[at as usize];
        s.start = s.start.min(micro.start);
        s.last = s.last.max(micro.last);
        self.parts[s.last_part as usize].next = part;
        s.last_part = part;
        while s.earlier != NONE && self.sessions[s.earlier as usize].last.saturating_add(self.gap) >= s.start {
            let id = s.earlier;
            self.reopen(id, reopened);
            let other = self.sessions[id as usize];
            s.start = s.start.min(other.start);
            self.parts[other.last_part as usize].next = s.first_part;
            s.first_part = other.first_part;
            s.earlier = other.earlier;
            self.free_session(id);
        }
        self.sessions[at as usize] = s;
        self.join(key, s.earlier, at);
    }

    /// What is to be put out, and what is to be let go of, now that the watermark has come this far. A session that is kept
    /// for corrections counts as put out from here on.
    pub fn close(&mut self, watermark: Watermark, closing: &mut Closing) {
        closing.emit.clear();
        closing.remove.clear();
        let mut due = std::mem::take(&mut self.due);
        self.deadlines.take_due(watermark, &mut due);
        for (at, id) in due.drain(..) {
            let s = self.sessions[id as usize];
            if s.state == Phase::Gone || s.registered != at {
                continue;
            }
            if self.deadline(&s) > watermark.0 {
                self.register(id);
                continue;
            }
            if s.state == Phase::Open {
                closing.emit.push(Found { id, key: s.key, start: s.start, last: s.last });
                self.sessions[id as usize].state = Phase::Emitted;
            }
            if self.deadline(&self.sessions[id as usize]) > watermark.0 {
                self.register(id);
            } else {
                // What comes out twice is removed once.
                self.sessions[id as usize].registered = Micros::MIN;
                closing.remove.push(id);
            }
        }
        self.due = due;
        closing.emit.sort_unstable_by_key(|f| (f.last, f.start, f.key));
    }

    /// Remembers for a session that was just put out where its owner keeps what it put out.
    pub fn keep_output(&mut self, id: u32, output: RowRef) {
        self.sessions[id as usize].output = output;
    }

    /// Where its owner keeps what a session put out, or [`RowRef::NONE`].
    pub fn output(&self, id: u32) -> RowRef {
        self.sessions[id as usize].output
    }

    /// The rows of state of a session, the first to come first.
    pub fn rows(&self, id: u32) -> impl Iterator<Item = Rows> {
        let mut next = self.sessions[id as usize].first_part;
        std::iter::from_fn(move || {
            let part = self.parts.get(next as usize)?;
            next = part.next;
            Some(part.rows)
        })
    }

    /// Lets go of a session; `release` is told of its rows of state.
    pub fn remove(&mut self, id: u32, mut release: impl FnMut(Rows)) {
        let s = self.sessions[id as usize];
        self.free_parts(s.first_part, &mut release);
        self.join(s.key as usize, s.earlier, s.later);
        self.live_keys -= usize::from(self.heads[s.key as usize] == NONE);
        self.free_session(id);
        if self.live == 0 {
            (self.sessions, self.free) = (vec![], vec![]);
            (self.parts, self.free_parts) = (vec![], vec![]);
            self.deadlines.clear();
        }
    }

    /// All sessions, by key, those of a key from the latest to the earliest.
    pub fn all(&self) -> impl Iterator<Item = Found> {
        let mut key = 0;
        let mut next = NONE;
        std::iter::from_fn(move || {
            while next == NONE {
                next = *self.heads.get(key)?;
                key += 1;
            }
            let s = &self.sessions[next as usize];
            let found = Found { id: next, key: s.key, start: s.start, last: s.last };
            next = s.earlier;
            Some(found)
        })
    }

    /// Gives a session other rows of state, in place of all that it had.
    pub fn replace_rows(&mut self, id: u32, rows: Rows) {
        let part = self.sessions[id as usize].first_part;
        self.free_parts(part, |_| {});
        let part = self.new_part(rows);
        let s = &mut self.sessions[id as usize];
        (s.first_part, s.last_part) = (part, part);
    }

    /// Gives the keys that have a session the numbers 0, 1, 2 and so on, in their old order, and forgets the others.
    pub fn renumber_keys(&mut self) {
        self.heads.retain(|head| *head != NONE);
        for (key, head) in self.heads.iter().enumerate() {
            let mut at = *head;
            while at != NONE {
                self.sessions[at as usize].key = key as u32;
                at = self.sessions[at as usize].earlier;
            }
        }
    }

    /// When to look at a session next. It is put out when no row that is not late can reach it any more.
    fn deadline(&self, s: &Session) -> Micros {
        let out = s.last.saturating_add(self.gap).saturating_add(self.gap);
        if s.state == Phase::Emitted { out.saturating_add(self.lateness) } else { out }
    }

    fn register(&mut self, id: u32) {
        let deadline = self.deadline(&self.sessions[id as usize]);
        self.sessions[id as usize].registered = deadline;
        self.deadlines.push(deadline, id);
    }

    fn new_session(&mut self, micro: MicroSession, part: u32) -> u32 {
        let session = Session {
            key: micro.key,
            earlier: NONE,
            later: NONE,
            start: micro.start,
            last: micro.last,
            first_part: part,
            last_part: part,
            registered: 0,
            state: Phase::Open,
            output: RowRef::NONE,
        };
        self.live += 1;
        let id = match self.free.pop() {
            Some(id) => {
                self.sessions[id as usize] = session;
                id
            }
            None => {
                self.sessions.push(session);
                (self.sessions.len() - 1) as u32
            }
        };
        self.register(id);
        id
    }

    fn free_session(&mut self, id: u32) {
        self.sessions[id as usize].state = Phase::Gone;
        self.free.push(id);
        self.live -= 1;
    }

    /// A session that was put out is open again.
    fn reopen(&mut self, id: u32, reopened: &mut Vec<Reopened>) {
        let s = self.sessions[id as usize];
        if s.state != Phase::Emitted {
            return;
        }
        let found = Found { id, key: s.key, start: s.start, last: s.last };
        reopened.push(Reopened { found, rows: self.rows(id).collect(), output: s.output });
        let s = &mut self.sessions[id as usize];
        s.state = Phase::Open;
        s.output = RowRef::NONE;
        self.register(id);
    }

    fn new_part(&mut self, rows: Rows) -> u32 {
        let part = Part { rows, next: NONE };
        match self.free_parts.pop() {
            Some(id) => {
                self.parts[id as usize] = part;
                id
            }
            None => {
                self.parts.push(part);
                (self.parts.len() - 1) as u32
            }
        }
    }

    /// Makes two sessions of a key neighbours; either may be missing.
    fn join(&mut self, key: usize, earlier: u32, later: u32) {
        if earlier != NONE {
            self.sessions[earlier as usize].later = later;
        }
        match later {
            NONE => self.heads[key] = earlier,
            _ => self.sessions[later as usize].earlier = earlier,
        }
    }

    fn free_parts(&mut self, mut part: u32, mut released: impl FnMut(Rows)) {
        while part != NONE {
            released(self.parts[part as usize].rows);
            self.free_parts.push(part);
            part = self.parts[part as usize].next;
        }
    }
}
