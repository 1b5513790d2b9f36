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
}

impl Error {
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
