//! Merges and folds over files in a bucket, against the rows they were made of.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::test_bucket::{TestBucket, TestRow, commit};

const TABLE: TableId = TableId(4);
const OTHER: TableId = TableId(5);
/// Commits of a history in the properties.
const SEQS: u64 = 24;
/// More than any state here has.
const LARGE: u64 = 1 << 30;

fn row(table: TableId, key: &[u8], seq: u64, value: Option<&[u8]>) -> TestRow {
    let value = value.map(<[u8]>::to_vec);
    TestRow { table, key: key.to_vec(), commit: commit(seq), value }
}

/// Keys and values at `at`.
fn state(rows: &[TestRow], keys: &KeyRange, at: u64) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut state = BTreeMap::new();
    let counts = |row: &&TestRow| row.table == TABLE && row.commit.seq.0 <= at;
    for row in rows.iter().filter(counts).filter(|row| keys.contains(&row.key)) {
        // The newest comes first.
        state.entry(row.key.clone()).or_insert_with(|| row.value.clone());
    }
    state.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
}

fn rows_of(bucket: &TestBucket, files: &[HistoryEntry]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let rows = files.iter().flat_map(|file| bucket.rows(file));
    rows.map(|row| (row.key, row.value.expect("a base has no deletes"))).collect()
}

fn fold_inputs(keys: KeyRange, at: u64, file_bytes_target: u64) -> FoldInputs {
    let (base, deltas, floor, at) = (Vec::new(), Vec::new(), Seq::ZERO, commit(at));
    FoldInputs { table: TABLE, keys, at, base, floor, deltas, file_bytes_target }
}

fn range(from: &[u8], until: Option<&[u8]>) -> KeyRange {
    let from = Bytes::copy_from_slice(from);
    KeyRange { from, until: until.map(Bytes::copy_from_slice) }
}

#[test]
fn a_merge_leaves_out_what_no_instant_needs() {
    let bucket = TestBucket::new();
    let rows = [
        row(TABLE, b"a", 9, None),
        row(TABLE, b"a", 2, Some(b"old")),
        row(TABLE, b"b", 5, Some(b"at the seq")),
        row(TABLE, b"b", 1, Some(b"old")),
        row(OTHER, b"a", 1, Some(b"kept")),
    ];
    let deltas = [bucket.put_delta((1, 4), &rows), bucket.put_delta((5, 9), &rows)];
    let leaves_out = |table, seqs: RangeInclusive<Seq>| table == TABLE && *seqs.end() <= Seq(5);
    let merged = merge_deltas(bucket.reading(), &deltas, &leaves_out).expect("all is sound");
    assert_eq!(bucket.rows(&merged), [rows[0].clone(), rows[4].clone()]);
    assert_eq!((merged.first, merged.last), (commit(1), commit(9)));
    // It was put whole, and its commits are all still told.
    let (history, file) = (bucket.reading().history, merged.clone());
    let index = crate::wait_for(history.read_commit_index(&file)).expect("it is sound");
    assert_eq!((index.first(), index.last()), (Some(commit(1)), Some(commit(9))));
    // One delta alone is rewritten; of one that nothing is left of only the commits are.
    let alone = merge_deltas(bucket.reading(), &deltas[1..], &leaves_out).expect("all is sound");
    assert_eq!(bucket.rows(&alone), rows[..1]);
    let emptied = merge_deltas(bucket.reading(), &[merged], &|_, _| true).expect("all is sound");
    assert_eq!((emptied.rows, bucket.rows(&emptied)), (0, Vec::new()));
}

#[test]
fn a_merge_that_is_left_off_leaves_no_object() {
    let bucket = TestBucket::new();
    let delta = bucket.put_delta((1, 1), &[row(TABLE, b"a", 1, None)]);
    bucket.reading().pace.stop();
    let merged = merge_deltas(bucket.reading(), std::slice::from_ref(&delta), &|_, _| false);
    assert!(matches!(merged, Err(foldback_log_tier::Error::Interrupted)), "{merged:?}");
    assert_eq!(bucket.objects(), [delta.name]);
}

