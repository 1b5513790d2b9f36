//! Counting what one read of history asks of the bucket, whatever else the process does meanwhile.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the requests and the bytes of one read; shared by all that read for it.
#[derive(Debug, Default)]
pub struct ReadMeter {
    requests: AtomicU64,
    bytes: AtomicU64,
}

/// What one read has asked of the bucket so far: tails and row groups of history files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadCount {
    /// Requests; one that was tried again counts once.
    pub requests: u64,
    /// Bytes that came.
    pub bytes: u64,
}

impl ReadMeter {
    /// What was counted so far.
    #[must_use]
    pub fn count(&self) -> ReadCount {
        let (requests, bytes) = (&self.requests, &self.bytes);
        ReadCount {
            requests: requests.load(Ordering::Relaxed),
            bytes: bytes.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn note(&self, bytes: u64) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl std::ops::Add for ReadCount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { requests: self.requests + other.requests, bytes: self.bytes + other.bytes }
    }
}
