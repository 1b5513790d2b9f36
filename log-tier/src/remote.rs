//! The bucket: manifests and history files on an object store, and the right to publish there.
//!
//! Nothing in a bucket is ever overwritten, but a lease by its own holder. A manifest is created,
//! or the attempt fails; a history file has a name that no other has. This module alone knows that
//! there is an object store.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use object_store::path::Path as ObjectPath;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutPayload};

use crate::fs::to_length;
use crate::{Error, Result, Timestamp};

mod backups;
mod bucket_url;
mod durable_files;
#[cfg(any(test, feature = "testing"))]
mod faulty;
mod history_files;
mod leases;
mod local_store;
mod option_names;
mod publish;
mod slow_link;
mod store_times;
mod stores;
mod traffic;
mod upload;

pub use backups::{BACKUP_FORMAT, DetachedBackup, PreviousBackup};
pub use bucket_url::BucketUrl;
#[cfg(any(test, feature = "testing"))]
pub use faulty::{BeforeEach, Fault, FaultyStore, ManualStoreTimes, StoreCall};
pub use leases::{HeldLease, LEASE_BYTES_MAX, LEASE_FORMAT, Lease};
pub use store_times::ListedObject;
pub use traffic::Traffic;
pub use upload::HistoryUpload;

use traffic::{CountingStore, TrafficCounters};

/// How long a request is tried again by default, from its first attempt.
pub const RETRY_TIMEOUT: Duration = Duration::from_secs(60);

/// Greatest length of an object that [`RemoteLog::read_small`] reads.
pub const SMALL_OBJECT_BYTES_MAX: u64 = 16 << 20;

/// What keeps two processes from publishing the same manifest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConditionalPuts {
    /// The store refuses to create an object that exists. [`RemoteLog::probe`] sees that it does.
    #[default]
    Required,
    /// The operator has declared that only one process ever writes. Nothing enforces it.
    SingleWriterDeclared,
}

/// How to talk to a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteOptions {
    /// What keeps two processes from publishing the same manifest.
    pub conditional_puts: ConditionalPuts,
    /// Options of the store by the names that its environment variables have, in lower case:
    /// `aws_region`, `aws_endpoint`. They win over the environment.
    pub store_options: BTreeMap<String, String>,
    /// How long a request is tried again, from its first attempt.
    pub retry_timeout: Duration,
}

impl Default for RemoteOptions {
    fn default() -> Self {
        Self {
            conditional_puts: ConditionalPuts::default(),
            store_options: BTreeMap::new(),
            retry_timeout: RETRY_TIMEOUT,
        }
    }
}

/// A database's bucket. Clones share the connection and the counters.
#[derive(Clone)]
pub struct RemoteLog {
    store: Arc<dyn ObjectStore>,
    counters: Arc<TrafficCounters>,
    name: Arc<str>,
    conditional_puts: ConditionalPuts,
}

impl fmt::Debug for RemoteLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RemoteLog").field(&self.name).finish()
    }
}

impl RemoteLog {
    /// Prepares to talk to the bucket at `url`. Of a store on the network it asks nothing yet; of
    /// one on disk it makes the directory.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for options that the store does not have, [`Error::Store`] for ones
    /// that it refuses, [`Error::Local`] if the directory cannot be made.
    #[expect(clippy::unused_async, reason = "stores that need a request to connect can come")]
    pub async fn connect(url: &BucketUrl, options: &RemoteOptions) -> Result<Self> {
        let store = stores::open(url, options)?;
        let mut remote = Self::with_store(store, url.to_string());
        remote.conditional_puts = options.conditional_puts;
        Ok(remote)
    }

    /// Talks to `store`, which errors call `name`. It must refuse to create an object that exists.
    #[must_use]
    pub fn with_store(store: Arc<dyn ObjectStore>, name: String) -> Self {
        let counters = Arc::<TrafficCounters>::default();
        let store = Arc::new(CountingStore::new(store, counters.clone()));
        let conditional_puts = ConditionalPuts::Required;
        Self { store, counters, name: name.into(), conditional_puts }
    }

