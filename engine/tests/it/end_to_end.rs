//! From a write to a restore at an exact instant, and back after every kind of ending.

use foldback::{Config, Database, Retention, Selection, Target};

use crate::support::rows;

#[test]
fn a_table_comes_back_as_it_was_at_each_of_its_commits() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let database = Database::open(Config::new(directory.path())).expect("it opens");
    let table = database.create_table("orders").expect("the name is free");
    database.protect("orders", Retention::Forever).expect("it is not protected");
    let mut states = Vec::new();
    for round in 0..60u32 {
        let key = format!("key/{}", round % 7);
        let commit = match round % 5 {
            4 => table.delete(key).wait(),
            _ => table.put(key, format!("value {round}")).wait(),
        };
        states.push((commit.expect("it commits"), rows(&database, "orders")));
        if round % 20 == 10 {
            database.seal().expect("the bucket takes it");
        }
    }
    for (at, (commit, state)) in states.iter().enumerate() {
        let plan = database
            .plan("orders", Target::Seq(commit.seq), &Selection::all())
            .expect("every commit is restorable");
        let name = format!("restored-{at}");
        database.restore(&plan, &name).expect("it restores");
        assert_eq!(rows(&database, &name), *state, "at {commit:?}");
    }
}
