//! A small plane of commits in memory, its files as a manifest lists them, and what restores read.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use foldback_log_tier::history::FileKind;
use foldback_log_tier::manifest::{HistoryEntry, Manifest, Scope, TableEntry};
use foldback_log_tier::names::{HistoryName, history};
use foldback_log_tier::{Commit, DatabaseId, KeyRange, Seq, TableId, Timestamp, WriterId};

use crate::change::{Applied, Change, Publishing};
use crate::kept::{Interval, Kept, Pin};

pub(crate) const KEYS: [u8; 6] = *b"abcdef";
pub(crate) const NEVER: u64 = u64::MAX;

/// A linear congruential generator, of which the high bits are the good ones.
#[derive(Clone, Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (self.0 >> 33) % limit.max(1)
    }

    pub(crate) fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    pub(crate) fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last + 1 - first)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) table: TableId,
    pub(crate) key: u8,
    pub(crate) seq: u64,
    pub(crate) value: Option<u64>,
}

pub(crate) type State = BTreeMap<u8, u64>;

/// Everything that ever happened, and the bucket.
#[derive(Clone, Debug)]
pub(crate) struct Plane {
    pub(crate) dice: Dice,
    pub(crate) times: Vec<i64>,
    pub(crate) events: Vec<Row>,
    pub(crate) intervals: Vec<Interval>,
    pub(crate) pins: Vec<Pin>,
    pub(crate) manifest: Manifest,
    pub(crate) rows: BTreeMap<String, Vec<Row>>,
    /// Bytes that each row of a file counts as.
    pub(crate) row_bytes: u64,
}

impl Plane {
    /// A plane without commits, whose bucket has its first manifest.
    pub(crate) fn new(seed: u64) -> Self {
        let mut manifest = Manifest::empty(DatabaseId::random());
        (manifest.number, manifest.epoch) = (1, 1);
        manifest.clock = Timestamp(0);
        let (events, intervals, rows) = (Vec::new(), Vec::new(), BTreeMap::new());
        let (dice, times, pins) = (Dice(seed), Vec::new(), Vec::new());
        Self { dice, times, events, intervals, pins, manifest, rows, row_bytes: 100 }
    }

    pub(crate) fn commit(&self, seq: u64) -> Commit {
        match usize::try_from(seq).expect("planes are small").checked_sub(1) {
            None => Commit::ORIGIN,
            Some(at) => Commit { seq: Seq(seq), timestamp: Timestamp(self.times[at]) },
        }
    }

    pub(crate) fn tip(&self) -> u64 {
        u64::try_from(self.times.len()).expect("planes are small")
    }

    /// The state of the interval's table after commit `seq`, from all events.
    pub(crate) fn truth(&self, interval: &Interval, seq: u64) -> State {
        let above = if interval.starts_empty { interval.first.seq.0 } else { 0 };
        let own = self.events.iter().filter(|row| row.table == interval.table);
        let mut state = State::new();
        for row in own.filter(|row| above < row.seq && row.seq <= seq) {
            match row.value {
                Some(value) => {
                    state.insert(row.key, value);
                }
                None => {
                    state.remove(&row.key);
                }
            }
        }
        state
    }

    /// What a restore reads: for each key the newest base at or below the target and the deltas
    /// above that base; of what `kept` says is needed only. A gap is an error.
    pub(crate) fn read(
        &self,
        interval: &Interval,
        target: u64,
        kept: Option<&Kept>,
    ) -> Result<State, String> {
        let begin = interval.earliest(&self.manifest).map_or(NEVER, |commit| commit.seq.0);
        self.read_since(begin, interval, target, kept)
    }

    /// The same, where keys without a base were absent at `begin`.
    fn read_since(
        &self,
        begin: u64,
        interval: &Interval,
        target: u64,
        kept: Option<&Kept>,
    ) -> Result<State, String> {
        let files = self.manifest.files.iter();
        let files = files.filter(|file| kept.is_none_or(|kept| kept.needs_file(file))).collect();
        let restore = Restore { plane: self, interval, begin, target, kept, files };
        let mut state = State::new();
        for key in KEYS {
            state.extend(restore.value(key)?.map(|value| (key, value)));
        }
        Ok(state)
    }

    /// Every state that an interval advertises, or a pin keeps, is what all events make of it.
    pub(crate) fn check(&self) {
        for interval in &self.intervals {
            let Some(earliest) = interval.earliest(&self.manifest) else { continue };
            let end = interval.last.map_or(self.tip(), |last| last.seq.0 - 1);
            for seq in earliest.seq.0..=end.min(self.manifest.sealed.seq.0) {
                let begin = earliest.seq.0;
                self.check_state(begin, interval, seq);
            }
        }
        for pin in &self.pins {
            self.check_state(pin.empty_since.0, &pin.interval, pin.at.0);
        }
        self.manifest.encode().expect("it keeps the rules");
    }

