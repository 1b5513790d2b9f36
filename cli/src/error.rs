//! What can go wrong on the command line, one variant for each way a caller or a script reacts.

use std::path::{Path, PathBuf};

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
    /// The engine did not take a batch of an import; those before it are committed.
    #[error("line {line}: {source}; {}", what_stays(*commits))]
    Import {
        /// The first line, or commit, of the batch.
        line: u64,
        /// How many commits were imported before it.
        commits: u64,
        /// Why not.
        source: foldback::Error,
    },
    /// An import is whole and safe here, but the bucket did not take it yet.
    #[error(
        "everything is imported and safe in the local log, but not yet in the bucket: {0}; once the \
         bucket can be reached, `foldback seal` brings it there"
    )]
    Unsealed(#[source] foldback::Error),
    /// What was asked for is not there.
    #[error("{0}")]
    NotFound(String),
    /// A measurement failed, or found a wrong result.
    #[error(transparent)]
    Bench(#[from] foldback_bench::Error),
    /// The engine refused or failed.
    #[error(transparent)]
    Engine(#[from] foldback::Error),
}

/// What an import that failed leaves behind.
fn what_stays(commits: u64) -> String {
    match commits {
        0 => "nothing was imported".to_owned(),
        _ => format!("the {commits} commits before it are imported and stay"),
    }
}

/// The command line or a setting is wrong. Clap exits with the same code.
const EXIT_USAGE: u8 = 2;
/// What was asked for can't be had as things stand, and nothing was changed.
const EXIT_REFUSED: u8 = 3;
/// The bucket is out of reach.
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
            Self::Usage(_) | Self::Config { .. } => EXIT_USAGE,
            Self::Input { .. } | Self::Io { .. } | Self::Git(_) | Self::Bench(_) => EXIT_FAILED,
            Self::NotFound(_) => EXIT_REFUSED,
            Self::Engine(error) | Self::Unsealed(error) | Self::Import { source: error, .. } => {
                match error {
                    Engine::Tier(Tier::Store { .. }) => EXIT_UNREACHABLE,
                    Engine::Tier(Tier::Corrupt { .. } | Tier::Missing { .. }) => EXIT_DAMAGED,
                    Engine::Lost(_) | Engine::Present { .. } => EXIT_DAMAGED,
                    Engine::Tier(Tier::Local { .. } | Tier::Export(_))
                    | Engine::Halted { .. }
                    | Engine::Closed => EXIT_FAILED,
                    _ => EXIT_REFUSED,
                }
            }
        }
    }

    /// What to do about it, where the words of the error itself come from too far below to say.
    pub(crate) fn advice(&self) -> Option<&'static str> {
        let is_said = !matches!(self, Self::Engine(_));
        if is_said || self.exit_code() != EXIT_UNREACHABLE {
            return None;
        }
        Some(
            "nothing that was committed is lost: it is in the local directory; check the bucket's \
             name, the network and the credentials, and run the command again",
        )
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
