//! Backups: states that are kept by name.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use foldback::log_tier::remote::RemoteOptions;
use foldback::{
    BucketReader, Clock, Commit, Config, Database, Error, ManualClock, Policy, Retention,
    Selection, Table, Target, Timestamp, VerifyLevel, VerifyOptions, VerifyProgress,
};
use tempfile::TempDir;

use crate::support::{State, collect, fast_directory, planned_rows, rows};

const START: i64 = 1_700_000_000_000_000;
const SECOND: i64 = 1_000_000;

/// A database whose clock stands until it is moved, and that folds whatever it seals.
struct Place {
    scratch: TempDir,
    clock: Arc<ManualClock>,
    database: Database,
}

impl Place {
    fn new() -> Self {
        Self::with(|_| {})
    }

    /// The same, with other settings.
    fn with(set: impl Fn(&mut Config)) -> Self {
        let scratch = fast_directory();
        let clock = Arc::new(ManualClock::new(Timestamp(START)));
        let mut config = config(&scratch, &clock);
        set(&mut config);
        let database = Database::open(config).expect("it opens");
        Self { scratch, clock, database }
    }

    /// Closes the database, and opens it again.
    fn reopened(self) -> Self {
        let Self { scratch, clock, database } = self;
        drop(database);
        let database = Database::open(config(&scratch, &clock)).expect("it opens");
        Self { scratch, clock, database }
    }

    fn table(&self, name: &str, retention: Retention) -> Table {
        let table = self.database.create_table(name).expect("the name is free");
        self.database.protect(name, retention).expect("it is not protected");
        table
    }

    fn put(&self, table: &Table, key: &str, value: &str) -> Commit {
        let commit = table.put(key.to_owned(), value.to_owned()).wait().expect("it commits");
        self.clock.advance(SECOND);
        commit
    }

    fn backup(&self, name: &str, table: &str, target: Target) -> Commit {
        let made = self.database.create_backup(name, table, target, None);
        made.unwrap_or_else(|error| panic!("{name}: {error}")).target
    }

    fn kept(&self, name: &str) -> State {
        let plan = self.database.plan_backup(name, &Selection::all()).expect("it is kept");
        planned_rows(&self.database, &plan)
    }

    /// Overwrites a table for longer than it is kept, and tends the bucket all the while.
    fn live_on(&self, table: &Table) {
        for round in 0..12 {
            self.put(table, &format!("key/{}", round % 5), &format!("later {round}"));
            self.database.seal().expect("the bucket takes it");
            self.database.compact().expect("the bucket takes it");
            self.clock.advance(20 * SECOND);
        }
    }

    fn bucket(&self) -> String {
        bucket_url(&self.scratch)
    }
}

fn bucket_url(scratch: &TempDir) -> String {
    format!("file://{}", scratch.path().join("bucket").display())
}

fn config(scratch: &TempDir, clock: &Arc<ManualClock>) -> Config {
    let directory: PathBuf = scratch.path().join("db");
    let mut config = Config::new(directory).bucket(bucket_url(scratch));
    config.clock = Arc::clone(clock) as Arc<dyn Clock>;
    config.segment_age_max = Duration::from_secs(86_400);
    config.policy = Policy {
        fold_ratio: 0.1,
        fold_bytes_min: 1,
        merge_fanout: 2,
        grace_micros: SECOND,
        ..Policy::default()
    };
    config
}

fn state(rows: &[(&str, &str)]) -> State {
    rows.iter().map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
}

/// A kept state outlives the retention of its table, its drop, and a new table of its name; it says
/// what it holds; and once it was deleted, exactly that goes.
#[test]
fn case_12_backups_pin_files() {
    let place = Place::new();
    let orders = place.table("orders", Retention::Secs(60));
    place.put(&orders, "key/1", "one");
    place.put(&orders, "key/2", "two");
    let expected = state(&[("key/1", "one"), ("key/2", "two")]);
    let pinned = place.backup("before", "orders", Target::Latest);
    place.live_on(&orders);
    let latest = place.backup("after", "orders", Target::Latest);
    let after = rows(&place.database, "orders");
    place.database.drop_table("orders").expect("it is live");
    let anew = place.table("orders", Retention::Secs(60));
    place.live_on(&anew);

    let gone = place.database.plan("orders", Target::Seq(pinned.seq), &Selection::all());
    assert!(gone.is_err(), "{gone:?}");
    assert_eq!((place.kept("before"), place.kept("after")), (expected.clone(), after.clone()));
    // Whoever holds a table holds the database.
    drop((orders, anew));
    let place = place.reopened();
    place.database.compact().expect("the bucket takes it");
    assert_eq!((place.kept("before"), place.kept("after")), (expected, after.clone()));

    let held = place.database.status();
    let own = place.database.backup_bytes("before").expect("it is there").own;
    assert!(0 < own && own < held.pinned_bytes, "{own} of {}", held.pinned_bytes);
    place.database.delete_backup("before").expect("it is there");
    place.database.compact().expect("the bucket takes it");
    let status = place.database.status();
    assert_eq!(status.pinned_bytes, held.pinned_bytes - own);
    assert_eq!(place.kept("after"), after);
    let listed = place.database.backups();
    assert_eq!(listed.iter().map(|backup| backup.target).collect::<Vec<_>>(), [latest]);
    place.database.delete_backup("after").expect("it is there");
    place.database.compact().expect("the bucket takes it");
    assert_eq!(place.database.status().pinned_bytes, 0);
}

