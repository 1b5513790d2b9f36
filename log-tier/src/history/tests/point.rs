//! Point reads of row groups, against all rows of the file.

use std::ops::Range;

use parquet::file::metadata::RowGroupMetaData;

use super::*;
use crate::Error;
use crate::history::key_filter::read_key_filter;
use crate::history::schema::COLUMN_KEY;
use crate::history::window::FileWindow;

fn key(at: u64) -> Vec<u8> {
    // Keys of many lengths, some longer than the bounds in the tail are.
    let mut key = format!("key/{at:06}").into_bytes();
    key.extend(noise(at, usize::try_from(at % 3 * 40).expect("small")));
    key
}

/// A delta of some row groups: one key in ten has events on several pages.
fn sample_delta() -> (HistoryObject, Rows) {
    let row = |at: u64, seq: u64| {
        let value = (!seq.is_multiple_of(4)).then(|| noise(at * 1_000 + seq, 200));
        ((1, key(2 * at), Reverse(seq)), value)
    };
    let seqs = |at: u64| 1..=if at.is_multiple_of(1_000) { 900 } else { 1 + at % 3 };
    let rows = (0..8_000).flat_map(|at| seqs(at).map(move |seq| row(at, seq))).collect();
    (write(&delta(1, 900), &rows).expect("the rows are in order"), rows)
}

fn sample_base() -> (HistoryObject, Rows) {
    let rows = (0..9_000)
        .map(|at| ((1, key(2 * at), Reverse(1 + at % 7)), Some(noise(at, 300))))
        .collect();
    (write(&base(7), &rows).expect("the rows are in order"), rows)
}

fn fetch(object: &HistoryObject, range: Range<u64>) -> FetchedBytes {
    FetchedBytes { offset: range.start, bytes: slice(&object.body, range) }
}

/// An event as a point read finds it: its seq, and its value or that it is a delete.
type Found = Option<(u64, Option<Vec<u8>>)>;

/// The newest event of a key at or below a seq.
fn look(object: &HistoryObject, tail: &HistoryTail, key: &[u8], target: u64) -> Result<Found> {
    for group in tail.row_groups() {
        let pages = tail.key_pages(group.index, key);
        for page in pages.clone() {
            let fetched = fetch(object, tail.key_pages_range(group.index, page..pages.end));
            let keys = tail.decode_key_page(group.index, page, &fetched)?;
            let at = keys.first_at_or_after(key, Seq(target));
            if at < keys.len() && keys.key(at) == key {
                let row = keys.row_in_group(at);
                let page = tail.value_page(group.index, row);
                assert!(fetched.hold(&tail.value_page_range(group.index, page)), "one request");
                let values = tail.decode_value_page(group.index, page, &fetched)?;
                return Ok(Some((keys.seq(at).0, values.value(row).map(<[u8]>::to_vec))));
            }
        }
    }
    Ok(None)
}

fn newest(rows: &Rows, key: &[u8], target: u64) -> Found {
    let mut events = rows.range((1, key.to_vec(), Reverse(target))..);
    let (found, value) = events.next()?;
    (found.1 == key).then(|| (found.2.0, value.clone()))
}

#[test]
fn point_reads_find_what_is_there() {
    for (object, rows) in [sample_delta(), sample_base()] {
        let tail = read_tail(&object).expect("it is undamaged");
        assert!(tail.row_groups().len() > 1, "there are several row groups");
        let index = &tail.metadata.offset_index().expect("there is one")[1];
        let pages = index[COLUMN_KEY].page_locations().len();
        assert!(pages > 4, "{pages} pages of keys");
        for at in (0..16_000).step_by(37).chain([0, 2_000, 2_001, 4_000, 15_998, 17_998, 20_000]) {
            for target in [1, 2, 5, 450, 900] {
                let key = key(at);
                let found = look(&object, &tail, &key, target).expect("it is undamaged");
                assert_eq!(
                    found,
                    newest(&rows, &key, target),
                    "{} at {target}",
                    key.escape_ascii()
                );
            }
        }
    }
}

#[test]
fn nearly_no_absent_key_passes_the_filters() {
    let (object, _) = sample_base();
    let tail = read_tail(&object).expect("it is undamaged");
    let passes = |key: &[u8]| {
        tail.row_groups().iter().any(|group| !tail.key_pages(group.index, key).is_empty())
    };
    let absent = (0..9_000).filter(|at| passes(&key(2 * at + 1))).count();
    assert!(absent < 9_000 / 50, "{absent} absent keys of 9,000 pass");
    assert!((0..9_000).all(|at| passes(&key(2 * at))), "a key that is there does not pass");
    let filters: usize = tail.key_filters.iter().flatten().map(|one| 32 * one.num_blocks()).sum();
    let per_key = filters * 8 / 9_000;
    assert!((10..12).contains(&per_key), "{per_key} bits a key");
}

