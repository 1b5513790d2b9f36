//! The drill: two ways to the same state, and what is published of it.

use foldback::log_tier::remote::RemoteOptions;
use foldback::{
    Answer, Drill, DrillOptions, DrillOutcome, DrilledState, Error, Retention, TableRef,
    VerifyLevel,
};

use super::{FOLDS, IDLE, MERGES, Place, flip, history};

fn all(instants: u32, seed: u64) -> DrillOptions {
    DrillOptions { table: None, instants, seed }
}

fn drill(place: &Place, bucket: &str, options: &DrillOptions) -> Vec<DrilledState> {
    let opened = Drill::open(&place.url(bucket), &RemoteOptions::default(), place.clock());
    let drill = opened.expect("it holds history");
    drill.run(options, &mut |_, _, _| {}).expect("the bucket can be read")
}

#[test]
fn both_ways_agree_wherever_history_was_merged_and_folded() {
    let mut place = history();
    for policy in [IDLE, MERGES, FOLDS] {
        let database = place.open(policy);
        place.write(&database, "orders", 3);
        database.compact().expect("history can be read");
        drop(database);
        let states = drill(&place, "bucket", &all(60, 1));
        assert!(states.len() > 30, "{} states", states.len());
        let differs = states.iter().find(|it| !matches!(it.outcome, DrillOutcome::Same(_)));
        assert_eq!(differs, None);
        assert!(
            states.iter().any(|it| matches!(it.outcome, DrillOutcome::Same(rows) if rows > 20))
        );
    }
}

#[test]
fn what_was_proved_is_published_and_only_rises() {
    let mut place = history();
    let sealed = place.manifest("bucket").sealed;
    let states = drill(&place, "bucket", &all(2, 5));
    assert_eq!(drill(&place, "bucket", &all(2, 5)), states, "a seed chooses the same");
    let verified = place.manifest("bucket").verified;
    assert_eq!(verified.len(), 2, "one for each table");
    assert!(verified.iter().all(|verified| verified.at == sealed), "{verified:?}");

    let database = place.open(IDLE);
    place.write(&database, "orders", 2);
    let orders = TableRef::from("orders");
    let options = DrillOptions { table: Some(orders), instants: 0, seed: 1 };
    let states = database.drill().run(&options, &mut |_, _, _| {}).expect("it can be read");
    assert_eq!(states.len(), 1);
    let after = database.manifest().verified.clone();
    assert_eq!((after[0].at, after[1]), (database.manifest().sealed, verified[1]));
    assert!(after[0].at > verified[0].at);
    let unknown = DrillOptions { table: Some("no-such".into()), instants: 0, seed: 1 };
    let refused = database.drill().run(&unknown, &mut |_, _, _| {});
    assert!(matches!(refused, Err(Error::TableNotFound { .. })), "{refused:?}");
}

/// A manifest that says of a base that it holds for longer than it does leads a restore astray. No
/// file is damaged, so that only the drill sees it.
#[test]
fn a_restore_that_is_led_astray_is_noticed_and_not_published() {
    let place = history();
    place.copy("astray");
    let orders = place.reader("bucket").expect("it is sound").table_record("orders");
    let orders = orders.expect("it is there").id;
    place.forge("astray", |manifest| {
        let sealed = manifest.sealed;
        let bases = manifest.files.iter_mut().filter(|file| file.is_base_of(orders));
        bases.for_each(|base| base.until = Some(sealed));
    });
    assert_eq!(place.verify("astray", VerifyLevel::Decode).findings, []);
    let states = drill(&place, "astray", &all(3, 1));
    let last = states.iter().rfind(|state| state.table == orders).expect("it was drilled");
    let DrillOutcome::Differs(difference) = &last.outcome else { panic!("{last:?}") };
    let is_newer = matches!(difference.replayed, Answer::Value { seq: Some(seq), .. }
        if seq > place.commits[4].seq);
    assert!(is_newer || difference.replayed == Answer::Absent, "{difference:?}");
    assert_ne!(difference.restored, difference.replayed);
    let verified = place.manifest("astray").verified;
    assert!(verified.iter().all(|verified| verified.table != orders), "{verified:?}");
    assert_eq!(verified.len(), 1, "the other table was proved");
}

#[test]
fn a_damaged_file_is_told_by_the_states_that_need_it() {
    let place = history();
    place.copy("damaged");
    let manifest = place.manifest("damaged");
    let last = manifest.files.last().expect("there are files");
    flip(&place.path("damaged").join(&last.name), 30);
    let states = drill(&place, "damaged", &all(0, 1));
    let broken: Vec<_> = states
        .iter()
        .filter_map(|state| match &state.outcome {
            DrillOutcome::Broken(reason) => Some((state.name.as_str(), reason)),
            DrillOutcome::Same(_) | DrillOutcome::Differs(_) => None,
        })
        .collect();
    let [("orders", reason)] = broken[..] else { panic!("{states:?}") };
    assert!(reason.contains(&last.name), "{reason}");
}

/// Nothing stays of what was proved of a table once nothing of it can be restored.
#[test]
fn what_was_proved_goes_with_the_last_state() {
    let mut place = Place::new();
    let database = place.open(IDLE);
    place.make_table(&database, "kept");
    place.make_table(&database, "orders");
    place.write(&database, "orders", 3);
    drop(database);
    drill(&place, "bucket", &all(0, 1));
    assert_eq!(place.manifest("bucket").verified.len(), 2);
    let database = place.open(IDLE);
    database.discard_history("orders").expect("it is protected");
    database.seal().expect("the bucket takes it");
    database.compact().expect("history can be read");
    let kept = database.table("kept").expect("it is live").id();
    let verified = database.manifest().verified.clone();
    assert_eq!(verified.iter().map(|it| it.table).collect::<Vec<_>>(), [kept]);
    database.protect("orders", Retention::Forever).expect("it is not protected");
}
