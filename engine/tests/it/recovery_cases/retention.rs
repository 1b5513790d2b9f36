//! Cases about what a retention keeps, and when it lets go.

use foldback::{Commit, Database, Error, Policy, Retention, Selection, Target, Timestamp};

use super::place::{FOLDS, HASTY, LAZY, Place, SECOND, just_before, read, state};
use crate::support::planned_rows;

/// A key that was last written long before the horizon is in every restorable state, whether other
/// tables are written or nothing is.
#[test]
fn case_01_a_key_last_written_before_the_horizon() {
    for (busy, policy) in [(false, FOLDS), (false, HASTY), (true, FOLDS), (true, HASTY)] {
        let place = Place::with(policy);
        let idle = place.table("idle", Retention::Secs(100));
        let others = place.table("others", Retention::Secs(100));
        let written = place.put(&idle, "a", "1");
        place.put(&others, "z", "1");
        place.tidy();
        for round in 0..20 {
            place.clock.advance(20 * SECOND);
            if busy {
                place.put(&others, "z", &round.to_string());
            }
            place.tidy();
            let window = place.database.windows("idle").expect("it is protected")[0];
            let horizon = Timestamp(place.clock_now().0 - 100 * SECOND);
            let promised = horizon.max(written.timestamp);
            for instant in [promised, Timestamp(promised.0 + 1), window.latest] {
                place.check("idle", Target::At(instant), &[("a", "1")]);
            }
            // The window may still begin when there was nothing.
            let first: &[_] = if window.first < written.seq { &[] } else { &[("a", "1")] };
            place.check("idle", Target::At(window.earliest), first);
            place.check("idle", Target::Seq(window.first), first);
            place.check("idle", Target::Latest, &[("a", "1")]);
        }
        let window = place.database.windows("idle").expect("it is protected")[0];
        assert_eq!(window.earliest > written.timestamp, busy, "{window:?}");
        let reader = place.reader();
        let kept = window.first.max(written.seq);
        let rows = read(&reader, "idle", Target::Seq(kept)).expect("it is sealed");
        assert_eq!(rows, state(&[("a", "1")]));
        drop((idle, others));
        place.everywhere(|place, _| {
            let window = place.database.windows("idle").expect("it is protected")[0];
            place.check("idle", Target::At(window.earliest.max(written.timestamp)), &[("a", "1")]);
            place.check("idle", Target::Latest, &[("a", "1")]);
        });
    }
}

/// A key that was deleted before the horizon stays away, and inside the window it is there up to
/// its delete: however the base lies to both.
#[test]
fn case_03_a_key_deleted_before_the_horizon() {
    for policy in [FOLDS, HASTY, LAZY] {
        for tidies in 0..8_u32 {
            check_deleted(policy, tidies);
        }
    }
}

/// Tidies after the put, after the delete, and before the expiry, as the bits of `tidies` say.
fn check_deleted(policy: Policy, tidies: u32) {
    let place = Place::with(policy);
    let table = place.table("orders", Retention::Secs(100));
    let tidy_if = |bit: u32| {
        if tidies & bit != 0 {
            place.tidy();
        }
    };
    place.put(&table, "stays", "1");
    let put: Commit = place.put(&table, "goes", "1");
    tidy_if(1);
    place.clock.advance(20 * SECOND);
    let deleted = place.delete(&table, "goes");
    tidy_if(2);
    place.clock.advance(20 * SECOND);
    place.put(&table, "stays", "2");
    let with: &[_] = &[("goes", "1"), ("stays", "1")];
    place.check("orders", Target::At(put.timestamp), with);
    place.check("orders", Target::At(just_before(deleted)), with);
    place.check("orders", Target::At(deleted.timestamp), &[("stays", "1")]);
    place.clock.set(Timestamp(deleted.timestamp.0 + 100 * SECOND - 1));
    tidy_if(4);
    // The horizon is a microsecond before the delete.
    place.check("orders", Target::At(just_before(deleted)), with);
    for round in 0..8 {
        place.clock.advance(30 * SECOND);
        place.put(&table, "stays", &round.to_string());
        place.tidy();
        let window = place.database.windows("orders").expect("it is protected")[0];
        let from = window.first.max(deleted.seq);
        let mut seq = from;
        while seq <= window.last {
            let rows = place.rows("orders", Target::Seq(seq)).expect("it is in the window");
            let keys: Vec<_> = rows.keys().map(Vec::as_slice).collect();
            assert_eq!(keys, [b"stays"], "{tidies}: #{seq}");
            seq = seq.next();
        }
    }
    let again = place.put(&table, "goes", "again");
    place.tidy();
    drop(table);
    let place = place.reopened();
    place.check("orders", Target::Before(again.timestamp), &[("stays", "7")]);
    place.check("orders", Target::Latest, &[("goes", "again"), ("stays", "7")]);
}

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
        record.protection[0].pending_at(place.clock_now()).copied()
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
