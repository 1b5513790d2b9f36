//! What to do next: a pure decision from what the manifest, the bucket and the local log hold.

use std::collections::BTreeSet;

use foldback_log_tier::local_log::SegmentInfo;
use foldback_log_tier::manifest::{HistoryEntry, Manifest};
use foldback_log_tier::{TableId, Timestamp};

use crate::FoldInputs;
use crate::change::{Expiry, moved_on};
use crate::expiry::expiry;
use crate::kept::{Interval, Kept, Pin};
use crate::publisher::CLOCK_STEP_MAX;
use crate::sweep::{Surroundings, Sweeping, is_due, sweeping};

mod folding;
mod merging;

/// A piece of background work.
#[derive(Clone, Debug, PartialEq)]
pub enum Job {
    /// Turn this sealed segment, the first that history does not cover, into a delta file.
    Seal(SegmentInfo),
    /// Write the first base of a table that had keys when its protection began.
    Base(TableId),
    /// Ask the bucket for its clock, its leases and its objects, and decide again.
    Look,
    /// Give up states that are older than their tables' retention.
    Expire(Expiry),
    /// Delete what no reader can need.
    Sweep(Sweeping),
    /// Make one delta of these, which adjoin, oldest first; or leave rows out of a single one.
    Merge(Vec<HistoryEntry>),
    /// Fold a base, or a range of its keys, and the deltas above it into the next.
    Fold(FoldInputs),
}

/// When history is rewritten, and when what is not needed goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    /// A range of keys is folded once the deltas above its base have this many times its bytes: so
    /// a restore of the latest state reads at most `1 + fold_ratio` times the state.
    pub fold_ratio: f64,
    /// Nothing is folded for fewer bytes of deltas than this.
    pub fold_bytes_min: u64,
    /// A range of keys is folded, however few their bytes, once so many deltas above its base hold
    /// events of it: so a restore's requests stay bounded too.
    pub fold_files_max: usize,
    /// So many adjacent deltas of about one size are merged: each byte is rewritten once for each
    /// time that history grows by this factor.
    pub merge_fanout: usize,
    /// Deltas are not merged beyond this size, and base files are cut there.
    pub file_bytes_target: u64,
    /// How long a file stays in the bucket once no manifest lists it, in microseconds.
    pub grace_micros: i64,
}

impl Policy {
    /// Whether it can work.
    ///
    /// # Errors
    ///
    /// A sentence that says which part can't be, and what it may be.
    pub fn check(&self) -> Result<(), String> {
        let Self { fold_ratio, file_bytes_target, grace_micros, .. } = *self;
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        // A grace that is negative is out of bounds too.
        let grace_secs = u64::try_from(grace_micros).map_or(u64::MAX, |micros| micros / 1_000_000);
        let bounds = [
            ("file_bytes_target", file_bytes_target, 1, 4 << 30, " bytes"),
            ("fold_files_max", count(self.fold_files_max), 1, 100_000, " files"),
            ("merge_fanout", count(self.merge_fanout), 2, 100_000, " files"),
            ("grace", grace_secs, 0, GRACE_SECS_MAX, " seconds"),
        ];
        for (name, value, least, most, unit) in bounds {
            if !(least..=most).contains(&value) {
                return Err(format!(
                    "setting {name} is {value}, it may be from {least} to {most}{unit}"
                ));
            }
        }
        match (FOLD_RATIO_MIN..=FOLD_RATIO_MAX).contains(&fold_ratio) {
            true => Ok(()),
            false => Err(format!(
                "setting fold_ratio is {fold_ratio}, it may be from {FOLD_RATIO_MIN} to \
                 {FOLD_RATIO_MAX}"
            )),
        }
    }
}

/// Longest grace: a year. What is not needed takes room for so long.
const GRACE_SECS_MAX: u64 = 365 * 24 * 60 * 60;
/// With less, a range would be folded for every few events of it.
const FOLD_RATIO_MIN: f64 = 0.01;
/// With more, a restore would read a hundred times what it returns.
const FOLD_RATIO_MAX: f64 = 100.0;

impl Default for Policy {
    fn default() -> Self {
        Self {
            fold_ratio: 1.0,
            fold_bytes_min: 256 * 1024,
            fold_files_max: 64,
            merge_fanout: 8,
            file_bytes_target: 128 * 1024 * 1024,
            grace_micros: 15 * 60 * 1_000_000,
        }
    }
}

/// How far expiry's clock may fall behind while nobody publishes, in microseconds: a day.
const CLOCK_TICK: i64 = CLOCK_STEP_MAX / 7;

/// Which work a process or a thread takes upon itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// What gets acknowledged commits off this machine: seals, and first bases.
    Sealing,
    /// What keeps history small and quick to restore from: all the rest.
    Upkeep,
}

