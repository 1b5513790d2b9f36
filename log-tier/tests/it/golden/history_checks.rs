//! Checks of golden history files: their rows, what the manifest says of them, and the sections
//! and the metadata that are ours. The pages themselves may change with the parquet crate.

use std::collections::BTreeMap;

use bytes::Bytes;
use foldback_log_tier::history::{CommitIndex, HistoryTail};
use foldback_log_tier::manifest::{HistoryEntry, TableEntry};
use foldback_log_tier::{Result, Seq, TableId, Timestamp};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use super::contents::{
    self, DATABASE, DELTA, GoldenRow, base_identity, base_rows, delta_commits, delta_identity,
    delta_rows, event_row, object_name,
};
use super::layout::to_length;

/// What can be read of a history file: rows as (table, key, seq, timestamp, value), and commits.
pub(crate) type Everything = (Vec<OwnedRow>, Option<CommitIndex>);
/// One row: table, key, seq, timestamp, value.
pub(crate) type OwnedRow = (TableId, Vec<u8>, Seq, Timestamp, Option<Vec<u8>>);

/// Reads all of a history file through the doors that every reader uses.
pub(crate) fn read_all(entry: &HistoryEntry, body: &Bytes) -> Result<Everything> {
    let tail = HistoryTail::decode(entry, slice(body, entry.tail_offset..entry.bytes))?;
    let mut rows = Vec::new();
    for group in tail.row_groups() {
        let decoded = tail.decode_row_group(group.index, slice(body, group.range()))?;
        rows.extend(decoded.iter().map(|row| {
            (row.table, row.key.to_vec(), row.seq, row.timestamp, row.value.map(<[u8]>::to_vec))
        }));
    }
    let range = tail.commit_index_range();
    let commits = range.map(|range| tail.decode_commit_index(slice(body, range))).transpose()?;
    Ok((rows, commits))
}

/// A part of an object, or as much of it as there is: so answers a store.
pub(crate) fn slice(body: &Bytes, range: std::ops::Range<u64>) -> Bytes {
    let at = |offset| usize::try_from(offset).unwrap_or(usize::MAX).min(body.len());
    body.slice(at(range.start)..at(range.end).max(at(range.start)))
}

/// Checks a golden history file against what it must hold.
pub(crate) fn check(path: &str, entry: &HistoryEntry, body: Vec<u8>) {
    let body = Bytes::from(body);
    let is_delta = path == DELTA;
    let (rows, identity) =
        if is_delta { (delta_rows(), delta_identity()) } else { (base_rows(), base_identity()) };
    let commits = is_delta.then(delta_commits);
    let read = read_all(entry, &body).expect("it is sound");
    assert_eq!(read, (rows.iter().map(owned).collect(), commits));
    let expected = HistoryEntry {
        name: object_name(path),
        kind: identity.kind,
        first: identity.first,
        last: identity.last,
        until: None,
        scope: identity.scope,
        bytes: to_length(body.len()),
        rows: to_length(rows.len()),
        blake3: blake3::hash(&body).to_hex().to_string(),
        tail_offset: entry.tail_offset,
        tail_blake3: blake3::hash(&slice(&body, entry.tail_offset..entry.bytes))
            .to_hex()
            .to_string(),
        tables: tables(&rows, entry),
    };
    assert_eq!(*entry, expected);
    check_sections(entry, &body, is_delta);
}

/// Checks that two files encode their columns alike and say the same of themselves, whatever
/// bytes the parquet crate makes of their pages.
pub(crate) fn check_same_encoding(golden: &[u8], fresh: &[u8]) {
    let [golden, fresh] = [golden, fresh].map(|body| metadata(&Bytes::copy_from_slice(body)));
    let file = |metadata: &ParquetMetaData| {
        let file = metadata.file_metadata();
        let created_by = file.created_by().map(str::to_owned);
        (file.version(), created_by, file.schema_descr().root_schema().clone())
    };
    assert_eq!(file(&fresh), file(&golden));
    assert_eq!(fresh.num_row_groups(), golden.num_row_groups());
    for (fresh, golden) in fresh.row_groups().iter().zip(golden.row_groups()) {
        assert_eq!(fresh.sorting_columns(), golden.sorting_columns());
        assert_eq!(fresh.num_rows(), golden.num_rows());
        for (fresh, golden) in fresh.columns().iter().zip(golden.columns()) {
            assert_eq!(fresh.compression(), golden.compression());
            assert_eq!(fresh.statistics(), golden.statistics());
            let encodings = |chunk: &parquet::file::metadata::ColumnChunkMetaData| {
                let mut encodings: Vec<_> = chunk.encodings().collect();
                encodings.sort_unstable();
                encodings
            };
            assert_eq!(encodings(fresh), encodings(golden));
            let indexed = fresh.column_index_offset().is_some();
            assert_eq!(indexed, golden.column_index_offset().is_some());
        }
    }
}

fn owned(row: &GoldenRow) -> OwnedRow {
    let row = event_row(row);
    (row.table, row.key.to_vec(), row.seq, row.timestamp, row.value.map(<[u8]>::to_vec))
}

