//! The upload of one history file: its bytes come as they are written, and go in parts if many.

use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;
use object_store::path::Path as ObjectPath;
use object_store::{MultipartUpload, ObjectStoreExt, PutPayload};
use tokio::task::JoinSet;

use super::RemoteLog;
use crate::Result;
use crate::fs::to_length;
use crate::manifest::HistoryEntry;

/// Length up to which a history file is put in one request.
const SINGLE_PUT_BYTES_MAX: usize = 16 << 20;
/// The same for a file that is to go in one request.
const IN_ONE_PUT_BYTES_MAX: usize = 80 << 20;
/// Length of a part, the last excepted. S3 wants at least 5 MiB, and at most ten thousand parts;
/// other stores want parts of one length.
const PART_BYTES: usize = 8 << 20;
/// How many parts are under way at once.
const PARTS_AT_ONCE: usize = 2;

/// A history file on its way into the bucket. There is no object before [`Self::finish`]; an
/// upload that is given up wants [`Self::abort`].
///
/// It holds at most about 16 MiB, beside two parts under way and what was pushed last; of a file
/// that is to go in one request, 80 MiB.
pub struct HistoryUpload {
    remote: RemoteLog,
    name: String,
    waiting: WaitingBytes,
    bytes_pushed: u64,
    single_put_bytes_max: usize,
    parts: Option<PartsUpload>,
}

/// Bytes that were not sent yet, as they came.
#[derive(Debug, Default)]
struct WaitingBytes {
    pieces: VecDeque<Bytes>,
    bytes: usize,
}

/// An upload in parts that the store knows of.
struct PartsUpload {
    upload: Box<dyn MultipartUpload>,
    under_way: JoinSet<object_store::Result<()>>,
}

impl fmt::Debug for HistoryUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HistoryUpload").field("name", &self.name).finish_non_exhaustive()
    }
}

impl RemoteLog {
    /// Begins to put the history file `name` into the bucket. Nothing is sent yet.
    #[must_use]
    pub fn begin_history(&self, name: &str) -> HistoryUpload {
        self.begin_upload(name, SINGLE_PUT_BYTES_MAX)
    }

    /// The same for a file that is to go in one request, as far as it is not longer than a segment
    /// by default settings: requests cost money, and it is made often. A line that is too thin for
    /// it gets parts.
    #[must_use]
    pub fn begin_history_in_one(&self, name: &str) -> HistoryUpload {
        self.begin_upload(name, IN_ONE_PUT_BYTES_MAX)
    }

    fn begin_upload(&self, name: &str, single_put_bytes_max: usize) -> HistoryUpload {
        HistoryUpload {
            remote: self.clone(),
            name: name.to_owned(),
            waiting: WaitingBytes::default(),
            bytes_pushed: 0,
            single_put_bytes_max,
            parts: None,
        }
    }
}

impl HistoryUpload {
    /// Adds the next bytes of the file. Parts are sent by tasks of the runtime that this runs on.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Store`] if the store refuses or does not answer; the upload was aborted then
    /// and is of no more use.
    pub async fn push(&mut self, bytes: Bytes) -> Result<()> {
        self.bytes_pushed += to_length(bytes.len());
        self.waiting.push(bytes);
        let sent = self.send_full_parts().await;
        self.settle(sent).await
    }

    /// Sends what is left, and answers once the object is there.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Store`] if the store refuses or does not answer, [`crate::Error::Corrupt`]
    /// if the object then has another length.
    ///
    /// # Panics
    ///
    /// When `entry` has another name or length than what was pushed.
    pub async fn finish(mut self, entry: &HistoryEntry) -> Result<()> {
        assert_eq!(self.name, entry.name, "an upload is of one file");
        assert_eq!(self.bytes_pushed, entry.bytes, "{} is as long as it says", self.name);
        let path = ObjectPath::from(self.name.as_str());
        let put =
            if self.parts.is_some() { self.complete().await } else { self.put_in_one(&path).await };
        self.settle(put).await?;
        let remote = &self.remote;
        let meta = remote.store.head(&path).await.map_err(remote.refused("measure", &self.name))?;
        if meta.size != entry.bytes {
            return Err(remote.short(&self.name, meta.size.min(entry.bytes), entry.bytes));
        }
        Ok(())
    }

