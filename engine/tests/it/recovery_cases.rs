//! Cases that a point-in-time recovery must get right, each named after what it is about.

use std::sync::Arc;
use std::time::Duration;

use foldback::{
    BucketReader, Clock, Commit, Config, Database, Error, ManualClock, Policy, Retention,
    Selection, Table, TableId, TableRef, Target, Timestamp,
};
use tempfile::TempDir;

use crate::support::{State, collect, fast_directory, planned_rows};

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
        let scratch = fast_directory();
        let clock = Arc::new(ManualClock::new(Timestamp(START)));
        let mut config = Config::new(scratch.path().join("db"));
        config.bucket = Some(format!("file://{}", scratch.path().join("bucket").display()));
        config.clock = Arc::clone(&clock) as Arc<dyn Clock>;
        config.segment_age_max = Duration::from_secs(86_400);
        config.shortening_undo = Duration::from_secs(60);
        config.policy = Policy { fold_ratio: 0.1, fold_bytes_min: 1, ..Policy::default() };
        let database = Database::open(config).expect("it opens");
        Self { scratch, clock, database }
    }

    /// Makes a protected table.
    fn table(&self, name: &str, retention: Retention) -> Table {
        let table = self.database.create_table(name).expect("the name is free");
        self.clock.advance(10);
        self.database.protect(name, retention).expect("it is not protected");
        self.clock.advance(10);
        table
    }

    fn put(&self, table: &Table, key: &str, value: &str) -> Commit {
        let commit = table.put(key.to_owned(), value.to_owned()).wait().expect("it commits");
        self.clock.advance(10);
        commit
    }

    fn rows(&self, table: impl Into<TableRef>, target: Target) -> Result<State, Error> {
        let plan = self.database.plan(table, target, &Selection::all())?;
        Ok(planned_rows(&self.database, &plan))
    }

    fn check(&self, table: impl Into<TableRef>, target: Target, expected: &[(&str, &str)]) {
        let table = table.into();
        let rows = self.rows(&table, target).unwrap_or_else(|error| panic!("{target}: {error}"));
        assert_eq!(rows, state(expected), "{table} at {target}");
    }

    fn check_outside(&self, table: impl Into<TableRef>, target: Target) {
        let answer = self.rows(table, target);
        assert!(matches!(answer, Err(Error::OutsideWindow { .. })), "{target}: {answer:?}");
    }

    /// Seals, folds and gives up all that is due.
    fn tidy(&self) {
        self.database.seal().expect("the bucket takes it");
        self.database.compact().expect("history can be read");
    }

    fn reader(&self) -> BucketReader {
        let url = format!("file://{}", self.scratch.path().join("bucket").display());
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let options = foldback::log_tier::remote::RemoteOptions::default();
        BucketReader::open(&url, &options, clock).expect("it can be read")
    }
}

fn state(rows: &[(&str, &str)]) -> State {
    rows.iter().map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
}

fn just_before(commit: Commit) -> Timestamp {
    commit.timestamp.saturating_add_micros(-1)
}

/// Two lives of one name write the same keys, and no instant shows one the rows of the other.
#[test]
fn case_19_dropped_and_recreated_under_the_same_name() {
    let place = Place::new();
    let first = place.table("orders", Retention::Forever);
    let old = place.put(&first, "a", "first");
    let dropped = place.database.drop_table("orders").expect("it is live");
    place.clock.advance(10);
    let second = place.table("orders", Retention::Forever);
    let new = place.put(&second, "a", "second");
    let created = second.record().expect("it is live").created;

    for round in ["in the log", "in the bucket"] {
        place.check("orders", Target::At(old.timestamp), &[("a", "first")]);
        place.check("orders", Target::Seq(old.seq), &[("a", "first")]);
        place.check("orders", Target::At(just_before(dropped)), &[("a", "first")]);
        place.check("orders", Target::Before(dropped.timestamp), &[("a", "first")]);
        for between in [
            Target::At(dropped.timestamp),
            Target::Seq(dropped.seq),
            Target::At(just_before(created)),
            Target::Before(created.timestamp),
        ] {
            let answer = place.rows("orders", between);
            let Err(error @ Error::WhichTable { .. }) = &answer else {
                panic!("{round}, {between}: {answer:?}");
            };
            let text = error.to_string();
            assert!(text.contains("id 1 \"orders\"") && text.contains("id 2 \"orders\""), "{text}");
        }
        // It was not protected yet at the instant of its creation.
        place.check_outside("orders", Target::At(created.timestamp));
        place.check("orders", Target::Before(new.timestamp), &[]);
        place.check("orders", Target::At(new.timestamp), &[("a", "second")]);
        place.check("orders", Target::Latest, &[("a", "second")]);

        // An id never means the other one.
        place.check(first.id(), Target::Latest, &[("a", "first")]);
        place.check_outside(first.id(), Target::At(new.timestamp));
        place.check_outside(first.id(), Target::At(dropped.timestamp));
        place.check_outside(second.id(), Target::At(old.timestamp));
        let windows = place.database.windows(first.id()).expect("it was protected");
        assert_eq!((windows.len(), windows[0].open, windows[0].last), (1, false, old.seq));
        place.tidy();
    }

    // A bucket alone knows it too.
    place.put(&second, "b", "later");
    place.tidy();
    let reader = place.reader();
    let dropped_tables = reader.dropped_tables();
    assert_eq!(dropped_tables, place.database.dropped_tables());
    assert_eq!(dropped_tables.iter().map(|table| table.id).collect::<Vec<_>>(), [first.id()]);
    for (target, value) in [(Target::At(old.timestamp), "first"), (Target::Seq(new.seq), "second")]
    {
        let plan = reader.plan("orders", target, &Selection::all()).expect("it is restorable");
        let rows = collect(reader.plan_rows(&plan).expect("the bucket can be read"));
        assert_eq!(rows, state(&[("a", value)]));
    }
}

