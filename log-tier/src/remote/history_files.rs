//! What describes a history file in the bucket, read in one request each.

use super::RemoteLog;
use crate::Result;
use crate::history::{CommitIndex, HistoryTail};
use crate::manifest::HistoryEntry;

impl RemoteLog {
    /// What a reader needs to find its way in a history file.
    ///
    /// # Errors
    ///
    /// As [`Self::read`] and [`HistoryTail::decode`].
    pub async fn read_tail(&self, entry: &HistoryEntry) -> Result<HistoryTail> {
        let tail = self.read(&entry.name, entry.tail_offset..entry.bytes).await?;
        HistoryTail::decode(entry, tail)
    }

    /// The commits that a delta covers, or `None` of a base.
    ///
    /// # Errors
    ///
    /// As [`Self::read`] and [`HistoryTail::decode_commit_index`].
    pub async fn read_commit_index(
        &self,
        entry: &HistoryEntry,
        tail: &HistoryTail,
    ) -> Result<Option<CommitIndex>> {
        let Some(range) = tail.commit_index_range() else { return Ok(None) };
        let bytes = self.read(&entry.name, range).await?;
        tail.decode_commit_index(bytes).map(Some)
    }
}
