//! Backups that are built on the one before, and hold only what happened since.

use std::sync::Arc;

use foldback::log_tier::history::FileKind;
use foldback::{Clock, ManualClock, Timestamp};

use super::*;
use crate::support::copy_directory;

impl Place {
    /// Puts one row.
    fn put(&self, key: &str, value: &str) {
        let orders = self.database.table("orders").expect("it is live");
        orders.put(key.to_owned(), value.to_owned()).wait().expect("it commits");
    }

    fn delete(&self, key: &str) {
        let orders = self.database.table("orders").expect("it is live");
        orders.delete(key.to_owned()).wait().expect("it commits");
    }

    fn state(&self) -> State {
        rows(&self.database, "orders")
    }

    fn tend(&self) {
        self.database.seal().expect("the bucket takes it");
        self.database.compact().expect("the bucket takes it");
    }
}

fn previous(backup: &DetachedBackup) -> Option<&str> {
    backup.previous.as_ref().map(|previous| previous.name.as_str())
}

#[test]
fn an_increment_reads_and_writes_what_has_changed() {
    let place = Place::new();
    let bucket = place.bucket("safe");
    place.tend();
    let traffic = |place: &Place| place.database.traffic().bytes_read;
    let before = traffic(&place);
    let whole = place.detach(&bucket, "whole").expect("the bucket takes it");
    let whole_read = traffic(&place) - before;
    assert_eq!((previous(&whole), whole.written_bytes), (None, Some(whole.bytes)));

    place.put("key/000007", "changed");
    place.delete("key/000008");
    place.put("key/a new one", "new");
    place.put("key/gone again", "for a moment");
    place.database.seal().expect("the bucket takes it");
    place.delete("key/gone again");
    let (before, written_before) = (traffic(&place), bucket.traffic().bytes_written);
    let next = place.detach(&bucket, "next").expect("the bucket takes it");
    let read_bytes = traffic(&place) - before;
    assert!(read_bytes * 10 < whole_read, "{read_bytes} of {whole_read} bytes were read");
    let written = bucket.traffic().bytes_written - written_before;
    let of_files = next.written_bytes.expect("it says so");
    assert!(of_files * 10 < whole.bytes, "{of_files} of {} bytes were written", whole.bytes);
    let lists = 3 * std::fs::metadata(place.path("safe/backups/next.json")).expect("it is").len();
    assert!(of_files < written && written < of_files + lists, "{written}, {of_files}");

    assert_eq!(previous(&next), Some("whole"));
    assert_eq!(next.files[..whole.files.len()], whole.files);
    let [delta] = &next.files[whole.files.len()..] else { panic!("{:?}", next.files) };
    assert_eq!((delta.kind, delta.rows, delta.bytes), (FileKind::Delta, 4, of_files));
    assert_eq!((delta.first.seq, delta.last), (whole.target.seq.next(), next.target));
    let expected = place.state();
    assert_eq!(read(&bucket, "next"), expected);

    // What others list stays, and what is left restores with nothing else.
    assert_eq!(bucket.delete("whole").expect("it is there").files, 0);
    assert_eq!(read(&bucket, "next"), expected);
    let Place { scratch, database } = place;
    drop(database);
    for gone in ["db", "db.bucket"] {
        std::fs::remove_dir_all(scratch.path().join(gone)).expect("it is there");
    }
    let elsewhere = open(&scratch, "other", "other.bucket").expect("it opens");
    let backup = bucket.backup("next").expect("it is there");
    let plan = backup.plan(&Selection::all()).expect("it is whole");
    restore(&elsewhere, &backup, &plan, "back").expect("the name is free");
    assert_eq!(rows(&elsewhere, "back"), expected);
    let some = Selection::ranges([KeyRange::prefix(b"key/00000")]);
    let plan = backup.plan(&some).expect("it is whole");
    let part = collect(backup.plan_rows(&plan).expect("it starts"));
    let within = |key: &[u8]| key.starts_with(b"key/00000");
    let expected: State = expected.into_iter().filter(|(key, _)| within(key)).collect();
    assert_eq!(part, expected);
    assert!(bucket.delete("next").expect("it is there").files > whole.files.len());
    assert_eq!(files(&scratch.path().join("safe"), "history"), Vec::<PathBuf>::new());
}

