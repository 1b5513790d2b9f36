//! Commits of many threads at once, in every way to ask for one.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use foldback::{
    Commit, Config, Database, Durability, Error, KeyRange, Seq, TableId, WriteBatch, WriteOptions,
};

use crate::support::{fast_directory, rows};

const THREADS: u64 = 8;
const ROUNDS: u64 = 150;

fn open(directory: &std::path::Path) -> Database {
    let config = Config {
        // Segments are rolled, and memtables sealed, in the midst of it.
        segment_bytes_max: 64 << 10,
        memtable_bytes_max: 1 << 20,
        ..Config::new(directory.join("data"))
    };
    Database::open(config).expect("it opens")
}

/// What one thread writes in one round: a key of its own, and one that all write.
fn batch(table: TableId, thread: u64, round: u64) -> WriteBatch {
    let mut batch = WriteBatch::new();
    batch.put(table, format!("own/{thread}/{round:04}"), round.to_be_bytes().to_vec());
    batch.put(table, "last", format!("{thread}/{round}"));
    batch.put(table, format!("last/{thread}"), vec![b'v'; 300]);
    batch
}

/// Commits in turn by itself, through the thread, and several without waiting for each.
fn run_thread(database: &Database, table: TableId, thread: u64) -> Vec<Commit> {
    let mut commits = Vec::new();
    let options = |round: u64| WriteOptions {
        durability: round.is_multiple_of(5).then_some(Durability::Synced),
        ..WriteOptions::default()
    };
    let mut round = 0;
    while round < ROUNDS {
        if round.is_multiple_of(3) {
            let batch = batch(table, thread, round);
            commits.push(database.commit(batch, options(round)).expect("it commits"));
            round += 1;
        } else {
            let many: Vec<_> = (round..round + 4)
                .map(|round| database.write(batch(table, thread, round), options(round)))
                .collect();
            round += 4;
            commits.extend(many.into_iter().map(|handle| handle.wait().expect("it commits")));
        }
        let last = commits.last().expect("there is one").seq;
        assert!(database.view().seq() >= last, "a commit shows once it is answered");
        let own = format!("own/{thread}/{:04}", round - 1);
        let held = database.view().get(table, own.as_bytes()).expect("it can be read");
        assert_eq!(held.as_deref(), Some((round - 1).to_be_bytes().as_slice()));
    }
    assert!(commits.is_sorted_by(|one, next| one.seq < next.seq), "a thread's own order holds");
    commits
}

/// Changes the catalog, and seals, until it has ended; gives the last seq of each round.
fn change_catalog(database: &Database, ended: &AtomicBool) -> Vec<Seq> {
    let mut changes = Vec::new();
    while changes.is_empty() || !ended.load(Ordering::Acquire) {
        let name = format!("other-{}", changes.len());
        database.create_table(&name).expect("there is none");
        changes.push(database.drop_table(&name).expect("it is there").seq);
        database.seal().expect("the bucket is there");
    }
    changes
}

/// Whatever a view shows of a batch, it shows all of it.
fn check_views(database: &Database, table: TableId, ended: &AtomicBool) {
    while !ended.load(Ordering::Acquire) {
        let view = database.view();
        let Some(last) = view.get(table, b"last").expect("it can be read") else { continue };
        let last = String::from_utf8(last.to_vec()).expect("it is text");
        let (thread, round) = last.split_once('/').expect("it names its batch");
        let round: u64 = round.parse().expect("it is a number");
        let own = format!("own/{thread}/{round:04}");
        assert!(view.get(table, own.as_bytes()).expect("it can be read").is_some());
    }
}

#[test]
fn every_commit_gets_a_seq_of_its_own_and_shows_whole() {
    let directory = fast_directory();
    let database = open(directory.path());
    let table = database.create_table("t").expect("there is none").id();
    let first = database.protect("t", foldback::Retention::Forever).expect("it is there").seq;
    let ended = AtomicBool::new(false);
    let (mut seqs, catalog_changes) = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let database = &database;
                scope.spawn(move || run_thread(database, table, thread))
            })
            .collect();
        let changer = scope.spawn(|| change_catalog(&database, &ended));
        let reader = scope.spawn(|| check_views(&database, table, &ended));
        let seqs: Vec<Seq> = writers
            .into_iter()
            .flat_map(|writer| writer.join().expect("it has not failed"))
            .map(|commit| commit.seq)
            .collect();
        ended.store(true, Ordering::Release);
        reader.join().expect("it has not failed");
        (seqs, changer.join().expect("it has not failed"))
    });
    seqs.sort_unstable();
    let distinct: BTreeSet<_> = seqs.iter().chain(&catalog_changes).collect();
    let rounds = usize::try_from(THREADS * (ROUNDS + ROUNDS % 3)).expect("few");
    assert!(seqs.len() >= rounds && distinct.len() == seqs.len() + catalog_changes.len());
    // Two changes of the catalog each: nothing else took a seq.
    let all = u64::try_from(seqs.len() + 2 * catalog_changes.len()).expect("few");
    assert_eq!(database.view().seq(), Seq(first.0 + all));
    let before = rows(&database, "t");
    drop(database);
    let database = open(directory.path());
    assert_eq!(rows(&database, "t"), before, "all of it is there after opening again");
}

