//! Where row groups and pages are cut, and what a writer refuses.

use std::collections::BTreeSet;

use super::*;
use crate::Error;

fn row(table: u64, key: &[u8], seq: u64) -> EventRow<'_> {
    let seq = Seq(seq);
    let timestamp = timestamp_of(seq);
    EventRow { table: TableId(table), key, seq, timestamp, value: Some(b"v") }
}

/// Pushes these rows into one file.
fn push_all(identity: HistoryIdentity, rows: &[EventRow<'_>]) {
    let mut writer = HistoryWriter::new(identity, 0).expect("parquet takes our schema");
    rows.iter().for_each(|row| writer.push(*row).expect("row groups are few"));
}

#[test]
fn large_tables_are_cut_and_values_can_be_huge() {
    let value = |seed| Some(noise(seed, ROW_GROUP_BYTES_MAX / 4 - 100));
    let mut rows: Rows = (0..9)
        .map(|seed| ((1, vec![0, u8::try_from(seed).expect("few")], Reverse(5)), value(seed)))
        .collect();
    rows.insert((2, Vec::new(), Reverse(6)), Some(noise(99, ROW_GROUP_BYTES_MAX + 1)));
    rows.insert((2, vec![1], Reverse(6)), None);
    let object = write(&delta(5, 6), &rows).expect("the rows are in order");
    let tail = read_tail(&object).expect("it is undamaged");
    let cut: Vec<_> = tail.row_groups().iter().map(|group| (group.table.0, group.rows)).collect();
    assert_eq!(cut, [(1, 4), (1, 4), (1, 1), (2, 1), (2, 1)]);
    assert_eq!(read(&object).expect("it is undamaged"), rows);
}

#[test]
fn events_of_one_key_can_span_row_groups() {
    let rows: Rows = (1..=12)
        .map(|seq| ((1, b"key".to_vec(), Reverse(seq)), Some(noise(seq, ROW_GROUP_BYTES_MAX / 8))))
        .collect();
    let object = write(&delta(1, 12), &rows).expect("the rows are in order");
    let tail = read_tail(&object).expect("it is undamaged");
    assert_eq!(tail.row_groups().len(), 2);
    assert_eq!(tail.row_groups()[0].key_max, tail.row_groups()[1].key_min);
    assert_eq!(read(&object).expect("it is undamaged"), rows);
}

#[test]
fn every_table_has_row_groups_of_its_own() {
    let rows: Rows = (0..500).map(|table| ((table, b"k".to_vec(), Reverse(1)), None)).collect();
    let object = write(&delta(1, 1), &rows).expect("the rows are in order");
    assert_eq!(object.entry.tables.len(), 500);
    assert_eq!(read(&object).expect("it is undamaged"), rows);
}

#[test]
fn a_file_has_a_limit_of_row_groups() {
    let mut writer = HistoryWriter::new(base(1), 0).expect("parquet takes our schema");
    let limit = u64::try_from(ROW_GROUPS_MAX).expect("64 bits suffice");
    let pushed = (0..limit + 2).try_for_each(|table| writer.push(row(table, b"k", 1)));
    assert!(matches!(pushed, Err(Error::Unsupported(_))), "{pushed:?}");
}

#[test]
fn the_bytes_so_far_tell_the_size_of_the_file() {
    let mut writer = HistoryWriter::new(base(1), 0).expect("parquet takes our schema");
    let value = noise(1, 1 << 20);
    let keys: BTreeSet<[u8; 1]> = (0..20).map(|key| [key]).collect();
    for key in &keys {
        let row = EventRow { value: Some(&value), ..row(1, key, 1) };
        writer.push(row).expect("row groups are few");
    }
    let so_far = writer.bytes_so_far();
    let object = writer.finish(None).expect("the rows are in order");
    assert!(so_far.abs_diff(object.entry.bytes) < 64 << 10, "{so_far} of {}", object.entry.bytes);
}

#[test]
fn sizes_of_an_ordinary_file() {
    let mut writer = HistoryWriter::new(delta(1, 100_000), 0).expect("parquet takes our schema");
    for order in 0..100_000_u64 {
        let key = format!("customer/{:08}/order/{order:010}", order / 7);
        let value =
            format!("{{\"id\":{order},\"cents\":{},\"state\":\"paid\"}}", order * 7919 % 100_000);
        let row = EventRow { value: Some(value.as_bytes()), ..row(1, key.as_bytes(), 1 + order) };
        writer.push(row).expect("row groups are few");
    }
    let object = writer.finish(commits_of(&delta(1, 100_000)).as_ref()).expect("it is in order");
    let tail_bytes = object.entry.bytes - object.entry.tail_offset;
    assert!(object.entry.bytes < 20 * 100_000, "{} bytes", object.entry.bytes);
    assert!(tail_bytes < 32 << 10, "{tail_bytes} bytes");
}

#[test]
#[should_panic(expected = "ascend")]
fn rows_out_of_order_are_refused() {
    push_all(delta(1, 2), &[row(1, b"b", 1), row(1, b"a", 1)]);
}

#[test]
#[should_panic(expected = "ascend")]
fn older_events_of_a_key_come_later() {
    push_all(delta(1, 2), &[row(1, b"a", 1), row(1, b"a", 2)]);
}

#[test]
#[should_panic(expected = "ascend")]
fn a_base_has_one_row_a_key() {
    push_all(base(2), &[row(1, b"a", 2), row(1, b"a", 1)]);
}

#[test]
#[should_panic(expected = "puts only")]
fn a_base_has_no_deletes() {
    push_all(base(2), &[EventRow { value: None, ..row(1, b"a", 2) }]);
}

#[test]
#[should_panic(expected = "before first")]
fn a_delta_covers_its_rows() {
    push_all(delta(2, 3), &[row(1, b"a", 1)]);
}

#[test]
#[should_panic(expected = "after last")]
fn no_row_is_newer_than_the_file() {
    push_all(base(2), &[row(1, b"a", 4)]);
}

#[test]
#[should_panic(expected = "index covers")]
fn a_delta_needs_the_index_of_exactly_its_commits() {
    let writer = HistoryWriter::new(delta(2, 9), 0).expect("parquet takes our schema");
    let _ = writer.finish(commits_of(&delta(2, 8)).as_ref());
}
