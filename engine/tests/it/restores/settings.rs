//! Which of its source's settings a restored table gets, and from when on it is safe.

use super::*;

#[test]
fn settings_are_those_of_the_target_of_now_or_those_given() {
    let place = Place::new(10);
    let database = &place.database;
    let plan = place.plan("orders", &Selection::all());
    database.set_retention("orders", Retention::Forever).expect("it is longer");
    for (at, (asked, expected)) in [
        (RestoreProtection::Unprotected, None),
        (RestoreProtection::AsOfTarget, Some(Retention::Secs(86_400))),
        (RestoreProtection::AsOfNow, Some(Retention::Forever)),
        (RestoreProtection::For(Retention::Secs(7)), Some(Retention::Secs(7))),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("copy-{at}");
        let done = database.restore_with(&plan, &name, &protected(asked), &mut on);
        let restored = done.expect("it restores");
        assert_eq!(restored.retention, expected);
        let record = database.table_record(restored.table).expect("it is there");
        let open = record.open_protection().map(|interval| (interval.first, interval.retention));
        assert_eq!(open, expected.map(|retention| (restored.commit, retention)));
        assert_eq!(rows(database, &name), rows(database, "orders"));
    }
}

#[test]
fn what_is_not_protected_now_has_no_settings_of_now() {
    let place = Place::new(10);
    let plan = place.plan("orders", &Selection::all());
    place.database.unprotect("orders").expect("it is protected");
    let tip = place.database.status().tip;
    for wrong in [RestoreProtection::AsOfNow, RestoreProtection::For(Retention::Secs(0))] {
        let refused = place.database.restore_with(&plan, "copy", &protected(wrong), &mut on);
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    }
    assert_eq!(place.database.status().tip, tip);
    let options = protected(RestoreProtection::AsOfTarget);
    let restored = place.database.restore_with(&plan, "copy", &options, &mut on);
    assert_eq!(restored.expect("it restores").retention, Some(Retention::Secs(86_400)));
}

/// An answer is a promise that the loss of the machine can't break.
#[test]
fn a_protected_table_is_safe_before_its_restore_is_acknowledged() {
    for keys in [3_000, 0] {
        let place = Place::new(keys);
        let plans = ["orders", "lines"].map(|name| place.plan(name, &Selection::all()));
        let tables = [(&plans[0], "orders-then"), (&plans[1], "lines-then")];
        let options = protected(RestoreProtection::AsOfTarget);
        let restored = place.database.restore_group(&tables, &options, &mut on);
        let commit = restored.expect("it restores")[0].commit;
        // The machine is gone at this very moment: only the bucket is left.
        let elsewhere = place.scratch.path().join("elsewhere");
        copy_directory(&place.scratch.path().join("bucket"), &elsewhere.join("bucket"));
        let recovery = Database::recover(config(&elsewhere, "data")).expect("it recovers");
        assert!(recovery.recovered_to.seq >= commit.seq);
        assert_eq!(recovery.lost_tables, [] as [String; 0]);
        for name in ["orders", "lines"] {
            let then = format!("{name}-then");
            assert_eq!(rows(&recovery.database, &then), rows(&place.database, name));
            let record = recovery.database.table_record(&then).expect("it is there");
            assert_eq!(record.open_protection().map(|interval| interval.first), Some(commit));
        }
        assert_eq!(recovery.database.restores(), place.database.restores());
    }
}
