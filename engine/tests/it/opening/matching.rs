//! Directory, bucket and process: which of them belong together.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use foldback::log_tier::fs::{Fs, OsFs};
use foldback::log_tier::{Error as TierError, names};
use foldback::{
    Config, Database, Error, Selection, Seq, Target, WriteBatch, WriteOptions, steady_now,
};

use super::{Place, both, tree_of, write, written};
use crate::support::{copy_directory, planned_rows, rows};

/// Names the directory that a second process opens.
const HOLD: &str = "FOLDBACK_TEST_HOLD_DIRECTORY";
/// What the second process says once it has it open.
const OPEN: &str = "it is open";

#[test]
fn a_directory_that_this_process_has_open_is_locked() {
    let place = Place::new();
    let database = place.filled();
    let Err(Error::Tier(TierError::Locked { path, pid })) = place.open() else {
        panic!("a second opening is refused")
    };
    assert_eq!((path, pid), (place.path("data"), std::process::id().to_string()));
    drop(database);
    place.open().expect("the lock went with the database");
}

/// Not a test by itself: the process that holds a directory.
#[test]
fn holder_process() {
    let Ok(directory) = std::env::var(HOLD) else { return };
    let _database = Database::open(Config::new(directory)).expect("it opens");
    println!("{OPEN}");
    // The pipe ends when the parent closes it.
    let _ = std::io::stdin().read_line(&mut String::new());
}

#[test]
fn a_directory_that_another_process_has_open_is_locked_and_names_it() {
    let place = Place::new();
    let directory = place.path("data");
    let mut holder = Command::new(std::env::current_exe().expect("this test has a file"))
        .args(["--exact", "opening::matching::holder_process", "--nocapture"])
        .env(HOLD, &directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut said = BufReader::new(holder.stdout.take().expect("it is piped")).lines();
    let opened = said.by_ref().map_while(Result::ok).any(|line| line.contains(OPEN));
    assert!(opened, "the other process has it open");
    let Err(Error::Tier(TierError::Locked { path, pid })) = Database::open(Config::new(&directory))
    else {
        panic!("it is locked")
    };
    assert_eq!((path, pid), (directory.clone(), holder.id().to_string()));
    holder.stdin.take().expect("it is piped").write_all(b"end\n").expect("it listens");
    let left_to_say = said.count();
    assert!(holder.wait().expect("it ends").success(), "after {left_to_say} lines more");
    Database::open(Config::new(&directory)).expect("the lock went with the process");
}

#[test]
fn a_lock_is_free_at_once_while_other_processes_are_spawned() {
    // A process that was being spawned when a database was closed kept its directory locked until
    // it ran its own program, so that opening it again failed now and then.
    let place = Place::new();
    let lock = place.path("lock");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let spawned = Command::new("true").current_dir("/").status();
                assert!(spawned.expect("it runs").success());
            }
        });
        let held: Vec<_> = (0..2_000).map(|_| OsFs.lock(&lock).map(drop)).collect();
        stop.store(true, Ordering::Relaxed);
        let refused = held.iter().filter(|held| held.is_err()).count();
        assert_eq!(refused, 0, "a lock that nobody holds was refused");
    });
}

#[test]
fn a_bucket_of_another_database_is_refused() {
    let place = Place::new();
    let ours = place.filled().id();
    let mut other = Config::new(place.path("other"));
    let theirs = Database::open(other.clone()).expect("it opens").id();
    other.bucket = place.config().bucket;
    let Err(Error::ForeignBucket { ours: found, theirs: holder, .. }) = Database::open(other)
    else {
        panic!("it is refused")
    };
    assert_eq!((found, holder), (theirs, ours));
}

#[test]
fn an_empty_directory_never_starts_afresh_on_a_bucket_with_history() {
    let place = Place::new();
    let database = place.filled();
    let (id, sealed) = (database.id(), database.status().sealed.seq);
    drop(database);
    let Err(Error::BucketHoldsHistory { theirs, sealed: found, .. }) =
        Database::open(place.config_in("empty"))
    else {
        panic!("it is refused")
    };
    assert_eq!((theirs, found), (id, sealed));
    let again = Database::open(place.config_in("empty"));
    assert!(matches!(again, Err(Error::BucketHoldsHistory { .. })), "nothing was changed");
    place.open().expect("the database itself opens");
}

