//! The seam to the wall clock: the system's, and one that a test sets by hand.

use std::fmt::Debug;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use foldback_log_tier::Timestamp;

/// Tells the time. Commits are stamped `max(now, last)`, so it may stand still, go back or leap.
pub trait Clock: Debug + Send + Sync {
    /// The wall clock's reading.
    fn now(&self) -> Timestamp;
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp(jiff::Timestamp::now().as_microsecond())
    }
}

/// A clock that moves only when it is told to.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `start` until it is set.
    #[must_use]
    pub const fn new(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.0))
    }

    /// Sets it, forwards or backwards.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.0, Ordering::SeqCst);
    }

    /// Moves it by `micros`, which may be negative.
    pub fn advance(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// A point of the machine's own steady time, for waits and durations, never for commits.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads steady time")]
pub fn steady_now() -> Instant {
    Instant::now()
}

/// Waits for so long, whatever wakes this thread meanwhile.
pub fn steady_wait(pause: Duration) {
    let until = steady_now() + pause;
    loop {
        let left = until.saturating_duration_since(steady_now());
        if left.is_zero() {
            return;
        }
        std::thread::park_timeout(left);
    }
}
