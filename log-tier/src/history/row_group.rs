//! What a footer says of each row group, and from it what a file holds of each table.

use std::ops::Range;

use bytes::Bytes;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;

use crate::history::schema::{COLUMN_KEY, COLUMN_SEQ, COLUMN_TABLE, COLUMN_TIMESTAMP};
use crate::manifest::{CUTS_MAX, Cut, TableEntry};
use crate::{Seq, TableId, Timestamp};

/// What the footer of a history file says of one of its row groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowGroupEntry {
    /// Its position in the file.
    pub index: u32,
    /// The table of all its rows.
    pub table: TableId,
    /// Number of rows, at least one.
    pub rows: u64,
    /// Where it begins in the object.
    pub offset: u64,
    /// Its length.
    pub bytes: u64,
    /// Least key.
    pub key_min: Bytes,
    /// Greatest key. The next row group may begin with it: the events of one key can span both.
    pub key_max: Bytes,
    /// Least seq of a row.
    pub seq_min: Seq,
    /// Greatest seq of a row.
    pub seq_max: Seq,
    /// Least timestamp of a row.
    pub timestamp_min: Timestamp,
    /// Greatest timestamp of a row.
    pub timestamp_max: Timestamp,
}

impl RowGroupEntry {
    /// Where it lies in the object.
    #[must_use]
    pub fn range(&self) -> Range<u64> {
        self.offset..self.offset + self.bytes
    }
}

/// The row groups of a footer, or why they can't be those of a history file.
pub(crate) fn row_group_entries(metadata: &ParquetMetaData) -> Result<Vec<RowGroupEntry>, String> {
    metadata
        .row_groups()
        .iter()
        .enumerate()
        .map(|(index, group)| {
            row_group_entry(index, group)
                .ok_or_else(|| format!("row group {index} lacks what a history file must state"))
        })
        .collect()
}

/// What the row groups hold of each table.
pub(crate) fn table_entries(row_groups: &[RowGroupEntry]) -> Vec<TableEntry> {
    let mut tables: Vec<TableEntry> = Vec::new();
    for group in row_groups {
        match tables.last_mut().filter(|entry| entry.table == group.table) {
            Some(entry) => extend(entry, group),
            None => tables.push(begin(group)),
        }
    }
    for entry in &mut tables {
        entry.cuts = cuts(row_groups.iter().filter(|group| group.table == entry.table));
    }
    tables
}

/// Where the bytes of a table lie along its keys: at every row group, or at some if there are many.
fn cuts<'a>(row_groups: impl Iterator<Item = &'a RowGroupEntry> + Clone) -> Vec<Cut> {
    let step = row_groups.clone().count().div_ceil(CUTS_MAX + 1).max(1);
    let mut bytes_before = 0;
    let mut cuts = Vec::new();
    for (at, group) in row_groups.enumerate() {
        if at > 0 && at.is_multiple_of(step) {
            cuts.push(Cut { key: group.key_min.clone(), bytes_before });
        }
        bytes_before += group.bytes;
    }
    cuts
}

/// What the first row group of a table says of the table.
fn begin(group: &RowGroupEntry) -> TableEntry {
    TableEntry {
        table: group.table,
        rows: group.rows,
        row_group_first: group.index,
        row_group_last: group.index,
        bytes: group.bytes,
        seq_min: group.seq_min,
        seq_max: group.seq_max,
        timestamp_min: group.timestamp_min,
        timestamp_max: group.timestamp_max,
        key_min: group.key_min.clone(),
        key_max: group.key_max.clone(),
        cuts: Vec::new(),
    }
}

/// Adds the table's next row group to what is said of the table.
fn extend(entry: &mut TableEntry, group: &RowGroupEntry) {
    entry.rows = entry.rows.saturating_add(group.rows);
    entry.row_group_last = group.index;
    entry.bytes = entry.bytes.saturating_add(group.bytes);
    entry.seq_min = entry.seq_min.min(group.seq_min);
    entry.seq_max = entry.seq_max.max(group.seq_max);
    entry.timestamp_min = entry.timestamp_min.min(group.timestamp_min);
    entry.timestamp_max = entry.timestamp_max.max(group.timestamp_max);
    entry.key_min = entry.key_min.clone().min(group.key_min.clone());
    entry.key_max = entry.key_max.clone().max(group.key_max.clone());
}

/// Reads position, length and exact bounds of a row group; `None` when one is absent or absurd.
fn row_group_entry(index: usize, group: &RowGroupMetaData) -> Option<RowGroupEntry> {
    let (table_min, table_max) = integer_bounds(group, COLUMN_TABLE)?;
    let (seq_min, seq_max) = integer_bounds(group, COLUMN_SEQ)?;
    let (timestamp_min, timestamp_max) = integer_bounds(group, COLUMN_TIMESTAMP)?;
    let (key_min, key_max) = key_bounds(group)?;
    let rows = u64::try_from(group.num_rows()).ok().filter(|rows| *rows > 0)?;
    let (offset, bytes) = extent(group)?;
    let entry = RowGroupEntry {
        index: u32::try_from(index).ok()?,
        table: TableId(u64::try_from(table_min).ok()?),
        rows,
        offset,
        bytes,
        key_min,
        key_max,
        seq_min: Seq(u64::try_from(seq_min).ok()?),
        seq_max: Seq(u64::try_from(seq_max).ok()?),
        timestamp_min: Timestamp(timestamp_min),
        timestamp_max: Timestamp(timestamp_max),
    };
    (table_min == table_max).then_some(entry)
}

/// Where the row group begins and how long it is; `None` unless its column chunks lie end to end.
fn extent(group: &RowGroupMetaData) -> Option<(u64, u64)> {
    let mut begin = None;
    let mut end = 0;
    for chunk in group.columns() {
        let first_page = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
        let offset = u64::try_from(first_page).ok()?;
        if *begin.get_or_insert(offset) != offset && end != offset {
            return None;
        }
        end = offset.checked_add(u64::try_from(chunk.compressed_size()).ok()?)?;
    }
    let begin = begin?;
    Some((begin, end.checked_sub(begin)?))
}

/// Least and greatest value of an integer column.
fn integer_bounds(group: &RowGroupMetaData, column: usize) -> Option<(i64, i64)> {
    match group.columns().get(column)?.statistics()? {
        Statistics::Int64(bounds) => Some((*bounds.min_opt()?, *bounds.max_opt()?)),
        _ => None,
    }
}

/// Least and greatest key, which must be stated in full.
fn key_bounds(group: &RowGroupMetaData) -> Option<(Bytes, Bytes)> {
    match group.columns().get(COLUMN_KEY)?.statistics()? {
        Statistics::ByteArray(bounds) if bounds.min_is_exact() && bounds.max_is_exact() => {
            let copied = |key: &[u8]| Bytes::copy_from_slice(key);
            Some((copied(bounds.min_bytes_opt()?), copied(bounds.max_bytes_opt()?)))
        }
        _ => None,
    }
}
