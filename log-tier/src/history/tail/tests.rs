//! Decoding of bytes that a right checksum lets through: wrong as they are, they must not panic.

use proptest::prelude::*;

use super::*;
use crate::history::{FetchedBytes, FileKind, HistoryObject, HistoryWriter};
use crate::{Commit, EventRow, Seq, TableId, Timestamp};

/// A base with two tables.
fn sample() -> HistoryObject {
    let at = Commit { seq: Seq(9), timestamp: Timestamp(900) };
    let database = crate::ids::RandomId([7; 16]);
    let kind = FileKind::Base;
    let identity = HistoryIdentity { database, kind, first: at, last: at, scope: None };
    let mut writer = HistoryWriter::new(identity, 0).expect("parquet takes our schema");
    for row in 0..300_u64 {
        let key = format!("key/{:05}", row % 150);
        let value = format!("value {}", row * 7919);
        let table = TableId(row / 150);
        let (seq, timestamp) = (Seq(1 + row % 9), Timestamp(100));
        let value = Some(value.as_bytes());
        writer.push(EventRow { table, key: key.as_bytes(), seq, timestamp, value }).expect("few");
    }
    writer.finish(None).expect("the rows are in order")
}

fn slice(body: &Bytes, range: Range<u64>) -> Bytes {
    let at = |offset| usize::try_from(offset).expect("the body is in memory");
    body.slice(at(range.start)..at(range.end))
}

/// Bytes put over others: where, as a part of 65,536, and what.
fn any_damage() -> impl Strategy<Value = Vec<(u16, u8)>> {
    prop::collection::vec(any::<(u16, u8)>(), 1..6)
}

fn damaged(bytes: &Bytes, damage: &[(u16, u8)]) -> Bytes {
    let mut bytes = bytes.to_vec();
    for (part, byte) in damage {
        let at = usize::from(*part) * bytes.len() / (usize::from(u16::MAX) + 1);
        bytes[at] = *byte;
    }
    bytes.into()
}

/// Reads all row groups, and ignores what comes of it.
fn read_rows(tail: &HistoryTail, body: &Bytes) {
    for group in tail.row_groups() {
        if group.range().end <= u64::try_from(body.len()).expect("64 bits suffice") {
            let _ = tail.decode_row_group(group.index, slice(body, group.range()));
            read_pages_of(tail, body, group);
        }
    }
}

/// Makes point reads of a row group, and ignores what comes of them.
fn read_pages_of(tail: &HistoryTail, body: &Bytes, group: &RowGroupEntry) {
    for key in [b"key/00003".as_slice(), b"key/00149", b"key/", b""] {
        for page in tail.key_pages(group.index, key) {
            let range = tail.key_pages_range(group.index, page..page + 1);
            let fetched = FetchedBytes { offset: range.start, bytes: slice(body, range) };
            let Ok(keys) = tail.decode_key_page(group.index, page, &fetched) else { continue };
            let row = keys.row_in_group(keys.len() - 1);
            let page = tail.value_page(group.index, row);
            if let Ok(values) = tail.decode_value_page(group.index, page, &fetched) {
                let _ = values.value(row);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn no_tail_behind_a_right_hash_panics(damage in any_damage()) {
        let HistoryObject { body, mut entry } = sample();
        let tail = damaged(&slice(&body, entry.tail_offset..entry.bytes), &damage);
        entry.tail_blake3 = blake3::hash(&tail).to_hex().to_string();
        if let Ok(tail) = HistoryTail::decode(&entry, tail) {
            read_rows(&tail, &body);
        }
    }

    #[test]
    fn no_row_group_behind_right_checksums_panics(damage in any_damage()) {
        let HistoryObject { body, entry } = sample();
        let tail = HistoryTail::decode(&entry, slice(&body, entry.tail_offset..entry.bytes));
        let mut tail = tail.expect("it is undamaged");
        let rows_end = tail.row_groups()[1].range().end;
        let body = damaged(&slice(&body, 0..rows_end), &damage);
        for page in tail.pages.iter_mut().flatten() {
            let bytes = slice(&body, page.offset..page.offset + page.bytes);
            page.crc32c = crc32c::crc32c(&bytes);
        }
        read_rows(&tail, &body);
    }
}
