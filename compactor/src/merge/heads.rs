//! Where the sources of a merge stand, the least first.
//!
//! Sources are compared far more often than they are read from, so what decides nearly always is
//! kept beside each other: 16 bytes of the key, from where keys begin to differ.

use std::cmp::Ordering;

use foldback_log_tier::{EventRow, Seq, TableId};

use super::Source;
use crate::key_start::KeyStart;

/// Where one source stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) table: TableId,
    pub(super) start: KeyStart,
    seq: Seq,
    pub(super) source: usize,
}

/// The sources that stand on a row, as a binary heap: the one at `i` is not after those at `2i + 1`
/// and `2i + 2`.
#[derive(Debug)]
pub(super) struct Heads {
    heads: Vec<Head>,
    /// Bytes that all keys share.
    shared: usize,
}

impl Heads {
    /// The heads of those sources that stand on a row; `shared` bytes are the same in all keys.
    pub(super) fn new(sources: &[Source], shared: usize) -> Self {
        let mut heads = Self { heads: Vec::with_capacity(sources.len()), shared };
        for (at, source) in sources.iter().enumerate() {
            if let Some(row) = source.row() {
                heads.heads.push(heads.head(at, &row));
            }
        }
        for at in (0..heads.heads.len() / 2).rev() {
            heads.sink(at, sources);
        }
        heads
    }

    /// The source that comes next: the least (table, key), and of one key the newest.
    pub(super) fn first(&self) -> Option<Head> {
        self.heads.first().copied()
    }

    /// The first source went on to another row, or to its end.
    pub(super) fn first_went_on(&mut self, sources: &[Source]) {
        let at = self.heads[0].source;
        match sources[at].row() {
            Some(row) => self.heads[0] = self.head(at, &row),
            None => {
                self.heads.swap_remove(0);
            }
        }
        self.sink(0, sources);
    }

    fn head(&self, source: usize, row: &EventRow<'_>) -> Head {
        let start = KeyStart::of(row.key, self.shared);
        Head { table: row.table, start, seq: row.seq, source }
    }

    /// Exchanges the head at a place with the lesser one below it until it is in its place.
    fn sink(&mut self, mut at: usize, sources: &[Source]) {
        loop {
            let (left, right) = (2 * at + 1, 2 * at + 2);
            let is_before = |one: usize, other: usize| {
                compare(&self.heads[one], &self.heads[other], sources).is_lt()
            };
            let has_right = right < self.heads.len();
            let lesser = if has_right && is_before(right, left) { right } else { left };
            if lesser >= self.heads.len() || !is_before(lesser, at) {
                return;
            }
            self.heads.swap(at, lesser);
            at = lesser;
        }
    }
}

fn compare(one: &Head, other: &Head, sources: &[Source]) -> Ordering {
    let by_start = (one.table, one.start).cmp(&(other.table, other.start));
    let by_key = by_start.then_with(|| match one.start.is_whole() {
        true => Ordering::Equal,
        false => key(one, sources).cmp(key(other, sources)),
    });
    by_key.then(other.seq.cmp(&one.seq))
}

fn key<'a>(head: &Head, sources: &'a [Source]) -> &'a [u8] {
    sources[head.source].row().expect("a source with a head stands on a row").key
}