    fn check_state(&self, begin: u64, interval: &Interval, seq: u64) {
        let kept = Kept::new(&self.manifest, &self.intervals, &self.pins);
        let truth = self.truth(interval, seq);
        for (kept, files) in [(None, "all files"), (Some(&kept), "the needed files")] {
            let found = self.read_since(begin, interval, seq, kept);
            let manifest = &self.manifest;
            let listed = manifest.files.iter().map(|file| (&file.name, file.until, &file.scope));
            let listed: Vec<_> = listed.collect();
            let floors = &manifest.floors;
            assert_eq!(
                found.as_ref(),
                Ok(&truth),
                "of {files}, at {seq} of {interval:?}: {listed:#?} {floors:?} {:?}",
                self.pins
            );
        }
    }

    pub(crate) fn publishing(&self, now: i64) -> Publishing {
        let publisher = self.manifest.publisher;
        Publishing { publisher, now: Timestamp(now), clock_step_max: i64::MAX }
    }

    /// Applies a change that must be possible.
    pub(crate) fn apply(&mut self, change: &Change, now: i64) {
        match change.apply(&self.manifest, self.publishing(now)) {
            Applied::Next(next) => self.manifest = *next,
            other => panic!("{change:?} is {other:?}"),
        }
        self.manifest.encode().expect("it keeps the rules");
    }

    /// The entry of a file with these rows, which are kept aside.
    pub(crate) fn file(
        &mut self,
        (kind, first, last): (FileKind, u64, u64),
        scope: Option<Scope>,
        rows: Vec<Row>,
    ) -> HistoryEntry {
        let unique = WriterId::random();
        let (first, last) = (self.commit(first), self.commit(last));
        let born = self.manifest.number;
        let name = HistoryName { kind, first: first.seq, last: last.seq, born, unique };
        let tables: BTreeSet<_> = rows.iter().map(|row| row.table).collect();
        let tables: Vec<_> = tables
            .into_iter()
            .zip(0..)
            .map(|(table, group)| self.entry(table, group, &rows))
            .collect();
        let held: u64 = tables.iter().map(|entry| entry.bytes).sum();
        let count = tables.iter().map(|entry| entry.rows).sum();
        let name = history(name);
        self.rows.insert(name.clone(), rows);
        HistoryEntry {
            name,
            kind,
            first,
            last,
            until: None,
            scope,
            bytes: held + 10,
            rows: count,
            blake3: "0".repeat(64),
            tail_offset: held + 1,
            tail_blake3: "0".repeat(64),
            tables,
        }
    }

    fn entry(&self, table: TableId, group: u32, rows: &[Row]) -> TableEntry {
        let own: Vec<_> = rows.iter().filter(|row| row.table == table).collect();
        let seqs = || own.iter().map(|row| row.seq);
        let keys = || own.iter().map(|row| row.key);
        let (seq_min, seq_max) = (seqs().min().unwrap_or(1), seqs().max().unwrap_or(1));
        let key = |key: Option<u8>| Bytes::from(vec![key.unwrap_or(b'a')]);
        let count = u64::try_from(own.len()).expect("planes are small");
        TableEntry {
            table,
            rows: count,
            row_group_first: group,
            row_group_last: group,
            bytes: count * self.row_bytes,
            seq_min: Seq(seq_min),
            seq_max: Seq(seq_max),
            timestamp_min: self.commit(seq_min).timestamp,
            timestamp_max: self.commit(seq_max).timestamp,
            key_min: key(keys().min()),
            key_max: key(keys().max()),
            cuts: Vec::new(),
        }
    }

    /// A delta of these commits, of the rows that are protected.
    pub(crate) fn delta(&mut self, first: u64, last: u64) -> HistoryEntry {
        let protected = |row: &&Row| {
            let own = self.intervals.iter().filter(|interval| interval.table == row.table);
            own.into_iter().any(|interval| {
                interval.first.seq.0 < row.seq
                    && interval.last.is_none_or(|last| row.seq < last.seq.0)
            })
        };
        let inside = self.events.iter().filter(|row| (first..=last).contains(&row.seq));
        let rows = inside.filter(protected).copied().collect();
        self.file((FileKind::Delta, first, last), None, rows)
    }

