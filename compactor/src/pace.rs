//! The pace of long jobs: they give way to writers, and leave off when they are told to.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use foldback_log_tier::{Error, Result};

/// How long a job works before it looks whether others want the machine.
const SLICE: Duration = Duration::from_millis(10);
/// Rows between two looks at the time.
const ROWS_PER_LOOK: u32 = 256;

/// What the threads that write and the threads that work in the background tell each other.
#[derive(Debug)]
pub struct Pace {
    steady_now: fn() -> Instant,
    /// Counts groups of commits.
    foreground: AtomicU64,
    stopping: AtomicBool,
    /// Wakes whoever waits when it is time to stop.
    stop: (Mutex<()>, Condvar),
}

/// One job's way through its work.
#[derive(Debug)]
pub struct Stride<'a> {
    pace: &'a Pace,
    began: Instant,
    foreground: u64,
    rows: u32,
}

impl Pace {
    /// Nobody works yet. `steady_now` tells the machine's steady time.
    #[must_use]
    pub const fn new(steady_now: fn() -> Instant) -> Self {
        Self {
            steady_now,
            foreground: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
            stop: (Mutex::new(()), Condvar::new()),
        }
    }

    /// Notes that a group of commits was written.
    pub fn note_foreground(&self) {
        self.foreground.fetch_add(1, Ordering::Relaxed);
    }

    /// Tells every job to leave off.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        drop(self.stop.0.lock().unwrap_or_else(PoisonError::into_inner));
        self.stop.1.notify_all();
    }

    /// Whether jobs are to leave off.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Refuses to go on once jobs are to leave off.
    ///
    /// # Errors
    ///
    /// [`Error::Interrupted`] then.
    pub fn check(&self) -> Result<()> {
        match self.is_stopping() {
            true => Err(Error::Interrupted),
            false => Ok(()),
        }
    }

    /// Begins a job.
    #[must_use]
    pub fn stride(&self) -> Stride<'_> {
        let foreground = self.foreground.load(Ordering::Relaxed);
        Stride { pace: self, began: (self.steady_now)(), foreground, rows: 0 }
    }

    /// Waits, unless it is time to stop.
    fn rest(&self, time: Duration) {
        let guard = self.stop.0.lock().unwrap_or_else(PoisonError::into_inner);
        let stopping = |(): &mut ()| !self.is_stopping();
        drop(self.stop.1.wait_timeout_while(guard, time, stopping));
    }
}

impl Stride<'_> {
    /// One row more. While commits are being written, a job works a quarter of the time: what they
    /// have to wait for it is bounded by that, and it still gets on.
    ///
    /// # Errors
    ///
    /// [`Error::Interrupted`] once the job is to be left off.
    pub fn step(&mut self) -> Result<()> {
        self.rows += 1;
        if self.rows < ROWS_PER_LOOK {
            return Ok(());
        }
        self.rows = 0;
        self.pace.check()?;
        let worked = (self.pace.steady_now)().duration_since(self.began);
        if worked >= SLICE {
            let foreground = self.pace.foreground.load(Ordering::Relaxed);
            if foreground != self.foreground {
                self.pace.rest((worked * 3).min(SLICE * 12));
            }
            self.foreground = foreground;
            self.began = (self.pace.steady_now)();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
