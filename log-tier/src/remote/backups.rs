//! Detached backups: the list of the files that one consists of, in a bucket that is no database's.
//!
//! Like a manifest, a list is only ever created. It names all files that a restore reads, those of
//! the backup that it was built on among them. A file that no list names belongs to no backup.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{RemoteLog, SMALL_OBJECT_BYTES_MAX};
use crate::history::FileKind;
use crate::manifest::{HistoryEntry, Manifest, Scope};
use crate::{Commit, DatabaseId, Error, Result, TableId, Timestamp, checked_json, names};

/// The version of the bytes of a list.
pub const BACKUP_FORMAT: u32 = 1;

/// Bytes that are asked for at once when a file is read back.
const VERIFY_BYTES: u64 = 8 << 20;

/// A state of a table in a bucket of its own: all that is needed to restore it, but its files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetachedBackup {
    /// The version of its bytes: [`BACKUP_FORMAT`].
    pub format: u32,
    /// Its name, which the name of its object repeats.
    pub name: String,
    /// The database that the table is of.
    pub database: DatabaseId,
    /// The table.
    pub table: TableId,
    /// The table's name.
    pub table_name: String,
    /// The commit whose state it is.
    pub target: Commit,
    /// When it was made, by the clock of whoever made it.
    pub made: Timestamp,
    /// What it is for, in the words of whoever made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The backup that it was built on, if there was one: what it needs of that is in its own list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousBackup>,
    /// Bytes of the files that were written for it; absent in lists of earlier builds, for which
    /// all were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_bytes: Option<u64>,
    /// Rows of its files. With deltas among them, that counts rows that others took the place of,
    /// and deletes.
    pub rows: u64,
    /// Bytes of its files.
    pub bytes: u64,
    /// Its files: bases by ascending keys, and then deltas, oldest first.
    pub files: Vec<HistoryEntry>,
}

/// The backup that another was built on. It may be gone by now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreviousBackup {
    /// Its name.
    pub name: String,
    /// The commit whose state it is.
    pub target: Commit,
}

impl DetachedBackup {
    /// The bytes of this list.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] if it breaks a rule that [`Self::decode`] would refuse it for.
    pub fn encode(&self) -> Result<Bytes> {
        let name = names::backup(&self.name);
        let unfit = |reason: String| Error::corrupt(&name, 0, format!("it is not fit: {reason}"));
        self.check().map_err(unfit)?;
        let text = checked_json::encode(self);
        match u64::try_from(text.len()).is_ok_and(|bytes| bytes <= SMALL_OBJECT_BYTES_MAX) {
            true => Ok(text.into()),
            false => Err(unfit(format!("its {} bytes are too many", text.len()))),
        }
    }

    /// The list that the object `name` holds as `bytes`.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] if any byte is not as written, or what they say breaks a rule;
    /// [`Error::Unsupported`] if a later release wrote them.
    pub fn decode(name: &str, bytes: &[u8]) -> Result<Self> {
        let damaged = |reason: String| Error::corrupt(name, 0, reason);
        let fields =
            checked_json::checked(bytes, "a backup").map_err(|(_, reason)| damaged(reason))?;
        let fields = fields.strip_suffix(b",\n");
        let no_comma = || damaged("its fields do not end in a comma".to_owned());
        let mut document = fields.ok_or_else(no_comma)?.to_vec();
        document.push(b'}');
        let head: BackupHead =
            serde_json::from_slice(&document).map_err(|error| damaged(error.to_string()))?;
        if head.format > BACKUP_FORMAT {
            return Err(Error::Unsupported(format!(
                "{name} has backup format {}, and this release reads up to {BACKUP_FORMAT}: upgrade \
                 foldback to the release that wrote it, or a later one",
                head.format
            )));
        }
        let backup: Self =
            serde_json::from_slice(&document).map_err(|error| damaged(error.to_string()))?;
        backup.check().map_err(damaged)?;
        match names::parse_backup(name) == Some(backup.name.as_str()) {
            true => Ok(backup),
            false => Err(damaged(format!("it says that it is backup {:?}", backup.name))),
        }
    }

    /// Its files as a manifest lists them, for those who plan reads.
    #[must_use]
    pub fn manifest(&self) -> Manifest {
        let (number, sealed, files) = (1, self.target, self.files.clone());
        Manifest { number, epoch: 1, sealed, files, ..Manifest::empty(self.database) }
    }

    /// The commit whose state its bases are.
    #[must_use]
    pub fn base(&self) -> Commit {
        let bases = self.files.iter().filter(|file| file.kind == FileKind::Base);
        bases.map(|file| file.last).min().unwrap_or(self.target)
    }

