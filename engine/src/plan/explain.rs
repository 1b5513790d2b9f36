//! Why each file of history is read by a plan, or is not.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use foldback_log_tier::history::FileKind;
use foldback_log_tier::local_log::SegmentInfo;
use foldback_log_tier::manifest::{HistoryEntry, Manifest, TableEntry};

use super::{FileRead, PlanPiece, RestorePlan};

/// What a plan makes of one history file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileUse {
    /// The file.
    pub file: Arc<HistoryEntry>,
    /// Why it is read, or is not.
    pub reason: Reason,
    /// Row groups of it that are read.
    pub row_groups: u32,
    /// Row groups that hold the table.
    pub row_groups_of_table: u32,
    /// Bytes that are read.
    pub bytes: u64,
}

/// Why a plan reads a history file, or does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Read: no newer base at or below the target holds these keys.
    NewestBase,
    /// Read: it holds events after the base of their keys, up to the target.
    EventsSinceBase,
    /// It holds no row of the table.
    NoRowOfTable,
    /// Everything in it that could count comes after the target.
    AfterTarget,
    /// All of its keys lie outside of the selection.
    OutsideSelection,
    /// A base whose keys all have a newer one at or below the target.
    OlderBase,
    /// A delta of which the bases that are read hold every event already.
    HeldByBases,
    /// The statistics of its row groups leave none that could hold a row of the plan.
    NoRowGroup,
    /// It belongs to a history that ended before the one of the target began.
    OfEarlierHistory,
}

impl Reason {
    /// Whether the file is read.
    #[must_use]
    pub fn is_read(&self) -> bool {
        matches!(self, Self::NewestBase | Self::EventsSinceBase)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NewestBase => "the newest base of its keys at or below the target",
            Self::EventsSinceBase => "holds events after the base of their keys, up to the target",
            Self::NoRowOfTable => "holds no row of the table",
            Self::AfterTarget => "all that it holds of the table comes after the target",
            Self::OutsideSelection => "none of its keys are selected",
            Self::OlderBase => "a newer base at or below the target holds its keys",
            Self::HeldByBases => "the bases that are read hold its events already",
            Self::NoRowGroup => "no row group of it can hold a row, by their statistics",
            Self::OfEarlierHistory => "belongs to a history that ended before this one began",
        })
    }
}

impl RestorePlan {
    /// Says of every file of a manifest, which is to be the one that the plan is bound to, whether
    /// the plan reads it, and why; in the manifest's order.
    #[must_use]
    pub fn explain(&self, manifest: &Manifest) -> Vec<FileUse> {
        manifest.files.iter().map(|file| self.explain_file(file)).collect()
    }

    fn explain_file(&self, file: &HistoryEntry) -> FileUse {
        let reads: Vec<_> = self.files().filter(|read| read.file.name == file.name).collect();
        let row_groups: BTreeSet<u32> =
            reads.iter().flat_map(|read| read.row_groups.iter().copied()).collect();
        let held = |entry: &TableEntry| entry.row_group_last - entry.row_group_first + 1;
        FileUse {
            reason: self.reason(file, &reads),
            row_groups: u32::try_from(row_groups.len())
                .expect("row groups are numbered in 32 bits"),
            row_groups_of_table: file.table(self.table).map_or(0, held),
            bytes: reads.iter().map(|read| read.bytes).sum(),
            file: Arc::new(file.clone()),
        }
    }

    fn reason(&self, file: &HistoryEntry, reads: &[&FileRead]) -> Reason {
        let Some(entry) = file.table(self.table) else { return Reason::NoRowOfTable };
        if reads.iter().any(|read| !read.row_groups.is_empty()) {
            return match file.kind {
                FileKind::Base => Reason::NewestBase,
                FileKind::Delta => Reason::EventsSinceBase,
            };
        }
        if !reads.is_empty() {
            return Reason::NoRowGroup;
        }
        let is_late = match file.kind {
            FileKind::Base => file.last.seq > self.target.seq,
            FileKind::Delta => entry.seq_min > self.target.seq,
        };
        if is_late {
            return Reason::AfterTarget;
        }
        let (key_min, key_max) = (&entry.key_min, &entry.key_max);
        let overlaps = |piece: &&PlanPiece| self.selection.meets(&piece.keys, key_min, key_max);
        let mut pieces = self.pieces.iter().filter(overlaps).peekable();
        if pieces.peek().is_none() {
            return Reason::OutsideSelection;
        }
        let stands_on_bases = pieces.all(|piece| piece.base.is_some());
        match (file.kind, stands_on_bases) {
            (_, false) => Reason::OfEarlierHistory,
            (FileKind::Base, true) => Reason::OlderBase,
            (FileKind::Delta, true) => Reason::HeldByBases,
        }
    }

    /// Whether the plan reads a local segment; if not, it holds no commit after what is sealed, or
    /// none up to the target.
    #[must_use]
    pub fn reads_segment(&self, segment: &SegmentInfo) -> bool {
        self.segments.iter().any(|read| read.first == segment.first)
    }
}
