//! The gate that every call passes: it counts the call, stalls it in the test's hook, and decides.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::channel::oneshot;
use object_store::path::Path;
use object_store::{ObjectMeta, Result};

use super::orders::{FaultOrders, Passage};
use super::times::ManualStoreTimes;
use super::{BeforeEach, StoreCall};
use crate::Timestamp;

/// What decides about calls. The store shares it with its streams and uploads.
#[derive(Default)]
pub(super) struct CallGate {
    orders: Mutex<FaultOrders>,
    before_each: Mutex<Option<BeforeEach>>,
    /// Orders nothing, so it is relaxed.
    calls: AtomicU64,
    times: Option<ManualStoreTimes>,
}

impl CallGate {
    pub(super) fn with_times(times: ManualStoreTimes) -> Self {
        Self { times: Some(times), ..Self::default() }
    }

    pub(super) fn orders(&self) -> MutexGuard<'_, FaultOrders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_before_each(&self, hook: Option<BeforeEach>) {
        *self.before_each.lock().unwrap_or_else(PoisonError::into_inner) = hook;
    }

    pub(super) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// What the clock that a test has set says, if one is set.
    pub(super) fn now(&self) -> Option<Timestamp> {
        self.times.as_ref().map(ManualStoreTimes::now)
    }

    /// Remembers that the object `at` was put at this time.
    pub(super) fn record(&self, at: &Path, put: Option<Timestamp>) {
        if let (Some(times), Some(put)) = (&self.times, put) {
            times.record(at, put);
        }
    }

    pub(super) fn forget(&self, at: &Path) {
        if let Some(times) = &self.times {
            times.forget(at);
        }
    }

    pub(super) fn amend(&self, meta: &mut ObjectMeta) {
        if let Some(times) = &self.times {
            times.amend(meta);
        }
    }

    /// Does `work`, which is the call `call` on the object or prefix `at`, as far as is due.
    pub(super) async fn pass<T>(
        &self,
        call: StoreCall,
        at: &str,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        match self.admit(call, at).await {
            Passage::Through => work.await,
            Passage::EffectOnly(error) => {
                // Whatever the store says to it, nobody hears it.
                drop(work.await);
                Err(error)
            }
            Passage::Refused(error) => Err(error),
        }
    }

    async fn admit(&self, call: StoreCall, at: &str) -> Passage {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if let Some(hook) = self.hook_of_the_living() {
            stall(hook, call, at).await;
        }
        self.orders().next_passage(call, at)
    }

    /// A process that is dead makes no calls, so nothing happens before them.
    fn hook_of_the_living(&self) -> Option<BeforeEach> {
        if self.orders().is_dead() {
            return None;
        }
        self.before_each.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for CallGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallGate").field("orders", &self.orders).finish_non_exhaustive()
    }
}

/// Runs the hook on a thread of its own, so that it may block, also on a runtime, without keeping
/// the runtime of this call from its work.
async fn stall(hook: BeforeEach, call: StoreCall, at: &str) {
    let at = at.to_owned();
    let (ended, end) = oneshot::channel();
    std::thread::spawn(move || {
        hook(call, &at);
        // The call can have been given up meanwhile.
        let _ = ended.send(());
    });
    end.await.expect("the hook of a test does not panic");
}
