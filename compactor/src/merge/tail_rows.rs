//! The newest events that only local segments hold.

use std::collections::BTreeMap;

use bytes::Bytes;
use foldback_log_tier::{Commit, CommittedBatch, EventRow, Result, Seq, TableId};

use super::SharedStart;

/// The newest event of each key of a table that local segments hold, up to a target.
#[derive(Debug)]
pub struct TailRows {
    table: TableId,
    rows: Vec<(Bytes, Commit, Option<Bytes>)>,
}

impl TailRows {
    /// No events.
    #[must_use]
    pub const fn none(table: TableId) -> Self {
        Self { table, rows: Vec::new() }
    }

    /// Collects the events of `table` in commits after `after` and up to `target`.
    ///
    /// Memory is bounded by the keys and values of the unsealed part of the log.
    ///
    /// # Errors
    ///
    /// What reading the commits fails with.
    pub fn collect(
        table: TableId,
        after: Seq,
        target: Seq,
        commits: impl Iterator<Item = Result<CommittedBatch>>,
    ) -> Result<Self> {
        let mut newest = BTreeMap::new();
        for committed in commits {
            let CommittedBatch { commit, batch } = committed?;
            if commit.seq <= after || commit.seq > target {
                continue;
            }
            for event in batch.events.into_iter().filter(|event| event.table == table) {
                // The log hands out slices of its read buffers, which would be kept with them.
                let value = event.change.value().map(|value| Bytes::copy_from_slice(value));
                newest.insert(Bytes::copy_from_slice(&event.key), (commit, value));
            }
        }
        let rows = newest.into_iter().map(|(key, (commit, value))| (key, commit, value));
        Ok(Self { table, rows: rows.collect() })
    }

    /// The newest event of a key: `None` if there is none, else the value that it puts, or `None`
    /// within for a delete.
    #[must_use]
    pub fn newest(&self, key: &[u8]) -> Option<Option<Bytes>> {
        let at = self.rows.binary_search_by(|(found, ..)| found.as_ref().cmp(key)).ok()?;
        Some(self.rows[at].2.clone())
    }

    /// What all keys begin with.
    pub(super) fn shared_start(&self) -> SharedStart {
        match (self.rows.first(), self.rows.last()) {
            (Some((first, ..)), Some((last, ..))) => SharedStart::between(first, last),
            _ => SharedStart::NoKeys,
        }
    }

    pub(super) fn shared_row(&self, at: usize) -> Option<(Bytes, Option<Bytes>)> {
        let (key, _, value) = self.rows.get(at)?;
        Some((key.clone(), value.clone()))
    }

    pub(super) fn row(&self, at: usize) -> Option<EventRow<'_>> {
        let (key, commit, value) = self.rows.get(at)?;
        Some(EventRow {
            table: self.table,
            key,
            seq: commit.seq,
            timestamp: commit.timestamp,
            value: value.as_deref(),
        })
    }
}
