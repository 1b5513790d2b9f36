//! History files: immutable Parquet objects that hold events sorted by (table, key, newest first).
//!
//! [`HistoryWriter`] makes one, and hands out its bytes as they come. A reader takes its tail
//! first, in one read ([`HistoryTail`]), and then any of its row groups ([`RowGroupRows`]), whole
//! or in portions ([`RowGroupPortions`]), or those pages that can hold a key ([`KeyPage`],
//! [`ValuePage`]), and, of a delta, its [`CommitIndex`]. No byte is used before its checksum has
//! been verified.

mod chunk_pages;
mod columns;
mod commits;
mod decode;
mod identity;
mod key_filter;
mod pages;
mod point_pages;
mod point_rows;
mod portions;
mod row_filter;
mod row_group;
mod rows;
mod schema;
mod tail;
mod values;
mod window;
mod write;

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::manifest::{HistoryEntry, Scope};
use crate::{Commit, DatabaseId};

pub use commits::{COMMIT_INDEX_COMMITS_MAX, CommitIndex, CommitIter};
pub use point_pages::FetchedBytes;
pub use point_rows::{KeyPage, ValuePage};
pub use portions::RowGroupPortions;
pub use row_filter::RowFilter;
pub use row_group::RowGroupEntry;
pub use rows::RowGroupRows;
pub use schema::{FORMAT_VERSION, ROW_GROUP_BYTES_MAX, ROW_GROUPS_MAX};
pub use tail::HistoryTail;
pub use write::HistoryWriter;

/// What a history file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileKind {
    /// Every event of a range of seqs.
    Delta,
    /// The newest live event of every key at one seq.
    Base,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Delta => "delta",
            Self::Base => "base",
        })
    }
}

impl FromStr for FileKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "delta" => Ok(Self::Delta),
            "base" => Ok(Self::Base),
            other => Err(format!("{other:?} is neither \"delta\" nor \"base\"")),
        }
    }
}

/// What a history file says of itself as a whole: the rectangle it covers, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryIdentity {
    /// The database whose history this is.
    pub database: DatabaseId,
    /// Delta or base.
    pub kind: FileKind,
    /// First commit it covers; of a base, the commit whose state it is.
    pub first: Commit,
    /// Last commit it covers, `first <= last`; of a base the same as `first`.
    pub last: Commit,
    /// The part of the key space it covers; `None` is every key of every protected table.
    pub scope: Option<Scope>,
}

/// A finished history file: its bytes, and what the manifest is to say of them.
#[derive(Clone, Debug)]
pub struct HistoryObject {
    /// The bytes of the object that were not taken while it was written: all, if none were.
    pub body: Bytes,
    /// The manifest's entry for it, under a name that no other object has.
    pub entry: HistoryEntry,
}

#[cfg(test)]
mod tests;
