//! Point reads: the newest event of one key in one history file, of which little is read.

use std::sync::Arc;

use bytes::Bytes;
use foldback_log_tier::history::{HistoryTail, RowGroupEntry, RowGroupRows};
use foldback_log_tier::manifest::HistoryEntry;
use foldback_log_tier::{Result, Seq, TableId};
use tokio::task::JoinSet;

use crate::{HistoryReader, Network};

/// Tails that one point read asks for at once.
const TAILS_AT_ONCE_MAX: usize = 16;

/// Which event is looked for: the newest one of the key with `floor < seq <= target`.
#[derive(Clone, Copy, Debug)]
pub struct EventSought<'a> {
    /// The table.
    pub table: TableId,
    /// The key.
    pub key: &'a [u8],
    /// Events at or below do not count.
    pub floor: Seq,
    /// Events above do not count.
    pub target: Seq,
}

impl EventSought<'_> {
    /// Whether a file, or a part of one, with these bounds can hold it.
    fn may_lie_in(&self, keys: (&[u8], &[u8]), seqs: (Seq, Seq)) -> bool {
        let has_key = keys.0 <= self.key && self.key <= keys.1;
        has_key && seqs.0 <= self.target && self.floor < seqs.1
    }

    /// Whether the file can hold it, by what the manifest says.
    #[must_use]
    pub fn may_lie_in_file(&self, file: &HistoryEntry) -> bool {
        file.table(self.table).is_some_and(|held| {
            self.may_lie_in((&held.key_min, &held.key_max), (held.seq_min, held.seq_max))
        })
    }

    fn may_lie_in_row_group(&self, group: &RowGroupEntry) -> bool {
        self.may_lie_in((&group.key_min, &group.key_max), (group.seq_min, group.seq_max))
    }

    /// Where the row is, if it is among these: rows are in (key, seq descending) order.
    fn find(&self, rows: &RowGroupRows) -> Option<usize> {
        let at = rows.first_at_or_after(self.key, self.target);
        let is_it = |at: &usize| rows.key(*at) == self.key && self.floor < rows.seq(*at);
        Some(at).filter(|at| *at < rows.len()).filter(is_it)
    }
}

impl HistoryReader {
    /// Reads the tails of these files that are not in memory, several at once.
    ///
    /// # Errors
    ///
    /// As [`Self::tail`].
    pub fn prepare(
        self: &Arc<Self>,
        network: &Network,
        files: impl Iterator<Item = Arc<HistoryEntry>>,
    ) -> Result<()> {
        let missing: Vec<_> = files.filter(|file| self.kept_tail(&file.name).is_none()).collect();
        // One is read when it comes to it.
        if missing.len() < 2 {
            return Ok(());
        }
        for files in missing.chunks(TAILS_AT_ONCE_MAX) {
            network.run(read_tails(Arc::clone(self), files.to_vec()))?;
        }
        Ok(())
    }

    /// The newest event of a key in a file: `None` if there is none, else the value that it puts,
    /// or `None` within for a delete. Of the file, its tail and the row groups that can hold the
    /// event are read, as far as they are not in memory, one by one until it is found.
    ///
    /// # Errors
    ///
    /// [`foldback_log_tier::Error::Missing`], `Corrupt` or `Store`.
    pub fn newest_event(
        self: &Arc<Self>,
        network: &Network,
        file: &Arc<HistoryEntry>,
        sought: EventSought<'_>,
    ) -> Result<Option<Option<Bytes>>> {
        let tail = match self.kept_tail(&file.name) {
            Some(tail) => tail,
            None => {
                let (history, file) = (Arc::clone(self), Arc::clone(file));
                network.run(async move { history.tail(&file).await })?
            }
        };
        let groups = tail.row_groups();
        let first = groups.partition_point(|group| {
            (group.table, group.key_max.as_ref()) < (sought.table, sought.key)
        });
        let ends = |group: &&RowGroupEntry| {
            (group.table, group.key_min.as_ref()) <= (sought.table, sought.key)
        };
        // The events of one key can span several, the newest first.
        for group in groups[first..].iter().take_while(ends) {
            if !sought.may_lie_in_row_group(group) {
                continue;
            }
            let rows = self.row_group(network, &tail, &file.name, group)?;
            if let Some(at) = sought.find(&rows) {
                // A copy, as the row's own memory is that of all rows.
                return Ok(Some(rows.value(at).map(Bytes::copy_from_slice)));
            }
        }
        Ok(None)
    }

    /// A row group, from memory or read and decoded.
    fn row_group(
        &self,
        network: &Network,
        tail: &HistoryTail,
        file: &str,
        group: &RowGroupEntry,
    ) -> Result<RowGroupRows> {
        if let Some(rows) = self.row_groups.get(file, group.index) {
            return Ok(rows);
        }
        let (remote, name, range) = (self.remote().clone(), file.to_owned(), group.range());
        let bytes = network.run(async move { remote.read(&name, range).await })?;
        let rows = tail.decode_row_group(group.index, bytes)?;
        self.row_groups.keep(file, group.index, &rows);
        Ok(rows)
    }
}

/// Reads tails, all of them at once.
async fn read_tails(history: Arc<HistoryReader>, files: Vec<Arc<HistoryEntry>>) -> Result<()> {
    let mut reads = JoinSet::new();
    for file in files {
        let history = Arc::clone(&history);
        reads.spawn(async move { history.tail(&file).await.map(drop) });
    }
    reads.join_all().await.into_iter().collect()
}

#[cfg(test)]
mod tests;
