//! Events, the batches they are written in, and the commits that batches become.

use bytes::Bytes;

use crate::{Seq, TableId, Timestamp};

/// What an event does to its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The key holds this value from now on.
    Put(Bytes),
    /// The key is absent from now on.
    Delete,
}

impl Change {
    /// The value put, or `None` for a delete.
    #[must_use]
    pub fn value(&self) -> Option<&Bytes> {
        match self {
            Self::Put(value) => Some(value),
            Self::Delete => None,
        }
    }
}

/// One fact about one key of one table; its batch's commit gives it a seq and a timestamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The table.
    pub table: TableId,
    /// The key.
    pub key: Bytes,
    /// What happened to it.
    pub change: Change,
}

/// The events of one atomic write. It spans tables and holds at most one event a (table, key).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The events, in the order they were added.
    pub events: Vec<Event>,
}

/// The position of a committed batch: its seq orders it, its timestamp describes it.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Commit {
    /// Dense, from 1.
    pub seq: Seq,
    /// Never decreasing along `seq`.
    pub timestamp: Timestamp,
}

impl Commit {
    /// Where a database stands before its first commit.
    pub const ORIGIN: Self = Self { seq: Seq::ZERO, timestamp: Timestamp::MIN };
}

/// A batch as the log holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedBatch {
    /// Where it stands.
    pub commit: Commit,
    /// What it did.
    pub batch: Batch,
}

/// One event with its position, borrowed: a row of a history file.
///
/// Rows are sorted by `(table, key, seq descending)`, so the first row of a key is its newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventRow<'a> {
    /// The table.
    pub table: TableId,
    /// The key.
    pub key: &'a [u8],
    /// The seq of its commit.
    pub seq: Seq,
    /// The timestamp of its commit.
    pub timestamp: Timestamp,
    /// The value put, or `None` for a delete.
    pub value: Option<&'a [u8]>,
}
