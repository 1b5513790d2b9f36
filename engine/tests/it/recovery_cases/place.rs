//! A database on a clock that is set by hand, and the doors by which its past is looked at.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use foldback::log_tier::remote::RemoteOptions;
use foldback::{
    BucketReader, Clock, Commit, Config, Database, Error, ManualClock, Policy, RestorePlan,
    Retention, Selection, Table, TableRef, Target, Timestamp,
};
use tempfile::TempDir;

use crate::support::{State, collect, copy_directory, fast_directory, planned_rows};

pub(crate) const START: i64 = 1_700_000_000_000_000;
pub(crate) const SECOND: i64 = 1_000_000;

/// Folds whatever is sealed.
pub(crate) const FOLDS: Policy = Policy {
    fold_ratio: 0.1,
    fold_bytes_min: 1,
    fold_files_max: 64,
    merge_fanout: 8,
    file_bytes_target: 128 << 20,
    grace_micros: 900 * SECOND,
};
/// Merges and folds all the time, and lets nothing stay that is not listed.
pub(crate) const HASTY: Policy = Policy {
    fold_ratio: 1.0,
    merge_fanout: 3,
    file_bytes_target: 8 * 1024,
    grace_micros: 0,
    ..FOLDS
};
/// Neither merges nor folds.
pub(crate) const LAZY: Policy = Policy {
    fold_bytes_min: u64::MAX,
    fold_files_max: 100_000,
    merge_fanout: 1_000,
    grace_micros: 0,
    ..FOLDS
};

