//! Files that are replaced, or lost, while a plan that names them is run.

use foldback::log_tier::Error as TierError;
use foldback::{Database, Error, Policy, Selection, Target, WriteOptions};

use super::{EAGER, Place, history, read, rows_of};
use crate::support::{State, collect, planned_rows};

/// Neither merges nor folds.
const IDLE: Policy = Policy { merge_fanout: 1_000, fold_bytes_min: u64::MAX, ..EAGER };

/// A database that has sealed many small deltas, its last state, and its place.
fn many_deltas() -> (Place, Database, State) {
    let place = Place::new();
    let (writer, table) = place.writer();
    let mut last = State::new();
    for (round, (batch, state)) in history(&table, 240).into_iter().enumerate() {
        writer.write(batch, WriteOptions::default()).wait().expect("it commits");
        last = state;
        if round == 119 {
            writer.seal().expect("the bucket takes it");
            writer.compact().expect("history can be read");
        }
    }
    drop((table, writer));
    let mut config = place.config("writer");
    config.policy = IDLE;
    let writer = Database::open(config).expect("it opens again");
    writer.seal().expect("the bucket takes it");
    (place, writer, last)
}

/// Opens the writer again with an eager policy, so that it replaces files, and deletes those that
/// no manifest names then; says how many.
fn replace_files(place: &Place, writer: Database) -> (Database, usize) {
    drop(writer);
    let writer = Database::open(place.config("writer")).expect("it opens again");
    let table = writer.table("orders").expect("it is live");
    for (batch, _) in history(&table, 60) {
        writer.write(batch, WriteOptions::default()).wait().expect("it commits");
        writer.seal().expect("the bucket takes it");
    }
    writer.compact().expect("history can be read");
    let live: Vec<_> = writer.manifest().files.iter().map(|file| file.name.clone()).collect();
    let mut deleted = 0;
    for path in place.objects("writer.bucket") {
        let name = path.to_string_lossy().into_owned();
        if name.contains("/history/") && !live.iter().any(|live| name.ends_with(live)) {
            std::fs::remove_file(path).expect("it is there");
            deleted += 1;
        }
    }
    (writer, deleted)
}

#[test]
fn a_plan_goes_on_where_its_files_were_replaced() {
    let (place, writer, last) = many_deltas();
    let reader = place.reader();
    let sealed = reader.sealed();
    let plan = reader.plan("orders", Target::Seq(sealed.seq), &Selection::all()).expect("sealed");
    assert!(plan.pieces.len() > 2, "it has {} pieces", plan.pieces.len());
    let mut rows = reader.plan_rows(&plan).expect("the plan is of its database");
    let some: Vec<_> = rows.by_ref().take(5).map(|row| row.expect("it is there")).collect();

    let (writer, deleted) = replace_files(&place, writer);
    let named = |name: &str| plan.files().any(|read| read.file.name == name);
    let gone = |plan: &foldback::RestorePlan| {
        let live = writer.manifest();
        plan.files().filter(|read| live.files.iter().all(|f| f.name != read.file.name)).count()
    };
    assert!(deleted > 0 && gone(&plan) > 0, "nothing that the plan names was replaced");
    let whole: State = collect(some.into_iter().map(Ok).chain(rows));
    assert_eq!(whole, last);
    assert!(writer.manifest().files.iter().any(|file| !named(&file.name)));

    // The same plan from its beginning, here and through the database.
    assert_eq!(rows_of(&reader, &plan), last);
    assert_eq!(planned_rows(&writer, &plan), last);
    assert!(reader.sealed().seq > sealed.seq, "the reader was refreshed on the way");
    // A reader that has not looked since finds the newest by itself.
    let restored = writer.restore_from(&reader, &plan, "restored", &mut |_| {});
    assert_eq!(restored.expect("it restores").rows, u64::try_from(last.len()).expect("few"));
}

#[test]
fn a_reader_that_has_not_looked_since_plans_on_what_is_there() {
    let (place, writer, last) = many_deltas();
    let reader = place.reader();
    let sealed = reader.sealed();
    let (_writer, deleted) = replace_files(&place, writer);
    assert!(deleted > 0);
    assert_eq!(reader.sealed(), sealed);
    assert_eq!(read(&reader, Target::Seq(sealed.seq)).expect("it is sealed"), last);
}

#[test]
fn a_file_that_the_newest_manifest_names_is_lost_and_said_to_be() {
    let (place, writer, _) = many_deltas();
    let reader = place.reader();
    let plan = reader.plan("orders", Target::Latest, &Selection::all()).expect("it is sealed");
    let lost = plan.files().last().expect("it reads files").file.name.clone();
    std::fs::remove_file(place.path("writer.bucket").join(&lost)).expect("it is there");
    let requests = reader.traffic().requests();
    let error = reader.plan_rows(&plan).expect("it starts").find_map(Result::err);
    let Some(Error::Tier(TierError::Missing { object })) = error else { panic!("{error:?}") };
    assert_eq!(object, lost);
    let asked = reader.traffic().requests() - requests;
    let once = plan.bucket_requests();
    assert!(asked < 3 * once + 20, "{asked} requests for a plan of {once}");
    drop(writer);
}
