use foldback_log_tier::manifest::Scope;
use foldback_log_tier::names::{self, HistoryName};
use foldback_log_tier::{KeyRange, WriterId};

use super::*;

/// A row: table, key, seq, and by how much its timestamp is off.
type TestRow = (u64, &'static str, u64, i64);

fn timestamp(seq: u64) -> Timestamp {
    Timestamp(i64::try_from(seq).expect("small") * 10)
}

fn commit(seq: u64) -> Commit {
    Commit { seq: Seq(seq), timestamp: timestamp(seq) }
}

fn says(table: u64, rows: u64, (seq_min, seq_max): (u64, u64)) -> TableEntry {
    TableEntry {
        table: TableId(table),
        rows,
        row_group_first: 0,
        row_group_last: 0,
        bytes: 10,
        seq_min: Seq(seq_min),
        seq_max: Seq(seq_max),
        timestamp_min: timestamp(seq_min),
        timestamp_max: timestamp(seq_max),
        key_min: Bytes::new(),
        key_max: Bytes::new(),
        cuts: Vec::new(),
    }
}

fn entry(kind: FileKind, tables: Vec<TableEntry>) -> HistoryEntry {
    let (first, last) = (if kind == FileKind::Base { 9 } else { 1 }, 9);
    let unique = WriterId::random();
    let name = HistoryName { kind, first: Seq(first), last: Seq(last), born: 0, unique };
    HistoryEntry {
        name: names::history(name),
        kind,
        first: commit(first),
        last: commit(last),
        until: None,
        scope: (kind == FileKind::Base).then(|| Scope { table: TableId(1), keys: KeyRange::all() }),
        bytes: 100,
        rows: tables.iter().map(|table| table.rows).sum(),
        blake3: "0".repeat(64),
        tail_offset: 90,
        tail_blake3: "0".repeat(64),
        tables,
    }
}

/// What is wrong with these rows of a file of which the manifest says this.
fn check(kind: FileKind, said: Vec<TableEntry>, rows: &[TestRow], wrong: Option<&str>) {
    let entry = entry(kind, said);
    let mut index = CommitIndex::new();
    (1..=9).for_each(|seq| index.push(commit(seq)));
    let mut check = RowsCheck::new(&entry, (kind == FileKind::Delta).then_some(&index));
    let taken = rows.iter().try_for_each(|(table, key, seq, off)| {
        check.take_row(EventRow {
            table: TableId(*table),
            key: key.as_bytes(),
            seq: Seq(*seq),
            timestamp: timestamp(*seq).saturating_add_micros(*off),
            value: Some(b"v"),
        })
    });
    match (taken.and_then(|()| check.finish()), wrong) {
        (Ok(()), None) => {}
        (Err(reason), Some(wrong)) => assert!(reason.contains(wrong), "{reason:?} and {rows:?}"),
        (found, wrong) => panic!("{found:?} and {wrong:?} of {rows:?}"),
    }
}

#[test]
fn rows_are_in_order_from_one_row_group_to_the_next() {
    let of_two = || vec![says(1, 3, (2, 8)), says(2, 1, (5, 5))];
    let delta = FileKind::Delta;
    check(delta, of_two(), &[(1, "a", 8, 0), (1, "a", 3, 0), (1, "b", 2, 0), (2, "a", 5, 0)], None);
    let order = Some("not in order");
    check(delta, of_two(), &[(1, "b", 8, 0), (1, "a", 2, 0)], order);
    check(delta, of_two(), &[(1, "a", 3, 0), (1, "a", 8, 0)], order);
    check(delta, of_two(), &[(1, "a", 3, 0), (1, "a", 3, 0)], order);
    check(delta, of_two(), &[(2, "a", 5, 0), (1, "b", 8, 0)], order);
}

#[test]
fn a_base_has_one_row_a_key() {
    let base = FileKind::Base;
    check(base, vec![says(1, 2, (3, 8))], &[(1, "a", 8, 0), (1, "b", 3, 0)], None);
    check(base, vec![says(1, 2, (3, 8))], &[(1, "a", 8, 0), (1, "a", 3, 0)], Some("not in order"));
}

#[test]
fn rows_are_what_the_manifest_says() {
    let delta = FileKind::Delta;
    let rows = &[(1, "a", 8, 0), (1, "b", 2, 0)];
    check(delta, vec![says(1, 2, (2, 8))], rows, None);
    for said in [says(1, 3, (2, 8)), says(1, 2, (1, 8)), says(1, 2, (2, 9)), says(3, 2, (2, 8))] {
        check(delta, vec![said], rows, Some("the manifest says that table"));
    }
    let tables = Some("the manifest says that it has rows of");
    check(delta, vec![], rows, tables);
    check(delta, vec![says(1, 2, (2, 8)), says(2, 1, (3, 3))], rows, tables);
}

#[test]
fn a_row_is_stamped_as_its_commit() {
    let said = || vec![says(1, 2, (2, 8))];
    let wrong = Some("not stamped as its commit index says");
    check(FileKind::Delta, said(), &[(1, "a", 8, 1), (1, "b", 2, 0)], wrong);
    check(FileKind::Delta, said(), &[(1, "a", 8, 0), (1, "b", 2, -1)], wrong);
}
