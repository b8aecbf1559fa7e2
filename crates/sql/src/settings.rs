//! The settings of a session: each declared once, in [`SETTINGS`].

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use tidemill_core::{Error, Micros, OptionKind, OptionSpec, OptionValues, Result};
use tidemill_plan::window::Zone;

/// The zone whose wall clock `TIMESTAMP_LTZ` is shown on and whose days windows follow.
pub const TIME_ZONE: OptionSpec = OptionSpec::new(
    "table.local-time-zone",
    OptionKind::Text,
    "UTC",
    "The time zone of the session: a name such as 'Europe/Berlin'. TIMESTAMP_LTZ is shown in it, and windows of days follow it.",
);

/// How late a row may be.
pub const ALLOWED_LATENESS: OptionSpec = OptionSpec::new(
    "allowed-lateness",
    OptionKind::Duration,
    "0 s",
    "How long after its end a window still takes rows in. It is corrected by a retraction; after that a row is late.",
);

/// What to do about state that grows for ever.
pub const UNBOUNDED_STATE: OptionSpec = OptionSpec::new(
    "state.unbounded",
    OptionKind::OneOf(&["allow", "warn", "reject"]),
    "warn",
    "What becomes of a query whose state grows with every row of an unbounded table.",
);

/// How long state is kept that nothing touches.
pub const STATE_TTL: OptionSpec = OptionSpec::new(
    "state.ttl",
    OptionKind::Duration,
    "0 s",
    "Groups without a window and rows of joins that nothing has touched for so long, by the clock, are let go of. '0' keeps them. What comes later for one that is gone begins anew, so that results are no longer those of a batch run.",
);

/// When a silent split stops holding time back.
pub const IDLE_TIMEOUT: OptionSpec = OptionSpec::new(
    "source.idle-timeout",
    OptionKind::Duration,
    "10 s",
    "A split of a live table that has been silent for so long no longer holds the watermark back. '0' turns it off.",
);

/// How many workers run a query.
pub const WORKERS: OptionSpec =
    OptionSpec::optional("workers", OptionKind::Int, "How many threads compute. All cores if it is not set.");

/// How many late rows are kept.
pub const LATE_ROWS_KEEP: OptionSpec = OptionSpec::new(
    "late-rows.keep",
    OptionKind::Int,
    "100000",
    "How many rows tidemill.late_rows keeps, the newest. All are counted.",
);

/// How many rejected rows are kept.
pub const REJECTED_ROWS_KEEP: OptionSpec = OptionSpec::new(
    "rejected-rows.keep",
    OptionKind::Int,
    "100000",
    "How many rows tidemill.rejected_rows keeps, the newest. All are counted.",
);

/// How many rows an epoch takes.
pub const EPOCH_ROWS: OptionSpec = OptionSpec::new(
    "execution.epoch-rows",
    OptionKind::Int,
    "65536",
    "How many rows an epoch takes in at most. More is faster, fewer is sooner.",
);

/// How often what was written becomes visible.
pub const PUBLISH_INTERVAL: OptionSpec = OptionSpec::new(
    "sink.publish-interval",
    OptionKind::Duration,
    "10 s",
    "How often the tables that a query without an end writes make visible what they were given. Shorter is sooner, and makes more and smaller files.",
);

/// Every setting.
pub const SETTINGS: &[OptionSpec] = &[
    TIME_ZONE,
    ALLOWED_LATENESS,
    UNBOUNDED_STATE,
    STATE_TTL,
    IDLE_TIMEOUT,
    WORKERS,
    LATE_ROWS_KEEP,
    REJECTED_ROWS_KEEP,
    EPOCH_ROWS,
    PUBLISH_INTERVAL,
];

/// Other names for settings, from Flink.
const ALIASES: &[(&str, &str)] = &[
    ("table.exec.state.ttl", STATE_TTL.name),
    ("table.exec.source.idle-timeout", IDLE_TIMEOUT.name),
    ("table.exec.emit.allow-lateness", ALLOWED_LATENESS.name),
];

