//! A look at what a bucket holds besides the files that its newest manifest lists.

use std::collections::BTreeSet;
use std::sync::Arc;

use foldback_compactor::Network;
use foldback_log_tier::manifest::Manifest;
use foldback_log_tier::names;
use foldback_log_tier::remote::{HeldLease, RemoteLog};

use crate::{BucketReader, Database, Result};

/// What a bucket holds besides the files that its newest manifest lists.
#[derive(Clone, Debug)]
pub struct BucketLook {
    /// The leases, also those of holders that have died, until a sweep takes them away.
    pub leases: Vec<HeldLease>,
    /// Bytes of files that are not listed any more, and that a lease may still hold.
    pub leased_bytes: u64,
    /// History files that no manifest lists, and that are not known to have been listed: what a
    /// process left that died, and what one is about to publish.
    pub orphan_files: usize,
    /// Bytes of them.
    pub orphan_bytes: u64,
}

impl Database {
    /// Looks at what the bucket holds besides what is listed, by listing it.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Tier`] if the bucket is out of reach, or a lease can't be understood.
    pub fn look(&self) -> Result<BucketLook> {
        let remote = self.inner.history.remote();
        look(&self.inner.network, remote, || self.inner.tools.refresh())
    }
}

impl BucketReader {
    /// Looks at what the bucket holds besides what is listed, by listing it. It refreshes what this
    /// reader knows, too.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Tier`] if the bucket is out of reach, or a lease can't be understood.
    pub fn look(&self) -> Result<BucketLook> {
        look(&self.network, self.history.remote(), || {
            self.refresh()?;
            Ok(self.manifest())
        })
    }

    /// What holds expiry back behind the wall clock, where anything does.
    #[must_use]
    pub fn horizon_held_by(&self) -> Option<String> {
        crate::upkeep::held_back(&self.manifest(), self.clock.now())
    }
}

/// The manifest is read after the files: what was published in between is no orphan.
fn look(
    network: &Network,
    remote: &RemoteLog,
    newest: impl FnOnce() -> Result<Arc<Manifest>>,
) -> Result<BucketLook> {
    let asked = remote.clone();
    let (leases, files) = network.run(async move {
        let leases = asked.leases().await?;
        Ok::<_, foldback_log_tier::Error>((
            leases,
            asked.list_with_times(names::HISTORY_PREFIX).await?,
        ))
    })?;
    let manifest = newest()?;
    let oldest = leases.iter().map(|held| held.lease.manifest).min().unwrap_or(u64::MAX);
    let leased = manifest.removed.iter().filter(|removed| removed.since > oldest);
    let listed = manifest.files.iter().map(|file| &file.name);
    let known: BTreeSet<_> =
        listed.chain(manifest.removed.iter().map(|removed| &removed.name)).collect();
    let orphans: Vec<_> = files.iter().filter(|object| !known.contains(&object.name)).collect();
    Ok(BucketLook {
        leased_bytes: leased.map(|removed| removed.bytes).sum(),
        orphan_files: orphans.len(),
        orphan_bytes: orphans.iter().map(|object| object.bytes).sum(),
        leases,
    })
}