#[test]
fn an_emptied_bucket_is_refused() {
    let place = Place::new();
    drop(place.filled());
    let bucket = place.path("bucket");
    std::fs::rename(&bucket, place.path("elsewhere")).expect("it can be moved");
    let opened = place.open();
    assert!(matches!(&opened, Err(Error::Lost(why)) if why.contains("no history")), "{opened:?}");
    assert!(!bucket.exists(), "nothing was changed");
    std::fs::create_dir(&bucket).expect("it can be made");
    let opened = place.open();
    assert!(matches!(&opened, Err(Error::Lost(why)) if why.contains("no history")), "{opened:?}");
    std::fs::remove_dir_all(&bucket).expect("it can be removed");
    std::fs::rename(place.path("elsewhere"), &bucket).expect("it can be moved back");
    let database = place.open().expect("nothing was changed");
    assert_eq!(both(&database), (written(0..60), written(0..60)));
}

#[test]
fn an_emptied_log_directory_is_refused() {
    let place = Place::new();
    drop(place.filled());
    let log = place.path("data").join(names::LOG_DIRECTORY);
    std::fs::rename(&log, place.path("log")).expect("it can be moved");
    let opened = place.open();
    assert!(matches!(&opened, Err(Error::Lost(why)) if why.contains("recover")), "{opened:?}");
    let again = place.open();
    assert!(
        matches!(again, Err(Error::Lost(_))),
        "the first refusal left no log behind: {again:?}"
    );
    std::fs::remove_dir_all(&log).expect("it is empty");
    std::fs::rename(place.path("log"), &log).expect("it can be moved back");
    let database = place.open().expect("nothing was changed");
    assert_eq!(both(&database), (written(0..60), written(0..60)));
}

#[test]
fn a_directory_older_than_its_bucket_is_refused() {
    let place = Place::new();
    drop(place.filled());
    copy_directory(&place.path("data"), &place.path("older"));
    let database = place.open().expect("it opens");
    write(&database, 60..70);
    database.seal().expect("the bucket takes it");
    drop(database);
    let opened = Database::open(place.config_in("older"));
    assert!(matches!(&opened, Err(Error::Lost(why)) if why.contains("recover")), "{opened:?}");
    place.open().expect("the newer directory opens");
}

#[test]
fn a_lost_present_is_folded_again_where_there_is_history() {
    let place = Place::new();
    let database = place.filled();
    let tree = tree_of(&place, &database, "kept");
    drop(database);
    std::fs::remove_dir_all(tree).expect("it is there");
    let database = place.open().expect("it is mended");
    assert_eq!(database.opening().rebuilt_tables, ["kept"]);
    assert_eq!(both(&database), (written(0..60), written(0..60)));
    drop(database);
    let database = place.open().expect("it opens");
    assert!(database.opening().rebuilt_tables.is_empty(), "{:?}", database.opening());
}

#[test]
fn a_lost_catalog_is_folded_again() {
    let place = Place::new();
    drop(place.filled());
    let present = place.path("data").join(names::PRESENT_DIRECTORY);
    std::fs::remove_dir_all(present.join("0")).expect("it is there");
    let database = place.open().expect("it is mended");
    assert_eq!(database.opening().rebuilt_tables.len(), 1, "{:?}", database.opening());
    assert_eq!(both(&database), (written(0..60), written(0..60)));
}

#[test]
fn a_lost_present_without_history_is_refused() {
    let place = Place::new();
    let database = place.filled();
    let tree = tree_of(&place, &database, "local");
    drop(database);
    std::fs::rename(&tree, place.path("tree")).expect("it can be moved");
    let opened = place.open();
    let names_it = |why: &str| why.contains("\"local\"") && why.contains("not protected");
    assert!(matches!(&opened, Err(Error::Lost(why)) if names_it(why)), "{opened:?}");
    std::fs::rename(place.path("tree"), &tree).expect("it can be moved back");
    let database = place.open().expect("nothing was changed");
    assert_eq!(both(&database), (written(0..60), written(0..60)));
}

#[test]
fn a_bucket_that_is_no_url_or_of_an_unknown_kind_is_refused() {
    let place = Place::new();
    for url in ["ftp://host/bucket", "bucket", "s3://", "file://relative/path", "memory://name/x"] {
        let opened = Database::open(Config::new(place.path("data")).bucket(url));
        let quotes_it = |why: &String| why.contains(url);
        let refused =
            matches!(&opened, Err(Error::Tier(TierError::Unsupported(why))) if quotes_it(why));
        assert!(refused, "{url}: {opened:?}");
    }
    Database::open(Config::new(place.path("data"))).expect("nothing was changed");
}

