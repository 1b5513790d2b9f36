//! Schedules: backups that are made and deleted by themselves.

use std::sync::Arc;
use std::time::Duration;

use foldback::log_tier::remote::RemoteOptions;
use foldback::{
    BucketReader, Clock, Config, Database, Error, KeepRules, ManualClock, Policy, Retention,
    ScheduleRun, Selection, Target, Timestamp,
};
use tempfile::TempDir;

use crate::support::{fast_directory, planned_rows, rows};

/// A Thursday, at ten in the morning: 2026-01-01T10:00:00Z.
const START: i64 = 1_767_261_600_000_000;
const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

/// A database whose clock stands until it is moved, with a protected table.
struct Place {
    scratch: TempDir,
    clock: Arc<ManualClock>,
    database: Database,
}

impl Place {
    fn new() -> Self {
        let scratch = fast_directory();
        let clock = Arc::new(ManualClock::new(Timestamp(START)));
        let database = Database::open(config(&scratch, &clock)).expect("it opens");
        database.create_table("orders").expect("the name is free");
        database.protect("orders", Retention::Secs(3_600)).expect("it is not protected");
        Self { scratch, clock, database }
    }

    fn reopened(self) -> Self {
        let Self { scratch, clock, database } = self;
        drop(database);
        let database = Database::open(config(&scratch, &clock)).expect("it opens");
        Self { scratch, clock, database }
    }

