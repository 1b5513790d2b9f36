//! Restores into another database than the one whose history is read.

use foldback::{
    BucketReader, Database, Error, Lineage, Restored, Result, Retention, Selection, Target,
};

use super::{Place, put, read};
use crate::support::{State, planned_rows, rows};

fn restore(
    to: &Database,
    reader: &BucketReader,
    target: Target,
    new_name: &str,
) -> Result<Restored> {
    let plan = reader.plan("orders", target, &Selection::all())?;
    to.restore_from(reader, &plan, new_name, &mut |_| {})
}

#[test]
fn a_table_is_restored_into_another_database_and_has_a_history_there() {
    let place = Place::new();
    let (writer, table) = place.writer();
    for number in 0..40 {
        put(&table, &format!("key/{}", number % 9), &number.to_string());
    }
    let then = put(&table, "key/3", "then").seq;
    put(&table, "key/3", "later");
    writer.seal().expect("the bucket takes it");
    let reader = place.reader();
    let expected = read(&reader, Target::Seq(then)).expect("it is sealed");
    assert_eq!(expected[b"key/3".as_slice()], b"then");

    let other = Database::open(place.config("other")).expect("it opens");
    let restored = restore(&other, &reader, Target::Seq(then), "copy").expect("it restores");
    assert_eq!((restored.target.seq, restored.rows), (then, 9));
    assert_eq!(rows(&other, "copy"), expected);
    let copy = other.table("copy").expect("it is live");
    let lineage =
        Lineage { source: table.id(), target: restored.target, database: Some(writer.id()) };
    assert_eq!(copy.record().expect("it is live").lineage, Some(lineage));
    assert_eq!(rows(&writer, "orders")[b"key/3".as_slice()], b"later", "the source is untouched");

    // Its own history begins here, with a base, and outlives the machine.
    other.protect("copy", Retention::Forever).expect("it is not protected");
    let changed = put(&copy, "key/3", "changed here");
    other.seal().expect("the bucket takes it");
    let before = other.plan("copy", Target::Seq(changed.seq.prev()), &Selection::all());
    assert_eq!(planned_rows(&other, &before.expect("it is restorable")), expected);
    let now = rows(&other, "copy");
    drop((copy, other));
    let other = Database::open(place.config("other")).expect("it opens again");
    assert_eq!(other.opening().rebuilt_tables, Vec::<String>::new());
    assert_eq!(rows(&other, "copy"), now);
    drop(other);
    std::fs::remove_dir_all(place.path("other")).expect("it was made here");
    let recovery = Database::recover(place.config("other")).expect("the bucket holds it");
    assert_eq!(recovery.lost_tables, Vec::<String>::new());
    assert_eq!(rows(&recovery.database, "copy"), now);
    let record = recovery.database.table("copy").and_then(|copy| copy.record());
    assert_eq!(record.expect("it is live").lineage, Some(lineage));
}

#[test]
fn a_restore_into_another_database_is_all_or_nothing() {
    let place = Place::new();
    let (writer, table) = place.writer();
    put(&table, "a", "1");
    writer.seal().expect("the bucket takes it");
    let reader = place.reader();
    let other = Database::open(place.config("other")).expect("it opens");
    other.create_table("taken").expect("the name is free");
    let taken = restore(&other, &reader, Target::Latest, "taken");
    assert!(matches!(taken, Err(Error::TableExists { .. })), "{taken:?}");
    let wrong = restore(&other, &reader, Target::Latest, "no name");
    assert!(matches!(wrong, Err(Error::Invalid(_))), "{wrong:?}");

    let plan = reader.plan("orders", Target::Latest, &Selection::all()).expect("it is sealed");
    for path in place.objects("writer.bucket") {
        if path.to_string_lossy().contains("/history/") {
            std::fs::remove_file(path).expect("it is there");
        }
    }
    let lost = other.restore_from(&reader, &plan, "copy", &mut |_| {});
    assert!(lost.is_err(), "{lost:?}");
    assert_eq!(other.tables().len(), 1);
    drop(other);
    let other = Database::open(place.config("other")).expect("it opens again");
    assert_eq!(other.tables().len(), 1);
}

#[test]
fn a_plan_is_run_only_on_the_database_that_it_is_of() {
    // Both have a table `orders` of the same id with a commit #3, so a plan that was made again by
    // name and number would bring back rows of the wrong one.
    let place = Place::new();
    let (writer, table) = place.writer();
    put(&table, "a", "the writer's");
    writer.seal().expect("the bucket takes it");
    let reader = place.reader();
    let other = Database::open(place.config("other")).expect("it opens");
    let table = other.create_table("orders").expect("the name is free");
    other.protect("orders", Retention::Forever).expect("it is not protected");
    put(&table, "a", "the other's");
    other.seal().expect("the bucket takes it");

    let theirs = reader.plan("orders", Target::Latest, &Selection::all()).expect("it is sealed");
    let ours = other.plan("orders", Target::Latest, &Selection::all()).expect("it is sealed");
    let refused = [
        other.restore(&theirs, "copy").map(drop),
        other.plan_rows(&theirs).map(drop),
        reader.plan_rows(&ours).map(drop),
        other.restore_from(&reader, &ours, "copy", &mut |_| {}).map(drop),
    ];
    for answer in refused {
        assert!(matches!(answer, Err(Error::Invalid(_))), "{answer:?}");
    }
    assert_eq!(other.tables().len(), 1);

    // A reader of a database's own bucket is no other database.
    writer.restore(&theirs, "here").expect("it is of this database");
    let own = writer.restore_from(&reader, &theirs, "there", &mut |_| {}).expect("it restores");
    let expected: State = [(b"a".to_vec(), b"the writer's".to_vec())].into();
    assert_eq!((rows(&writer, "here"), rows(&writer, "there")), (expected.clone(), expected));
    let record = writer.table("there").and_then(|table| table.record()).expect("it is live");
    assert_eq!((record.id, record.lineage.expect("it was restored").database), (own.table, None));
    // What is not sealed is in a log that the reader does not have.
    put(&writer.table("orders").expect("it is live"), "b", "not sealed");
    let unsealed = writer.plan("orders", Target::Latest, &Selection::all()).expect("it is there");
    let refused = reader.plan_rows(&unsealed).map(drop);
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
}
