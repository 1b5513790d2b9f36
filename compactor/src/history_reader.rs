//! Reading history: row groups ahead of a merge; tails and commit indexes kept while in use.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use foldback_log_tier::history::{CommitIndex, HistoryTail, RowGroupRows};
use foldback_log_tier::manifest::HistoryEntry;
use foldback_log_tier::remote::RemoteLog;
use foldback_log_tier::{DatabaseId, Error, Result};
use tokio::sync::mpsc;

use crate::Network;
use crate::merge::RowGroupFeed;

/// Tails kept in memory.
const TAILS_MAX: usize = 64;
/// Commit indexes kept in memory.
const COMMIT_INDEXES_MAX: usize = 16;
/// Decoded row groups of one file that wait for the merge; one more is being merged.
const ROW_GROUPS_AHEAD: usize = 1;

/// Reads what describes history files, and remembers the latest of it. History files never
/// change, so what is remembered is never stale.
#[derive(Debug)]
pub struct HistoryReader {
    remote: RemoteLog,
    database: DatabaseId,
    tails: Recent<HistoryTail>,
    commit_indexes: Recent<CommitIndex>,
}

/// Row groups of a file, ascending.
pub type RowGroupsOf = (Arc<HistoryEntry>, Vec<u32>);

/// The values used last, by object name.
#[derive(Debug)]
struct Recent<T> {
    values: Mutex<VecDeque<(String, Arc<T>)>>,
    values_max: usize,
}

impl<T> Recent<T> {
    fn new(values_max: usize) -> Self {
        Self { values: Mutex::default(), values_max }
    }

    fn get(&self, name: &str) -> Option<Arc<T>> {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        let at = values.iter().position(|(known, _)| known == name)?;
        let found = values.remove(at).expect("the position was just found");
        let value = Arc::clone(&found.1);
        values.push_back(found);
        Some(value)
    }

    fn keep(&self, name: &str, value: T) -> Arc<T> {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        let value = Arc::new(value);
        values.push_back((name.to_owned(), Arc::clone(&value)));
        if values.len() > self.values_max {
            values.pop_front();
        }
        value
    }
}

impl HistoryReader {
    /// A reader of the bucket's history.
    #[must_use]
    pub fn new(remote: RemoteLog, database: DatabaseId) -> Self {
        Self {
            remote,
            database,
            tails: Recent::new(TAILS_MAX),
            commit_indexes: Recent::new(COMMIT_INDEXES_MAX),
        }
    }

    /// The bucket.
    #[must_use]
    pub const fn remote(&self) -> &RemoteLog {
        &self.remote
    }

    /// The tail of a history file.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`], [`Error::Corrupt`] or [`Error::Store`].
    pub async fn tail(&self, file: &HistoryEntry) -> Result<Arc<HistoryTail>> {
        match self.tails.get(&file.name) {
            Some(tail) => Ok(tail),
            None => {
                let tail = self.remote.read_tail(file).await?;
                self.check_database(file, &tail)?;
                Ok(self.tails.keep(&file.name, tail))
            }
        }
    }

    /// Refuses a file of another database that got under this one's prefix.
    fn check_database(&self, file: &HistoryEntry, tail: &HistoryTail) -> Result<()> {
        let theirs = tail.identity().database;
        match theirs == self.database {
            true => Ok(()),
            false => {
                let reason = format!("it belongs to database {theirs}, not to {}", self.database);
                Err(Error::corrupt(&file.name, file.tail_offset, reason))
            }
        }
    }

    /// The timestamps of the commits that a delta covers.
    ///
    /// # Errors
    ///
    /// As [`Self::tail`].
    pub async fn commit_index(&self, delta: &HistoryEntry) -> Result<Arc<CommitIndex>> {
        if let Some(index) = self.commit_indexes.get(&delta.name) {
            return Ok(index);
        }
        let tail = self.tail(delta).await?;
        let index = self.remote.read_commit_index(delta, &tail).await?.ok_or_else(|| {
            let reason = "a delta has a commit index, and this one has none";
            Error::corrupt(&delta.name, delta.tail_offset, reason)
        })?;
        Ok(self.commit_indexes.keep(&delta.name, index))
    }

    /// Reads and decodes row groups of files, one file after the other, ahead of a merge.
    #[must_use]
    pub fn feed(self: &Arc<Self>, network: &Network, reads: Vec<RowGroupsOf>) -> RowGroupFeed {
        let (sender, groups) = mpsc::channel(ROW_GROUPS_AHEAD);
        let left = reads.iter().map(|(_, row_groups)| row_groups.len()).sum();
        let reader = Arc::clone(self);
        network.handle().spawn(async move { reader.send_row_groups(&reads, &sender).await });
        RowGroupFeed::new(groups, left)
    }

    /// Sends row groups until one fails, or until nobody wants them any more. A row group is read
    /// only once there is room for it.
    async fn send_row_groups(
        &self,
        reads: &[RowGroupsOf],
        sender: &mpsc::Sender<Result<RowGroupRows>>,
    ) {
        let of = |(file, groups): &RowGroupsOf| -> Vec<_> {
            groups.iter().map(|index| (Arc::clone(file), *index)).collect()
        };
        for (file, index) in reads.iter().flat_map(of).collect::<Vec<_>>() {
            let Ok(room) = sender.reserve().await else { return };
            let group = self.read_row_group(&file, index).await;
            let failed = group.is_err();
            room.send(group);
            if failed {
                return;
            }
        }
    }

    async fn read_row_group(&self, file: &HistoryEntry, index: u32) -> Result<RowGroupRows> {
        let tail = self.tail(file).await?;
        self.remote.read_row_group(file, &tail, index).await
    }
}
