//! Writing sorted rows of one table as files that are cut by key, and adjoin.

use bytes::Bytes;
use foldback_log_tier::history::{CommitIndex, HistoryIdentity};
use foldback_log_tier::manifest::{HistoryEntry, Scope};
use foldback_log_tier::{EventRow, KeyRange, Result, TableId};

use crate::Reading;
use crate::streamed::StreamedFile;

/// What all the files of a run of rows have in common.
#[derive(Clone, Debug)]
pub(crate) struct CutIdentity {
    pub(crate) table: TableId,
    /// The keys that they cover together.
    pub(crate) keys: KeyRange,
    /// What each says of itself, but for its scope.
    pub(crate) each: HistoryIdentity,
    /// The index that each of several deltas of the same commits has; none for bases.
    pub(crate) commits: Option<CommitIndex>,
    /// About how large a file gets.
    pub(crate) file_bytes_target: u64,
}

/// Turns sorted rows into files, each in the bucket as soon as it is whole. The first begins where
/// the range of keys does, each ends where the next begins, and the last ends where the range does.
pub(crate) struct CutWriter<'a> {
    reading: Reading<'a>,
    identity: CutIdentity,
    /// Where the file that is open, or the next one, begins.
    from: Bytes,
    open: Option<StreamedFile<'a>>,
    completed: Vec<HistoryEntry>,
}

impl std::fmt::Debug for CutWriter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CutWriter").field("each", &self.identity.each).finish_non_exhaustive()
    }
}

impl<'a> CutWriter<'a> {
    pub(crate) fn new(reading: Reading<'a>, identity: CutIdentity) -> Self {
        let from = identity.keys.from.clone();
        Self { reading, identity, from, open: None, completed: Vec::new() }
    }

    /// Adds the next row, keys ascending.
    pub(crate) fn push(&mut self, row: EventRow<'_>) -> Result<()> {
        let target = self.identity.file_bytes_target;
        if let Some(full) = self.open.take_if(|file| file.writer().bytes_so_far() >= target) {
            self.from = Bytes::copy_from_slice(row.key);
            self.complete(full, Some(self.from.clone()))?;
        }
        let mut file = self.open()?;
        file.push(row)?;
        self.open = Some(file);
        Ok(())
    }

    /// What the files that are whole by now are listed as.
    pub(crate) fn completed(&self) -> &[HistoryEntry] {
        &self.completed
    }

    /// Whether no row was added.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_none() && self.completed.is_empty()
    }

    /// Completes the last file, which has no row if there was none.
    pub(crate) fn finish(mut self) -> Result<Vec<HistoryEntry>> {
        let last = self.open()?;
        self.complete(last, self.identity.keys.until.clone())?;
        Ok(self.completed)
    }

    /// The file that is open, or else a new one.
    fn open(&mut self) -> Result<StreamedFile<'a>> {
        if let Some(file) = self.open.take() {
            return Ok(file);
        }
        let CutIdentity { table, keys, each, .. } = &self.identity;
        let keys = KeyRange { from: self.from.clone(), until: keys.until.clone() };
        let scope = Some(Scope { table: *table, keys });
        StreamedFile::begin(self.reading, HistoryIdentity { scope, ..each.clone() })
    }

    fn complete(&mut self, mut file: StreamedFile<'a>, until: Option<Bytes>) -> Result<()> {
        if let Some(until) = until {
            file.writer().end_scope(until);
        }
        self.completed.push(file.finish(self.identity.commits.as_ref())?);
        Ok(())
    }
}
