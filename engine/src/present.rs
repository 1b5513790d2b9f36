//! The present: the newest state of every live table, one LSM tree a table.
//!
//! The log is the trees' log. The log writer applies each durable commit to the trees, and then
//! raises `visible`: a [`PresentView`] reads as of a seq that is whole in every tree. A tree
//! flushes only what the log has synced, and carries with what it flushed the seq it had reached,
//! so after a crash the log is replayed into it from there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use foldback_log_tier::{CommittedBatch, Seq, TableId};
use hashbrown::HashMap;

mod applying;
mod closing;
mod flusher;
mod packing;
mod replaying;
mod tree;
mod view;

pub(crate) use flusher::Flusher;
pub(crate) use replaying::ReplayedEvents;
use tree::Load;
pub(crate) use tree::{TableTree, TreeResources};
pub use view::{PresentView, Range, Row};

use crate::{Error, Result};

/// Longest wait for another thread before its health is looked at again.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// Name of the directory of a tree that is being made anew.
const UNFINISHED: &str = "unfinished";

/// The trees of all live tables, and how far they have come.
#[derive(Debug)]
pub(crate) struct Present {
    directory: PathBuf,
    resources: TreeResources,
    trees: RwLock<HashMap<TableId, Arc<TableTree>>>,
    visible: AtomicU64,
    applying_threads_max: usize,
    /// How many views read at each seq: nothing that they can see may be compacted away.
    views: Mutex<BTreeMap<Seq, usize>>,
    /// Raised when a tree has something to flush, and when a flush or a compaction is done.
    pub(crate) flushing: Signal,
}

/// Lets threads wait for each other's progress: a counter that only grows.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    count: Mutex<u64>,
    raised: Condvar,
}

impl Signal {
    /// How often it was raised.
    pub(crate) fn count(&self) -> u64 {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes all that wait.
    pub(crate) fn raise(&self) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.raised.notify_all();
    }

    /// Returns once it has been raised more than `seen` times, or, with false, after a second:
    /// whoever waits must look whether the thread that would raise it is still there.
    pub(crate) fn wait_past(&self, seen: u64) -> bool {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        while *count <= seen {
            let (held, timeout) =
                self.raised.wait_timeout(count, WAIT_MAX).unwrap_or_else(PoisonError::into_inner);
            count = held;
            if timeout.timed_out() {
                return false;
            }
        }
        true
    }
}

impl Present {
    /// An empty present in `directory`; trees are opened one by one.
    pub(crate) fn new(directory: PathBuf, resources: TreeResources) -> Self {
        Self {
            directory,
            resources,
            trees: RwLock::default(),
            visible: AtomicU64::new(0),
            applying_threads_max: applying::threads_max(),
            views: Mutex::default(),
            flushing: Signal::default(),
        }
    }

    /// Opens the tree of a table, making an empty one where there is none. It is not yet served.
    pub(crate) fn open_tree(&self, id: TableId) -> Result<Arc<TableTree>> {
        Ok(Arc::new(TableTree::open(&self.tree_directory(id), id, &self.resources)?))
    }

    /// Makes the empty tree of a new table, durably. It is not yet served.
    pub(crate) fn create_tree(&self, id: TableId) -> Result<Arc<TableTree>> {
        let tree = self.open_tree(id)?;
        self.sync_directory()?;
        Ok(tree)
    }

    /// Makes a tree anew from rows: until all are in it, it goes by another name, so that a crash
    /// leaves no half of it.
    pub(crate) fn rebuild_tree(
        &self,
        id: TableId,
        fill: impl FnOnce(&TableTree) -> Result<()>,
    ) -> Result<Arc<TableTree>> {
        let (unfinished, finished) = (self.directory.join(UNFINISHED), self.tree_directory(id));
        remove_directory(&unfinished)?;
        fill(&TableTree::open(&unfinished, id, &self.resources)?)?;
        remove_directory(&finished)?;
        let renamed = std::fs::rename(&unfinished, &finished);
        renamed.map_err(foldback_log_tier::Error::local("rename", &unfinished))?;
        self.sync_directory()?;
        self.open_tree(id)
    }

    fn sync_directory(&self) -> Result<()> {
        let synced = std::fs::File::open(&self.directory).and_then(|file| file.sync_all());
        Ok(synced.map_err(foldback_log_tier::Error::local("sync", &self.directory))?)
    }

    /// Serves a tree under its table's id.
    pub(crate) fn serve(&self, tree: Arc<TableTree>) {
        self.trees.write().unwrap_or_else(PoisonError::into_inner).insert(tree.id(), tree);
    }

