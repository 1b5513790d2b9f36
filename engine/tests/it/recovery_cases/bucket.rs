//! Cases about the bucket: who may publish in it, and what else can lie there.

use std::sync::Arc;

use foldback::log_tier::{Error as TierError, names};
use foldback::{BucketReader, Clock, Commit, Database, Error, Retention, Target};

use super::place::{HASTY, LAZY, Place, SECOND, read, state};
use crate::support::State;

/// A writer that was paused while another took over publishes nothing any more: what it wrote since
/// is in no history, and it says so.
#[test]
fn case_24_a_writer_that_was_taken_over() {
    // Nothing but its own seal makes it look at the bucket.
    let place = Place::without_upkeep();
    let table = place.table("orders", Retention::Forever);
    let shared = place.put(&table, "a", "shared");
    place.database.seal().expect("the bucket takes it");
    let successor = Database::recover(place.config("successor")).expect("the bucket holds it");
    let successor = successor.database;
    // It does not know yet, and what it acknowledges is on its disk alone.
    let stray = place.put(&table, "a", "stray");
    let theirs = successor.table("orders").expect("it was protected");
    let taken = place.put(&theirs, "a", "taken over");
    assert_eq!(stray.seq, taken.seq, "both count on from what they share");
    successor.seal().expect("the bucket takes it");
    let published = successor.manifest().number;

    let sealed = place.database.seal();
    assert!(sealed.is_err(), "{sealed:?}");
    let refused = table.put("a", "too late").wait();
    let Err(error @ Error::Halted { .. }) = &refused else { panic!("{refused:?}") };
    assert!(error.to_string().contains("reads go on"), "{error}");
    let seen = table.get(b"a").expect("reads go on");
    assert_eq!(seen.as_deref(), Some(b"stray".as_slice()));
    place.check("orders", Target::Seq(shared.seq), &[("a", "shared")]);
    let newest = place.reader().manifest();
    assert_eq!((newest.number, newest.sealed), (published, successor.status().sealed));

    let reader = place.reader();
    for (commit, value) in [(shared, "shared"), (taken, "taken over")] {
        let rows = read(&reader, "orders", Target::Seq(commit.seq)).expect("it is sealed");
        assert_eq!(rows, state(&[("a", value)]));
    }
    // Nor does its directory splice itself in later.
    let config = place.config("db");
    drop((table, place.database));
    let opened = Database::open(config);
    assert!(opened.is_err(), "{opened:?}");
    drop(theirs);
    successor.table("orders").expect("it is live").put("b", "goes on").wait().expect("it commits");
    successor.seal().expect("it is not fenced");
}

/// What lies in the bucket beside what the manifest names is never read, and goes only if it has
/// one of our names and is of age.
#[test]
fn case_25_strangers_in_the_bucket() {
    let mut place = Place::with(LAZY);
    let table = place.table("orders", Retention::Forever);
    let first = place.put(&table, "a", "1");
    place.tidy();
    let second = place.put(&table, "a", "2");
    place.tidy();
    drop(table);
    let bucket = place.path("bucket");
    let listed = place.database.manifest();
    // Left over by an upload that was never published, of another kind altogether, and half done.
    let parsed = names::parse_history(&listed.files[0].name).expect("it is one of ours");
    let unique = foldback::log_tier::WriterId::random();
    let orphan = names::history(names::HistoryName { unique, ..parsed });
    let strangers = ["history/notes.txt", "history/delta", "photographs/cat.png"];
    for name in strangers.iter().copied().chain([orphan.as_str()]) {
        let path = bucket.join(name);
        std::fs::create_dir_all(path.parent().expect("below")).expect("it can be made");
        std::fs::write(path, b"not of this world").expect("it can be written");
    }
    for _ in 0..2 {
        let reader = place.reader();
        for (commit, value) in [(first, "1"), (second, "2")] {
            let target = Target::Seq(commit.seq);
            place.check("orders", target, &[("a", value)]);
            let rows = read(&reader, "orders", target).expect("it is sealed");
            assert_eq!(rows, state(&[("a", value)]));
        }
        place = place.reopened_with(HASTY);
        place.clock.advance(10 * SECOND);
        let table = place.database.table("orders").expect("it is live");
        table.put("b", "1").wait().expect("it commits");
        table.delete("b").wait().expect("it commits");
        place.tidy();
        place.tidy();
    }
    assert!(!bucket.join(&orphan).exists(), "an orphan goes");
    for stranger in strangers {
        assert!(bucket.join(stranger).exists(), "{stranger} is not ours to delete");
    }
}

/// Reads every one of these states from the bucket alone, by a reader that remembers nothing.
fn open_and_read(place: &Place, expected: &[(Commit, State)]) -> Result<(), Error> {
    let url = format!("file://{}", place.path("bucket").display());
    let options = foldback::log_tier::remote::RemoteOptions::default();
    let clock = Arc::clone(&place.clock) as Arc<dyn Clock>;
    let reader = BucketReader::open(&url, &options, clock)?;
    for (commit, state) in expected {
        assert_eq!(read(&reader, "orders", Target::Seq(commit.seq))?, *state, "{commit:?}");
    }
    Ok(())
}

/// Every byte of history is held to a checksum: a reader says which file is damaged, or does not
/// need the byte, and never gives other rows.
#[test]
fn case_25_damage_is_never_read() {
    let place = Place::with(LAZY);
    let table = place.table("orders", Retention::Forever);
    let mut expected = Vec::new();
    for round in 0..3 {
        for key in 0..20 {
            place.put(&table, &format!("key/{key}"), &format!("{round}.{key}").repeat(9));
        }
        let last = place.put(&table, "round", &round.to_string());
        place.tidy();
        expected.push((last, place.rows("orders", Target::Seq(last.seq)).expect("it is there")));
    }
    let (mut refused, mut unharmed) = (0, 0);
    for file in &place.database.manifest().files {
        let path = place.path("bucket").join(&file.name);
        let sound = std::fs::read(&path).expect("it is there");
        for at in (0..sound.len()).step_by(sound.len() / 23) {
            let mut bytes = sound.clone();
            bytes[at] ^= 0x10;
            std::fs::write(&path, bytes).expect("it can be written");
            match open_and_read(&place, &expected) {
                Ok(()) => unharmed += 1,
                Err(Error::Tier(TierError::Corrupt { file: named, .. })) => {
                    assert!(named.contains(&file.name), "{named} at {at} of {}", file.name);
                    refused += 1;
                }
                Err(other) => panic!("{other}"),
            }
        }
        std::fs::write(&path, sound).expect("it can be mended");
    }
    open_and_read(&place, &expected).expect("all is sound again");
    assert!(refused > 2 * unharmed, "{refused} refused, {unharmed} unharmed");
}
