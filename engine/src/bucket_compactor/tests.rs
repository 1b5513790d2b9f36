//! What tells that the catalog has to be read again.

use foldback_log_tier::manifest::{HistoryEntry, Scope, TableEntry};
use foldback_log_tier::{Commit, KeyRange, Timestamp};

use super::*;

/// A file of the catalog alone, up to this commit.
fn file(kind: FileKind, last: u64) -> HistoryEntry {
    let last = Commit { seq: Seq(last), timestamp: Timestamp(5) };
    let entry = TableEntry {
        table: TableId::CATALOG,
        rows: 1,
        row_group_first: 0,
        row_group_last: 0,
        bytes: 5,
        seq_min: last.seq,
        seq_max: last.seq,
        timestamp_min: last.timestamp,
        timestamp_max: last.timestamp,
        key_min: "a".into(),
        key_max: "a".into(),
        cuts: Vec::new(),
    };
    let scope = Scope { table: TableId::CATALOG, keys: KeyRange::all() };
    HistoryEntry {
        name: format!("{kind}-{}", last.seq),
        kind,
        first: last,
        last,
        until: None,
        scope: (kind == FileKind::Base).then_some(scope),
        bytes: 10,
        rows: 1,
        blake3: "0".repeat(64),
        tail_offset: 5,
        tail_blake3: "0".repeat(64),
        tables: vec![entry],
    }
}

/// Two looks with nothing but a base each were taken for one catalog, and what an interval in
/// between had begun was taken for garbage.
#[test]
fn a_change_that_was_folded_before_anybody_looked_is_seen() {
    let of = |files: &[HistoryEntry]| {
        let empty = Manifest::empty(DatabaseId::random());
        last_change(&Manifest { files: files.to_vec(), ..empty })
    };
    let known = of(&[file(FileKind::Base, 5)]);
    assert_ne!(of(&[file(FileKind::Base, 9)]), known);
    assert_ne!(of(&[file(FileKind::Base, 5), file(FileKind::Delta, 6)]), known);
    assert_eq!(of(&[]), Seq::ZERO);
}
