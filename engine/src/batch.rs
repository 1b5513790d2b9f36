//! Batches as callers build them, and the handle that a write returns.

use std::future::Future;
use std::hash::BuildHasher;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use foldback_log_tier::{Batch, Change, Commit, Event, TableId, Timestamp};
use hashbrown::{DefaultHashBuilder, HashTable};
use tokio::sync::oneshot;

use crate::config::{
    BATCH_BYTES_MAX, BATCH_EVENTS_MAX, Durability, KEY_BYTES_MAX, VALUE_BYTES_MAX,
};
use crate::{Error, Result};

/// The puts and deletes of one atomic write, over any number of tables.
///
/// A batch holds at most one event a key: a later put or delete of the same key replaces the
/// earlier one.
#[derive(Clone, Debug, Default)]
pub struct WriteBatch {
    batch: Batch,
    /// Where the event of each key is.
    positions: HashTable<usize>,
    hashes: DefaultHashBuilder,
}

impl WriteBatch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a value under a key of a table.
    pub fn put(&mut self, table: TableId, key: impl Into<Bytes>, value: impl Into<Bytes>) {
        self.add(table, key.into(), Change::Put(value.into()));
    }

    /// Deletes a key of a table; one that is absent may be deleted.
    pub fn delete(&mut self, table: TableId, key: impl Into<Bytes>) {
        self.add(table, key.into(), Change::Delete);
    }

    /// The number of events.
    #[must_use]
    pub fn len(&self) -> usize {
        self.batch.events.len()
    }

    /// Whether there are no events.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.batch.events.is_empty()
    }

    fn add(&mut self, table: TableId, key: Bytes, change: Change) {
        let Self { batch: Batch { events }, positions, hashes } = self;
        let event = Event { table, key, change };
        let hash_of = |event: &Event| hashes.hash_one((event.table, &event.key));
        let hash = hash_of(&event);
        let is_same = |at: &usize| (events[*at].table, &events[*at].key) == (table, &event.key);
        match positions.find(hash, is_same) {
            Some(earlier) => events[*earlier] = event,
            None => {
                positions.insert_unique(hash, events.len(), |at| hash_of(&events[*at]));
                events.push(event);
            }
        }
    }

    /// Refuses what may not be written, and gives up the events.
    pub(crate) fn into_checked(self) -> Result<Batch> {
        if self.batch.events.is_empty() {
            return Err(Error::Invalid("a batch needs at least one event".to_owned()));
        }
        let mut bytes_in_all = 0;
        for event in &self.batch.events {
            let value_bytes = event.change.value().map_or(0, Bytes::len);
            check_size("the key", event.key.len(), KEY_BYTES_MAX)?;
            check_size("the value", value_bytes, VALUE_BYTES_MAX)?;
            bytes_in_all += event.key.len() + value_bytes;
            if event.table == TableId::CATALOG {
                let reason = "table 0 is the catalog, which only the engine writes";
                return Err(Error::Invalid(reason.to_owned()));
            }
        }
        check_size("the batch", bytes_in_all, BATCH_BYTES_MAX)?;
        let events = self.batch.events.len();
        if events > BATCH_EVENTS_MAX {
            return Err(Error::Invalid(format!(
                "a batch of {events} events is too large, {BATCH_EVENTS_MAX} is the most"
            )));
        }
        Ok(self.batch)
    }
}

fn check_size(what: &'static str, bytes: usize, bytes_max: usize) -> Result<()> {
    match bytes <= bytes_max {
        true => Ok(()),
        false => Err(Error::TooLarge { what, bytes, bytes_max }),
    }
}

/// How one write differs from the database's settings.
#[derive(Clone, Copy, Debug, Default)]
pub struct WriteOptions {
    /// When this write counts as done; `None` is as the database is configured.
    pub durability: Option<Durability>,
    /// The commit's timestamp, for the import of a past history; `None` is the clock's.
    pub timestamp: Option<Timestamp>,
}

/// A write on its way. Await it, or block on [`CommitHandle::wait`]; dropping it loses the answer,
/// not the write.
#[derive(Debug)]
#[must_use = "the write may fail, which only its handle tells"]
pub struct CommitHandle {
    answer: oneshot::Receiver<Result<Commit>>,
}

impl CommitHandle {
    pub(crate) fn new() -> (oneshot::Sender<Result<Commit>>, Self) {
        let (sender, answer) = oneshot::channel();
        (sender, Self { answer })
    }

    /// A write that failed before it was handed on.
    pub(crate) fn failed(error: Error) -> Self {
        let (sender, handle) = Self::new();
        let _ = sender.send(Err(error));
        handle
    }

    /// Blocks until the write is done, and says which commit it became.
    ///
    /// # Errors
    ///
    /// What the write failed with; after [`Error::Halted`] it may or may not have been kept.
    pub fn wait(self) -> Result<Commit> {
        foldback_compactor::wait_for(self)
    }
}

impl Future for CommitHandle {
    type Output = Result<Commit>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.answer).poll(context).map(|answer| answer.unwrap_or(Err(Error::Closed)))
    }
}
