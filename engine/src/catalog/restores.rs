//! The restore log: what was restored, by whom, when and why, and how table 0 stores it.

use foldback_log_tier::{Commit, DatabaseId, TableId, Timestamp};
use serde::{Deserialize, Serialize};

use super::stored::Stored;

/// Records that the restore log keeps; the oldest make room.
pub(super) const RECORDS_MAX: usize = 1_000;

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

impl Stored for RestoreRecord {
    const KIND: &'static str = "restore";

    fn number(&self) -> u64 {
        self.id
    }
}
