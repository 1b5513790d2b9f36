//! An object store that fails on order: by a script for each kind of call, by a seed, or as the
//! store of a process that dies does; that stalls where a test wants it to, and tells the time that
//! a test sets.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result,
};

mod gate;
mod held;
mod orders;
mod times;
mod upload;

pub use times::ManualStoreTimes;

use gate::CallGate;
use held::HeldBytes;
use upload::FaultyUpload;

/// The calls that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StoreCall {
    /// A put or a copy that must not find the object.
    Create,
    /// Any other put or copy of a whole object; the beginning and the end of an upload in parts,
    /// and each part.
    Put,
    /// A read of an object, or of a part of it.
    Get,
    /// A question about an object's length.
    Head,
    /// A listing.
    List,
    /// The deletion of one object, also where one request deletes many; the abortion of an upload.
    Delete,
}

/// What happens to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: the call goes through.
    None,
    /// It takes effect, and its answer is lost.
    AnswerLost,
    /// It takes effect, its answer is lost, and the client tries again and meets its own object.
    MetItself,
    /// It has no effect, and the store says that it is busy.
    Busy,
    /// It has no effect, and the store says that there is already such an object.
    Conflict,
    /// It has no effect, and the store says that there is no such object.
    NotFound,
}

/// What a test runs before each call; see [`FaultyStore::before_each`].
pub type BeforeEach = Arc<dyn Fn(StoreCall, &str) + Send + Sync>;

/// Passes calls on to the store inside, except where a fault is due.
#[derive(Debug)]
pub struct FaultyStore {
    inner: Arc<dyn ObjectStore>,
    gate: Arc<CallGate>,
    held: Arc<HeldBytes>,
}

