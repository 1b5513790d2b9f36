//! Cases about restores: of restored tables, into names that are taken, that fail, and that race.

use std::collections::BTreeSet;
use std::sync::Barrier;

use foldback::log_tier::{Error as TierError, names};
use foldback::{Commit, Database, Error, RestorePlan, Result, Retention, Target};

use super::place::{HASTY, Place, SECOND, just_before, state};
use crate::support::{State, rows};

/// A restored table has an id, a history and a lineage of its own, however long the chain is, and
/// needs nothing of the table that it came from.
#[test]
fn case_20_a_restore_of_a_restored_table() {
    const DEPTH: usize = 6;
    let place = Place::with(HASTY);
    let table = place.table("life-0", Retention::Secs(1_000));
    let mut ids = vec![table.id()];
    let mut last = place.put(&table, "a", "0");
    place.put(&table, "a", "after the target");
    drop(table);
    for life in 1..DEPTH {
        let (from, name) = (format!("life-{}", life - 1), format!("life-{life}"));
        if life % 2 == 0 {
            place.tidy();
        }
        let plan = place.plan(&from, Target::Seq(last.seq)).expect("it is restorable");
        let restored = place.database.restore(&plan, &name).expect("the name is free");
        place.clock.advance(10);
        let unprotected = place.rows(&name, Target::Latest);
        assert!(matches!(unprotected, Err(Error::NotProtected { .. })), "{unprotected:?}");
        place.database.protect(&name, Retention::Secs(1_000)).expect("it is not protected");
        place.clock.advance(10);
        let table = place.database.table(&name).expect("it is live");
        let record = table.record().expect("it is live");
        let lineage = record.lineage.expect("it was restored");
        assert_eq!((lineage.source, lineage.target), (ids[life - 1], last));
        assert!(!ids.contains(&table.id()), "a new id");
        // Its own history begins with itself: earlier states are those of the one before.
        place.check_outside(&name, Target::Seq(last.seq));
        place.check_outside(&name, Target::At(just_before(restored.commit)));
        ids.push(table.id());
        last = place.put(&table, "a", &life.to_string());
        place.put(&table, "b", "after the target");
    }
    for (life, id) in ids.iter().enumerate().take(DEPTH - 1) {
        place.database.drop_table(&format!("life-{life}")).expect("it is live");
        place.database.discard_history(*id).expect("it has a history");
    }
    place.clock.advance(10);
    place.tidy();
    place.clock.advance(10 * SECOND);
    place.tidy();
    let name = format!("life-{}", DEPTH - 1);
    let value = (DEPTH - 1).to_string();
    let place = place.everywhere(|place, stage| {
        place.check(&name, Target::Seq(last.seq), &[("a", &value)]);
        let record = place.database.table_record(&name).expect("it is live");
        let source = record.lineage.expect("it was restored").source;
        assert_eq!(source, ids[DEPTH - 2], "{stage}");
        let gone = place.rows(source, Target::Seq(last.seq));
        assert!(matches!(gone, Err(Error::OutsideWindow { .. })), "{stage}: {gone:?}");
    });
    place.check(&name, Target::Latest, &[("a", &value), ("b", "after the target")]);
}

/// What a place holds besides history: tables, trees on disk, leases.
fn traces(place: &Place) -> (Vec<String>, BTreeSet<String>, usize) {
    let tables = place.database.tables().into_iter().map(|record| record.name).collect();
    let trees = std::fs::read_dir(place.config("db").directory.join(names::PRESENT_DIRECTORY));
    let trees = trees.expect("it can be listed").map(|tree| tree.expect("it can be").file_name());
    let trees = trees.map(|name| name.to_string_lossy().into_owned()).collect();
    let leases = place.database.look().expect("the bucket is there").leases.len();
    (tables, trees, leases)
}

