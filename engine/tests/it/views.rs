//! Views of the present while it is written, flushed and compacted.

use std::sync::atomic::{AtomicBool, Ordering};

use foldback::{
    BATCH_EVENTS_MAX, Config, Database, Error, Retention, Selection, Seq, Target, WriteBatch,
    WriteOptions,
};

use crate::support::{fast_directory, planned_rows};

fn open(directory: &std::path::Path) -> Database {
    let mut config = Config::new(directory);
    // So small that a few hundred rows are flushed many times.
    config.memtable_bytes_max = 64 * 1024;
    Database::open(config).expect("it opens")
}

/// A flush between the opening of a view and its reads dropped what the view could see, as the
/// tree's own rule for what may go is one for readers of old structures.
#[test]
fn a_view_sees_what_it_saw_however_much_is_flushed_meanwhile() {
    let directory = fast_directory();
    let database = open(directory.path());
    let table = database.create_table("rows").expect("the name is free");
    for key in ["kept", "deleted", "again"] {
        table.put(key, "before").wait().expect("it commits");
    }
    let view = database.view();
    table.put("kept", "after").wait().expect("it commits");
    table.delete("deleted").wait().expect("it commits");
    for round in 0..600 {
        table.put("again", format!("{round}")).wait().expect("it commits");
        table.put(format!("fill/{round}"), vec![0; 1_000]).wait().expect("it commits");
    }
    for key in ["kept", "deleted", "again"] {
        let seen = view.get(table.id(), key.as_bytes()).expect("it can be read");
        assert_eq!(seen.as_deref(), Some(b"before".as_slice()), "{key}");
    }
    let everything = foldback::KeyRange::all();
    let rows = view.range(table.id(), &everything).expect("it is live").count();
    assert_eq!(rows, 3, "what came later does not show");
    assert_eq!(table.get(b"kept").expect("it can be read").as_deref(), Some(b"after".as_slice()));
}

/// The first base of a table is read from a view while the table is written.
#[test]
fn the_first_base_of_a_busy_table_holds_every_key() {
    const KEYS: u32 = 200;
    let directory = fast_directory();
    let database = open(directory.path());
    let table = database.create_table("rows").expect("the name is free");
    let write_all = |value: &[u8]| {
        let handles: Vec<_> =
            (0..KEYS).map(|key| table.put(format!("{key:05}"), value.to_vec())).collect();
        for handle in handles {
            handle.wait().expect("it commits");
        }
    };
    write_all(b"first");
    let stopped = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stopped.load(Ordering::Relaxed) {
                write_all(&[b'v'; 300]);
            }
        });
        for round in 0..8 {
            database.protect("rows", Retention::Forever).expect("the bucket takes it");
            let windows = database.windows("rows").expect("it is protected");
            let first = windows.last().expect("it has a base").first;
            let plan = database.plan("rows", Target::Seq(first), &Selection::all());
            let rows = planned_rows(&database, &plan.expect("it is restorable"));
            let short = rows.len() != usize::try_from(KEYS).expect("small");
            database.unprotect("rows").expect("it is protected");
            stopped.fetch_or(short, Ordering::Relaxed);
            assert!(!short, "round {round}: the base at {first} holds {} keys", rows.len());
        }
        stopped.store(true, Ordering::Relaxed);
    });
}

/// A batch that no frame can hold is refused before the log sees it, and halts nothing.
#[test]
fn a_batch_of_too_many_events_is_refused() {
    let directory = fast_directory();
    let database = open(directory.path());
    let table = database.create_table("rows").expect("the name is free");
    let mut batch = WriteBatch::new();
    for number in 0..=BATCH_EVENTS_MAX {
        batch.delete(table.id(), number.to_be_bytes().to_vec());
    }
    let refused = database.write(batch, WriteOptions::default()).wait();
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    table.put("key", "value").wait().expect("nothing has halted");
}

/// Writers that never leave the queue empty do not put off what is due by age.
#[test]
fn a_segment_is_sealed_by_age_however_busy_the_writers_are() {
    let directory = fast_directory();
    let mut config = Config::new(directory.path());
    config.segment_age_max = std::time::Duration::from_millis(50);
    let database = Database::open(config).expect("it opens");
    database.create_table("rows").expect("the name is free");
    let stopped = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for writer in 0..24 {
            let (database, stopped) = (&database, &stopped);
            scope.spawn(move || write_until(stopped, database, writer));
        }
        let began = foldback::steady_now();
        let sealed = || database.status().sealed.seq > Seq::ZERO;
        while !sealed() && began.elapsed() < std::time::Duration::from_secs(30) {
            std::thread::yield_now();
        }
        stopped.store(true, Ordering::Relaxed);
        assert!(sealed(), "nothing was sealed in 30 seconds of steady writing");
    });
}

/// Puts one key after the other, waiting for each, until told to stop.
fn write_until(stopped: &AtomicBool, database: &Database, writer: u32) {
    let table = database.table("rows").expect("it is live");
    let mut keys = (0..1_000).cycle().map(|number| format!("{writer}/{number}"));
    while !stopped.load(Ordering::Relaxed) {
        let key = keys.next().expect("they never end");
        table.put(key, "value").wait().expect("it commits");
    }
}
