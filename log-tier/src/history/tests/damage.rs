//! Damaged history files: always an error that names the file and where, never a wrong row.

use super::*;
use crate::Error;
use crate::manifest::HistoryEntry;

/// A file with dictionary pages, several pages a column, two tables, deletes and a commit index.
fn sample() -> (HistoryObject, Rows) {
    let key = |at: u64| format!("key/{at:05}").into_bytes();
    let mut rows: Rows =
        (0..60).map(|at| ((1, key(at / 2), Reverse(1 + at % 2)), Some(noise(at, 8)))).collect();
    rows.extend((0..40).map(|at| ((2, key(at), Reverse(3)), (at % 3 > 0).then(|| noise(at, 5)))));
    (write(&delta(1, 4), &rows).expect("the rows are in order"), rows)
}

/// The object with one bit of it flipped.
fn flipped(object: &HistoryObject, at: usize, bit: usize) -> HistoryObject {
    let mut body = object.body.to_vec();
    body[at] ^= 1 << (bit % 8);
    HistoryObject { body: body.into(), entry: object.entry.clone() }
}

/// Where the file is said to be damaged; panics unless it is, under its right name.
fn damage_of<T>(read: Result<T>, entry: &HistoryEntry) -> usize {
    match read {
        Err(Error::Corrupt { file, offset, .. }) => {
            assert_eq!(file, entry.name);
            usize::try_from(offset).expect("the body is in memory")
        }
        Err(error) => panic!("another error than of damage: {error}"),
        Ok(_) => panic!("damage went unnoticed"),
    }
}

#[test]
fn every_flipped_bit_is_noticed_where_it_is() {
    let (object, _) = sample();
    let tail = read_tail(&object).expect("it is undamaged");
    let commit_index = tail.commit_index_range().expect("a delta has an index");
    let commit_index = usize::try_from(commit_index.start).expect("the body is in memory");
    let tail_offset = usize::try_from(object.entry.tail_offset).expect("the body is in memory");
    for at in 4..object.body.len() {
        let noticed = damage_of(read(&flipped(&object, at, at)), &object.entry);
        let begin = tail.row_groups().iter().map(|group| usize::try_from(group.offset));
        let group = begin.flatten().filter(|begin| *begin <= at).last().expect("it is not first");
        let part = if at >= tail_offset {
            tail_offset..=tail_offset
        } else if at >= commit_index {
            commit_index..=commit_index
        } else {
            group..=at
        };
        assert!(part.contains(&noticed), "byte {at} was noticed at {noticed}");
    }
}

#[test]
fn every_bit_of_the_first_and_the_last_pages_is_covered() {
    let (object, _) = sample();
    let commit_index = read_tail(&object).expect("it is undamaged").commit_index_range();
    let rows_end = usize::try_from(commit_index.expect("a delta has an index").start);
    let rows_end = rows_end.expect("the body is in memory");
    for at in (4..100).chain(rows_end - 100..rows_end) {
        (0..8).for_each(|bit| {
            damage_of(read(&flipped(&object, at, bit)), &object.entry);
        });
    }
}

#[test]
fn cut_and_padded_parts_are_noticed() {
    let (object, _) = sample();
    let entry = &object.entry;
    let tail_bytes = slice(&object.body, entry.tail_offset..entry.bytes);
    let tail = read_tail(&object).expect("it is undamaged");
    let group = &tail.row_groups()[1];
    let group_bytes = slice(&object.body, group.range());
    for cut in [0, 1, 7, 8, tail_bytes.len() - 1] {
        damage_of(HistoryTail::decode(entry, tail_bytes.slice(..cut)), entry);
        let cut = cut.min(group_bytes.len() - 1);
        damage_of(tail.decode_row_group(1, group_bytes.slice(..cut)), entry);
        damage_of(tail.decode_commit_index(group_bytes.slice(..cut)), entry);
    }
    let padded = |bytes: &Bytes| Bytes::from([bytes.as_ref(), &[0]].concat());
    damage_of(HistoryTail::decode(entry, padded(&tail_bytes)), entry);
    damage_of(tail.decode_row_group(1, padded(&group_bytes)), entry);
    let first = slice(&object.body, tail.row_groups()[0].range());
    damage_of(tail.decode_row_group(1, first), entry);
}

#[test]
fn a_file_that_is_not_the_one_in_the_manifest_is_noticed() {
    let (object, rows) = sample();
    let entry = &object.entry;
    let mut others = vec![entry.clone(); 8];
    others[0].first = commit(2);
    others[1].last = commit(5);
    others[2].last.timestamp = Timestamp(0);
    others[3].rows += 1;
    others[4].tables[1].key_max = Bytes::from_static(b"z");
    others[5].tables.pop();
    others[6].kind = FileKind::Base;
    others[7].tail_offset += 4;
    for other in others {
        let moved = HistoryObject { entry: other, ..object.clone() };
        damage_of(read(&moved), entry);
    }
    assert_eq!(read(&object).expect("it is undamaged"), rows);
}

#[test]
fn a_file_of_a_newer_release_asks_for_an_upgrade() {
    let (object, _) = sample();
    let entry = &object.entry;
    let known = b"foldback.format_version\x18\x011";
    let mut body = object.body.to_vec();
    let at = body.windows(known.len()).position(|bytes| bytes == known);
    body[at.expect("the footer states the version") + known.len() - 1] = b'2';
    let body = Bytes::from(body);
    let tail_blake3 = blake3::hash(&slice(&body, entry.tail_offset..entry.bytes)).to_hex();
    let entry = HistoryEntry { tail_blake3: tail_blake3.to_string(), ..entry.clone() };
    let error = read_tail(&HistoryObject { body, entry }).expect_err("it is of a newer release");
    assert!(matches!(&error, Error::Unsupported(why) if why.contains("upgrade")), "{error}");
}
