//! What an import reads, whatever it reads it from: batches of events with times of their own.

pub(crate) mod git;
pub(crate) mod jsonl;

/// One event of a batch: its key, and the value put or `None` for a delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImportedEvent {
    /// The key.
    pub(crate) key: Vec<u8>,
    /// The value put, or `None` for a delete.
    pub(crate) value: Option<Vec<u8>>,
}

/// The events of one commit, no key twice, in the order of their source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImportedBatch {
    /// Where in the source it begins, from 1: a line of a file, or a commit of a repository.
    pub(crate) line_first: u64,
    /// Where it ends; `line_first <= line_last`.
    pub(crate) line_last: u64,
    /// Its time, in microseconds since the epoch. It never goes back along a source.
    pub(crate) timestamp_micros: i64,
    /// The events. Only a repository yields batches without any.
    pub(crate) events: Vec<ImportedEvent>,
}
