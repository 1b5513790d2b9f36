//! Damaged files: each is an error that names the file, and nothing is skipped.

use std::path::{Path, PathBuf};

use foldback::log_tier::{Error as TierError, names};
use foldback::{Database, Error, Selection, Target};

use super::{Place, both, flip, write, written};

/// The result must say that this file is damaged.
fn check_corrupt<T: std::fmt::Debug>(result: Result<T, Error>, file: &Path) {
    let Err(Error::Tier(TierError::Corrupt { file: named, .. })) = result else {
        panic!("damage of {} gives {result:?}", file.display());
    };
    let name = file.file_name().expect("it has one").to_str().expect("it is text");
    assert!(named.contains(name), "{named} is not {name}");
}

/// The segments of a database, the active one last.
fn segments(place: &Place) -> Vec<PathBuf> {
    place.files(&format!("data/{}", names::LOG_DIRECTORY))
}

#[test]
fn a_damaged_sealed_segment_is_not_skipped() {
    let place = Place::new();
    let database = place.filled();
    let tip = database.status().tip;
    drop(database);
    let sealed = segments(&place);
    let [damaged, _active] = &sealed[..] else { panic!("two segments: {sealed:?}") };
    let length = std::fs::metadata(damaged).expect("it is there").len();
    let middle = usize::try_from(length / 2).expect("it is small");
    flip(damaged, middle);
    // The tables' trees had flushed nothing, so opening has to replay the segment.
    check_corrupt(place.open(), damaged);
    check_corrupt(place.open(), damaged);
    flip(damaged, middle);
    let database = place.open().expect("nothing was changed");
    assert_eq!(database.status().tip, tip);
    assert_eq!(both(&database), (written(0..60), written(0..60)));
}

#[test]
fn a_missing_segment_is_not_skipped() {
    let place = Place::new();
    let database = place.filled();
    for end in [61, 62] {
        database.seal().expect("the bucket takes it");
        write(&database, end - 1..end);
    }
    drop(database);
    let all = segments(&place);
    assert_eq!(all.len(), 4, "{all:?}");
    let hidden = place.path("hidden");
    for missing in &all[1..all.len() - 1] {
        std::fs::rename(missing, &hidden).expect("it can be moved");
        let opened = place.open();
        assert!(matches!(&opened, Err(Error::Tier(TierError::Corrupt { .. }))), "{opened:?}");
        std::fs::rename(&hidden, missing).expect("it can be moved back");
    }
    let database = place.open().expect("nothing was changed");
    assert_eq!(both(&database), (written(0..62), written(0..62)));
}

#[test]
fn a_torn_tail_is_cut_and_said() {
    let place = Place::new();
    let database = place.filled();
    let tip = database.status().tip;
    drop(database);
    let active = segments(&place).pop().expect("there is always one");
    let bytes = std::fs::read(&active).expect("it can be read");
    let used = bytes.iter().rposition(|byte| *byte != 0).expect("it has a header") + 1;
    // A write that was begun when the machine stopped.
    let mut torn = bytes.clone();
    torn.truncate(used + 64);
    torn.resize(used + 64, 0);
    torn[used + 1..].fill(0xab);
    std::fs::write(&active, torn).expect("it can be written");
    let database = place.open().expect("a torn tail is no damage");
    assert!(database.opening().torn_bytes > 0, "{:?}", database.opening());
    assert!(!database.opening().was_clean());
    assert_eq!(database.status().tip, tip);
    assert_eq!(both(&database), (written(0..60), written(0..60)));
}

#[test]
fn a_damaged_manifest_is_not_passed_over_for_an_older_one() {
    let place = Place::new();
    drop(place.filled());
    let newest = place.files("bucket/manifest").pop().expect("one was published");
    flip(&newest, 40);
    check_corrupt(place.open(), &newest);
    let recovered = Database::recover(place.config_in("recovered"));
    check_corrupt(recovered.map(|_| ()), &newest);
    flip(&newest, 40);
    let database = place.open().expect("nothing was changed");
    assert_eq!(both(&database), (written(0..60), written(0..60)));
}

/// Every byte that a restore reads of history is checked, wherever it lies.
#[test]
fn a_damaged_history_file_fails_the_restore_and_leaves_no_table() {
    let place = Place::new();
    drop(place.filled());
    let files = place.files("bucket/history");
    for file in &files {
        let length = usize::try_from(std::fs::metadata(file).expect("it is there").len());
        let length = length.expect("it is small");
        let mut failed = 0;
        for part in 0..8 {
            let at = length * part / 8 + 5;
            flip(file, at);
            // A database that is opened anew has no tail in memory.
            let database = place.open().expect("opening reads no history");
            let target = Target::Latest;
            let restored = database
                .plan("kept", target, &Selection::all())
                .and_then(|plan| database.restore(&plan, "restored"));
            match restored {
                // These bytes are of the catalog or the commit index, which this restore skips.
                Ok(_) => {
                    assert_eq!(crate::support::rows(&database, "restored"), written(0..60));
                    database.drop_table("restored").expect("it is there");
                }
                Err(error) => {
                    check_corrupt::<()>(Err(error), file);
                    failed += 1;
                    let table = database.table("restored");
                    assert!(matches!(table, Err(Error::TableNotFound { .. })), "{table:?}");
                }
            }
            flip(file, at);
        }
        assert!(failed > 0, "no damage in {} was noticed", file.display());
    }
    let database = place.open().expect("it opens");
    write(&database, 60..61);
}

#[test]
fn a_damaged_identity_is_an_error() {
    let place = Place::new();
    drop(place.filled());
    let identity = place.path("data").join(names::IDENTITY);
    flip(&identity, 3);
    check_corrupt(place.open(), &identity);
}

#[test]
fn a_missing_history_file_fails_the_restore_and_is_named() {
    let place = Place::new();
    drop(place.filled());
    let file = place.files("bucket/history").swap_remove(0);
    std::fs::remove_file(&file).expect("it is there");
    let database = place.open().expect("opening reads no history");
    let plan = database.plan("kept", Target::Latest, &Selection::all());
    let plan = plan.expect("the manifest tells what is read");
    let restored = database.restore(&plan, "back");
    let name = file.file_name().expect("it has one").to_str().expect("it is text");
    let Err(Error::Tier(TierError::Missing { object })) = restored else {
        panic!("{restored:?}");
    };
    assert!(object.ends_with(name), "{object} is not {name}");
}
