//! An object store that fails on order: by a script for each kind of call, or by a seed.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// The calls that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StoreCall {
    /// A put that must not find the object.
    Create,
    /// Any other put of a whole object.
    Put,
    /// A read of an object, or of a part of it.
    Get,
    /// A question about an object's length.
    Head,
    /// A listing.
    List,
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

/// Passes calls on to the store inside, except where a fault is due.
#[derive(Debug)]
pub struct FaultyStore {
    inner: Arc<dyn ObjectStore>,
    orders: Mutex<FaultOrders>,
}

/// Scripts come first; where a call's script has ended, the dice decide.
#[derive(Debug, Default)]
struct FaultOrders {
    scripts: BTreeMap<StoreCall, VecDeque<Fault>>,
    dice: Option<FaultDice>,
}

/// A generator of faults: a call in `one_in` fails.
#[derive(Debug)]
struct FaultDice {
    state: u64,
    one_in: u64,
}

impl FaultyStore {
    /// A store that passes everything on to `inner` until it is told to fail.
    #[must_use]
    pub fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner, orders: Mutex::default() }
    }

    /// A store in memory that does as it should until it is told to fail.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::new(Arc::new(object_store::memory::InMemory::new()))
    }

    /// Adds `faults` to what happens to the coming calls of this kind, one a call.
    pub fn script(&self, call: StoreCall, faults: &[Fault]) {
        self.orders().scripts.entry(call).or_default().extend(faults);
    }

    /// Makes about one call in `one_in` fail from now on; the same seed gives the same faults.
    ///
    /// # Panics
    ///
    /// When `one_in` is zero.
    pub fn seed(&self, seed: u64, one_in: u64) {
        assert!(one_in > 0, "one call in zero cannot fail");
        self.orders().dice = Some(FaultDice { state: seed, one_in });
    }

    /// Lets everything through again.
    pub fn heal(&self) {
        *self.orders() = FaultOrders::default();
    }

    fn orders(&self) -> MutexGuard<'_, FaultOrders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_fault(&self, call: StoreCall) -> Fault {
        let mut orders = self.orders();
        let scripted = orders.scripts.get_mut(&call).and_then(VecDeque::pop_front);
        scripted.or_else(|| Some(orders.dice.as_mut()?.roll(call))).unwrap_or(Fault::None)
    }

    /// The error of a call that is to have no effect, if that is what is due.
    fn refuse(&self, call: StoreCall, at: &str) -> Result<()> {
        match self.next_fault(call) {
            Fault::None => Ok(()),
            fault => Err(fault.error(at)),
        }
    }
}

impl FaultDice {
    fn roll(&mut self, call: StoreCall) -> Fault {
        if !self.draw().is_multiple_of(self.one_in) {
            return Fault::None;
        }
        let writes = matches!(call, StoreCall::Create | StoreCall::Put);
        match self.draw() % 4 {
            0 if call == StoreCall::Create => Fault::MetItself,
            1 if call == StoreCall::Create => Fault::Conflict,
            0..=2 if writes => Fault::AnswerLost,
            _ => Fault::Busy,
        }
    }

    /// The next number of a linear congruential sequence, of which the high bits are the good ones.
    fn draw(&mut self) -> u64 {
        const FACTOR: u64 = 0x5851_f42d_4c95_7f2d;
        const STEP: u64 = 0x1405_7b7e_f767_814f;
        self.state = self.state.wrapping_mul(FACTOR).wrapping_add(STEP);
        self.state >> 33
    }
}

impl Fault {
    fn error(self, at: &str) -> Error {
        let path = at.to_owned();
        match self {
            Self::MetItself | Self::Conflict => {
                Error::AlreadyExists { path, source: "injected: there is such an object".into() }
            }
            Self::NotFound => {
                Error::NotFound { path, source: "injected: there is no such object".into() }
            }
            Self::None | Self::AnswerLost | Self::Busy => Error::Generic {
                store: "FaultyStore",
                source: "injected: the store is busy or its answer was lost".into(),
            },
        }
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
        match self.next_fault(call) {
            Fault::None => self.inner.put_opts(at, body, how).await,
            fault @ (Fault::AnswerLost | Fault::MetItself) => {
                self.inner.put_opts(at, body, how).await?;
                Err(fault.error(at.as_ref()))
            }
            fault => Err(fault.error(at.as_ref())),
        }
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        how: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.refuse(StoreCall::Put, at.as_ref())?;
        self.inner.put_multipart_opts(at, how).await
    }

    async fn get_opts(&self, at: &Path, how: GetOptions) -> Result<GetResult> {
        self.refuse(if how.head { StoreCall::Head } else { StoreCall::Get }, at.as_ref())?;
        self.inner.get_opts(at, how).await
    }

    fn delete_stream(
        &self,
        objects: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(objects)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.refuse(StoreCall::List, prefix.map_or("", Path::as_ref)) {
            Ok(()) => self.inner.list(prefix),
            Err(error) => futures::stream::iter([Err(error)]).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.refuse(StoreCall::List, prefix.map_or("", Path::as_ref))?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, how).await
    }
}
