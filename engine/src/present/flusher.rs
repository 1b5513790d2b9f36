//! The thread that writes sealed memtables to disk and compacts the trees.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use super::Present;
use crate::health::Health;
use crate::threads;

/// Owns the flushing thread; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Flusher {
    present: Arc<Present>,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Flusher {
    /// Starts the thread. If it fails, the database halts.
    pub(crate) fn start(present: Arc<Present>, health: Arc<Health>) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let thread = {
            let (present, stopped) = (Arc::clone(&present), Arc::clone(&stopped));
            threads::spawn("foldback-flusher", Arc::clone(&health), move || {
                run(&present, &stopped, &health);
            })
        };
        Self { present, stopped, thread: Some(thread) }
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        self.present.flushing.raise();
        threads::join(self.thread.take());
    }
}

fn run(present: &Present, stopped: &AtomicBool, health: &Health) {
    while !stopped.load(Ordering::Acquire) {
        let seen = present.flushing.count();
        let waiting = present.trees().into_iter().filter(|tree| tree.has_sealed());
        let mut flushed = false;
        for tree in waiting {
            if let Err(error) = tree.flush(|| present.oldest_view()) {
                health.halt(error.to_string());
                // Writers that wait for room must see that none will come.
                present.flushing.raise();
                return;
            }
            flushed = true;
        }
        match flushed {
            true => present.flushing.raise(),
            false => present.flushing.wait_past(seen),
        }
    }
}
