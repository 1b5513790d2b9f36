//! The object store's clock: what it says now, and what it said when each object was put.
//!
//! It is the one clock that all processes of a bucket share. What expires in a bucket does so by
//! this clock only, whatever the processes' own clocks say.

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use super::RemoteLog;
use crate::{Result, Timestamp, WriterId, names};

/// An object as a listing tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedObject {
    /// Its name.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// When it was last put, by the store's clock. Some stores tell whole seconds only.
    pub modified: Timestamp,
}

impl RemoteLog {
    /// What the store's clock says. It is an instant between the call and its answer, cut to whole
    /// seconds by stores that tell no others, so it can lie up to a second before the call.
    ///
    /// It costs a put, a question and a deletion of `clock/<unique>`; the deletion may fail.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Store`] if the store refuses or does not answer.
    pub async fn store_now(&self) -> Result<Timestamp> {
        let name = names::clock(WriterId::random());
        let path = ObjectPath::from(name.as_str());
        self.put_small(&name, Bytes::from_static(b"clock")).await?;
        let answer = self.store.head(&path).await;
        // What the scratch object could tell is known; one that stays does no harm.
        drop(self.store.delete(&path).await);
        answer.map(|meta| modified(&meta)).map_err(self.refused("date", &name))
    }

    /// The objects whose names begin with `prefix` and a slash, or all if it is empty, sorted by
    /// name: not every store sorts.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Store`] if the store refuses or does not answer.
    pub async fn list_with_times(&self, prefix: &str) -> Result<Vec<ListedObject>> {
        let path = ObjectPath::from(prefix);
        let mut objects: Vec<_> = self
            .store
            .list((!prefix.is_empty()).then_some(&path))
            .map_ok(|meta| ListedObject {
                name: meta.location.to_string(),
                bytes: meta.size,
                modified: modified(&meta),
            })
            .try_collect()
            .await
            .map_err(self.refused("list", prefix))?;
        objects.sort_unstable_by(|left, right| left.name.cmp(&right.name));
        Ok(objects)
    }
}

/// When an object was last put, by the store's clock.
pub(super) fn modified(meta: &ObjectMeta) -> Timestamp {
    Timestamp(meta.last_modified.timestamp_micros())
}

#[cfg(test)]
mod tests;
