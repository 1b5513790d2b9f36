//! The notes of a verification: which files were found sound, so that a run that was ended goes on
//! where it stopped.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use foldback_log_tier::fs::Fs;
use foldback_log_tier::manifest::HistoryEntry;
use foldback_log_tier::{DatabaseId, Error as TierError};
use serde::{Deserialize, Serialize};

use super::VerifyLevel;
use crate::{Error, Result};

/// Version of the notes' format.
const FORMAT: u32 = 1;
/// What is read between two writings of the notes: as much is read again after a kill.
const UNWRITTEN_BYTES_MAX: u64 = 16 << 20;
/// How long a run goes on between two writings of the notes.
const UNWRITTEN_FOR_MAX: Duration = Duration::from_secs(1);

/// What the file of the notes holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Noted {
    format: u32,
    database: DatabaseId,
    /// The bucket: a copy of it has bytes of its own.
    bucket: String,
    /// By object name.
    sound: BTreeMap<String, NotedFile>,
}

/// That a file was found sound.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NotedFile {
    level: VerifyLevel,
    /// What the manifest said of the file then.
    blake3: String,
}

/// The notes, in memory and in their file.
#[derive(Debug)]
pub(super) struct VerifyNotes {
    fs: Arc<dyn Fs>,
    path: PathBuf,
    noted: Noted,
    unwritten_bytes: u64,
    written_at: Instant,
}

impl VerifyNotes {
    /// Goes on with the notes in the file `path`, or begins some there.
    pub(super) fn open(
        fs: Arc<dyn Fs>,
        path: &Path,
        (database, bucket): (DatabaseId, String),
        now: Instant,
    ) -> Result<Self> {
        let noted = match read(fs.as_ref(), path)? {
            Some(noted) if (noted.database, &noted.bucket) == (database, &bucket) => noted,
            Some(noted) => {
                return Err(Error::Invalid(format!(
                    "{} notes what was verified of database {} in bucket {}, and this is database \
                     {database} in bucket {bucket}: name another file",
                    path.display(),
                    noted.database,
                    noted.bucket
                )));
            }
            None => Noted { format: FORMAT, database, bucket, sound: BTreeMap::new() },
        };
        let mut notes =
            Self { fs, path: path.to_path_buf(), noted, unwritten_bytes: 0, written_at: now };
        // That it can't be written is said before anything was read.
        notes.write(now)?;
        Ok(notes)
    }

    /// Whether the file was found sound at this level or a deeper one.
    pub(super) fn has(&self, file: &HistoryEntry, level: VerifyLevel) -> bool {
        let noted = self.noted.sound.get(&file.name);
        noted.is_some_and(|noted| level <= noted.level && noted.blake3 == file.blake3)
    }

    /// Notes that a file was found sound; writes the notes if that was long ago.
    pub(super) fn note(
        &mut self,
        file: &HistoryEntry,
        level: VerifyLevel,
        now: Instant,
    ) -> Result<()> {
        let noted = NotedFile { level, blake3: file.blake3.clone() };
        self.noted.sound.insert(file.name.clone(), noted);
        self.unwritten_bytes += file.bytes;
        let waited = now.saturating_duration_since(self.written_at);
        if self.unwritten_bytes < UNWRITTEN_BYTES_MAX && waited < UNWRITTEN_FOR_MAX {
            return Ok(());
        }
        self.write(now)
    }

    /// Writes the notes so that a crash leaves the old or the new ones.
    pub(super) fn write(&mut self, now: Instant) -> Result<()> {
        let unfinished = unfinished(&self.path);
        if exists(self.fs.as_ref(), &unfinished)? {
            self.fs.remove(&unfinished)?;
        }
        let json = serde_json::to_vec_pretty(&self.noted).expect("its keys are text");
        let file = self.fs.create(&unfinished)?;
        file.write_at(0, &json)?;
        file.sync()?;
        self.fs.rename(&unfinished, &self.path)?;
        self.fs.sync_directory(directory(&self.path))?;
        (self.unwritten_bytes, self.written_at) = (0, now);
        Ok(())
    }

    /// Removes the file: all that it was for is done.
    pub(super) fn remove(self) -> Result<()> {
        self.fs.remove(&self.path)?;
        Ok(self.fs.sync_directory(directory(&self.path))?)
    }
}

fn read(fs: &dyn Fs, path: &Path) -> Result<Option<Noted>> {
    if !exists(fs, path)? {
        return Ok(None);
    }
    let file = fs.open(path, false)?;
    let length = usize::try_from(file.len()?).unwrap_or(usize::MAX);
    let bytes = file.read_at(0, length)?;
    let wrong = |reason: String| {
        Error::Invalid(format!(
            "{} is not what `verify` notes there: {reason}; name another file, or remove this one to \
             begin anew",
            path.display()
        ))
    };
    let noted: Noted = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
    match noted.format {
        FORMAT => Ok(Some(noted)),
        newer => Err(TierError::Unsupported(format!(
            "{} has format {newer}, this release knows {FORMAT}; upgrade Foldback, or name another \
             file",
            path.display()
        ))
        .into()),
    }
}

fn exists(fs: &dyn Fs, path: &Path) -> Result<bool> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| {
        Error::Invalid(format!("{} can't be the file of the notes: name one", path.display()))
    })?;
    Ok(fs.list(directory(path))?.iter().any(|other| other == name))
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => path,
    }
}

fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".unfinished");
    name.into()
}

#[cfg(test)]
mod tests;
