//! Bases as they are written: whole, cut by key, and equal to the state.

use bytes::Bytes;
use foldback_log_tier::{Error, Seq, Timestamp};

use super::*;
use crate::test_bucket::TestBucket;

const TABLE: TableId = TableId(6);
const COMMIT: Commit = Commit { seq: Seq(40), timestamp: Timestamp(400) };

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

/// Writes a state as a base of these keys.
fn write(
    bucket: &TestBucket,
    keys: &KeyRange,
    state: &[(Vec<u8>, Vec<u8>)],
    file_bytes_target: u64,
) -> Vec<HistoryEntry> {
    let base = BaseIdentity { table: TABLE, keys: keys.clone(), at: COMMIT };
    let mut writer = BaseWriter::new(bucket.reading(), base, file_bytes_target);
    for (key, value) in state {
        let (seq, timestamp) = (COMMIT.seq, COMMIT.timestamp);
        let row = EventRow { table: TABLE, key, seq, timestamp, value: Some(value) };
        writer.push(row).expect("keys ascend");
    }
    writer.finish().expect("it is whole")
}

fn read(bucket: &TestBucket, file: &HistoryEntry) -> Vec<(Vec<u8>, Vec<u8>)> {
    let rows = bucket.rows(file).into_iter();
    let checked = rows.map(|row| {
        assert_eq!((row.table, row.commit), (TABLE, COMMIT));
        (row.key, row.value.expect("a base has no deletes"))
    });
    checked.collect()
}

/// Writes a state as a base of these keys, and checks its files together; returns how many there
/// are.
fn check_range(keys: &KeyRange, state: &[(Vec<u8>, Vec<u8>)], file_bytes_target: u64) -> usize {
    let bucket = TestBucket::new();
    let files = write(&bucket, keys, state, file_bytes_target);
    assert_eq!(files.iter().flat_map(|file| read(&bucket, file)).collect::<Vec<_>>(), state);
    let mut expected_from = Some(keys.from.clone());
    for file in &files {
        let HistoryEntry { kind, first, last, scope, .. } = file;
        assert_eq!((*kind, *first, *last), (FileKind::Base, COMMIT, COMMIT));
        let scope = scope.as_ref().expect("a base has one");
        assert_eq!((scope.table, Some(&scope.keys.from)), (TABLE, expected_from.as_ref()));
        assert!(read(&bucket, file).iter().all(|(key, _)| scope.keys.contains(key)));
        expected_from.clone_from(&scope.keys.until);
    }
    assert_eq!(expected_from, keys.until, "the last file ends where the range does");
    files.len()
}

fn check(state: &[(Vec<u8>, Vec<u8>)], file_bytes_target: u64) -> usize {
    check_range(&KeyRange::all(), state, file_bytes_target)
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

#[test]
fn a_base_of_a_range_covers_exactly_the_range() {
    let range = |from: &'static [u8], until: Option<&'static [u8]>| KeyRange {
        from: Bytes::from_static(from),
        until: until.map(Bytes::from_static),
    };
    // Wider than its rows on both sides, and without rows.
    assert_eq!(check_range(&range(b"a", Some(b"z")), &state(5), 0), 5);
    assert_eq!(check_range(&range(b"key/000000", None), &state(5), 0), 5);
    assert_eq!(check_range(&range(b"x", Some(b"y")), &[], LARGE), 1);
}

#[test]
fn a_base_that_is_given_up_leaves_no_file_half_written() {
    let bucket = TestBucket::new();
    let base = BaseIdentity { table: TABLE, keys: KeyRange::all(), at: COMMIT };
    let mut writer = BaseWriter::new(bucket.reading(), base, LARGE);
    let (seq, timestamp) = (COMMIT.seq, COMMIT.timestamp);
    for row in 0..6_000 {
        let (key, value) = (format!("key/{row:06}").into_bytes(), value(row));
        let row = EventRow { table: TABLE, key: &key, seq, timestamp, value: Some(&value) };
        writer.push(row).expect("keys ascend");
    }
    drop(writer);
    // It was so large that parts of it had been sent.
    assert_eq!(bucket.remote().traffic().deletes, 1, "the upload was aborted");
    assert_eq!(bucket.objects(), [] as [String; 0]);
}

#[test]
fn a_base_whose_upload_fails_is_an_error() {
    use foldback_log_tier::remote::{Fault, StoreCall};
    let bucket = TestBucket::new();
    bucket.store().script(StoreCall::Put, &[Fault::None, Fault::None, Fault::Busy]);
    let base = BaseIdentity { table: TABLE, keys: KeyRange::all(), at: COMMIT };
    let mut writer = BaseWriter::new(bucket.reading(), base, LARGE);
    let (seq, timestamp) = (COMMIT.seq, COMMIT.timestamp);
    let mut rows = (0..12_000).map(|row| (format!("key/{row:06}").into_bytes(), value(row)));
    let pushed = rows.try_for_each(|(key, value)| {
        writer.push(EventRow { table: TABLE, key: &key, seq, timestamp, value: Some(&value) })
    });
    assert!(matches!(pushed, Err(Error::Store { .. })), "{pushed:?}");
    drop(writer);
    assert_eq!(bucket.remote().traffic().deletes, 1, "the upload was aborted once");
    assert_eq!(bucket.objects(), [] as [String; 0]);
}
