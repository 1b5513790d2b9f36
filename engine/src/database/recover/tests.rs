//! Recovering a database that is still in use elsewhere.

use super::*;
use crate::{KeyRange, Retention, WriteBatch, WriteOptions};

fn put(database: &Database, key: &str) -> Commit {
    let mut batch = WriteBatch::new();
    batch.put(database.table("rows").expect("it is there").id(), key.to_owned(), b"1".to_vec());
    database.write(batch, WriteOptions::default()).wait().expect("it commits")
}

fn keys(database: &Database) -> Vec<String> {
    let table = database.table("rows").expect("it is there").id();
    let rows = database.view().range(table, &KeyRange::all()).expect("the table is served");
    rows.map(|row| String::from_utf8_lossy(&row.expect("it reads").0).into_owned()).collect()
}

/// The log began where history had ended before, so that the recovery failed, for segments that
/// were never there. Where a copy of a directory is opened, numbers were given out a second time.
#[test]
fn what_is_sealed_just_before_the_takeover_is_recovered_and_its_numbers_are_not_used_again() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let bucket = format!("file://{}", directory.path().join("bucket").display());
    let config = |name: &str| Config::new(directory.path().join(name)).bucket(bucket.clone());
    let old = Database::open(config("old")).expect("it opens");
    old.create_table("rows").expect("the name is free");
    old.protect("rows", Retention::Forever).expect("it is not protected");
    put(&old, "a");
    old.seal().expect("the bucket takes it");
    let ground = prepare(config("new")).expect("there is something to recover");
    let last = put(&old, "b");
    old.seal().expect("the old writer is not fenced yet");

    let recovery = rebuild(ground).expect("it recovers");
    assert_eq!(recovery.recovered_to, last);
    let new = recovery.database;
    assert_eq!(keys(&new), ["a", "b"]);
    assert_eq!(put(&new, "c").seq, last.seq.next());
    let sealed = new.seal().expect("the bucket takes it");
    assert_eq!(sealed.seq, last.seq.next());
    drop((old, new));
    let again = Database::open(config("new")).expect("it opens again");
    assert_eq!(keys(&again), ["a", "b", "c"]);
}
