//! What simulations rely on: crashes, hooks, deletions and uploads that fail, the count of calls.

use std::sync::Mutex;

use bytes::Bytes;
use futures::executor::block_on;
use object_store::memory::InMemory;

use super::*;
use crate::manifest::Manifest;
use crate::remote::RemoteLog;
use crate::{DatabaseId, Error, Timestamp, WriterId};

/// A process, and what it reaches the bucket through.
fn process(inner: &Arc<InMemory>) -> (RemoteLog, Arc<FaultyStore>) {
    let store = Arc::new(FaultyStore::new(inner.clone()));
    (RemoteLog::with_store(store.clone(), "faulty".to_owned()), store)
}

fn names_in(inner: &Arc<InMemory>) -> Vec<String> {
    let remote = RemoteLog::with_store(inner.clone(), "memory".to_owned());
    let objects = block_on(remote.list_objects()).expect("a listing");
    objects.into_iter().map(|(name, _)| name).collect()
}

fn is_generic(error: &Error) -> bool {
    matches!(error, Error::Store { source: object_store::Error::Generic { .. }, .. })
}

/// Puts a file and publishes a manifest: a put, a create, and a listing.
async fn put_and_publish(remote: &RemoteLog, manifest: &Manifest) -> crate::Result<()> {
    remote.put_small("history/x", Bytes::from_static(b"file")).await?;
    remote.publish(manifest).await
}

fn manifest() -> Manifest {
    let empty = Manifest::empty(DatabaseId::random());
    Manifest { number: 1, epoch: 1, writer: WriterId::random(), ..empty }
}

#[test]
fn a_process_can_die_in_every_call_of_a_job() {
    let (remote, store) = process(&Arc::default());
    block_on(put_and_publish(&remote, &manifest())).expect("nothing fails");
    assert_eq!(store.calls(), 3);
    let published = "manifest/00000000000000000001.json";
    for calls in 0..store.calls() {
        for takes_effect in [false, true] {
            let (inner, manifest) = (Arc::default(), manifest());
            let (remote, store) = process(&inner);
            store.crash_after(calls, takes_effect);
            let error = block_on(put_and_publish(&remote, &manifest)).expect_err("it dies");
            assert!(is_generic(&error), "{error}");
            let effects = calls + u64::from(takes_effect);
            let expected: &[&str] = match effects {
                0 => &[],
                1 => &["history/x"],
                _ => &["history/x", published],
            };
            assert_eq!(names_in(&inner), expected, "{calls} {takes_effect}");
            assert_the_dead_do_nothing(&remote);
            assert_eq!(names_in(&inner), expected, "{calls} {takes_effect}");
            store.heal();
            block_on(put_and_publish(&remote, &manifest)).expect("the same again is fine");
            assert_eq!(names_in(&inner), ["history/x", published]);
        }
    }
}

fn assert_the_dead_do_nothing(remote: &RemoteLog) {
    block_on(async {
        let errors = [
            remote.put_small("late", Bytes::new()).await.map(drop),
            remote.read_small("history/x").await.map(drop),
            remote.read("history/x", 0..1).await.map(drop),
            remote.list_objects().await.map(drop),
            remote.delete(&["history/x".to_owned()]).await,
            remote.probe().await,
            remote.store_now().await.map(drop),
        ];
        for error in errors {
            let error = error.expect_err("it is dead");
            assert!(is_generic(&error), "{error}");
        }
    });
}

#[test]
fn a_hook_runs_before_each_call_and_lets_others_act_in_between() {
    let inner = Arc::default();
    let (remote, store) = process(&inner);
    let (rival, _) = process(&inner);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = seen.clone();
    let won = manifest();
    let winner = won.writer;
    store.before_each(Arc::new(move |call, at: &str| {
        notes.lock().expect("no panic").push((call, at.to_owned()));
        if call == StoreCall::Create {
            block_on(rival.publish(&won)).expect("it comes first");
        }
    }));
    let error = block_on(put_and_publish(&remote, &manifest())).expect_err("it comes second");
    assert!(matches!(error, Error::Fenced { winner: by, .. } if by == winner), "{error}");
    let published = "manifest/00000000000000000001.json";
    let expected = [
        (StoreCall::Put, "history/x"),
        (StoreCall::Create, published),
        (StoreCall::Get, published),
    ];
    let seen = std::mem::take(&mut *seen.lock().expect("no panic"));
    assert_eq!(seen, expected.map(|(call, at)| (call, at.to_owned())));
}

