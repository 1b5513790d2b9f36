//! Which instants the demo restores, and what it writes on top of the history.

use foldback::{Commit, Database, Target, Timestamp, WriteBatch, WriteOptions};

use super::source::DemoCommit;
use crate::error::Result;

/// Commits of the history that are restored, spread evenly over it.
const COMMITS_CHECKED: usize = 6;

/// A key that the demo wrote on top of the history, with its value, or `None` if it was deleted.
type OnTop = (Vec<u8>, Option<Vec<u8>>);

/// One commit that the demo wrote on top of the history.
#[derive(Clone, Debug)]
pub(super) struct Written {
    commit: Commit,
    about: &'static str,
    changes: Vec<OnTop>,
}

/// A target, and what the oracle is asked to compare its restore with.
#[derive(Clone, Debug)]
pub(super) struct Check {
    pub(super) target: Target,
    pub(super) about: String,
    /// The commit of the history that was the last then, by its place; `None` before the first.
    pub(super) commit: Option<usize>,
    /// What the demo had written by then.
    pub(super) on_top: Vec<OnTop>,
}

impl Check {
    /// The same check on a recovered database.
    pub(super) fn after_recovery(&self) -> Self {
        Self { about: format!("{}, recovered", self.about), ..self.clone() }
    }

    /// Where the instant lies in the history; instants above it lie nowhere.
    pub(super) fn position(&self, commits: &[DemoCommit]) -> Option<Timestamp> {
        match self.target {
            Target::At(at) | Target::Before(at) => Some(at),
            Target::Seq(_) | Target::Latest if !self.on_top.is_empty() => None,
            Target::Seq(_) | Target::Latest => self.commit.map(|at| commits[at].timestamp),
        }
    }
}

/// Commits new keys, overwrites, and deletes on top of the history, at the time of the clock.
pub(super) fn write_on_top(
    database: &Database,
    table: &str,
    commits: &[DemoCommit],
) -> Result<Vec<Written>> {
    let id = database.table(table)?.id();
    let first_key = b"demo/first".to_vec();
    let plan: [(&'static str, Vec<OnTop>); 4] = [
        ("a key written on top", vec![(first_key.clone(), Some(b"one".to_vec()))]),
        (
            "three keys in one batch",
            vec![
                (first_key.clone(), Some(b"two".to_vec())),
                (b"demo/second".to_vec(), Some(Vec::new())),
                (b"demo/third".to_vec(), Some(commits.len().to_string().into_bytes())),
            ],
        ),
        ("a key deleted", vec![(first_key.clone(), None)]),
        ("the key written again", vec![(first_key, Some(b"three".to_vec()))]),
    ];
    let mut written = Vec::new();
    for (about, changes) in plan {
        let mut batch = WriteBatch::new();
        for (key, value) in &changes {
            match value {
                Some(value) => batch.put(id, key.clone(), value.clone()),
                None => batch.delete(id, key.clone()),
            }
        }
        let commit = database.commit(batch, WriteOptions::default())?;
        written.push(Written { commit, about, changes });
    }
    Ok(written)
}

/// The checks: both sides of commits spread over the history, by time and by number, and then
/// every commit that was written on top.
pub(super) fn checks(commits: &[DemoCommit], written: &[Written]) -> Vec<Check> {
    let mut checks = Vec::new();
    let last = commits.len() - 1;
    let mut places: Vec<_> =
        (0..COMMITS_CHECKED).map(|step| last * step / (COMMITS_CHECKED - 1)).collect();
    places.dedup();
    for place in places {
        let DemoCommit { timestamp, id, .. } = &commits[place];
        let short = &id[..id.len().min(8)];
        let name = match place {
            0 => format!("the first commit, {short}"),
            _ if place == last => format!("the last commit, {short}"),
            _ => format!("commit {short}"),
        };
        let before = timestamp.saturating_add_micros(-1);
        checks.push(by_time(commits, Target::At(before), before, format!("1 µs before {short}")));
        checks.push(by_time(commits, Target::At(*timestamp), *timestamp, name));
    }
    let DemoCommit { timestamp, id, .. } = &commits[last / 2];
    let (short, after) = (&id[..id.len().min(8)], timestamp.saturating_add_micros(1));
    checks.push(by_time(commits, Target::At(after), after, format!("1 µs after {short}")));
    let target = Target::Before(*timestamp);
    let before = timestamp.saturating_add_micros(-1);
    checks.push(by_time(commits, target, before, format!("before {short}")));
    checks.extend(on_top(commits, written));
    checks
}

fn by_time(commits: &[DemoCommit], target: Target, at: Timestamp, about: String) -> Check {
    let commit = commits.iter().rposition(|commit| commit.timestamp <= at);
    Check { target, about, commit, on_top: Vec::new() }
}

/// One check a commit that was written on top, by its number, and one of the latest state.
fn on_top(commits: &[DemoCommit], written: &[Written]) -> Vec<Check> {
    let commit = Some(commits.len() - 1);
    let (mut checks, mut so_far) = (Vec::new(), Vec::new());
    for Written { commit: at, about, changes } in written {
        so_far.extend(changes.iter().cloned());
        let target = Target::Seq(at.seq);
        checks.push(Check { target, about: (*about).to_owned(), commit, on_top: so_far.clone() });
    }
    let about = "everything".to_owned();
    checks.push(Check { target: Target::Latest, about, commit, on_top: so_far });
    checks
}
