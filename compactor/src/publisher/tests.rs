//! Publishing while the bucket fails, and while others publish.

use foldback_log_tier::history::FileKind;
use foldback_log_tier::manifest::HistoryEntry;
use foldback_log_tier::names::HistoryName;
use foldback_log_tier::remote::{BeforeEach, Fault, FaultyStore, StoreCall};
use foldback_log_tier::{DatabaseId, Seq, names};

use super::*;
use crate::wait_for;

const NOW: Timestamp = Timestamp(2);

fn delta(first: u64, last: u64) -> HistoryEntry {
    let at = |seq| Commit { seq: Seq(seq), timestamp: Timestamp(5) };
    let (first, last, kind, born) = (at(first), at(last), FileKind::Delta, 1_000);
    let unique = WriterId::random();
    HistoryEntry {
        name: names::history(HistoryName { kind, first: first.seq, last: last.seq, born, unique }),
        kind,
        first,
        last,
        until: None,
        scope: None,
        bytes: 10,
        rows: 0,
        blake3: "0".repeat(64),
        tail_offset: 5,
        tail_blake3: "0".repeat(64),
        tables: Vec::new(),
    }
}

fn bucket() -> (Arc<FaultyStore>, RemoteLog) {
    let store = Arc::new(FaultyStore::in_memory());
    let remote = RemoteLog::with_store(store.clone(), "memory".into());
    (store, remote)
}

fn open(remote: &RemoteLog, newest: Manifest) -> Result<Publisher> {
    let (remote, writer) = (remote.clone(), WriterId::random());
    wait_for(Publisher::open_epoch(remote, newest, writer, Timestamp(1)))
}

/// A writer and a compactor that know one manifest, of one bucket.
fn two() -> (Arc<FaultyStore>, Publisher, Publisher) {
    let (store, remote) = bucket();
    let writer = open(&remote, Manifest::empty(DatabaseId::random())).expect("it is there");
    let known = (*writer.newest()).clone();
    (store, writer, Publisher::joining(remote, known, WriterId::random()))
}

fn publish(publisher: &Publisher, change: &Change) -> Result<()> {
    wait_for(publisher.publish(change, NOW))
}

fn names_of(manifest: &Manifest) -> Vec<String> {
    manifest.files.iter().map(|file| file.name.clone()).collect()
}

/// A manifest whose fate is unknown may be in the bucket: another one in its place would be taken
/// for a rival's, and the process would fence itself.
#[test]
fn what_the_bucket_gave_no_clear_answer_to_is_published_again_as_it_was() {
    let cases = [
        vec![(StoreCall::List, Fault::Busy)],
        vec![(StoreCall::Create, Fault::AnswerLost), (StoreCall::Get, Fault::Busy)],
    ];
    for faults in cases {
        let (store, publisher, _) = two();
        for (call, fault) in &faults {
            store.script(*call, &[*fault]);
        }
        let first = delta(1, 1);
        let failed = publish(&publisher, &Change::Seal(first.clone()));
        assert!(matches!(failed, Err(Error::Store { .. })), "{faults:?}: {failed:?}");
        assert_eq!(publisher.sealed().seq, Seq::ZERO);
        assert!(wait_for(publisher.settle()).expect("the bucket is back"), "{faults:?}");
        assert_eq!(publisher.newest().files, [first]);
        assert!(!wait_for(publisher.settle()).expect("nothing is left"), "{faults:?}");
        publish(&publisher, &Change::Seal(delta(2, 2))).expect("it is still the only publisher");
        assert_eq!(publisher.sealed().seq, Seq(2));
    }
}

