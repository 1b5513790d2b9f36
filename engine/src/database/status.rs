//! How the database stands: what an operator asks first.

use std::sync::Arc;

use foldback_log_tier::local_log::SegmentInfo;
use foldback_log_tier::manifest::Manifest;
use foldback_log_tier::{Commit, DatabaseId, Timestamp};

use super::Database;

/// How the database stands.
#[derive(Clone, Debug)]
pub struct Status {
    /// The database's id.
    pub database: DatabaseId,
    /// The bucket's URL.
    pub bucket: String,
    /// The last commit.
    pub tip: Commit,
    /// The last commit that the bucket holds: what survives the loss of this machine.
    pub sealed: Commit,
    /// When this was read.
    pub now: Timestamp,
    /// Live tables.
    pub tables: usize,
    /// Live tables that are protected.
    pub protected_tables: usize,
    /// Local segments.
    pub segments: usize,
    /// Bytes of local segments.
    pub segment_bytes: u64,
    /// The newest manifest.
    pub manifest: u64,
    /// The epoch in which this process publishes.
    pub epoch: u64,
    /// Live history files.
    pub history_files: usize,
    /// Bytes of live history files.
    pub history_bytes: u64,
    /// Why the last background job failed, if it did; it is tried again.
    pub trouble: Option<String>,
    /// Why writing has stopped, if it has.
    pub halted: Option<String>,
}

impl Database {
    /// What the local log holds: its segments, the active one last.
    #[must_use]
    pub fn segments(&self) -> Arc<Vec<SegmentInfo>> {
        self.inner.log.segments()
    }

    /// What the bucket holds: the newest manifest.
    #[must_use]
    pub fn manifest(&self) -> Arc<Manifest> {
        self.inner.publisher.newest()
    }

    /// How the database stands.
    #[must_use]
    pub fn status(&self) -> Status {
        let inner = &self.inner;
        let (catalog, segments) = (inner.log.catalog(), inner.log.segments());
        let manifest = inner.publisher.newest();
        Status {
            database: inner.id,
            bucket: inner.bucket.to_string(),
            tip: inner.log.tip(),
            sealed: manifest.sealed,
            now: inner.config.clock.now(),
            tables: catalog.live().count(),
            protected_tables: catalog.live().filter(|t| t.open_protection().is_some()).count(),
            segments: segments.len(),
            segment_bytes: segments.iter().map(|info| info.bytes).sum(),
            manifest: manifest.number,
            epoch: manifest.epoch,
            history_files: manifest.files.len(),
            history_bytes: manifest.files.iter().map(|file| file.bytes).sum(),
            trouble: inner.background.trouble(),
            halted: inner.health.halted().map(str::to_owned),
        }
    }
}
