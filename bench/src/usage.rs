//! What a piece of work took of this process: wall clock, CPU of all threads, peak memory.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Started before the work.
#[derive(Debug)]
pub struct Meter {
    began: Instant,
    cpu: Duration,
}

/// What the work took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Wall clock, in microseconds.
    pub wall_micros: u64,
    /// CPU of all threads, in microseconds.
    pub cpu_micros: u64,
    /// The most memory that was resident since the process began, in KiB.
    pub peak_kib: u64,
}

impl Meter {
    /// Starts.
    #[must_use]
    pub fn start() -> Self {
        Self { began: foldback::steady_now(), cpu: cpu() }
    }

    /// What was used since then.
    #[must_use]
    pub fn read(&self) -> Usage {
        let wall_micros = micros(self.began.elapsed());
        Usage { wall_micros, cpu_micros: micros(cpu() - self.cpu), peak_kib: peak_kib() }
    }
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).expect("no process has used less than nothing");
    Duration::new(seconds, u32::try_from(time.tv_nsec).expect("it is below a second"))
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// `VmHWM` of Linux; zero where it is not told.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
