//! The next job, from small manifests and logs.

use bytes::Bytes;
use foldback_log_tier::manifest::{Scope, TableEntry};
use foldback_log_tier::{DatabaseId, KeyRange, Timestamp};

use super::*;

const ORDERS: TableId = TableId(3);
const STOCK: TableId = TableId(4);

fn commit(seq: u64) -> Commit {
    Commit { seq: Seq(seq), timestamp: Timestamp(0) }
}

fn segment(first: u64, last: u64, sealed: bool) -> SegmentInfo {
    let (first_timestamp, last_timestamp) = (Timestamp(0), Timestamp(0));
    let (first, last) = (Seq(first), Seq(last));
    SegmentInfo { first, last, first_timestamp, last_timestamp, bytes: 64, sealed }
}

/// A file with so many bytes of each of these tables.
fn file(kind: FileKind, (first, last): (u64, u64), tables: &[(TableId, u64)]) -> HistoryEntry {
    let entry = |(table, bytes): &(TableId, u64)| TableEntry {
        table: *table,
        rows: 1,
        row_group_first: 0,
        row_group_last: 0,
        bytes: *bytes,
        seq_min: Seq(first),
        seq_max: Seq(last),
        timestamp_min: Timestamp(0),
        timestamp_max: Timestamp(0),
        key_min: Bytes::from_static(b"a"),
        key_max: Bytes::from_static(b"z"),
        cuts: Vec::new(),
    };
    HistoryEntry {
        name: format!("{kind} {first} {last}"),
        kind,
        first: commit(first),
        last: commit(last),
        scope: None,
        bytes: tables.iter().map(|(_, bytes)| bytes).sum(),
        rows: 1,
        blake3: String::new(),
        tail_offset: 0,
        tail_blake3: String::new(),
        tables: tables.iter().map(entry).collect(),
    }
}

fn delta(first: u64, last: u64, bytes: u64) -> HistoryEntry {
    file(FileKind::Delta, (first, last), &[(ORDERS, bytes)])
}

fn base(table: TableId, seq: u64, bytes: u64) -> HistoryEntry {
    let scope = Some(Scope { table, keys: KeyRange::all() });
    HistoryEntry { scope, ..file(FileKind::Base, (seq, seq), &[(table, bytes)]) }
}

fn protected(table: TableId, first: u64, starts_empty: bool) -> ProtectedTable {
    ProtectedTable { table, first: Seq(first), starts_empty }
}

/// Few and small: four deltas are merged, up to 1,000 bytes, and ten bytes are folded.
const POLICY: Policy =
    Policy { fold_ratio: 1.0, fold_bytes_min: 10, merge_fanout: 4, file_bytes_target: 1_000 };

fn next(
    (sealed, files): (u64, &[HistoryEntry]),
    segments: &[SegmentInfo],
    tables: &[ProtectedTable],
) -> Option<Job> {
    let mut manifest = Manifest::empty(DatabaseId::random());
    manifest.sealed = commit(sealed);
    manifest.files = files.to_vec();
    next_job(JobInputs { manifest: &manifest, segments, tables, policy: POLICY })
}

/// The job in a few words.
fn shown(job: Option<Job>) -> String {
    let names = |files: &[HistoryEntry]| {
        files.iter().map(|file| format!(", {}", file.name)).collect::<String>()
    };
    match job {
        None => "nothing".to_owned(),
        Some(Job::Seal(info)) => format!("seal {} to {}", info.first, info.last),
        Some(Job::Base(table)) => format!("base of {table}"),
        Some(Job::Merge(deltas)) => format!("merge{}", names(&deltas)),
        Some(Job::Fold(FoldInputs { table, at, base, floor, deltas, .. })) => {
            let (base, deltas) = (names(&base), names(&deltas));
            format!("fold {table} above {floor} at {}{base}{deltas}", at.seq)
        }
    }
}

#[test]
fn the_oldest_segment_that_history_lacks_is_sealed_first() {
    let [one, two, three] = [segment(1, 4, true), segment(5, 8, true), segment(9, 9, false)];
    let check = |sealed: u64, segments: &[SegmentInfo], expected: &str| {
        assert_eq!(shown(next((sealed, &[]), segments, &[])), expected, "sealed up to {sealed}");
    };
    check(0, &[], "nothing");
    check(0, &[three], "nothing");
    check(0, &[one, two, three], "seal 1 to 4");
    check(4, &[one, two, three], "seal 5 to 8");
    check(8, &[one, two, three], "nothing");
    // History may end inside a segment: after a recovery it can.
    check(6, &[one, two, three], "seal 5 to 8");
    let needs_base = [protected(ORDERS, 2, false)];
    let job = next((0, &[]), &[one, segment(5, 4, false)], &needs_base);
    assert_eq!(shown(job), "seal 1 to 4", "what is only here goes before what is not there yet");
}