impl FaultyStore {
    /// A store that passes everything on to `inner` until it is told to fail.
    #[must_use]
    pub fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner, gate: Arc::default(), held: Arc::default() }
    }

    /// A store in memory that does as it should until it is told to fail.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::new(Arc::new(object_store::memory::InMemory::new()))
    }

    /// A store over the bucket at `url`, which has no options.
    ///
    /// # Errors
    ///
    /// As [`super::RemoteLog::connect`].
    pub fn of_bucket(url: &super::BucketUrl) -> crate::Result<Self> {
        super::stores::open(url, &super::RemoteOptions::default()).map(Self::new)
    }

    /// As [`Self::new`], with objects last modified when `times` says so.
    #[must_use]
    pub fn with_times(inner: Arc<dyn ObjectStore>, times: ManualStoreTimes) -> Self {
        let gate = Arc::new(CallGate::with_times(times));
        Self { inner, gate, held: Arc::default() }
    }

    /// Adds `faults` to what happens to the coming calls of this kind, one a call.
    pub fn script(&self, call: StoreCall, faults: &[Fault]) {
        self.gate.orders().script(call, faults);
    }

    /// Makes about one call in `one_in` fail from now on; the same seed gives the same faults.
    ///
    /// # Panics
    ///
    /// When `one_in` is zero.
    pub fn seed(&self, seed: u64, one_in: u64) {
        assert!(one_in > 0, "one call in zero cannot fail");
        self.gate.orders().seed(seed, one_in);
    }

    /// Lets `calls` more calls of any kind pass, and then fails every one, as for a process that
    /// has died: the first that fails still takes effect if `takes_effect`, the later ones do not.
    /// It ends with [`Self::heal`].
    pub fn crash_after(&self, calls: u64, takes_effect: bool) {
        self.gate.orders().crash_after(calls, takes_effect);
    }

    /// Runs `hook` before each call that a living process makes, with the object or the prefix it
    /// is about; what happens to the call is decided after it. So a test can let other processes
    /// run while this one stalls between two calls.
    ///
    /// The hook runs on a thread of its own and under no lock: it may block, drive any runtime, and
    /// use other stores over the same inner one. Calls to this store from within it run it again.
    /// It takes the place of the one before, and stays when the store is healed.
    pub fn before_each(&self, hook: BeforeEach) {
        self.gate.set_before_each(Some(hook));
    }

    /// How many calls were made so far, those that failed included.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.gate.calls()
    }

    /// The most bytes of its answers that readers held at once since this was asked last. What a
    /// file of the operating system answers is not counted.
    #[must_use]
    pub fn take_bytes_held_max(&self) -> u64 {
        self.held.take_most()
    }

    /// Lets everything through again.
    pub fn heal(&self) {
        *self.gate.orders() = orders::FaultOrders::default();
    }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FaultyStore({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, at: &Path, body: PutPayload, how: PutOptions) -> Result<PutResult> {
        let call = match how.mode {
            PutMode::Create => StoreCall::Create,
            PutMode::Overwrite | PutMode::Update(_) => StoreCall::Put,
        };
        let work = async {
            let now = self.gate.now();
            let put = self.inner.put_opts(at, body, how).await?;
            self.gate.record(at, now);
            Ok(put)
        };
        self.gate.pass(call, at.as_ref(), work).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        how: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let work = async {
            let begun = self.gate.now();
            let inner = self.inner.put_multipart_opts(at, how).await?;
            let (gate, at) = (self.gate.clone(), at.clone());
            let upload: Box<dyn MultipartUpload> =
                Box::new(FaultyUpload { inner, gate, at, begun });
            Ok(upload)
        };
        self.gate.pass(StoreCall::Put, at.as_ref(), work).await
    }

    async fn get_opts(&self, at: &Path, how: GetOptions) -> Result<GetResult> {
        let call = if how.head { StoreCall::Head } else { StoreCall::Get };
        let mut answer = self.gate.pass(call, at.as_ref(), self.inner.get_opts(at, how)).await?;
        self.gate.amend(&mut answer.meta);
        self.held.count(answer).await
    }

    fn delete_stream(
        &self,
        objects: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let (inner, gate) = (self.inner.clone(), self.gate.clone());
        objects.then(move |object| delete(inner.clone(), gate.clone(), object)).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let listing = list(self.inner.clone(), self.gate.clone(), prefix.cloned());
        futures::stream::once(listing).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let at = prefix.map_or("", Path::as_ref);
        let work = self.inner.list_with_delimiter(prefix);
        let mut listing = self.gate.pass(StoreCall::List, at, work).await?;
        listing.objects.iter_mut().for_each(|meta| self.gate.amend(meta));
        Ok(listing)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> Result<()> {
        let call = match how.mode {
            CopyMode::Create => StoreCall::Create,
            CopyMode::Overwrite => StoreCall::Put,
        };
        let work = async {
            let now = self.gate.now();
            self.inner.copy_opts(from, to, how).await?;
            self.gate.record(to, now);
            Ok(())
        };
        self.gate.pass(call, to.as_ref(), work).await
    }
}

async fn delete(
    inner: Arc<dyn ObjectStore>,
    gate: Arc<CallGate>,
    object: Result<Path>,
) -> Result<Path> {
    let at = object?;
    let work = async {
        inner.delete(&at).await?;
        gate.forget(&at);
        Ok(())
    };
    gate.pass(StoreCall::Delete, at.as_ref(), work).await?;
    Ok(at)
}

async fn list(
    inner: Arc<dyn ObjectStore>,
    gate: Arc<CallGate>,
    prefix: Option<Path>,
) -> Result<BoxStream<'static, Result<ObjectMeta>>> {
    let at = prefix.as_ref().map_or("", Path::as_ref);
    let work = async { Ok(inner.list(prefix.as_ref())) };
    let objects = gate.pass(StoreCall::List, at, work).await?;
    let amended = objects.map_ok(move |mut meta| {
        gate.amend(&mut meta);
        meta
    });
    Ok(amended.boxed())
}

#[cfg(test)]
mod tests;
