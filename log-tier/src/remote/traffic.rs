//! What goes to and fro between this process and the bucket, counted at the object store's seam.
//!
//! A request that the store's client tries again inside counts once.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

use crate::fs::to_length;

/// Objects that one request of a listing returns, at most: what S3 answers.
const LIST_PAGE_OBJECTS: usize = 1_000;

/// Requests by kind, and bytes, since a bucket was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Reads of an object or a part of one.
    pub gets: u64,
    /// Writes: of an object, of a part of one, and the two that begin and end an upload in parts.
    pub puts: u64,
    /// Pages of listings.
    pub lists: u64,
    /// Objects deleted.
    pub deletes: u64,
    /// Questions about an object's length.
    pub heads: u64,
    /// Bytes asked for and found there.
    pub bytes_read: u64,
    /// Bytes sent.
    pub bytes_written: u64,
}

impl Traffic {
    /// Requests of all kinds.
    #[must_use]
    pub const fn requests(&self) -> u64 {
        self.gets + self.puts + self.lists + self.deletes + self.heads
    }
}

/// The running counts behind [`Traffic`]. They order nothing, so they are relaxed.
#[derive(Debug, Default)]
pub(super) struct TrafficCounters {
    gets: AtomicU64,
    puts: AtomicU64,
    lists: AtomicU64,
    deletes: AtomicU64,
    heads: AtomicU64,
    bytes_read: AtomicU64,
    bytes_written: AtomicU64,
}

impl TrafficCounters {
    pub(super) fn read(&self) -> Traffic {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Traffic {
            gets: read(&self.gets),
            puts: read(&self.puts),
            lists: read(&self.lists),
            deletes: read(&self.deletes),
            heads: read(&self.heads),
            bytes_read: read(&self.bytes_read),
            bytes_written: read(&self.bytes_written),
        }
    }

    fn put(&self, payload: &PutPayload) {
        add(&self.puts, 1);
        add(&self.bytes_written, to_length(payload.content_length()));
    }
}

fn add(counter: &AtomicU64, amount: u64) {
    counter.fetch_add(amount, Ordering::Relaxed);
}

/// Counts what passes to and from the store inside.
#[derive(Debug)]
pub(super) struct CountingStore {
    inner: Arc<dyn ObjectStore>,
    counters: Arc<TrafficCounters>,
}

impl CountingStore {
    pub(super) fn new(inner: Arc<dyn ObjectStore>, counters: Arc<TrafficCounters>) -> Self {
        Self { inner, counters }
    }

    fn count_pages(
        &self,
        objects: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        add(&self.counters.lists, 1);
        let counters = self.counters.clone();
        let page_begins = |at: usize| at > 0 && at.is_multiple_of(LIST_PAGE_OBJECTS);
        objects
            .enumerate()
            .map(move |(at, object)| {
                add(&counters.lists, u64::from(page_begins(at)));
                object
            })
            .boxed()
    }
}

impl fmt::Display for CountingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for CountingStore {
    async fn put_opts(&self, at: &Path, body: PutPayload, how: PutOptions) -> Result<PutResult> {
        self.counters.put(&body);
        self.inner.put_opts(at, body, how).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        how: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        add(&self.counters.puts, 1);
        let inner = self.inner.put_multipart_opts(at, how).await?;
        Ok(Box::new(CountingUpload { inner, counters: self.counters.clone() }))
    }

    async fn get_opts(&self, at: &Path, how: GetOptions) -> Result<GetResult> {
        let head = how.head;
        add(if head { &self.counters.heads } else { &self.counters.gets }, 1);
        let answer = self.inner.get_opts(at, how).await?;
        if !head {
            add(&self.counters.bytes_read, answer.range.end - answer.range.start);
        }
        Ok(answer)
    }

    async fn get_ranges(&self, at: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        add(&self.counters.gets, to_length(ranges.len()));
        let answer = self.inner.get_ranges(at, ranges).await?;
        add(&self.counters.bytes_read, answer.iter().map(|bytes| to_length(bytes.len())).sum());
        Ok(answer)
    }

    fn delete_stream(
        &self,
        objects: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let counters = self.counters.clone();
        let counted = objects.inspect_ok(move |_| add(&counters.deletes, 1)).boxed();
        self.inner.delete_stream(counted)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.count_pages(self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.count_pages(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        add(&self.counters.lists, 1);
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> Result<()> {
        add(&self.counters.puts, 1);
        self.inner.copy_opts(from, to, how).await
    }
}

/// Counts the parts of an upload.
#[derive(Debug)]
struct CountingUpload {
    inner: Box<dyn MultipartUpload>,
    counters: Arc<TrafficCounters>,
}

#[async_trait]
impl MultipartUpload for CountingUpload {
    fn put_part(&mut self, body: PutPayload) -> UploadPart {
        self.counters.put(&body);
        self.inner.put_part(body)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        add(&self.counters.puts, 1);
        self.inner.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        add(&self.counters.deletes, 1);
        self.inner.abort().await
    }
}