/// A table of so many rows that a restore reports on its way.
fn large_table(place: &Place) -> Commit {
    let table = place.table("orders", Retention::Forever);
    let mut batch = foldback::WriteBatch::new();
    for number in 0..40_000_u32 {
        batch.put(table.id(), number.to_be_bytes().to_vec(), "value");
    }
    let written = place.database.write(batch, foldback::WriteOptions::default()).wait();
    place.clock.advance(10);
    place.database.seal().expect("the bucket takes it");
    written.expect("it commits")
}

/// A name that is taken is refused before anything is read; whatever goes wrong later leaves
/// nothing behind, and what was in the way once does not stay there.
#[test]
fn case_21_a_target_that_is_taken_or_fails() {
    // No request but those of the restore.
    let place = Place::without_upkeep();
    let written = large_table(&place);
    let plan = place.plan("orders", Target::Seq(written.seq)).expect("it is restorable");
    let before = traces(&place);
    let requests = place.database.traffic().requests();
    let taken = place.database.restore(&plan, "orders");
    assert!(matches!(taken, Err(Error::TableExists { .. })), "{taken:?}");
    let wrong = place.database.restore(&plan, "no/name");
    assert!(matches!(wrong, Err(Error::Invalid(_))), "{wrong:?}");
    assert_eq!(place.database.traffic().requests(), requests, "nothing was read");
    assert_eq!(traces(&place), before);

    // Somebody else takes the name while the restore reads, and the machine stops in the midst.
    let mut image = None;
    let raced = place.database.restore_watched(&plan, "new", &mut |_| {
        if image.is_none() {
            place.database.create_table("new").expect("it is free until the restore has it");
            image = Some(place.copy("image"));
        }
    });
    assert!(matches!(raced, Err(Error::TableExists { .. })), "{raced:?}");
    assert_eq!(rows(&place.database, "new").len(), 0, "the other one's table is as it was");
    place.database.drop_table("new").expect("it is live");
    assert_eq!(traces(&place), before);
    let image = image.expect("it reports on its way");
    let stopped = Database::open(image.clone()).expect("it opens");
    let tables: Vec<_> = stopped.tables().into_iter().map(|record| record.name).collect();
    assert_eq!(tables, ["new", "orders"]);
    let trees = std::fs::read_dir(image.directory.join(names::PRESENT_DIRECTORY));
    assert_eq!(trees.expect("it can be listed").count(), before.1.len() + 1);
    drop(stopped);

    // A file of it is damaged: the error names it.
    let file = &plan.files().last().expect("it reads files").file;
    let (path, hidden) = (place.path("bucket").join(&file.name), place.path("hidden"));
    std::fs::copy(&path, &hidden).expect("it is there");
    let mut bytes = std::fs::read(&path).expect("it is there");
    let middle = usize::try_from(file.tail_offset).expect("small") / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).expect("it can be written");
    let damaged = place.database.restore(&plan, "new");
    let Err(Error::Tier(TierError::Corrupt { file: named, .. })) = &damaged else {
        panic!("{damaged:?}")
    };
    assert!(named.contains(&file.name), "{named}");
    assert_eq!(traces(&place), before);
    std::fs::copy(&hidden, &path).expect("it can be mended");
    let restored = place.database.restore(&plan, "new").expect("the name is still free");
    assert_eq!(restored.rows, 40_000);
    assert_eq!(rows(&place.database, "new"), rows(&place.database, "orders"));
}

