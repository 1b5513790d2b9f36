//! The thread that writes sealed memtables to disk and compacts the trees; when it ends, most of
//! what memory holds is flushed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use super::{Present, TableTree, closing};
use crate::health::Health;
use crate::threads;

/// Owns the flushing thread; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Flusher {
    present: Arc<Present>,
    health: Arc<Health>,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Flusher {
    /// Starts the thread. If it fails, the database halts.
    pub(crate) fn start(present: Arc<Present>, health: Arc<Health>) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let thread = {
            let (present, stopped) = (Arc::clone(&present), Arc::clone(&stopped));
            let of_thread = Arc::clone(&health);
            threads::spawn("foldback-flusher", Arc::clone(&health), move || {
                run(&present, &stopped, &of_thread);
            })
        };
        Self { present, health, stopped, thread: Some(thread) }
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        self.present.flushing.raise();
        threads::join(self.thread.take());
        // Of a database that has halted, it is not known how far its log is synced.
        if self.health.halted().is_some() {
            return;
        }
        if let Err(error) = closing::flush_most(&self.present) {
            tracing::warn!(%error, "not flushed at the end; the next opening replays the log");
        }
    }
}

fn run(present: &Present, stopped: &AtomicBool, health: &Health) {
    // The last process may have ended before it compacted what it flushed.
    for tree in present.trees() {
        if let Err(error) = tree.compact(|| present.oldest_view()) {
            return health.halt(error.to_string());
        }
    }
    while !stopped.load(Ordering::Acquire) {
        let seen = present.flushing.count();
        let mut waiting = present.trees();
        waiting.retain(|tree| tree.has_sealed());
        if waiting.is_empty() {
            present.flushing.wait_past(seen);
            continue;
        }
        present.set_flushing(true);
        let flush = |tree: &Arc<TableTree>| tree.flush(|| present.oldest_view());
        let done = waiting.iter().try_for_each(flush);
        present.set_flushing(false);
        if let Err(error) = &done {
            health.halt(error.to_string());
        }
        // Writers that wait for room must see also that none will come.
        present.flushing.raise();
        if done.is_err() {
            return;
        }
    }
}