#[test]
fn a_bucket_out_of_reach_is_an_error_in_bounded_time() {
    let place = Place::new();
    // A port that was free a moment ago, where nothing listens.
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let port = listener.local_addr().expect("it is bound").port();
    drop(listener);
    let mut config = Config::new(place.path("data")).bucket("s3://nowhere/prefix");
    config.remote.retry_timeout = Duration::from_secs(1);
    for (name, value) in [
        ("aws_endpoint", format!("http://127.0.0.1:{port}")),
        ("aws_allow_http", "true".to_owned()),
        ("aws_region", "us-east-1".to_owned()),
        ("aws_access_key_id", "key".to_owned()),
        ("aws_secret_access_key", "secret".to_owned()),
    ] {
        config.remote.store_options.insert(name.to_owned(), value);
    }
    let started = steady_now();
    let opened = Database::open(config);
    assert!(matches!(opened, Err(Error::Tier(TierError::Store { .. }))), "{opened:?}");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    Database::open(Config::new(place.path("data"))).expect("nothing was changed");
}

/// A machine that was thought to be lost comes back after its database was recovered elsewhere: it
/// must not go on, or the two would splice their commits into one history.
#[test]
fn a_directory_that_was_recovered_elsewhere_is_refused() {
    let place = Place::new();
    drop(place.filled());
    let recovered = Database::recover(place.config_in("elsewhere")).expect("it is in the bucket");
    write_kept(&recovered.database, 70..75);
    let before = place.files("data");
    let opened = place.open();
    assert!(
        matches!(&opened, Err(Error::Lost(why)) if why.contains("went on there")),
        "{opened:?}"
    );
    assert_eq!(place.files("data"), before, "nothing was changed");
    drop(recovered);
    let again = Database::open(place.config_in("elsewhere")).expect("the copy goes on");
    again.seal().expect("it holds the newest epoch");
}

#[test]
fn a_stalled_writer_is_fenced_when_it_publishes() {
    let place = Place::new();
    let stalled = place.filled();
    let before = stalled.resolve("kept", Target::Latest).expect("it is restorable");
    copy_directory(&place.path("data"), &place.path("copy"));
    let successor = Database::open(place.config_in("copy")).expect("a copy has a lock of its own");
    assert!(stalled.status().epoch < successor.status().epoch);
    write(&stalled, 60..62);
    let sealed = stalled.seal();
    // Whoever comes second hears why the first could not publish: the seal, or the compactor that
    // was told of the sealed segment.
    let is_fenced = match &sealed {
        Err(Error::Tier(TierError::Fenced { .. })) => true,
        Err(Error::Halted { reason }) => reason.contains("must stop publishing"),
        _ => false,
    };
    assert!(is_fenced, "{sealed:?}");
    let mut batch = WriteBatch::new();
    batch.put(stalled.table("kept").expect("it is live").id(), "key", "value");
    let written_after = stalled.write(batch, WriteOptions::default()).wait();
    assert!(matches!(written_after, Err(Error::Halted { .. })), "{written_after:?}");
    let created = stalled.create_table("more");
    assert!(matches!(created, Err(Error::Halted { .. })), "{created:?}");
    assert!(stalled.status().halted.is_some());
    assert_eq!(both(&stalled), (written(0..62), written(0..62)), "reads go on");
    let plan = stalled.plan("kept", Target::Seq(before.commit.seq), &Selection::all());
    assert_eq!(planned_rows(&stalled, &plan.expect("reads go on")), written(0..60));
    write(&successor, 80..83);
    let sealed = successor.seal().expect("it holds the newest epoch");
    assert!(sealed.seq > Seq::ZERO);
    let expected: crate::support::State =
        written(0..60).into_iter().chain(written(80..83)).collect();
    assert_eq!(rows(&successor, "kept"), expected);
}

/// Writes to the table that a recovery brings back.
fn write_kept(database: &Database, numbers: std::ops::Range<u32>) {
    let kept = database.table("kept").expect("it is live");
    for number in numbers {
        kept.put(format!("key/{number}"), "later").wait().expect("it commits");
    }
}
