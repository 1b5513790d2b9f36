//! Writing a base: a sorted state, cut by key into files that cover every key together.

use bytes::Bytes;
use foldback_log_tier::history::{FileKind, HistoryIdentity, HistoryObject, HistoryWriter};
use foldback_log_tier::manifest::Scope;
use foldback_log_tier::{Commit, EventRow, KeyRange, Result, TableId};

use crate::Making;

/// Turns the sorted state of one table at one commit into base files.
///
/// The files' scopes adjoin: the first begins at the least key, each ends where the next begins,
/// and the last has no end.
pub struct BaseWriter {
    making: Making,
    table: TableId,
    commit: Commit,
    file_bytes_target: u64,
    from: Bytes,
    open: Option<HistoryWriter>,
}

impl std::fmt::Debug for BaseWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BaseWriter").field("table", &self.table).finish_non_exhaustive()
    }
}

impl BaseWriter {
    /// A base of `table` as of `commit`.
    #[must_use]
    pub fn new(making: Making, table: TableId, commit: Commit, file_bytes_target: u64) -> Self {
        let (from, open) = (Bytes::new(), None);
        Self { making, table, commit, file_bytes_target, from, open }
    }

    /// Adds the next row, keys ascending; returns a file that it completed.
    ///
    /// # Errors
    ///
    /// What [`HistoryWriter`] fails with.
    pub fn push(&mut self, row: EventRow<'_>) -> Result<Option<HistoryObject>> {
        let full = |writer: &HistoryWriter| writer.bytes_so_far() >= self.file_bytes_target;
        let completed = match self.open.take_if(|writer| full(writer)) {
            Some(writer) => {
                let end = Bytes::copy_from_slice(row.key);
                self.from = end.clone();
                Some(Self::complete(writer, Some(end))?)
            }
            None => None,
        };
        let mut writer = self.writer()?;
        writer.push(row)?;
        self.open = Some(writer);
        Ok(completed)
    }

    /// Completes the last file, which has no row if the table has none.
    ///
    /// # Errors
    ///
    /// What [`HistoryWriter`] fails with.
    pub fn finish(mut self) -> Result<HistoryObject> {
        let writer = self.writer()?;
        Self::complete(writer, None)
    }

    fn writer(&mut self) -> Result<HistoryWriter> {
        if let Some(writer) = self.open.take() {
            return Ok(writer);
        }
        let keys = KeyRange { from: self.from.clone(), until: None };
        let identity = HistoryIdentity {
            database: self.making.database,
            kind: FileKind::Base,
            first: self.commit,
            last: self.commit,
            scope: Some(Scope { table: self.table, keys }),
        };
        HistoryWriter::new(identity, self.making.born)
    }

    fn complete(mut writer: HistoryWriter, until: Option<Bytes>) -> Result<HistoryObject> {
        if let Some(until) = until {
            writer.end_scope(until);
        }
        writer.finish(None)
    }
}

#[cfg(test)]
mod tests;
