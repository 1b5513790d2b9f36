//! How the database stands: what an operator asks first.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use foldback_log_tier::history::FileKind;
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
    /// Bytes of the deltas among them: what happened within the windows.
    pub delta_bytes: u64,
    /// Bytes of the bases among them: the states that the deltas are read on top of.
    pub base_bytes: u64,
    /// Bytes of live history files that only backups need: no window does.
    pub pinned_bytes: u64,
    /// Bytes of files that are not listed any more and wait for their grace to pass.
    pub removed_bytes: u64,
    /// Bytes of those that a running reader or job still holds a lease on, as far as was last seen.
    pub leased_bytes: u64,
    /// Bytes of history files that no manifest lists, when the bucket was last searched.
    pub orphan_bytes: u64,
    /// Bytes of objects that this process has deleted.
    pub swept_bytes: u64,
    /// Bytes of deltas that this process has sealed.
    pub sealed_bytes: u64,
    /// Bytes that this process has uploaded, of everything.
    pub uploaded_bytes: u64,
    /// What is done in the background now.
    pub job: Option<String>,
    /// What holds expiry back behind the wall clock, where anything does.
    pub horizon_held_by: Option<String>,
    /// Why the last background job failed, if it did, or a schedule made no backup; it is tried
    /// again.
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

    /// Whether memtables wait to be flushed, or what was flushed is being compacted. Nobody has to
    /// wait for that: what is not flushed is in the log.
    #[must_use]
    pub fn is_flushing(&self) -> bool {
        self.inner.present.is_flushing()
    }

    /// Whether something is left to compact, so that reads look into fewer files, which waits until
    /// nothing was flushed for a second.
    #[must_use]
    pub fn is_untidy(&self) -> bool {
        self.inner.present.is_untidy()
    }

    /// What the bucket holds: the newest manifest.
    #[must_use]
    pub fn manifest(&self) -> Arc<Manifest> {
        self.inner.publisher.newest()
    }

    /// Whether this process does the upkeep of its bucket, as [`crate::Config`] says.
    #[must_use]
    pub fn does_upkeep(&self) -> bool {
        self.inner.config.compactor
    }

    /// How the database stands.
    #[must_use]
    pub fn status(&self) -> Status {
        let inner = &self.inner;
        let (catalog, segments) = (inner.log.catalog(), inner.log.segments());
        let manifest = inner.publisher.newest();
        let (accounts, now) = (&inner.tools.accounts, inner.config.clock.now());
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let bytes_of = |kind: FileKind| {
            let files = manifest.files.iter().filter(|file| file.kind == kind);
            files.map(|file| file.bytes).sum()
        };
        let leased = accounts.oldest_leased().unwrap_or(u64::MAX);
        let held = manifest.removed.iter().filter(|removed| removed.since > leased);
        Status {
            database: inner.id,
            bucket: inner.bucket.to_string(),
            tip: inner.log.tip(),
            sealed: manifest.sealed,
            now,
            tables: catalog.live().count(),
            protected_tables: catalog.live().filter(|t| t.open_protection().is_some()).count(),
            segments: segments.len(),
            segment_bytes: segments.iter().map(|info| info.bytes).sum(),
            manifest: manifest.number,
            epoch: manifest.epoch,
            history_files: manifest.files.len(),
            history_bytes: manifest.files.iter().map(|file| file.bytes).sum(),
            delta_bytes: bytes_of(FileKind::Delta),
            base_bytes: bytes_of(FileKind::Base),
            pinned_bytes: crate::backups::pinned_bytes(&manifest, &catalog),
            removed_bytes: manifest.removed.iter().map(|removed| removed.bytes).sum(),
            leased_bytes: held.map(|removed| removed.bytes).sum(),
            orphan_bytes: read(&accounts.orphan_bytes),
            swept_bytes: read(&accounts.swept_bytes),
            sealed_bytes: read(&accounts.sealed_bytes),
            uploaded_bytes: self.traffic().bytes_written,
            job: accounts.job(),
            horizon_held_by: crate::upkeep::held_back(&manifest, now),
            trouble: inner.background.trouble().or_else(|| self.schedules_trouble()),
            halted: inner.health.halted().map(str::to_owned),
        }
    }
}
