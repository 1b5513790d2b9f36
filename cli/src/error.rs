//! What can go wrong on the command line, one variant for each way a caller or a script reacts.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::human::counted;

#[cfg(test)]
mod tests;

/// The result of anything in this crate that can fail.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the command line, in words for the person who typed the command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The request can't be understood or met: type it differently. The text says how.
    #[error("{0}")]
    Usage(String),
    /// A setting in a configuration file is wrong: edit that line.
    #[error("{}, line {line}: {reason}", file.display())]
    Config {
        /// The configuration file.
        file: PathBuf,
        /// Counted from 1.
        line: u64,
        /// What is wrong and what is right.
        reason: String,
    },
    /// The data being imported are wrong: nothing of the batch they belong to was taken.
    #[error("{file}, line {line}: {reason}")]
    Input {
        /// The file, or `standard input`.
        file: String,
        /// Counted from 1.
        line: u64,
        /// What is wrong and what to do about it.
        reason: String,
    },
    /// The operating system refused.
    #[error("cannot {action} {subject}: {source}")]
    Io {
        /// A verb that goes before the subject.
        action: &'static str,
        /// The file, the stream or the program.
        subject: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The `git` program is missing, refused, or answered something that can't be used.
    #[error("{0}")]
    Git(String),
    /// An import stopped; the commits before are imported.
    #[error("stopped{} {leaves}: {source}", line.map_or(String::new(), |line| format!(" at line {line},")))]
    Import {
        /// The first line, or commit, of the batch that was not taken; `None` if `source` says it.
        line: Option<u64>,
        /// What the import leaves behind.
        leaves: ImportLeaves,
        /// Why it stopped.
        source: Box<Error>,
    },
    /// An import is whole and safe here, but the bucket did not take it yet.
    #[error(
        "everything is imported and safe in the local log, but not yet in the bucket: {0}; once the \
         bucket can be reached, `foldback seal` brings it there"
    )]
    Unsealed(#[source] foldback::Error),
    /// What was asked for can't be had as things stand, and nothing was changed.
    #[error("{0}")]
    Refused(String),
    /// Some scheduled backups could not be made; what could, is.
    #[error("{}", .0.join("; "))]
    Schedules(Vec<String>),
    /// What was looked through is damaged, or not all there.
    #[error("{0}")]
    Damaged(String),
    /// A setting that the engine can't work with: change it.
    #[error(transparent)]
    Setting(foldback::Error),
    /// A measurement failed, or found a wrong result.
    #[error(transparent)]
    Bench(#[from] foldback_bench::Error),
    /// The engine refused or failed.
    #[error(transparent)]
    Engine(#[from] foldback::Error),
}

/// What an import that stopped leaves behind.
#[derive(Debug)]
pub(crate) struct ImportLeaves {
    /// How many commits were imported.
    pub(crate) commits: u64,
    /// The table, if this import made it.
    pub(crate) table_made: Option<String>,
}

impl fmt::Display for ImportLeaves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.commits, &self.table_made) {
            (0, None) => f.write_str("before anything was imported"),
            (0, Some(table)) => {
                write!(f, "before anything was imported, though table {table} was created")
            }
            (1, _) => f.write_str("after 1 commit, which stays"),
            (commits, _) => write!(f, "after {}, which stay", counted(commits, "commit")),
        }
    }
}

/// The command line or a setting is wrong, or names what this release can't work with. Clap exits
/// with the same code.
const EXIT_USAGE: u8 = 2;
/// What was asked for can't be had as things stand, and nothing was changed.
const EXIT_REFUSED: u8 = 3;
/// The bucket is out of reach, or others were always faster to change it: trying again helps.
const EXIT_UNREACHABLE: u8 = 4;
/// Bytes are damaged or lost.
const EXIT_DAMAGED: u8 = 5;
/// Anything else failed.
const EXIT_FAILED: u8 = 1;

