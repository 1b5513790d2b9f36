//! The stream of `git log --raw -z`, taken apart into commits and the paths they changed.

use std::io::BufRead;
use std::path::Path;

use super::program::{self, RunningGit};
use crate::error::{Error, Result};

/// One run of git for the whole history. Every choice that a user's configuration could make
/// otherwise (renames, relative paths, hidden submodules, signatures, colours) is made here.
const LOG_ARGUMENTS: [&str; 17] = [
    "log",
    "--first-parent",
    "--reverse",
    "-m",
    "--diff-merges=first-parent",
    "--raw",
    "-z",
    "--no-renames",
    "--root",
    "--no-abbrev",
    "--no-relative",
    "--ignore-submodules=none",
    "--no-show-signature",
    "--no-notes",
    "--no-color",
    "--no-ext-diff",
    "--format=%H %ct",
];

/// The mode of a submodule: its id is a commit of another repository, not a blob of this one.
const SUBMODULE_MODE: &str = "160000";

/// The commits of a repository as git prints them, oldest first.
#[derive(Debug)]
pub(super) struct CommitLog {
    git: RunningGit,
    /// The header of the commit that comes next, once it was met.
    header: Option<(String, i64)>,
    has_begun: bool,
    buffer: Vec<u8>,
}

/// One commit and what it changed against its first parent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CommitChanges {
    pub(super) id: String,
    /// Seconds since 1970.
    pub(super) time_secs: i64,
    pub(super) changes: Vec<PathChange>,
}

/// What a commit did to a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PathChange {
    pub(super) path: Vec<u8>,
    /// The mode and the object that the path has from now on, or `None` when it is gone.
    pub(super) put: Option<(String, String)>,
}

impl PathChange {
    /// The blob that was put, when it is one.
    pub(super) fn blob_id(&self) -> Option<&str> {
        let (mode, id) = self.put.as_ref()?;
        (mode != SUBMODULE_MODE).then_some(id.as_str())
    }
}

impl CommitLog {
    /// Starts git on the history that ends with the commit `head`.
    pub(super) fn start(repository: &Path, head: &str) -> Result<Self> {
        let mut arguments = LOG_ARGUMENTS.to_vec();
        arguments.extend([head, "--"]);
        let git = program::start(repository, &arguments)?;
        Ok(Self { git, header: None, has_begun: false, buffer: Vec::new() })
    }

    /// The next commit; `None` after the last, once git has ended well.
    pub(super) fn next_commit(&mut self) -> Result<Option<CommitChanges>> {
        if !self.has_begun {
            self.has_begun = true;
            self.header = match self.next_field()? {
                true => Some(self.parse_header()?),
                false => None,
            };
        }
        let Some((id, time_secs)) = self.header.take() else { return Ok(None) };
        let mut changes = Vec::new();
        while self.next_field()? {
            if !self.field().starts_with(b":") {
                self.header = Some(self.parse_header()?);
                break;
            }
            let put = self.parse_raw()?;
            if !self.next_field()? {
                return Err(self.not_understood("the end of the output in the middle of a change"));
            }
            changes.push(PathChange { path: self.buffer.clone(), put });
        }
        Ok(Some(CommitChanges { id, time_secs, changes }))
    }

    /// Reads up to the next zero byte; false at the end of the output, once git has ended well.
    fn next_field(&mut self) -> Result<bool> {
        self.buffer.clear();
        let output = &mut self.git.output;
        output.read_until(0, &mut self.buffer).map_err(Error::io("read the output of", "git"))?;
        if self.buffer.pop() == Some(0) {
            return Ok(true);
        }
        self.git.finish().map(|()| false)
    }

    /// The field that was read. Git puts a line end between a header and its first change.
    fn field(&self) -> &[u8] {
        self.buffer.strip_prefix(b"\n").unwrap_or(&self.buffer)
    }

    /// `ID SECONDS`.
    fn parse_header(&self) -> Result<(String, i64)> {
        let field = String::from_utf8_lossy(self.field());
        let parts = field.split_once(' ');
        let header = parts.and_then(|(id, secs)| Some((id.to_owned(), secs.parse().ok()?)));
        header.ok_or_else(|| self.not_understood(&field))
    }

    /// `:MODE MODE ID ID STATUS`, each first as it was and then as it is.
    fn parse_raw(&self) -> Result<Option<(String, String)>> {
        let field = String::from_utf8_lossy(self.field());
        let words: Vec<&str> = field.split(' ').collect();
        match words[..] {
            [_, _, _, _, "D"] => Ok(None),
            [_, mode, _, id, "A" | "M" | "T"] => Ok(Some((mode.to_owned(), id.to_owned()))),
            _ => Err(self.not_understood(&field)),
        }
    }

    fn not_understood(&self, what: &str) -> Error {
        Error::Git(format!("git log gave {what:?}, which can't be understood"))
    }
}
