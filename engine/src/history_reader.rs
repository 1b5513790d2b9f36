//! Reading history: tails and commit indexes, kept while they are fresh in use.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use foldback_log_tier::history::{CommitIndex, HistoryTail};
use foldback_log_tier::manifest::HistoryEntry;
use foldback_log_tier::remote::RemoteLog;
use foldback_log_tier::{DatabaseId, Error as TierError};

use crate::Result;
use crate::network::Network;

/// Tails kept in memory.
const TAILS_MAX: usize = 64;
/// Commit indexes kept in memory.
const COMMIT_INDEXES_MAX: usize = 16;

/// Reads what describes history files, and remembers the latest of it. History files never
/// change, so what is remembered is never stale.
#[derive(Debug)]
pub(crate) struct HistoryReader {
    remote: RemoteLog,
    database: DatabaseId,
    tails: Recent<HistoryTail>,
    commit_indexes: Recent<CommitIndex>,
}

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
    pub(crate) fn new(remote: RemoteLog, database: DatabaseId) -> Self {
        Self {
            remote,
            database,
            tails: Recent::new(TAILS_MAX),
            commit_indexes: Recent::new(COMMIT_INDEXES_MAX),
        }
    }

    /// The bucket.
    pub(crate) fn remote(&self) -> &RemoteLog {
        &self.remote
    }

    /// The tail of a history file.
    pub(crate) async fn tail(&self, file: &HistoryEntry) -> Result<Arc<HistoryTail>> {
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
                Err(TierError::corrupt(&file.name, file.tail_offset, reason).into())
            }
        }
    }

    /// The timestamps of the commits that a delta covers.
    pub(crate) fn commit_index(
        self: &Arc<Self>,
        network: &Network,
        delta: &HistoryEntry,
    ) -> Result<Arc<CommitIndex>> {
        if let Some(index) = self.commit_indexes.get(&delta.name) {
            return Ok(index);
        }
        let (reader, file) = (Arc::clone(self), delta.clone());
        let read = network.run(async move {
            let tail = reader.tail(&file).await?;
            Ok::<_, crate::Error>(reader.remote.read_commit_index(&file, &tail).await?)
        })?;
        let index = read.ok_or_else(|| {
            let reason = "a delta has a commit index, and this one has none";
            TierError::corrupt(&delta.name, delta.tail_offset, reason)
        })?;
        Ok(self.commit_indexes.keep(&delta.name, index))
    }
}
