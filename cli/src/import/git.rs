//! Reads the first-parent history of a git repository as batches of events, one a commit.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::import::{ImportedBatch, ImportedEvent};

mod log;
mod program;
mod sizes;
#[cfg(test)]
mod tests;

use log::{CommitChanges, CommitLog};
use sizes::BlobSizes;

/// Blobs whose sizes are asked for together, and at most how many commits wait for them. Both are
/// for speed only: each round trip to git costs more than a size does.
const LOOKAHEAD_BLOBS: usize = 512;
const LOOKAHEAD_COMMITS: usize = 256;

const SECOND_MICROS: i64 = crate::span::SECOND_MICROS;

/// The history of a repository from its first commit to the one its head is at now.
#[derive(Clone, Debug)]
pub(crate) struct GitHistory {
    repository: PathBuf,
    head: String,
    is_shallow: bool,
    commits: u64,
}

/// One commit of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GitBatch {
    /// The commit's id, in hex.
    pub(crate) commit_id: String,
    /// Its changes: key = path, value = `MODE OID SIZE`. A size of -1 is a submodule, or a blob
    /// that a partial clone has not got. Lines are commits, from 1; its time is strictly later
    /// than that of the commit before. A commit that changes no file has no events.
    pub(crate) batch: ImportedBatch,
}

/// The commits of a repository, oldest first. After an error it yields nothing more.
#[derive(Debug)]
pub(crate) struct GitBatches {
    log: CommitLog,
    sizes: BlobSizes,
    /// Commits that were read ahead, with their sizes.
    ready: VecDeque<GitBatch>,
    /// Number and time of the last commit that was read.
    last: Option<(u64, i64)>,
    ended: bool,
}

impl GitHistory {
    /// Looks at the repository that `repository` is in; refused where git is missing, where there
    /// is none, and where it has no commit.
    pub(crate) fn open(repository: &Path) -> Result<Self> {
        let shallow = program::run(repository, &["rev-parse", "--is-shallow-repository"])?;
        let head = program::run(repository, &["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])
            .map_err(|_| {
                Error::Git(format!(
                    "the repository in {} has no commit at its head, so there is no history to \
                     import: commit something, or check out a branch that has commits",
                    repository.display()
                ))
            })?;
        let head = text_line(&head);
        let counted = program::run(repository, &["rev-list", "--count", "--first-parent", &head])?;
        let commits = text_line(&counted).parse().map_err(|_| {
            Error::Git(format!("git counted {:?} commits, not a number", text_line(&counted)))
        })?;
        let is_shallow = text_line(&shallow) == "true";
        Ok(Self { repository: repository.to_path_buf(), head, is_shallow, commits })
    }

    /// True for a clone that was cut short (`git clone --depth`): its first commit holds all the
    /// files there were by then, and what came before is not there to import.
    pub(crate) fn is_shallow(&self) -> bool {
        self.is_shallow
    }

    /// How many commits [`GitHistory::batches`] yields.
    pub(crate) fn commits(&self) -> u64 {
        self.commits
    }

    /// The commits, oldest first, each with its changes from its first parent.
    pub(crate) fn batches(&self) -> Result<GitBatches> {
        Ok(GitBatches {
            log: CommitLog::start(&self.repository, &self.head)?,
            sizes: BlobSizes::start(&self.repository)?,
            ready: VecDeque::new(),
            last: None,
            ended: false,
        })
    }

    /// What git itself says was there at a commit: path → `MODE OID`.
    pub(crate) fn tree(&self, commit_id: &str) -> Result<BTreeMap<Vec<u8>, String>> {
        let listing =
            program::run(&self.repository, &["ls-tree", "-r", "-z", "--full-tree", commit_id])?;
        let entries = listing.split(|byte| *byte == 0).filter(|entry| !entry.is_empty());
        entries
            .map(|entry| {
                tree_entry(entry).ok_or_else(|| {
                    let shown = String::from_utf8_lossy(entry);
                    Error::Git(format!("git ls-tree gave {shown:?}, which can't be understood"))
                })
            })
            .collect()
    }
}

impl GitBatches {
    /// Reads commits until enough blobs wait, then asks for the sizes of all of them at once.
    fn read_ahead(&mut self) -> Result<()> {
        let mut commits: Vec<CommitChanges> = Vec::new();
        let mut blobs = 0;
        while blobs < LOOKAHEAD_BLOBS && commits.len() < LOOKAHEAD_COMMITS {
            let Some(commit) = self.log.next_commit()? else { break };
            blobs += commit.changes.len();
            commits.push(commit);
        }
        let asked = commits.iter().flat_map(|commit| &commit.changes).filter_map(|c| c.blob_id());
        let mut sizes = self.sizes.of(&asked.collect::<Vec<_>>())?.into_iter();
        for commit in commits {
            let batch = self.batch_of(commit, &mut sizes)?;
            self.ready.push_back(batch);
        }
        assert!(sizes.next().is_none(), "every size that was asked for has its change");
        Ok(())
    }

    fn batch_of(
        &mut self,
        commit: CommitChanges,
        sizes: &mut impl Iterator<Item = i64>,
    ) -> Result<GitBatch> {
        let out_of_range = || {
            Error::Git(format!(
                "commit {} is at {} s since 1970, which is no time that can be \
                 imported",
                commit.id, commit.time_secs
            ))
        };
        let micros = commit.time_secs.checked_mul(SECOND_MICROS).ok_or_else(out_of_range)?;
        // Commit times repeat and go back, and a restore to one of them must mean one commit.
        let (number, micros) = match self.last {
            None => (1, micros),
            Some((number, last)) => {
                (number + 1, micros.max(last.checked_add(1).ok_or_else(out_of_range)?))
            }
        };
        self.last = Some((number, micros));
        let mut events = Vec::with_capacity(commit.changes.len());
        for change in commit.changes {
            let size = change.blob_id().map(|_| sizes.next().expect("one size a blob"));
            let value = change.put.map(|(mode, id)| format!("{mode} {id} {}", size.unwrap_or(-1)));
            events.push(ImportedEvent { key: change.path, value: value.map(String::into_bytes) });
        }
        let batch = ImportedBatch {
            line_first: number,
            line_last: number,
            timestamp_micros: micros,
            events,
        };
        Ok(GitBatch { commit_id: commit.id, batch })
    }
}

impl Iterator for GitBatches {
    type Item = Result<GitBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        if self.ready.is_empty()
            && let Err(error) = self.read_ahead()
        {
            self.ended = true;
            return Some(Err(error));
        }
        self.ended = self.ready.is_empty();
        self.ready.pop_front().map(Ok)
    }
}

/// `MODE TYPE OID TAB PATH` as a path and `MODE OID`.
fn tree_entry(entry: &[u8]) -> Option<(Vec<u8>, String)> {
    let tab = entry.iter().position(|byte| *byte == b'\t')?;
    let (description, path) = (&entry[..tab], &entry[tab + 1..]);
    let mut words = std::str::from_utf8(description).ok()?.split(' ');
    let (mode, _kind, id) = (words.next()?, words.next()?, words.next()?);
    Some((path.to_vec(), format!("{mode} {id}")))
}

/// The one line that git printed.
fn text_line(output: &[u8]) -> String {
    String::from_utf8_lossy(output).trim_end().to_owned()
}
