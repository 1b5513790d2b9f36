//! Reading history: tails, commit indexes and the pages of point reads are kept while in use; row
//! groups are fed to a merge.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use foldback_log_tier::history::{CommitIndex, HistoryTail};
use foldback_log_tier::manifest::HistoryEntry;
use foldback_log_tier::remote::RemoteLog;
use foldback_log_tier::{DatabaseId, Error, Result};

use crate::Network;
use crate::feed::{self, FeedBudget, FeedReads};
use crate::fetching::{Fetching, FileWanted, GroupWanted};
use crate::merge::RowGroupFeed;
use crate::page_cache::PageCache;

/// Tails and commit indexes kept in memory, of each kind.
const KEPT_MAX: usize = 64;
/// Bytes of the tails that are kept, as they are stored: most of them key filters, which take the
/// same when they are decoded; what else there is takes some times that.
const TAIL_BYTES_KEPT_MAX: u64 = 32 << 20;
/// Commits of the indexes that are kept: they take about three bytes each.
const COMMITS_KEPT_MAX: u64 = 8 << 20;
/// Memory for decoded pages that point reads used, unless it is set otherwise.
pub const HISTORY_CACHE_BYTES_DEFAULT: u64 = 64 << 20;

/// Reads what describes history files, and remembers the latest of it. History files never
/// change, so what is remembered is never stale.
#[derive(Debug)]
pub struct HistoryReader {
    remote: RemoteLog,
    database: DatabaseId,
    tails: Recent<HistoryTail>,
    commit_indexes: Recent<CommitIndex>,
    pub(crate) pages: PageCache,
}

/// The values used last, by object name.
#[derive(Debug)]
struct Recent<T> {
    values: Mutex<VecDeque<Kept<T>>>,
    weight_max: u64,
}

/// A value, and how much it counts.
#[derive(Debug)]
struct Kept<T> {
    name: String,
    value: Arc<T>,
    weight: u64,
}

impl<T> Recent<T> {
    fn new(weight_max: u64) -> Self {
        Self { values: Mutex::default(), weight_max }
    }

    fn get(&self, name: &str) -> Option<Arc<T>> {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        let at = values.iter().position(|kept| kept.name == name)?;
        let found = values.remove(at).expect("the position was just found");
        let value = Arc::clone(&found.value);
        values.push_back(found);
        Some(value)
    }

    /// Keeps a value, unless it is too heavy by itself, and forgets the ones used longest ago.
    fn keep(&self, name: &str, value: T, weight: u64) -> Arc<T> {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        let value = Arc::new(value);
        values.push_back(Kept { name: name.to_owned(), value: Arc::clone(&value), weight });
        let weigh = |values: &VecDeque<Kept<T>>| values.iter().map(|kept| kept.weight).sum::<u64>();
        while values.len() > KEPT_MAX || weigh(&values) > self.weight_max {
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
            tails: Recent::new(TAIL_BYTES_KEPT_MAX),
            commit_indexes: Recent::new(COMMITS_KEPT_MAX),
            pages: PageCache::new(HISTORY_CACHE_BYTES_DEFAULT),
        }
    }

    /// Sets how much memory decoded pages may take that point reads used.
    pub fn set_cache_bytes(&self, bytes: u64) {
        self.pages.set_bytes_max(bytes);
    }

    /// The tail of a history file, if it is in memory.
    pub(crate) fn kept_tail(&self, name: &str) -> Option<Arc<HistoryTail>> {
        self.tails.get(name)
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
                let range = file.tail_offset..file.bytes;
                let bytes = self.remote.read(&file.name, range).await?;
                self.decode_tail(file, bytes)
            }
        }
    }

    /// Decodes the tail of a history file, and keeps it.
    pub(crate) fn decode_tail(
        &self,
        file: &HistoryEntry,
        bytes: Bytes,
    ) -> Result<Arc<HistoryTail>> {
        let tail = HistoryTail::decode(file, bytes)?;
        self.check_database(file, &tail)?;
        Ok(self.tails.keep(&file.name, tail, file.bytes - file.tail_offset))
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
        let index = self.read_commit_index(delta).await?;
        let commits = index.len();
        Ok(self.commit_indexes.keep(&delta.name, index, commits))
    }

    /// The same, without keeping it for later.
    ///
    /// # Errors
    ///
    /// As [`Self::tail`].
    pub(crate) async fn read_commit_index(&self, delta: &HistoryEntry) -> Result<CommitIndex> {
        let tail = self.tail(delta).await?;
        self.remote.read_commit_index(delta, &tail).await?.ok_or_else(|| {
            let reason = "a delta has a commit index, and this one has none";
            Error::corrupt(&delta.name, delta.tail_offset, reason)
        })
    }

    /// Reads and decodes row groups of files, one file after the other, for a merge.
    #[must_use]
    pub fn feed(
        self: &Arc<Self>,
        network: &Network,
        reads: FeedReads,
        budget: FeedBudget,
    ) -> RowGroupFeed {
        let wanted = reads.reads.iter().enumerate().filter(|(_, (_, groups))| !groups.is_empty());
        let wanted = wanted.map(|(at, (file, groups))| {
            // One file after the other is as one merge after the other.
            let group = |index: &u32| GroupWanted { index: *index, merge: at, uses: 1 };
            let groups = groups.iter().map(group).collect();
            FileWanted { file: Arc::clone(file), groups, limits: budget.limits() }
        });
        let wanted: Vec<_> = wanted.collect();
        let reads = FeedReads {
            reads: reads.reads.into_iter().filter(|(_, groups)| !groups.is_empty()).collect(),
            ..reads
        };
        let numbers = (0..wanted.len()).collect();
        let history = Arc::clone(self);
        let fetching = Fetching::new(history, wanted, budget.ahead_bytes(), Arc::default());
        feed::start(fetching, network, (numbers, reads), budget.portion_bytes())
    }
}