#[test]
fn a_plan_that_was_made_before_a_drop_still_runs() {
    let place = Place::new();
    let table = place.table("orders", Retention::Forever);
    place.put(&table, "a", "1");
    place.database.seal().expect("the bucket takes it");
    let plan = place.database.plan("orders", Target::Latest, &Selection::all());
    let plan = plan.expect("it is restorable");
    place.database.drop_table("orders").expect("it is live");
    place.table("orders", Retention::Forever);
    place.tidy();
    let restored = place.database.restore(&plan, "orders-then").expect("its history is kept");
    assert_eq!(restored.rows, 1);
}

#[test]
fn a_dropped_table_is_brought_back_with_its_protection() {
    let place = Place::new();
    let table = place.table("orders", Retention::Secs(1_000));
    let last = place.put(&table, "a", "1");
    place.database.drop_table("orders").expect("it is live");
    place.clock.advance(10);
    let undrop =
        |table: TableRef, name: Option<&str>| place.database.undrop_table(table, name, &mut |_| {});
    let back = undrop("orders".into(), None).expect("it can be restored");
    assert_eq!((back.rows, back.target), (1, last));
    let record = place.database.table("orders").expect("it is live").record().expect("it is live");
    assert_eq!(record.lineage.expect("it was restored").source, table.id());
    let protection = record.open_protection().expect("it is protected");
    assert_eq!((protection.first, protection.retention), (back.commit, Retention::Secs(1_000)));
    place.clock.advance(10);
    place.check("orders", Target::Latest, &[("a", "1")]);
    place.check("orders", Target::At(last.timestamp), &[("a", "1")]);

    // It is live by now: so its name is taken, though the dropped one can come back under another.
    let taken = undrop(table.id().into(), None);
    assert!(matches!(taken, Err(Error::TableExists { .. })), "{taken:?}");
    undrop(table.id().into(), Some("orders-again")).expect("the name is free");
    let live = undrop(back.table.into(), None);
    assert!(matches!(live, Err(Error::Invalid(_))), "{live:?}");
    let unknown = undrop(TableId(99).into(), None);
    assert!(matches!(unknown, Err(Error::TableNotFound { .. })), "{unknown:?}");

    // Nothing is left of it once its retention has passed.
    place.tidy();
    place.clock.advance(2_000 * SECOND);
    place.tidy();
    let gone = undrop(table.id().into(), Some("too-late"));
    assert!(matches!(gone, Err(Error::OutsideWindow { .. })), "{gone:?}");
}

/// An instant before a table was created is no empty table.
#[test]
fn case_29_before_the_table_was_created() {
    let place = Place::new();
    place.clock.advance(SECOND);
    let empty = place.table("orders", Retention::Forever);
    let record = empty.record().expect("it is live");
    let protected = record.open_protection().expect("it is protected").first;
    place.check_outside("orders", Target::At(just_before(record.created)));
    place.check_outside("orders", Target::Seq(record.created.seq.prev()));
    place.check_outside("orders", Target::Before(protected.timestamp));
    place.check("orders", Target::At(protected.timestamp), &[]);
    place.check("orders", Target::Latest, &[]);
    place.tidy();
    place.check("orders", Target::At(protected.timestamp), &[]);
    place.check_outside("orders", Target::At(just_before(record.created)));
}

