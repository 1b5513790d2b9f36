//! Writing a base: a sorted state, cut by key into files that cover every key together.

use bytes::Bytes;
use foldback_log_tier::history::{FileKind, HistoryIdentity};
use foldback_log_tier::manifest::{HistoryEntry, Scope};
use foldback_log_tier::{Commit, EventRow, KeyRange, Result, TableId};

use crate::Reading;
use crate::streamed::StreamedFile;

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
pub struct BaseWriter<'a> {
    reading: Reading<'a>,
    base: BaseIdentity,
    file_bytes_target: u64,
    /// Where the file that is open, or the next one, begins.
    from: Bytes,
    open: Option<StreamedFile<'a>>,
    completed: Vec<HistoryEntry>,
}

impl std::fmt::Debug for BaseWriter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BaseWriter").field("base", &self.base).finish_non_exhaustive()
    }
}

impl<'a> BaseWriter<'a> {
    /// Begins a base, of files of about `file_bytes_target` bytes.
    #[must_use]
    pub fn new(reading: Reading<'a>, base: BaseIdentity, file_bytes_target: u64) -> Self {
        let from = base.keys.from.clone();
        Self { reading, base, file_bytes_target, from, open: None, completed: Vec::new() }
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
        let target = self.file_bytes_target;
        if let Some(full) = self.open.take_if(|file| file.writer().bytes_so_far() >= target) {
            self.from = Bytes::copy_from_slice(row.key);
            self.complete(full, Some(self.from.clone()))?;
        }
        let mut file = self.open()?;
        file.push(row)?;
        self.open = Some(file);
        Ok(())
    }

    /// What the manifest is to say of the files that are whole by now.
    #[must_use]
    pub fn completed(&self) -> &[HistoryEntry] {
        &self.completed
    }

    /// Completes the last file, which has no row if the range has none; returns what the manifest
    /// is to say of all files, by ascending keys.
    ///
    /// # Errors
    ///
    /// As [`Self::push`].
    pub fn finish(mut self) -> Result<Vec<HistoryEntry>> {
        let last = self.open()?;
        self.complete(last, self.base.keys.until.clone())?;
        Ok(self.completed)
    }

    /// The file that is open, or else a new one.
    fn open(&mut self) -> Result<StreamedFile<'a>> {
        if let Some(file) = self.open.take() {
            return Ok(file);
        }
        let keys = KeyRange { from: self.from.clone(), until: self.base.keys.until.clone() };
        let identity = HistoryIdentity {
            database: self.reading.making.database,
            kind: FileKind::Base,
            first: self.base.at,
            last: self.base.at,
            scope: Some(Scope { table: self.base.table, keys }),
        };
        StreamedFile::begin(self.reading, identity)
    }

    fn complete(&mut self, mut file: StreamedFile<'a>, until: Option<Bytes>) -> Result<()> {
        if let Some(until) = until {
            file.writer().end_scope(until);
        }
        self.completed.push(file.finish(None)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
