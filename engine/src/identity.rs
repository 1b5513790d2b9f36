//! The file that says which database a local directory holds, and which bucket goes with it.

use std::path::{Path, PathBuf};

use foldback_log_tier::fs::Fs;
use foldback_log_tier::{DatabaseId, Error as TierError, WriterId, names};
use serde::{Deserialize, Serialize};

use crate::Result;

/// Version of the identity file's format.
const FORMAT: u32 = 1;

/// How far the making of a local directory has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DirectoryState {
    /// It was being created; it holds no commit yet.
    Creating,
    /// It was being rebuilt from the bucket.
    Recovering,
    /// It is whole.
    Ready,
}

/// The content of the identity file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Identity {
    pub(crate) format: u32,
    pub(crate) database: DatabaseId,
    /// URL of the bucket; `None` is the one in the directory itself.
    pub(crate) bucket: Option<String>,
    pub(crate) state: DirectoryState,
    /// The writers that this directory published as last, or was about to: if the newest manifest
    /// is of another, the database was recovered or copied elsewhere, and went on there.
    pub(crate) writers: Vec<WriterId>,
}

impl Identity {
    pub(crate) fn new(database: DatabaseId, bucket: Option<String>, state: DirectoryState) -> Self {
        Self { format: FORMAT, database, bucket, state, writers: Vec::new() }
    }

    /// The same, about to publish as `writer` on top of what `before` published.
    pub(crate) fn about_to_publish(mut self, before: Option<WriterId>, writer: WriterId) -> Self {
        self.writers = before.into_iter().chain([writer]).collect();
        self
    }

    /// Reads the identity of a directory, `None` if it has none.
    pub(crate) fn read(fs: &dyn Fs, directory: &Path) -> Result<Option<Self>> {
        let path = path(directory);
        if !fs.list(directory)?.iter().any(|name| name == names::IDENTITY) {
            return Ok(None);
        }
        let file = fs.open(&path, false)?;
        let length = usize::try_from(file.len()?).unwrap_or(usize::MAX);
        let bytes = file.read_at(0, length)?;
        let damaged = |reason: String| TierError::corrupt(path.display(), 0, reason);
        let identity: Self =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        match identity.format {
            FORMAT => Ok(Some(identity)),
            newer => Err(TierError::Unsupported(format!(
                "{} has format {newer}, this release knows {FORMAT}; upgrade Foldback",
                path.display()
            ))
            .into()),
        }
    }

    /// Writes the identity so that a crash leaves the old or the new one.
    pub(crate) fn write(&self, fs: &dyn Fs, directory: &Path) -> Result<()> {
        let path = path(directory);
        let unfinished = path.with_extension("unfinished");
        if fs.list(directory)?.iter().any(|name| unfinished.ends_with(name)) {
            fs.remove(&unfinished)?;
        }
        let json = serde_json::to_vec_pretty(self).expect("an identity always serialises");
        let file = fs.create(&unfinished)?;
        file.write_at(0, &json)?;
        file.sync()?;
        fs.rename(&unfinished, &path)?;
        Ok(fs.sync_directory(directory)?)
    }
}

fn path(directory: &Path) -> PathBuf {
    directory.join(names::IDENTITY)
}
