//! The rules that a manifest keeps, checked before it is published and after it is read.

use std::collections::BTreeSet;

use super::{CUTS_MAX, FORMAT, Floor, HistoryEntry, Manifest, TableEntry};
use crate::checked_json::HASH_DIGITS;
use crate::history::FileKind;
use crate::{Commit, Seq, TableId, names};

/// `Err` holds a sentence that says which rule is broken, and by what.
type Checked = Result<(), String>;

impl Manifest {
    /// Whether this manifest keeps the rules of its format.
    ///
    /// It does not ask for the deltas to be without gaps: a kept backup holds on to files far
    /// below the horizon when those in between have expired.
    ///
    /// # Errors
    ///
    /// A sentence that says which rule is broken, and by what.
    pub fn check(&self) -> Checked {
        expect(self.format == FORMAT, || format!("its format is {}", self.format))?;
        expect(self.number >= 1, || "its number is 0; manifests are numbered from 1".to_owned())?;
        expect(self.epoch >= 1, || "its epoch is 0; epochs are counted from 1".to_owned())?;
        expect(self.sealed.seq <= Seq::MAX, || format!("it is sealed up to {}", self.sealed.seq))?;
        let mut names_seen: BTreeSet<&String> = BTreeSet::new();
        for file in &self.files {
            let HistoryEntry { name, .. } = file;
            file.check().map_err(|reason| format!("of {name}: {reason}"))?;
            check_order(file.holds_to(), self.sealed)
                .map_err(|reason| format!("of {name} and what is sealed: {reason}"))?;
            expect(names_seen.insert(name), || format!("{name} is listed twice"))?;
        }
        self.check_deltas_of_all_tables()?;
        self.check_floors()?;
        self.check_verified()?;
        self.check_removed(&names_seen)
    }

    fn check_floors(&self) -> Checked {
        let place = |floor: &Floor| (floor.table, floor.interval);
        let ascend = self.floors.is_sorted_by(|left, right| place(left) < place(right));
        expect(ascend, || "its floors do not ascend by table and interval".to_owned())?;
        let upright = |floor: &&Floor| floor.earliest.seq < floor.interval;
        match self.floors.iter().find(upright) {
            None => Ok(()),
            Some(Floor { table, interval, .. }) => {
                Err(format!("the floor of table {table} lies before its interval, #{interval}"))
            }
        }
    }

    fn check_verified(&self) -> Checked {
        let ascend = self.verified.is_sorted_by(|left, right| left.table < right.table);
        expect(ascend, || "what was verified does not ascend by table".to_owned())?;
        self.verified.iter().try_for_each(|verified| {
            check_order(verified.at, self.sealed)
                .map_err(|reason| format!("of what was verified and what is sealed: {reason}"))
        })
    }

    fn check_removed(&self, listed: &BTreeSet<&String>) -> Checked {
        expect(self.swept < self.number, || {
            format!("it is swept up to manifest {}, which is not before it", self.swept)
        })?;
        let ascend = self.removed.is_sorted_by(|left, right| left.name < right.name);
        expect(ascend, || "the removed files do not ascend by name".to_owned())?;
        for removed in &self.removed {
            let name = &removed.name;
            expect(names::parse_history(name).is_some(), || {
                format!("of {name}: that is not the name of a history file")
            })?;
            expect(!listed.contains(name), || format!("{name} is both listed and removed"))?;
            expect(removed.since <= self.number, || {
                format!("{name} is removed since manifest {}, which is to come", removed.since)
            })?;
        }
        Ok(())
    }

    /// Two deltas that hold every table never hold the same commit.
    fn check_deltas_of_all_tables(&self) -> Checked {
        let mut deltas: Vec<_> = self
            .files
            .iter()
            .filter(|file| file.kind == FileKind::Delta && file.scope.is_none())
            .collect();
        deltas.sort_by_key(|delta| delta.first);
        for pair in deltas.windows(2) {
            let [earlier, later] = pair else { unreachable!("windows of two") };
            expect(earlier.last.seq < later.first.seq, || {
                format!("{} and {} hold the same commits", earlier.name, later.name)
            })?;
            check_order(earlier.last, later.first)
                .map_err(|reason| format!("of {} and {}: {reason}", earlier.name, later.name))?;
        }
        Ok(())
    }
}

impl HistoryEntry {
    fn check(&self) -> Checked {
        let name =
            names::parse_history(&self.name).ok_or("that is not the name of a history file")?;
        expect(
            (name.kind, name.first, name.last) == (self.kind, self.first.seq, self.last.seq),
            || {
                let Self { kind, first, last, .. } = self;
                format!("its name does not say {kind} of {} to {}", first.seq, last.seq)
            },
        )?;
        expect(self.first.seq >= Seq(1), || "it begins before the first commit".to_owned())?;
        check_order(self.first, self.last)?;
        expect(self.kind == FileKind::Delta || self.first == self.last, || {
            "a base has the state at one commit, so its first must be its last".to_owned()
        })?;
        expect(self.kind == FileKind::Base || self.until.is_none(), || {
            "only a base can be known to hold for longer".to_owned()
        })?;
        check_order(self.last, self.holds_to())?;
        check_hash(&self.blake3)?;
        check_hash(&self.tail_blake3)?;
        expect(self.tail_offset < self.bytes, || {
            format!("its tail begins at {}, and it has {} bytes", self.tail_offset, self.bytes)
        })?;
        self.check_tables()
    }