/// Where values are next to nothing, filters would be much of the file.
#[test]
fn a_filter_takes_little_of_its_file() {
    let rows: Rows = (0..60_000).map(|at| ((1, key(3 * at), Reverse(1)), None)).collect();
    let object = write(&delta(1, 1), &rows).expect("the rows are in order");
    let tail = read_tail(&object).expect("it is undamaged");
    assert!(tail.key_filters.iter().all(Option::is_none), "{:?}", tail.row_groups().len());
    for at in (0..180_000).step_by(9_973) {
        let found = look(&object, &tail, &key(at), 1).expect("it is undamaged");
        assert_eq!(found, newest(&rows, &key(at), 1));
    }
    // One block is next to nothing, and spares a request for each small delta.
    let few: Rows = rows.into_iter().take(2).collect();
    let tail = read_tail(&write(&delta(1, 1), &few).expect("in order")).expect("it is undamaged");
    assert_eq!(tail.key_filters.iter().flatten().map(|one| one.num_blocks()).sum::<usize>(), 1);
}

#[test]
fn damage_to_a_page_or_a_filter_is_an_error_that_says_where() {
    let (object, rows) = sample_delta();
    let tail = read_tail(&object).expect("it is undamaged");
    let damaged = |at: u64| {
        let mut body = object.body.to_vec();
        body[usize::try_from(at).expect("the body is in memory")] ^= 1;
        HistoryObject { body: body.into(), entry: object.entry.clone() }
    };
    let key = key(8_010);
    let mut groups = tail.row_groups().iter().map(|group| group.index);
    let group = groups.find(|group| !tail.key_pages(*group, &key).is_empty()).expect("it is there");
    let pages = tail.key_pages(group, &key);
    let range = tail.key_pages_range(group, pages);
    let (mut errors, mut sound) = (0, 0);
    for at in range.clone().step_by(997).chain([range.start, range.end - 1]) {
        match look(&damaged(at), &tail, &key, 900) {
            Ok(found) => {
                // A byte that this read does not need.
                assert_eq!(found, newest(&rows, &key, 900));
                sound += 1;
            }
            Err(Error::Corrupt { file, offset, .. }) => {
                assert_eq!(file, object.entry.name);
                assert!(range.start <= offset && offset <= at, "{at} was noticed at {offset}");
                errors += 1;
            }
            Err(error) => panic!("another error than of damage: {error}"),
        }
    }
    assert!(errors > 2 && sound > 2, "{errors} errors, {sound} sound");

    let chunk = tail.metadata.row_group(0).column(COLUMN_KEY);
    let filter = chunk.bloom_filter_offset().expect("it has a filter");
    let length = chunk.bloom_filter_length().expect("it says how long");
    for at in (filter..filter + i64::from(length)).step_by(101) {
        let error = read_tail(&damaged(u64::try_from(at).expect("positive")));
        let tail_offset = object.entry.tail_offset;
        assert!(
            matches!(&error, Err(Error::Corrupt { offset, .. }) if *offset == tail_offset),
            "{error:?}"
        );
    }
}

/// Behind a right checksum: a filter that was cut would leave out keys that are there.
#[test]
fn a_filter_that_is_not_whole_is_refused() {
    let (object, _) = sample_base();
    let tail = read_tail(&object).expect("it is undamaged");
    let group = tail.metadata.row_group(1).clone();
    let window = FileWindow {
        object_bytes: object.entry.bytes,
        offset: object.entry.tail_offset,
        bytes: slice(&object.body, object.entry.tail_offset..object.entry.bytes),
    };
    let chunk = group.column(COLUMN_KEY);
    let (offset, length) = (chunk.bloom_filter_offset(), chunk.bloom_filter_length());
    let (offset, length) = (offset.expect("it has one"), length.expect("it has one"));
    let with = |offset: Option<i64>, length: Option<i32>| -> RowGroupMetaData {
        let mut columns = group.columns().to_vec();
        let key = columns[COLUMN_KEY].clone().into_builder();
        let key = key.set_bloom_filter_offset(offset).set_bloom_filter_length(length);
        columns[COLUMN_KEY] = key.build().expect("it is whole");
        group.clone().into_builder().set_column_metadata(columns).build().expect("it is whole")
    };
    let read = |offset, length| read_key_filter(&with(offset, length), &window);
    assert!(read(Some(offset), Some(length)).expect("it is sound").is_some());
    assert!(read(None, None).expect("there is none").is_none());
    for (offset, length) in [
        (offset, Some(length - 32)),
        (offset, Some(length - 1)),
        (offset, Some(0)),
        (offset, Some(-1)),
        (offset, None),
        (offset + 32, Some(length)),
        (-1, Some(length)),
        (4, Some(length)),
        (i64::MAX, Some(length)),
    ] {
        assert!(read(Some(offset), length).is_err(), "{length:?} bytes from {offset} on");
    }
}