#[test]
fn a_backup_is_restored_as_a_table_with_its_lineage() {
    let place = Place::new();
    let orders = place.table("orders", Retention::Secs(60));
    let first = place.put(&orders, "key/1", "one");
    place.put(&orders, "key/1", "two");
    let pinned = place.backup("first", "orders", Target::Seq(first.seq));
    assert_eq!(pinned, first);
    place.live_on(&orders);
    let plan = place.database.plan_backup("first", &Selection::all()).expect("it is kept");
    let restored = place.database.restore(&plan, "orders-then").expect("the name is free");
    assert_eq!(rows(&place.database, "orders-then"), state(&[("key/1", "one")]));
    let record = place.database.table_record("orders-then").expect("it is there");
    let lineage = record.lineage.expect("it was restored");
    assert_eq!((lineage.source, lineage.target), (orders.id(), first));
    assert_eq!(restored.target, first);
}

/// What a plan of a backup names can be merged meanwhile: it is planned anew as a backup, as no
/// window has the commit any more.
#[test]
fn a_plan_of_a_backup_goes_on_when_its_files_are_replaced() {
    // Nothing is folded, so that all is read from deltas, which are merged.
    let place = Place::with(|config| {
        (config.policy.fold_bytes_min, config.policy.fold_files_max) = (u64::MAX, 100_000);
    });
    let orders = place.table("orders", Retention::Secs(60));
    let stock = place.table("stock", Retention::Forever);
    let mut expected = State::new();
    for at in 0..10 {
        let (key, value) = (format!("key/{at}"), format!("value {at}"));
        place.put(&orders, &key, &value);
        expected.insert(key.into_bytes(), value.into_bytes());
        place.database.seal().expect("the bucket takes it");
    }
    place.backup("ten", "orders", Target::Latest);
    let plan = place.database.plan_backup("ten", &Selection::all()).expect("it is kept");
    let names: Vec<_> = plan.files().map(|read| read.file.name.clone()).collect();
    place.database.discard_history("orders").expect("it has a history");
    place.live_on(&stock);
    let listed = place.database.manifest().files.clone();
    assert!(names.iter().all(|name| listed.iter().all(|file| file.name != *name)), "{names:?}");
    let window = place.database.plan("orders", Target::Seq(plan.target.seq), &Selection::all());
    assert!(matches!(window, Err(Error::OutsideWindow { .. })), "{window:?}");
    assert_eq!(planned_rows(&place.database, &plan), expected);
}

#[test]
fn the_bucket_alone_knows_its_backups_also_after_a_recovery() {
    let place = Place::new();
    let orders = place.table("orders", Retention::Secs(60));
    place.put(&orders, "key/1", "one");
    let expected = state(&[("key/1", "one")]);
    let pinned = place.backup("kept", "orders", Target::Latest);
    place.live_on(&orders);
    let (options, clock) = (RemoteOptions::default(), Arc::clone(&place.clock));
    let open =
        || BucketReader::open(&place.bucket(), &options, Arc::clone(&clock) as Arc<dyn Clock>);
    let reader = open().expect("there is history");
    assert_eq!(reader.backups().iter().map(|it| it.target).collect::<Vec<_>>(), [pinned]);
    let plan = reader.plan_backup("kept", &Selection::all()).expect("it is kept");
    assert_eq!(collect(reader.plan_rows(&plan).expect("it starts")), expected);
    let own = place.database.backup_bytes("kept").expect("it is there");
    assert_eq!(reader.backup_bytes("kept").expect("it is there"), own);
    drop(reader);

    let Place { scratch, clock, database } = place;
    drop(database);
    let mut elsewhere = config(&scratch, &clock);
    elsewhere.directory = scratch.path().join("recovered");
    let database = Database::recover(elsewhere).expect("the bucket holds all").database;
    let place = Place { scratch, clock, database };
    place.live_on(&place.database.table("orders").expect("it is live"));
    assert_eq!(place.kept("kept"), expected);
    place.database.delete_backup("kept").expect("it is there");
    let left = open_reader(&place).backups();
    assert!(left.is_empty(), "the bucket knows when the deletion is acknowledged: {left:?}");
}

