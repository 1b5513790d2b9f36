//! The merge: sorted sources of events in, the live row of each key out.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use bytes::Bytes;
use foldback_log_tier::history::RowGroupRows;
use foldback_log_tier::{CommittedBatch, EventRow, KeyRange, Seq, TableId, Timestamp};
use tokio::sync::mpsc;

use crate::{Error, Result};

/// Which rows of a source count: `floor < seq <= target`, of keys in the range.
#[derive(Clone, Debug)]
pub(crate) struct RowFilter {
    pub(crate) keys: KeyRange,
    /// Rows at or below are superseded by a base.
    pub(crate) floor: Seq,
    pub(crate) target: Seq,
}

impl RowFilter {
    fn admits(&self, row: &EventRow<'_>) -> bool {
        self.floor < row.seq && row.seq <= self.target && self.keys.contains(row.key)
    }
}

/// Events of one table, sorted by (key, seq descending).
#[derive(Debug)]
pub(crate) struct Source {
    rows: Rows,
    filter: RowFilter,
    at: usize,
}

#[derive(Debug)]
enum Rows {
    /// Row groups of a history file, as they are read and decoded.
    History { feed: RowGroupFeed, group: Option<Box<RowGroupRows>> },
    /// Events of local segments.
    Tail(std::sync::Arc<TailRows>),
}

/// The row groups of one history file, in order.
#[derive(Debug)]
pub(crate) struct RowGroupFeed {
    pub(crate) groups: mpsc::Receiver<Result<RowGroupRows>>,
    /// How many are still to come: a feed that ends early has lost rows.
    pub(crate) left: usize,
}

impl RowGroupFeed {
    /// Waits for the next row group; `None` at the end.
    fn next(&mut self) -> Result<Option<RowGroupRows>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        match futures::executor::block_on(self.groups.recv()) {
            Some(group) => group.map(Some),
            None => Err(Error::Closed),
        }
    }
}

/// The newest event of each key that local segments hold, up to a target.
#[derive(Debug)]
pub(crate) struct TailRows {
    table: TableId,
    rows: Vec<(Bytes, Seq, Timestamp, Option<Bytes>)>,
}

impl TailRows {
    /// No events.
    pub(crate) fn none(table: TableId) -> Self {
        Self { table, rows: Vec::new() }
    }

    /// Collects the events of `table` in commits after `after` and up to `target`.
    ///
    /// Memory is bounded by the keys and values of the unsealed part of the log.
    pub(crate) fn collect(
        table: TableId,
        after: Seq,
        target: Seq,
        commits: impl Iterator<Item = Result<CommittedBatch>>,
    ) -> Result<Self> {
        let mut newest = std::collections::BTreeMap::new();
        for committed in commits {
            let CommittedBatch { commit, batch } = committed?;
            if commit.seq <= after || commit.seq > target {
                continue;
            }
            for event in batch.events.into_iter().filter(|event| event.table == table) {
                newest.insert(event.key, (commit, event.change.value().cloned()));
            }
        }
        let row = |(key, (commit, value)): (Bytes, (foldback_log_tier::Commit, Option<Bytes>))| {
            (key, commit.seq, commit.timestamp, value)
        };
        Ok(Self { table, rows: newest.into_iter().map(row).collect() })
    }

    fn row(&self, at: usize) -> Option<EventRow<'_>> {
        let (key, seq, timestamp, value) = self.rows.get(at)?;
        let (table, seq, timestamp) = (self.table, *seq, *timestamp);
        Some(EventRow { table, key, seq, timestamp, value: value.as_deref() })
    }
}

impl Source {
    /// Events of a history file.
    pub(crate) fn history(feed: RowGroupFeed, filter: RowFilter) -> Self {
        Self { rows: Rows::History { feed, group: None }, filter, at: 0 }
    }

    /// Events of local segments.
    pub(crate) fn tail(rows: std::sync::Arc<TailRows>, filter: RowFilter) -> Self {
        Self { rows: Rows::Tail(rows), filter, at: 0 }
    }

    fn row(&self) -> Option<EventRow<'_>> {
        match &self.rows {
            Rows::History { group, .. } => {
                let group = group.as_ref().filter(|group| self.at < group.len())?;
                Some(group.row(self.at))
            }
            Rows::Tail(rows) => rows.row(self.at),
        }
    }

    /// Goes to the first row that counts, from the current one on; false if there is none.
    fn settle(&mut self) -> Result<bool> {
        loop {
            match self.row().map(|row| self.filter.admits(&row)) {
                Some(true) => return Ok(true),
                Some(false) => self.at += 1,
                None if !self.next_group()? => return Ok(false),
                None => {}
            }
        }
    }

    /// Goes to the next row that counts; false if there is none.
    fn advance(&mut self) -> Result<bool> {
        self.at += 1;
        self.settle()
    }

    /// Waits for the next row group; false at the end.
    fn next_group(&mut self) -> Result<bool> {
        match &mut self.rows {
            Rows::Tail(_) => Ok(false),
            Rows::History { feed, group } => {
                *group = feed.next()?.map(Box::new);
                self.at = 0;
                Ok(group.is_some())
            }
        }
    }
}

/// A source in the heap, which gives the greatest first: the least key, and of one key the newest.
#[derive(Debug)]
struct Positioned(Source);

impl Positioned {
    fn row(&self) -> EventRow<'_> {
        self.0.row().expect("a source in the heap stands on a row")
    }
}

impl Ord for Positioned {
    fn cmp(&self, other: &Self) -> Ordering {
        let (left, right) = (self.row(), other.row());
        right.key.cmp(left.key).then(left.seq.cmp(&right.seq))
    }
}

impl PartialOrd for Positioned {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Positioned {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Positioned {}

/// Yields each key that is live, ascending, with its value.
#[derive(Debug)]
pub(crate) struct Merge {
    heap: BinaryHeap<Positioned>,
    last_key: Option<Vec<u8>>,
}

impl Merge {
    /// A merge of these sources.
    pub(crate) fn new(sources: impl IntoIterator<Item = Source>) -> Result<Self> {
        let mut heap = BinaryHeap::new();
        for mut source in sources {
            if source.settle()? {
                heap.push(Positioned(source));
            }
        }
        Ok(Self { heap, last_key: None })
    }

    /// The next key's newest row, if it is a put; `Some(None)` where a row was passed over.
    fn step(&mut self) -> Result<Option<Option<(Bytes, Bytes)>>> {
        let Some(mut top) = self.heap.peek_mut() else { return Ok(None) };
        let row = top.row();
        let mut live = None;
        if self.last_key.as_deref() != Some(row.key) {
            let last_key = self.last_key.get_or_insert_default();
            last_key.clear();
            last_key.extend_from_slice(row.key);
            live = row
                .value
                .map(|value| (Bytes::copy_from_slice(row.key), Bytes::copy_from_slice(value)));
        }
        let more = top.0.advance();
        // A source that stands on no row must leave the heap before that is put in order again.
        if !matches!(more, Ok(true)) {
            PeekMut::pop(top);
        }
        more.map(|_| Some(live))
    }
}

impl Iterator for Merge {
    type Item = Result<(Bytes, Bytes)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.step() {
                Ok(Some(Some(row))) => return Some(Ok(row)),
                Ok(Some(None)) => {}
                Ok(None) => return None,
                Err(error) => {
                    self.heap.clear();
                    return Some(Err(error));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
