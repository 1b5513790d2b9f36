//! Every pair of a directory and a bucket, and what comes of it.

use foldback_log_tier::fs::OsFs;
use foldback_log_tier::ids::RandomId;
use foldback_log_tier::{Commit, Seq, Timestamp, WriterId};

use super::*;

const URL: &str = "memory:///here";

/// Who published the newest manifest.
const WRITER: WriterId = RandomId([7; 8]);

/// The identity of a directory that published as [`WRITER`] last.
fn identity(id: DatabaseId, state: DirectoryState) -> Identity {
    Identity::new(id, Some(URL.to_owned()), state).about_to_publish(None, WRITER)
}

fn history_of(id: DatabaseId) -> Manifest {
    let sealed = Commit { seq: Seq(9), timestamp: Timestamp(90) };
    Manifest { number: 1, epoch: 1, writer: WRITER, sealed, ..Manifest::empty(id) }
}

fn matched(recorded: Option<Identity>, newest: Option<&Manifest>) -> Result<Identity> {
    let config = Config::new("/data").bucket("memory:///moved");
    let url = URL.parse().expect("it is a URL");
    match_bucket(&config, &url, recorded, newest)
}

#[test]
fn nothing_on_nothing_is_a_new_database() {
    let (first, second) = (matched(None, None), matched(None, None));
    let (first, second) = (first.expect("it is new"), second.expect("it is new"));
    assert_eq!(first.state, DirectoryState::Creating);
    assert_eq!(first.bucket.as_deref(), Some("memory:///moved"));
    assert_ne!(first.database, second.database);
}

#[test]
fn a_directory_and_its_bucket_belong_together() {
    let id = DatabaseId::random();
    for state in [DirectoryState::Ready, DirectoryState::Creating] {
        let matched = matched(Some(identity(id, state)), Some(&history_of(id)));
        let matched = matched.expect("they are of one database");
        // The bucket may have moved: what is configured now is what is recorded next.
        assert_eq!((matched.database, matched.state), (id, state));
        assert_eq!(matched.bucket.as_deref(), Some("memory:///moved"));
    }
}

#[test]
fn a_bucket_with_history_is_not_for_an_empty_directory() {
    let id = DatabaseId::random();
    let refused = matched(None, Some(&history_of(id)));
    let Err(Error::BucketHoldsHistory { bucket, directory, theirs, sealed }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!((bucket.as_str(), directory.as_str()), (URL, "/data"));
    assert_eq!((theirs, sealed), (id, Seq(9)));
}

#[test]
fn two_databases_are_not_mixed() {
    let (ours, theirs) = (DatabaseId::random(), DatabaseId::random());
    for state in [DirectoryState::Ready, DirectoryState::Creating] {
        let refused = matched(Some(identity(ours, state)), Some(&history_of(theirs)));
        let Err(Error::ForeignBucket { ours: left, theirs: right, .. }) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!((left, right), (ours, theirs));
    }
}

#[test]
fn a_ready_directory_needs_the_history_that_it_had() {
    let id = DatabaseId::random();
    let refused = matched(Some(identity(id, DirectoryState::Ready)), None);
    assert!(matches!(&refused, Err(Error::Lost(why)) if why.contains(URL)), "{refused:?}");
    // One whose making was cut short had published nothing yet.
    let creating = matched(Some(identity(id, DirectoryState::Creating)), None);
    assert_eq!(creating.expect("it begins again").database, id);
}

#[test]
fn a_database_that_went_on_elsewhere_is_refused() {
    let id = DatabaseId::random();
    let went_on = Manifest { writer: RandomId([8; 8]), ..history_of(id) };
    let left_behind = identity(id, DirectoryState::Ready);
    let refused = matched(Some(left_behind.clone()), Some(&went_on));
    assert!(matches!(&refused, Err(Error::Lost(why)) if why.contains("went on")), "{refused:?}");
    // Before it publishes, a directory says as whom, on top of whom: it may end before or after.
    let about_to = left_behind.about_to_publish(Some(WRITER), went_on.writer);
    for newest in [history_of(id), went_on] {
        matched(Some(about_to.clone()), Some(&newest)).expect("it is this directory's own");
    }
}

#[test]
fn an_unfinished_recovery_is_not_opened() {
    let id = DatabaseId::random();
    for newest in [None, Some(history_of(id))] {
        let refused = matched(Some(identity(id, DirectoryState::Recovering)), newest.as_ref());
        assert!(
            matches!(&refused, Err(Error::Lost(why)) if why.contains("recover")),
            "{refused:?}"
        );
    }
}

#[test]
fn the_bucket_is_the_configured_the_recorded_or_the_one_inside() {
    let recorded = identity(DatabaseId::random(), DirectoryState::Ready);
    let inside = Identity { bucket: None, ..recorded.clone() };
    let (plain, set) = (Config::new("/data"), Config::new("/data").bucket("memory:///set"));
    for (config, recorded, expected) in [
        (&set, Some(&recorded), "memory:///set"),
        (&plain, Some(&recorded), URL),
        (&plain, Some(&inside), "file:///data/bucket"),
        (&plain, None, "file:///data/bucket"),
    ] {
        let url = bucket_url(config, recorded).expect("it is a URL");
        assert_eq!(url.to_string(), expected);
    }
}

#[test]
fn a_directory_is_locked_by_one_at_a_time() {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let config = Config::new(scratch.path().join("deep").join("data"));
    let held = lock_directory(&OsFs, &config).expect("it is free");
    let again = lock_directory(&OsFs, &config);
    assert!(matches!(again, Err(Error::Tier(foldback_log_tier::Error::Locked { .. }))));
    drop(held);
    lock_directory(&OsFs, &config).expect("it is free again");
}