    async fn put_in_one(&mut self, path: &ObjectPath) -> object_store::Result<()> {
        let body = self.waiting.take(self.waiting.bytes);
        match self.remote.store.put(path, body.clone()).await {
            Err(_) if body.content_length() > SINGLE_PUT_BYTES_MAX => {
                // It may be too long for the line to take within a request's time.
                body.into_iter().for_each(|piece| self.waiting.push(piece));
                self.single_put_bytes_max = SINGLE_PUT_BYTES_MAX;
                self.send_full_parts().await?;
                self.complete().await
            }
            put => put.map(drop),
        }
    }

    /// Gives the upload up: parts that were sent are to be forgotten.
    pub async fn abort(mut self) {
        self.forget_parts().await;
    }

    /// Sends all parts that are full, if the file is too long for one request.
    async fn send_full_parts(&mut self) -> object_store::Result<()> {
        if self.parts.is_none() {
            if self.waiting.bytes <= self.single_put_bytes_max {
                return Ok(());
            }
            let path = ObjectPath::from(self.name.as_str());
            let upload = self.remote.store.put_multipart(&path).await?;
            self.parts = Some(PartsUpload { upload, under_way: JoinSet::new() });
        }
        let parts = self.parts.as_mut().expect("it was just begun");
        while self.waiting.bytes >= PART_BYTES {
            parts.send(self.waiting.take(PART_BYTES)).await?;
        }
        Ok(())
    }

    /// Sends the last part, waits for all, and makes an object of them.
    async fn complete(&mut self) -> object_store::Result<()> {
        let parts = self.parts.as_mut().expect("the upload is in parts");
        if self.waiting.bytes > 0 {
            parts.send(self.waiting.take(self.waiting.bytes)).await?;
        }
        parts.wait_until_under_way(0).await?;
        parts.upload.complete().await?;
        self.parts = None;
        Ok(())
    }

    /// Aborts the upload if something failed.
    async fn settle(&mut self, done: object_store::Result<()>) -> Result<()> {
        if done.is_err() {
            self.forget_parts().await;
        }
        done.map_err(self.remote.refused("put", &self.name))
    }

    async fn forget_parts(&mut self) {
        if let Some(PartsUpload { mut upload, mut under_way }) = self.parts.take() {
            under_way.shutdown().await;
            // Parts that stay all the same cost money until the bucket's rules remove them.
            drop(upload.abort().await);
        }
    }
}

impl PartsUpload {
    /// Sends a part once few enough are under way.
    async fn send(&mut self, part: PutPayload) -> object_store::Result<()> {
        self.wait_until_under_way(PARTS_AT_ONCE - 1).await?;
        self.under_way.spawn(self.upload.put_part(part));
        Ok(())
    }

    /// Waits until at most so many parts are under way.
    async fn wait_until_under_way(&mut self, parts_max: usize) -> object_store::Result<()> {
        while self.under_way.len() > parts_max {
            if let Some(sent) = self.under_way.join_next().await {
                sent??;
            }
        }
        Ok(())
    }
}

impl WaitingBytes {
    fn push(&mut self, bytes: Bytes) {
        self.bytes += bytes.len();
        self.pieces.push_back(bytes);
    }

    /// Takes the first `bytes` bytes, of which there are so many, without copying them.
    fn take(&mut self, bytes: usize) -> PutPayload {
        assert!(bytes <= self.bytes, "{bytes} bytes are wanted of {}", self.bytes);
        let mut taken = Vec::new();
        let mut left = bytes;
        while left > 0 {
            let mut piece = self.pieces.pop_front().expect("the pieces add up");
            if piece.len() > left {
                self.pieces.push_front(piece.split_off(left));
            }
            left -= piece.len();
            taken.push(piece);
        }
        self.bytes -= bytes;
        PutPayload::from_iter(taken)
    }
}

#[cfg(test)]
mod tests;
