//! The straight replay: the bases that a window begins with, then every delta after them, in order
//! of commits; of each key the newest event is kept.
//!
//! It is slow on purpose: it uses neither the planner nor the merge, and leaves out no row of the
//! table. Its memory is bounded by going through the keys in slices, each as large as fits.

use std::collections::BTreeMap;

use bytes::Bytes;
use foldback_log_tier::digest::Digest;
use foldback_log_tier::history::{FileKind, RowGroupEntry, RowGroupRows};
use foldback_log_tier::manifest::{HistoryEntry, Manifest};
use foldback_log_tier::{EventRow, KeyRange, Seq, TableId};

use super::Upto;
use crate::Result;
use crate::verify::FileReading;

/// Bytes of memory that the keys of one slice take, about.
const SLICE_BYTES_MAX: usize = 64 << 20;
/// What a key takes besides its own bytes: its event, and its place in the map.
const KEY_BYTES: usize = 128;
/// Row groups after which it is asked anew which are of the slice: it shrinks where it does not
/// fit.
const GROUPS_PER_LOOK: usize = 8;

/// The newest event of a key: its commit, and the digest of what it puts, or that it deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Newest {
    pub(super) seq: Seq,
    pub(super) value: Option<Digest>,
}

/// The live keys of a range.
#[derive(Debug)]
pub(super) struct Slice {
    /// The first key after it; `None` if it is the last.
    pub(super) until: Option<Bytes>,
    pub(super) rows: BTreeMap<Bytes, Newest>,
}

/// A slice that is being filled.
#[derive(Debug)]
struct Filling {
    keys: KeyRange,
    rows: BTreeMap<Bytes, Newest>,
    bytes: usize,
    bytes_max: usize,
}

/// Replays the state of one table at one commit.
#[derive(Debug)]
pub(super) struct Straight<'a> {
    reading: FileReading<'a>,
    table: TableId,
    target: Seq,
    /// The commit that the window begins with: without a base, events up to it do not count.
    begin: Seq,
    bases: Vec<&'a HistoryEntry>,
    deltas: Vec<&'a HistoryEntry>,
    /// Where the next slice begins; `None` after the last.
    from: Option<Bytes>,
}

impl<'a> Straight<'a> {
    pub(super) fn new(reading: FileReading<'a>, manifest: &'a Manifest, upto: Upto) -> Self {
        let (window, target) = upto;
        let begin = window.first.seq;
        let mut bases: Vec<_> = window.interval.bases(manifest).collect();
        bases.retain(|base| base.last.seq <= begin);
        bases.sort_by_key(|base| base.last.seq);
        let is_delta = |file: &&HistoryEntry| file.kind == FileKind::Delta;
        let mut deltas: Vec<_> = manifest.files.iter().filter(is_delta).collect();
        deltas.retain(|delta| delta.first.seq <= target);
        deltas.sort_by_key(|delta| delta.first.seq);
        let (table, from) = (window.interval.table, Some(Bytes::new()));
        Self { reading, table, target, begin, bases, deltas, from }
    }

    /// The next range of keys with all that is live in it; `None` after the last.
    pub(super) fn next_slice(&mut self) -> Result<Option<Slice>> {
        let Some(from) = self.from.take() else { return Ok(None) };
        let mut filling = Filling::begin(from, SLICE_BYTES_MAX);
        for base in self.bases.clone() {
            self.replay(base, &mut filling)?;
        }
        for delta in self.deltas.clone() {
            self.replay(delta, &mut filling)?;
            // Later deltas hold later events only, so a delete that stands here is done with.
            filling.drop_deletes();
        }
        self.from.clone_from(&filling.keys.until);
        Ok(Some(Slice { until: filling.keys.until, rows: filling.rows }))
    }

    /// Takes the events of one file.
    fn replay(&mut self, file: &HistoryEntry, filling: &mut Filling) -> Result<()> {
        let Some(entry) = file.table(self.table) else { return Ok(()) };
        let floors = Floors { bases: &self.bases, begin: self.begin };
        let is_base = file.kind == FileKind::Base;
        let counts = |row: &EventRow<'_>| {
            let floor = floors.of(row.key);
            // Of several bases that hold a key the newest says what it was.
            row.seq <= self.target && if is_base { floor == file.last.seq } else { floor < row.seq }
        };
        let (tail, _) = self.reading.read_tail(file)?;
        let of_table = |group: &&RowGroupEntry| {
            (entry.row_group_first..=entry.row_group_last).contains(&group.index)
        };
        let groups: Vec<_> = tail.row_groups().iter().filter(of_table).cloned().collect();
        for look in groups.chunks(GROUPS_PER_LOOK) {
            let mut wanted = look.to_vec();
            wanted.retain(|group| filling.keys.intersects(&group.key_min, &group.key_max));
            let mut take = |rows: &RowGroupRows| {
                rows.iter().filter(|row| counts(row)).for_each(|row| filling.take(row));
                Ok(())
            };
            self.reading.read_rows((&file.name, &tail), &wanted, &mut |_| {}, &mut take)?;
        }
        Ok(())
    }
}

/// What of a key is in the bases already.
struct Floors<'a> {
    bases: &'a [&'a HistoryEntry],
    begin: Seq,
}

impl Floors<'_> {
    /// The commit of the newest base that covers the key, or that of the empty beginning.
    fn of(&self, key: &[u8]) -> Seq {
        let covers = |base: &&&HistoryEntry| {
            base.scope.as_ref().is_some_and(|scope| scope.keys.contains(key))
        };
        let newest = self.bases.iter().rev().find(covers);
        newest.map_or(self.begin, |base| base.last.seq)
    }
}

impl Filling {
    fn begin(from: Bytes, bytes_max: usize) -> Self {
        let keys = KeyRange { from, until: None };
        Self { keys, rows: BTreeMap::new(), bytes: 0, bytes_max }
    }

    fn take(&mut self, row: EventRow<'_>) {
        if !self.keys.contains(row.key) {
            return;
        }
        let newest = Newest { seq: row.seq, value: row.value.map(Digest::of) };
        match self.rows.get_mut(row.key) {
            Some(known) if row.seq > known.seq => *known = newest,
            Some(_) => {}
            None => {
                self.bytes += row.key.len() + KEY_BYTES;
                self.rows.insert(Bytes::copy_from_slice(row.key), newest);
                self.shrink();
            }
        }
    }

    /// Leaves the greater half of the keys to the next slice, if there are too many.
    fn shrink(&mut self) {
        if self.bytes <= self.bytes_max || self.rows.len() < 2 {
            return;
        }
        let middle = self.rows.keys().nth(self.rows.len() / 2).cloned();
        let middle = middle.expect("the middle of several keys is one of them");
        self.rows.split_off(&middle);
        self.bytes = self.rows.keys().map(|key| key.len() + KEY_BYTES).sum();
        self.keys.until = Some(middle);
    }

    fn drop_deletes(&mut self) {
        let bytes = &mut self.bytes;
        self.rows.retain(|key, newest| {
            let is_live = newest.value.is_some();
            if !is_live {
                *bytes -= key.len() + KEY_BYTES;
            }
            is_live
        });
    }
}

#[cfg(test)]
mod tests;
