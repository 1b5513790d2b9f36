//! The threads that write sealed memtables to disk and compact the trees, one each, so that no
//! writer waits for a long compaction; when they end, most of what memory holds is flushed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use super::tree::Load;
use super::{Present, TableTree, closing};
use crate::Result;
use crate::health::Health;
use crate::threads;

/// Owns the threads; they end when this is dropped.
#[derive(Debug)]
pub(crate) struct Flusher {
    parts: FlusherParts,
    threads: [Option<JoinHandle<()>>; 2],
}

/// What the threads work with.
#[derive(Clone, Debug)]
struct FlusherParts {
    present: Arc<Present>,
    health: Arc<Health>,
    stopped: Arc<AtomicBool>,
}

/// What one of the threads does for a tree that is due; there is more where nobody writes much.
struct Work {
    is_due: fn(&TableTree, Load) -> bool,
    act: fn(&TableTree, &Present, Load) -> Result<()>,
}

const FLUSH: Work = Work {
    is_due: |tree, _| tree.has_sealed(),
    act: |tree, present, _| tree.flush_sealed(|| present.oldest_view()),
};
/// As often as it was flushed; what the last process has left over, once.
const COMPACT: Work = Work {
    is_due: TableTree::is_compaction_due,
    act: |tree, present, load| tree.compact(load, || present.oldest_view()),
};

impl Flusher {
    /// Starts the threads. If one fails, the database halts.
    pub(crate) fn start(present: Arc<Present>, health: Arc<Health>) -> Self {
        let parts = FlusherParts { present, health, stopped: Arc::default() };
        let start = |name, work: Work| {
            let of_thread = parts.clone();
            Some(threads::spawn(name, Arc::clone(&parts.health), move || of_thread.run(&work)))
        };
        let threads = [start("foldback-flusher", FLUSH), start("foldback-trees", COMPACT)];
        Self { parts, threads }
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        let FlusherParts { present, health, stopped } = &self.parts;
        stopped.store(true, Ordering::Release);
        present.flushing.raise();
        self.threads.each_mut().into_iter().for_each(|thread| threads::join(thread.take()));
        // Of a database that has halted, it is not known how far its log is synced.
        if health.halted().is_some() {
            return;
        }
        if let Err(error) = closing::flush_most(present) {
            tracing::warn!(%error, "not flushed at the end; the next opening replays the log");
        }
    }
}

impl FlusherParts {
    fn run(&self, work: &Work) {
        let Self { present, health, stopped } = self;
        let mut load = Load::Busy;
        while !stopped.load(Ordering::Acquire) {
            let seen = present.flushing.count();
            let mut due = present.trees();
            due.retain(|tree| (work.is_due)(tree, load));
            if due.is_empty() {
                load = load_of(present.flushing.wait_past(seen));
                continue;
            }
            let mut due = due.iter().take_while(|_| !stopped.load(Ordering::Acquire));
            let done = due.try_for_each(|tree| (work.act)(tree, present, load));
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
}

/// What it says of the load whether something was raised within a second.
const fn load_of(was_raised: bool) -> Load {
    match was_raised {
        true => Load::Busy,
        false => Load::Idle,
    }
}
