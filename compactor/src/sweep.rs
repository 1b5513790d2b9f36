//! Sweeping: which objects no reader can need any more.
//!
//! Three steps, and each may be the last before a crash: what goes is taken off the manifest; after
//! a grace, and if no lease is older, it is condemned by the next manifest; only then it is
//! deleted. What is condemned can never be listed again, so that a process that stalled for however
//! long can't bring a name back whose object is gone.

use std::collections::BTreeSet;

use foldback_log_tier::manifest::{Manifest, Removed};
use foldback_log_tier::remote::{HeldLease, ListedObject};
use foldback_log_tier::{Timestamp, names};

/// What the bucket holds besides its newest manifest, by its own clock.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The newest manifest when the bucket was looked at.
    pub looked_on: u64,
    /// The object store's clock then.
    pub store_now: Timestamp,
    /// The leases.
    pub leases: Vec<HeldLease>,
    /// The manifests.
    pub manifests: Vec<ListedObject>,
    /// The history files, listed or not; left out where only the clock was asked for.
    pub history: Vec<ListedObject>,
    /// Scratch objects of probes and of the clock.
    pub scratch: Vec<ListedObject>,
}

/// What is condemned, and what is deleted then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sweeping {
    /// The manifest that this was decided on.
    pub decided_on: u64,
    /// What was born at this manifest or before it, and is not listed, is condemned.
    pub through: u64,
    /// Removed files whose time has come.
    pub forgotten: BTreeSet<String>,
    /// Every object to delete once that is published.
    pub objects: Vec<String>,
    /// Bytes of the history files among them.
    pub bytes: u64,
}

impl Surroundings {
    /// The oldest manifest that a running reader or job goes by: what it lists is kept.
    #[must_use]
    pub fn oldest_leased(&self) -> Option<u64> {
        let alive = self.leases.iter().filter(|held| !held.expired(self.store_now));
        alive.map(|held| held.lease.manifest).min()
    }
}

/// Whether a removed file waits for nothing but for leases.
#[must_use]
pub(crate) fn is_due(removed: &Removed, clock: Timestamp, grace_micros: i64) -> bool {
    removed.at.saturating_add_micros(grace_micros) <= clock
}

/// What can be swept at `clock`, the time as far as expiry goes by it; `None` if nothing can.
#[must_use]
pub(crate) fn sweeping(
    manifest: &Manifest,
    around: &Surroundings,
    clock: Timestamp,
    grace_micros: i64,
) -> Option<Sweeping> {
    let leased_from = around.oldest_leased().unwrap_or(u64::MAX);
    let is_old = |object: &ListedObject| {
        object.modified.saturating_add_micros(grace_micros) <= around.store_now
    };
    let aged = around.manifests.iter().filter(|object| is_old(object));
    let aged = aged.filter_map(|object| names::parse_manifest(&object.name)).max();
    // A job that holds a lease has its files born at that manifest or after it.
    let aged = aged.unwrap_or(0).max(manifest.swept);
    let through = aged.min(leased_from.saturating_sub(1)).min(manifest.number).max(manifest.swept);

    let born = |name: &str| names::parse_history(name).map(|name| name.born);
    let forgotten: BTreeSet<_> = manifest
        .removed
        .iter()
        .filter(|removed| is_due(removed, clock, grace_micros))
        // The publishers' clocks can be apart: the store's, too, must say that the grace is over.
        .filter(|removed| removed.since <= aged.min(around.looked_on).min(leased_from))
        .filter(|removed| born(&removed.name).is_some_and(|born| born <= through))
        .map(|removed| removed.name.clone())
        .collect();

    let listed: BTreeSet<_> = manifest.files.iter().map(|file| &file.name).collect();
    let waiting: BTreeSet<_> = manifest.removed.iter().map(|removed| &removed.name).collect();
    let is_orphan = |object: &&ListedObject| {
        let waits = waiting.contains(&object.name) && !forgotten.contains(&object.name);
        let is_condemned = born(&object.name).is_some_and(|born| born <= through);
        is_condemned && !waits && !listed.contains(&object.name)
    };
    let orphans: Vec<_> = around.history.iter().filter(is_orphan).collect();
    let bytes = orphans.iter().map(|object| object.bytes).sum();
    let needless = |object: &&ListedObject| {
        let number = names::parse_manifest(&object.name);
        number.is_some_and(|number| number < manifest.number.min(leased_from)) && is_old(object)
    };
    // A holder that was slow may still come back to its lease: it is left there for a grace.
    let long_ago = around.store_now.saturating_add_micros(-grace_micros);
    let dead_leases = around.leases.iter().filter(|held| held.expired(long_ago));
    let objects: BTreeSet<String> = orphans
        .into_iter()
        .chain(around.manifests.iter().filter(needless))
        .chain(around.scratch.iter().filter(|object| is_old(object)))
        .map(|object| object.name.clone())
        .chain(forgotten.iter().cloned())
        .chain(dead_leases.map(|held| held.name.clone()))
        .collect();
    let decided_on = manifest.number;
    let objects: Vec<_> = objects.into_iter().collect();
    (!objects.is_empty()).then_some(Sweeping { decided_on, through, forgotten, objects, bytes })
}

#[cfg(test)]
mod tests;
