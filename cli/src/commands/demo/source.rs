//! Where the demo's history comes from: a git repository, or a generator with an oracle of its own.

use std::collections::BTreeMap;
use std::path::Path;

use foldback::{Seq, Timestamp};

use super::Rows;
use crate::error::Result;
use crate::import::git::GitHistory;
use crate::import::{ImportedBatch, ImportedEvent};

/// Commits of a generated history.
const GENERATED_COMMITS: u64 = 400;
/// Keys that a generated history writes to.
const GENERATED_KEYS: u64 = 90;
/// Time of the first generated commit, 2024-01-01T00:00:00Z, in microseconds.
const GENERATED_START_MICROS: i64 = 1_704_067_200_000_000;
/// Time between two generated commits, in microseconds.
const GENERATED_STEP_MICROS: i64 = 1_700_000_123;

/// One commit of the history.
#[derive(Clone, Debug)]
pub(super) struct DemoCommit {
    /// What the oracle knows it by.
    pub(super) id: String,
    /// Its time.
    pub(super) timestamp: Timestamp,
    /// How many events it has; without any it is no commit of the table.
    pub(super) events: u64,
    /// The last commit of the database that belongs to its state.
    pub(super) seq: Seq,
}

/// Gives the commits their seqs, of which the first that has events has `first`.
pub(super) fn number(commits: &mut [DemoCommit], first: Seq) {
    let mut last = first.prev();
    for commit in commits {
        if commit.events > 0 {
            last = last.next();
        }
        commit.seq = last;
    }
}

/// Commits, each with what the oracle knows it by.
type Batches<'a> = Box<dyn Iterator<Item = Result<(String, ImportedBatch)>> + 'a>;

/// The history and its oracle.
pub(super) enum DemoSource {
    /// A repository; `git ls-tree` is the oracle.
    Git { history: GitHistory, name: String },
    /// A generated history: the states after each of its commits are the oracle.
    Generated { commits: Vec<(ImportedBatch, Rows)>, reason: String },
}

impl DemoSource {
    /// The history of the repository, or a generated one if there is none.
    pub(super) fn open(repository: &Path) -> Self {
        match GitHistory::open(repository) {
            Ok(history) => {
                let shown = repository.canonicalize().unwrap_or_else(|_| repository.to_path_buf());
                Self::Git { history, name: format!("the git history of {}", shown.display()) }
            }
            Err(error) => {
                Self::Generated { commits: generate(), reason: format!("no git history: {error}") }
            }
        }
    }

    /// What the history is called.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Git { name, .. } => name,
            Self::Generated { .. } => "a generated history",
        }
    }

    /// Why the history is a generated one, if it is.
    pub(super) fn why_generated(&self) -> Option<&str> {
        match self {
            Self::Git { .. } => None,
            Self::Generated { reason, .. } => Some(reason),
        }
    }

    /// How many commits there are.
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Git { history, .. } => history.commits(),
            Self::Generated { .. } => GENERATED_COMMITS,
        }
    }

    /// The commits in order, each with its id.
    pub(super) fn batches(&self) -> Result<Batches<'_>> {
        Ok(match self {
            Self::Git { history, .. } => Box::new(
                history.batches()?.map(|commit| commit.map(|git| (git.commit_id, git.batch))),
            ),
            Self::Generated { commits, .. } => {
                let numbered = commits.iter().enumerate();
                Box::new(numbered.map(|(at, (batch, _))| Ok((at.to_string(), batch.clone()))))
            }
        })
    }

    /// Makes of a value what the oracle knows of it: `git ls-tree` tells no sizes.
    pub(super) fn comparable(&self, value: &mut Vec<u8>) {
        if let Self::Git { .. } = self {
            let mut spaces = value.iter().enumerate().filter(|(_, byte)| **byte == b' ');
            if let Some((end, _)) = spaces.nth(1) {
                value.truncate(end);
            }
        }
    }

    /// What the oracle says that the state after a commit was.
    pub(super) fn state(&self, id: &str) -> Result<Rows> {
        match self {
            Self::Git { history, .. } => {
                let tree = history.tree(id)?;
                Ok(tree.into_iter().map(|(path, blob)| (path, blob.into_bytes())).collect())
            }
            Self::Generated { commits, .. } => {
                let at: usize = id.parse().expect("generated commits are known by their place");
                Ok(commits[at].1.clone())
            }
        }
    }
}

/// Commits of one to four events each, some of them deletes, and the state after each.
fn generate() -> Vec<(ImportedBatch, Rows)> {
    let mut state = BTreeMap::new();
    let mut commits = Vec::new();
    let mut timestamp_micros = GENERATED_START_MICROS;
    for line in 1..=GENERATED_COMMITS {
        let mut events = Vec::new();
        for step in 0..=line % 4 {
            let key = format!("key/{:03}", (line * line + step * 7) % GENERATED_KEYS).into_bytes();
            let delete = (line + step).is_multiple_of(9) && state.contains_key(&key);
            let value = (!delete).then(|| format!("value {line}.{step}").into_bytes());
            if events.iter().any(|event: &ImportedEvent| event.key == key) {
                continue;
            }
            match &value {
                Some(value) => drop(state.insert(key.clone(), value.clone())),
                None => drop(state.remove(&key)),
            }
            events.push(ImportedEvent { key, value });
        }
        let batch = ImportedBatch { line_first: line, line_last: line, timestamp_micros, events };
        commits.push((batch, state.clone()));
        timestamp_micros += GENERATED_STEP_MICROS;
    }
    commits
}
