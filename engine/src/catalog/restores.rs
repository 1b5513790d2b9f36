//! The restore log: what was restored, by whom, when and why, and how table 0 stores it.

use std::sync::Arc;

use bytes::Bytes;
use foldback_log_tier::{Change, Commit, DatabaseId, Event, TableId, Timestamp};
use serde::{Deserialize, Serialize};

use super::record::corrupt;
use crate::Result;

/// Records that the restore log keeps; the oldest make room.
pub(super) const RECORDS_MAX: usize = 1_000;
/// What the keys of the records begin with in table 0.
pub(super) const KEY_PREFIX: &[u8] = b"restore/";

/// One restore, as the restore log tells of it. A restore of several tables has a record for each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestoreRecord {
    /// Its place in the log, from 1.
    pub id: u64,
    /// The table that was restored.
    pub source: TableId,
    /// The name of that table.
    pub source_name: String,
    /// The database of that table, if it is another one than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<DatabaseId>,
    /// The commit whose state was asked for.
    pub target: Commit,
    /// What became of it.
    pub into: RestoredInto,
    /// Who asked for it, as the caller said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why, as the caller said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it began.
    pub started: Timestamp,
    /// When it was written here: the timestamp of that commit.
    pub ended: Timestamp,
    /// How it ended.
    pub outcome: RestoreOutcome,
    /// What it was expected to take.
    pub estimate: RestoreEstimate,
    /// What it took.
    pub actual: RestoreActual,
}

/// What a restore makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RestoredInto {
    /// A new table.
    Table {
        /// Its name, or the one that it should have had.
        name: String,
        /// Its id; none if it never became visible.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<TableId>,
    },
    /// Something outside of the database, as the caller named it.
    File(String),
}

/// How a restore ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestoreOutcome {
    /// All of it is there.
    Done,
    /// Nothing of it is left; the text says why.
    Failed(String),
    /// Nothing of it is left, as its caller wanted.
    Cancelled,
}

/// What a restore was expected to take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestoreEstimate {
    /// Requests to the bucket.
    pub requests: u64,
    /// Bytes from the bucket.
    pub bytes: u64,
    /// Time, in microseconds.
    pub micros: u64,
    /// Money, in thousand millionths of the currency.
    pub money_nanos: u64,
    /// The currency.
    pub currency: String,
}

/// What a restore took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestoreActual {
    /// Requests to the bucket for history files; what was in memory already needs none.
    pub requests: u64,
    /// Bytes that came from the bucket.
    pub bytes: u64,
    /// Time, in microseconds.
    pub micros: u64,
    /// Rows that were restored.
    pub rows: u64,
    /// Bytes of their keys and values.
    pub row_bytes: u64,
}

impl RestoreRecord {
    pub(super) fn to_event(&self) -> Event {
        let json = serde_json::to_vec(self).expect("a record always serialises");
        let change = Change::Put(json.into());
        Event { table: TableId::CATALOG, key: record_key(self.id), change }
    }

    pub(super) fn from_event(key: &[u8], value: &[u8]) -> Result<Arc<Self>> {
        let record: Self =
            serde_json::from_slice(value).map_err(|error| corrupt(key, &error.to_string()))?;
        match record_key(record.id) == key {
            true => Ok(Arc::new(record)),
            false => Err(corrupt(key, "it is the record of another restore")),
        }
    }
}

/// The event that takes a record off the log.
pub(super) fn removal(id: u64) -> Event {
    Event { table: TableId::CATALOG, key: record_key(id), change: Change::Delete }
}

/// The id of the record under this key.
pub(super) fn id_of_key(key: &[u8]) -> Result<u64> {
    let digits = key.strip_prefix(KEY_PREFIX).and_then(|digits| std::str::from_utf8(digits).ok());
    let id = digits.and_then(|digits| digits.parse().ok());
    id.filter(|id| record_key(*id) == key).ok_or_else(|| corrupt(key, "its key names no restore"))
}

/// The key of a record in table 0.
fn record_key(id: u64) -> Bytes {
    let mut key = KEY_PREFIX.to_vec();
    key.extend_from_slice(format!("{id:020}").as_bytes());
    key.into()
}
