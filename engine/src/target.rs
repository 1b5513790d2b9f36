//! Targets: the instant or commit that a view or a restore asks for, and what it comes to.

use std::fmt;

use foldback_log_tier::manifest::Manifest;
use foldback_log_tier::{Commit, Seq, Timestamp};

use crate::catalog::TableRecord;
use crate::instant;

/// Which state of a table is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The state after the last commit.
    Latest,
    /// The state after every commit stamped at this instant or before it.
    At(Timestamp),
    /// The state after every commit stamped before this instant.
    Before(Timestamp),
    /// The state after this commit.
    Seq(Seq),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("the latest commit"),
            Self::At(at) => f.write_str(&instant::show(*at)),
            Self::Before(before) => write!(f, "before {}", instant::show(*before)),
            Self::Seq(seq) => write!(f, "#{seq}"),
        }
    }
}

/// The one commit that a target comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The last commit whose events belong to the state.
    pub commit: Commit,
    /// The commit after it, the first that does not belong, if there is one yet.
    pub next: Option<Commit>,
}

/// An interval of restorable instants of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The earliest restorable instant.
    pub earliest: Timestamp,
    /// The latest restorable instant; of an open window it moves on with time.
    pub latest: Timestamp,
    /// The first restorable commit.
    pub first: Seq,
    /// The last restorable commit; of an open window it moves on with every commit.
    pub last: Seq,
    /// Whether the table is still protected, so that the window goes on growing.
    pub open: bool,
}

impl Window {
    /// Whether the state after `commit` can be restored.
    #[must_use]
    pub fn contains(&self, commit: Seq) -> bool {
        (self.first..=self.last).contains(&commit)
    }
}

/// The restorable windows of a table, in order: what its protection intervals promise, as far as
/// the files of `manifest` keep the promise.
///
/// A window begins where history does, which is at or before the horizon: what its retention would
/// let go and nothing has taken yet can be restored too.
pub(crate) fn windows(
    record: &TableRecord,
    manifest: &Manifest,
    tip: Commit,
    now: Timestamp,
) -> Vec<Window> {
    let mut windows = kept(record, manifest, tip, now);
    windows.retain(|window| window.open || window.earliest <= window.latest);
    windows
}

/// The same with those that hold no instant: a table can live within one timestamp, as all commits
/// carry one while a clock that went back is waited for. The instant takes later commits too, so
/// that only numbers name its states.
pub(crate) fn kept(
    record: &TableRecord,
    manifest: &Manifest,
    tip: Commit,
    now: Timestamp,
) -> Vec<Window> {
    let mut windows = Vec::new();
    for interval in record.protection.iter().filter(|interval| !interval.is_discarded()) {
        let Some(first) = interval.kept(record.id).earliest(manifest) else { continue };
        let (latest, last) = match interval.last {
            Some(end) => (end.timestamp.saturating_add_micros(-1), end.seq.prev()),
            None => (now.max(tip.timestamp), tip.seq),
        };
        let (earliest, open) = (first.timestamp, interval.last.is_none());
        windows.push(Window { earliest, latest, first: first.seq, last, open });
    }
    windows
}

#[cfg(test)]
mod tests;
