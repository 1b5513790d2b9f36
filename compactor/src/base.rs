//! Writing a base: a sorted state, cut by key into files that cover every key together.

use foldback_log_tier::history::{FileKind, HistoryIdentity};
use foldback_log_tier::manifest::HistoryEntry;
use foldback_log_tier::{Commit, EventRow, KeyRange, Result, TableId};

use crate::Reading;
use crate::cut::{CutIdentity, CutWriter};

/// What base is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseIdentity {
    /// The table.
    pub table: TableId,
    /// The keys that its files cover together.
    pub keys: KeyRange,
    /// The commit whose state it is.
    pub at: Commit,
}

/// Turns the sorted state of a range of keys of one table at one commit into base files, each in
/// the bucket as soon as it is whole.
///
/// The files' scopes adjoin: the first begins where the range does, each ends where the next
/// begins, and the last ends where the range does.
#[derive(Debug)]
pub struct BaseWriter<'a>(CutWriter<'a>);

impl<'a> BaseWriter<'a> {
    /// Begins a base, of files of about `file_bytes_target` bytes.
    #[must_use]
    pub fn new(reading: Reading<'a>, base: BaseIdentity, file_bytes_target: u64) -> Self {
        let BaseIdentity { table, keys, at } = base;
        let (database, kind) = (reading.making.database, FileKind::Base);
        let each = HistoryIdentity { database, kind, first: at, last: at, scope: None };
        let identity = CutIdentity { table, keys, each, commits: None, file_bytes_target };
        Self(CutWriter::new(reading, identity))
    }

    /// Adds the next row, keys ascending.
    ///
    /// # Errors
    ///
    /// What writing or uploading a file fails with; files that were completed are orphans then.
    ///
    /// # Panics
    ///
    /// If the key is not in the range, or not above the one before.
    pub fn push(&mut self, row: EventRow<'_>) -> Result<()> {
        self.0.push(row)
    }

    /// What the manifest is to say of the files that are whole by now.
    #[must_use]
    pub fn completed(&self) -> &[HistoryEntry] {
        self.0.completed()
    }

    /// Completes the last file, which has no row if the range has none; returns what the manifest
    /// is to say of all files, by ascending keys.
    ///
    /// # Errors
    ///
    /// As [`Self::push`].
    pub fn finish(self) -> Result<Vec<HistoryEntry>> {
        self.0.finish()
    }
}

#[cfg(test)]
mod tests;
