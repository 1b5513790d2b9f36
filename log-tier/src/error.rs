//! What can go wrong with bytes at rest, one variant for each way a caller reacts.

use std::path::{Path, PathBuf};

/// The result of anything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the log tier. Each variant asks for a different reaction.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Bytes are not what was written. Nothing was changed; nothing after `offset` was trusted.
    #[error("{file} is damaged at byte {offset}: {reason}")]
    Corrupt {
        /// Path of the local file, or name of the object.
        file: String,
        /// Where in it the first wrong byte was noticed.
        offset: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The local file system refused. After a failed write or sync the log must not be written.
    #[error("cannot {action} {}: {source}", path.display())]
    Local {
        /// What was being done: a verb that goes before the path.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The object store refused or could not be reached. Trying again later may help.
    #[error("the bucket did not {action} {object}: {source}")]
    Store {
        /// What was being done: a verb that goes before the object's name.
        action: &'static str,
        /// The object's name, or the prefix that was listed.
        object: String,
        /// What the object store said.
        source: object_store::Error,
    },
    /// An object that a manifest names is not in the bucket.
    #[error("object {object} is missing from the bucket although a manifest names it")]
    Missing {
        /// The object's name.
        object: String,
    },
    /// Another process has published: this one has lost the right to.
    #[error(
        "manifest {number} was published by writer {winner} in epoch {winner_epoch}; this process \
         holds epoch {epoch} and must stop publishing"
    )]
    Fenced {
        /// The number of the manifest that this process lost.
        number: u64,
        /// The epoch of the process that won it.
        winner_epoch: u64,
        /// The process that won it.
        winner: crate::WriterId,
        /// The epoch of this process.
        epoch: u64,
    },
    /// Another process published first, and what this one was about has changed by that.
    #[error(
        "another process changed the history that this was decided on; nothing was changed by \
         this one; it is decided anew"
    )]
    Superseded,
    /// Another process has the local directory open.
    #[error("{} is open in process {pid}", path.display())]
    Locked {
        /// The local directory.
        path: PathBuf,
        /// The process that holds it, as its lock file says.
        pid: String,
    },
    /// The database was closed while history was read.
    #[error("reading was cut short: the database was closed meanwhile; nothing was changed")]
    Interrupted,
    /// The writer of an export failed; what was exported is not whole.
    #[error("cannot write the export: {0}")]
    Export(#[source] std::io::Error),
    /// The bytes or the store are sound, but this release can't work with them.
    #[error("{0}")]
    Unsupported(String),
}

impl Error {
    /// Damage in `file`, first seen at byte `offset`.
    pub fn corrupt(file: impl ToString, offset: u64, reason: impl Into<String>) -> Self {
        Self::Corrupt { file: file.to_string(), offset, reason: reason.into() }
    }

    /// Wraps what the operating system said about doing `action` to `path`.
    pub fn local(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Local { action, path, source }
    }
}