    pub(crate) fn seal(&mut self, last: u64) {
        let delta = self.delta(self.manifest.sealed.seq.0 + 1, last);
        self.apply(&Change::Seal(delta), self.times[self.times.len() - 1]);
    }

    /// A base of these keys as of a commit, cut before each of `cuts`.
    pub(crate) fn base(
        &mut self,
        interval: &Interval,
        at: u64,
        keys: &KeyRange,
        cuts: &[u8],
    ) -> Vec<HistoryEntry> {
        let (table, mut left) = (interval.table, keys.clone());
        let mut ranges = Vec::new();
        for cut in cuts {
            let until = Some(Bytes::from(vec![*cut]));
            let from = until.clone().expect("it was just made");
            let below = KeyRange { from: left.from.clone(), until };
            let above = left.intersection(&KeyRange { from, until: None });
            if left.contains(&[*cut]) && !below.is_empty() && !above.is_empty() {
                ranges.push(below);
                left = above;
            }
        }
        ranges.push(left);
        let state = self.truth(interval, at);
        let seq = at;
        let file = |keys: KeyRange| {
            let inside = state.iter().filter(|(key, _)| keys.contains(&[**key]));
            let rows =
                inside.map(|(key, value)| Row { table, key: *key, seq, value: Some(*value) });
            let rows = rows.collect();
            self.file((FileKind::Base, at, at), Some(Scope { table, keys }), rows)
        };
        ranges.into_iter().map(file).collect()
    }

    /// One delta in the place of these, of the rows that are needed.
    pub(crate) fn merged(&mut self, deltas: &[HistoryEntry]) -> HistoryEntry {
        let kept = Kept::new(&self.manifest, &self.intervals, &self.pins);
        let rows = deltas.iter().flat_map(|delta| &self.rows[&delta.name]);
        let rows = rows
            .filter(|row| kept.needs_rows(row.table, &(Seq(row.seq)..=Seq(row.seq))))
            .copied()
            .collect();
        let (first, last) = (deltas[0].first.seq.0, deltas[deltas.len() - 1].last.seq.0);
        self.file((FileKind::Delta, first, last), None, rows)
    }
}

/// What a restore goes by.
struct Restore<'a> {
    plane: &'a Plane,
    interval: &'a Interval,
    begin: u64,
    target: u64,
    kept: Option<&'a Kept>,
    files: Vec<&'a HistoryEntry>,
}

impl Restore<'_> {
    /// The newest base of a key at or below the target.
    fn base(&self, key: u8) -> Option<&HistoryEntry> {
        let holds = |file: &&&HistoryEntry| {
            let here = self.interval.contains(file.last.seq) && file.last.seq.0 <= self.target;
            let keys = file.scope.as_ref().is_some_and(|scope| scope.keys.contains(&[key]));
            file.is_base_of(self.interval.table) && here && keys
        };
        self.files.iter().filter(holds).max_by_key(|file| file.holds_to().seq).copied()
    }

    fn value(&self, key: u8) -> Result<Option<u64>, String> {
        let (plane, target) = (self.plane, self.target);
        let base = self.base(key);
        let floor = match base {
            Some(base) => base.holds_to().seq.0.min(target),
            None if self.interval.starts_empty => self.begin,
            None => return Err(format!("no base has key {key} at {target}")),
        };
        let own = |row: &&Row| row.table == self.interval.table && row.key == key;
        let of = |file: &HistoryEntry| plane.rows[&file.name].iter().filter(own);
        let keeps = |row: &Row| {
            self.kept.is_none_or(|kept| kept.needs_rows(row.table, &(Seq(row.seq)..=Seq(row.seq))))
        };
        let is_above = |row: &&Row| floor < row.seq && row.seq <= target && keeps(row);
        let deltas = self.files.iter().filter(|file| file.kind == FileKind::Delta);
        let mut deltas: Vec<_> = deltas.filter(|delta| delta.last.seq.0 > floor).collect();
        deltas.sort_by_key(|delta| delta.first.seq);
        let mut covered = floor;
        for delta in deltas.iter().filter(|delta| delta.first.seq.0 <= target) {
            if delta.first.seq.0 > covered + 1 {
                break;
            }
            covered = covered.max(delta.last.seq.0);
        }
        if covered < target.min(plane.manifest.sealed.seq.0) {
            return Err(format!("a gap after {covered} on the way to {target}"));
        }
        let newest = deltas.iter().flat_map(|delta| of(delta)).filter(is_above);
        let newest = newest.max_by_key(|row| row.seq);
        Ok(newest.or_else(|| of(base?).next()).and_then(|row| row.value))
    }
}

mod random;
