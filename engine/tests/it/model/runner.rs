//! Does each step to the database and to the model, and compares what comes of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use foldback::log_tier::names;
use foldback::{
    Commit, Config, Database, Durability, Error, KeyRange, ManualClock, Policy, Resolved,
    RestorePlan, Retention, Selection, Seq, Target, Timestamp, View, WriteBatch, WriteOptions,
};
use tempfile::TempDir;

mod history;

use super::reference::{Answer, Model};
use super::steps::{Aim, Change, Chosen, NAMES, Setup, Step, selection};
use crate::support::{State, collect, fast_directory, planned_rows, rows};

/// Where the clock stands at first.
const START: Timestamp = Timestamp(1_700_000_000_000_000);
/// How long a shorter retention waits.
const UNDO_SECS: u64 = 2;
/// Name of the tables that are restored only to be compared.
const PASSING: &str = "passing";

/// A database, its model, and what it takes to open it again.
pub(super) struct Runner {
    database: Option<Database>,
    model: Model,
    config: Config,
    /// A view that was taken earlier, and the state that it is of.
    viewed: Option<(View<'static>, State)>,
    /// A plan that was made earlier, of the table with this name, and the state it is for.
    kept: Option<(RestorePlan, String, State)>,
    scratch: TempDir,
}

impl Runner {
    /// Opens a database with one table that was protected when it was empty, one that was
    /// protected when it had keys, and one that is not protected.
    pub(super) fn start(setup: &Setup) -> Self {
        let scratch = fast_directory();
        let clock = Arc::new(ManualClock::new(START));
        let path = scratch.path().display().to_string();
        let bucket = match setup.bucket_on_disk {
            true => format!("file://{path}/bucket"),
            false => format!("memory://{path}"),
        };
        let mut config = Config::new(scratch.path().join("data")).bucket(bucket);
        config.durability = if setup.synced { Durability::Synced } else { Durability::Buffered };
        config.segment_bytes_max = setup.segment_bytes_max;
        config.segment_age_max = Duration::from_secs(86_400);
        config.shortening_undo = Duration::from_secs(UNDO_SECS);
        config.memtable_bytes_max = 64 * 1024;
        // So eager that the few small files of a case are merged, folded, and cut by key.
        config.policy = Policy {
            fold_bytes_min: 1,
            merge_fanout: 2,
            file_bytes_target: setup.segment_bytes_max,
            ..Policy::default()
        };
        config.policy = setup.policy;
        config.clock = Arc::clone(&clock) as Arc<dyn foldback::Clock>;
        let database = Some(Database::open(config.clone()).expect("it opens"));
        let model = Model::new(clock);
        let mut runner = Self { database, model, config, viewed: None, kept: None, scratch };
        for table in 0..3 {
            runner.create(table);
        }
        runner.protect(0, Retention::Forever);
        runner.write(&setup.before_protection);
        runner.protect(1, Retention::Forever);
        runner
    }

    fn database(&self) -> &Database {
        self.database.as_ref().expect("it is open between steps")
    }

    pub(super) fn apply(&mut self, step: &Step) {
        match step {
            Step::Write(changes) => self.write(changes),
            Step::WriteStamped { changes, micros } => self.write_stamped(changes, *micros),
            Step::Clock(micros) => self.model.move_clock(*micros),
            Step::Seal => self.seal(),
            Step::Reopen { lose } => self.reopen(*lose),
            Step::Create(table) => self.create(*table),
            Step::Drop(table) => self.drop_table(NAMES[*table]),
            Step::Protect(table, retention) => self.protect(*table, *retention),
            Step::Unprotect(table) => self.unprotect(*table),
            Step::SetRetention(table, retention) => self.set_retention(*table, *retention),
            Step::Discard(table) => self.discard(*table),
            Step::Undrop(table) => self.undrop(*table),
            Step::View(table, aim) => self.view(*table, aim),
            Step::Gap { table, clear, seal, retention } => {
                self.unprotect(*table);
                if *clear {
                    self.clear(*table);
                }
                if *seal {
                    self.seal();
                }
                self.protect(*table, *retention);
            }
            Step::Resolve(table, aim) => drop(self.resolve(*table, aim)),
            Step::Rows(table, aim, chosen) => self.rows(*table, aim, chosen),
            Step::Restore(table, aim, into) => self.restore_aim(*table, aim, *into),
            Step::Plan(table, aim) => self.plan(*table, aim),
            Step::RunPlan => self.run_plan(),
            Step::Look => self.look(),
        }
        self.model.note_horizons();
        self.compare_windows();
    }