/// The gap between two histories of a table is not restorable, and both of them are.
#[test]
fn case_13_disable_then_re_enable() {
    let place = Place::new();
    let table = place.table("orders", Retention::Secs(1_000));
    let before = place.put(&table, "a", "1");
    let ended = place.database.unprotect("orders").expect("it is protected");
    place.clock.advance(10);
    let in_the_gap = place.put(&table, "a", "2");
    let again = place.database.protect("orders", Retention::Secs(1_000)).expect("it is not");
    place.clock.advance(10);
    let after = place.put(&table, "a", "3");
    for _ in 0..2 {
        place.check("orders", Target::At(before.timestamp), &[("a", "1")]);
        place.check("orders", Target::Before(ended.timestamp), &[("a", "1")]);
        for target in [
            Target::At(ended.timestamp),
            Target::Seq(in_the_gap.seq),
            Target::At(just_before(again)),
        ] {
            place.check_outside("orders", target);
        }
        place.check("orders", Target::At(after.timestamp), &[("a", "3")]);
        let windows = place.database.windows("orders").expect("it is protected");
        assert_eq!(windows.len(), 2, "{windows:?}");
        // It had a key when it was protected again: it begins with its base, not with the request.
        assert!(windows[1].earliest >= again.timestamp, "{windows:?}");
        place.tidy();
    }
    let error = place.rows("orders", Target::Seq(in_the_gap.seq)).expect_err("it is in the gap");
    assert!(error.to_string().contains(", and "), "both neighbours are named: {error}");
    // Each goes in its time.
    place.clock.set(Timestamp(ended.timestamp.0 + 1_000 * SECOND));
    place.tidy();
    place.check_outside("orders", Target::At(before.timestamp));
    place.check("orders", Target::At(after.timestamp), &[("a", "3")]);
}

/// A shorter retention can be taken back for a while, and a longer one brings nothing back.
#[test]
fn case_14_shorten_then_lengthen() {
    let place = Place::new();
    let table = place.table("orders", Retention::Secs(10_000));
    let first = place.put(&table, "a", "1");
    place.clock.advance(100 * SECOND);
    let second = place.put(&table, "a", "2");
    place.tidy();
    place.clock.advance(SECOND);
    let set = |secs| place.database.set_retention("orders", Retention::Secs(secs));
    let pending = || {
        let record = place.database.table_record("orders").expect("it is live");
        record.protection[0].pending_at(place.clock.now()).copied()
    };

    let shortened = set(10).expect("it is protected");
    let waits = pending().expect("it waits");
    assert_eq!((waits.by, waits.from.0), (shortened, shortened.timestamp.0 + 60 * SECOND));
    place.clock.set(waits.from.saturating_add_micros(-1));
    place.tidy();
    place.check("orders", Target::At(first.timestamp), &[("a", "1")]);
    let earliest = || place.database.windows("orders").expect("it is protected")[0].earliest;
    set(10_000).expect("it takes the shorter one back");
    assert_eq!(pending(), None);
    place.clock.advance(1_000 * SECOND);
    place.tidy();
    place.check("orders", Target::At(first.timestamp), &[("a", "1")]);
    let same = set(10_000);
    assert!(matches!(same, Err(Error::AlreadyProtected { .. })), "{same:?}");

    set(10).expect("it is protected");
    place.clock.advance(60 * SECOND);
    place.tidy();
    place.check_outside("orders", Target::At(first.timestamp));
    let risen = earliest();
    assert!(second.timestamp <= risen, "{risen:?}");
    set(10_000).expect("it is protected");
    place.tidy();
    assert_eq!(earliest(), risen, "nothing comes back");
    place.check_outside("orders", Target::At(first.timestamp));
    place.put(&table, "a", "3");
    place.clock.advance(5_000 * SECOND);
    place.tidy();
    assert_eq!(earliest(), risen, "and the window grows");
    place.check("orders", Target::At(risen), &[("a", "2")]);
}

/// A change that a lost machine would take with it shortens nothing.
#[test]
fn discarded_history_is_no_window_any_more_and_goes_once_that_is_sealed() {
    let place = Place::new();
    let table = place.table("orders", Retention::Forever);
    let put = place.put(&table, "a", "1");
    place.table("others", Retention::Forever);
    place.tidy();
    let plan = place.database.plan("orders", Target::Latest, &Selection::all());
    let plan = plan.expect("it is restorable");
    place.database.discard_history("orders").expect("it is protected");
    assert_eq!(place.database.windows("orders").expect("it was protected"), []);
    place.check_outside("orders", Target::At(put.timestamp));
    let twice = place.database.discard_history("orders");
    assert!(matches!(twice, Err(Error::NotProtected { .. })), "{twice:?}");
    place.database.compact().expect("history can be read");
    let is_over = |database: &Database| {
        let floors = database.manifest().floors.clone();
        floors.iter().any(|floor| floor.table == table.id() && put.seq < floor.earliest.seq)
    };
    assert!(!is_over(&place.database), "nothing is given up by what is not sealed");
    let rows = planned_rows(&place.database, &plan);
    assert_eq!(rows, state(&[("a", "1")]), "who had planned reads on");
    place.clock.advance(10);
    place.tidy();
    assert!(is_over(&place.database), "{:?}", place.database.manifest().floors);
    assert_eq!(table.get(b"a").expect("it is live").as_deref(), Some(&b"1"[..]));

    // It can be protected anew, and a dropped table's history can go too.
    place.database.protect("orders", Retention::Forever).expect("it is not protected");
    place.clock.advance(10);
    place.check("orders", Target::Latest, &[("a", "1")]);
    place.database.drop_table("orders").expect("it is live");
    place.database.discard_history(table.id()).expect("it has a window");
    let gone = place.rows("orders", Target::Seq(put.seq));
    assert!(matches!(gone, Err(Error::TableNotFound { .. })), "{gone:?}");
}
