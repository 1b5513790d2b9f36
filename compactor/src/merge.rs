//! The merge: sorted sources of events in, one sorted stream of events out.
//!
//! Restores, folds and merges of deltas all read history through it. A restore and a fold want the
//! newest row of each key; a merge of deltas wants every row.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use foldback_log_tier::{EventRow, Result, TableId};

mod source;
mod tail_rows;

pub use source::{RowFilter, RowGroupFeed, Source};
pub use tail_rows::TailRows;

/// A source in the heap, which gives the greatest first: the least (table, key), and of one key
/// the newest.
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
        let by_key = (right.table, right.key).cmp(&(left.table, left.key));
        by_key.then(left.seq.cmp(&right.seq))
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

/// Rows of all sources, sorted by (table, key, seq descending).
#[derive(Debug)]
pub struct Merge {
    heap: BinaryHeap<Positioned>,
    /// The table and key of the row before; its allocation is used again.
    last_key: Option<(TableId, Vec<u8>)>,
}

impl Merge {
    /// A merge of these sources.
    ///
    /// # Errors
    ///
    /// What reading the first rows fails with.
    pub fn new(sources: impl IntoIterator<Item = Source>) -> Result<Self> {
        let mut heap = BinaryHeap::new();
        for mut source in sources {
            if source.settle()? {
                heap.push(Positioned(source));
            }
        }
        Ok(Self { heap, last_key: None })
    }

    /// Hands the next row to `take`, with whether it is the newest of its key; `None` at the end.
    ///
    /// # Errors
    ///
    /// What reading the row after it fails with. The merge is of no use then.
    pub fn next_row<T>(&mut self, take: impl FnOnce(EventRow<'_>, bool) -> T) -> Result<Option<T>> {
        let Some(mut top) = self.heap.peek_mut() else { return Ok(None) };
        let row = top.row();
        let (last_table, last_key) = self.last_key.get_or_insert((TableId::MAX, Vec::new()));
        let is_newest = *last_table != row.table || last_key.as_slice() != row.key;
        if is_newest {
            *last_table = row.table;
            last_key.clear();
            last_key.extend_from_slice(row.key);
        }
        let taken = take(row, is_newest);
        let more = top.0.advance();
        // A source that stands on no row must leave the heap before that is put in order again.
        if !matches!(more, Ok(true)) {
            PeekMut::pop(top);
        }
        more.map(|_| Some(taken))
    }

    /// The next key that is live, with its newest row.
    ///
    /// # Errors
    ///
    /// As [`Self::next_row`].
    pub fn next_live<T>(&mut self, take: impl Fn(EventRow<'_>) -> T) -> Result<Option<T>> {
        let live =
            |row: EventRow<'_>, is_newest| (is_newest && row.value.is_some()).then(|| take(row));
        loop {
            match self.next_row(live)? {
                Some(Some(row)) => return Ok(Some(row)),
                Some(None) => {}
                None => return Ok(None),
            }
        }
    }
}

#[cfg(test)]
mod tests;
