//! Rows of one row group, decoded, checked and chosen.

use std::cmp::Ordering;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int8Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{BinaryArray, Int8Array, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow_buffer::Buffer;
use bytes::Bytes;

use crate::history::schema::{
    COLUMN_KEY, COLUMN_OP, COLUMN_SEQ, COLUMN_TABLE, COLUMN_TIMESTAMP, OP_DELETE, OP_PUT,
};
use crate::history::values::Values;
use crate::history::{FileKind, HistoryIdentity, RowFilter, RowGroupEntry};
use crate::{EventRow, Seq, TableId, Timestamp};

/// Those rows of one row group, or of a portion of one, that a filter lets through, in (table, key,
/// seq descending) order. Cheap to clone.
///
/// They hold the memory of all of them, and so does every key and value that is taken out as
/// [`Bytes`].
#[derive(Clone, Debug)]
pub struct RowGroupRows {
    facts: RowFacts,
    /// The rows that were let through, by their numbers among all of `facts`.
    chosen: Vec<u32>,
    /// Theirs.
    values: Values,
    ends_row_group: bool,
}

/// All columns but the values, of all rows of a portion.
#[derive(Clone, Debug)]
pub(super) struct RowFacts {
    table: TableId,
    keys: BinaryColumn,
    seqs: Int64Array,
    timestamps: TimestampMicrosecondArray,
    ops: Int8Array,
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
    /// Joins rows with the values of those that were chosen, or says why they can't be theirs.
    pub(super) fn new(
        facts: RowFacts,
        chosen: Vec<u32>,
        values: Values,
        ends_row_group: bool,
    ) -> Result<Self, String> {
        let is_put = |row: &u32| facts.ops.value(index(*row)) == OP_PUT;
        if !chosen.iter().enumerate().all(|(at, row)| values.is_present(at) == is_put(row)) {
            return Err("a put lacks its value, or a delete has one".to_string());
        }
        Ok(Self { facts, chosen, values, ends_row_group })
    }

    /// The number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.chosen.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether no row of the row group comes after these.
    #[must_use]
    pub fn ends_row_group(&self) -> bool {
        self.ends_row_group
    }

    /// The table of all rows.
    #[must_use]
    pub fn table(&self) -> TableId {
        self.facts.table
    }

    /// Row number `row`, counted from zero.
    ///
    /// # Panics
    ///
    /// When there is no such row, as all methods that take a row's number.
    #[must_use]
    pub fn row(&self, row: usize) -> EventRow<'_> {
        EventRow {
            table: self.facts.table,
            key: self.key(row),
            seq: self.seq(row),
            timestamp: Timestamp(self.facts.timestamps.value(self.at(row))),
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
        self.facts.key(self.at(row))
    }

    /// The seq of a row.
    #[must_use]
    pub fn seq(&self, row: usize) -> Seq {
        self.facts.seq(self.at(row))
    }

    /// The value that a row puts, or `None` for a delete.
    #[must_use]
    pub fn value(&self, row: usize) -> Option<&[u8]> {
        self.values.get(row)
    }

    /// The key of a row, sharing the memory of all rows.
    #[must_use]
    pub fn key_bytes(&self, row: usize) -> Bytes {
        self.facts.keys.bytes(self.at(row))
    }

    /// The value that a row puts, or `None` for a delete, sharing the memory of its page.
    #[must_use]
    pub fn value_bytes(&self, row: usize) -> Option<Bytes> {
        self.values.bytes(row)
    }

    fn at(&self, row: usize) -> usize {
        index(self.chosen[row])
    }
}

impl RowFacts {
    /// Takes what parquet decoded, or says why it can't be the rows of `place`.
    pub(super) fn from_batch(
        batch: Option<&RecordBatch>,
        place: &PortionPlace<'_>,
    ) -> Result<Self, String> {
        let batch = batch.ok_or("it decodes to no rows, or too few")?;
        if u64::try_from(batch.num_rows()) != Ok(place.rows) {
            return Err(format!("{} rows came of {}", batch.num_rows(), place.rows));
        }
        let table = place.group.table;
        let column = |position| batch.column(position);
        let not_ours = "it decodes to other columns";
        let tables = column(COLUMN_TABLE).as_primitive_opt::<Int64Type>().ok_or(not_ours)?;
        let timestamps = column(COLUMN_TIMESTAMP).as_primitive_opt::<TimestampMicrosecondType>();
        let facts = Self {
            table,
            keys: BinaryColumn::new(column(COLUMN_KEY).as_binary_opt::<i32>().ok_or(not_ours)?),
            seqs: column(COLUMN_SEQ).as_primitive_opt::<Int64Type>().ok_or(not_ours)?.clone(),
            timestamps: timestamps.ok_or(not_ours)?.clone(),
            ops: column(COLUMN_OP).as_primitive_opt::<Int8Type>().ok_or(not_ours)?.clone(),
        };
        if !tables.values().iter().all(|found| u64::try_from(*found) == Ok(table.0)) {
            return Err("a row is of another table".to_string());
        }
        if !facts.ops.values().iter().all(|op| [OP_DELETE, OP_PUT].contains(op)) {
            return Err("a row neither puts nor deletes".to_string());
        }
        facts.verify(place)?;
        Ok(facts)
    }

    /// The number of rows.
    pub(super) fn len(&self) -> usize {
        self.seqs.len()
    }

    pub(super) fn key(&self, row: usize) -> &[u8] {
        self.keys.array.value(row)
    }

    pub(super) fn seq(&self, row: usize) -> Seq {
        Seq(self.seqs.value(row).unsigned_abs())
    }

    /// Chooses the rows that a filter lets through, or says why the rows can't be those of `place`:
    /// what follows what is looked at in the same pass.
    pub(super) fn choose(
        &self,
        filter: &RowFilter,
        place: &PortionPlace<'_>,
    ) -> Result<Vec<u32>, String> {
        let one_row_a_key = place.identity.kind == FileKind::Base;
        // Keys ascend, so what holds of the first and the last holds of all between.
        let ends = [0, self.len() - 1];
        let all_keys = ends.iter().all(|row| filter.keys.contains(self.key(*row)));
        let mut chosen = Vec::new();
        let mut previous = place.previous;
        // Of the current key a row was chosen.
        let mut has_one = false;
        for row in 0..self.len() {
            let (key, seq) = (self.key(row), self.seq(row));
            let by_key = previous.map(|(previous_key, _)| previous_key.cmp(key));
            let by_seq = previous.map(|(_, previous_seq)| seq.cmp(&previous_seq));
            let follows = by_key.zip(by_seq).is_none_or(|(by_key, by_seq)| {
                by_key.then(by_seq).is_lt() && (!one_row_a_key || by_key.is_lt())
            });
            if !follows {
                return Err("its rows are not in order".to_string());
            }
            has_one &= by_key.is_some_and(Ordering::is_eq);
            previous = Some((key, seq));
            let is_wanted = !(has_one && filter.newest_only) && filter.is_of_time(seq);
            if is_wanted && (all_keys || filter.keys.contains(key)) {
                has_one = true;
                chosen.push(u32::try_from(row).map_err(|_| "it has too many rows")?);
            }
        }
        Ok(chosen)
    }

    /// Whether the rows keep to what footer and manifest say of them.
    fn verify(&self, place: &PortionPlace<'_>) -> Result<(), String> {
        let PortionPlace { group, identity, previous, is_last, .. } = place;
        let base = identity.kind == FileKind::Base;
        let seq_min = if base { Seq::ZERO } else { identity.first.seq };
        let seqs = group.seq_min.max(seq_min)..=group.seq_max.min(identity.last.seq);
        let seq_fits = |seq: &i64| u64::try_from(*seq).is_ok_and(|seq| seqs.contains(&Seq(seq)));
        let timestamps = group.timestamp_min.0..=group.timestamp_max.0;
        // What lies between the first and the last key is bounded by the order of rows.
        let first_fits = previous.is_some() || self.key(0) == group.key_min.as_ref();
        let (last, key_max) = (self.key(self.len() - 1), group.key_max.as_ref());
        let last_fits = if *is_last { last == key_max } else { last <= key_max };
        let bounded = first_fits
            && last_fits
            && self.seqs.values().iter().all(seq_fits)
            && self.timestamps.values().iter().all(|timestamp| timestamps.contains(timestamp));
        if !bounded {
            return Err("a row lies outside of the bounds in the footer".to_string());
        }
        if base && self.ops.values().contains(&OP_DELETE) {
            return Err("a base holds a delete".to_string());
        }
        Ok(())
    }
}

fn index(row: u32) -> usize {
    usize::try_from(row).expect("memory has at least 32 bits")
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