/// All that the decision depends on.
#[derive(Clone, Copy, Debug)]
pub struct JobInputs<'a> {
    /// Whose work is asked for.
    pub duty: Duty,
    /// The newest manifest.
    pub manifest: &'a Manifest,
    /// The local segments in order, the active one last; none where only the bucket is known.
    pub segments: &'a [SegmentInfo],
    /// The protection intervals of all tables, the catalog's among them.
    pub intervals: &'a [Interval],
    /// The pins of all tables, as of what is sealed.
    pub pins: &'a [Pin],
    /// When history is rewritten, and when what is not needed goes.
    pub policy: Policy,
    /// The wall clock.
    pub now: Timestamp,
    /// What the bucket held when it was looked at, if that was not long ago.
    pub around: Option<&'a Surroundings>,
    /// Files that could not be read: no job is made of them.
    pub avoid: &'a BTreeSet<String>,
}

impl JobInputs<'_> {
    /// The time as far as expiry goes by it: never ahead of what expiry has come to trust.
    #[must_use]
    pub fn clock(&self) -> Timestamp {
        moved_on(self.manifest.clock, self.now, CLOCK_STEP_MAX).min(self.now)
    }

    /// The time that horizons are counted from: the earliest of the wall clock, as far as it is
    /// trusted, the object store's, and the last commit with what an idle database is allowed.
    #[must_use]
    pub fn expiry_now(&self) -> Timestamp {
        let idle = self.manifest.sealed.timestamp.saturating_add_micros(CLOCK_STEP_MAX);
        let store = self.around.map_or(Timestamp::MAX, |around| around.store_now);
        self.clock().min(idle).min(store)
    }

    fn is_avoided(&self, file: &HistoryEntry) -> bool {
        self.avoid.contains(&file.name)
    }
}

/// The next job, or `None` if all is done.
///
/// Of sealing, what is only here goes before what is not there yet. Of upkeep, what costs least
/// goes first: giving up, deleting, merging small deltas, folding what is most due.
#[must_use]
pub fn next_job(inputs: JobInputs<'_>) -> Option<Job> {
    match inputs.duty {
        Duty::Sealing => seal(inputs).or_else(|| first_base(inputs)),
        Duty::Upkeep => {
            let kept = Kept::new(inputs.manifest, inputs.intervals, inputs.pins);
            expire(inputs)
                .or_else(|| sweep(inputs))
                .or_else(|| merging::merge(inputs))
                .or_else(|| folding::fold(inputs))
                .or_else(|| merging::leave_out(inputs, &kept))
        }
    }
}

fn seal(inputs: JobInputs<'_>) -> Option<Job> {
    let sealed = inputs.manifest.sealed.seq;
    let to_seal = inputs.segments.iter().find(|info| info.sealed && info.last > sealed);
    to_seal.map(|segment| Job::Seal(*segment))
}

fn first_base(inputs: JobInputs<'_>) -> Option<Job> {
    let open = inputs.intervals.iter().filter(|interval| interval.last.is_none());
    let lacks_base = |interval: &&Interval| {
        !interval.starts_empty && interval.bases(inputs.manifest).next().is_none()
    };
    open.filter(lacks_base).map(|interval| Job::Base(interval.table)).next()
}

fn expire(inputs: JobInputs<'_>) -> Option<Job> {
    let found = expiry(inputs.manifest, (inputs.intervals, inputs.pins), inputs.expiry_now());
    let Some(expiry) = found else { return tick(inputs).map(Job::Expire) };
    // What goes for good is decided by the store's clock too.
    Some(if inputs.around.is_some() { Job::Expire(expiry) } else { Job::Look })
}

/// Moves expiry's clock on where nobody else publishes: left alone for long, it would not follow.
fn tick(inputs: JobInputs<'_>) -> Option<Expiry> {
    let ends =
        |interval: &Interval| interval.retention_micros.is_some() || interval.shortens.is_some();
    let expires = inputs.intervals.iter().any(ends);
    let due = inputs.manifest.clock.saturating_add_micros(CLOCK_TICK) <= inputs.clock();
    (expires && due).then(|| Expiry::tick(inputs.manifest.number))
}

fn sweep(inputs: JobInputs<'_>) -> Option<Job> {
    let (clock, grace) = (inputs.clock(), inputs.policy.grace_micros);
    match inputs.around {
        Some(around) => sweeping(inputs.manifest, around, clock, grace).map(Job::Sweep),
        None => {
            let due = inputs.manifest.removed.iter().any(|removed| is_due(removed, clock, grace));
            due.then_some(Job::Look)
        }
    }
}

#[cfg(test)]
mod tests;
