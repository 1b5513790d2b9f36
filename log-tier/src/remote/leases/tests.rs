//! Leases come back, expire by the store's clock alone, and are never passed over.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use futures::executor::block_on;
use object_store::memory::InMemory;

use super::*;
use crate::WriterId;
use crate::remote::{FaultyStore, ManualStoreTimes, StoreCall};

fn lease(ttl_secs: u64) -> Lease {
    let database = DatabaseId::random();
    let holder = "restore of \"orders\"\n\u{1f9fe}".to_owned();
    Lease { format: LEASE_FORMAT, database, manifest: 7, holder, ttl_secs }
}

fn name() -> String {
    names::lease(WriterId::random())
}

fn in_memory() -> RemoteLog {
    RemoteLog::with_store(Arc::new(InMemory::new()), "memory".to_owned())
}

#[test]
fn leases_come_back_sorted_until_they_are_deleted() {
    block_on(async {
        let remote = in_memory();
        assert_eq!(remote.leases().await.expect("none"), []);
        let mut put: Vec<_> = (0..5).map(|ttl_secs| (name(), lease(ttl_secs))).collect();
        for (name, lease) in &put {
            remote.put_lease(name, lease).await.expect("a put");
        }
        put.sort_unstable_by(|left, right| left.0.cmp(&right.0));
        let held = async || -> Vec<_> {
            let leases = remote.leases().await.expect("sound").into_iter();
            leases.map(|held| (held.name, held.lease)).collect()
        };
        assert_eq!(held().await, put);
        let (gone, _) = put.remove(2);
        remote.delete(&[gone]).await.expect("it is there");
        assert_eq!(held().await, put);
    });
}

#[test]
fn a_lease_is_bytes_that_a_person_can_read() {
    let database = crate::ids::RandomId([0xab; 16]);
    let holder = "view of orders".to_owned();
    let lease = Lease { format: 1, database, manifest: 7, holder, ttl_secs: 600 };
    let expected = concat!(
        "{\n  \"format\": 1,\n  \"database\": \"abababababababababababababababab\",\n",
        "  \"manifest\": 7,\n  \"holder\": \"view of orders\",\n  \"ttl_secs\": 600,\n"
    );
    let hash = blake3::hash(expected.as_bytes());
    let bytes = lease.encode().expect("it is short");
    assert_eq!(bytes, format!("{expected}  \"blake3\": \"{hash}\"\n}}\n"));
    assert_eq!(Lease::decode("x", &bytes).expect("it was encoded"), lease);
}

/// A lease holds for its time and a margin of two seconds, for times can be cut to seconds.
#[test]
fn a_lease_expires_after_its_time_and_a_renewal_moves_that() {
    block_on(async {
        let hands = Arc::new(AtomicI64::new(1_000_000));
        let clock = hands.clone();
        let times =
            ManualStoreTimes::new(Arc::new(move || Timestamp(clock.load(Ordering::SeqCst))));
        let store = FaultyStore::with_times(Arc::new(InMemory::new()), times);
        let remote = RemoteLog::with_store(Arc::new(store), "manual".to_owned());
        let (name, lease) = (name(), lease(10));
        let expired_at = async |micros: i64| {
            hands.store(micros, Ordering::SeqCst);
            let store_now = remote.store_now().await.expect("a clock");
            let leases = remote.leases().await.expect("sound");
            assert_eq!(leases.len(), 1);
            leases[0].expired(store_now)
        };
        remote.put_lease(&name, &lease).await.expect("a put");
        assert!(!expired_at(0).await, "a clock that went back takes nothing away");
        assert!(!expired_at(13_000_000).await);
        assert!(expired_at(13_000_001).await);
        hands.store(12_000_000, Ordering::SeqCst);
        remote.put_lease(&name, &lease).await.expect("a renewal");
        assert!(!expired_at(24_000_000).await);
        assert!(expired_at(24_000_001).await);
    });
}

#[test]
fn a_time_that_no_clock_reaches_never_expires() {
    for renewed in [Timestamp(0), Timestamp::MAX, Timestamp(-1)] {
        let held = HeldLease { name: name(), lease: lease(u64::MAX), renewed };
        assert!(!held.expired(Timestamp(i64::MAX - 2)), "{renewed:?}");
    }
    let held = HeldLease { name: name(), lease: lease(0), renewed: Timestamp::MIN };
    assert!(held.expired(Timestamp(0)));
}

