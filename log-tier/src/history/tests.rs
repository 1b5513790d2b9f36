//! History files as their users see them: what is written is what is read.

mod damage;
mod limits;
mod point;
mod round_trip;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use bytes::Bytes;

use super::*;
use crate::{EventRow, Result, Seq, TableId, Timestamp};

/// The rows of a file: (table, key, seq from the newest) to the value, or to none for a delete.
type Rows = BTreeMap<(u64, Vec<u8>, Reverse<u64>), Option<Vec<u8>>>;

/// Pairs of commits share a timestamp.
fn timestamp_of(seq: Seq) -> Timestamp {
    let micros = 1_700_000_000_000_000 + seq.0 / 2 * 1_000;
    Timestamp(i64::try_from(micros).expect("the test's seqs are small"))
}

fn commit(seq: u64) -> Commit {
    Commit { seq: Seq(seq), timestamp: timestamp_of(Seq(seq)) }
}

fn delta(first: u64, last: u64) -> HistoryIdentity {
    HistoryIdentity {
        database: crate::ids::RandomId([7; 16]),
        kind: FileKind::Delta,
        first: commit(first),
        last: commit(last),
        scope: None,
    }
}

fn base(at: u64) -> HistoryIdentity {
    HistoryIdentity { kind: FileKind::Base, ..delta(at, at) }
}

fn commits_of(identity: &HistoryIdentity) -> Option<CommitIndex> {
    (identity.kind == FileKind::Delta).then(|| {
        let mut commits = CommitIndex::new();
        (identity.first.seq.0..=identity.last.seq.0).for_each(|seq| commits.push(commit(seq)));
        commits
    })
}

/// Writes a file of these rows.
fn write(identity: &HistoryIdentity, rows: &Rows) -> Result<HistoryObject> {
    let mut writer = HistoryWriter::new(identity.clone(), 0)?;
    for ((table, key, Reverse(seq)), value) in rows {
        let seq = Seq(*seq);
        let timestamp = timestamp_of(seq);
        let value = value.as_deref();
        writer.push(EventRow { table: TableId(*table), key, seq, timestamp, value })?;
    }
    writer.finish(commits_of(identity).as_ref())
}

fn slice(body: &Bytes, range: std::ops::Range<u64>) -> Bytes {
    let at = |offset| usize::try_from(offset).expect("the body is in memory");
    body.slice(at(range.start)..at(range.end))
}

fn read_tail(object: &HistoryObject) -> Result<HistoryTail> {
    let entry = &object.entry;
    HistoryTail::decode(entry, slice(&object.body, entry.tail_offset..entry.bytes))
}

/// Reads everything in a file, through everything that a reader can call.
fn read(object: &HistoryObject) -> Result<Rows> {
    let tail = read_tail(object)?;
    let mut rows = Rows::new();
    for group in tail.row_groups() {
        let bytes = slice(&object.body, group.range());
        for portion_bytes in [0, 100, 1 << 16] {
            read_portions(&tail, group, &bytes, portion_bytes)?;
        }
        let decoded = tail.decode_row_group(group.index, bytes)?;
        for (at, row) in decoded.iter().enumerate() {
            assert_eq!(row.timestamp, timestamp_of(row.seq));
            assert_eq!(decoded.key_bytes(at), row.key);
            assert_eq!(decoded.value_bytes(at).as_deref(), row.value);
            let position = (row.table.0, row.key.to_vec(), Reverse(row.seq.0));
            assert_eq!(rows.insert(position, row.value.map(<[u8]>::to_vec)), None);
        }
    }
    if let Some(range) = tail.commit_index_range() {
        let commits = tail.decode_commit_index(slice(&object.body, range))?;
        assert_eq!(Some(commits), commits_of(tail.identity()));
    }
    Ok(rows)
}

/// Reads a row group in portions; they hold the same rows as when it is read at once.
fn read_portions(
    tail: &HistoryTail,
    group: &RowGroupEntry,
    bytes: &Bytes,
    portion_bytes: usize,
) -> Result<()> {
    let whole = tail.decode_row_group(group.index, bytes.clone())?;
    assert!(whole.ends_row_group());
    let mut portions =
        tail.row_group_portions(group.index, bytes.clone(), portion_bytes, RowFilter::all())?;
    let mut at = 0;
    while let Some(portion) = portions.next().transpose()? {
        assert!(portion_bytes > 0 || portion.len() == 1, "a row is the least that is decoded");
        for row in portion.iter() {
            assert_eq!(row, whole.row(at));
            at += 1;
        }
        assert_eq!(portion.ends_row_group(), at == whole.len());
    }
    assert_eq!(at, whole.len());
    Ok(())
}

/// Bytes that do not compress, the same for the same seed.
fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut output = vec![0; bytes];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut output);
    output
}