#[test]
fn a_fold_of_a_range_reads_only_what_may_hold_its_keys() {
    let bucket = TestBucket::new();
    // Some row groups each: the values do not compress.
    let noise = |key: u64| -> Vec<u8> {
        let mut state = key + 1;
        let next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        };
        std::iter::repeat_with(next).take(64 << 10).collect()
    };
    let keys: Vec<_> = (0..200_u64).map(|key| format!("key/{key:03}").into_bytes()).collect();
    let rows: Vec<_> =
        (0..200).zip(&keys).map(|(at, key)| row(TABLE, key, 2, Some(&noise(at)))).collect();
    let deltas = vec![bucket.put_delta((1, 2), &rows)];
    let inputs = |keys| FoldInputs { deltas: deltas.clone(), ..fold_inputs(keys, 2, LARGE) };
    let read_by = |inputs: &FoldInputs| {
        let before = bucket.remote().traffic().bytes_read;
        let files = fold(bucket.reading(), inputs).expect("all is sound");
        (files, bucket.remote().traffic().bytes_read - before)
    };
    let (whole, all_bytes) = read_by(&inputs(KeyRange::all()));
    let part = range(b"key/050", Some(b"key/060"));
    let (folded, bytes) = read_by(&inputs(part.clone()));
    assert_eq!(rows_of(&bucket, &folded), state(&rows, &part, 2));
    assert!(bytes < all_bytes / 4, "{bytes} of {all_bytes} bytes were read for a twentieth");
    // Of the base below, too, and of deltas only what is above it.
    let next = FoldInputs { base: whole, floor: Seq(2), at: commit(3), ..inputs(part.clone()) };
    let (folded, bytes) = read_by(&next);
    assert_eq!(rows_of(&bucket, &folded), state(&rows, &part, 2));
    assert!(bytes < all_bytes / 4, "{bytes} of {all_bytes} bytes were read for a twentieth");
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    let keys: [&[u8]; 8] = [b"", b"\0", b"a", b"a\0", b"ab", b"b", b"\xff", b"\xff\xff"];
    prop::sample::select(keys.map(<[u8]>::to_vec).to_vec())
}

/// Events of two tables, in the order of a history file.
fn rows() -> impl Strategy<Value = Vec<TestRow>> {
    let value = prop::option::weighted(0.7, prop::collection::vec(any::<u8>(), 0..4));
    let table = prop::sample::select(vec![TABLE, OTHER]);
    let place = (table, key(), (1..=SEQS).prop_map(Reverse));
    prop::collection::btree_map(place, value, 0..60).prop_map(|events| {
        let row = |((table, key, Reverse(seq)), value)| TestRow {
            table,
            key,
            commit: commit(seq),
            value,
        };
        events.into_iter().map(row).collect()
    })
}

/// Whether the scopes of the files of a base adjoin, and cover exactly `keys`.
fn check_scopes(files: &[HistoryEntry], keys: &KeyRange) {
    let mut from = Some(keys.from.clone());
    for file in files {
        let scope = file.scope.as_ref().expect("a base has one");
        assert_eq!((scope.table, Some(&scope.keys.from)), (TABLE, from.as_ref()));
        from.clone_from(&scope.keys.until);
    }
    assert_eq!(from, keys.until);
}

proptest! {
    #![proptest_config(
        ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() }
    )]

    #[test]
    fn a_fold_of_a_range_is_that_range_of_the_whole_fold(
        rows in rows(),
        cuts in prop::collection::btree_set(key(), 0..4),
        (low, middle) in (1..SEQS, 1..SEQS),
        file_bytes_target in prop::sample::select(vec![0, LARGE]),
    ) {
        let (low, middle) = (low.min(middle), low.max(middle) + 1);
        let bucket = TestBucket::new();
        let deltas = [
            bucket.put_delta((1, low), &rows),
            bucket.put_delta((low + 1, middle), &rows),
        ];
        // A base below, in files of one row; then two folds, range by range.
        let below = FoldInputs { deltas: deltas.to_vec(), ..fold_inputs(KeyRange::all(), low, 0) };
        let base = fold(bucket.reading(), &below).expect("all is sound");
        check_scopes(&base, &KeyRange::all());
        prop_assert_eq!(rows_of(&bucket, &base), state(&rows, &KeyRange::all(), low));
        let mut froms = vec![Bytes::new()];
        froms.extend(cuts.into_iter().filter(|cut| !cut.is_empty()).map(Bytes::from));
        let untils = froms[1..].iter().cloned().map(Some).chain([None]);
        for (from, until) in froms.iter().cloned().zip(untils) {
            let keys = KeyRange { from, until };
            let inputs = fold_inputs(keys.clone(), middle, file_bytes_target);
            let from_nothing = FoldInputs { deltas: deltas.to_vec(), ..inputs.clone() };
            let floor = Seq(low);
            let from_base =
                FoldInputs { base: base.clone(), deltas: deltas.to_vec(), floor, ..inputs };
            for inputs in [from_nothing, from_base] {
                let files = fold(bucket.reading(), &inputs).expect("all is sound");
                check_scopes(&files, &keys);
                prop_assert_eq!(rows_of(&bucket, &files), state(&rows, &keys, middle));
            }
        }
    }

    #[test]
    fn merged_deltas_hold_every_row_but_those_left_out(
        rows in rows(),
        low in 1..SEQS,
        gone in 0..=SEQS,
    ) {
        let bucket = TestBucket::new();
        let deltas = [bucket.put_delta((1, low), &rows), bucket.put_delta((low + 1, SEQS), &rows)];
        let leaves_out =
            |table, seqs: RangeInclusive<Seq>| table == TABLE && *seqs.end() <= Seq(gone);
        let merged = merge_deltas(bucket.reading(), &deltas, &leaves_out).expect("all is sound");
        let is_kept = |row: &TestRow| !leaves_out(row.table, row.commit.seq..=row.commit.seq);
        let expected: Vec<_> = rows.into_iter().filter(is_kept).collect();
        prop_assert_eq!(bucket.rows(&merged), expected);
    }
}
