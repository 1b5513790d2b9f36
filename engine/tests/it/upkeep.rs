//! Merging and folding: what they make of history, and what they may not change.

use foldback::log_tier::history::FileKind;
use foldback::{
    Config, Database, KeyRange, Policy, Retention, Selection, Seq, Target, WriteBatch, WriteOptions,
};

use crate::support::{State, planned_rows};

/// So eager that a few hundred small commits are merged and folded many times.
const EAGER: Policy = Policy {
    fold_ratio: 1.0,
    fold_bytes_min: 1,
    fold_files_max: 64,
    merge_fanout: 3,
    file_bytes_target: 16 * 1024,
    grace_micros: 900_000_000,
};

fn open(directory: &std::path::Path, policy: Policy) -> Database {
    let mut config = Config::new(directory);
    config.policy = policy;
    Database::open(config).expect("it opens")
}

/// Commits `rounds` batches of ten events each over two hundred keys, sealing after each `per_seal`
/// of them; returns the state after every commit.
fn write(database: &Database, rounds: u32, per_seal: u32) -> Vec<(Seq, State)> {
    let table = database.create_table("rows").expect("the name is free").id();
    database.protect("rows", Retention::Forever).expect("it is not protected");
    let (mut state, mut states) = (State::new(), Vec::new());
    for round in 0..rounds {
        let mut batch = WriteBatch::new();
        for step in 0..10 {
            let key = format!("key/{:03}", (round * 37 + step * step * 11) % 200).into_bytes();
            if (round + step) % 7 == 0 {
                batch.delete(table, key.clone());
                state.remove(&key);
            } else {
                let value = format!("{round}.{step}").repeat(20).into_bytes();
                batch.put(table, key.clone(), value.clone());
                state.insert(key, value);
            }
        }
        let commit = database.write(batch, WriteOptions::default()).wait().expect("it commits");
        states.push((commit.seq, state.clone()));
        if round % per_seal == per_seal - 1 {
            database.seal().expect("the bucket takes it");
            database.compact().expect("history can be read");
        }
    }
    states
}

fn state_at(database: &Database, seq: Seq, selection: &Selection) -> State {
    let plan = database.plan("rows", Target::Seq(seq), selection).expect("it is restorable");
    planned_rows(database, &plan)
}

#[test]
fn every_commit_restores_from_merged_and_folded_history() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let database = open(directory.path(), EAGER);
    let states = write(&database, 240, 4);
    let manifest = database.manifest();
    let (bases, deltas): (Vec<_>, Vec<_>) =
        manifest.files.iter().partition(|file| file.kind == FileKind::Base);
    assert!(bases.len() > 3, "there are {} base files", bases.len());
    assert!(bases.iter().any(|base| base.scope_from().is_some_and(|from| !from.is_empty())));
    assert!(deltas.len() < 60, "none of the {} deltas was merged", deltas.len());

    for (seq, state) in &states {
        assert_eq!(state_at(&database, *seq, &Selection::all()), *state, "at #{seq}");
    }
    drop(database);
    let database = open(directory.path(), EAGER);
    let some =
        Selection::ranges([KeyRange { from: "key/05".into(), until: Some("key/120".into()) }]);
    for (seq, state) in states.iter().step_by(11) {
        let expected: State = state
            .range(b"key/05".to_vec()..b"key/120".to_vec())
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        assert_eq!(state_at(&database, *seq, &some), expected, "at #{seq}");
    }
}

/// A restore of the latest state costs what the state costs, however long the history is.
#[test]
fn a_restore_reads_about_the_state_whatever_lies_behind_it() {
    let mut base_bytes = 0;
    for rounds in [60, 600] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let database = open(directory.path(), Policy { file_bytes_target: 1 << 20, ..EAGER });
        write(&database, rounds, 6);
        let manifest = database.manifest();
        let table = database.table("rows").expect("it is there").id();
        let newest = manifest
            .files
            .iter()
            .rev()
            .find_map(|file| file.table(table).filter(|_| file.kind == FileKind::Base));
        base_bytes = newest.expect("it was folded").bytes.max(base_bytes);
        let plan = database
            .plan("rows", Target::Latest, &Selection::all())
            .expect("the latest state is restorable");
        // (1 + fold_ratio) times the base, and a quarter for the pages' own overhead.
        let most = base_bytes * 2 * 5 / 4;
        let planned = plan.bucket_bytes();
        assert!(planned <= most, "{planned} bytes planned of {most} after {rounds} commits");
    }
}