#[test]
fn a_lease_that_cannot_be_understood_is_an_error_that_names_it() {
    let sound = lease(5).encode().expect("it is short");
    let check = |object: &str, body: Vec<u8>, damaged: bool| {
        block_on(async {
            let remote = in_memory();
            remote.put_lease(&name(), &lease(9)).await.expect("a sound one");
            remote.put_small(object, body.into()).await.expect("a put");
            let error = remote.leases().await.expect_err("it is not sound");
            assert_eq!(matches!(error, Error::Corrupt { .. }), damaged, "{error}");
            assert_eq!(matches!(error, Error::Unsupported(_)), !damaged, "{error}");
            assert!(error.to_string().contains(object), "{error}");
        });
    };
    for at in 0..sound.len() {
        let mut body = sound.to_vec();
        body[at] ^= 1;
        check(&name(), body, true);
    }
    check(&name(), Vec::new(), true);
    check(&name(), sound[..sound.len() - 1].to_vec(), true);
    check(&name(), sealed("  \"format\": 0"), true);
    check(&name(), sealed("  \"format\": 1"), true);
    check(&name(), sealed("  \"format\": 2,\n  \"other\": true"), false);
    check("lease/other.json", sound.to_vec(), false);
    check("lease/deep/er.json", sound.to_vec(), false);
    let too_long = usize::try_from(LEASE_BYTES_MAX + 1).expect("small");
    check(&name(), vec![b' '; too_long], false);
}

/// A document with these fields and the right checksum.
fn sealed(fields: &str) -> Vec<u8> {
    let text = format!("{{\n{fields},\n");
    let hash = blake3::hash(text.as_bytes());
    format!("{text}  \"blake3\": \"{hash}\"\n}}\n").into_bytes()
}

#[test]
fn a_field_that_this_release_does_not_know_is_damage() {
    let sound = String::from_utf8(lease(5).encode().expect("short").to_vec()).expect("text");
    let fields = sound.strip_prefix("{\n").and_then(|text| text.split_once(",\n  \"blake3\""));
    let fields = fields.expect("the bytes begin and end so").0;
    Lease::decode("x", &sealed(fields)).expect("nothing was changed");
    let error = Lease::decode("x", &sealed(&format!("{fields},\n  \"more\": 1")));
    let error = error.expect_err("it may hold something else");
    assert!(error.to_string().contains("unknown field `more`"), "{error}");
}

#[test]
fn a_holder_that_is_too_long_is_refused_before_it_is_put() {
    block_on(async {
        let remote = in_memory();
        let holder = "x".repeat(usize::try_from(LEASE_BYTES_MAX).expect("small"));
        let error = remote.put_lease(&name(), &Lease { holder, ..lease(1) }).await;
        assert!(matches!(error, Err(Error::Unsupported(_))), "{error:?}");
        assert_eq!(remote.list_objects().await.expect("a listing"), []);
    });
}

/// A lease that ends between the listing and the reading of it holds nothing any more.
#[test]
fn a_lease_that_is_deleted_while_it_is_listed_is_left_out() {
    let inner = Arc::new(InMemory::new());
    let store = Arc::new(FaultyStore::new(inner.clone()));
    let remote = RemoteLog::with_store(store.clone(), "faulty".to_owned());
    let rival = RemoteLog::with_store(inner, "memory".to_owned());
    let (one, two) = (names::lease(crate::ids::RandomId([1; 8])), names::lease(WriterId::random()));
    block_on(async {
        remote.put_lease(&one, &lease(1)).await.expect("a put");
        remote.put_lease(&two, &lease(2)).await.expect("a put");
        let doomed = one.clone();
        store.before_each(Arc::new(move |call, at: &str| {
            if call == StoreCall::Get && at == doomed {
                block_on(rival.delete(std::slice::from_ref(&doomed))).expect("it is there");
            }
        }));
        let left: Vec<_> =
            remote.leases().await.expect("sound").into_iter().map(|held| held.name).collect();
        assert_eq!(left, [two]);
    });
}

#[test]
#[should_panic(expected = "is not the name of a lease")]
fn a_lease_is_put_under_the_name_of_one() {
    drop(block_on(in_memory().put_lease("lease/x.json", &lease(1))));
}

#[test]
fn bytes_of_no_lease_are_damaged() {
    for body in [Bytes::new(), Bytes::from_static(b"{}"), Bytes::from(sealed(""))] {
        let error = Lease::decode("x", &body).expect_err("it is no lease");
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    }
}
