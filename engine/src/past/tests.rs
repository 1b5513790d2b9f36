//! Which bases are whole, and which errors mean that a plan is out of date.

use foldback_log_tier::Seq;
use foldback_log_tier::manifest::{HistoryEntry, Scope};

use super::*;

const TABLE: TableId = TableId(5);

fn commit(seq: u64) -> Commit {
    Commit { seq: Seq(seq), timestamp: Timestamp(i64::try_from(seq).expect("small") * 10) }
}

/// A file of history over a range of keys; no end is the end of all keys.
fn piece(
    kind: FileKind,
    table: TableId,
    seq: u64,
    from: &'static str,
    until: &'static str,
) -> HistoryEntry {
    let until = (!until.is_empty()).then(|| until.into());
    HistoryEntry {
        name: String::new(),
        kind,
        first: commit(seq),
        last: commit(seq),
        scope: Some(Scope { table, keys: KeyRange { from: from.into(), until } }),
        bytes: 1,
        rows: 0,
        blake3: String::new(),
        tail_offset: 0,
        tail_blake3: String::new(),
        tables: Vec::new(),
    }
}

fn base(seq: u64, from: &'static str, until: &'static str) -> HistoryEntry {
    piece(FileKind::Base, TABLE, seq, from, until)
}

fn check(files: Vec<HistoryEntry>, expected: &[u64]) {
    let manifest = Manifest { files, ..Manifest::empty(DatabaseId::random()) };
    let found: Vec<u64> =
        whole_bases(&manifest, TABLE).into_iter().map(|commit| commit.seq.0).collect();
    assert_eq!(found, expected, "{:?}", manifest.files);
}

#[test]
fn a_base_is_whole_if_its_pieces_adjoin_from_end_to_end() {
    check(vec![], &[]);
    check(vec![base(4, "", "")], &[4]);
    check(vec![base(4, "m", ""), base(4, "", "m")], &[4]);
    check(vec![base(4, "", "c"), base(4, "c", "m"), base(4, "m", "")], &[4]);
    check(vec![base(9, "", ""), base(4, "", "")], &[4, 9]);
}

#[test]
fn a_base_with_a_hole_is_not_whole() {
    check(vec![base(4, "", "m")], &[]);
    check(vec![base(4, "a", "")], &[]);
    check(vec![base(4, "", "c"), base(4, "d", "")], &[]);
    check(vec![base(4, "", "c"), base(9, "c", "")], &[]);
}

#[test]
fn deltas_and_other_tables_are_no_bases() {
    check(vec![piece(FileKind::Delta, TABLE, 4, "", "")], &[]);
    check(vec![piece(FileKind::Base, TableId(6), 4, "", "")], &[]);
    check(vec![base(4, "", "m"), piece(FileKind::Base, TableId(6), 4, "m", "")], &[]);
}

#[test]
fn only_what_is_gone_is_planned_anew() {
    let local = |kind: std::io::ErrorKind| {
        let path = std::path::Path::new("log/1.segment");
        Error::from(TierError::local("open", path)(std::io::Error::from(kind)))
    };
    assert!(is_gone(&local(std::io::ErrorKind::NotFound)));
    assert!(is_gone(&TierError::Missing { object: "history/x".to_owned() }.into()));
    assert!(!is_gone(&local(std::io::ErrorKind::PermissionDenied)));
    assert!(!is_gone(&TierError::corrupt("history/x", 0, "bad").into()));
    assert!(!is_gone(&Error::Closed));
}

#[test]
fn what_is_gone_for_good_is_not_tried_for_ever() {
    let gone = || Error::from(TierError::Missing { object: "history/x".to_owned() });
    let tries = std::cell::Cell::new(0);
    let outcome: Result<()> = again_if_gone(|| {
        tries.set(tries.get() + 1);
        Err(gone())
    });
    assert!(outcome.is_err_and(|error| is_gone(&error)));
    assert_eq!(tries.get(), MOMENTS_MAX);
    tries.set(0);
    let outcome = again_if_gone(|| {
        tries.set(tries.get() + 1);
        if tries.get() < 3 { Err(gone()) } else { Ok(tries.get()) }
    });
    assert_eq!(outcome.expect("the third moment has it"), 3);
}
