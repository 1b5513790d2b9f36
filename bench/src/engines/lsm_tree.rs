//! The tree under the present, bare: what a projection can reach at most.
//!
//! It is opened, flushed and compacted as the present does it, and has no log: what was not flushed
//! when it is closed is flushed then.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use lsm_tree::config::{
    BloomConstructionPolicy, CompressionPolicy, FilterPolicy, FilterPolicyEntry, PinningPolicy,
};
use lsm_tree::{AbstractTree, AnyTree, Cache, CompressionType, Guard, SequenceNumberCounter};

use super::{CACHE_BYTES, Engine, EngineSettings, RowChange};
use crate::{Error, Result};

/// Commits are numbered from here, far above the tree's own changes of structure.
const SEQNO_BASE: u64 = 1 << 40;
/// Files that compaction aims at.
const TABLE_BYTES_TARGET: u64 = 64 * 1024 * 1024;

/// An open tree, and the thread that flushes it.
pub(super) struct LsmTreeEngine {
    shared: Arc<Shared>,
    memtable_bytes: u64,
    flusher: Option<JoinHandle<()>>,
}

struct Shared {
    tree: AnyTree,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    commits: u64,
    /// Whether a sealed memtable waits to be flushed, or is.
    flushing: bool,
    stopping: bool,
    failed: Option<String>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Flushes what is sealed, and compacts, until it is stopped.
    fn run(&self) {
        loop {
            let mut state = self.lock();
            while !state.flushing && !state.stopping {
                state = self.wait(state);
            }
            if !state.flushing {
                return;
            }
            let reached = SEQNO_BASE + state.commits;
            drop(state);
            let done = self.flush(reached);
            let mut state = self.lock();
            state.flushing = false;
            state.failed = done.err().map(|error| error.to_string());
            drop(state);
            self.changed.notify_all();
        }
    }

    fn flush(&self, reached: u64) -> Result<()> {
        {
            let lock = self.tree.get_flush_lock();
            self.tree.flush(&lock, reached).map_err(failed)?;
        }
        let strategy =
            lsm_tree::compaction::Leveled::default().with_table_target_size(TABLE_BYTES_TARGET);
        self.tree.compact(Arc::new(strategy), reached).map_err(failed)
    }

    /// Returns once no memtable waits to be flushed.
    fn flushed(&self) -> Result<MutexGuard<'_, State>> {
        let mut state = self.lock();
        while state.flushing {
            state = self.wait(state);
        }
        match &state.failed {
            Some(reason) => Err(Error::Peer(reason.clone())),
            None => Ok(state),
        }
    }
}

impl LsmTreeEngine {
    pub(super) fn open(directory: &Path, settings: &EngineSettings) -> Result<Self> {
        let counter = SequenceNumberCounter::default;
        let compression = CompressionPolicy::new([CompressionType::None, CompressionType::Lz4]);
        let tree = lsm_tree::Config::new(directory, counter(), counter())
            .use_cache(Arc::new(Cache::with_capacity_bytes(CACHE_BYTES)))
            .data_block_compression_policy(compression)
            .filter_policy(FilterPolicy::new([
                FilterPolicyEntry::Bloom(BloomConstructionPolicy::FalsePositiveRate(0.0001)),
                FilterPolicyEntry::Bloom(BloomConstructionPolicy::BitsPerKey(10.0)),
            ]))
            .index_block_pinning_policy(PinningPolicy::new([true, true, false]))
            .open()
            .map_err(failed)?;
        let state = Mutex::new(State::default());
        let shared = Arc::new(Shared { tree, state, changed: Condvar::new() });
        let flusher = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || shared.run())
        };
        Ok(Self { shared, memtable_bytes: settings.memtable_bytes, flusher: Some(flusher) })
    }

    fn stop(&mut self) {
        self.shared.lock().stopping = true;
        self.shared.changed.notify_all();
        if let Some(flusher) = self.flusher.take() {
            flusher.join().expect("the flusher does not panic");
        }
    }
}

impl Engine for LsmTreeEngine {
    fn commit(&self, changes: Vec<RowChange>) -> Result<()> {
        let mut state = self.shared.lock();
        state.commits += 1;
        let seqno = SEQNO_BASE + state.commits;
        let mut memtable_bytes = 0;
        for change in changes {
            (_, memtable_bytes) = match change.value {
                Some(value) => self.shared.tree.insert(change.key, value, seqno),
                None => self.shared.tree.remove(change.key, seqno),
            };
        }
        if memtable_bytes >= self.memtable_bytes {
            drop(state);
            state = self.shared.flushed()?;
            self.shared.tree.rotate_memtable();
            state.flushing = true;
            drop(state);
            self.shared.changed.notify_all();
        }
        Ok(())
    }

    fn get(&self, key: &[u8], show: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let found = self.shared.tree.get(key, u64::MAX).map_err(failed)?;
        if let Some(value) = &found {
            show(value);
        }
        Ok(found.is_some())
    }

    fn scan(&self, from: &[u8], rows: usize, show: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        for row in self.shared.tree.range(from.., u64::MAX, None).take(rows) {
            let (key, value) = row.into_inner().map_err(failed)?;
            show(&key, &value);
        }
        Ok(())
    }

    fn settle(&self) -> Result<()> {
        self.shared.flushed().map(drop)
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        self.settle()?;
        self.stop();
        self.shared.tree.rotate_memtable();
        let reached = SEQNO_BASE + self.shared.lock().commits;
        self.shared.flush(reached)
    }
}

impl Drop for LsmTreeEngine {
    fn drop(&mut self) {
        self.stop();
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn failed(error: lsm_tree::Error) -> Error {
    Error::Peer(format!("lsm-tree: {error}"))
}
