//! History files: tails, also behind right checksums, and rows.
//!
//! There is no door for rows behind right checksums. In pages that were made to harm it parquet
//! reserves as much memory as they ask for, which ends the process instead of being an error.

use bytes::Bytes;
use foldback_log_tier::Seq;
use foldback_log_tier::history::{FetchedBytes, HistoryObject, HistoryTail, RowGroupEntry};
use foldback_log_tier::manifest::HistoryEntry;

use super::{Door, accepted};
use crate::fuzz::samples::Sample;
use crate::golden::history_checks::{Everything, read_all, slice};
use crate::golden::layout::to_length;

/// Where the rows begin.
const ROWS_OFFSET: usize = 4;

pub(super) fn doors(samples: &[Sample]) -> Vec<Door> {
    vec![tails(samples), tails_behind_right_checksums(samples), rows(samples)]
}

/// No tail is accepted but the one that was published.
fn tails(samples: &[Sample]) -> Door {
    let objects = objects(samples);
    let inputs: Vec<_> = objects.iter().map(tail_of).collect();
    let sound = inputs.clone();
    let check = move |number: usize, input: &[u8]| {
        let entry = &objects[number].entry;
        let tail = accepted(HistoryTail::decode(entry, Bytes::copy_from_slice(input)));
        assert!(tail.is_none() || sound[number] == input, "another tail is accepted");
        tail.is_some()
    };
    Door { name: "history tail", inputs_a_turn: 16, inputs, check: Box::new(check) }
}

/// Any tail that the manifest vouches for is decoded or refused, and so are the rows before it.
fn tails_behind_right_checksums(samples: &[Sample]) -> Door {
    let objects = objects(samples);
    let inputs = objects.iter().map(tail_of).collect();
    let check = move |number: usize, input: &[u8]| {
        let HistoryObject { body, entry } = &objects[number];
        let rows = slice(body, 0..entry.tail_offset);
        let body = Bytes::from([&rows, input].concat());
        read_parts(&entry_of(entry, &body), &body)
    };
    let name = "history tail behind right checksums";
    Door { name, inputs_a_turn: 8, inputs, check: Box::new(check) }
}

/// No rows and no commits are accepted but those that were published.
fn rows(samples: &[Sample]) -> Door {
    let objects = objects(samples);
    let inputs = objects.iter().map(rows_of).collect();
    let read = |object: &HistoryObject| read_all(&object.entry, &object.body).expect("sound");
    let sound: Vec<Everything> = objects.iter().map(read).collect();
    let check = move |number: usize, input: &[u8]| {
        let HistoryObject { body, entry } = &objects[number];
        let rows_end = usize::try_from(entry.tail_offset).expect("it lies in memory");
        let mut changed = body.to_vec();
        // What is too long is cut off, and what is missing is as it was.
        let length = input.len().min(rows_end - ROWS_OFFSET);
        changed[ROWS_OFFSET..ROWS_OFFSET + length].copy_from_slice(&input[..length]);
        accepted(read_all(entry, &changed.into())).is_some_and(|found| {
            assert_eq!(found, sound[number]);
            true
        })
    };
    Door { name: "rows", inputs_a_turn: 8, inputs, check: Box::new(check) }
}

fn objects(samples: &[Sample]) -> Vec<HistoryObject> {
    samples.iter().flat_map(|sample| sample.objects.clone()).collect()
}

fn tail_of(object: &HistoryObject) -> Vec<u8> {
    slice(&object.body, object.entry.tail_offset..object.entry.bytes).to_vec()
}

/// What lies between the first four bytes and the tail.
fn rows_of(object: &HistoryObject) -> Vec<u8> {
    slice(&object.body, to_length(ROWS_OFFSET)..object.entry.tail_offset).to_vec()
}

/// What a manifest would say that was made for this body.
fn entry_of(entry: &HistoryEntry, body: &Bytes) -> HistoryEntry {
    let bytes = to_length(body.len());
    let tail_blake3 = blake3::hash(&slice(body, entry.tail_offset..bytes)).to_hex().to_string();
    HistoryEntry { bytes, tail_blake3, ..entry.clone() }
}

/// Reads every part by itself, whatever comes of the others; says whether the tail was accepted.
fn read_parts(entry: &HistoryEntry, body: &Bytes) -> bool {
    let tail = HistoryTail::decode(entry, slice(body, entry.tail_offset..entry.bytes));
    let Some(tail) = accepted(tail) else { return false };
    for group in tail.row_groups() {
        let rows = tail.decode_row_group(group.index, slice(body, group.range()));
        read_pages(&tail, group, body);
        let Some(rows) = accepted(rows) else { continue };
        for (at, row) in rows.iter().enumerate() {
            assert_eq!(rows.key_bytes(at), row.key);
            assert_eq!(rows.value_bytes(at).as_deref(), row.value);
        }
    }
    if let Some(range) = tail.commit_index_range() {
        accepted(tail.decode_commit_index(slice(body, range)));
    }
    true
}

/// Makes point reads of a row group, as far as its pages lie in the body.
fn read_pages(tail: &HistoryTail, group: &RowGroupEntry, body: &Bytes) {
    for key in [&group.key_min, &group.key_max] {
        for page in tail.key_pages(group.index, key) {
            let range = tail.key_pages_range(group.index, page..page + 1);
            let fetched = FetchedBytes { offset: range.start, bytes: slice(body, range.clone()) };
            if !fetched.hold(&range) {
                continue;
            }
            let keys = tail.decode_key_page(group.index, page, &fetched);
            let Some(keys) = accepted(keys) else { continue };
            let row = keys.row_in_group(keys.first_at_or_after(key, Seq(u64::MAX)) / 2);
            let page = tail.value_page(group.index, row);
            let values = tail.decode_value_page(group.index, page, &fetched);
            let Some(values) = accepted(values) else { continue };
            assert!(values.value(row).is_none_or(|value| !value.starts_with(b"never written")));
        }
    }
}