#[test]
fn a_table_that_had_keys_gets_a_base_of_its_own_interval() {
    let check = |files: &[HistoryEntry], tables: &[ProtectedTable], expected: &str| {
        assert_eq!(shown(next((8, files), &[], tables)), expected, "{files:?}");
    };
    let table = [protected(ORDERS, 5, false)];
    check(&[], &[protected(ORDERS, 5, true)], "nothing");
    check(&[], &table, "base of 3");
    check(&[base(ORDERS, 5, 1)], &table, "nothing");
    check(&[base(ORDERS, 7, 1)], &table, "nothing");
    check(&[base(ORDERS, 4, 1)], &table, "base of 3");
    check(&[base(STOCK, 7, 1)], &table, "base of 3");
    check(&[delta(5, 8, 1)], &table, "base of 3");
    check(&[base(ORDERS, 7, 1)], &[table[0], protected(STOCK, 6, false)], "base of 4");
}

#[test]
fn adjacent_deltas_of_one_size_are_merged() {
    let small: Vec<_> = (0..5).map(|at| delta(at * 2 + 1, at * 2 + 2, 5)).collect();
    let check = |files: &[HistoryEntry], expected: &str| {
        assert_eq!(shown(next((10, files), &[], &[])), expected, "{files:?}");
    };
    check(&small[..3], "nothing");
    let four = "merge, delta 1 2, delta 3 4, delta 5 6, delta 7 8";
    check(&small[..4], four);
    check(&small, four);
    let backwards: Vec<_> = small.iter().rev().cloned().collect();
    check(&backwards, four);
    // A gap and a base both end a run.
    let with_gap = [&small[..2], &small[3..]].concat();
    check(&with_gap, "nothing");
    check(&[small.clone(), vec![base(ORDERS, 6, 1)]].concat(), "nothing");
    check(
        &[small.clone(), vec![base(ORDERS, 2, 1)]].concat(),
        "merge, delta 3 4, delta 5 6, delta 7 8, delta 9 10",
    );
    // What would be too large stays apart.
    let large: Vec<_> = (0..4).map(|at| delta(at * 2 + 1, at * 2 + 2, 300)).collect();
    check(&large, "nothing");
    let mut scoped = small;
    for delta in &mut scoped {
        delta.scope = Some(Scope { table: ORDERS, keys: KeyRange::all() });
    }
    check(&scoped, "nothing");
}

#[test]
fn a_table_is_folded_once_its_deltas_outweigh_its_base() {
    let check = |files: &[HistoryEntry], table: ProtectedTable, expected: &str| {
        assert_eq!(shown(next((20, files), &[], &[table])), expected, "{files:?}");
    };
    let started_empty = protected(ORDERS, 1, true);
    check(&[delta(1, 20, 9)], started_empty, "nothing");
    check(&[delta(1, 20, 10)], started_empty, "fold 3 above 1 at 20, delta 1 20");
    let had_keys = protected(ORDERS, 4, false);
    check(&[base(ORDERS, 9, 50), delta(1, 9, 99), delta(10, 20, 49)], had_keys, "nothing");
    let due = [base(ORDERS, 9, 50), delta(1, 9, 99), delta(10, 20, 50), base(ORDERS, 5, 1)];
    check(&due, had_keys, "fold 3 above 9 at 20, base 9 9, delta 10 20");
    let of_others = file(FileKind::Delta, (10, 20), &[(STOCK, 500)]);
    check(&[base(ORDERS, 9, 50), of_others], had_keys, "nothing");
}

#[test]
fn a_fold_reaches_no_further_down_than_the_interval_that_is_open() {
    // A delta that spans the gap between two intervals holds events of the first: a fold that took
    // them brought keys back that had been deleted in the gap.
    let again = protected(ORDERS, 12, true);
    let job = next((20, &[delta(1, 20, 50), base(ORDERS, 6, 1)]), &[], &[again]);
    assert_eq!(shown(job), "fold 3 above 12 at 20, delta 1 20");
    let job = next((20, &[delta(1, 12, 50)]), &[], &[again]);
    assert_eq!(shown(job), "nothing");
}

#[test]
fn the_table_with_most_to_fold_goes_first() {
    let both = file(FileKind::Delta, (1, 20), &[(ORDERS, 30), (STOCK, 40)]);
    let tables = [protected(ORDERS, 1, true), protected(STOCK, 1, true)];
    let job = next((20, &[both]), &[], &tables);
    assert_eq!(shown(job), "fold 4 above 1 at 20, delta 1 20");
}