    fn write(&mut self, changes: &[Change]) {
        let (batch, stale) = self.batch(changes);
        if batch.is_empty() {
            return;
        }
        let written = self.database().commit(batch, WriteOptions::default());
        if stale {
            assert!(matches!(written, Err(Error::TableNotFound { .. })), "{written:?}");
            return;
        }
        let commit = self.model.commit();
        assert_eq!(written.expect("it commits"), commit);
        self.record(changes, commit);
    }

    fn write_stamped(&mut self, changes: &[Change], micros: i64) {
        let (batch, stale) = self.batch(changes);
        if batch.is_empty() || stale {
            return;
        }
        let timestamp = self.model.least().saturating_add_micros(micros);
        let options = WriteOptions { timestamp: Some(timestamp), ..WriteOptions::default() };
        let written = self.database().write(batch, options).wait();
        if timestamp > self.model.now() {
            assert!(matches!(written, Err(Error::InFuture { .. })), "{written:?}");
        } else if timestamp < self.model.least() {
            assert!(matches!(written, Err(Error::TimeGoesBack { .. })), "{written:?}");
        } else {
            let commit = self.model.commit_at(timestamp);
            assert_eq!(written.expect("it commits"), commit);
            self.record(changes, commit);
        }
    }

    /// Deletes every key of a table, in one batch.
    fn clear(&mut self, table: usize) {
        let Some(live) = self.model.live(NAMES[table]) else { return };
        let keys = live.state(Seq::MAX).into_keys();
        let changes: Vec<_> = keys.map(|key| Change { table, key, value: None }).collect();
        self.write(&changes);
    }

    /// The batch of these changes, and whether it names a table that was dropped: then nothing of
    /// it may be kept. Changes of tables that never were are left out.
    fn batch(&self, changes: &[Change]) -> (WriteBatch, bool) {
        let (mut batch, mut stale) = (WriteBatch::new(), false);
        for change in changes {
            let name = NAMES[change.table];
            let live = self.model.live(name);
            let Some(table) = live.or_else(|| self.model.dropped(name)) else { continue };
            stale |= live.is_none();
            match &change.value {
                Some(value) => batch.put(table.id, change.key.clone(), value.clone()),
                None => batch.delete(table.id, change.key.clone()),
            }
        }
        (batch, stale)
    }

    fn record(&mut self, changes: &[Change], commit: Commit) {
        for change in changes {
            if let Some(table) = self.model.live_mut(NAMES[change.table]) {
                table.put(commit, &change.key, change.value.as_deref());
            }
        }
    }

    fn seal(&mut self) {
        let sealed = self.database().seal().expect("the bucket takes it");
        self.database().compact().expect("history can be read");
        assert_eq!(sealed, self.model.tip());
    }

