//! What restorable instants need: which files, and which rows of them.
//!
//! All of it follows from the protection intervals, and from one manifest: the bases it lists and
//! the floors it states.

use std::ops::RangeInclusive;

use foldback_log_tier::history::FileKind;
use foldback_log_tier::manifest::{Floor, HistoryEntry, Manifest};
use foldback_log_tier::{Commit, KeyRange, Seq, TableId, Timestamp};

use crate::cover::cover;

/// A run of commits during which the history of a table is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// The table.
    pub table: TableId,
    /// The commit that began it.
    pub first: Commit,
    /// The commit that ended it, if it has ended: its state does not belong to the interval.
    pub last: Option<Commit>,
    /// Whether the table had no key at `first`; if it had some, it needs a base first.
    pub starts_empty: bool,
    /// For how long instants stay restorable, in microseconds; `None` is for ever.
    pub retention_micros: Option<i64>,
    /// The shorter retention that takes its place, if one waits.
    pub shortens: Option<Shortening>,
}

/// A retention that is shorter than the one before, and waits so that it can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortening {
    /// When it takes effect, by the clock that expiry goes by.
    pub from: Timestamp,
    /// For how long instants stay restorable then, in microseconds.
    pub retention_micros: i64,
}

impl Interval {
    /// The earliest instant that is to be restorable at `now`; `None` if all are.
    #[must_use]
    pub fn horizon(&self, now: Timestamp) -> Option<Timestamp> {
        let shorter = self.shortens.filter(|shorter| shorter.from <= now);
        let micros = shorter.map(|shorter| shorter.retention_micros).or(self.retention_micros);
        micros.map(|micros| now.saturating_add_micros(-micros))
    }

    /// Whether the state after commit `seq` belongs to it.
    #[must_use]
    pub fn contains(&self, seq: Seq) -> bool {
        self.first.seq <= seq && self.last.is_none_or(|last| seq < last.seq)
    }

    /// The bases of the interval.
    pub fn bases<'a>(&self, manifest: &'a Manifest) -> impl Iterator<Item = &'a HistoryEntry> {
        let Self { table, first, last, .. } = *self;
        let within = move |seq: Seq| first.seq <= seq && last.is_none_or(|last| seq < last.seq);
        manifest.files.iter().filter(move |file| file.is_base_of(table) && within(file.last.seq))
    }

    /// From where on its states are kept, if that was ever raised.
    #[must_use]
    pub fn floor(&self, manifest: &Manifest) -> Option<Commit> {
        let place = (self.table, self.first.seq);
        let by_place = |floor: &Floor| (floor.table, floor.interval);
        let at = manifest.floors.binary_search_by_key(&place, by_place).ok()?;
        Some(manifest.floors[at].earliest)
    }

    /// Whether nothing of it is kept any more.
    #[must_use]
    pub fn is_over(&self, manifest: &Manifest) -> bool {
        self.last.is_some_and(|last| self.floor(manifest).is_some_and(|floor| floor >= last))
    }

    /// The earliest commit whose state can be restored, as far as this manifest says; `None` if
    /// there is none, or none yet.
    #[must_use]
    pub fn earliest(&self, manifest: &Manifest) -> Option<Commit> {
        if self.is_over(manifest) {
            return None;
        }
        let floor = self.floor(manifest);
        let begin = floor.or(self.starts_empty.then_some(self.first));
        let end = self.last.map_or(manifest.sealed.seq, |last| last.seq.prev());
        let end = end.min(manifest.sealed.seq);
        if let Some(begin) = begin
            && is_unbroken(manifest, self.reads_above(manifest, begin), end)
        {
            return Some(begin);
        }
        let mut commits: Vec<_> = self.bases(manifest).map(|base| base.last).collect();
        commits.sort_unstable();
        commits.dedup();
        commits.into_iter().filter(|commit| begin.is_none_or(|begin| begin < *commit)).find(|at| {
            let below = self.bases(manifest).filter(|base| base.last <= *at);
            let is_whole = cover(below, &[KeyRange::all()]).bare.is_empty();
            is_whole && is_unbroken(manifest, self.reads_above(manifest, *at), end)
        })
    }

    /// Above which commit a restore of the state at `at` or later reads deltas.
    #[must_use]
    pub fn reads_above(&self, manifest: &Manifest, at: Commit) -> Seq {
        self.ground(manifest, at.seq, at.seq).reads_above
    }

    /// What the state at `at` is read from, where keys that no base holds had no event up to
    /// `empty_since`.
    fn ground<'a>(&self, manifest: &'a Manifest, at: Seq, empty_since: Seq) -> Ground<'a> {
        let below = self.bases(manifest).filter(|base| base.last.seq <= at);
        let cover = cover(below, &[KeyRange::all()]);
        let of_bases = cover.covered.iter().map(|(_, base)| base.holds_to().seq.min(at));
        let bare = (!cover.bare.is_empty()).then_some(empty_since);
        Ground {
            reads_above: of_bases.chain(bare).min().unwrap_or(at),
            bases: cover.covered.into_iter().map(|(_, base)| base).collect(),
        }
    }
}

/// What one state is read from.
struct Ground<'a> {
    /// Deltas are read above this commit.
    reads_above: Seq,
    bases: Vec<&'a HistoryEntry>,
}