/// Keys that each of the large batches of a thread writes anew.
const WIDE_KEYS: u64 = 40;

fn wide_key(thread: u64, number: u64) -> Vec<u8> {
    format!("{number:02}/{thread}").into_bytes()
}

/// The round that a view shows of a thread's keys, which is one and the same.
fn round_of(database: &Database, table: TableId, thread: u64) -> Option<u64> {
    let view = database.view();
    let mut rounds = (0..WIDE_KEYS).map(|number| {
        let found = view.get(table, &wide_key(thread, number)).expect("it can be read");
        found.map(|value| u64::from_be_bytes(value[..8].try_into().expect("it is long enough")))
    });
    let first = rounds.next().expect("there are keys");
    assert!(rounds.all(|round| round == first), "a batch of thread {thread} shows in part");
    first
}

#[test]
fn large_batches_of_several_callers_show_whole_and_in_order() {
    let directory = fast_directory();
    let database = open(directory.path());
    let table = database.create_table("t").expect("there is none").id();
    let ended = AtomicBool::new(false);
    // So large that callers write them themselves, and apply one group beside the other.
    let write = |thread: u64| {
        for round in 0..ROUNDS {
            let mut batch = WriteBatch::new();
            for number in 0..WIDE_KEYS {
                batch.put(table, wide_key(thread, number), [round.to_be_bytes(); 20].concat());
            }
            let durability = round.is_multiple_of(2).then_some(Durability::Synced);
            let options = WriteOptions { durability, ..WriteOptions::default() };
            database.commit(batch, options).expect("it commits");
            assert_eq!(round_of(&database, table, thread), Some(round), "its own is shown");
        }
    };
    let watch = || {
        let mut seen = vec![None; usize::try_from(THREADS).expect("few")];
        while !ended.load(Ordering::Acquire) {
            for (thread, seen) in (0..).zip(&mut seen) {
                let round = round_of(&database, table, thread);
                assert!(round >= *seen, "thread {thread} went back to {round:?} from {seen:?}");
                *seen = round;
            }
        }
    };
    std::thread::scope(|scope| {
        let watcher = scope.spawn(watch);
        let writers: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn({
                    let write = &write;
                    move || write(thread)
                })
            })
            .collect();
        let written: Vec<_> = writers.into_iter().map(|writer| writer.join().is_ok()).collect();
        ended.store(true, Ordering::Release);
        watcher.join().expect("it has not failed");
        assert!(written.iter().all(|written| *written));
    });
    drop(database);
    let database = open(directory.path());
    let table = database.table("t").expect("it is there").id();
    for thread in 0..THREADS {
        assert_eq!(round_of(&database, table, thread), Some(ROUNDS - 1), "after opening again");
    }
}

#[test]
fn a_commit_of_a_dropped_table_is_refused_and_changes_nothing() {
    let directory = fast_directory();
    let database = open(directory.path());
    let table = database.create_table("t").expect("there is none").id();
    let dropped = database.drop_table("t").expect("it is there");
    let mut batch = WriteBatch::new();
    batch.put(table, "k", "v");
    let refused = database.commit(batch, WriteOptions::default());
    assert!(matches!(refused, Err(Error::TableNotFound { .. })), "{refused:?}");
    let refused = database.commit(WriteBatch::new(), WriteOptions::default());
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    assert_eq!(database.view().seq(), dropped.seq);
}

/// Enough of one batch that several threads apply it, over two tables.
#[test]
fn a_large_batch_is_applied_whole() {
    let directory = fast_directory();
    let database = open(directory.path());
    let tables = ["a", "b"].map(|name| database.create_table(name).expect("there is none").id());
    let mut batch = WriteBatch::new();
    for number in 0_u32..20_000 {
        let table = tables[usize::from(number % 3 == 0)];
        // Not in the order of keys.
        batch.put(table, number.reverse_bits().to_be_bytes().to_vec(), number.to_string());
    }
    let commit = database.commit(batch, WriteOptions::default()).expect("it commits");
    let mut batch = WriteBatch::new();
    (0_u32..20_000).filter(|number| number % 7 == 0).for_each(|number| {
        let table = tables[usize::from(number % 3 == 0)];
        batch.delete(table, number.reverse_bits().to_be_bytes().to_vec());
    });
    let view = database.view();
    database.commit(batch, WriteOptions::default()).expect("it commits");
    let count = |of: &foldback::PresentView| {
        let rows =
            tables.map(|table| of.range(table, &KeyRange::all()).expect("it is live").count());
        (rows[0] + rows[1], rows[1])
    };
    assert_eq!((view.seq(), count(&view)), (commit.seq, (20_000, 6_667)));
    let deleted = (0..20_000).filter(|number| number % 7 == 0).count();
    let deleted_of_b = (0..20_000).filter(|number| number % 21 == 0).count();
    assert_eq!(count(&database.view()), (20_000 - deleted, 6_667 - deleted_of_b));
}

