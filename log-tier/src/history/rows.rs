//! Rows of one row group, decoded and checked.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int8Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, BinaryArray, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow_buffer::Buffer;
use bytes::Bytes;

use crate::history::schema::{
    COLUMN_KEY, COLUMN_OP, COLUMN_SEQ, COLUMN_TABLE, COLUMN_TIMESTAMP, COLUMN_VALUE, OP_DELETE,
    OP_PUT,
};
use crate::history::{FileKind, HistoryIdentity, RowGroupEntry};
use crate::{EventRow, Seq, TableId, Timestamp};

/// Rows of one row group, all or a portion of them, in (table, key, seq descending) order. Cheap to
/// clone.
///
/// They hold the memory of all of them, and so does every key and value that is taken out as
/// [`Bytes`].
#[derive(Clone, Debug)]
pub struct RowGroupRows {
    table: TableId,
    keys: BinaryColumn,
    seqs: Int64Array,
    timestamps: TimestampMicrosecondArray,
    values: BinaryColumn,
    ends_row_group: bool,
}

/// What a portion of rows has to agree with.
pub(super) struct PortionPlace<'a> {
    pub(super) group: &'a RowGroupEntry,
    pub(super) identity: &'a HistoryIdentity,
    /// How many rows it has to have.
    pub(super) rows: u64,
    /// The row before, if it is not the first portion of its row group.
    pub(super) previous: Option<(&'a [u8], Seq)>,
    /// Whether no row of the row group comes after.
    pub(super) is_last: bool,
}

/// A column of byte strings whose memory can be handed out.
#[derive(Clone, Debug)]
struct BinaryColumn {
    array: BinaryArray,
    /// The same memory that `array` refers to.
    memory: Bytes,
}

/// Lets [`Bytes`] own the memory of an arrow array.
struct SharedBuffer(Buffer);

impl AsRef<[u8]> for SharedBuffer {
    fn as_ref(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl RowGroupRows {
    /// Takes what parquet decoded, or says why it can't be the rows of `place`.
    pub(super) fn from_batch(
        batch: Option<&RecordBatch>,
        place: &PortionPlace<'_>,
    ) -> Result<Self, String> {
        let batch = batch.ok_or("it decodes to no rows, or too few")?;
        if u64::try_from(batch.num_rows()) != Ok(place.rows) {
            return Err(format!("{} rows came of {}", batch.num_rows(), place.rows));
        }
        let group = place.group;
        let column = |position| batch.column(position);
        let not_ours = "it decodes to other columns";
        let tables = column(COLUMN_TABLE).as_primitive_opt::<Int64Type>().ok_or(not_ours)?;
        let ops = column(COLUMN_OP).as_primitive_opt::<Int8Type>().ok_or(not_ours)?;
        let timestamps = column(COLUMN_TIMESTAMP).as_primitive_opt::<TimestampMicrosecondType>();
        let keys = column(COLUMN_KEY).as_binary_opt::<i32>().ok_or(not_ours)?;
        let values = column(COLUMN_VALUE).as_binary_opt::<i32>().ok_or(not_ours)?;
        let rows = Self {
            table: group.table,
            keys: BinaryColumn::new(keys),
            seqs: column(COLUMN_SEQ).as_primitive_opt::<Int64Type>().ok_or(not_ours)?.clone(),
            timestamps: timestamps.ok_or(not_ours)?.clone(),
            values: BinaryColumn::new(values),
            ends_row_group: place.is_last,
        };
        if !tables.values().iter().all(|table| u64::try_from(*table) == Ok(group.table.0)) {
            return Err("a row is of another table".to_string());
        }
        let op_of = |row: usize| if rows.values.array.is_valid(row) { OP_PUT } else { OP_DELETE };
        if !(0..rows.len()).all(|row| ops.value(row) == op_of(row)) {
            return Err("a put lacks its value, or a delete has one".to_string());
        }
        rows.verify(place)?;
        Ok(rows)
    }

    /// The number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.seqs.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the last row is the last of its row group.
    #[must_use]
    pub fn ends_row_group(&self) -> bool {
        self.ends_row_group
    }

    /// The table of all rows.
    #[must_use]
    pub fn table(&self) -> TableId {
        self.table
    }

    /// Row number `row`, counted from zero.
    ///
    /// # Panics
    ///
    /// When there is no such row, as all methods that take a row's number.
    #[must_use]
    pub fn row(&self, row: usize) -> EventRow<'_> {
        EventRow {
            table: self.table,
            key: self.key(row),
            seq: self.seq(row),
            timestamp: Timestamp(self.timestamps.value(row)),
            value: self.value(row),
        }
    }

    /// All rows, in order.
    pub fn iter(&self) -> impl Iterator<Item = EventRow<'_>> {
        (0..self.len()).map(|row| self.row(row))
    }