/// Settings of Flink that pipelines carry around and that mean nothing here. `*` stands for a family.
const WITHOUT_EFFECT: &[&str] = &[
    "client.*",
    "cluster.*",
    "execution.*",
    "high-availability*",
    "jobmanager.*",
    "metrics.*",
    "parallelism.default",
    "pipeline.*",
    "rest.*",
    "restart-strategy*",
    "sql-client.*",
    "state.backend*",
    "state.checkpoint*",
    "state.latency-track.*",
    "state.savepoints.*",
    "state.storage.*",
    "table.dml-sync",
    "table.dynamic-table-options.enabled",
    "table.exec.*",
    "table.generated-code.*",
    "table.optimizer.*",
    "table.plan.*",
    "table.sql-dialect",
    "taskmanager.*",
];

/// Of these, the families whose meaning is written in another way, and how.
const WRITTEN_OTHERWISE: &[(&str, &str)] = &[(
    "table.exec.emit.early-fire",
    "EMIT CHANGES [EVERY INTERVAL '1' SECOND] behind a query puts windows out before they close",
)];

/// The settings of a session. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Settings(Arc<RwLock<OptionValues>>);

impl Settings {
    /// Changes a setting. Returns what there is to say about it, if anything.
    pub fn set(&self, key: &str, value: &str) -> Result<Option<String>> {
        if is_without_effect(key) {
            let instead = WRITTEN_OTHERWISE.iter().find(|(family, _)| key.starts_with(family));
            let instead = instead.map_or(String::new(), |(_, remedy)| format!("; {remedy}"));
            return Ok(Some(format!("accepted, has no effect: '{key}'{instead}")));
        }
        let name = name_of(key)?;
        OptionValues::from_pairs([(name, value)]).check("the session", &[SETTINGS])?;
        if name == TIME_ZONE.name {
            zone_of(value)?;
        }
        self.write().0.insert(name.to_string(), value.to_string());
        Ok(None)
    }

    /// Takes a setting back to its default; all of them without a key.
    pub fn reset(&self, key: Option<&str>) -> Result<()> {
        match key {
            None => self.write().0.clear(),
            Some(key) if is_without_effect(key) => {}
            Some(key) => drop(self.write().0.remove(name_of(key)?)),
        }
        Ok(())
    }

    /// What was set.
    pub fn changed(&self) -> BTreeMap<String, String> {
        self.values().0
    }

    /// What was set, and the defaults of the rest: name, value, meaning.
    pub fn all(&self) -> Vec<(&'static str, String, &'static str)> {
        let values = self.values();
        SETTINGS.iter().map(|s| (s.name, values.text(s).unwrap_or("").to_string(), s.doc)).collect()
    }

    /// `'table.local-time-zone'`.
    pub fn zone(&self) -> Result<Zone> {
        zone_of(self.values().text(&TIME_ZONE).unwrap_or("UTC"))
    }

    /// `'allowed-lateness'`.
    pub fn allowed_lateness(&self) -> Result<Micros> {
        Ok(self.micros(&ALLOWED_LATENESS)?.unwrap_or(0))
    }

    /// `'source.idle-timeout'`; `None` if it is off.
    pub fn idle_timeout(&self) -> Result<Option<Micros>> {
        Ok(self.micros(&IDLE_TIMEOUT)?.filter(|t| *t > 0))
    }

