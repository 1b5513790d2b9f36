//! Leases: what keeps history in the bucket while somebody reads it.
//!
//! A restore, a view, an export or a compaction holds a lease on the manifest that it reads by, and
//! renews it while it runs. One that dies stops renewing, and its lease expires by the store's own
//! clock: no process's clock can cut a lease short.

use serde::{Deserialize, Serialize};

use super::RemoteLog;
use crate::{DatabaseId, Error, Result, Timestamp, names};

mod codec;

/// The version of the bytes of a lease.
pub const LEASE_FORMAT: u32 = 1;

/// Greatest length of a lease. A longer one is neither written nor read.
pub const LEASE_BYTES_MAX: u64 = 64 << 10;

/// How many seconds longer than it says a lease holds. S3 cuts the times of objects to whole
/// seconds, so each of the two that are compared can be up to a second early.
const EXPIRY_MARGIN_SECS: u64 = 2;

const MICROS_A_SEC: u64 = 1_000_000;

/// What a lease says. While it holds, nothing is deleted that manifest `manifest` or a later one
/// lists, and no file that was born at `manifest` or later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    /// The version of its bytes: [`LEASE_FORMAT`].
    pub format: u32,
    /// The database whose history it holds.
    pub database: DatabaseId,
    /// The least number of a manifest by which its holder reads.
    pub manifest: u64,
    /// What it is for, for people: "restore of orders".
    pub holder: String,
    /// How many seconds it holds from each time that it is put.
    pub ttl_secs: u64,
}

/// A lease in the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldLease {
    /// The name of its object.
    pub name: String,
    /// What it says.
    pub lease: Lease,
    /// When it was last put, by the store's clock.
    pub renewed: Timestamp,
}

impl HeldLease {
    /// Whether the lease no longer holds at `store_now`, which must be what
    /// [`RemoteLog::store_now`] said before the lease was read.
    #[must_use]
    pub fn expired(&self, store_now: Timestamp) -> bool {
        let secs = self.lease.ttl_secs.saturating_add(EXPIRY_MARGIN_SECS);
        let micros = i64::try_from(secs.saturating_mul(MICROS_A_SEC)).unwrap_or(i64::MAX);
        self.renewed.saturating_add_micros(micros) < store_now
    }
}

impl RemoteLog {
    /// Puts a lease, or renews the one that the caller holds under `name`, which comes from
    /// [`names::lease`] with a random id. This is the one object that is ever overwritten, and only
    /// by its holder.
    ///
    /// The store counts from when it took the put: a holder that counts from before it asked, by a
    /// clock that never goes back, stops before its lease ends.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] if it is longer than [`LEASE_BYTES_MAX`]; [`Error::Store`] if the
    /// store refuses or does not answer: the lease may then be there, renewed or not.
    ///
    /// # Panics
    ///
    /// When `name` is not that of a lease, or the lease is not of format [`LEASE_FORMAT`].
    pub async fn put_lease(&self, name: &str, lease: &Lease) -> Result<()> {
        assert!(names::parse_lease(name).is_some(), "{name} is not the name of a lease");
        self.put_small(name, lease.encode()?).await
    }

    /// All leases in the bucket, those that have expired too, sorted by name. One that is deleted
    /// meanwhile is left out.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] and [`Error::Unsupported`] as [`Lease::decode`] says, and also for an
    /// object among the leases whose name is not that of one: what can't be understood may hold
    /// something, so nothing may be deleted. [`Error::Store`] if the store does not answer.
    pub async fn leases(&self) -> Result<Vec<HeldLease>> {
        let mut leases = Vec::new();
        for (name, _) in self.list(names::LEASE_PREFIX).await? {
            if names::parse_lease(&name).is_none() {
                return Err(Error::Unsupported(format!(
                    "{name} in {} lies among the leases and does not have the name of one; if no \
                     later release of foldback has put it there, delete it",
                    self.name
                )));
            }
            if let Some((body, renewed)) = self.read_dated(&name, LEASE_BYTES_MAX).await? {
                let lease = Lease::decode(&name, &body)?;
                leases.push(HeldLease { name, lease, renewed });
            }
        }
        Ok(leases)
    }
}

#[cfg(test)]
mod tests;
