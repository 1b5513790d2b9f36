//! Latencies of operations, kept as a histogram with three digits.
//!
//! In a closed loop a latency is counted from when an operation begins. In an open loop it is
//! counted from when the operation was due: if one takes long, those that had to wait behind it are
//! charged for it too, so the figures are free of coordinated omission.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// The longest latency that is told apart: ten minutes, in nanoseconds.
const LONGEST_NANOS: u64 = 600_000_000_000;
/// Digits that are told apart.
const DIGITS: u8 = 3;

/// Latencies of one kind of operation.
#[derive(Clone, Debug)]
pub struct Latencies(Histogram<u64>);

/// What a table shows of them, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyFigures {
    /// Operations.
    pub count: u64,
    /// Half of all took no longer.
    pub p50: u64,
    /// 99 of 100 took no longer.
    pub p99: u64,
    /// 999 of 1,000 took no longer.
    pub p999: u64,
    /// The longest.
    pub max: u64,
}

impl Latencies {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST_NANOS, DIGITS);
        Self(histogram.expect("the bounds are constants that it takes"))
    }

    /// Adds one; what is longer than ten minutes counts as ten minutes.
    pub fn add(&mut self, latency: Duration) {
        self.0.saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(LONGEST_NANOS));
    }

    /// Adds all of another.
    pub fn add_all(&mut self, other: &Self) {
        self.0.add(&other.0).expect("all have the same bounds");
    }

    /// What a table shows.
    #[must_use]
    pub fn figures(&self) -> LatencyFigures {
        LatencyFigures {
            count: self.0.len(),
            p50: self.0.value_at_quantile(0.5),
            p99: self.0.value_at_quantile(0.99),
            p999: self.0.value_at_quantile(0.999),
            max: self.0.max(),
        }
    }
}

impl Default for Latencies {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
