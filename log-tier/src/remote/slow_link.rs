//! A bucket of this machine as if it lay at the other end of a link: for measurements and tests.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};
use tokio::time::{Instant, sleep, sleep_until};

use crate::fs::to_length;

/// What a link does to what goes over it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LinkSpeed {
    /// What every request waits before it is answered.
    pub(super) latency: Duration,
    /// How many bytes of objects go over it in a second, of all requests together; none is no
    /// bound.
    pub(super) bytes_per_sec: Option<u64>,
}

/// Passes everything on to the store inside, as slowly as a link would.
#[derive(Debug)]
pub(super) struct SlowLink {
    inner: Arc<dyn ObjectStore>,
    line: Arc<Line>,
}

/// The link, which all requests share.
#[derive(Debug)]
struct Line {
    speed: LinkSpeed,
    /// When what is on its way has come.
    free: Mutex<Option<Instant>>,
}

impl Line {
    /// Waits for an answer.
    async fn answer(&self) {
        if !self.speed.latency.is_zero() {
            sleep(self.speed.latency).await;
        }
    }

    /// Waits until so many bytes have come, after those that were on their way before.
    async fn carry(&self, bytes: u64) {
        let Some(bytes_per_sec) = self.speed.bytes_per_sec else { return };
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(bytes_per_sec.max(1));
        let takes = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let come = {
            let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let come = free.map_or(now, |free| free.max(now)) + takes;
            *free = Some(come);
            come
        };
        sleep_until(come).await;
    }
}

impl SlowLink {
    pub(super) fn new(inner: Arc<dyn ObjectStore>, speed: LinkSpeed) -> Self {
        Self { inner, line: Arc::new(Line { speed, free: Mutex::new(None) }) }
    }

    fn after_answer(
        &self,
        objects: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let line = self.line.clone();
        let waited = async move {
            line.answer().await;
            objects
        };
        futures::stream::once(waited).flatten().boxed()
    }
}

impl fmt::Display for SlowLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SlowLink({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for SlowLink {
    async fn put_opts(&self, at: &Path, body: PutPayload, how: PutOptions) -> Result<PutResult> {
        self.line.carry(to_length(body.content_length())).await;
        self.line.answer().await;
        self.inner.put_opts(at, body, how).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        how: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.line.answer().await;
        let inner = self.inner.put_multipart_opts(at, how).await?;
        Ok(Box::new(SlowUpload { inner, line: self.line.clone() }))
    }

    async fn get_opts(&self, at: &Path, how: GetOptions) -> Result<GetResult> {
        let head = how.head;
        self.line.answer().await;
        let answer = self.inner.get_opts(at, how).await?;
        if !head {
            self.line.carry(answer.range.end - answer.range.start).await;
        }
        Ok(answer)
    }

    fn delete_stream(
        &self,
        objects: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let line = self.line.clone();
        let deleted = self.inner.delete_stream(objects);
        let waited = async move {
            line.answer().await;
            deleted
        };
        futures::stream::once(waited).flatten().boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.after_answer(self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.after_answer(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.line.answer().await;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> Result<()> {
        self.line.answer().await;
        self.inner.copy_opts(from, to, how).await
    }
}

/// An upload in parts over the link.
#[derive(Debug)]
struct SlowUpload {
    inner: Box<dyn MultipartUpload>,
    line: Arc<Line>,
}

#[async_trait]
impl MultipartUpload for SlowUpload {
    fn put_part(&mut self, body: PutPayload) -> UploadPart {
        let (line, bytes) = (self.line.clone(), to_length(body.content_length()));
        let part = self.inner.put_part(body);
        let sent = async move {
            line.carry(bytes).await;
            line.answer().await;
            part.await
        };
        sent.boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.line.answer().await;
        self.inner.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.line.answer().await;
        self.inner.abort().await
    }
}

#[cfg(test)]
mod tests;