/// A database whose clock stands until it is moved, and that seals and tidies when it is told to.
pub(crate) struct Place {
    scratch: TempDir,
    config: Config,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) database: Database,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::with(FOLDS)
    }

    pub(crate) fn with(policy: Policy) -> Self {
        Self::set_up(policy, true)
    }

    /// One that leaves the upkeep to others, so that nothing in its bucket changes by itself.
    pub(crate) fn without_upkeep() -> Self {
        Self::set_up(FOLDS, false)
    }

    fn set_up(policy: Policy, compactor: bool) -> Self {
        let scratch = fast_directory();
        let clock = Arc::new(ManualClock::new(Timestamp(START)));
        let mut config = Config::new(scratch.path().join("db"));
        config.bucket = Some(format!("file://{}", scratch.path().join("bucket").display()));
        config.clock = Arc::clone(&clock) as Arc<dyn Clock>;
        config.segment_age_max = Duration::from_secs(86_400);
        config.shortening_undo = Duration::from_secs(60);
        config.policy = policy;
        config.compactor = compactor;
        let database = Database::open(config.clone()).expect("it opens");
        Self { scratch, config, clock, database }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// The settings of the database, for a directory of this name.
    pub(crate) fn config(&self, name: &str) -> Config {
        Config { directory: self.path(name), ..self.config.clone() }
    }

    /// Copies the database and its bucket as they are on disk, as a machine that stops now leaves
    /// them, and gives the settings of the copy.
    pub(crate) fn copy(&self, name: &str) -> Config {
        let (database, bucket) = (self.path(name).join("db"), self.path(name).join("bucket"));
        copy_directory(&self.config.directory, &database);
        copy_directory(&self.path("bucket"), &bucket);
        let bucket = Some(format!("file://{}", bucket.display()));
        Config { directory: database, bucket, ..self.config.clone() }
    }

    /// Closes the database and opens it again. No handle of a table may be left.
    pub(crate) fn reopened(self) -> Self {
        self.reopened_with(FOLDS)
    }

    pub(crate) fn reopened_with(self, policy: Policy) -> Self {
        let Self { scratch, mut config, clock, database } = self;
        drop(database);
        config.policy = policy;
        let database = Database::open(config.clone()).expect("it opens again");
        Self { scratch, config, clock, database }
    }

    pub(crate) fn clock_now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Makes a protected table.
    pub(crate) fn table(&self, name: &str, retention: Retention) -> Table {
        let table = self.database.create_table(name).expect("the name is free");
        self.clock.advance(10);
        self.database.protect(name, retention).expect("it is not protected");
        self.clock.advance(10);
        table
    }

    pub(crate) fn put(&self, table: &Table, key: &str, value: &str) -> Commit {
        let commit = table.put(key.to_owned(), value.to_owned()).wait().expect("it commits");
        self.clock.advance(10);
        commit
    }

    pub(crate) fn delete(&self, table: &Table, key: &str) -> Commit {
        let commit = table.delete(key.to_owned()).wait().expect("it commits");
        self.clock.advance(10);
        commit
    }

    pub(crate) fn plan(
        &self,
        table: impl Into<TableRef>,
        target: Target,
    ) -> Result<RestorePlan, Error> {
        self.database.plan(table, target, &Selection::all())
    }

    pub(crate) fn rows(&self, table: impl Into<TableRef>, target: Target) -> Result<State, Error> {
        Ok(planned_rows(&self.database, &self.plan(table, target)?))
    }

    pub(crate) fn check(
        &self,
        table: impl Into<TableRef>,
        target: Target,
        expected: &[(&str, &str)],
    ) {
        self.check_state(table, target, &state(expected));
    }

    pub(crate) fn check_state(&self, table: impl Into<TableRef>, target: Target, expected: &State) {
        let table = table.into();
        let plan = self.plan(&table, target).unwrap_or_else(|error| panic!("{target}: {error}"));
        assert_eq!(planned_rows(&self.database, &plan), *expected, "{table} at {target}");
        // A view is only of a table that lives.
        let Ok(live) = self.database.table(&plan.table_name) else { return };
        if live.id() == plan.table {
            let view = live.as_of(target).expect("what can be planned can be viewed");
            let rows = collect(view.scan().expect("history can be read"));
            assert_eq!(rows, *expected, "a view of {table} at {target}");
        }
    }

    pub(crate) fn check_outside(&self, table: impl Into<TableRef>, target: Target) {
        let answer = self.rows(table, target);
        assert!(matches!(answer, Err(Error::OutsideWindow { .. })), "{target}: {answer:?}");
    }

    /// Seals, folds and gives up all that is due.
    pub(crate) fn tidy(&self) {
        self.database.seal().expect("the bucket takes it");
        self.database.compact().expect("history can be read");
    }

    pub(crate) fn reader(&self) -> BucketReader {
        self.reader_of(&self.path("bucket"))
    }

    /// A reader of a bucket in another directory.
    pub(crate) fn reader_of(&self, bucket: &Path) -> BucketReader {
        let url = format!("file://{}", bucket.display());
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        BucketReader::open(&url, &RemoteOptions::default(), clock).expect("it can be read")
    }

    /// Checks where the events lie in the log, in deltas, in bases, after the database was opened
    /// again, and where it was rebuilt from its bucket. No handle of a table may be left.
    pub(crate) fn everywhere(self, check: impl Fn(&Self, &str)) -> Self {
        check(&self, "in the log");
        self.database.seal().expect("the bucket takes it");
        check(&self, "in deltas");
        self.database.compact().expect("history can be read");
        check(&self, "in bases");
        let place = self.reopened();
        check(&place, "opened again");
        let Self { scratch, mut config, clock, database } = place;
        drop(database);
        config.directory.as_mut_os_string().push("-rebuilt");
        let database = Database::recover(config.clone()).expect("the bucket holds it").database;
        let rebuilt = Self { scratch, config, clock, database };
        check(&rebuilt, "rebuilt from the bucket");
        rebuilt
    }
}

/// What a bucket alone says of a table.
pub(crate) fn read(
    reader: &BucketReader,
    table: impl Into<TableRef>,
    target: Target,
) -> Result<State, Error> {
    let table = table.into();
    let plan = reader.plan(&table, target, &Selection::all())?;
    let rows: Vec<_> = reader.plan_rows(&plan)?.collect::<Result<_, _>>()?;
    let viewed: Vec<_> = reader.view(&table, target)?.scan()?.collect::<Result<_, _>>()?;
    assert_eq!(viewed, rows, "{table} at {target}: a view and a plan differ");
    Ok(collect(rows.into_iter().map(Ok)))
}

pub(crate) fn state(rows: &[(&str, &str)]) -> State {
    rows.iter().map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
}

pub(crate) fn just_before(commit: Commit) -> Timestamp {
    commit.timestamp.saturating_add_micros(-1)
}

pub(crate) fn just_after(commit: Commit) -> Timestamp {
    commit.timestamp.saturating_add_micros(1)
}
