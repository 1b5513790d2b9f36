//! How a restore is to be done, beyond what its plan says.

use crate::{BackupReader, BucketReader, KeyRewrite, Retention};

/// How a restore is to be done; the default is a table of this database's own history, as it was,
/// that is not protected.
#[derive(Clone, Debug, Default)]
pub struct RestoreOptions<'a> {
    /// Where the plan was made.
    pub from: RestoreSource<'a>,
    /// What the beginning of every key becomes.
    pub rewrite: Option<KeyRewrite>,
    /// Whether the new table is protected from its first commit on, and for how long its instants
    /// stay restorable.
    pub protection: RestoreProtection,
    /// Who asks, for the restore log.
    pub by: Option<String>,
    /// Why, for the restore log.
    pub reason: Option<String>,
}

/// Where a plan was made, and its history is read.
#[derive(Clone, Copy, Debug, Default)]
pub enum RestoreSource<'a> {
    /// This database.
    #[default]
    Database,
    /// A bucket, which may be another database's.
    Bucket(&'a BucketReader),
    /// A detached backup, which may be another database's.
    Backup(&'a BackupReader<'a>),
}

/// Which of the settings of its source a restored table gets. They are its protection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RestoreProtection {
    /// None: it is not protected.
    #[default]
    Unprotected,
    /// The retention that the source had at the target.
    AsOfTarget,
    /// The retention that the source has now.
    AsOfNow,
    /// This retention.
    For(Retention),
}