/// Commits of other tables count as commits, and change nothing.
#[test]
fn an_increment_of_nothing_writes_its_list_alone() {
    let place = Place::new();
    let bucket = place.bucket("safe");
    let first = place.detach(&bucket, "first").expect("the bucket takes it");
    let same = place.detach(&bucket, "same").expect("the bucket takes it");
    assert_eq!((previous(&same), same.written_bytes), (Some("first"), Some(0)));
    place.database.create_table("other").expect("the name is free");
    let empty = place.detach(&bucket, "empty").expect("the bucket takes it");
    assert!(first.target < empty.target);
    assert_eq!((&empty.files, empty.written_bytes), (&first.files, Some(0)));
    assert_eq!(read(&bucket, "empty"), place.state());

    // What comes after it goes on where the files end.
    place.put("key/000001", "changed");
    let next = place.detach(&bucket, "next").expect("the bucket takes it");
    let delta = next.files.last().expect("there are some");
    assert_eq!(delta.first.seq, first.target.seq.next());
    assert_eq!(previous(&next), Some("empty"));
    assert_eq!(read(&bucket, "next"), place.state());
}

#[test]
fn a_state_that_changed_as_a_whole_is_copied_whole() {
    let place = Place::new();
    let bucket = place.bucket("safe");
    let first = place.detach(&bucket, "first").expect("the bucket takes it");
    let mut names = Vec::new();
    for round in 0..3_u32 {
        let orders = place.database.table("orders").expect("it is live");
        let mut batch = WriteBatch::new();
        for at in 0..4_000_u32 {
            let value = format!("{:032x}", u128::from(at + round) * 0x9e37_79b9_7f4a_7c15_f39c);
            batch.put(orders.id(), format!("key/{:06}", 1_000 + at), value);
        }
        place.database.write(batch, WriteOptions::default()).wait().expect("it commits");
        let made = place.detach(&bucket, &format!("{round}")).expect("the bucket takes it");
        names.push(previous(&made).map(str::to_owned));
        assert!(made.bytes <= 2 * first.bytes, "{} of {}", made.bytes, first.bytes);
        assert!(made.bytes_of(FileKind::Delta) <= made.bytes_of(FileKind::Base));
        assert_eq!(read(&bucket, &made.name), place.state());
    }
    assert!(names.contains(&None), "{names:?}");
    assert_eq!(names[0].as_deref(), Some("first"));
    let several = bucket.backup("0").expect("it is there");
    let deltas = several.backup().files.iter().filter(|file| file.kind == FileKind::Delta).count();
    assert!(deltas > 1, "large deltas are cut by key");
    // No file is there that no list names.
    let lists = bucket.backups().expect("they are sound");
    let mut listed: Vec<_> = lists.iter().flat_map(|backup| &backup.files).collect();
    listed.sort_by_key(|file| &file.name);
    listed.dedup_by_key(|file| &file.name);
    assert_eq!(files(&place.path("safe"), "history").len(), listed.len());
}

#[test]
fn nothing_is_built_on_what_history_does_not_lead_on_from() {
    let place = Place::new();
    let bucket = place.bucket("safe");
    let first = place.detach(&bucket, "first").expect("the bucket takes it");
    // While the table was not protected, nobody noted what happened to it.
    place.put("key/000001", "before");
    place.begin_anew();
    let anew = place.detach(&bucket, "anew").expect("the bucket takes it");
    assert_eq!(previous(&anew), None);

    // An earlier state is built on no later one, and the newest below is taken.
    place.put("key/000002", "later");
    let later = place.detach(&bucket, "later").expect("the bucket takes it");
    assert_eq!(previous(&later), Some("anew"));
    let plan = place.database.plan("orders", Target::Seq(anew.target.seq), &Selection::all());
    let plan = plan.expect("it is kept");
    let on = &mut |_| ControlFlow::Continue(());
    let again = place.database.detach_backup(&plan, (&bucket, "again"), None, on);
    assert_eq!(previous(&again.expect("the bucket takes it")), Some("anew"));

    // A backup that has lost a file, or a part of one, is left alone.
    place.put("key/000003", "even later");
    let gone = place.path("safe").join(&later.files.last().expect("there are some").name);
    let bytes = std::fs::read(&gone).expect("it is there");
    std::fs::write(&gone, &bytes[1..]).expect("it can be written");
    let whole = place.detach(&bucket, "whole").expect("the bucket takes it");
    assert_eq!(previous(&whole), None);
    assert_eq!(read(&bucket, "whole"), place.state());
    assert_ne!(read(&bucket, "first"), read(&bucket, "anew"));
    assert_eq!(read(&bucket, "first").len(), 10_000, "{}", first.rows);
}

