//! Files that are replaced, or lost, while a plan that names them is run.

use foldback::log_tier::Error as TierError;
use foldback::{Database, Error, Policy, Selection, Target, WriteOptions};

use super::{EAGER, Place, history, read, rows_of};
use crate::support::{State, collect, planned_rows};

/// Neither merges nor folds.
const IDLE: Policy = Policy { merge_fanout: 1_000, fold_bytes_min: u64::MAX, ..EAGER };
/// Merges, and never folds.
const MERGES: Policy = Policy { fold_bytes_min: u64::MAX, ..EAGER };

/// Opens the writer with another policy.
fn open(place: &Place, policy: Policy) -> Database {
    let mut config = place.config("writer");
    config.policy = policy;
    Database::open(config).expect("it opens again")
}

/// A database that has sealed a base in several pieces, and many small deltas above it; its last
/// state, and its place.
fn many_deltas() -> (Place, Database, State) {
    let place = Place::new();
    let (mut writer, table) = place.writer();
    let (mut last, batches) = (State::new(), history(&table, 240));
    drop(table);
    for (round, (batch, state)) in batches.into_iter().enumerate() {
        writer.write(batch, WriteOptions::default()).wait().expect("it commits");
        last = state;
        if round == 119 {
            writer.seal().expect("the bucket takes it");
            writer.compact().expect("history can be read");
            drop(writer);
            writer = open(&place, IDLE);
        }
        if round > 119 && round % 10 == 9 {
            writer.seal().expect("the bucket takes it");
        }
    }
    (place, writer, last)
}

/// Opens the writer again so that it merges deltas, and deletes those that no manifest names then.
fn replace_files(place: &Place, writer: Database) -> (Database, Vec<String>) {
    drop(writer);
    let writer = open(place, MERGES);
    writer.compact().expect("history can be read");
    let manifest = writer.manifest();
    let mut deleted = Vec::new();
    for path in place.objects("writer.bucket") {
        let name = path.to_string_lossy().into_owned();
        let is_live = manifest.files.iter().any(|file| name.ends_with(&file.name));
        if name.contains("/history/") && !is_live {
            std::fs::remove_file(path).expect("it is there");
            deleted.push(name);
        }
    }
    (writer, deleted)
}

#[test]
fn a_plan_goes_on_where_its_files_were_replaced() {
    let (place, writer, last) = many_deltas();
    let reader = place.reader();
    let plan = reader.plan("orders", Target::Latest, &Selection::all()).expect("it is sealed");
    assert!(plan.pieces.len() > 2, "it has {} pieces", plan.pieces.len());
    let mut rows = reader.plan_rows(&plan).expect("the plan is of its database");
    let some: Vec<_> = rows.by_ref().take(5).map(|row| row.expect("it is there")).collect();

    let (writer, deleted) = replace_files(&place, writer);
    let is_deleted = |name: &str| deleted.iter().any(|path| path.ends_with(name));
    let last_piece = plan.pieces.last().expect("it has some");
    assert!(last_piece.files().any(|read| is_deleted(&read.file.name)), "{deleted:?}");
    let whole: State = collect(some.into_iter().map(Ok).chain(rows));
    assert_eq!(whole, last);

    // The same plan from its beginning, here and through the database.
    assert_eq!(rows_of(&reader, &plan), last);
    assert_eq!(planned_rows(&writer, &plan), last);
    assert!(reader.manifest().number > plan.manifest, "the reader was refreshed on the way");
    let restored = writer.restore_from(&reader, &plan, "restored", &mut |_| {});
    assert_eq!(restored.expect("it restores").rows, u64::try_from(last.len()).expect("few"));
}

#[test]
fn a_reader_that_has_not_looked_since_plans_on_what_is_there() {
    let (place, writer, last) = many_deltas();
    let reader = place.reader();
    let (_writer, deleted) = replace_files(&place, writer);
    assert!(!deleted.is_empty());
    assert_eq!(read(&reader, Target::Latest).expect("it is sealed"), last);
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
    // Once more than the plan, to look for a newer manifest, and not once for every try.
    assert!(asked < once + 10, "{asked} requests for a plan of {once}");
    drop(writer);
}