/// Commits one batch when it is dropped.
struct CommitsAtEnd<'a>(&'a Database, TableId);

impl Drop for CommitsAtEnd<'_> {
    fn drop(&mut self) {
        let commit = self.0.commit(batch(self.1, 0, 0), WriteOptions::default());
        commit.expect("a caller that unwinds can commit");
    }
}

#[test]
fn a_caller_that_unwinds_can_commit_and_halts_nobody() {
    // A guard of the commit took the caller's own panic for one of the engine's, and halted.
    let directory = fast_directory();
    let database = open(directory.path());
    let table = database.create_table("t").expect("there is none").id();
    let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _commits = CommitsAtEnd(&database, table);
        panic!("a reason of the caller's own");
    }));
    assert!(unwound.is_err());
    let own = database.view().get(table, b"own/0/0000").expect("it can be read");
    assert!(own.is_some(), "its commit is there");
    database.commit(batch(table, 1, 1), WriteOptions::default()).expect("nothing has halted");
}

/// What a flush drops is decided while others read without a view: they still find every key, and
/// never an older value than before.
#[test]
fn a_key_that_is_rewritten_all_the_time_is_always_there() {
    const KEYS: [&str; 4] = ["a", "b", "c", "d"];
    let scratch = fast_directory();
    let config =
        Config { memtable_bytes_max: 64 << 10, ..Config::new(scratch.path().join("data")) };
    let database = Database::open(config).expect("it opens");
    let table = database.create_table("rows").expect("the name is free");
    let write = |number: u64| {
        let mut batch = WriteBatch::new();
        let value = [&number.to_be_bytes()[..], &[b'v'; 1_000]].concat();
        for key in KEYS {
            batch.put(table.id(), key, value.clone());
        }
        database.commit(batch, WriteOptions::default()).expect("it commits");
    };
    write(0);
    let over = AtomicBool::new(false);
    let read = |key: &str| {
        let (mut last, mut reads) = (0, 0_u64);
        while !over.load(Ordering::Relaxed) {
            let found = table.get(key.as_bytes()).expect("it can be read");
            let found = found.unwrap_or_else(|| panic!("{key} was gone after {last}"));
            let (number, _) = found.split_first_chunk().expect("it has a number");
            let number = u64::from_be_bytes(*number);
            assert!(last <= number, "{key} went back from {last} to {number}");
            (last, reads) = (number, reads + 1);
        }
        reads
    };
    std::thread::scope(|scope| {
        let readers = KEYS.map(|key| scope.spawn(move || read(key)));
        (1..4_000).for_each(write);
        over.store(true, Ordering::Relaxed);
        for reader in readers {
            assert!(reader.join().expect("nothing was missing") > 0);
        }
    });
}

/// A view shows the same, whatever is flushed and compacted while it is held.
#[test]
fn a_view_is_held_while_its_keys_are_rewritten_flushed_and_compacted() {
    const KEYS: u64 = 8;
    let scratch = fast_directory();
    let config =
        Config { memtable_bytes_max: 64 << 10, ..Config::new(scratch.path().join("data")) };
    let database = Database::open(config).expect("it opens");
    let table = database.create_table("rows").expect("the name is free").id();
    let write = |number: u64| {
        let mut batch = WriteBatch::new();
        let value = [&number.to_be_bytes()[..], &[b'v'; 2_000]].concat();
        batch.put(table, (number % KEYS).to_be_bytes().to_vec(), value);
        database.commit(batch, WriteOptions::default()).expect("it commits");
    };
    (0..KEYS).for_each(write);
    for round in 0..150_u64 {
        let view = database.view();
        let state = || {
            let rows = view.range(table, &KeyRange::all()).expect("it is live");
            let rows: Vec<_> = rows.map(|row| row.expect("it can be read")).collect();
            for (key, value) in &rows {
                let alone = view.get(table, key).expect("it can be read");
                assert_eq!(alone.as_ref(), Some(value), "round {round}");
            }
            rows
        };
        let before = state();
        assert_eq!(before.len() as u64, KEYS, "round {round}");
        (0..40).map(|at| KEYS + round * 40 + at).for_each(write);
        assert!(state() == before, "round {round}: the view has changed");
    }
}