impl Error {
    /// The code that scripts tell failures apart by; `--help` lists them.
    pub(crate) fn exit_code(&self) -> u8 {
        use foldback::Error as Engine;
        use foldback::log_tier::Error as Tier;
        match self {
            Self::Usage(_) | Self::Config { .. } | Self::Setting(_) => EXIT_USAGE,
            Self::Import { source, .. } => source.exit_code(),
            Self::Input { .. } | Self::Io { .. } | Self::Git(_) | Self::Bench(_) => EXIT_FAILED,
            Self::Schedules(_) => EXIT_FAILED,
            Self::Refused(_) => EXIT_REFUSED,
            Self::Damaged(_) => EXIT_DAMAGED,
            Self::Engine(error) | Self::Unsealed(error) => match error {
                error if error.is_of_local_disk() => EXIT_FAILED,
                // It is done: to run it again would be refused.
                Engine::RestoredUnsealed { .. } => EXIT_FAILED,
                Engine::Tier(Tier::Unsupported(_)) => EXIT_USAGE,
                Engine::Tier(Tier::Store { .. } | Tier::Superseded) => EXIT_UNREACHABLE,
                Engine::Tier(Tier::Corrupt { .. } | Tier::Missing { .. }) => EXIT_DAMAGED,
                Engine::Lost(_) | Engine::Present { .. } => EXIT_DAMAGED,
                Engine::Tier(
                    Tier::Local { .. } | Tier::Export(_) | Tier::Interrupted | Tier::Fenced { .. },
                )
                | Engine::Halted { .. }
                | Engine::Cancelled
                | Engine::Closed => EXIT_FAILED,
                _ => EXIT_REFUSED,
            },
        }
    }

    /// What to do about it, where the words of the error itself come from too far below to say.
    pub(crate) fn advice(&self) -> Option<&'static str> {
        use foldback::log_tier::Error as Tier;
        if let Self::Engine(foldback::Error::Tier(Tier::Superseded)) = self {
            return Some("other processes kept publishing in between; run the command again");
        }
        if let Self::Engine(foldback::Error::Tier(Tier::Fenced { .. })) = self {
            return Some(
                "find out which process opened this database last: two must never write to one \
                 bucket; commits that were acknowledged here are safe in the local log",
            );
        }
        if let Self::Engine(error) = self
            && error.is_of_local_disk()
        {
            return Some(
                "the disk of the data directory failed or is full; commits that were acknowledged \
                 are safe in the log, and a restore leaves nothing behind; free space there, and run \
                 it again",
            );
        }
        let is_said = !matches!(self, Self::Engine(_));
        if is_said || self.exit_code() != EXIT_UNREACHABLE {
            return None;
        }
        Some(
            "commits that were acknowledged are as safe as before this command; check the bucket's \
             name, the network, the credentials and, for a directory, its free space, and run the \
             command again",
        )
    }

    /// Whether a process that works in turns goes on after this, and tries again at the next: what
    /// can be done beside a damaged file is done all the same.
    pub(crate) fn leaves_next_turn(&self) -> bool {
        use foldback::log_tier::Error::{Corrupt, Missing, Store, Superseded};
        let Self::Engine(foldback::Error::Tier(error)) = self else { return false };
        matches!(error, Store { .. } | Superseded | Corrupt { .. } | Missing { .. })
    }

    /// Whether whoever read the output has had enough of it.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        use foldback::log_tier::Error::Export;
        let kind = match self {
            Self::Io { source, .. } | Self::Engine(foldback::Error::Tier(Export(source))) => {
                source.kind()
            }
            _ => return false,
        };
        kind == std::io::ErrorKind::BrokenPipe
    }

    /// A request that can't be met, in words that say what to type instead.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    /// Wraps what the operating system said about doing `action` to `path`.
    pub(crate) fn path(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        Self::io(action, path.display().to_string())
    }

    /// Wraps what the operating system said about doing `action` to `subject`.
    pub(crate) fn io(
        action: &'static str,
        subject: impl Into<String>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let subject = subject.into();
        move |source| Self::Io { action, subject, source }
    }
}
