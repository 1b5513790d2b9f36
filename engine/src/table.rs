//! One table: its writes one by one, and its reads.

use bytes::Bytes;
use foldback_log_tier::{KeyRange, TableId};

use crate::batch::{CommitHandle, WriteBatch, WriteOptions};
use crate::present::Range;
use crate::{Database, Result, TableRecord, Target, View};

/// A handle of a table. It stays valid until the table is dropped.
#[derive(Clone, Debug)]
pub struct Table {
    database: Database,
    id: TableId,
}

impl Table {
    pub(crate) fn new(database: Database, id: TableId) -> Self {
        Self { database, id }
    }

    /// The table's id, for batches.
    #[must_use]
    pub fn id(&self) -> TableId {
        self.id
    }

    /// What the catalog says of it.
    ///
    /// # Errors
    ///
    /// [`crate::Error::TableNotFound`] once it is dropped.
    pub fn record(&self) -> Result<TableRecord> {
        self.database.record(self.id)
    }

    /// Puts a value under a key, as a batch of its own.
    pub fn put(&self, key: impl Into<Bytes>, value: impl Into<Bytes>) -> CommitHandle {
        let mut batch = WriteBatch::new();
        batch.put(self.id, key, value);
        self.database.write(batch, WriteOptions::default())
    }

    /// Deletes a key, as a batch of its own.
    pub fn delete(&self, key: impl Into<Bytes>) -> CommitHandle {
        let mut batch = WriteBatch::new();
        batch.delete(self.id, key);
        self.database.write(batch, WriteOptions::default())
    }

    /// The newest value of a key, `None` if it is absent.
    ///
    /// # Errors
    ///
    /// [`crate::Error::TableNotFound`] once it is dropped, [`crate::Error::Present`] if its tree
    /// can't be read.
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        self.database.get(self.id, key)
    }

    /// The rows of a range of keys as of the last commit, from both ends.
    ///
    /// # Errors
    ///
    /// [`crate::Error::TableNotFound`] once it is dropped.
    pub fn range(&self, keys: &KeyRange) -> Result<Range> {
        self.database.view().range(self.id, keys)
    }

    /// The rows whose keys start with `prefix` as of the last commit, from both ends.
    ///
    /// # Errors
    ///
    /// As [`Self::range`].
    pub fn prefix(&self, prefix: &[u8]) -> Result<Range> {
        self.range(&KeyRange::prefix(prefix))
    }

    /// The table as it was at a target: read from its history, without a restore.
    ///
    /// An instant that was asked for stays what it is, as with [`Database::resolve`].
    ///
    /// # Errors
    ///
    /// As [`Database::plan`].
    pub fn as_of(&self, target: Target) -> Result<View<'static>> {
        self.database.view_at(self.id, target)
    }
}
