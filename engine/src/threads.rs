//! Threads that we own: named, joined, and never missed if they die.

use std::sync::Arc;
use std::thread::JoinHandle;

use crate::health::Health;

/// Halts the database if the thread unwinds that holds it. On a caller's thread, which may unwind
/// already for a reason of its own when it comes here, that reason is none.
pub(crate) struct HaltOnPanic {
    name: &'static str,
    health: Arc<Health>,
    was_panicking: bool,
}

impl HaltOnPanic {
    pub(crate) fn new(name: &'static str, health: &Arc<Health>) -> Self {
        let was_panicking = std::thread::panicking();
        Self { name, health: Arc::clone(health), was_panicking }
    }
}

impl Drop for HaltOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.was_panicking {
            self.health.halt(format!("thread {} died, which is a bug in Foldback", self.name));
        }
    }
}

/// Starts a named thread; if it panics, the database halts.
pub(crate) fn spawn(
    name: &'static str,
    health: Arc<Health>,
    run: impl FnOnce() + Send + 'static,
) -> JoinHandle<()> {
    let guarded = move || {
        let _halt = HaltOnPanic::new(name, &health);
        run();
    };
    let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(guarded);
    spawned.expect("the operating system gives a thread")
}

/// Waits for a thread to end. Its panic, if any, has halted the database already.
pub(crate) fn join(thread: Option<JoinHandle<()>>) {
    if let Some(thread) = thread {
        let _ = thread.join();
    }
}