/// Whether the deltas hold every commit after `above` and up to `end`.
fn is_unbroken(manifest: &Manifest, above: Seq, end: Seq) -> bool {
    let mut deltas: Vec<_> = manifest
        .files
        .iter()
        .filter(|file| file.kind == FileKind::Delta && file.last.seq > above)
        .map(|file| (file.first.seq, file.last.seq))
        .collect();
    deltas.sort_unstable();
    let mut covered = above;
    for (first, last) in deltas {
        if covered >= end || first > covered.next() {
            break;
        }
        covered = covered.max(last);
    }
    covered >= end
}

/// A commit whose state of a table is kept until the pin goes, whatever the floor of its interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The protection interval that the commit lies in.
    pub interval: Interval,
    /// The commit.
    pub at: Seq,
    /// Keys that no base holds at the commit had no event of the interval up to here: its floor
    /// when the pin was made, or its first commit. A floor that has risen since says nothing of
    /// what lies below it.
    pub empty_since: Seq,
}

/// What one interval, or one pin, needs.
#[derive(Clone, Debug)]
struct Need {
    table: TableId,
    /// Rows at or below are in a base, or are not kept.
    rows_above: Seq,
    /// The earliest commit whose state is kept: bases after it are needed.
    from: Seq,
    /// Commits from here on belong to no state of the interval.
    until: Seq,
    /// The bases that the earliest state is read from.
    lowest_bases: Vec<String>,
    /// Deltas that hold one of these commits are needed.
    deltas: RangeInclusive<Seq>,
}

impl Need {
    fn needs_delta(&self, delta: &HistoryEntry) -> bool {
        let (first, last) = (*self.deltas.start(), *self.deltas.end());
        !self.deltas.is_empty() && first <= delta.last.seq && delta.first.seq <= last
    }
}

/// What all intervals and pins together need.
#[derive(Clone, Debug)]
pub struct Kept {
    needs: Vec<Need>,
    /// Every table that has an interval, ascending: what is not known of is kept.
    known: Vec<TableId>,
}

impl Kept {
    /// What `intervals` need of the files of `manifest`, by its floors, and what `pins` do.
    #[must_use]
    pub fn new(manifest: &Manifest, intervals: &[Interval], pins: &[Pin]) -> Self {
        let pinned = pins.iter().map(|pin| pin.interval.table);
        let mut known: Vec<_> =
            intervals.iter().map(|interval| interval.table).chain(pinned).collect();
        known.sort_unstable();
        known.dedup();
        let alive = intervals.iter().filter(|interval| !interval.is_over(manifest));
        let of_pins = pins.iter().map(|pin| need_of_pin(manifest, pin));
        let needs = alive.map(|interval| need(manifest, interval)).chain(of_pins).collect();
        Self { needs, known }
    }

    /// Whether a restorable instant, or a pin, needs this file.
    #[must_use]
    pub fn needs_file(&self, file: &HistoryEntry) -> bool {
        let table = file.scope.as_ref().map(|scope| scope.table);
        match file.kind {
            FileKind::Base => table.is_none_or(|table| {
                let of_table = self.needs.iter().filter(|need| need.table == table);
                let mut needed = of_table.map(|need| {
                    let above = need.from < file.last.seq && file.last.seq < need.until;
                    above || need.lowest_bases.contains(&file.name)
                });
                !self.is_known(table) || needed.any(|needed| needed)
            }),
            FileKind::Delta => {
                self.needs.iter().any(|need| need.needs_delta(file))
                    || file.tables.iter().any(|entry| !self.is_known(entry.table))
            }
        }
    }

    /// Whether a restorable instant, or a pin, needs an event of `table` at one of these seqs.
    #[must_use]
    pub fn needs_rows(&self, table: TableId, seqs: &RangeInclusive<Seq>) -> bool {
        let mut of_table = self.needs.iter().filter(|need| need.table == table);
        let needed = |need: &Need| need.rows_above < *seqs.end() && *seqs.start() < need.until;
        !self.is_known(table) || of_table.any(needed)
    }

    /// Bytes of a delta that belong to tables of which nothing in it is needed.
    #[must_use]
    pub fn dead_bytes(&self, delta: &HistoryEntry) -> u64 {
        let entries = delta.tables.iter();
        let dead =
            entries.filter(|entry| !self.needs_rows(entry.table, &(entry.seq_min..=entry.seq_max)));
        dead.map(|entry| entry.bytes).sum()
    }

    fn is_known(&self, table: TableId) -> bool {
        self.known.binary_search(&table).is_ok()
    }
}

fn need(manifest: &Manifest, interval: &Interval) -> Need {
    let from = interval.floor(manifest).unwrap_or(interval.first);
    let Ground { reads_above: rows_above, bases } = interval.ground(manifest, from.seq, from.seq);
    let lowest_bases = bases.iter().map(|base| base.name.clone()).collect();
    let until = interval.last.map_or(Seq::MAX, |last| last.seq);
    // The delta that holds the earliest commit tells its instant.
    let deltas = rows_above..=until;
    Need { table: interval.table, rows_above, from: from.seq, until, lowest_bases, deltas }
}

/// A pin needs what a plan of its commit reads, and nothing for any other commit: its instant is
/// known.
fn need_of_pin(manifest: &Manifest, pin: &Pin) -> Need {
    let Pin { interval, at, empty_since } = *pin;
    let Ground { reads_above: rows_above, bases } = interval.ground(manifest, at, empty_since);
    let lowest_bases = bases.iter().map(|base| base.name.clone()).collect();
    let deltas = rows_above.next()..=at;
    Need { table: interval.table, rows_above, from: at, until: at.next(), lowest_bases, deltas }
}

#[cfg(test)]
mod tests;