    /// The key of a row.
    #[must_use]
    pub fn key(&self, row: usize) -> &[u8] {
        self.keys.array.value(row)
    }

    /// The seq of a row.
    #[must_use]
    pub fn seq(&self, row: usize) -> Seq {
        Seq(self.seqs.value(row).unsigned_abs())
    }

    /// The value that a row puts, or `None` for a delete.
    #[must_use]
    pub fn value(&self, row: usize) -> Option<&[u8]> {
        self.values.array.is_valid(row).then(|| self.values.array.value(row))
    }

    /// The key of a row, sharing the row group's memory.
    #[must_use]
    pub fn key_bytes(&self, row: usize) -> Bytes {
        self.keys.bytes(row)
    }

    /// The value that a row puts, or `None` for a delete, sharing the row group's memory.
    #[must_use]
    pub fn value_bytes(&self, row: usize) -> Option<Bytes> {
        self.values.array.is_valid(row).then(|| self.values.bytes(row))
    }

    /// Whether the rows are in order, and keep to what footer and manifest say of them.
    fn verify(&self, place: &PortionPlace<'_>) -> Result<(), String> {
        let PortionPlace { group, identity, previous, is_last, .. } = place;
        let base = identity.kind == FileKind::Base;
        let at = |row: usize| (self.key(row), self.seq(row));
        let follows = |(left, left_seq): (&[u8], Seq), (right, right_seq): (&[u8], Seq)| {
            let by_key = left.cmp(right);
            by_key.then(right_seq.cmp(&left_seq)).is_lt() && (!base || by_key.is_lt())
        };
        let goes_on = previous.is_none_or(|previous| follows(previous, at(0)));
        if !goes_on || !(1..self.len()).all(|row| follows(at(row - 1), at(row))) {
            return Err("its rows are not in order".to_string());
        }
        let seq_min = if base { Seq::ZERO } else { identity.first.seq };
        let seqs = group.seq_min.max(seq_min)..=group.seq_max.min(identity.last.seq);
        let seq_fits = |seq: &i64| u64::try_from(*seq).is_ok_and(|seq| seqs.contains(&Seq(seq)));
        let timestamps = group.timestamp_min.0..=group.timestamp_max.0;
        // What lies between the first and the last key is bounded by the order of rows.
        let first_fits = previous.is_some() || self.key(0) == group.key_min.as_ref();
        let last_fits = !is_last || self.key(self.len() - 1) == group.key_max.as_ref();
        let bounded = first_fits
            && last_fits
            && self.seqs.values().iter().all(seq_fits)
            && self.timestamps.values().iter().all(|timestamp| timestamps.contains(timestamp));
        if !bounded {
            return Err("a row lies outside of the bounds in the footer".to_string());
        }
        if base && self.values.array.null_count() > 0 {
            return Err("a base holds a delete".to_string());
        }
        Ok(())
    }
}

impl BinaryColumn {
    fn new(array: &BinaryArray) -> Self {
        let memory = Bytes::from_owner(SharedBuffer(array.values().clone()));
        Self { array: array.clone(), memory }
    }

    /// The bytes of one row, sharing the memory of all.
    fn bytes(&self, row: usize) -> Bytes {
        let offsets = self.array.value_offsets();
        let offset = |at: usize| usize::try_from(offsets[at]).expect("offsets are not negative");
        self.memory.slice(offset(row)..offset(row + 1))
    }
}
