//! What can't be restored without a history file: which tables, and which of their commits.
//!
//! A pure function of one manifest and of what the catalog says. Which files a restore needs
//! changes only at the commits of bases and at the ends of the file, so these are asked one after
//! the other.

use std::collections::BTreeMap;
use std::fmt;

use foldback_compactor::{Interval, cover};
use foldback_log_tier::history::FileKind;
use foldback_log_tier::manifest::{HistoryEntry, Manifest};
use foldback_log_tier::{Commit, KeyRange, Seq, TableId};

use crate::target::kept;
use crate::{ProtectionInterval, Retention, TableRecord, instant};

/// Commits of a table whose states can't be restored: `first` and those after it, up to the one
/// before `until`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hurt {
    /// The table.
    pub table: TableId,
    /// Its name.
    pub name: String,
    /// The first commit whose state can't be restored.
    pub first: Commit,
    /// The first commit after it whose state can; `None` if none can, up to the last one sealed.
    pub until: Option<Commit>,
}

impl Hurt {
    /// Whether the state after commit `seq` can't be restored.
    #[must_use]
    pub fn contains(&self, seq: Seq) -> bool {
        self.first.seq <= seq && self.until.is_none_or(|until| seq < until.seq)
    }
}

impl fmt::Display for Hurt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, name, first, until } = self;
        let (show, seq) = (instant::show, first.seq);
        write!(f, "table {name:?} (id {table}) from #{seq}, at {}, ", show(first.timestamp))?;
        match until {
            Some(until) => write!(f, "until #{}, at {}", until.seq, show(until.timestamp)),
            None => f.write_str("to its latest"),
        }
    }
}

/// What the catalog would say of itself.
pub(super) fn record_of_catalog() -> TableRecord {
    let (first, retention) = (Commit::ORIGIN, Retention::Forever);
    let (last, changes) = (None, Vec::new());
    let interval = ProtectionInterval { first, last, retention, starts_empty: true, changes };
    TableRecord {
        id: TableId::CATALOG,
        name: "the catalog".to_owned(),
        created: first,
        dropped: None,
        protection: vec![interval],
        lineage: None,
    }
}

/// The commits of `records`, as far as they are sealed, that a restore can't reach without `file`.
pub(super) fn hurt_by(
    manifest: &Manifest,
    records: &[TableRecord],
    file: &HistoryEntry,
) -> Vec<Hurt> {
    records.iter().flat_map(|record| hurt_table(manifest, record, file)).collect()
}

/// A window of a table as far as it is sealed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SealedWindow {
    pub(crate) interval: Interval,
    pub(crate) first: Commit,
    pub(crate) last: Seq,
}

/// The windows of a table as far as they are sealed, in order.
pub(crate) fn sealed_windows(manifest: &Manifest, record: &TableRecord) -> Vec<SealedWindow> {
    let sealed = manifest.sealed;
    let windows = kept(record, manifest, sealed, sealed.timestamp);
    let of_window = |window: &crate::Window| {
        let interval = record.protection.iter().find(|interval| interval.contains(window.first))?;
        let first = Commit { seq: window.first, timestamp: window.earliest };
        let (interval, last) = (interval.kept(record.id), window.last.min(sealed.seq));
        (first.seq <= last).then_some(SealedWindow { interval, first, last })
    };
    windows.iter().filter_map(of_window).collect()
}

fn hurt_table(manifest: &Manifest, record: &TableRecord, file: &HistoryEntry) -> Vec<Hurt> {
    let mut hurts: Vec<Hurt> = Vec::new();
    for window in sealed_windows(manifest, record) {
        let need = Need { manifest, window, file };
        let mut open: Option<Commit> = None;
        let (table, name) = (record.id, &record.name);
        let mut close = |first: Commit, until: Option<Commit>| {
            hurts.push(Hurt { table, name: name.clone(), first, until });
        };
        for commit in need.changes() {
            match (open, need.at(commit.seq)) {
                (None, true) => open = Some(commit),
                (Some(first), false) => {
                    close(first, Some(commit));
                    open = None;
                }
                (None, false) | (Some(_), true) => {}
            }
        }
        if let Some(first) = open {
            close(first, window.interval.last);
        }
    }
    hurts
}

/// Whether one window needs one file.
struct Need<'a> {
    manifest: &'a Manifest,
    window: SealedWindow,
    file: &'a HistoryEntry,
}

impl Need<'_> {
    /// The commits of the window at which the answer can change, in order.
    fn changes(&self) -> Vec<Commit> {
        let SealedWindow { interval, first, last } = self.window;
        let mut changes = BTreeMap::from([(first.seq, first.timestamp)]);
        let mut add = |commit: Commit| {
            // Of a commit that no file tells, the instant before it is told.
            let known = changes.entry(commit.seq).or_insert(commit.timestamp);
            *known = commit.timestamp.max(*known);
        };
        for base in interval.bases(self.manifest) {
            add(base.last);
            let holds_to = base.holds_to();
            add(Commit { seq: holds_to.seq.next(), timestamp: holds_to.timestamp });
        }
        add(self.file.first);
        add(self.file.last);
        if let Some(entry) = self.file.table(interval.table) {
            // Timestamps never decrease, so the least is that of the least seq.
            add(Commit { seq: entry.seq_min, timestamp: entry.timestamp_min });
        }
        let within = changes.range(first.seq..=last);
        within.map(|(seq, timestamp)| Commit { seq: *seq, timestamp: *timestamp }).collect()
    }

    /// Whether a restore of the state after commit `seq` reads the file.
    fn at(&self, seq: Seq) -> bool {
        match self.file.kind {
            FileKind::Base => self.reads_base(seq),
            FileKind::Delta => self.tells_instant(seq) || self.reads_delta(seq),
        }
    }

    /// Whether the file alone says which commit was the last at an instant.
    fn tells_instant(&self, seq: Seq) -> bool {
        self.file.scope.is_none() && (self.file.first.seq..self.file.last.seq).contains(&seq)
    }

    fn reads_base(&self, seq: Seq) -> bool {
        let cover = cover(self.bases_to(seq), &[KeyRange::all()]);
        cover.covered.iter().any(|(_, base)| base.name == self.file.name)
    }

    fn reads_delta(&self, seq: Seq) -> bool {
        let interval = &self.window.interval;
        let Some(entry) = self.file.table(interval.table) else { return false };
        if seq < entry.seq_min {
            return false;
        }
        let begin = interval.floor(self.manifest).unwrap_or(interval.first).seq;
        let cover = cover(self.bases_to(seq), &[KeyRange::all()]);
        let covered = cover.covered.iter().map(|(keys, base)| (keys, base.holds_to().seq.min(seq)));
        let bare = cover.bare.iter().map(|keys| (keys, begin));
        let mut grounds = covered.chain(bare);
        grounds.any(|(keys, floor)| {
            floor < entry.seq_max && keys.intersects(&entry.key_min, &entry.key_max)
        })
    }

    fn bases_to(&self, seq: Seq) -> impl Iterator<Item = &HistoryEntry> {
        let bases = self.window.interval.bases(self.manifest);
        bases.filter(move |base| base.last.seq <= seq)
    }
}
