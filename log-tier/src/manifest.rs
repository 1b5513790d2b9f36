//! The manifest: the only truth about what history a bucket holds.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::history::FileKind;
use crate::ids::RandomId;
use crate::{Commit, DatabaseId, KeyRange, Seq, TableId, Timestamp, WriterId};

mod check;
mod codec;
mod parts;
pub mod text;

pub use codec::MANIFEST_BYTES_MAX;
pub(crate) use parts::ROWS_OFFSET;
pub use parts::TablePart;

/// Version of the manifest format that this release writes.
pub const FORMAT: u32 = 1;

/// One numbered, immutable list of the live history files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the manifest format.
    pub format: u32,
    /// The database whose history this is.
    pub database: DatabaseId,
    /// This manifest's number; its object name repeats it.
    pub number: u64,
    /// Raised by every opening for writing; a process that sees a higher one stops.
    pub epoch: u64,
    /// Who holds the epoch: the process that opened the database for writing last.
    pub writer: WriterId,
    /// Who published it: the writer, or a compactor.
    pub publisher: WriterId,
    /// When, by the publisher's clock.
    pub published: Timestamp,
    /// How far time has come for expiry. It never goes back, and moves on in steps of bounded size
    /// only, so that a clock that leaps is not followed.
    pub clock: Timestamp,
    /// The last commit that history covers; zero before the first seal.
    pub sealed: Commit,
    /// A file born at this manifest or before it, and not listed, never will be: it may be deleted.
    pub swept: u64,
    /// What is no longer kept, by ascending table and interval.
    pub floors: Vec<Floor>,
    /// Files that were listed and are not any more, and may not have been deleted yet, by name.
    pub removed: Vec<Removed>,
    /// Up to which commits states of tables were seen to be restorable, by ascending table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verified: Vec<Verified>,
    /// The live history files, in the order they were published.
    pub files: Vec<HistoryEntry>,
}

/// From where on the states of a table are kept, within one of its protection intervals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Floor {
    /// The table.
    pub table: TableId,
    /// The first commit of the protection interval.
    pub interval: Seq,
    /// The earliest commit whose state is kept; of an interval that has expired as a whole, the
    /// commit that ended it.
    pub earliest: Commit,
}

/// The latest commit of a table whose state was restored for proof, and found right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verified {
    /// The table.
    pub table: TableId,
    /// The commit.
    pub at: Commit,
    /// When it was last done, by the clock of who did it.
    pub on: Timestamp,
}

/// A file that no reader needs any more, unless it read an older manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Removed {
    /// Object name.
    pub name: String,
    /// Length of the object.
    pub bytes: u64,
    /// The first manifest that does not list it.
    pub since: u64,
    /// When that was published.
    pub at: Timestamp,
}

/// What the manifest says of one history file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryEntry {
    /// Object name.
    pub name: String,
    /// Delta or base.
    pub kind: FileKind,
    /// First commit it covers; of a base, the commit whose state it is.
    pub first: Commit,
    /// Last commit it covers, `first <= last`; of a base the same as `first`.
    pub last: Commit,
    /// Of a base whose keys had no event for a while: the last commit whose state it is known to
    /// be, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Commit>,
    /// The part of the key space it covers; `None` is every key of every protected table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// Length of the object.
    pub bytes: u64,
    /// Number of rows.
    pub rows: u64,
    /// BLAKE3 of the whole object, 64 lowercase hex digits.
    pub blake3: String,
    /// Where the tail begins: page checksums, page indexes and footer, all a reader needs to find
    /// its way, in one read up to the end of the object.
    pub tail_offset: u64,
    /// BLAKE3 of the tail, 64 lowercase hex digits.
    pub tail_blake3: String,
    /// What it holds of each table, by ascending table; tables without rows are left out.
    pub tables: Vec<TableEntry>,
}

/// A rectangle's extent along the keys: one table, and a range of its keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// The table.
    pub table: TableId,
    /// The keys of it.
    #[serde(with = "crate::manifest::text::range")]
    pub keys: KeyRange,
}

