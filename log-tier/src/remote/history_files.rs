//! History files in the bucket: put whole, read in parts.

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStoreExt, PutPayload, UploadPart};

use super::RemoteLog;
use crate::Result;
use crate::fs::to_length;
use crate::history::{CommitIndex, HistoryObject, HistoryTail, RowGroupRows};
use crate::manifest::HistoryEntry;

/// Length above which a history file is put in parts.
const SINGLE_PUT_BYTES_MAX: usize = 16 << 20;
/// Length of a part, the last excepted. S3 wants at least 5 MiB, and at most ten thousand parts.
const PART_BYTES: usize = 8 << 20;
/// How many parts are under way at once.
const PARTS_AT_ONCE: usize = 4;

impl RemoteLog {
    /// Puts a history file into the bucket. No manifest names it yet, so that putting the same file
    /// again after an error is fine.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Store`] if the store refuses or does not answer, [`crate::Error::Corrupt`]
    /// if the object then has another length.
    pub async fn put_history(&self, object: &HistoryObject) -> Result<()> {
        let HistoryObject { body, entry } = object;
        assert_eq!(to_length(body.len()), entry.bytes, "{} is as long as it says", entry.name);
        let path = ObjectPath::from(entry.name.as_str());
        let put = if body.len() <= SINGLE_PUT_BYTES_MAX {
            self.store.put(&path, PutPayload::from_bytes(body.clone())).await.map(drop)
        } else {
            self.put_in_parts(&path, body).await
        };
        put.map_err(self.refused("put", &entry.name))?;
        let meta = self.store.head(&path).await.map_err(self.refused("measure", &entry.name))?;
        if meta.size != entry.bytes {
            return Err(self.short(&entry.name, meta.size.min(entry.bytes), entry.bytes));
        }
        Ok(())
    }

    /// What a reader needs to find its way in a history file.
    ///
    /// # Errors
    ///
    /// As [`Self::read`] and [`HistoryTail::decode`].
    pub async fn read_tail(&self, entry: &HistoryEntry) -> Result<HistoryTail> {
        let tail = self.read(&entry.name, entry.tail_offset..entry.bytes).await?;
        HistoryTail::decode(entry, tail)
    }

    /// The rows of row group `index` of a history file.
    ///
    /// # Errors
    ///
    /// As [`Self::read`] and [`HistoryTail::decode_row_group`].
    ///
    /// # Panics
    ///
    /// When the file has no such row group.
    pub async fn read_row_group(
        &self,
        entry: &HistoryEntry,
        tail: &HistoryTail,
        index: u32,
    ) -> Result<RowGroupRows> {
        let row_group = tail
            .row_groups()
            .iter()
            .find(|row_group| row_group.index == index)
            .expect("the row groups that a caller asks for come from the tail");
        let range = row_group.offset..row_group.offset + row_group.bytes;
        let bytes = self.read(&entry.name, range).await?;
        tail.decode_row_group(index, bytes)
    }

    /// The commits that a delta covers, or `None` of a base.
    ///
    /// # Errors
    ///
    /// As [`Self::read`] and [`HistoryTail::decode_commit_index`].
    pub async fn read_commit_index(
        &self,
        entry: &HistoryEntry,
        tail: &HistoryTail,
    ) -> Result<Option<CommitIndex>> {
        let Some(range) = tail.commit_index_range() else { return Ok(None) };
        let bytes = self.read(&entry.name, range).await?;
        tail.decode_commit_index(bytes).map(Some)
    }

    async fn put_in_parts(&self, path: &ObjectPath, body: &Bytes) -> object_store::Result<()> {
        let mut upload = self.store.put_multipart(path).await?;
        let parts: Vec<UploadPart> = (0..body.len())
            .step_by(PART_BYTES)
            .map(|begin| body.slice(begin..body.len().min(begin + PART_BYTES)))
            .map(|part| upload.put_part(PutPayload::from_bytes(part)))
            .collect();
        let sent: object_store::Result<()> =
            futures::stream::iter(parts).buffer_unordered(PARTS_AT_ONCE).try_collect().await;
        let completed = match sent {
            Ok(()) => upload.complete().await.map(drop),
            Err(error) => Err(error),
        };
        if completed.is_err() {
            // The error is told; parts that stay cost money until the bucket's rules remove them.
            drop(upload.abort().await);
        }
        completed
    }
}
