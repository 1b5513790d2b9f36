//! The object store on a local directory, made durable.
//!
//! `object_store::local::LocalFileSystem` (0.13.2) never syncs: what it has answered to can be gone
//! after a power cut, and what it has linked can be there with other bytes. Here every put is on
//! disk, with its name, before it is answered.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result, UploadPart,
};

use super::durable_files::{self, Placing, PlacingError};

/// The name that errors of this store carry.
const STORE: &str = "DurableLocalStore";

/// A local directory as an object store whose puts survive a power cut.
///
/// A failed sync is final: every later put is refused until the directory is opened again.
#[derive(Debug)]
pub(super) struct DurableLocalStore {
    inner: LocalFileSystem,
    directory: Arc<SyncedDirectory>,
}

/// The directory, and whether all syncs in it have succeeded.
#[derive(Debug)]
struct SyncedDirectory {
    root: PathBuf,
    sync_failed: AtomicBool,
}

impl DurableLocalStore {
    /// The store on the directory `root`, which must exist.
    pub(super) fn new(root: &FilePath) -> Result<Self> {
        let inner = LocalFileSystem::new_with_prefix(root)?;
        let root = root.canonicalize().map_err(failed)?;
        let directory = Arc::new(SyncedDirectory { root, sync_failed: AtomicBool::new(false) });
        Ok(Self { inner, directory })
    }
}

impl SyncedDirectory {
    /// Puts `body` in its place at `path`, for the object `at`.
    async fn place(
        self: &Arc<Self>,
        at: &Path,
        path: PathBuf,
        body: PutPayload,
        placing: Placing,
    ) -> Result<()> {
        self.expect_synced()?;
        let directory = self.clone();
        let work = move || durable_files::place(&directory.root, &path, &body, placing);
        blocking(work).await?.map_err(|error| self.explain(at, error))
    }

    /// Syncs the object `at`, which the store inside has put in its place at `path`.
    async fn sync_placed(self: &Arc<Self>, at: &Path, path: PathBuf) -> Result<()> {
        let directory = self.clone();
        let work = move || durable_files::sync_placed(&directory.root, &path);
        blocking(work).await?.map_err(|error| self.explain(at, error))
    }

    fn explain(&self, at: &Path, error: PlacingError) -> Error {
        match error {
            PlacingError::Refused(source) if source.kind() == io::ErrorKind::AlreadyExists => {
                Error::AlreadyExists { path: at.to_string(), source: source.into() }
            }
            PlacingError::Refused(source) => failed(source),
            PlacingError::NotSynced(source) => {
                self.sync_failed.store(true, Ordering::SeqCst);
                not_synced(source)
            }
        }
    }

    fn expect_synced(&self) -> Result<()> {
        if self.sync_failed.load(Ordering::SeqCst) {
            let reason = "an earlier sync failed, so nothing is written until it is opened again";
            return Err(not_synced(io::Error::other(reason)));
        }
        Ok(())
    }
}

impl fmt::Display for DurableLocalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{STORE}({})", self.directory.root.display())
    }
}

#[async_trait]
impl ObjectStore for DurableLocalStore {
    async fn put_opts(&self, at: &Path, body: PutPayload, how: PutOptions) -> Result<PutResult> {
        let placing = match how.mode {
            PutMode::Create => Placing::Create,
            PutMode::Overwrite => Placing::Replace,
            // The store inside refuses an update, and says so.
            PutMode::Update(_) => return self.inner.put_opts(at, body, how).await,
        };
        let path = self.inner.path_to_filesystem(at)?;
        self.directory.place(at, path, body, placing).await?;
        let meta = self.inner.head(at).await?;
        Ok(PutResult { e_tag: meta.e_tag, version: None })
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        how: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.directory.expect_synced()?;
        let upload = DurableUpload {
            inner: self.inner.put_multipart_opts(at, how).await?,
            directory: self.directory.clone(),
            at: at.clone(),
            path: self.inner.path_to_filesystem(at)?,
        };
        Ok(Box::new(upload))
    }

    async fn get_opts(&self, at: &Path, how: GetOptions) -> Result<GetResult> {
        let is_part = how.range.is_some() && !how.head;
        let mut found = self.inner.get_opts(at, how).await?;
        found.payload = match found.payload {
            GetResultPayload::File(file, _) if is_part => {
                let part = found.range.clone();
                let bytes = blocking(move || durable_files::read_part(file, &part)).await?;
                let bytes = bytes.map(Bytes::from).map_err(failed);
                GetResultPayload::Stream(stream::once(async { bytes }).boxed())
            }
            payload => payload,
        };
        Ok(found)
    }

    async fn get_ranges(&self, at: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(at, ranges).await
    }

    /// Deletions are not synced: an object that comes back is deleted again by the next sweep.
    fn delete_stream(
        &self,
        objects: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(objects)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> Result<()> {
        self.directory.expect_synced()?;
        self.inner.copy_opts(from, to, how).await?;
        self.directory.sync_placed(to, self.inner.path_to_filesystem(to)?).await
    }
}

/// An upload in parts that is durable once it is complete. A power cut in between can leave an
/// object with other bytes; nothing names it, because the upload was never answered to.
#[derive(Debug)]
struct DurableUpload {
    inner: Box<dyn MultipartUpload>,
    directory: Arc<SyncedDirectory>,
    at: Path,
    path: PathBuf,
}

#[async_trait]
impl MultipartUpload for DurableUpload {
    fn put_part(&mut self, body: PutPayload) -> UploadPart {
        self.inner.put_part(body)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let completed = self.inner.complete().await?;
        self.directory.sync_placed(&self.at, self.path.clone()).await?;
        Ok(completed)
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}

/// Runs what blocks on a thread for such, or here where no runtime has any.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => Ok(runtime.spawn_blocking(work).await?),
        Err(_) => Ok(work()),
    }
}

fn failed(source: io::Error) -> Error {
    Error::Generic { store: STORE, source: source.into() }
}

/// The object may be there, and must not be taken for durable. So the error is of a kind that
/// nobody takes for a lost answer.
fn not_synced(source: io::Error) -> Error {
    Error::NotSupported { source: Box::new(source) }
}

#[cfg(test)]
mod tests;