    fn schedule(&self, name: &str, every_secs: u64, keep: KeepRules) {
        let made = self.database.create_schedule(name, "orders", every_secs, keep);
        made.unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    /// Runs the schedules, of which there is one.
    fn run(&self) -> ScheduleRun {
        let mut runs = self.database.run_schedules().expect("it writes");
        assert_eq!(runs.len(), 1);
        runs.remove(0)
    }

    /// Moves the clock on, changes the table, and runs the schedule.
    fn live(&self, micros: i64) -> ScheduleRun {
        self.clock.advance(micros);
        let now = self.clock.now();
        let table = self.database.table("orders").expect("it is live");
        table.put("now", now.0.to_string()).wait().expect("it commits");
        self.run()
    }

    fn names(&self) -> Vec<String> {
        self.database.backups().into_iter().map(|backup| backup.name).collect()
    }
}

fn config(scratch: &TempDir, clock: &Arc<ManualClock>) -> Config {
    let bucket = format!("file://{}", scratch.path().join("bucket").display());
    let mut config = Config::new(scratch.path().join("db")).bucket(bucket);
    config.clock = Arc::clone(clock) as Arc<dyn Clock>;
    let grace_micros = 1_000_000;
    let quick = Policy { fold_ratio: 0.1, fold_bytes_min: 1, merge_fanout: 2, ..Policy::default() };
    config.policy = Policy { grace_micros, ..quick };
    config
}

fn keep(all_days: u64, daily_days: u64, monthly_days: u64) -> KeepRules {
    let span = |days: u64| (days > 0).then_some(Retention::Secs(days * 86_400));
    KeepRules { all: span(all_days), daily: span(daily_days), monthly: span(monthly_days) }
}

/// Weeks go by, with the database closed and opened now and then: what is due is made once, the
/// rules let go what they do not keep, and what is kept restores exactly, long after its window.
#[test]
fn case_13_weeks_go_by_and_the_rules_keep_what_they_say() {
    let mut place = Place::new();
    place.schedule("often", 6 * 3_600, keep(2, 7, 365));
    let first = place.live(0);
    let made = first.made.expect("the first is due at once");
    assert_eq!((made.name.as_str(), first.trouble), ("often-20260101T100000Z", None));
    assert_eq!(made.reason.as_deref(), Some("schedule often"));
    assert_eq!(place.run(), ScheduleRun { made: None, ..empty_run("often") });
    for turn in 1..=4 * 40 {
        let run = place.live(6 * HOUR);
        assert!(run.made.is_some() && run.trouble.is_none(), "turn {turn}: {run:?}");
        if turn == 8 {
            // A floor rises to a base, so there has to be one that old: upkeep gets its time.
            place.database.compact().expect("the bucket takes it");
        }
        if turn % 37 == 0 {
            place = place.reopened();
            assert_eq!(place.run(), empty_run("often"));
        }
    }
    // It is 2026-02-10T10:00: two days, the first of the days before, and of each month.
    let names = place.names();
    let stamps: Vec<_> = names.iter().map(|name| &name["often-2026".len()..]).collect();
    let expected = [
        "0101T100000Z",
        "0201T040000Z",
        "0204T040000Z",
        "0205T040000Z",
        "0206T040000Z",
        "0207T040000Z",
        "0208T040000Z",
        "0208T100000Z",
        "0208T160000Z",
        "0208T220000Z",
        "0209T040000Z",
        "0209T100000Z",
        "0209T160000Z",
        "0209T220000Z",
        "0210T040000Z",
        "0210T100000Z",
    ];
    assert_eq!(stamps, expected);
    place.database.compact().expect("the bucket takes it");
    let gone = place.database.plan("orders", Target::Seq(made.target.seq), &Selection::all());
    assert!(gone.is_err(), "its window has passed: {gone:?}");
    let plan = place.database.plan_backup(&made.name, &Selection::all()).expect("it is kept");
    let value = START.to_string().into_bytes();
    assert_eq!(planned_rows(&place.database, &plan).into_values().collect::<Vec<_>>(), [value]);
}

fn empty_run(schedule: &str) -> ScheduleRun {
    ScheduleRun { schedule: schedule.to_owned(), made: None, deleted: Vec::new(), trouble: None }
}

/// A clock that goes back makes nothing due twice, and says so if that lasts; one that leaps makes
/// one backup, and deletes nothing until somebody says that it is right.
#[test]
fn no_clock_makes_twice_or_deletes_what_it_should_not() {
    let place = Place::new();
    place.schedule("often", 3_600, keep(2, 0, 0));
    for _ in 0..10 {
        assert!(place.live(HOUR).made.is_some());
    }
    let right = place.clock.now();
    place.clock.advance(-HOUR / 2);
    assert_eq!(place.run(), empty_run("often"));
    place.clock.advance(-DAY);
    let back = place.run();
    assert!(back.made.is_none() && back.deleted.is_empty(), "{back:?}");
    let told = place.database.status().trouble.expect("no backups are made");
    assert!(told.contains("schedule \"often\" makes no backups"), "{told}");

    place.clock.set(Timestamp(right.0 + 40_000 * DAY));
    let leapt = place.run();
    assert!(leapt.made.is_some() && leapt.trouble.is_none(), "{leapt:?}");
    assert_eq!(leapt.deleted, [""; 0]);
    assert_eq!(place.run(), empty_run("often"));
    let after = place.live(HOUR);
    assert!(after.made.is_some() && after.deleted.is_empty(), "{after:?}");
    assert!(place.database.status().horizon_held_by.is_some());
    place.database.confirm_clock().expect("the bucket takes it");
    assert_eq!(place.run().deleted.len(), 10);
    assert_eq!(place.names().len(), 2);
}

/// A table that is dropped or not protected any more is told of, and keeps no other schedule from
/// going on; what was made stays by the rules.
#[test]
fn what_hinders_one_schedule_is_told_and_hinders_no_other() {
    let place = Place::new();
    let other = place.database.create_table("other").expect("the name is free");
    let refused = place.database.create_schedule("rest", "other", 3_600, keep(1, 0, 0));
    let error = refused.expect_err("it is not protected").to_string();
    assert!(error.contains("`protect`"), "{error}");
    assert_eq!(place.database.schedules(), []);
    place.database.protect("other", Retention::Forever).expect("it is not protected");
    let made = place.database.create_schedule("rest", "other", 3_600, keep(1, 0, 0));
    made.expect("it is protected now");
    place.schedule("often", 3_600, keep(1, 0, 0));
    let made = place.database.run_schedules().expect("it writes");
    assert!(made.iter().all(|run| run.made.is_some()), "{made:?}");

    place.database.unprotect("other").expect("it is protected");
    place.clock.advance(HOUR);
    let runs = place.database.run_schedules().expect("it writes");
    let told = runs[0].trouble.as_deref().expect("it can't be made");
    assert!(runs[0].made.is_none() && told.contains("`protect other` lets it go on"), "{told}");
    assert!(runs[1].made.is_some() && runs[1].trouble.is_none(), "{runs:?}");
    drop(other);
    place.database.drop_table("other").expect("it is live");
    let place = place.reopened();
    let told = place.database.status().trouble.expect("it makes none");
    assert!(told.contains("`backup schedule delete rest` ends it"), "{told}");
    for _ in 0..30 {
        place.clock.advance(HOUR);
        place.database.run_schedules().expect("it writes");
    }
    let standings = place.database.schedules();
    // The newest stays, if it is the only one; the other schedule has those of a day.
    assert_eq!(standings.iter().map(|it| it.backups).collect::<Vec<_>>(), [1, 25]);
    assert_eq!(standings[0].hindrance.as_ref(), Some(&told));
    let url = format!("file://{}", place.scratch.path().join("bucket").display());
    let clock = Arc::clone(&place.clock) as Arc<dyn Clock>;
    let reader = BucketReader::open(&url, &RemoteOptions::default(), clock);
    let reader = reader.expect("it holds history");
    assert_eq!(reader.schedules().expect("it can be read"), standings);
    place.database.delete_schedule("rest").expect("it is there");
    assert_eq!(place.database.status().trouble, None);
}

/// What a deleted schedule has made stays, and is not taken for its own by one of the same name.
#[test]
fn backups_outlive_their_schedule() {
    let place = Place::new();
    place.schedule("often", 3_600, keep(1, 0, 0));
    place.live(HOUR);
    place.live(HOUR);
    let kept = place.names();
    place.database.delete_schedule("often").expect("it is there");
    assert_eq!(place.database.run_schedules().expect("it writes"), []);
    let again = place.database.delete_schedule("often");
    assert!(matches!(again, Err(Error::ScheduleNotFound { .. })), "{again:?}");
    place.clock.advance(2 * DAY);
    place.schedule("often", 3_600, keep(1, 0, 0));
    assert!(place.live(0).made.is_some());
    place.live(2 * DAY);
    let names = place.names();
    assert_eq!((names.len(), &names[..2]), (3, kept.as_slice()));
    place.database.delete_backup(&kept[0]).expect("it is there");
}

/// A bucket that is away is told; nothing is recorded meanwhile; the next run makes up for it.
#[test]
fn a_bucket_that_is_away_is_told_and_made_up_for() {
    let place = Place::new();
    place.schedule("often", 3_600, keep(1, 0, 0));
    let first = place.live(HOUR).made.expect("it is due");
    place.database.seal().expect("the bucket takes it");
    let (bucket, away) = (place.scratch.path().join("bucket"), place.scratch.path().join("away"));
    std::fs::rename(&bucket, &away).expect("it can be moved");
    std::fs::write(&bucket, "no directory").expect("it can be written");
    place.clock.advance(HOUR);
    let tip = place.database.status().tip;
    let failed = place.run();
    assert!(failed.made.is_none() && failed.trouble.is_some(), "{failed:?}");
    assert_eq!(place.database.status().tip, tip);
    std::fs::remove_file(&bucket).expect("it can be removed");
    std::fs::rename(&away, &bucket).expect("it can be moved back");
    let second = place.run().made.expect("it is still due");
    assert_eq!(place.names(), [first.name, second.name]);
}

/// An open database makes backups by itself, and its thread keeps nobody from closing it.
#[test]
fn an_open_database_makes_them_by_itself_and_closes_at_once() {
    let Place { scratch, clock, database } = Place::new();
    drop(database);
    let brief = Config { schedules_wait: Duration::from_millis(5), ..config(&scratch, &clock) };
    let database = Database::open(brief.clone()).expect("it opens");
    let schedule = database.create_schedule("often", "orders", 60, keep(1, 0, 0));
    let schedule = schedule.expect("it is protected").created.seq;
    for count in 1..=3 {
        let began = foldback::steady_now();
        let is_made = || database.backups().iter().filter(|it| it.is_confirmed()).count() == count;
        while !is_made() && began.elapsed() < Duration::from_secs(30) {
            std::thread::yield_now();
        }
        assert!(is_made(), "backup {count} was not made in 30 seconds");
        clock.advance(60_000_000);
    }
    let other = database.clone();
    drop(database);
    assert!(rows(&other, "orders").is_empty());
    drop(other);
    let database = Database::open(brief).expect("nobody holds it any more");
    assert!(database.backups().iter().all(|backup| backup.schedule == Some(schedule)));
}
