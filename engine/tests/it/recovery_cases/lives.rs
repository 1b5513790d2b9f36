//! Cases about tables: their names, their lives, and the gaps in their histories.

use foldback::{Error, Retention, Selection, TableId, TableRef, Target, Timestamp};

use super::place::{Place, SECOND, just_before, state};
use crate::support::collect;

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

/// While a clock that went back is waited for, every commit carries one timestamp.
#[test]
fn case_19_a_life_within_one_instant_is_restored_by_number() {
    let place = Place::new();
    let table = place.database.create_table("orders").expect("the name is free");
    place.database.protect("orders", Retention::Forever).expect("it is not protected");
    let put = table.put("a", "1").wait().expect("it commits");
    let dropped = place.database.drop_table("orders").expect("it is live");
    assert_eq!(put.timestamp, dropped.timestamp);
    for _ in ["in the log", "in the bucket"] {
        // Every instant that a window tells of can be restored, and here there is none.
        assert_eq!(place.database.windows(table.id()).expect("it was protected"), []);
        place.check(table.id(), Target::Seq(put.seq), &[("a", "1")]);
        place.check(table.id(), Target::Latest, &[("a", "1")]);
        // The instant takes the drop, too.
        place.check_outside(table.id(), Target::At(put.timestamp));
        place.tidy();
    }
    place.database.undrop_table("orders", None, &mut |_| {}).expect("its last state is kept");
    let back = place.database.table("orders").expect("it is back");
    assert_eq!(back.get(b"a").expect("it can be read").as_deref(), Some(b"1".as_slice()));
}