    fn check_tables(&self) -> Checked {
        let mut previous: Option<&TableEntry> = None;
        let mut rows = 0_u64;
        let mut bytes = 0_u64;
        for entry in &self.tables {
            let table = entry.table;
            let row_group_expected = previous.map_or(0, |table| table.row_group_last + 1);
            expect(previous.is_none_or(|previous| previous.table < table), || {
                format!("table {table} is not above the table before it")
            })?;
            expect(entry.row_group_first == row_group_expected, || {
                format!("table {table} does not begin at row group {row_group_expected}")
            })?;
            entry.check().map_err(|reason| format!("of table {table}: {reason}"))?;
            self.check_table_inside(entry)
                .map_err(|reason| format!("of table {table}: {reason}"))?;
            rows = rows.saturating_add(entry.rows);
            bytes = bytes.saturating_add(entry.bytes);
            previous = Some(entry);
        }
        expect(rows == self.rows, || {
            format!("it has {} rows, and its tables have {rows}", self.rows)
        })?;
        expect(bytes <= self.tail_offset, || {
            format!("its tables have {bytes} bytes, and its tail begins at {}", self.tail_offset)
        })
    }

    /// What the file holds of a table lies inside the rectangle that the file covers.
    fn check_table_inside(&self, entry: &TableEntry) -> Checked {
        let least = match self.kind {
            FileKind::Delta => self.first,
            FileKind::Base => Commit { seq: Seq(1), timestamp: entry.timestamp_min },
        };
        expect(least.seq <= entry.seq_min && entry.seq_max <= self.last.seq, || {
            format!("seqs {} to {} are not all in the file", entry.seq_min, entry.seq_max)
        })?;
        expect(
            least.timestamp <= entry.timestamp_min && entry.timestamp_max <= self.last.timestamp,
            || "its timestamps are not all between the file's".to_owned(),
        )?;
        let Some(scope) = &self.scope else { return Ok(()) };
        expect(scope.table == entry.table, || format!("the scope is of table {}", scope.table))?;
        expect(scope.keys.contains(&entry.key_min) && scope.keys.contains(&entry.key_max), || {
            "its keys are not all in the scope".to_owned()
        })
    }
}

impl TableEntry {
    fn check(&self) -> Checked {
        expect(self.table <= TableId::MAX, || "the table's number is too great".to_owned())?;
        expect(self.rows >= 1, || "it has no rows, so it must be left out".to_owned())?;
        expect(self.row_group_first <= self.row_group_last, || {
            format!("row groups {} to {}", self.row_group_first, self.row_group_last)
        })?;
        expect(self.row_group_last < u32::MAX, || "too many row groups".to_owned())?;
        expect(self.seq_min <= self.seq_max, || {
            format!("the least seq is {}, the greatest {}", self.seq_min, self.seq_max)
        })?;
        expect(self.timestamp_min <= self.timestamp_max, || {
            "the least timestamp is after the greatest".to_owned()
        })?;
        expect(self.key_min <= self.key_max, || "the least key is after the greatest".to_owned())?;
        let ascend = self.cuts.is_sorted_by(|left, right| {
            left.key <= right.key && left.bytes_before < right.bytes_before
        });
        let inside = self.cuts.iter().all(|cut| {
            let keys = &self.key_min..=&self.key_max;
            keys.contains(&&cut.key) && (1..self.bytes).contains(&cut.bytes_before)
        });
        expect(ascend && inside && self.cuts.len() <= CUTS_MAX, || {
            "its cuts do not ascend, or lie outside of it, or are too many".to_owned()
        })
    }
}

/// Neither seq nor timestamp goes back from `earlier` to `later`, and one seq has one timestamp.
fn check_order(earlier: Commit, later: Commit) -> Checked {
    expect(earlier.seq <= later.seq && earlier.timestamp <= later.timestamp, || {
        format!("commit {} is not after commit {}", later.seq, earlier.seq)
    })?;
    expect(earlier.seq < later.seq || earlier == later, || {
        format!("commit {} has two timestamps", later.seq)
    })
}

fn check_hash(hash: &str) -> Checked {
    let lowercase_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    expect(hash.len() == HASH_DIGITS && hash.bytes().all(lowercase_hex), || {
        format!("{hash:?} is not {HASH_DIGITS} lowercase hex digits")
    })
}

fn expect(holds: bool, otherwise: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(otherwise()) }
}
