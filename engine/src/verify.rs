//! Verifying a bucket: whether all that its newest manifest promises can be kept.
//!
//! It reads, and changes nothing. Levels go from one listing of the bucket to the fold of every
//! window's ends; each has those before it in it. What is wrong is gone around, so that one run
//! tells all of it.

use std::num::NonZeroU64;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use foldback_log_tier::fs::{Fs, OsFs};
use foldback_log_tier::remote::{RemoteOptions, Traffic};
use foldback_log_tier::{Commit, DatabaseId};
use serde::{Deserialize, Serialize};

use crate::bucket_reader::connect_to_history;
use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::examination::Examination;
use crate::{Database, Result};

mod backups;
mod file_check;
mod hurt;
mod listing;
mod notes;
mod rate;
mod reading;
mod replay;
mod rows_check;
mod run;
mod share;

pub use hurt::Hurt;
pub(crate) use hurt::{SealedWindow, sealed_windows};
pub(crate) use reading::FileReading;
pub use share::Share;

/// How deep a verification goes. Each level has those before it in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VerifyLevel {
    /// Every object that is promised is there.
    List,
    /// Each is as long as it was written.
    Size,
    /// Each has the bytes that were written.
    Checksum,
    /// Each can be decoded, and holds what the manifest says.
    Decode,
    /// The deltas leave no commit out, and the ends of every window, and every backup, can be
    /// folded.
    Replay,
}

impl VerifyLevel {
    /// All levels, in order.
    pub const ALL: [Self; 5] = [Self::List, Self::Size, Self::Checksum, Self::Decode, Self::Replay];

    /// Its name, in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Size => "size",
            Self::Checksum => "checksum",
            Self::Decode => "decode",
            Self::Replay => "replay",
        }
    }
}

/// What to verify, and how.
#[derive(Clone, Debug)]
pub struct VerifyOptions {
    /// How deep to go.
    pub level: VerifyLevel,
    /// The part of the files, and of the tables, that are read today; `None` is all. Listing and
    /// sizes cost one request and are always of all.
    pub share: Option<Share>,
    /// Most bytes that are read in a second; `None` is as fast as the bucket gives them.
    pub bytes_per_sec: Option<NonZeroU64>,
    /// A local file in which it is noted what was found sound, so that the next run goes on from
    /// there if this one is ended; it is removed at the end.
    pub notes: Option<PathBuf>,
}

/// How far a verification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyProgress {
    /// The level that it is at.
    pub level: VerifyLevel,
    /// Bytes that were read of it.
    pub bytes: u64,
    /// Bytes that it reads in all, as far as that is known.
    pub bytes_total: Option<u64>,
}

/// What one level came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelReport {
    /// The level.
    pub level: VerifyLevel,
    /// Files that were verified at it; of a replay, states that were folded.
    pub files: u64,
    /// Bytes of them; of a replay, bytes that were read.
    pub bytes: u64,
    /// What was found wrong.
    pub findings: u64,
    /// How long it took; `None` if it was done in one pass with the next level.
    pub took: Option<Duration>,
}

/// Something that is damaged or lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyFinding {
    /// The first level at which it is seen.
    pub level: VerifyLevel,
    /// The object; `None` if it is one that no manifest lists.
    pub object: Option<String>,
    /// Where in it, if that is known.
    pub offset: Option<u64>,
    /// What is wrong.
    pub reason: String,
    /// What can't be restored because of it. Of a file that is damaged in part only, states may be
    /// among it that do without that part.
    pub hurts: Vec<Hurt>,
    /// The backups that can't be restored because of it.
    pub backups: Vec<String>,
}

/// What a verification came to.
#[derive(Clone, Debug)]
pub struct VerifyReport {
    /// The manifest that it went by; where files were replaced meanwhile, the newest that it saw.
    pub manifest: u64,
    /// History files that it lists.
    pub files: u64,
    /// The last commit that it has sealed.
    pub sealed: Commit,
    /// The levels, in order.
    pub levels: Vec<LevelReport>,
    /// What is damaged or lost.
    pub findings: Vec<VerifyFinding>,
    /// Files that were not read, as an earlier run had noted that they are sound.
    pub noted_before: u64,
    /// Files that were replaced meanwhile, and so were of no concern any more.
    pub replaced: u64,
    /// History files in the bucket that no manifest lists, and that are not known to have been
    /// listed: what a process left that died, or one is about to publish.
    pub unlisted_files: u64,
    /// Bytes of them.
    pub unlisted_bytes: u64,
    /// Whether the catalog could be read; if not, it is not known which tables need what.
    pub catalog_is_read: bool,
}

/// Verifies the bucket of a database.
#[derive(Debug)]
pub struct Verifier {
    examined: Examination,
    /// What the database that is open knows of its tables; without one, the bucket says it.
    catalog: Option<Catalog>,
    fs: Arc<dyn Fs>,
}

impl Verifier {
    /// Opens the bucket at `url`, which may be damaged in any way as long as its newest manifest
    /// can be read.
    ///
    /// # Errors
    ///
    /// [`crate::Error::NoHistory`] if no database has published there; [`crate::Error::Tier`] if
    /// the bucket is out of reach, or its newest manifest damaged.
    pub fn open(url: &str, options: &RemoteOptions, clock: Arc<dyn Clock>) -> Result<Self> {
        let (network, remote, manifest) = connect_to_history(url, options)?;
        let examined = Examination::new(Arc::new(network), remote, manifest.database, clock);
        Ok(Self { examined, catalog: None, fs: Arc::new(OsFs) })
    }

    /// Verifies; tells `watch` how far it is, which can end it.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Tier`] if the bucket is out of reach, or `watch` ended it;
    /// [`crate::Error::Invalid`] if the notes are of something else. What was noted before stays
    /// so.
    pub fn run(
        &self,
        options: &VerifyOptions,
        watch: &mut dyn FnMut(VerifyProgress) -> ControlFlow<()>,
    ) -> Result<VerifyReport> {
        run::run(self, options, watch)
    }

    /// The database whose bucket it is.
    #[must_use]
    pub fn database(&self) -> DatabaseId {
        self.examined.database
    }

    /// Requests to the bucket and bytes from it since it was opened.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.examined.remote().traffic()
    }
}

impl Database {
    /// Verifies the bucket of this database, as far as it is sealed.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        let catalog = self.inner.log.catalog().as_ref().clone();
        Verifier { examined: self.examination(), catalog: Some(catalog), fs: Arc::new(OsFs) }
    }
}