/// What the manifest must say of each table; how many bytes its row group has is up to parquet.
fn tables(rows: &[GoldenRow], entry: &HistoryEntry) -> Vec<TableEntry> {
    let by_table: Vec<_> = rows.chunk_by(|one, other| one.0 == other.0).collect();
    assert_eq!(by_table.len(), entry.tables.len());
    let tables = by_table.into_iter().zip(&entry.tables).zip(0..);
    tables
        .map(|((rows, stated), row_group)| {
            let seqs = rows.iter().map(|row| Seq(row.2));
            let [seq_min, seq_max] = [seqs.clone().min(), seqs.max()].map(|seq| seq.expect("one"));
            TableEntry {
                table: rows[0].0,
                rows: to_length(rows.len()),
                row_group_first: row_group,
                row_group_last: row_group,
                bytes: stated.bytes,
                seq_min,
                seq_max,
                timestamp_min: contents::commit(seq_min).timestamp,
                timestamp_max: contents::commit(seq_max).timestamp,
                key_min: Bytes::from_static(rows[0].1),
                key_max: Bytes::from_static(rows[rows.len() - 1].1),
                cuts: Vec::new(),
            }
        })
        .collect()
}

/// Checks the sections and the metadata of ours against `FORMAT.md`, byte by byte.
fn check_sections(entry: &HistoryEntry, body: &Bytes, is_delta: bool) {
    let metadata = metadata(body);
    let rows_end = 4 + entry.tables.iter().map(|table| table.bytes).sum::<u64>();
    let commit_index = slice(body, rows_end..entry.tail_offset);
    assert_eq!(commit_index.is_empty(), !is_delta);
    if is_delta {
        check_commit_index(&commit_index);
    }
    let checksums: Vec<u8> =
        pages(&metadata).flat_map(|page| crc32c::crc32c(&body[page]).to_le_bytes()).collect();
    let checksums_end = entry.tail_offset + to_length(checksums.len());
    assert_eq!(slice(body, entry.tail_offset..checksums_end), checksums);
    let section =
        |offset: u64, bytes: &[u8]| format!("{offset},{},{}", bytes.len(), crc32c::crc32c(bytes));
    let mut expected = BTreeMap::from([
        ("format_version", "1".to_owned()),
        ("database", DATABASE.to_string()),
        ("kind", if is_delta { "delta" } else { "base" }.to_owned()),
        ("first_seq", if is_delta { "1" } else { "3" }.to_owned()),
        ("first_timestamp", if is_delta { "-1000000" } else { "0" }.to_owned()),
        ("last_seq", if is_delta { "4" } else { "3" }.to_owned()),
        ("last_timestamp", if is_delta { "1700000000000000" } else { "0" }.to_owned()),
        ("page_checksums", section(entry.tail_offset, &checksums)),
    ]);
    if is_delta {
        expected.insert("commit_index", section(rows_end, &commit_index));
    } else {
        expected.insert("scope_table", "1".to_owned());
        expected.insert("scope_from", "61".to_owned());
        expected.insert("scope_until", "62".to_owned());
    }
    let pairs = metadata.file_metadata().key_value_metadata().expect("the footer has pairs");
    let found = pairs.iter().map(|pair| {
        let key = pair.key.strip_prefix("foldback.").expect("every key is ours");
        (key, pair.value.clone().expect("every key has a value"))
    });
    assert_eq!(found.collect::<BTreeMap<_, _>>(), expected);
}

fn check_commit_index(section: &Bytes) {
    let (header, compressed) = section.split_at(36);
    let mut expected = crc32c::crc32c(&section[4..]).to_le_bytes().to_vec();
    // One million, none, and 1.7 * 10^15 microseconds lie between the four commits.
    let differences = [0xc0, 0x84, 0x3d, 0x00, 0x80, 0x80, 0xf9, 0xc0, 0xc1, 0xc4, 0x82, 0x03];
    expected.extend_from_slice(&1_u64.to_le_bytes());
    expected.extend_from_slice(&(-1_000_000_i64).to_le_bytes());
    expected.extend_from_slice(&4_u64.to_le_bytes());
    expected.extend_from_slice(&to_length(differences.len()).to_le_bytes());
    assert_eq!(header, expected);
    let found = zstd::bulk::decompress(compressed, differences.len() + 1);
    assert_eq!(found.expect("it is one zstd frame"), differences);
}

/// The footer and the page indexes, as any reader of Parquet finds them.
fn metadata(body: &Bytes) -> ParquetMetaData {
    let mut reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Optional);
    reader.try_parse(body).expect("it is a Parquet file");
    reader.finish().expect("it is a Parquet file")
}

/// Where all pages lie: the dictionary page is what lies in a column chunk before its data pages.
fn pages(metadata: &ParquetMetaData) -> impl Iterator<Item = std::ops::Range<usize>> {
    let indexes = metadata.offset_index().expect("the offset index is there");
    let to_index = |offset: i64| usize::try_from(offset).expect("it lies in memory");
    let chunks = metadata.row_groups().iter().zip(indexes);
    let chunks = chunks.flat_map(|(group, indexes)| group.columns().iter().zip(indexes));
    chunks.flat_map(move |(chunk, index)| {
        let begin = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
        let end = begin + chunk.compressed_size();
        let data = index.page_locations().iter().map(|page| page.offset);
        let mut bounds: Vec<_> = std::iter::once(begin).chain(data).chain([end]).collect();
        bounds.dedup();
        let pages: Vec<_> =
            bounds.windows(2).map(|pair| to_index(pair[0])..to_index(pair[1])).collect();
        pages
    })
}
