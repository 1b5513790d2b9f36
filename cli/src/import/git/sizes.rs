//! Asks one long-lived git process for the sizes of blobs.

use std::io::{BufRead, Write};
use std::path::Path;
use std::process::ChildStdin;

use super::program::{self, RunningGit};
use crate::error::{Error, Result};

/// Questions that are under way at once. Neither they (65 bytes each at most) nor their answers
/// fill a pipe (64 KiB), so git and this program never wait for each other to read.
const QUESTIONS_MAX: usize = 512;

/// The size given for a blob that the repository has not got.
const SIZE_UNKNOWN: i64 = -1;

/// A git process that tells sizes.
#[derive(Debug)]
pub(super) struct BlobSizes {
    git: RunningGit,
    input: ChildStdin,
}

impl BlobSizes {
    /// Starts git on `repository`.
    pub(super) fn start(repository: &Path) -> Result<Self> {
        let arguments = ["cat-file", "--batch-check=%(objectsize)"];
        let (git, input) = program::start_dialogue(repository, &arguments)?;
        Ok(Self { git, input })
    }

    /// The sizes of the blobs `ids`, in their order; -1 for one that the repository has not got,
    /// as in a partial clone.
    pub(super) fn of(&mut self, ids: &[&str]) -> Result<Vec<i64>> {
        let mut sizes = Vec::with_capacity(ids.len());
        for ids in ids.chunks(QUESTIONS_MAX) {
            let questions: String = ids.iter().flat_map(|id| [id, "\n"]).collect();
            if self.input.write_all(questions.as_bytes()).is_err() {
                return Err(self.git.refusal());
            }
            for id in ids {
                sizes.push(self.answer(id)?);
            }
        }
        Ok(sizes)
    }

    fn answer(&mut self, id: &str) -> Result<i64> {
        let mut answer = String::new();
        let read = self.git.output.read_line(&mut answer);
        if read.map_err(Error::io("read the output of", "git"))? == 0 {
            return Err(self.git.refusal());
        }
        let answer = answer.trim_end();
        if answer.strip_prefix(id) == Some(" missing") {
            return Ok(SIZE_UNKNOWN);
        }
        answer.parse().map_err(|_| {
            Error::Git(format!("git cat-file gave {answer:?} as the size of {id}, not a number"))
        })
    }
}