#[test]
fn what_happens_to_a_call_is_decided_after_its_hook() {
    let inner = Arc::default();
    let (remote, store) = process(&inner);
    let (killed, runs) = (store.clone(), Arc::new(Mutex::new(0)));
    let counted = runs.clone();
    store.before_each(Arc::new(move |_, _: &str| {
        *counted.lock().expect("no panic") += 1;
        killed.crash_after(0, false);
    }));
    for _ in 0..2 {
        block_on(remote.put_small("a", Bytes::new())).expect_err("it dies in its hook");
    }
    assert_eq!(names_in(&inner), [""; 0]);
    assert_eq!(*runs.lock().expect("no panic"), 1, "nothing happens before calls of the dead");
}

#[test]
fn each_deletion_fails_by_itself() {
    let inner = Arc::default();
    let (remote, store) = process(&inner);
    let all = ["a", "b", "c"].map(str::to_owned);
    let put_all = || {
        for name in &all {
            block_on(remote.put_small(name, Bytes::new())).expect("a put");
        }
    };
    let check = |faults: &[Fault], is_fine: bool, left: &[&str]| {
        put_all();
        store.script(StoreCall::Delete, faults);
        let before = store.calls();
        assert_eq!(block_on(remote.delete(&all)).is_ok(), is_fine, "{faults:?}");
        assert_eq!(names_in(&inner), left, "{faults:?}");
        assert!(store.calls() > before);
        store.heal();
    };
    check(&[], true, &[]);
    check(&[Fault::None, Fault::Busy], false, &["b", "c"]);
    check(&[Fault::None, Fault::AnswerLost], false, &["c"]);
    check(&[Fault::None, Fault::NotFound], true, &["b"]);
    put_all();
    store.crash_after(1, true);
    block_on(remote.delete(&all)).expect_err("it dies in the second");
    assert_eq!(names_in(&inner), ["c"]);
}

#[test]
fn every_request_of_an_upload_in_parts_can_fail() {
    // Its beginning, two parts, its end.
    for calls in 0..=4 {
        for takes_effect in [false, true] {
            let inner = Arc::<InMemory>::default();
            let (_, store) = process(&inner);
            store.crash_after(calls, takes_effect);
            let put = block_on(upload(&store));
            assert_eq!(put.is_ok(), calls == 4, "{calls} {takes_effect}");
            let is_there = calls == 4 || (calls == 3 && takes_effect);
            assert_eq!(!names_in(&inner).is_empty(), is_there, "{calls} {takes_effect}");
        }
    }
    let (_, store) = process(&Arc::default());
    store.script(StoreCall::Put, &[Fault::None, Fault::None, Fault::Busy]);
    block_on(upload(&store)).expect_err("the second part fails");
}

async fn upload(store: &FaultyStore) -> Result<()> {
    let mut upload = store.put_multipart(&Path::from("big")).await?;
    upload.put_part("one".into()).await?;
    upload.put_part("two".into()).await?;
    upload.complete().await.map(drop)
}

/// S3 says of an object that was put in parts when its upload began.
#[test]
fn an_upload_in_parts_has_the_time_of_its_beginning() {
    let ticks = Arc::new(Mutex::new(0));
    let clock = ticks.clone();
    let times = ManualStoreTimes::new(Arc::new(move || Timestamp(*clock.lock().expect("sound"))));
    let store = FaultyStore::with_times(Arc::new(InMemory::new()), times);
    let time_of = |name: &str| {
        let meta = block_on(store.head(&Path::from(name))).expect("it is there");
        meta.last_modified.timestamp_micros()
    };
    *ticks.lock().expect("sound") = 3;
    let late = ticks.clone();
    store.before_each(Arc::new(move |_, _: &str| *late.lock().expect("sound") += 1));
    block_on(upload(&store)).expect("nothing fails");
    assert_eq!(*ticks.lock().expect("sound"), 7);
    assert_eq!(time_of("big"), 4);
    block_on(store.copy(&Path::from("big"), &Path::from("copy"))).expect("nothing fails");
    assert_eq!((time_of("big"), time_of("copy")), (4, 9));
}
