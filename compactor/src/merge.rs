//! The merge: sorted sources of events in, one sorted stream of events out.
//!
//! Restores, folds and merges of deltas all read history through it. A restore and a fold want the
//! newest row of each key; a merge of deltas wants every row.

use bytes::Bytes;
use foldback_log_tier::{EventRow, Result};

mod heads;
mod shared_start;
mod source;
mod tail_rows;

use heads::{Head, Heads};

pub use foldback_log_tier::history::RowFilter;
pub(crate) use shared_start::{SharedStart, shared_bytes};
pub use source::{RowGroupFeed, Source};
pub use tail_rows::TailRows;

/// Rows of all sources, sorted by (table, key, seq descending).
#[derive(Debug)]
pub struct Merge {
    sources: Vec<Source>,
    heads: Heads,
    /// The head of the row before.
    last: Option<Head>,
    /// Its key, if the head does not hold all of it; the allocation is used again.
    last_key: Vec<u8>,
}

/// A row of a merge, whose memory can be shared.
#[derive(Clone, Copy, Debug)]
pub struct MergedRow<'a> {
    source: &'a Source,
    event: EventRow<'a>,
}

impl<'a> MergedRow<'a> {
    fn of(source: &'a Source) -> Self {
        Self { source, event: source.row().expect("a source with a head stands on a row") }
    }

    /// The row.
    #[must_use]
    pub const fn event(&self) -> EventRow<'a> {
        self.event
    }

    /// Its key and its value, if it puts one, sharing the memory of the rows around it.
    #[must_use]
    pub fn to_shared(&self) -> (Bytes, Option<Bytes>) {
        self.source.shared_row().expect("the source stands on it")
    }
}

impl Merge {
    /// A merge of these sources.
    ///
    /// # Errors
    ///
    /// What reading the first rows fails with.
    pub fn new(sources: impl IntoIterator<Item = Source>) -> Result<Self> {
        let mut sources: Vec<_> = sources.into_iter().collect();
        let starts = sources.iter().map(Source::shared_start);
        let shared = starts.reduce(SharedStart::join).map_or(0, |start| start.length());
        for source in &mut sources {
            source.settle()?;
        }
        let heads = Heads::new(&sources, shared);
        Ok(Self { sources, heads, last: None, last_key: Vec::new() })
    }

    /// Hands the next row to `take`, with whether it is the newest of its key; `None` at the end.
    ///
    /// # Errors
    ///
    /// What reading the row after it fails with. The merge is of no use then.
    pub fn next_row<T>(&mut self, take: impl FnOnce(EventRow<'_>, bool) -> T) -> Result<Option<T>> {
        self.step(|source, is_newest| take(MergedRow::of(source).event, is_newest))
    }

    /// The next key that is live, with its newest row.
    ///
    /// # Errors
    ///
    /// As [`Self::next_row`].
    pub fn next_live<T>(&mut self, take: impl Fn(MergedRow<'_>) -> T) -> Result<Option<T>> {
        let live = |source: &Source, is_newest: bool| {
            let row = is_newest.then(|| MergedRow::of(source));
            row.filter(|row| row.event.value.is_some()).map(&take)
        };
        loop {
            match self.step(live)? {
                Some(Some(row)) => return Ok(Some(row)),
                Some(None) => {}
                None => return Ok(None),
            }
        }
    }

    fn step<T>(&mut self, take: impl FnOnce(&Source, bool) -> T) -> Result<Option<T>> {
        let Some(head) = self.heads.first() else { return Ok(None) };
        let is_newest = self.begins_key(&head);
        let source = &mut self.sources[head.source];
        let taken = take(source, is_newest);
        source.advance()?;
        self.heads.first_went_on(&self.sources);
        Ok(Some(taken))
    }

    /// Whether the row at this head is of another key than the one before; remembers it.
    fn begins_key(&mut self, head: &Head) -> bool {
        let same_start =
            self.last.is_some_and(|last| (last.table, last.start) == (head.table, head.start));
        self.last = Some(*head);
        if head.start.is_whole() {
            return !same_start;
        }
        let key = MergedRow::of(&self.sources[head.source]).event.key;
        if same_start && self.last_key == key {
            return false;
        }
        self.last_key.clear();
        self.last_key.extend_from_slice(key);
        true
    }
}

#[cfg(test)]
mod tests;