    fn reopen(&mut self, lose: Option<usize>) {
        let sealed = self.database().status().sealed.seq;
        (self.database, self.viewed) = (None, None);
        let mut may_be_rebuilt = None;
        let lost = lose.and_then(|table| self.model.live(NAMES[table]));
        if let Some(table) = lost.filter(|table| table.is_protected()) {
            let present = self.config.directory.join(names::PRESENT_DIRECTORY);
            std::fs::remove_dir_all(present.join(table.id.to_string())).expect("it is there");
            may_be_rebuilt = Some((table.name.clone(), table.created.seq, table.was_restored));
        }
        self.database = Some(Database::open(self.config.clone()).expect("it opens again"));
        let rebuilt = &self.database().opening().rebuilt_tables;
        match may_be_rebuilt {
            // The log alone holds all of a table that is younger than what is sealed. Segments
            // that were rolled can have been sealed in the background since that was asked for.
            Some((name, created, was_restored)) => {
                assert!(rebuilt.is_empty() || *rebuilt == [name]);
                assert!(!rebuilt.is_empty() || (created > sealed && !was_restored));
            }
            None => assert!(rebuilt.is_empty()),
        }
        assert_eq!(self.database().opening().torn_bytes, 0);
        assert_eq!(self.database().status().tip, self.model.tip());
        self.model.reopen();
        self.look();
    }

    fn create(&mut self, table: usize) {
        let name = NAMES[table];
        let created = self.database().create_table(name);
        if self.model.live(name).is_some() {
            assert!(matches!(created, Err(Error::TableExists { .. })), "{created:?}");
            return;
        }
        let record = created.and_then(|table| table.record()).expect("the name is free");
        let commit = self.model.commit();
        assert_eq!(record.created, commit);
        self.model.create(record.id, name, commit, None);
    }

    fn drop_table(&mut self, name: &str) {
        let dropped = self.database().drop_table(name);
        if self.model.live(name).is_none() {
            assert!(matches!(dropped, Err(Error::TableNotFound { .. })), "{dropped:?}");
            return;
        }
        let commit = self.model.commit();
        assert_eq!(dropped.expect("it is live"), commit);
        self.model.drop_table(name, commit);
    }

    fn protect(&mut self, table: usize, retention: Retention) {
        let name = NAMES[table];
        let protected = self.database().protect(name, retention);
        match self.model.live(name).map(super::reference::ModelTable::is_protected) {
            None => assert!(matches!(protected, Err(Error::TableNotFound { .. }))),
            Some(true) => assert!(matches!(protected, Err(Error::AlreadyProtected { .. }))),
            Some(false) => {
                let commit = self.model.commit();
                assert_eq!(protected.expect("it is not protected"), commit);
                self.model.live_mut(name).expect("it is live").protect(commit, retention);
            }
        }
    }

    fn unprotect(&mut self, table: usize) {
        let name = NAMES[table];
        let ended = self.database().unprotect(name);
        match self.model.live(name).map(super::reference::ModelTable::is_protected) {
            None => assert!(matches!(ended, Err(Error::TableNotFound { .. }))),
            Some(false) => assert!(matches!(ended, Err(Error::NotProtected { .. }))),
            Some(true) => {
                let commit = self.model.commit();
                assert_eq!(ended.expect("it is protected"), commit);
                self.model.live_mut(name).expect("it is live").unprotect(commit);
            }
        }
    }

    fn target(&self, aim: &Aim) -> Target {
        let commits = self.model.commits();
        let instant = |timestamp: Timestamp, micros: i64, before: bool| {
            let timestamp = timestamp.saturating_add_micros(micros);
            if before { Target::Before(timestamp) } else { Target::At(timestamp) }
        };
        match aim {
            Aim::Latest => Target::Latest,
            Aim::Seq(commit) => Target::Seq(commit.get(commits).seq),
            Aim::SeqBeyond(by) => Target::Seq(Seq(self.model.tip().seq.0 + by)),
            Aim::Near { commit, micros, before } => {
                instant(commit.get(commits).timestamp, *micros, *before)
            }
            Aim::NearNow { micros, before } => instant(self.model.now(), *micros, *before),
        }
    }

