//! Several tables at one commit: all of them, or none.

use super::*;

/// Both tables, restored together under these names.
fn restore_both(
    place: &Place,
    (first, second): (&str, &str),
    watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Vec<Restored>> {
    let plans = both(place);
    let tables = [(&plans[0], first), (&plans[1], second)];
    place.database.restore_group(&tables, &RestoreOptions::default(), watch)
}

fn both(place: &Place) -> [RestorePlan; 2] {
    ["orders", "lines"].map(|name| place.plan(name, &Selection::all()))
}

#[test]
fn one_commit_shows_all_tables_of_a_group() {
    let place = Place::new(5_000);
    let tip = place.database.status().tip;
    let mut leases_seen = 0;
    place.database.seal().expect("the bucket takes it");
    let bucket = place.scratch.path().join("bucket").join("lease");
    let restored = restore_both(&place, ("orders-then", "lines-then"), &mut |progress| {
        // While the first is loaded, what the second will read is held too.
        if progress.rows > 0 && progress.rows < 5_000 {
            let leases = std::fs::read_dir(&bucket).expect("leases are objects there");
            leases_seen = leases_seen.max(leases.count());
        }
        ControlFlow::Continue(())
    });
    let restored = restored.expect("it restores");
    assert_eq!(leases_seen, 2);
    assert_eq!(restored[0].commit, restored[1].commit);
    assert_eq!((restored[0].target, restored[1].target), (tip, tip));
    for name in ["orders", "lines"] {
        let copy = rows(&place.database, &format!("{name}-then"));
        assert_eq!(copy, rows(&place.database, name));
    }
    let log = place.database.restores();
    let into: Vec<_> = log.iter().map(|record| &record.into).collect();
    let table = |name: &str, at: usize| RestoredInto::Table {
        name: name.to_owned(),
        id: Some(restored[at].table),
    };
    assert_eq!(into, [&table("lines-then", 1), &table("orders-then", 0)]);
    assert!(log.iter().all(|record| record.outcome == RestoreOutcome::Done));
}

#[test]
fn a_name_that_is_taken_meanwhile_leaves_none_of_a_group() {
    let place = Place::new(5_000);
    let mut made = false;
    let raced = restore_both(&place, ("orders-then", "lines-then"), &mut |progress| {
        if progress.rows > 5_000 && !made {
            place.database.create_table("lines-then").expect("the name is free");
            made = true;
        }
        ControlFlow::Continue(())
    });
    assert!(matches!(raced, Err(Error::TableExists { .. })), "{raced:?}");
    assert_eq!(place.names(), ["lines", "lines-then", "orders"]);
    // The catalog, two tables, and the one that was made in between.
    assert_eq!(place.trees().len(), 4);
    assert_eq!(rows(&place.database, "lines-then"), State::new());
    let failed = |record: &RestoreRecord| matches!(record.outcome, RestoreOutcome::Failed(_));
    let log = place.database.restores();
    assert!(log.len() == 2 && log.iter().all(failed), "{log:?}");
}

#[test]
fn two_restores_that_race_for_a_name_have_one_winner() {
    let place = Place::new(5_000);
    let plan = place.plan("orders", &Selection::all());
    let run = || place.database.restore(&plan, "copy");
    let done = std::thread::scope(|scope| {
        let racers = [scope.spawn(run), scope.spawn(run), scope.spawn(run)];
        racers.map(|racer| racer.join().expect("it does not panic"))
    });
    assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1, "{done:?}");
    let taken = |done: &&Result<Restored>| matches!(done, Err(Error::TableExists { .. }));
    assert_eq!(done.iter().filter(taken).count(), 2, "{done:?}");
    assert_eq!(rows(&place.database, "copy"), rows(&place.database, "orders"));
    assert_eq!(place.trees().len(), 4);
}

#[test]
fn a_group_is_of_one_commit_and_of_as_many_names_as_tables() {
    let place = Place::new(10);
    let earlier = place.plan("orders", &Selection::all());
    place.fill(10, "second");
    let [orders, lines] = both(&place);
    let options = RestoreOptions::default();
    let refused = |tables: &[(&RestorePlan, &str)], says: &str| {
        let checked = place.database.check_restore(tables, &options);
        let Err(Error::Invalid(why)) = checked else { panic!("{says}: {checked:?}") };
        assert!(why.contains(says), "{why}");
        let run = place.database.restore_group(tables, &options, &mut on);
        assert!(matches!(run, Err(Error::Invalid(_))), "{run:?}");
    };
    refused(&[(&earlier, "a"), (&lines, "b")], "to one commit");
    refused(&[(&orders, "a"), (&lines, "a")], "can't both be named");
    refused(&[(&orders, "a"), (&lines, "no name")], "can't name a table");
    refused(&[], "at least one table");
    assert_eq!(place.names(), ["lines", "orders"]);
    assert_eq!(place.database.restores(), []);
    assert_eq!(place.trees().len(), 3);
}

/// What a process leaves that is killed is what lies on the disk at that moment.
#[test]
fn a_crash_at_any_report_leaves_none_of_a_group() {
    let place = Place::new(5_000);
    let scratch = place.scratch.path();
    let mut copies = 0;
    let restored = restore_both(&place, ("orders-then", "lines-then"), &mut |_| {
        let copy = scratch.join(format!("copy-{copies}"));
        copy_directory(&scratch.join("data"), &copy.join("data"));
        copy_directory(&scratch.join("bucket"), &copy.join("bucket"));
        copies += 1;
        ControlFlow::Continue(())
    });
    restored.expect("it restores");
    assert!(copies > 3, "there were {copies} reports");
    let before = rows(&place.database, "orders");
    let mut left = 0;
    for at in 0..copies {
        let copy = scratch.join(format!("copy-{at}"));
        left += trees(&copy.join("data")).len() - 3;
        let database = Database::open(config(&copy, "data")).expect("it opens");
        assert_eq!(database.tables().len(), 2);
        assert_eq!(rows(&database, "orders"), before);
        assert_eq!(trees(&copy.join("data")).len(), 3);
        assert_eq!(database.restores(), []);
    }
    assert!(left > 0, "no crash came while a tree was there");
}
