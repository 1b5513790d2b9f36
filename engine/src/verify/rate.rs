//! How fast a bucket is read: a bucket of tokens, one a byte, that fills with time.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

/// For so long tokens are kept that nobody took: what may be read at once after a pause.
const KEPT: Duration = Duration::from_secs(1);

/// Bounds the bytes that are read in a second. It tells how long to wait, and waits for nothing.
#[derive(Clone, Debug)]
pub(crate) struct ByteRate {
    bytes_per_sec: NonZeroU64,
    /// When the tokens of all that was read are there. In the past there are tokens left.
    paid: Instant,
}

impl ByteRate {
    /// A rate of so many bytes a second from `now` on.
    pub(crate) fn new(bytes_per_sec: NonZeroU64, now: Instant) -> Self {
        Self { bytes_per_sec, paid: now }
    }

    /// Takes the tokens of `bytes` that were read; how long to wait before any more are.
    pub(crate) fn take(&mut self, bytes: u64, now: Instant) -> Duration {
        let oldest = now.checked_sub(KEPT).unwrap_or(now);
        self.paid = self.paid.max(oldest) + self.time_of(bytes);
        self.paid.saturating_duration_since(now)
    }

    fn time_of(&self, bytes: u64) -> Duration {
        let rate = self.bytes_per_sec.get();
        // What is left over is less than the rate, so this is less than a second.
        let nanos = u128::from(bytes % rate) * 1_000_000_000 / u128::from(rate);
        Duration::from_secs(bytes / rate)
            + Duration::from_nanos(u64::try_from(nanos).expect("it is less than a second"))
    }
}

#[cfg(test)]
mod tests;