    /// Resolves a target in both; the answer if it is a commit.
    fn resolve(&mut self, table: usize, aim: &Aim) -> Option<(Target, Resolved)> {
        let (name, target) = (NAMES[table], self.target(aim));
        self.settle(name);
        let Some(id) = self.model.live(name).map(|table| table.id) else {
            self.resolve_dropped(name, target);
            return None;
        };
        // By its name, an instant before its creation may be of an earlier table.
        let resolved = self.database().resolve(id, target);
        let answer = match &resolved {
            Ok(resolved) => Answer::Is(*resolved),
            Err(Error::NotProtected { .. }) => Answer::NotProtected,
            Err(Error::InFuture { .. } | Error::NoSuchCommit { .. }) => Answer::InFuture,
            Err(Error::OutsideWindow { .. }) => Answer::OutsideWindow,
            Err(other) => panic!("{name} at {target:?}: {other}"),
        };
        let windows = self.database().windows(name).unwrap_or_default();
        let expected = self.model.resolve(name, target, &windows);
        let by_number = matches!((target, &answer), (Target::Seq(_), Answer::Is(found))
            if self.model.is_within_one_instant(name, found.commit.seq));
        assert!(answer == expected || by_number, "{name} at {target:?}: {answer:?}, {expected:?}");
        resolved.ok().map(|resolved| (target, resolved))
    }

    /// A name that no live table has means the dropped one that had it then.
    fn resolve_dropped(&self, name: &str, target: Target) {
        let dropped = self.database().dropped_tables();
        let lives = |seq: Seq| {
            let mut of_name = dropped.iter().filter(|record| record.name == name);
            let ends = |dropped: foldback::Commit| seq < dropped.seq;
            of_name.any(|record| record.created.seq <= seq && record.dropped.is_some_and(ends))
        };
        match self.database().resolve(name, target) {
            Ok(resolved) => assert!(lives(resolved.commit.seq), "{name}: {resolved:?}"),
            Err(
                Error::TableNotFound { .. }
                | Error::WhichTable { .. }
                | Error::NotProtected { .. }
                | Error::OutsideWindow { .. },
            ) => {}
            Err(other) => panic!("{name} at {target:?}: {other}"),
        }
    }

    fn rows(&mut self, table: usize, aim: &Aim, chosen: &[Chosen]) {
        let Some((target, resolved)) = self.resolve(table, aim) else { return };
        let (name, selection) = (NAMES[table], selection(chosen));
        let plan = self.database().plan(name, target, &selection).expect("it is restorable");
        assert_eq!(plan.target, resolved.commit);
        let mut expected = self.model.live(name).expect("it is live").state(plan.target.seq);
        let chosen = |key: &[u8]| selection.as_ranges().iter().any(|range| range.contains(key));
        expected.retain(|key, _| chosen(key));
        assert_eq!(planned_rows(self.database(), &plan), expected, "{name} at {target:?}");
    }

    fn restore_aim(&mut self, table: usize, aim: &Aim, into: Option<usize>) {
        let Some((target, resolved)) = self.resolve(table, aim) else { return };
        let name = NAMES[table];
        let plan = self.database().plan(name, target, &Selection::all());
        let expected = self.model.live(name).expect("it is live").state(resolved.commit.seq);
        self.restore(&plan.expect("it is restorable"), &expected, into);
    }

    fn restore(&mut self, plan: &RestorePlan, expected: &State, into: Option<usize>) {
        let name = into.map_or(PASSING, |table| NAMES[table]);
        let restored = self.database().restore(plan, name);
        if self.model.live(name).is_some() {
            assert!(matches!(restored, Err(Error::TableExists { .. })), "{restored:?}");
            return;
        }
        let restored = restored.expect("it restores");
        let commit = self.model.commit();
        assert_eq!((restored.commit, restored.target), (commit, plan.target));
        assert_eq!(usize::try_from(restored.rows), Ok(expected.len()));
        assert_eq!(rows(self.database(), name), *expected, "at {:?}", plan.target);
        self.model.create(restored.table, name, commit, Some(expected));
        if name == PASSING {
            self.drop_table(PASSING);
        }
    }