/// What one history file holds of one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableEntry {
    /// The table.
    pub table: TableId,
    /// Number of rows.
    pub rows: u64,
    /// First row group of the table in the file; its row groups are consecutive.
    pub row_group_first: u32,
    /// Last row group of the table in the file.
    pub row_group_last: u32,
    /// Bytes of those row groups.
    pub bytes: u64,
    /// Least seq of a row.
    pub seq_min: Seq,
    /// Greatest seq of a row.
    pub seq_max: Seq,
    /// Least timestamp of a row.
    pub timestamp_min: Timestamp,
    /// Greatest timestamp of a row.
    pub timestamp_max: Timestamp,
    /// Least key.
    #[serde(with = "crate::manifest::text::key")]
    pub key_min: Bytes,
    /// Greatest key.
    #[serde(with = "crate::manifest::text::key")]
    pub key_max: Bytes,
    /// Where its bytes lie along the keys, by ascending key: at most [`CUTS_MAX`] of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cuts: Vec<Cut>,
}

/// A place between two row groups of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// The least key of the row group that begins here.
    #[serde(with = "crate::manifest::text::key")]
    pub key: Bytes,
    /// Bytes of the table's row groups before it.
    pub bytes_before: u64,
}

/// Greatest number of cuts that a manifest tells of one table in one file.
pub const CUTS_MAX: usize = 15;

impl Manifest {
    /// What a bucket holds before anything is published: no history, number and epoch 0. It is
    /// never published itself; the first that is has number and epoch 1.
    #[must_use]
    pub fn empty(database: DatabaseId) -> Self {
        Self {
            format: FORMAT,
            database,
            number: 0,
            epoch: 0,
            writer: RandomId([0; 8]),
            publisher: RandomId([0; 8]),
            published: Timestamp::default(),
            clock: Timestamp::MIN,
            sealed: Commit::ORIGIN,
            swept: 0,
            floors: Vec::new(),
            removed: Vec::new(),
            verified: Vec::new(),
            files: Vec::new(),
        }
    }
}

impl Manifest {
    /// What was proved of `table`, if anything ever was.
    #[must_use]
    pub fn verified(&self, table: TableId) -> Option<&Verified> {
        let at = self.verified.binary_search_by_key(&table, |verified| verified.table).ok()?;
        Some(&self.verified[at])
    }
}

impl TableEntry {
    /// About how many bytes of the table's row groups lie in `keys`: never too few.
    #[must_use]
    pub fn bytes_in(&self, keys: &KeyRange) -> u64 {
        if !keys.intersects(&self.key_min, &self.key_max) {
            return 0;
        }
        // The events of one key can span two row groups, so that the one before counts too.
        let below = self.cuts.iter().rev().find(|cut| cut.key < keys.from);
        let above = self.cuts.iter().find(|cut| keys.until.as_ref().is_some_and(|u| *u <= cut.key));
        let until = above.map_or(self.bytes, |cut| cut.bytes_before);
        until - below.map_or(0, |cut| cut.bytes_before)
    }
}

impl HistoryEntry {
    /// The last commit that it answers for: what a reader needs next comes after it.
    #[must_use]
    pub fn holds_to(&self) -> Commit {
        self.until.unwrap_or(self.last)
    }

    /// The newest manifest when its making began.
    #[must_use]
    pub fn born(&self) -> u64 {
        crate::names::parse_history(&self.name).map_or(0, |name| name.born)
    }

    /// Whether it is a base of `table`.
    #[must_use]
    pub fn is_base_of(&self, table: TableId) -> bool {
        let own = self.scope.as_ref().is_some_and(|scope| scope.table == table);
        self.kind == FileKind::Base && own
    }

    /// Where its keys begin, if it has a scope: files of one base are in order by it.
    #[must_use]
    pub fn scope_from(&self) -> Option<&Bytes> {
        self.scope.as_ref().map(|scope| &scope.keys.from)
    }

    /// What the file holds of `table`, if it holds any row of it.
    #[must_use]
    pub fn table(&self, table: TableId) -> Option<&TableEntry> {
        let at = self.tables.binary_search_by_key(&table, |entry| entry.table).ok()?;
        Some(&self.tables[at])
    }
}

#[cfg(test)]
mod tests;