/// A machine is lost with commits that the bucket has not seen, and others are made with their
/// numbers: what was copied of the lost ones is of another history.
#[test]
fn nothing_is_built_on_commits_that_were_lost() {
    let place = Place::new();
    let bucket = place.bucket("safe");
    place.tend();
    // Closing the database seals what it has: the bucket as it is now is what is left later.
    let (there, left) = (place.path("db.bucket"), place.path("left"));
    copy_directory(&there, &left);
    place.put("key/000001", "lost");
    let lost = place.detach(&bucket, "lost").expect("the local log has it");
    let Place { scratch, database } = place;
    drop(database);
    std::fs::remove_dir_all(scratch.path().join("db")).expect("it is there");
    std::fs::remove_dir_all(&there).expect("it is there");
    std::fs::rename(&left, &there).expect("it was copied");
    let config = Config::new(scratch.path().join("db")).bucket(url(&there));
    let database = Database::recover(config).expect("the bucket holds it").database;
    let place = Place { scratch, database };
    for number in 0..5 {
        place.put("key/000002", &format!("{number}"));
    }
    let next = place.detach(&bucket, "next").expect("the bucket takes it");
    assert!(lost.target.seq < next.target.seq);
    assert_eq!(previous(&next), None);
    assert_eq!(read(&bucket, "next"), place.state());
    assert_eq!(read(&bucket, "lost")[b"key/000001".as_slice()], b"lost");
}

#[test]
fn an_increment_that_is_cancelled_leaves_the_one_before() {
    let place = Place::new();
    let bucket = place.bucket("safe");
    place.detach(&bucket, "first").expect("the bucket takes it");
    let held = files(&place.path("safe"), "history");
    place.put("key/000001", "changed");
    let plan = place.database.plan("orders", Target::Latest, &Selection::all()).expect("it is");
    let mut reports = 0;
    let watch = &mut |_| {
        reports += 1;
        // The last report comes when every event was written.
        if reports == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let cancelled = place.database.detach_backup(&plan, (&bucket, "next"), None, watch);
    assert!(matches!(cancelled, Err(Error::Cancelled)), "{cancelled:?}");
    assert_eq!(files(&place.path("safe"), "history"), held);
    assert_eq!(files(&place.path("safe"), "lease"), Vec::<PathBuf>::new());
    assert_eq!(read(&bucket, "first").len(), 10_000);
    place.detach(&bucket, "next").expect("the name is free");
}

/// A floor that has risen past the one before: events below it may have been left out.
#[test]
fn nothing_is_built_on_a_state_below_the_floor() {
    let scratch = fast_directory();
    let clock = Arc::new(ManualClock::new(Timestamp(1_700_000_000_000_000)));
    let mut config = Config::new(scratch.path().join("db"));
    config = config.bucket(url(&scratch.path().join("db.bucket")));
    config.clock = Arc::clone(&clock) as Arc<dyn Clock>;
    config.policy =
        Policy { fold_ratio: 0.1, fold_bytes_min: 1, merge_fanout: 2, ..Policy::default() };
    let database = Database::open(config).expect("it opens");
    database.create_table("orders").expect("the name is free");
    database.protect("orders", Retention::Secs(60)).expect("it is not protected");
    let place = Place { scratch, database };
    let bucket = place.bucket("safe");
    for number in 0..500 {
        place.put(&format!("key/{number:06}"), &format!("{number:032x}"));
    }
    place.detach(&bucket, "old").expect("the bucket takes it");
    place.put("key/000001", "a moment later");
    let soon = place.detach(&bucket, "soon").expect("the bucket takes it");
    assert_eq!(previous(&soon), Some("old"));
    for number in 0..12 {
        place.put(&format!("key/{number:06}"), "later");
        place.tend();
        clock.advance(20_000_000);
    }
    let floors = place.database.manifest().floors.clone();
    assert!(floors.iter().any(|floor| floor.earliest.seq > soon.target.seq), "{floors:?}");
    let late = place.detach(&bucket, "late").expect("the bucket takes it");
    assert_eq!(previous(&late), None);
    assert_eq!(read(&bucket, "late"), place.state());
}
