//! What a running pipeline counts: read by progress lines, summaries and reports while it runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tidemill_core::{Micros, Watermark};

/// The counters of one pipeline. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Counters>);

#[derive(Debug)]
struct Counters {
    started: Instant,
    sources: Vec<Source>,
    sinks: Vec<Sink>,
    late: AtomicU64,
    epochs: AtomicU64,
}

#[derive(Debug)]
struct Source {
    name: String,
    rows: AtomicU64,
    bytes: AtomicU64,
    rejected: AtomicU64,
    watermark: AtomicI64,
    ended: AtomicBool,
}

#[derive(Debug)]
struct Sink {
    name: String,
    rows: AtomicU64,
}

/// The counters at one moment.
#[derive(Debug, Clone)]
pub struct Progress {
    /// Time since the start.
    pub elapsed: Duration,
    /// Epochs so far.
    pub epochs: u64,
    /// By source, in the order of the plan.
    pub sources: Vec<SourceProgress>,
    /// By sink, in the order of the plan.
    pub sinks: Vec<SinkProgress>,
    /// Rows that were late.
    pub late: u64,
}

/// One source at one moment.
#[derive(Debug, Clone)]
pub struct SourceProgress {
    /// The table.
    pub name: String,
    /// Rows taken in.
    pub rows: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Records rejected.
    pub rejected: u64,
    /// Its watermark.
    pub watermark: Watermark,
    /// Whether it has ended.
    pub ended: bool,
}

impl SourceProgress {
    /// How far its watermark is behind `now`, if it has one.
    pub fn lag(&self, now: Micros) -> Option<Duration> {
        match self.watermark {
            Watermark::MIN | Watermark::MAX => None,
            Watermark(t) => Some(Duration::from_micros(now.saturating_sub(t).max(0) as u64)),
        }
    }
}

/// One sink at one moment.
#[derive(Debug, Clone)]
pub struct SinkProgress {
    /// The table, or `result`.
    pub name: String,
    /// Changes handed over.
    pub rows: u64,
}

impl Progress {
    /// Rows taken in, over all sources.
    pub fn rows_in(&self) -> u64 {
        self.sources.iter().map(|s| s.rows).sum()
    }

    /// Changes handed over, over all sinks.
    pub fn rows_out(&self) -> u64 {
        self.sinks.iter().map(|s| s.rows).sum()
    }

    /// Records rejected, over all sources.
    pub fn rejected(&self) -> u64 {
        self.sources.iter().map(|s| s.rejected).sum()
    }

    /// Rows taken in per second since the start.
    pub fn rows_per_second(&self) -> f64 {
        self.rows_in() as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }
}

impl Metrics {
    /// All at zero, for these sources and sinks.
    pub(crate) fn new(sources: Vec<String>, sinks: Vec<String>) -> Self {
        let source = |name| Source {
            name,
            rows: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            watermark: AtomicI64::new(Watermark::MIN.0),
            ended: AtomicBool::new(false),
        };
        Self(Arc::new(Counters {
            started: Instant::now(),
            sources: sources.into_iter().map(source).collect(),
            sinks: sinks.into_iter().map(|name| Sink { name, rows: AtomicU64::new(0) }).collect(),
            late: AtomicU64::new(0),
            epochs: AtomicU64::new(0),
        }))
    }

    pub(crate) fn took(&self, source: usize, rows: u64, bytes: u64, rejected: u64) {
        let source = &self.0.sources[source];
        source.rows.fetch_add(rows, Relaxed);
        source.bytes.fetch_add(bytes, Relaxed);
        source.rejected.fetch_add(rejected, Relaxed);
    }

    /// Changes that were taken in as rows and then refused.
    pub(crate) fn rejected(&self, source: usize, rows: u64) {
        self.0.sources[source].rejected.fetch_add(rows, Relaxed);
    }

    pub(crate) fn watermark(&self, source: usize, watermark: Watermark) {
        let source = &self.0.sources[source];
        // The end is said by `ended`; people rather read how far the data went.
        if watermark == Watermark::MAX {
            source.ended.store(true, Relaxed);
        } else {
            source.watermark.store(watermark.0, Relaxed);
        }
    }

    pub(crate) fn gave(&self, sink: usize, rows: u64) {
        self.0.sinks[sink].rows.fetch_add(rows, Relaxed);
    }

    pub(crate) fn late(&self, rows: u64) {
        self.0.late.fetch_add(rows, Relaxed);
    }

    pub(crate) fn epoch(&self) {
        self.0.epochs.fetch_add(1, Relaxed);
    }

    /// The counters now.
    pub fn progress(&self) -> Progress {
        let source = |s: &Source| SourceProgress {
            name: s.name.clone(),
            rows: s.rows.load(Relaxed),
            bytes: s.bytes.load(Relaxed),
            rejected: s.rejected.load(Relaxed),
            watermark: Watermark(s.watermark.load(Relaxed)),
            ended: s.ended.load(Relaxed),
        };
        Progress {
            elapsed: self.0.started.elapsed(),
            epochs: self.0.epochs.load(Relaxed),
            sources: self.0.sources.iter().map(source).collect(),
            sinks: self
                .0
                .sinks
                .iter()
                .map(|s| SinkProgress { name: s.name.clone(), rows: s.rows.load(Relaxed) })
                .collect(),
            late: self.0.late.load(Relaxed),
        }
    }
}
