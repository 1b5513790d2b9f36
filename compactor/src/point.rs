//! Point reads: the newest event of one key in one history file, of which little is read.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use foldback_log_tier::history::{FetchedBytes, HistoryTail, KeyPage, RowGroupEntry, ValuePage};
use foldback_log_tier::manifest::HistoryEntry;
use foldback_log_tier::{Result, Seq, TableId};
use tokio::task::JoinSet;

use crate::page_cache::{HistoryPage, PageColumn, PageId};
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
}

/// A look into one row group. One request fetches all that it may need, pages of keys and of values
/// that lie far apart with what lies between: a second request would cost more.
struct RowGroupRead<'a> {
    history: &'a HistoryReader,
    network: &'a Network,
    tail: &'a HistoryTail,
    file: &'a str,
    index: u32,
    /// What was fetched last.
    fetched: Option<FetchedBytes>,
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
    /// or `None` within for a delete. Of the file, its tail is read, and of the row groups that can
    /// hold the event, one by one until it is found, the pages that can; as far as they are not in
    /// memory.
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
            let (index, fetched) = (group.index, None);
            let mut read = RowGroupRead {
                history: self,
                network,
                tail: &tail,
                file: &file.name,
                index,
                fetched,
            };
            if let Some(newest) = read.newest_event(&sought)? {
                return Ok(Some(newest));
            }
        }
        Ok(None)
    }
}

impl RowGroupRead<'_> {
    /// The newest event of a key in the row group, as [`HistoryReader::newest_event`].
    fn newest_event(&mut self, sought: &EventSought<'_>) -> Result<Option<Option<Bytes>>> {
        let pages = self.tail.key_pages(self.index, sought.key);
        for page in pages.clone() {
            let keys = self.keys(page..pages.end)?;
            let at = keys.first_at_or_after(sought.key, sought.target);
            if at == keys.len() {
                continue;
            }
            let is_it = keys.key(at) == sought.key && sought.floor < keys.seq(at);
            return is_it.then(|| self.value(keys.row_in_group(at))).transpose();
        }
        Ok(None)
    }

    /// The first of these pages of keys, from memory or read, with the others if they are not.
    fn keys(&mut self, pages: Range<usize>) -> Result<KeyPage> {
        let (page, column) = (pages.start, PageColumn::Keys);
        let id = PageId { row_group: self.index, column, page };
        if let Some(HistoryPage::Keys(keys)) = self.history.pages.get(self.file, id) {
            return Ok(keys);
        }
        let fetched = self.fetch(self.tail.key_pages_range(self.index, pages))?;
        let keys = self.tail.decode_key_page(self.index, page, &fetched)?;
        self.history.pages.keep(self.file, id, HistoryPage::Keys(keys.clone()));
        Ok(keys)
    }

    /// The value of a row, from memory or read. A copy, as its page's memory is that of all.
    fn value(&mut self, row_in_group: u64) -> Result<Option<Bytes>> {
        let copied = |values: &ValuePage| values.value(row_in_group).map(Bytes::copy_from_slice);
        let page = self.tail.value_page(self.index, row_in_group);
        let id = PageId { row_group: self.index, column: PageColumn::Values, page };
        if let Some(HistoryPage::Values(values)) = self.history.pages.get(self.file, id) {
            return Ok(copied(&values));
        }
        let fetched = self.fetch(self.tail.value_page_range(self.index, page))?;
        let values = self.tail.decode_value_page(self.index, page, &fetched)?;
        let value = copied(&values);
        self.history.pages.keep(self.file, id, HistoryPage::Values(values));
        Ok(value)
    }

    /// Bytes of the file that hold a range, asked for unless they were fetched last.
    fn fetch(&mut self, range: Range<u64>) -> Result<FetchedBytes> {
        if let Some(fetched) = self.fetched.as_ref().filter(|fetched| fetched.hold(&range)) {
            return Ok(fetched.clone());
        }
        let (remote, name) = (self.history.remote().clone(), self.file.to_owned());
        let offset = range.start;
        let bytes = self.network.run(async move { remote.read(&name, range).await })?;
        Ok(self.fetched.insert(FetchedBytes { offset, bytes }).clone())
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