    /// Stops serving a table. Ranges that are open go on reading it; then its files are removed.
    pub(crate) fn retire(&self, id: TableId) {
        let retired = self.trees.write().unwrap_or_else(PoisonError::into_inner).remove(&id);
        if let Some(tree) = retired {
            tree.doom();
        }
    }

    /// Removes the directory of a tree that is not served.
    pub(crate) fn remove_directory(&self, id: TableId) -> Result<()> {
        remove_directory(&self.tree_directory(id))
    }

    /// The tree of a table.
    pub(crate) fn tree(&self, id: TableId) -> Result<Arc<TableTree>> {
        let trees = self.trees.read().unwrap_or_else(PoisonError::into_inner);
        let found = trees.get(&id).cloned();
        found
            .ok_or_else(|| Error::TableNotFound { name: format!("with id {id}"), near: Vec::new() })
    }

    /// All trees that are served.
    pub(crate) fn trees(&self) -> Vec<Arc<TableTree>> {
        let trees = self.trees.read().unwrap_or_else(PoisonError::into_inner);
        let mut trees: Vec<_> = trees.values().cloned().collect();
        trees.sort_unstable_by_key(|tree| tree.id());
        trees
    }

    /// The tables that have a directory here, served or not.
    pub(crate) fn directories(&self) -> Result<Vec<TableId>> {
        let failed = |error| foldback_log_tier::Error::local("list", &self.directory)(error);
        let mut ids = Vec::new();
        for entry in std::fs::read_dir(&self.directory).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            ids.extend(name.to_str().and_then(|name| name.parse().ok()).map(TableId));
        }
        ids.sort_unstable();
        Ok(ids)
    }

    /// Applies commits to their trees, and takes keys and values out of them; views see them once
    /// [`Self::publish`] is called.
    ///
    /// Events of tables that are not served are passed over: they were dropped by a later commit.
    pub(crate) fn apply(&self, commits: &mut [CommittedBatch]) {
        let trees = self.trees.read().unwrap_or_else(PoisonError::into_inner);
        applying::apply(&trees, commits, self.applying_threads_max);
    }

    /// Lets views see every commit up to `seq`, all of which are applied.
    pub(crate) fn publish(&self, seq: Seq) {
        let before = self.visible.swap(seq.0, Ordering::AcqRel);
        assert!(before <= seq.0, "the present went back from seq {before} to {seq}");
    }

    /// The last commit that views can see.
    pub(crate) fn visible(&self) -> Seq {
        Seq(self.visible.load(Ordering::Acquire))
    }

    /// Whether memtables wait to be flushed, or trees to be compacted for those that were.
    pub(crate) fn is_flushing(&self) -> bool {
        self.trees().iter().any(|tree| tree.has_sealed() || tree.is_compaction_due(Load::Busy))
    }

    /// Whether trees would be compacted if nothing were flushed for a while.
    pub(crate) fn is_untidy(&self) -> bool {
        self.trees().iter().any(|tree| tree.is_compaction_due(Load::Idle))
    }

    /// A consistent view of all tables as of the last visible commit.
    pub(crate) fn view(self: &Arc<Self>) -> PresentView {
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        let seq = self.visible();
        *views.entry(seq).or_default() += 1;
        PresentView::new(Arc::clone(self), seq)
    }

    /// The value of a key as of the last visible commit.
    pub(crate) fn get(self: &Arc<Self>, table: TableId, key: &[u8]) -> Result<Option<Bytes>> {
        let found = self.tree(table)?.get_unheld(key, || self.visible())?;
        found.map_or_else(|| self.view().get(table, key), Ok)
    }

    /// Ends a view that reads at `seq`.
    fn release(&self, seq: Seq) {
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        let count = views.get_mut(&seq).expect("a view is released once");
        *count -= 1;
        if *count == 0 {
            views.remove(&seq);
        }
    }

    /// The least seq that a view reads at, or can come to read at.
    pub(crate) fn oldest_view(&self) -> Seq {
        let views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        views.keys().next().copied().unwrap_or_else(|| self.visible())
    }

    /// The seq through which no tree needs the log any more.
    pub(crate) fn flushed_through(&self) -> Seq {
        let trees = self.trees();
        let first_unflushed = trees.iter().filter_map(|tree| tree.first_unflushed()).min();
        first_unflushed.map_or_else(|| self.visible(), Seq::prev)
    }

    /// Directory of a table's tree.
    fn tree_directory(&self, id: TableId) -> PathBuf {
        self.directory.join(id.to_string())
    }
}

/// Removes a directory with all that is in it; one that is not there is fine.
pub(crate) fn remove_directory(directory: &Path) -> Result<()> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(foldback_log_tier::Error::local("remove", directory)(error).into())
        }
        _ => Ok(()),
    }
}
