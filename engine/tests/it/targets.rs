//! The edges of what can be restored, each looked at from both sides.

use std::sync::Arc;
use std::time::Duration;

use foldback::{
    Commit, Config, Database, Error, ManualClock, Policy, Retention, Selection, Seq, Table, Target,
    Timestamp, WriteBatch, WriteOptions,
};
use tempfile::TempDir;

use crate::support::{State, fast_directory, planned_rows};

const START: i64 = 1_700_000_000_000_000;
const SECOND: i64 = 1_000_000;

/// A database whose clock stands until it is moved, and that folds whatever it seals.
struct Place {
    _scratch: TempDir,
    clock: Arc<ManualClock>,
    database: Database,
    table: Table,
}

impl Place {
    fn new() -> Self {
        let scratch = fast_directory();
        let clock = Arc::new(ManualClock::new(Timestamp(START)));
        let mut config = Config::new(scratch.path());
        config.clock = Arc::clone(&clock) as Arc<dyn foldback::Clock>;
        config.segment_age_max = Duration::from_secs(86_400);
        config.policy = Policy { fold_ratio: 0.1, fold_bytes_min: 1, ..Policy::default() };
        let database = Database::open(config).expect("it opens");
        let table = database.create_table("orders").expect("the name is free");
        Self { _scratch: scratch, clock, database, table }
    }

    fn protect(&self, retention: Retention) -> Commit {
        self.database.protect("orders", retention).expect("it is not protected")
    }

    fn put(&self, key: &str, value: &str) -> Commit {
        let (key, value) = (key.to_owned(), value.to_owned());
        self.table.put(key, value).wait().expect("it commits")
    }

    fn delete(&self, key: &str) -> Commit {
        self.table.delete(key.to_owned()).wait().expect("it commits")
    }

    fn rows(&self, target: Target) -> Result<State, Error> {
        let plan = self.database.plan("orders", target, &Selection::all())?;
        Ok(planned_rows(&self.database, &plan))
    }

    /// Seals, folds and gives up all that is due.
    fn tidy(&self) {
        self.database.seal().expect("the bucket takes it");
        self.database.compact().expect("history can be read");
    }

    fn check(&self, target: Target, expected: &[(&str, &str)]) {
        let rows = self.rows(target).unwrap_or_else(|error| panic!("{target}: {error}"));
        let bytes = |text: &str| text.as_bytes().to_vec();
        let expected: State =
            expected.iter().map(|(key, value)| (bytes(key), bytes(value))).collect();
        assert_eq!(rows, expected, "{target}");
    }

    fn check_outside(&self, target: Target) {
        let answer = self.rows(target);
        assert!(matches!(answer, Err(Error::OutsideWindow { .. })), "{target}: {answer:?}");
    }
}

#[test]
fn a_key_deleted_while_the_table_was_not_protected_stays_away() {
    // A fold above a table that had started empty once more read a delta of the time before the
    // gap, and brought back what had been deleted in it.
    let place = Place::new();
    place.protect(Retention::Forever);
    place.put("gone", "1");
    place.database.unprotect("orders").expect("it is protected");
    let in_the_gap = place.delete("gone");
    let again = place.protect(Retention::Forever);
    let kept = place.put("kept", "2");
    for round in 0..2 {
        place.check(Target::Seq(again.seq), &[]);
        place.check(Target::Seq(kept.seq), &[("kept", "2")]);
        place.check(Target::Latest, &[("kept", "2")]);
        place.check_outside(Target::Seq(in_the_gap.seq));
        place.check_outside(Target::Seq(again.seq.prev()));
        place.tidy();
        let folded = place.database.plan("orders", Target::Latest, &Selection::all());
        let has_base = folded.expect("it is restorable").pieces[0].base.is_some();
        assert!(has_base, "round {round} has nothing folded");
    }
}