/// Settings have a history as rows do: what a retention was at an instant is known after it has
/// changed, and a table that is brought back has the one it was dropped with.
#[test]
fn case_22_settings_as_of_an_instant_and_now() {
    let place = Place::new();
    let table = place.table("orders", Retention::Secs(1_000));
    let first = place.put(&table, "a", "1");
    drop(table);
    place.clock.advance(SECOND);
    let longer = place.database.set_retention("orders", Retention::Secs(2_000));
    let longer = longer.expect("it is protected");
    place.clock.advance(SECOND);
    let longest = place.database.set_retention("orders", Retention::Forever);
    let longest = longest.expect("it is protected");
    place.clock.advance(SECOND);
    let shorter = place.database.set_retention("orders", Retention::Secs(500));
    let shorter = shorter.expect("it is protected");
    let in_effect = shorter.timestamp.saturating_add_micros(60 * SECOND);
    place.clock.set(in_effect);
    let edges = [
        (first.timestamp, Retention::Secs(1_000)),
        (just_before(longer), Retention::Secs(1_000)),
        (longer.timestamp, Retention::Secs(2_000)),
        (just_before(longest), Retention::Secs(2_000)),
        (longest.timestamp, Retention::Forever),
        (shorter.timestamp, Retention::Forever),
        (in_effect.saturating_add_micros(-1), Retention::Forever),
        (in_effect, Retention::Secs(500)),
    ];
    let place = place.everywhere(|place, stage| {
        let record = place.database.table_record("orders").expect("it is live");
        for (instant, retention) in edges {
            let then = record.protection[0].retention_at(instant);
            assert_eq!(then, retention, "{stage}: at {instant:?}");
        }
        place.check("orders", Target::At(first.timestamp), &[("a", "1")]);
    });
    let reader = place.reader();
    let sealed = reader.table_record("orders").expect("it is live");
    assert_eq!(sealed, place.database.table_record("orders").expect("it is live"));

    // A restore has none of the settings, and says of whom it is; bringing back has all.
    let plan = place.plan("orders", Target::At(first.timestamp)).expect("it is restorable");
    place.database.restore(&plan, "then").expect("the name is free");
    let restored = place.database.table_record("then").expect("it is live");
    assert_eq!((restored.protection, restored.lineage.map(|it| it.target)), (vec![], Some(first)));
    place.database.drop_table("orders").expect("it is live");
    place.clock.advance(10);
    let back = place.database.undrop_table("orders", None, &mut |_| {});
    back.expect("its last state is kept");
    let record = place.database.table_record("orders").expect("it is live");
    let protection = record.open_protection().expect("it is protected");
    assert_eq!(protection.retention_at(place.clock_now()), Retention::Secs(500));
}

/// Starts these restores into `new` at once, and beside them, perhaps, the making of such a table.
/// Tells of each what it has come to: the commit that was restored, or none.
fn race(place: &Place, plans: &[RestorePlan], creates: bool) -> Vec<Result<Option<Commit>>> {
    let start = Barrier::new(plans.len() + 1);
    let restore = |plan| {
        start.wait();
        place.database.restore(plan, "new").map(|restored| Some(restored.target))
    };
    let restore = &restore;
    std::thread::scope(|scope| {
        let racers: Vec<_> = plans.iter().map(|plan| scope.spawn(move || restore(plan))).collect();
        start.wait();
        let created = creates.then(|| place.database.create_table("new").map(|_| None));
        let restored = racers.into_iter().map(|racer| racer.join().expect("it ends"));
        restored.chain(created).collect()
    })
}

/// Of those that want one name at once one gets it, and nothing of the others remains.
#[test]
fn case_31_two_restores_for_one_name() {
    let place = Place::new();
    let table = place.table("orders", Retention::Forever);
    let values = ["1", "2", "3"];
    let commits = values.map(|value| place.put(&table, "a", value));
    place.database.seal().expect("the bucket takes it");
    let plans = commits.map(|commit| place.plan("orders", Target::Seq(commit.seq)));
    let plans = plans.map(|plan| plan.expect("it is restorable"));
    let before = traces(&place);
    for round in 0..40 {
        let (won, lost): (Vec<_>, Vec<_>) =
            race(&place, &plans, round % 4 == 0).into_iter().partition(Result::is_ok);
        let [Ok(won)] = &won[..] else { panic!("{won:?} have won, {lost:?} have not") };
        for lost in lost.into_iter().filter_map(Result::err) {
            assert!(matches!(lost, Error::TableExists { .. }), "{lost}");
        }
        let expected = won.map_or_else(State::new, |won| {
            let at = commits.iter().position(|commit| *commit == won);
            state(&[("a", values[at.expect("it is one of them")])])
        });
        assert_eq!(rows(&place.database, "new"), expected, "round {round}");
        place.database.drop_table("new").expect("it is live");
        assert_eq!(traces(&place), before, "round {round}");
    }
}
