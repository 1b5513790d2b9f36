//! Writing what happened to one table: the newest event of each key, cut by key into deltas that
//! cover every key of it together.

use foldback_log_tier::history::{CommitIndex, FileKind, HistoryIdentity};
use foldback_log_tier::manifest::HistoryEntry;
use foldback_log_tier::{EventRow, KeyRange, Result, TableId};

use crate::Reading;
use crate::cut::{CutIdentity, CutWriter};

/// Turns sorted events of one table into deltas of the same commits, each in the bucket as soon as
/// it is whole. Their scopes adjoin, and hold every key of the table.
#[derive(Debug)]
pub struct DeltaWriter<'a>(CutWriter<'a>);

impl<'a> DeltaWriter<'a> {
    /// Begins deltas that cover `commits`, of files of about `file_bytes_target` bytes.
    ///
    /// # Panics
    ///
    /// If there is no commit.
    #[must_use]
    pub fn new(
        reading: Reading<'a>,
        table: TableId,
        commits: CommitIndex,
        file_bytes_target: u64,
    ) -> Self {
        let ends = commits.first().zip(commits.last());
        let (first, last) = ends.expect("a delta covers a commit");
        let (database, kind) = (reading.making.database, FileKind::Delta);
        let each = HistoryIdentity { database, kind, first, last, scope: None };
        let (keys, commits) = (KeyRange::all(), Some(commits));
        let identity = CutIdentity { table, keys, each, commits, file_bytes_target };
        Self(CutWriter::new(reading, identity))
    }

    /// Adds the next event, keys ascending, one a key.
    ///
    /// # Errors
    ///
    /// What writing or uploading a file fails with; files that were completed are orphans then.
    ///
    /// # Panics
    ///
    /// If the event is of another table or of none of the commits, or its key is below the one
    /// before.
    pub fn push(&mut self, row: EventRow<'_>) -> Result<()> {
        self.0.push(row)
    }

    /// What a list is to say of the files that are whole by now.
    #[must_use]
    pub fn completed(&self) -> &[HistoryEntry] {
        self.0.completed()
    }

    /// Completes the last file; returns what a list is to say of all files, by ascending keys.
    /// There is none if there was no event.
    ///
    /// # Errors
    ///
    /// As [`Self::push`].
    pub fn finish(self) -> Result<Vec<HistoryEntry>> {
        if self.0.is_empty() { Ok(Vec::new()) } else { self.0.finish() }
    }
}