#[test]
fn instants_are_inclusive_and_batches_of_one_instant_belong_together() {
    let place = Place::new();
    let protected = place.protect(Retention::Forever);
    place.clock.advance(10);
    let (first, second) = (place.put("a", "1"), place.put("b", "2"));
    assert_eq!(first.timestamp, second.timestamp);
    place.clock.advance(10);
    let third = place.put("a", "3");
    for round in ["in the log", "in the bucket"] {
        place.check(Target::At(first.timestamp.saturating_add_micros(-1)), &[]);
        place.check(Target::Before(first.timestamp), &[]);
        place.check(Target::Seq(first.seq), &[("a", "1")]);
        place.check(Target::At(first.timestamp), &[("a", "1"), ("b", "2")]);
        place.check(Target::Before(third.timestamp), &[("a", "1"), ("b", "2")]);
        place.check(Target::At(third.timestamp), &[("a", "3"), ("b", "2")]);
        place.check(Target::At(protected.timestamp), &[]);
        place.check_outside(Target::Before(protected.timestamp));
        place.check_outside(Target::Seq(protected.seq.prev()));
        place.check_outside(Target::Seq(Seq::ZERO));
        let beyond = place.rows(Target::Seq(third.seq.next()));
        assert!(matches!(beyond, Err(Error::NoSuchCommit { .. })), "{round}: {beyond:?}");
        let tomorrow = place.rows(Target::At(third.timestamp.saturating_add_micros(1)));
        assert!(matches!(tomorrow, Err(Error::InFuture { .. })), "{round}: {tomorrow:?}");
        place.database.seal().expect("the bucket takes it");
    }
}

#[test]
fn an_instant_that_was_asked_for_stays_what_it_was() {
    let place = Place::new();
    place.protect(Retention::Forever);
    place.put("a", "1");
    place.clock.advance(50);
    let now = Timestamp(START + 50);
    place.check(Target::At(now), &[("a", "1")]);
    let later = place.put("a", "2");
    assert_eq!(later.timestamp, Timestamp(START + 51), "the clock still stands");
    place.check(Target::At(now), &[("a", "1")]);
    place.check(Target::Before(later.timestamp), &[("a", "1")]);
    let stamped = WriteOptions { timestamp: Some(now), ..WriteOptions::default() };
    let mut batch = WriteBatch::new();
    batch.put(place.table.id(), "a", "3");
    let refused = place.database.write(batch, stamped).wait();
    assert!(matches!(refused, Err(Error::TimeGoesBack { .. })), "{refused:?}");
}

#[test]
fn the_horizon_is_an_edge_too() {
    let place = Place::new();
    place.protect(Retention::Secs(1));
    place.clock.advance(100);
    let first = place.put("a", "1");
    place.tidy();
    place.clock.advance(100);
    let second = place.put("a", "2");
    place.tidy();
    place.clock.set(Timestamp(second.timestamp.0 + SECOND - 1));
    place.tidy();
    place.check(Target::Seq(first.seq), &[("a", "1")]);
    place.check(Target::At(second.timestamp.saturating_add_micros(-1)), &[("a", "1")]);
    place.clock.advance(1);
    // The horizon is the second commit's own instant: no instant has the first one's state now.
    place.tidy();
    place.check_outside(Target::Seq(first.seq));
    place.check_outside(Target::Before(second.timestamp));
    place.check(Target::Seq(second.seq), &[("a", "2")]);
    place.check(Target::At(second.timestamp), &[("a", "2")]);
    let window = place.database.windows("orders").expect("it is protected")[0];
    assert_eq!((window.earliest, window.first), (second.timestamp, second.seq));
    // A key that was last written long before the horizon is still there.
    place.clock.advance(900 * SECOND);
    place.tidy();
    place.check(Target::Latest, &[("a", "2")]);
    place.check(Target::At(Timestamp(second.timestamp.0 + 900 * SECOND)), &[("a", "2")]);
}

#[test]
fn a_clock_that_goes_back_moves_no_window_back() {
    let place = Place::new();
    place.protect(Retention::Secs(1));
    place.clock.advance(10 * SECOND);
    let last = place.put("a", "1");
    let before = place.database.windows("orders").expect("it is protected");
    place.clock.advance(-5 * SECOND);
    assert_eq!(place.database.windows("orders").expect("it is protected"), before);
    assert_eq!(before[0].latest, last.timestamp);
    assert_eq!(place.put("a", "2").timestamp, last.timestamp);
    place.check(Target::At(last.timestamp), &[("a", "2")]);
}
