//! What a portion has to agree with beyond its own rows.

use super::*;
use crate::history::{FileKind, HistoryTail, HistoryWriter};
use crate::{Commit, EventRow, TableId, Timestamp};

/// The portions of the one row group of a base of ten rows, one row each.
fn portions() -> RowGroupPortions {
    let at = Commit { seq: Seq(9), timestamp: Timestamp(900) };
    let database = crate::ids::RandomId([7; 16]);
    let kind = FileKind::Base;
    let identity = HistoryIdentity { database, kind, first: at, last: at, scope: None };
    let mut writer = HistoryWriter::new(identity, 0).expect("parquet takes our schema");
    for key in 0..10_u8 {
        let (table, seq, timestamp) = (TableId(1), Seq(3), Timestamp(100));
        let row = EventRow { table, key: &[key], seq, timestamp, value: Some(&[key; 40]) };
        writer.push(row).expect("few");
    }
    let object = writer.finish(None).expect("the rows are in order");
    let at = |offset: u64| usize::try_from(offset).expect("the body is in memory");
    let tail = object.body.slice(at(object.entry.tail_offset)..);
    let tail = HistoryTail::decode(&object.entry, tail).expect("it is undamaged");
    let range = tail.row_groups()[0].range();
    let bytes = object.body.slice(at(range.start)..at(range.end));
    let portions = tail.row_group_portions(0, bytes, 1, RowFilter::all()).expect("it is undamaged");
    assert_eq!(portions.portion_rows, 1, "a portion has one row at least");
    portions
}

#[test]
fn a_batch_that_does_not_go_on_after_the_one_before_is_damage() {
    for (previous, is_sound) in [(4, true), (5, false), (6, false)] {
        let mut portions = portions();
        for _ in 0..5 {
            portions.next().expect("there are ten").expect("it is undamaged");
        }
        portions.previous = Some((Bytes::copy_from_slice(&[previous]), Seq(3)));
        let portion = portions.next().expect("there are ten");
        assert_eq!(portion.is_ok(), is_sound, "after key {previous}");
        assert!(is_sound || portions.next().is_none(), "nothing comes after an error");
    }
}

#[test]
fn a_row_group_that_ends_early_or_late_is_damage() {
    for (rows, sound) in [(10, 10), (11, 10), (9, 8)] {
        let mut portions = portions();
        portions.rows_left = rows;
        let came = portions.by_ref().take_while(Result::is_ok).count();
        assert_eq!(came, sound, "it says to have {rows} rows");
        assert!(portions.next().is_none(), "nothing comes after an error or the end");
    }
}

#[test]
fn a_batch_is_of_about_so_many_bytes_and_of_one_row_at_least() {
    for (portion_bytes, rows, bytes, expected) in [
        (0, 10, 100, 1),
        (50, 10, 100, 5),
        (99, 10, 100, 9),
        (usize::MAX, 10, 100, 10),
        (50, 10, 0, 10),
        (50, 10, -1, 10),
        (1, u64::MAX, i64::MAX, 2),
    ] {
        assert_eq!(rows_in(portion_bytes, rows, bytes), expected, "{portion_bytes} of {bytes}");
    }
}
