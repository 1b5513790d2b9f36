//! Restores as jobs: what is selected and renamed, several tables at once, settings, cancelling,
//! and the log of it all.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use foldback::log_tier::names;
use foldback::{
    Config, Database, Error, KeyRange, KeyRewrite, Progress, RestoreOptions, RestoreOutcome,
    RestorePlan, RestoreProtection, RestoreRecord, Restored, RestoredInto, Result, Retention,
    Selection, Target, WriteBatch, WriteOptions,
};
use tempfile::TempDir;

use crate::support::{Numbers, State, copy_directory, fast_directory, planned_rows, rows};

mod groups;
mod jobs;
mod settings;

/// A database with two protected tables, `orders` and `lines`, of as many rows as asked for.
struct Place {
    scratch: TempDir,
    database: Database,
}

impl Place {
    fn new(rows: u32) -> Self {
        let scratch = fast_directory();
        let database = Database::open(config(scratch.path(), "data")).expect("it opens");
        for name in ["orders", "lines"] {
            database.create_table(name).expect("the name is free");
            database.protect(name, Retention::Secs(86_400)).expect("it is not protected");
        }
        let place = Self { scratch, database };
        place.fill(rows, "first");
        place
    }

    /// Puts all rows of both tables anew.
    fn fill(&self, rows: u32, value: &str) {
        let ids = ["orders", "lines"].map(|name| self.database.table(name).expect("there").id());
        let numbers: Vec<u32> = (0..rows).collect();
        for part in numbers.chunks(2_000) {
            let mut batch = WriteBatch::new();
            let mut put = |id, kind: &str, number: &u32| {
                batch.put(id, format!("{kind}/{number:06}"), format!("{value} {number}"));
            };
            part.iter().for_each(|number| put(ids[0], "order", number));
            part.iter().for_each(|number| put(ids[1], "line", number));
            self.database.write(batch, WriteOptions::default()).wait().expect("it commits");
        }
    }

    fn plan(&self, table: &str, selection: &Selection) -> RestorePlan {
        self.database.plan(table, Target::Latest, selection).expect("it is restorable")
    }

    /// The names of the live tables.
    fn names(&self) -> Vec<String> {
        self.database.tables().into_iter().map(|record| record.name).collect()
    }

    /// What lies in the present: a directory a tree.
    fn trees(&self) -> BTreeSet<PathBuf> {
        trees(&self.scratch.path().join("data"))
    }
}

fn trees(data: &Path) -> BTreeSet<PathBuf> {
    let listed = std::fs::read_dir(data.join(names::PRESENT_DIRECTORY)).expect("it is there");
    listed.map(|entry| entry.expect("it can be listed").file_name().into()).collect()
}

fn config(scratch: &Path, data: &str) -> Config {
    Config::new(scratch.join(data)).bucket(format!("file://{}/bucket", scratch.display()))
}

/// Lets a restore go on, whatever it tells.
fn on(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn protected(protection: RestoreProtection) -> RestoreOptions<'static> {
    RestoreOptions { protection, ..RestoreOptions::default() }
}

/// A random selection of the keys of `orders`.
fn random_selection(numbers: &mut Numbers, below: u64) -> Selection {
    let key = |number: u64| format!("order/{number:06}").into_bytes();
    let keys: Vec<_> = (0..numbers.below(40)).map(|_| key(numbers.below(below))).collect();
    let mut selection = Selection::keys(keys.iter().map(Vec::as_slice));
    for _ in 0..numbers.below(3) {
        let (from, length) = (numbers.below(below), numbers.below(below / 4));
        let (from, until) = (key(from).into(), Some(key(from + length).into()));
        selection = selection.or(Selection::ranges([KeyRange { from, until }]));
    }
    for _ in 0..numbers.below(2) {
        let prefix = format!("order/{:04}", numbers.below(below / 100));
        selection = selection.or(Selection::prefixes([prefix.as_bytes()]));
    }
    selection
}

#[test]
fn what_is_selected_and_renamed_is_a_filter_and_a_map_of_the_state() {
    let place = Place::new(3_000);
    place.database.seal().expect("the bucket takes it");
    place.database.compact().expect("history can be read");
    place.fill(500, "second");
    let state = rows(&place.database, "orders");
    let mut numbers = Numbers(14);
    for round in 0..40 {
        let selection = random_selection(&mut numbers, 3_000);
        let replacement = ["", "earlier/", "o/"][numbers.index(3)];
        let rewrite = KeyRewrite { prefix: "order/".into(), replacement: replacement.into() };
        let options = RestoreOptions { rewrite: Some(rewrite), ..RestoreOptions::default() };
        let plan = place.plan("orders", &selection);
        let name = format!("copy-{round}");
        let done = place.database.restore_with(&plan, &name, &options, &mut on);
        let chosen = state.iter().filter(|(key, _)| selection.contains(key));
        let expected: State = chosen
            .map(|(key, value)| ([replacement.as_bytes(), &key[6..]].concat(), value.clone()))
            .collect();
        assert_eq!(rows(&place.database, &name), expected, "{selection:?}");
        let restored = done.expect("it restores");
        assert_eq!(restored.rows, u64::try_from(expected.len()).expect("few"));
        place.database.drop_table(&name).expect("it is there");
    }
}

/// A piece for each key would open a merge for each, and look at every file for each.
#[test]
fn a_hundred_thousand_keys_are_planned_like_one_range() {
    let place = Place::new(4_000);
    place.database.seal().expect("the bucket takes it");
    let keys: Vec<_> = (0..100_000).map(|at| format!("order/{:06}x{at}", at % 4_000)).collect();
    let some = ["order/000007", "order/003999"];
    let all = keys.iter().map(String::as_bytes).chain(some.map(str::as_bytes));
    let selection = Selection::keys(all);
    assert_eq!(selection.as_ranges().len(), 100_002);
    let plan = place.plan("orders", &selection);
    assert_eq!(plan.pieces.len(), 1);
    let found: Vec<_> = planned_rows(&place.database, &plan).into_keys().collect();
    assert_eq!(found, some.map(|key| key.as_bytes().to_vec()));
}

#[test]
fn a_rewrite_that_can_not_be_leaves_nothing() {
    let place = Place::new(10);
    place
        .database
        .table("orders")
        .expect("there")
        .put("order/", "bare")
        .wait()
        .expect("it commits");
    let (names, trees, tip) = (place.names(), place.trees(), place.database.status().tip);
    let strip = |prefix: &'static str| RestoreOptions {
        rewrite: Some(KeyRewrite { prefix: prefix.into(), replacement: "".into() }),
        ..RestoreOptions::default()
    };
    // Not every key begins so: nothing is read.
    let plan = place.plan("orders", &Selection::all());
    let refused = place.database.restore_with(&plan, "copy", &strip("order/"), &mut on);
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    assert_eq!(place.database.status().tip, tip);
    assert_eq!(place.database.restores(), []);
    // One of them would be empty, which only reading it tells.
    let plan = place.plan("orders", &Selection::prefixes([b"order/".as_slice()]));
    let failed = place.database.restore_with(&plan, "copy", &strip("order/"), &mut on);
    let Err(Error::Invalid(why)) = failed else { panic!("{failed:?}") };
    assert!(why.contains("would be empty"), "{why}");
    assert_eq!((place.names(), place.trees()), (names, trees));
    let log = place.database.restores();
    let expected = RestoreOutcome::Failed(Error::Invalid(why).to_string());
    assert_eq!(log.into_iter().map(|record| record.outcome).collect::<Vec<_>>(), [expected]);
}