#[test]
fn changes_of_a_writer_and_a_compactor_all_land_once() {
    let (_, writer, compactor) = two();
    let deltas: Vec<_> = (1..=6).map(|seq| delta(seq, seq)).collect();
    for pair in deltas.chunks(2) {
        for delta in pair {
            publish(&writer, &Change::Seal(delta.clone())).expect("it builds on what is there");
        }
        // It knows of none of them yet, finds its number taken, and builds on what is there.
        wait_for(compactor.refresh()).expect("the bucket is there");
        let output = delta(pair[0].first.seq.0, pair[1].last.seq.0);
        let inputs = pair.iter().map(|delta| delta.name.clone()).collect();
        let change = Change::Replace { inputs, output };
        publish(&writer, &Change::Confirm).expect("the compactor knows an older manifest now");
        publish(&compactor, &change).expect("a lost race is run again");
        let number = compactor.newest().number;
        publish(&compactor, &change).expect("it is there already");
        assert_eq!(compactor.newest().number, number);
    }
    wait_for(writer.refresh()).expect("a compactor does not fence it");
    assert_eq!(names_of(&writer.newest()), names_of(&compactor.newest()));
    let spans: Vec<_> = writer.newest().files.iter().map(|file| file.last.seq.0).collect();
    assert_eq!(spans, [2, 4, 6]);
    assert_eq!(writer.newest().removed.len(), 6);
}

#[test]
fn two_threads_publish_at_once_and_nothing_is_lost() {
    let (_, writer, compactor) = two();
    publish(&writer, &Change::Seal(delta(1, 1))).expect("it is the only one");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for seq in 2..=12 {
                publish(&writer, &Change::Seal(delta(seq, seq))).expect("it is not fenced");
            }
        });
        scope.spawn(|| {
            for _ in 0..10 {
                publish(&compactor, &Change::Confirm).expect("it is tried on top of others");
            }
        });
    });
    let newest = wait_for(writer.refresh()).expect("it is not fenced");
    assert_eq!((newest.sealed.seq, newest.files.len()), (Seq(12), 12));
    assert_eq!(newest.number, 1 + 12 + 10, "each change made one manifest");
}

#[test]
fn a_writer_is_fenced_by_the_next_and_a_compactor_is_not() {
    let (_, writer, compactor) = two();
    let known = (*writer.newest()).clone();
    let next = open(writer.remote(), known).expect("it takes over");
    publish(&next, &Change::Seal(delta(1, 1))).expect("it is the writer");
    let fenced = publish(&writer, &Change::Seal(delta(1, 1)));
    assert!(matches!(fenced, Err(Error::Fenced { epoch: 1, winner_epoch: 2, .. })), "{fenced:?}");
    assert!(matches!(wait_for(writer.refresh()), Err(Error::Fenced { .. })));
    publish(&compactor, &Change::Confirm).expect("it serves whoever writes");
    assert_eq!((compactor.newest().epoch, compactor.sealed().seq), (2, Seq(1)));
    publish(&next, &Change::Seal(delta(2, 2))).expect("nor does a compactor fence it");
}

/// The number of an opening is taken by `rival` after it has been decided on.
fn opened_beside(rival: impl Fn(&Publisher) + Send + Sync + 'static) -> Result<Publisher> {
    let inner = Arc::new(FaultyStore::in_memory());
    let remote = RemoteLog::with_store(inner.clone(), "memory".into());
    let first = open(&remote, Manifest::empty(DatabaseId::random())).expect("it is there");
    let known = (*first.newest()).clone();
    let rivals = Publisher::joining(remote, known.clone(), WriterId::random());
    let stalling = Arc::new(FaultyStore::new(inner));
    let once = std::sync::Once::new();
    let hook: BeforeEach = Arc::new(move |call, _| {
        if call == StoreCall::Create {
            once.call_once(|| rival(&rivals));
        }
    });
    stalling.before_each(hook);
    open(&RemoteLog::with_store(stalling, "memory, slowly".into()), known)
}

#[test]
fn an_opening_goes_on_beside_a_compactor_and_gives_way_to_a_writer() {
    let beside_compactor = opened_beside(|compactor| {
        publish(compactor, &Change::Confirm).expect("nothing is in its way");
    });
    let opened = beside_compactor.expect("a compactor does not fence it");
    assert_eq!((opened.newest().number, opened.newest().epoch), (3, 2));
    let beside_writer = opened_beside(|rival| {
        let known = (*rival.newest()).clone();
        open(rival.remote(), known).expect("it is first");
    });
    assert!(matches!(beside_writer, Err(Error::Fenced { .. })));
}

