//! Runs of levels by hand, and values that are looked for over many pages.

use super::*;
use crate::history::{FileKind, HistoryIdentity, HistoryTail, HistoryWriter, RowFilter};
use crate::{Commit, EventRow, KeyRange, Seq, TableId, Timestamp};

fn present(runs: &[u8], rows: usize) -> Option<Vec<bool>> {
    let mut present = PresentRows::new(Bytes::copy_from_slice(runs));
    (0..rows).map(|_| present.next().ok()).collect()
}

#[test]
fn levels_come_in_runs() {
    // 300 rows that have a value: the header takes two bytes.
    assert_eq!(present(&[0xd8, 0x04, 1], 300), Some(vec![true; 300]));
    assert_eq!(present(&[0xd8, 0x04, 1], 301), None, "they end");
    // Two rows that have none, then a group of eight, of which the last is not a row.
    let packed = [4, 0, 3, 0b0100_0101];
    let expected = [false, false, true, false, true, false, false, false, true];
    assert_eq!(present(&packed, 9), Some(expected.to_vec()));
    // A run of no rows is passed over.
    assert_eq!(present(&[0, 1, 2, 1], 1), Some(vec![true]));
    for bad in [&[][..], &[0x80], &[2], &[5, 0xff], &[0xff, 0xff, 0xff, 0xff, 0xff]] {
        assert_eq!(present(bad, 1), None, "{bad:?}");
    }
}

#[test]
fn a_page_that_is_not_whole_is_refused() {
    let page = |bytes: &[u8], num_values: u32, encoding: Encoding| Page::DataPage {
        buf: Bytes::copy_from_slice(bytes),
        num_values,
        encoding,
        def_level_encoding: Encoding::RLE,
        rep_level_encoding: Encoding::RLE,
        statistics: None,
    };
    let read = |page: Page| OpenPage::new(page, 0..1).and_then(|mut page| page.seek(0));
    let whole = [2, 0, 0, 0, 2, 1, 3, 0, 0, 0, b'a', b'b', b'c'];
    let place = read(page(&whole, 1, Encoding::PLAIN)).expect("it is whole");
    assert_eq!(place, Some((10, 13)));
    for length in 0..whole.len() {
        assert!(read(page(&whole[..length], 1, Encoding::PLAIN)).is_err(), "{length} bytes");
    }
    assert!(read(page(&whole, 2, Encoding::PLAIN)).is_err());
    assert!(read(page(&whole, 1, Encoding::DELTA_LENGTH_BYTE_ARRAY)).is_err());
}

const KEYS: u64 = 700;
const SEQS: u64 = 9;

/// Every seventh is a delete, and some are empty.
fn value_of(key: u64, seq: u64) -> Option<Vec<u8>> {
    let number = key * SEQS + seq;
    let length = usize::try_from(number % 5 * 101).expect("small");
    (!number.is_multiple_of(7)).then(|| number.to_string().into_bytes().repeat(length / 4))
}

/// What a filter lets through of a row group with events of many keys, in portions.
fn chosen(filter: &RowFilter, portion_bytes: usize) -> Vec<(u64, u64, Option<Vec<u8>>)> {
    let commit = |seq: u64| Commit { seq: Seq(seq), timestamp: Timestamp(seq.cast_signed()) };
    let database = crate::ids::RandomId([7; 16]);
    let (kind, first, last) = (FileKind::Delta, commit(1), commit(SEQS));
    let identity = HistoryIdentity { database, kind, first, last, scope: None };
    let mut writer = HistoryWriter::new(identity, 0).expect("parquet takes our schema");
    let mut commits = crate::history::CommitIndex::new();
    (1..=SEQS).for_each(|seq| commits.push(commit(seq)));
    for key in 0..KEYS {
        for seq in (1..=SEQS).rev() {
            let (value, Commit { seq, timestamp }) = (value_of(key, seq), commit(seq));
            let (table, value, key) = (TableId(1), value.as_deref(), key.to_be_bytes());
            writer.push(EventRow { table, key: &key, seq, timestamp, value }).expect("in order");
        }
    }
    let object = writer.finish(Some(&commits)).expect("it is whole");
    let at = |offset: u64| usize::try_from(offset).expect("the body is in memory");
    let tail = object.body.slice(at(object.entry.tail_offset)..);
    let tail = HistoryTail::decode(&object.entry, tail).expect("it is undamaged");
    let groups = tail.row_groups();
    assert_eq!(groups.len(), 1, "all rows are in one, over many pages");
    let bytes = object.body.slice(at(groups[0].offset)..at(groups[0].range().end));
    let portions = tail.row_group_portions(0, bytes, portion_bytes, filter.clone());
    let portions = portions.expect("it is undamaged").map(|rows| rows.expect("it is undamaged"));
    let rows = portions.flat_map(|rows| {
        let of = |row: EventRow<'_>| {
            let key = u64::from_be_bytes(row.key.try_into().expect("eight bytes"));
            (key, row.seq.0, row.value.map(<[u8]>::to_vec))
        };
        rows.iter().map(of).collect::<Vec<_>>()
    });
    rows.collect()
}

#[test]
fn the_values_of_chosen_rows_are_theirs() {
    let key = |key: u64| Bytes::copy_from_slice(&key.to_be_bytes());
    let all = KeyRange::all();
    let some = KeyRange { from: key(123), until: Some(key(124)) };
    let late = KeyRange { from: key(650), until: None };
    for (keys, floor, target) in [(&all, 0, 9), (&all, 3, 5), (&some, 0, 9), (&late, 8, 8)] {
        let filter = RowFilter {
            keys: keys.clone(),
            floor: Seq(floor),
            target: Seq(target),
            newest_only: false,
        };
        let counts = |number: &u64, seq: &u64| {
            keys.contains(&number.to_be_bytes()) && floor < *seq && *seq <= target
        };
        let positions = (0..KEYS).flat_map(|key| (1..=SEQS).rev().map(move |seq| (key, seq)));
        let positions = positions.filter(|(key, seq)| counts(key, seq));
        let expected: Vec<_> = positions.map(|(key, seq)| (key, seq, value_of(key, seq))).collect();
        // Of portions of any size, the rows are the same.
        for portion_bytes in [0, 10_000, usize::MAX] {
            assert_eq!(chosen(&filter, portion_bytes), expected, "{filter:?}");
        }
        // The first of each key is its newest.
        let mut newest = expected.clone();
        newest.dedup_by_key(|(key, ..)| *key);
        let filter = RowFilter { newest_only: true, ..filter };
        assert_eq!(chosen(&filter, usize::MAX), newest, "{filter:?}");
    }
}