fn open_reader(place: &Place) -> BucketReader {
    let clock = Arc::clone(&place.clock) as Arc<dyn Clock>;
    BucketReader::open(&place.bucket(), &RemoteOptions::default(), clock).expect("it is there")
}

#[test]
fn what_cannot_be_backed_up_is_refused_and_changes_nothing() {
    let place = Place::new();
    let plain = place.database.create_table("plain").expect("the name is free");
    place.put(&plain, "key/1", "one");
    let orders = place.table("orders", Retention::Secs(60));
    place.put(&orders, "key/1", "one");
    place.backup("taken", "orders", Target::Latest);
    let tip = place.database.status().tip;
    let refused = |name: &str, table: &str, target: Target| {
        let made = place.database.create_backup(name, table, target, None);
        made.expect_err("it cannot be made")
    };
    let latest = Target::Latest;
    let error = refused("b", "plain", latest);
    assert!(matches!(error, Error::NotProtected { .. }), "{error}");
    assert!(error.to_string().contains("`protect`"), "{error}");
    let error = refused("b", "ordres", latest);
    assert!(error.to_string().contains("did you mean orders"), "{error}");
    let error = refused("taken", "orders", latest);
    assert!(matches!(error, Error::BackupExists { .. }), "{error}");
    let error = refused("a b", "orders", latest);
    assert!(matches!(error, Error::Invalid(_)), "{error}");
    let error = refused("b", "orders", Target::At(Timestamp(START - SECOND)));
    assert!(matches!(error, Error::OutsideWindow { .. }), "{error}");
    let error = place.database.delete_backup("takn").expect_err("it is misspelt");
    assert!(error.to_string().contains("did you mean taken"), "{error}");
    assert_eq!(place.database.status().tip, tip, "nothing was committed");
}

#[test]
fn a_discarded_history_leaves_its_backups() {
    let place = Place::new();
    let orders = place.table("orders", Retention::Forever);
    place.put(&orders, "key/1", "one");
    place.backup("kept", "orders", Target::Latest);
    place.put(&orders, "key/1", "two");
    place.database.discard_history("orders").expect("it has a history");
    place.database.seal().expect("the bucket takes it");
    place.database.compact().expect("the bucket takes it");
    assert_eq!(place.kept("kept"), state(&[("key/1", "one")]));
    let windows = place.database.windows("orders").expect("it was protected");
    assert!(windows.is_empty(), "{windows:?}");
}

/// What only a backup needs is verified like what a window needs, and its loss is told by name.
#[test]
fn a_file_that_only_a_backup_needs_is_verified() {
    let place = Place::new();
    let orders = place.table("orders", Retention::Secs(60));
    place.put(&orders, "key/1", "one");
    place.backup("before", "orders", Target::Latest);
    place.live_on(&orders);
    let options =
        VerifyOptions { level: VerifyLevel::Replay, share: None, bytes_per_sec: None, notes: None };
    let verify = || {
        let mut watch = |_: VerifyProgress| ControlFlow::Continue(());
        place.database.verifier().run(&options, &mut watch).expect("the bucket can be read")
    };
    assert_eq!(verify().findings, []);
    let plan = place.database.plan_backup("before", &Selection::all()).expect("it is kept");
    let file = plan.files().next().expect("it is in the bucket").file.name.clone();
    let path = place.database.location(&file);
    std::fs::rename(&path, format!("{path}.away")).expect("it is there");
    let report = verify();
    let told: Vec<_> =
        report.findings.iter().filter(|it| it.object.as_ref() == Some(&file)).collect();
    let [finding] = told[..] else { panic!("{:?}", report.findings) };
    assert_eq!(finding.backups, ["before"]);
    assert!(finding.hurts.iter().all(|hurt| hurt.name != "orders"), "{finding:?}");
    std::fs::rename(format!("{path}.away"), &path).expect("it is there");
    assert_eq!(verify().findings, []);
}