/// An opening whose answer was lost was tried again, found itself open, and held an epoch that was
/// one too high: the next writer did not fence it.
#[test]
fn an_opening_that_is_tried_again_is_fenced_by_the_next() {
    let (store, remote) = bucket();
    let (empty, id) = (Manifest::empty(DatabaseId::random()), WriterId::random());
    store.script(StoreCall::List, &[Fault::Busy]);
    let lost = wait_for(Publisher::open_epoch(remote.clone(), empty, id, NOW));
    assert!(matches!(lost, Err(Error::Store { .. })));
    let found = || wait_for(remote.newest_manifest()).expect("it is back").expect("it was opened");
    let again = wait_for(Publisher::open_epoch(remote.clone(), found(), id, NOW));
    let again = again.expect("it is open already");
    open(&remote, found()).expect("it takes over");
    let fenced = publish(&again, &Change::Seal(delta(1, 1)));
    assert!(matches!(fenced, Err(Error::Fenced { .. })), "{fenced:?}");
}

#[test]
fn a_change_whose_fate_is_unknown_is_made_once_also_when_others_went_on() {
    for landed in [false, true] {
        let (store, writer, compactor) = two();
        if landed {
            store.script(StoreCall::List, &[Fault::Busy]);
        } else {
            store.script(StoreCall::Create, &[Fault::Busy; 5]);
        }
        let seal = Change::Seal(delta(1, 1));
        let lost = publish(&writer, &seal);
        assert!(matches!(lost, Err(Error::Store { .. })), "{lost:?}");
        publish(&compactor, &Change::Confirm).expect("it goes on from whatever is there");
        publish(&writer, &seal).expect("it is settled, and made if it was not");
        assert_eq!(writer.newest().files.len(), 1);
        let (newest, stored) = (writer.newest(), wait_for(writer.remote().newest_manifest()));
        assert_eq!(stored.expect("it is there").as_ref(), Some(&*newest), "landed: {landed}");
        assert_eq!(newest.number, 3);
    }
}

#[test]
fn whatever_fails_at_random_no_seal_is_lost_or_made_twice() {
    for seed in 0..40 {
        let (store, writer, compactor) = two();
        store.seed(seed, 4);
        for seq in 1..=8 {
            let seal = Change::Seal(delta(seq, seq));
            let tries = (0..200).find(|_| {
                let _ = publish(&compactor, &Change::Confirm);
                match publish(&writer, &seal) {
                    Ok(()) => true,
                    Err(Error::Store { .. } | Error::Missing { .. }) => false,
                    Err(other) => panic!("seed {seed}: {other:?}"),
                }
            });
            assert!(tries.is_some(), "seed {seed}: it never lands");
        }
        store.heal();
        let newest = wait_for(writer.refresh()).expect("it is not fenced");
        let seqs: Vec<_> = newest.files.iter().map(|file| file.first.seq.0).collect();
        assert_eq!(seqs, (1..=8).collect::<Vec<_>>(), "seed {seed}");
    }
}

/// Its manifest was taken over, and what was decided for one database was done to the other.
#[test]
fn a_bucket_that_holds_another_database_by_now_is_not_published_to() {
    let (_, writer, compactor) = two();
    let known = writer.newest();
    let theirs = Manifest { database: DatabaseId::random(), number: 9, ..(*known).clone() };
    let (remote, rival) = (writer.remote().clone(), theirs.clone());
    wait_for(async move { remote.publish(&rival).await }).expect("the number is free");
    for publisher in [&writer, &compactor] {
        let refused = wait_for(publisher.refresh());
        assert!(matches!(refused, Err(Error::Unsupported(_))), "{refused:?}");
        assert_eq!(publisher.newest(), known);
    }
}
