//! Bases as they are written: whole, cut by key, and equal to the state.

use foldback_log_tier::history::HistoryTail;
use foldback_log_tier::manifest::HistoryEntry;
use foldback_log_tier::{Seq, Timestamp};

use super::*;

const TABLE: TableId = TableId(6);
const COMMIT: Commit = Commit { seq: Seq(40), timestamp: Timestamp(400) };
const MAKING: Making = Making { database: foldback_log_tier::ids::RandomId([7; 16]), born: 3 };

/// More than any state here has.
const LARGE: u64 = 1 << 30;

/// Values that do not compress, so that files grow as their rows do.
fn value(number: u64) -> Vec<u8> {
    let mut state = number;
    let next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(4_000).collect()
}

fn state(rows: u64) -> Vec<(Vec<u8>, Vec<u8>)> {
    (0..rows).map(|row| (format!("key/{row:06}").into_bytes(), value(row))).collect()
}

fn write(state: &[(Vec<u8>, Vec<u8>)], file_bytes_target: u64) -> Vec<HistoryObject> {
    let mut writer = BaseWriter::new(MAKING, TABLE, COMMIT, file_bytes_target);
    let mut files = Vec::new();
    for (key, value) in state {
        let (seq, timestamp) = (COMMIT.seq, COMMIT.timestamp);
        let row = EventRow { table: TABLE, key, seq, timestamp, value: Some(value) };
        files.extend(writer.push(row).expect("keys ascend"));
    }
    files.push(writer.finish().expect("it is whole"));
    files
}

fn read(file: &HistoryObject) -> Vec<(Vec<u8>, Vec<u8>)> {
    let slice = |range: std::ops::Range<u64>| {
        let at = |offset| usize::try_from(offset).expect("it is in memory");
        file.body.slice(at(range.start)..at(range.end))
    };
    let entry = &file.entry;
    let tail = HistoryTail::decode(entry, slice(entry.tail_offset..entry.bytes)).expect("sound");
    let mut rows = Vec::new();
    for group in tail.row_groups() {
        let decoded = tail.decode_row_group(group.index, slice(group.range())).expect("sound");
        for row in decoded.iter() {
            assert_eq!((row.table, row.seq, row.timestamp), (TABLE, COMMIT.seq, COMMIT.timestamp));
            rows.push((row.key.to_vec(), row.value.expect("a base has no deletes").to_vec()));
        }
    }
    rows
}

/// Writes a state as a base, and checks its files together; returns how many there are.
fn check(state: &[(Vec<u8>, Vec<u8>)], file_bytes_target: u64) -> usize {
    let files = write(state, file_bytes_target);
    assert_eq!(files.iter().flat_map(read).collect::<Vec<_>>(), state);
    let mut expected_from = Some(Bytes::new());
    for file in &files {
        let HistoryEntry { kind, first, last, scope, .. } = &file.entry;
        assert_eq!((*kind, *first, *last), (FileKind::Base, COMMIT, COMMIT));
        let scope = scope.as_ref().expect("a base has one");
        assert_eq!((scope.table, Some(&scope.keys.from)), (TABLE, expected_from.as_ref()));
        assert!(read(file).iter().all(|(key, _)| scope.keys.contains(key)));
        expected_from.clone_from(&scope.keys.until);
    }
    assert_eq!(expected_from, None, "the last file has no end");
    files.len()
}

#[test]
fn a_small_state_is_one_file_of_all_keys() {
    assert_eq!(check(&state(50), LARGE), 1);
}

#[test]
fn a_state_without_rows_is_a_base_too() {
    assert_eq!(check(&[], LARGE), 1);
}

#[test]
fn a_large_state_is_cut_by_key() {
    let files = check(&state(2_000), 1 << 20);
    assert!((4..=9).contains(&files), "8 MB came in {files} files of about 1 MiB");
}

#[test]
fn the_empty_key_is_in_the_first_file() {
    let with_empty_key = [vec![(Vec::new(), Vec::new())], state(10)].concat();
    assert_eq!(check(&with_empty_key, LARGE), 1);
}

#[test]
fn a_file_is_cut_only_between_two_rows() {
    // With the least target every row but the first ends the file before it.
    assert_eq!(check(&state(5), 0), 5);
}