    /// The last commit that its files cover. Nothing happened to the table after it, up to the
    /// target.
    #[must_use]
    pub fn covered(&self) -> Commit {
        self.files.iter().map(|file| file.last).max().unwrap_or(self.target)
    }

    /// Bytes of its files of one kind.
    #[must_use]
    pub fn bytes_of(&self, kind: FileKind) -> u64 {
        self.files.iter().filter(|file| file.kind == kind).map(|file| file.bytes).sum()
    }

    fn check(&self) -> Result<(), String> {
        if self.format != BACKUP_FORMAT {
            return Err(format!("there is no backup format {}", self.format));
        }
        let base = self.base();
        let is_own = |file: &HistoryEntry| match file.kind {
            FileKind::Base => {
                file.is_base_of(self.table) && file.last == base && file.until.is_none()
            }
            FileKind::Delta => {
                let is_of_table = |scope: &Scope| scope.table == self.table;
                file.scope.as_ref().is_some_and(is_of_table) && base.seq < file.first.seq
            }
        };
        if let Some(file) = self.files.iter().find(|file| !is_own(file)) {
            return Err(format!(
                "{} is no base of its table at #{}, nor a delta",
                file.name, base.seq
            ));
        }
        if self.previous.as_ref().is_some_and(|previous| previous.target > self.target) {
            return Err("the backup that it is built on is of a later commit".to_owned());
        }
        let sum = |part: fn(&HistoryEntry) -> u64| {
            self.files.iter().map(part).fold(0, u64::saturating_add)
        };
        if self.written_bytes.is_some_and(|written| written > self.bytes) {
            return Err("more bytes were written for it than it has".to_owned());
        }
        if (self.rows, self.bytes) != (sum(|file| file.rows), sum(|file| file.bytes)) {
            return Err("its rows or bytes are not those of its files".to_owned());
        }
        self.manifest().check()
    }
}

impl RemoteLog {
    /// The names of the backups in the bucket, sorted. An object among them that is none is left
    /// alone.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store does not answer.
    pub async fn list_backups(&self) -> Result<Vec<String>> {
        let objects = self.list(names::BACKUP_PREFIX).await?;
        let named = objects.iter().filter_map(|(name, _)| names::parse_backup(name));
        Ok(named.map(str::to_owned).collect())
    }

    /// The backup of this name, or `None` if it is not in the bucket.
    ///
    /// # Errors
    ///
    /// As [`DetachedBackup::decode`]; [`Error::Store`] if the store does not answer.
    pub async fn backup(&self, name: &str) -> Result<Option<DetachedBackup>> {
        let object = names::backup(name);
        let body = self.read_small(&object).await?;
        body.map(|body| DetachedBackup::decode(&object, &body)).transpose()
    }

    /// The first of these files that is not in the bucket with its length; `None` if all are.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store does not answer.
    pub async fn first_missing<'f>(
        &self,
        files: &'f [HistoryEntry],
    ) -> Result<Option<&'f HistoryEntry>> {
        let there: BTreeSet<_> = self.list(names::HISTORY_PREFIX).await?.into_iter().collect();
        let is_there = |file: &HistoryEntry| there.contains(&(file.name.clone(), file.bytes));
        Ok(files.iter().find(|file| !is_there(file)))
    }

    /// Creates the list of a backup whose files are all there; says whether it is there now, and
    /// no other of its name was before.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store refuses or does not answer: it may be there then or not.
    pub async fn create_backup(&self, backup: &DetachedBackup) -> Result<bool> {
        let (name, body) = (names::backup(&backup.name), backup.encode()?);
        let Err(error) = self.create_declared(&name, &body).await else { return Ok(true) };
        // The answer to a create that was made can be lost.
        match self.read_small(&name).await? {
            Some(found) => Ok(found == body),
            None => Err(self.refused("create", &name)(error)),
        }
    }

    /// Reads a history file back whole, and compares its length and its BLAKE3 with what is said of
    /// it.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] if they differ, [`Error::Missing`] if it is not there, [`Error::Store`]
    /// if the store does not answer.
    pub async fn verify_history(&self, file: &HistoryEntry) -> Result<()> {
        let (mut hasher, mut offset) = (blake3::Hasher::new(), 0);
        while offset < file.bytes {
            let end = (offset + VERIFY_BYTES).min(file.bytes);
            hasher.update(&self.read(&file.name, offset..end).await?);
            offset = end;
        }
        let actual = hasher.finalize().to_hex();
        match actual.as_str() == file.blake3 {
            true => Ok(()),
            false => {
                let reason = format!("its BLAKE3 is {actual}, and {} was written", file.blake3);
                Err(Error::corrupt(&file.name, 0, reason))
            }
        }
    }
}

/// What every format has, and what tells the format.
#[derive(Deserialize)]
struct BackupHead {
    format: u32,
}

#[cfg(test)]
mod tests;
