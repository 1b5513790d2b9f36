//! Holding a lease while history is read or rewritten, and giving it back.

use std::time::Duration;

use foldback_log_tier::remote::{LEASE_FORMAT, Lease, RemoteLog};
use foldback_log_tier::{DatabaseId, Result, WriterId, names};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::Network;

/// For how long a lease holds without being renewed.
pub const LEASE_TTL: Duration = Duration::from_secs(600);
/// For how long a lease that is given back may take to go; what stays expires.
const RETURN_TIMEOUT: Duration = Duration::from_secs(5);

/// A lease on everything that a manifest, or a later one, lists. It is renewed until this is
/// dropped, and gone from the bucket then.
#[derive(Debug)]
pub struct LeaseGuard {
    done: Option<oneshot::Sender<()>>,
    renewal: Option<JoinHandle<()>>,
    runtime: Handle,
}

impl LeaseGuard {
    /// Takes a lease. It holds once this returns; what was taken off the list before may be gone
    /// already, so whoever goes by a manifest asks after this whether the newest still lists what
    /// is needed.
    ///
    /// # Errors
    ///
    /// [`foldback_log_tier::Error::Store`] if the bucket does not take it.
    pub fn take(
        network: &Network,
        remote: &RemoteLog,
        database: DatabaseId,
        manifest: u64,
        holder: &str,
    ) -> Result<Self> {
        let name = names::lease(WriterId::random());
        let (format, holder, ttl_secs) = (LEASE_FORMAT, holder.to_owned(), LEASE_TTL.as_secs());
        let lease = Lease { format, database, manifest, holder, ttl_secs };
        let (first_name, first_lease, first_remote) = (name.clone(), lease.clone(), remote.clone());
        network.run(async move { first_remote.put_lease(&first_name, &first_lease).await })?;
        let (done, told) = oneshot::channel();
        let runtime = network.handle().clone();
        let renewal = runtime.spawn(keep(remote.clone(), name, lease, told));
        Ok(Self { done: Some(done), renewal: Some(renewal), runtime })
    }
}

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        if let Some(done) = self.done.take() {
            let _ = done.send(());
        }
        if let Some(renewal) = self.renewal.take() {
            // It may be in the middle of a renewal that the bucket does not answer.
            let returned = async { tokio::time::timeout(RETURN_TIMEOUT, renewal).await };
            let _ = crate::wait_for(self.runtime.spawn(returned));
        }
    }
}

/// Renews a lease until it is told, or nobody is left to tell it, that it is of no use any more.
async fn keep(remote: RemoteLog, name: String, lease: Lease, mut told: oneshot::Receiver<()>) {
    while tokio::time::timeout(LEASE_TTL / 3, &mut told).await.is_err() {
        if let Err(error) = remote.put_lease(&name, &lease).await {
            tracing::warn!(%error, lease = name, "a lease could not be renewed; it is tried again");
        }
    }
    let gone = tokio::time::timeout(RETURN_TIMEOUT, remote.delete(&[name])).await;
    if !matches!(gone, Ok(Ok(()))) {
        tracing::info!("a lease could not be given back; it expires");
    }
}
