//! What the catalog says of one table, and how table 0 stores it.

use std::fmt;

use foldback_compactor::{Interval, Shortening};
use foldback_log_tier::{Commit, DatabaseId, Seq, TableId, Timestamp};
use serde::{Deserialize, Serialize};

use super::stored::Stored;

/// How long an instant stays restorable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retention {
    /// This many seconds.
    Secs(u64),
    /// For ever.
    Forever,
}

impl Default for Retention {
    /// Thirty-five days.
    fn default() -> Self {
        Self::Secs(35 * 24 * 60 * 60)
    }
}

impl Retention {
    /// In microseconds; `None` for ever.
    #[must_use]
    pub(crate) fn micros(self) -> Option<i64> {
        match self {
            Self::Forever => None,
            Self::Secs(secs) => {
                Some(i64::try_from(secs).unwrap_or(i64::MAX).saturating_mul(1_000_000))
            }
        }
    }
}

impl Retention {
    fn is_shorter_than(self, other: Self) -> bool {
        match (self, other) {
            (Self::Secs(ours), Self::Secs(theirs)) => ours < theirs,
            (Self::Secs(_), Self::Forever) => true,
            (Self::Forever, _) => false,
        }
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
        match self {
            Self::Forever => f.write_str("forever"),
            Self::Secs(secs) => {
                let whole = UNITS.iter().find(|(unit, _)| secs % unit == 0);
                let (unit, name) = whole.expect("every number is a multiple of one");
                write!(f, "{}{name}", secs / unit)
            }
        }
    }
}

/// A change of the retention of a protection interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionChange {
    /// The commit that asked for it.
    pub by: Commit,
    /// The retention in effect until then, and until `from`.
    pub old: Retention,
    /// The retention from `from` on; zero gives up all states of the interval, which has ended.
    pub new: Retention,
    /// When it takes effect: at once if it is longer, later if it is shorter. A change that comes
    /// before this instant takes its place.
    pub from: Timestamp,
}

/// A run of commits during which the history of a table is kept: `first <= seq`, and
/// `seq < last.seq` where it has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProtectionInterval {
    /// The commit that switched protection on.
    pub first: Commit,
    /// The commit that switched it off, or dropped the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Commit>,
    /// How long its instants stay restorable, as it was asked for at first.
    pub retention: Retention,
    /// Whether the table had no key at `first`; if it had some, restores need a base first.
    pub starts_empty: bool,
    /// What was asked for later, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<RetentionChange>,
}

impl ProtectionInterval {
    /// The interval as the compactor knows it, of this table.
    #[must_use]
    pub(crate) fn kept(&self, table: TableId) -> Interval {
        self.kept_as_of(table, Seq::MAX)
    }

    /// The interval as the compactor knows it, as it was at commit `sealed`.
    #[must_use]
    pub(crate) fn kept_as_of(&self, table: TableId, sealed: Seq) -> Interval {
        let Self { first, last, starts_empty, .. } = *self;
        let last = last.filter(|last| last.seq <= sealed);
        let (retention, pending) = match self.changes.iter().rfind(|it| it.by.seq <= sealed) {
            None => (self.retention, None),
            Some(change) if change.from <= change.by.timestamp => (change.new, None),
            Some(change) => (change.old, Some(change)),
        };
        let shortens = pending.and_then(|change| {
            let retention_micros = change.new.micros()?;
            Some(Shortening { from: change.from, retention_micros })
        });
        let retention_micros = retention.micros();
        Interval { table, first, last, starts_empty, retention_micros, shortens }
    }

    /// How long its instants stay restorable, by what is in effect at `instant`, which can be past:
    /// the changes that were asked for later leave that as it was.
    #[must_use]
    pub fn retention_at(&self, instant: Timestamp) -> Retention {
        match self.changes.iter().rfind(|change| change.by.timestamp <= instant) {
            None => self.retention,
            Some(change) if change.from <= instant => change.new,
            Some(change) => change.old,
        }
    }

    /// How long its instants stayed restorable by what was in effect right after `commit`.
    #[must_use]
    pub fn retention_as_of(&self, commit: Commit) -> Retention {
        match self.changes.iter().rfind(|change| change.by.seq <= commit.seq) {
            None => self.retention,
            Some(change) if change.from <= commit.timestamp => change.new,
            Some(change) => change.old,
        }
    }

    /// The shorter retention that takes effect after `now`, if one waits.
    #[must_use]
    pub fn pending_at(&self, now: Timestamp) -> Option<&RetentionChange> {
        self.changes.last().filter(|change| now < change.from)
    }

    /// Whether all of its states were given up at once.
    #[must_use]
    pub fn is_discarded(&self) -> bool {
        self.changes.last().is_some_and(|change| change.new == Retention::Secs(0))
    }

    /// Asks for another retention by a commit; a shorter one waits for `undo_micros`.
    pub(super) fn change_retention(&mut self, by: Commit, new: Retention, undo_micros: i64) {
        let old = self.retention_at(by.timestamp);
        let waits = if new.is_shorter_than(old) { undo_micros } else { 0 };
        let from = by.timestamp.saturating_add_micros(waits);
        self.changes.push(RetentionChange { by, old, new, from });
    }

    /// Whether the state after commit `seq` belongs to this interval.
    #[must_use]
    pub fn contains(&self, seq: Seq) -> bool {
        self.first.seq <= seq && self.last.is_none_or(|last| seq < last.seq)
    }
}

/// Where a restored table came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lineage {
    /// The table it was restored from.
    pub source: TableId,
    /// The commit of the source whose state it started with.
    pub target: Commit,
    /// The database of both, if it is another one than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<DatabaseId>,
}

/// What the catalog says of one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableRecord {
    /// Its id.
    pub id: TableId,
    /// Its name; a dropped table's name can be another's by now.
    pub name: String,
    /// The commit that made it visible.
    pub created: Commit,
    /// The commit that dropped it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped: Option<Commit>,
    /// When it was protected, in order, with gaps between.
    pub protection: Vec<ProtectionInterval>,
    /// Where it came from, if it was restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage: Option<Lineage>,
}

impl TableRecord {
    pub(super) fn new(
        id: TableId,
        name: String,
        created: Commit,
        lineage: Option<Lineage>,
    ) -> Self {
        Self { id, name, created, dropped: None, protection: Vec::new(), lineage }
    }

    /// The interval that has not ended.
    #[must_use]
    pub fn open_protection(&self) -> Option<&ProtectionInterval> {
        self.protection.last().filter(|interval| interval.last.is_none())
    }

    /// Starts an interval at `first`; none is open.
    pub(super) fn open_protection_at(
        &mut self,
        first: Commit,
        retention: Retention,
        starts_empty: bool,
    ) {
        let (last, changes) = (None, Vec::new());
        let interval = ProtectionInterval { first, last, retention, starts_empty, changes };
        self.protection.push(interval);
    }

    /// Ends the open interval, if there is one; says whether there was.
    pub(super) fn close_protection(&mut self, commit: Commit) -> bool {
        let open = self.protection.last_mut().filter(|interval| interval.last.is_none());
        open.map(|interval| interval.last = Some(commit)).is_some()
    }

    pub(super) fn protected_at(&self, seq: Seq) -> bool {
        self.protection.iter().any(|interval| interval.contains(seq))
    }
}

impl Stored for TableRecord {
    const KIND: &'static str = "table";

    fn number(&self) -> u64 {
        self.id.0
    }
}
