//! The store's clock: that of the store itself, and one that a test sets.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use futures::executor::block_on;
use object_store::memory::InMemory;

use super::*;
use crate::Error;
use crate::remote::{Fault, FaultyStore, ManualStoreTimes, StoreCall};

#[test]
fn the_store_tells_its_own_time_and_keeps_nothing() {
    block_on(async {
        let remote = RemoteLog::with_store(Arc::new(InMemory::new()), "memory".to_owned());
        let first = remote.store_now().await.expect("it has a clock");
        remote.put_small("a/b", Bytes::from_static(b"123")).await.expect("a put");
        let second = remote.store_now().await.expect("it has a clock");
        let objects = remote.list_with_times("").await.expect("a listing");
        let [ListedObject { name, bytes: 3, modified }] = objects.as_slice() else {
            panic!("{objects:?}")
        };
        assert_eq!(name, "a/b");
        assert!(first <= *modified && *modified <= second, "{first:?} {modified:?} {second:?}");
        assert!(Timestamp(1_600_000_000_000_000) < first, "{first:?} is in microseconds");
    });
}

#[test]
fn stores_that_share_times_tell_the_same_of_an_object() {
    block_on(async {
        let hands = Arc::new(AtomicI64::new(0));
        let clock = hands.clone();
        let times =
            ManualStoreTimes::new(Arc::new(move || Timestamp(clock.load(Ordering::SeqCst))));
        let inner = Arc::new(InMemory::new());
        let connect = || {
            let store = FaultyStore::with_times(inner.clone(), times.clone());
            RemoteLog::with_store(Arc::new(store), "manual".to_owned())
        };
        let (one, two) = (connect(), connect());
        for micros in [-1_500_001, 0, 7, 86_400_000_001] {
            hands.store(micros, Ordering::SeqCst);
            assert_eq!(one.store_now().await.expect("a clock"), Timestamp(micros));
            one.put_small("p/object", Bytes::from_static(b"1")).await.expect("a put");
            hands.fetch_add(5, Ordering::SeqCst);
            assert_eq!(two.store_now().await.expect("a clock"), Timestamp(micros + 5));
            let modified = Timestamp(micros);
            let listed = ListedObject { name: "p/object".to_owned(), bytes: 1, modified };
            assert_eq!(two.list_with_times("p").await.expect("a listing"), [listed]);
            let dated = two.read_dated("p/object", 1).await.expect("an answer").expect("there");
            assert_eq!(dated.1, modified);
        }
    });
}

#[test]
fn a_listing_is_sorted_and_ends_with_its_prefix() {
    block_on(async {
        let remote = RemoteLog::with_store(Arc::new(InMemory::new()), "memory".to_owned());
        for name in ["p/b", "p/a/c", "pq/x", "p/a-b"] {
            remote.put_small(name, Bytes::new()).await.expect("a put");
        }
        let names = |objects: Vec<ListedObject>| -> Vec<_> {
            objects.into_iter().map(|object| object.name).collect()
        };
        let listed = remote.list_with_times("p").await.expect("a listing");
        assert_eq!(names(listed), ["p/a-b", "p/a/c", "p/b"]);
        assert_eq!(remote.list_with_times("").await.expect("a listing").len(), 4);
    });
}

#[test]
fn a_clock_object_that_cannot_be_deleted_does_not_hide_the_time() {
    block_on(async {
        let store = Arc::new(FaultyStore::in_memory());
        let remote = RemoteLog::with_store(store.clone(), "faulty".to_owned());
        store.script(StoreCall::Delete, &[Fault::Busy]);
        remote.store_now().await.expect("the time is known");
        let left = remote.list_with_times(names::CLOCK_PREFIX).await.expect("a listing");
        assert_eq!(left.len(), 1);
        for call in [StoreCall::Put, StoreCall::Head] {
            store.script(call, &[Fault::Busy]);
            let error = remote.store_now().await.expect_err("the time is not known");
            assert!(matches!(error, Error::Store { .. }), "{call:?}: {error}");
        }
    });
}
