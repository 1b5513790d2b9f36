//! What must be in the database after a kill: rebuilt from the names of the batches.

use std::collections::BTreeMap;

use foldback::{Commit, Database, RestorePlan, Selection, Seq, Target};

use super::writer::{Acknowledged, BatchName, NAME_PREFIX, TABLES};
use crate::support::{Numbers, State, planned_rows, rows};

/// Instants that are restored after each kill.
const RESTORES: usize = 4;

/// Which batch each commit is, over all runs.
#[derive(Debug, Default)]
pub(super) struct History {
    /// By seq; `None` is a commit of the catalog.
    commits: BTreeMap<Seq, Option<BatchName>>,
}

impl History {
    /// The last commit that is known.
    fn last(&self) -> Seq {
        self.commits.last_key_value().map_or(Seq::ZERO, |(seq, _)| *seq)
    }

    /// Takes all commits after the last known one for commits of the catalog.
    pub(super) fn note_commits_without_batch(&mut self, database: &Database) {
        let mut seq = self.last();
        while seq < database.status().tip.seq {
            seq = seq.next();
            self.commits.insert(seq, None);
        }
    }

    /// Finds every acknowledged commit of a run, and tells which batches were kept besides.
    pub(super) fn take_over(&mut self, database: &Database, run: u64, said: &[Acknowledged]) {
        let before = self.last();
        let tip = database.status().tip;
        for Acknowledged { name, commit, checksum } in said {
            assert_eq!(name.run, run);
            assert_eq!(*checksum, name.checksum(), "{name:?}");
            assert!(before < commit.seq && commit.seq <= tip.seq, "{commit:?} of {name:?} is lost");
            let found = database.resolve(TABLES[0], Target::Seq(commit.seq));
            assert_eq!(found.expect("it is restorable").commit, *commit, "{name:?}");
            let earlier = self.commits.insert(commit.seq, Some(*name));
            assert_eq!(earlier, None, "{commit:?} was acknowledged twice");
        }
        let mut seq = before;
        while seq < tip.seq {
            seq = seq.next();
            self.commits.entry(seq).or_insert_with(|| {
                let name = kept_without_answer(database, seq);
                assert_eq!(name.run, run, "an old batch came back as {seq}");
                Some(name)
            });
        }
        let mut names: Vec<_> = self.commits.values().flatten().collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "a batch was kept twice");
    }

    /// The state of both tables after commit `seq`.
    fn state(&self, seq: Seq) -> State {
        let mut state = State::new();
        for name in self.commits.range(..=seq).filter_map(|(_, name)| *name) {
            let content = name.content();
            for key in &content.deletes {
                state.remove(key);
            }
            state.extend(content.puts);
        }
        state
    }

    /// Compares the present, and the states at some of the acknowledged commits.
    pub(super) fn check(&mut self, db: &Database, said: &[Acknowledged], numbers: &mut Numbers) {
        let newest = self.state(Seq::MAX);
        for table in TABLES {
            assert_eq!(rows(db, table), newest, "the present of {table}");
        }
        if said.is_empty() {
            return;
        }
        for round in 0..RESTORES {
            let commit = said[numbers.index(said.len())].commit;
            let (target, last) = self.target(db, commit, numbers);
            let expected = self.state(last);
            for table in TABLES {
                let plan = db.plan(table, target, &Selection::all()).expect("it is restorable");
                assert_eq!(plan.target.seq, last, "{target:?}");
                assert_eq!(planned_rows(db, &plan), expected, "{table} at {target:?}");
                // The rest of a restore, the loading of a table, is the same for every target.
                let restored = (round == 0).then(|| restored(db, &plan));
                assert!(restored.is_none_or(|rows| rows == expected), "{table} at {target:?}");
            }
        }
        self.note_commits_without_batch(db);
    }

    /// A target at or just before a commit, and the commit that it must come to.
    fn target(&self, db: &Database, commit: Commit, numbers: &mut Numbers) -> (Target, Seq) {
        let stamped = |seq: Seq| {
            let found = db.resolve(TABLES[0], Target::Seq(seq));
            found.map(|found| found.commit.timestamp).ok()
        };
        match numbers.below(3) {
            0 => (Target::Seq(commit.seq), commit.seq),
            1 => {
                let mut last = commit.seq;
                while stamped(last.next()) == Some(commit.timestamp) {
                    last = last.next();
                }
                (Target::At(commit.timestamp), last)
            }
            _ => {
                let mut last = commit.seq.prev();
                while stamped(last) == Some(commit.timestamp) {
                    last = last.prev();
                }
                (Target::Before(commit.timestamp), last)
            }
        }
    }
}

/// The batch of a commit of which no answer was heard: the one whose own row came with it.
fn kept_without_answer(database: &Database, seq: Seq) -> BatchName {
    let selection = Selection::prefixes([NAME_PREFIX]);
    let rows_at = |seq| {
        let plan = database.plan(TABLES[0], Target::Seq(seq), &selection);
        planned_rows(database, &plan.expect("it is restorable"))
    };
    let (before, mut after) = (rows_at(seq.prev()), rows_at(seq));
    after.retain(|key, _| !before.contains_key(key));
    let mut names = after.keys().filter_map(|key| BatchName::of_key(key));
    let name = names.next().expect("a commit that is no batch came out of nowhere");
    assert_eq!(names.next(), None, "commit {seq} is two batches");
    name
}

/// The rows of the table that a plan restores to, which is dropped again.
fn restored(db: &Database, plan: &RestorePlan) -> State {
    db.restore(plan, "restored").expect("it restores");
    let restored = rows(db, "restored");
    db.drop_table("restored").expect("it is there");
    restored
}
