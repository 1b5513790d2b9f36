//! A clean end leaves little to replay, and no tiny files.

use crate::{Config, Database, Durability, WriteBatch, WriteOptions};

fn open(directory: &std::path::Path) -> Database {
    let config = Config { durability: Durability::Buffered, ..Config::new(directory) };
    Database::open(config).expect("it opens")
}

fn write(database: &Database, table: &str, values: u64) {
    let table = database.table(table).expect("it is there").id();
    for at in 0..values {
        let mut batch = WriteBatch::new();
        batch.put(table, at.to_be_bytes().to_vec(), vec![7; 100_000]);
        database.commit(batch, WriteOptions::default()).expect("it commits");
    }
}

#[test]
fn what_is_large_is_flushed_at_the_end_and_what_is_small_is_replayed() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let database = open(directory.path());
    for table in ["large", "small"] {
        database.create_table(table).expect("the name is free");
    }
    write(&database, "small", 10);
    drop(database);

    let database = open(directory.path());
    assert_eq!(database.opening().replayed_commits, 2 + 10, "all of that is little");
    write(&database, "large", 60);
    drop(database);

    let database = open(directory.path());
    assert_eq!(database.opening().replayed_commits, 10, "the small table alone is behind");
    for (table, values) in [("large", 60_u64), ("small", 10)] {
        let table = database.table(table).expect("it is there");
        for at in 0..values {
            let value = table.get(&at.to_be_bytes()).expect("it is read");
            assert_eq!(value.map(|value| value.len()), Some(100_000));
        }
    }
}