    /// Where the bucket is, as it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What has gone to and fro since the bucket was opened, by this value and all its clones.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.counters.read()
    }

    /// Bytes `range` of the object `name`.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] if the object is not there, [`Error::Corrupt`] if it is shorter,
    /// [`Error::Store`] if the store does not answer.
    pub async fn read(&self, name: &str, range: Range<u64>) -> Result<Bytes> {
        assert!(range.start <= range.end, "a range of {name} begins after its end: {range:?}");
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        match self.get_range(name, &range).await {
            Ok(bytes) if to_length(bytes.len()) == range.end - range.start => Ok(bytes),
            Ok(bytes) => Err(self.short(name, range.start + to_length(bytes.len()), range.end)),
            Err(object_store::Error::NotFound { .. }) => {
                Err(Error::Missing { object: name.to_owned() })
            }
            // Stores answer a range past the end with errors of many kinds; the length decides.
            Err(source) => match self.store.head(&ObjectPath::from(name)).await {
                Ok(meta) if meta.size < range.end => Err(self.short(name, meta.size, range.end)),
                _ => Err(self.refused("read", name)(source)),
            },
        }
    }

    /// The whole of the object `name`, or `None` if it is not there.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] if it is longer than [`SMALL_OBJECT_BYTES_MAX`], [`Error::Store`] if
    /// the store does not answer.
    pub async fn read_small(&self, name: &str) -> Result<Option<Bytes>> {
        self.read_whole(name, SMALL_OBJECT_BYTES_MAX).await
    }

    /// Puts `body` as the object `name`, in the place of one that is there.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store refuses or does not answer; the object may then be there or
    /// not.
    pub async fn put_small(&self, name: &str, body: Bytes) -> Result<()> {
        assert!(to_length(body.len()) <= SMALL_OBJECT_BYTES_MAX, "{name} is not small");
        let put = self.store.put(&ObjectPath::from(name), PutPayload::from_bytes(body)).await;
        put.map(drop).map_err(self.refused("put", name))
    }

    /// Names and lengths of all objects in the bucket, sorted by name.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store refuses or does not answer.
    pub async fn list_objects(&self) -> Result<Vec<(String, u64)>> {
        self.list("").await
    }

    /// Deletes the objects with these names; one that is not there is fine.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] for the first that the store refuses to delete; others may be gone.
    pub async fn delete(&self, names: &[String]) -> Result<()> {
        let paths: Vec<_> = names.iter().map(|name| Ok(ObjectPath::from(name.as_str()))).collect();
        let mut deletions = self.store.delete_stream(futures::stream::iter(paths).boxed());
        while let Some(deletion) = deletions.next().await {
            match deletion {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(source) => return Err(self.refused("delete", "objects")(source)),
            }
        }
        Ok(())
    }

    /// Names and lengths of the objects under `prefix`, sorted by name: not every store sorts.
    async fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>> {
        let objects = self.list_with_times(prefix).await?;
        Ok(objects.into_iter().map(|object| (object.name, object.bytes)).collect())
    }

    /// The whole of the object `name`, or `None` if it is not there.
    async fn read_whole(&self, name: &str, bytes_max: u64) -> Result<Option<Bytes>> {
        Ok(self.read_dated(name, bytes_max).await?.map(|(body, _)| body))
    }

    /// As [`Self::read_whole`], and when the object was put, by the store's clock.
    async fn read_dated(&self, name: &str, bytes_max: u64) -> Result<Option<(Bytes, Timestamp)>> {
        let answer = match self.store.get(&ObjectPath::from(name)).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            answer => answer.map_err(self.refused("read", name))?,
        };
        let (size, modified) = (answer.meta.size, store_times::modified(&answer.meta));
        if size > bytes_max {
            return Err(Error::Unsupported(format!(
                "{name} in {} has {size} bytes, and this release reads at most {bytes_max} of it",
                self.name
            )));
        }
        let body = answer.bytes().await.map_err(self.refused("read", name))?;
        if to_length(body.len()) != size {
            return Err(self.short(name, to_length(body.len()), size));
        }
        Ok(Some((body, modified)))
    }

    async fn get_range(&self, name: &str, range: &Range<u64>) -> object_store::Result<Bytes> {
        let range = Some(GetRange::Bounded(range.clone()));
        let options = GetOptions { range, ..GetOptions::default() };
        self.store.get_opts(&ObjectPath::from(name), options).await?.bytes().await
    }

    fn short(&self, name: &str, end: u64, end_expected: u64) -> Error {
        let reason = format!(
            "it ends there in {}, and at least {end_expected} bytes were written",
            self.name
        );
        Error::corrupt(name, end, reason)
    }

    /// Wraps what the object store said about doing `action` to `object`.
    fn refused(
        &self,
        action: &'static str,
        object: &str,
    ) -> impl FnOnce(object_store::Error) -> Error + use<> {
        let object = match object {
            "" => self.name.to_string(),
            object => format!("{object} in {}", self.name),
        };
        move |source| Error::Store { action, object, source }
    }
}

#[cfg(test)]
mod tests;
