//! Schedules: when a backup is due, and which backups of a schedule may go. All of it follows from
//! the records of the catalog and an instant.
//!
//! Two clocks are asked, as one wrong answer is late and the other destroys. What is due goes by
//! the clock that commits are stamped with, so that a clock that goes back makes nothing due
//! twice. What may go is decided by the clock that expiry trusts: so a clock that leaps deletes
//! nothing until expiry follows it.

use std::collections::{BTreeMap, BTreeSet};

use foldback_compactor::{CLOCK_STEP_MAX, moved_on};
use foldback_log_tier::manifest::Manifest;
use foldback_log_tier::{Commit, Seq, Timestamp};
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::catalog::Catalog;
use crate::{
    BackupRecord, BucketReader, Database, KeepRules, Result, Retention, ScheduleRecord, instant,
};

const SECOND_MICROS: i64 = 1_000_000;

/// How a schedule stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleStanding {
    /// What the catalog says of it.
    pub schedule: ScheduleRecord,
    /// How many backups it has made that are there.
    pub backups: usize,
    /// The commit that asked for the newest of them.
    pub last: Option<Commit>,
    /// From when on the next one is due.
    pub next: Timestamp,
    /// Why it makes none, if it can't.
    pub hindrance: Option<String>,
}

/// What one look at a schedule has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleRun {
    /// The schedule.
    pub schedule: String,
    /// The backup that was due, and is made.
    pub made: Option<BackupRecord>,
    /// The names of the backups that its rules let go, and that are deleted, the oldest first.
    pub deleted: Vec<String>,
    /// Why something that was due is not done. It is tried again.
    pub trouble: Option<String>,
}

impl BucketReader {
    /// How the schedules stood at the last sealed commit, in the order in which they were made.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Tier`] if the bucket is out of reach or damaged.
    pub fn schedules(&self) -> Result<Vec<ScheduleStanding>> {
        self.on_held(|_, catalog| Ok(standings(catalog)))
    }
}

impl Database {
    /// How the schedules stand, in the order in which they were made.
    #[must_use]
    pub fn schedules(&self) -> Vec<ScheduleStanding> {
        standings(&self.inner.log.catalog())
    }
}

fn standings(catalog: &Catalog) -> Vec<ScheduleStanding> {
    let standing = |schedule: &ScheduleRecord| {
        let backups = made_by(catalog, schedule);
        ScheduleStanding {
            backups: backups.len(),
            last: backups.last().map(|backup| backup.created),
            next: due_from(schedule, &backups),
            hindrance: catalog.schedule_hindrance(schedule),
            schedule: schedule.clone(),
        }
    };
    catalog.schedules().map(standing).collect()
}

/// The backups of a schedule that are certain, the oldest first.
pub(crate) fn made_by<'a>(
    catalog: &'a Catalog,
    schedule: &ScheduleRecord,
) -> Vec<&'a BackupRecord> {
    let id = Some(schedule.created.seq);
    catalog.backups().filter(|backup| backup.schedule == id && backup.is_confirmed()).collect()
}

/// Whether a schedule is to make a backup at an instant that is no earlier than the last commit.
pub(crate) fn is_due(schedule: &ScheduleRecord, backups: &[&BackupRecord], now: Timestamp) -> bool {
    due_from(schedule, backups) <= now
}

/// From when on the next backup is due: at the first whole multiple of the time between two of
/// them, counted from the making of the schedule, that lies after the last backup. So being late
/// once makes none of the later ones late, and what was missed is not made up for.
fn due_from(schedule: &ScheduleRecord, backups: &[&BackupRecord]) -> Timestamp {
    let first = schedule.created.timestamp;
    let Some(last) = backups.last() else { return first };
    let every = i64::try_from(schedule.every_secs).unwrap_or(i64::MAX);
    let every = every.saturating_mul(SECOND_MICROS).max(SECOND_MICROS);
    let passed = last.created.timestamp.0.saturating_sub(first.0) / every;
    first.saturating_add_micros(passed.saturating_add(1).saturating_mul(every))
}

/// The backups, by the commits that asked for them, that the rules let go at an instant, the oldest
/// first. The newest is never among them.
pub(crate) fn to_delete(keep: &KeepRules, backups: &[&BackupRecord], now: Timestamp) -> Vec<Seq> {
    let seq = |backup: &&BackupRecord| backup.created.seq;
    let within = |rule: Option<Retention>| {
        backups.iter().filter(move |backup| is_within(rule, backup.created.timestamp, now))
    };
    let mut kept: BTreeSet<Seq> = within(keep.all).map(seq).collect();
    kept.extend(backups.last().map(seq));
    kept.extend(first_of_each(within(keep.daily), |date| date));
    kept.extend(first_of_each(within(keep.monthly), Date::first_of_month));
    backups.iter().map(seq).filter(|seq| !kept.contains(seq)).collect()
}

/// The first backup of each day, or of each month.
fn first_of_each<'a>(
    backups: impl Iterator<Item = &'a &'a BackupRecord>,
    of: impl Fn(Date) -> Date,
) -> Vec<Seq> {
    let mut first: BTreeMap<Date, Seq> = BTreeMap::new();
    for backup in backups {
        let day = utc(backup.created.timestamp).to_zoned(TimeZone::UTC).date();
        first.entry(of(day)).or_insert(backup.created.seq);
    }
    first.into_values().collect()
}

fn is_within(rule: Option<Retention>, made: Timestamp, now: Timestamp) -> bool {
    rule.is_some_and(|span| {
        span.micros()
            .is_none_or(|micros| made >= now.saturating_add_micros(micros.saturating_neg()))
    })
}

/// The time that deletions go by: the clock as far as expiry trusts it, and no further than an idle
/// database is allowed.
pub(crate) fn trusted_now(manifest: &Manifest, clock: Timestamp) -> Timestamp {
    let idle = manifest.sealed.timestamp.saturating_add_micros(CLOCK_STEP_MAX);
    moved_on(manifest.clock, clock, CLOCK_STEP_MAX).min(clock).min(idle)
}

/// Why nothing is due, where that is only for a clock that went back: at least one backup is missed
/// by it.
pub(crate) fn clock_hindrance(
    schedule: &ScheduleRecord,
    backups: &[&BackupRecord],
    clock: Timestamp,
) -> Option<String> {
    let last = backups.last()?.created.timestamp;
    let every =
        i64::try_from(schedule.every_secs).unwrap_or(i64::MAX).saturating_mul(SECOND_MICROS);
    (clock.saturating_add_micros(every) < last).then(|| {
        format!(
            "schedule {:?} makes no backups, as its last one is stamped {}, and the clock says {}; \
             set the clock right, or make backups by hand until then",
            schedule.name,
            instant::show(last),
            instant::show(clock)
        )
    })
}

/// The name of a backup that a schedule makes at an instant.
pub(crate) fn name_at(schedule: &ScheduleRecord, now: Timestamp) -> String {
    format!("{}-{}", schedule.name, utc(now).strftime("%Y%m%dT%H%M%SZ"))
}

/// An instant as the calendar knows it, held at the ends of what it knows.
fn utc(instant: Timestamp) -> jiff::Timestamp {
    let ends = (jiff::Timestamp::MIN, jiff::Timestamp::MAX);
    let micros = instant.0.clamp(ends.0.as_microsecond(), ends.1.as_microsecond());
    jiff::Timestamp::from_microsecond(micros).unwrap_or(ends.0)
}

#[cfg(test)]
mod tests;