    fn plan(&mut self, table: usize, aim: &Aim) {
        let Some((target, resolved)) = self.resolve(table, aim) else { return };
        let name = NAMES[table].to_owned();
        let plan = self.database().plan(&name, target, &Selection::all());
        let state = self.model.live(&name).expect("it is live").state(resolved.commit.seq);
        self.kept = Some((plan.expect("it is restorable"), name, state));
    }

    /// Restores by a plan that may be old: files that it names may be gone.
    fn run_plan(&mut self) {
        let Some((plan, name, state)) = self.kept.take() else { return };
        if self.model.live(&name).is_none_or(|table| table.id != plan.table) {
            return;
        }
        self.settle(&name);
        let windows = self.database().windows(&name).unwrap_or_default();
        let answer = self.model.resolve(&name, Target::Seq(plan.target.seq), &windows);
        if matches!(answer, Answer::Is(_)) {
            self.restore(&plan, &state, None);
        }
    }

    /// Has everything given up that is to be, so that nothing goes while answers are compared.
    fn settle(&self, name: &str) {
        if self.model.live(name).is_some_and(Model::gives_up) {
            self.database().compact().expect("history can be read");
        }
    }

    fn compare_windows(&self) {
        for table in self.model.all_live() {
            self.settle(&table.name);
            let windows = self.database().windows(&table.name);
            match Model::has_history(table) {
                true => self.model.check_windows(table, &windows.expect("it is live")),
                false => assert!(matches!(windows, Err(Error::NotProtected { .. }))),
            }
        }
    }

    /// Compares the present, through every way there is to read it.
    fn look(&self) {
        let tables = self.model.all_live();
        let names: Vec<_> = self.database().tables().into_iter().map(|table| table.name).collect();
        assert_eq!(names, tables.iter().map(|table| table.name.clone()).collect::<Vec<_>>());
        for expected in tables {
            let state = expected.state(Seq::MAX);
            let table = self.database().table(&expected.name).expect("it is live");
            assert_eq!(rows(self.database(), &expected.name), state, "{}", expected.name);
            let backwards = table.range(&KeyRange::all()).expect("it is live").rev();
            let backwards = backwards.map(|row| row.expect("it can be read").0.to_vec());
            assert!(backwards.eq(state.keys().rev().cloned()), "{} backwards", expected.name);
            for prefix in [b"".as_slice(), b"a", b"\xff", b"\0"] {
                let mut with_prefix = state.clone();
                with_prefix.retain(|key, _| key.starts_with(prefix));
                assert_eq!(collect(table.prefix(prefix).expect("it is live")), with_prefix);
                let value = table.get(prefix).expect("it can be read");
                assert_eq!(value.as_deref(), state.get(prefix).map(Vec::as_slice));
            }
        }
    }

    /// Compares everything, then loses the directory and recovers from the bucket alone.
    pub(super) fn finish(mut self) {
        self.look();
        self.seal();
        (self.database, self.viewed) = (None, None);
        let recovered_into: PathBuf = self.scratch.path().join("recovered");
        self.config.directory = recovered_into;
        let recovery = Database::recover(self.config.clone()).expect("the bucket holds it all");
        assert_eq!(recovery.recovered_to, self.model.tip());
        let live = self.model.all_live();
        let lost = live.iter().filter(|table| !table.is_protected());
        let lost: Vec<_> = lost.map(|table| table.name.clone()).collect();
        assert_eq!(recovery.lost_tables, lost);
        self.database = Some(recovery.database);
        self.model.reopen();
        for name in lost {
            let commit = self.model.commit();
            self.model.drop_table(&name, commit);
        }
        self.look();
        self.compare_windows();
        for (table, micros) in (0..NAMES.len()).flat_map(|table| [(table, -1), (table, 0)]) {
            let commits = self.model.commits().len();
            for commit in [commits / 3, commits * 2 / 3] {
                let timestamp = self.model.commits()[commit].timestamp;
                let aim = Aim::NearNow {
                    micros: timestamp.0 - self.model.now().0 + micros,
                    before: false,
                };
                self.rows(table, &aim, &[]);
            }
        }
        self.reopen(None);
    }
}
