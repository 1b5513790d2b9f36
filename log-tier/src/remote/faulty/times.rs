//! When objects were last put, by a clock that a test sets.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use object_store::ObjectMeta;
use object_store::path::Path;

use crate::Timestamp;

/// The clock of a simulated object store, and what it said when each object was put. Clones share
/// both: every [`super::FaultyStore`] over one inner store gets a clone of one value.
///
/// An object has the time at which its put was passed on, an upload in parts that of its
/// beginning, as on S3. An object that was put past all of these stores has the inner store's own
/// time. A clock that returns whole seconds makes times as coarse as those of S3.
#[derive(Clone)]
pub struct ManualStoreTimes {
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    put_at: Arc<Mutex<BTreeMap<Path, Timestamp>>>,
}

impl ManualStoreTimes {
    /// Times by `clock`, which is called at every put.
    #[must_use]
    pub fn new(clock: Arc<dyn Fn() -> Timestamp + Send + Sync>) -> Self {
        Self { clock, put_at: Arc::default() }
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    pub(super) fn record(&self, at: &Path, put: Timestamp) {
        self.put_at().insert(at.clone(), put);
    }

    pub(super) fn forget(&self, at: &Path) {
        self.put_at().remove(at);
    }

    /// Writes the time that is remembered of an object into what the inner store says of it.
    pub(super) fn amend(&self, meta: &mut ObjectMeta) {
        let Some(put) = self.put_at().get(&meta.location).copied() else { return };
        let distance = Duration::from_micros(put.0.unsigned_abs());
        // The default is the beginning of 1970.
        meta.last_modified = Default::default();
        if put < Timestamp(0) {
            meta.last_modified -= distance;
        } else {
            meta.last_modified += distance;
        }
    }

    fn put_at(&self) -> MutexGuard<'_, BTreeMap<Path, Timestamp>> {
        self.put_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ManualStoreTimes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManualStoreTimes").field("put_at", &self.put_at).finish_non_exhaustive()
    }
}