    /// `'state.unbounded'`: `allow`, `warn` or `reject`.
    pub fn state_unbounded(&self) -> Result<&'static str> {
        Ok(self.values().one_of(&UNBOUNDED_STATE)?.unwrap_or("warn"))
    }

    /// `'state.ttl'`; 0 where state is kept.
    pub fn state_ttl(&self) -> Result<Micros> {
        Ok(self.micros(&STATE_TTL)?.unwrap_or(0))
    }

    /// `'workers'`, if it was set.
    pub fn workers(&self) -> Result<Option<usize>> {
        self.count(&WORKERS).map(|n| n.filter(|n| *n > 0))
    }

    /// `'execution.epoch-rows'`, at least 1.
    pub fn epoch_rows(&self) -> Result<usize> {
        Ok(self.count(&EPOCH_ROWS)?.unwrap_or(1).max(1))
    }

    /// `'sink.publish-interval'`.
    pub fn publish_interval(&self) -> Result<std::time::Duration> {
        Ok(self.values().duration(&PUBLISH_INTERVAL)?.unwrap_or_default())
    }

    /// `'late-rows.keep'`.
    pub fn late_rows_keep(&self) -> Result<usize> {
        Ok(self.count(&LATE_ROWS_KEEP)?.unwrap_or(0))
    }

    /// `'rejected-rows.keep'`.
    pub fn rejected_rows_keep(&self) -> Result<usize> {
        Ok(self.count(&REJECTED_ROWS_KEEP)?.unwrap_or(0))
    }

    fn micros(&self, spec: &OptionSpec) -> Result<Option<Micros>> {
        Ok(self.values().duration(spec)?.map(|d| Micros::try_from(d.as_micros()).unwrap_or(Micros::MAX)))
    }

    fn count(&self, spec: &OptionSpec) -> Result<Option<usize>> {
        Ok(self.values().int(spec)?.map(|n| usize::try_from(n).unwrap_or(usize::MAX)))
    }

    fn values(&self) -> OptionValues {
        // Each change is one insertion, so a panic elsewhere leaves nothing half done.
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, OptionValues> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_without_effect(key: &str) -> bool {
    // A slip of the pen in one of our own names is not one of Flink's.
    let misspelt = |own: &str| strsim::damerau_levenshtein(key, own) <= 2;
    name_of(key).is_err()
        && !SETTINGS.iter().any(|s| misspelt(s.name))
        && WITHOUT_EFFECT.iter().any(|known| match known.strip_suffix('*') {
            Some(family) => key.starts_with(family),
            None => key == *known,
        })
}

/// The setting that `key` names, by its own name or by another.
fn name_of(key: &str) -> Result<&'static str> {
    let own = SETTINGS.iter().find(|s| s.name == key).map(|s| s.name);
    own.or_else(|| ALIASES.iter().find(|(alias, _)| *alias == key).map(|(_, name)| *name)).ok_or_else(|| {
        Error::statement(format!("there is no setting '{key}'")).with_nearest(key, SETTINGS.iter().map(|s| s.name))
    })
}

fn zone_of(name: &str) -> Result<Zone> {
    Zone::parse(name).ok_or_else(|| {
        Error::statement(format!("there is no time zone '{name}'"))
            .with_hint("Write 'UTC' or a name such as 'Europe/Berlin'.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked_when_they_are_set() {
        let settings = Settings::default();
        assert_eq!(settings.set("allowed-lateness", "2 s").unwrap(), None);
        assert_eq!(settings.allowed_lateness().unwrap(), 2_000_000);
        settings.set("table.exec.source.idle-timeout", "0").unwrap();
        assert_eq!(settings.idle_timeout().unwrap(), None);
        settings.reset(None).unwrap();
        assert_eq!(settings.idle_timeout().unwrap(), Some(10_000_000));
        let notice = settings.set("execution.checkpointing.interval", "10s").unwrap();
        assert_eq!(notice.as_deref(), Some("accepted, has no effect: 'execution.checkpointing.interval'"));
        let notice = settings.set("table.exec.emit.early-fire.enabled", "true").unwrap();
        assert!(notice.unwrap().contains("EMIT CHANGES"));
        for key in
            ["table.exec.legacy-cast-behaviour", "table.plan.force-recompile", "sql-client.execution.result-mode"]
        {
            assert!(settings.set(key, "enabled").unwrap().is_some(), "{key}");
        }
        assert_eq!(settings.set("execution.epoch-rows", "1").unwrap(), None);
        let misspelt = settings.set("execution.epoch-row", "1").unwrap_err();
        assert!(misspelt.hint().is_some_and(|hint| hint.contains("'execution.epoch-rows'")), "{misspelt}");
        assert!(settings.set("table.local-time-zone", "Europe/Brelin").is_err());
        assert!(settings.set("allowed-lateness", "soon").is_err());
        let e = settings.set("allowed-latenes", "1 s").unwrap_err();
        assert!(e.hint().unwrap().starts_with("Did you mean 'allowed-lateness'?"), "{e}");
    }
}
