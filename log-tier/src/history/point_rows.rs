//! What a point read decodes of a row group: the keys of one page, and the values of one page.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, BinaryArray, Int64Array, RecordBatch};

use crate::Seq;
use crate::history::RowGroupEntry;

/// Rows of one page of keys, in (key, seq descending) order, without their values. Cheap to clone.
#[derive(Clone, Debug)]
pub struct KeyPage {
    row_first: u64,
    keys: BinaryArray,
    seqs: Int64Array,
}

/// The values of one page of them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ValuePage {
    row_first: u64,
    values: BinaryArray,
}

/// What a page of keys has to agree with.
pub(super) struct KeyPagePlace<'a> {
    pub(super) group: &'a RowGroupEntry,
    /// Whether each key has one row at most.
    pub(super) one_row_a_key: bool,
    /// Number of its first row in the row group.
    pub(super) row_first: u64,
    /// Bounds of the keys.
    pub(super) bounds: (&'a [u8], &'a [u8]),
}

impl KeyPage {
    /// Takes what parquet decoded, or says why it can't be the rows of `place`.
    pub(super) fn from_batch(
        batch: &RecordBatch,
        place: &KeyPagePlace<'_>,
    ) -> Result<Self, String> {
        let not_ours = "it decodes to other columns";
        let keys = batch.column(0).as_binary_opt::<i32>().ok_or(not_ours)?.clone();
        let seqs = batch.column(1).as_primitive_opt::<Int64Type>().ok_or(not_ours)?.clone();
        let page = Self { row_first: place.row_first, keys, seqs };
        page.verify(place)?;
        Ok(page)
    }

    /// The number of rows, at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a page has rows")]
    pub fn len(&self) -> usize {
        self.seqs.len()
    }

    /// The first row that is not before (`key`, `seq`) in the order of rows: of `key` the newest
    /// event at or below `seq`, or else the first of a later key. [`Self::len`] if there is none.
    #[must_use]
    pub fn first_at_or_after(&self, key: &[u8], seq: Seq) -> usize {
        let is_before = |row: usize| self.key(row).cmp(key).then(seq.cmp(&self.seq(row))).is_lt();
        let (mut begin, mut end) = (0, self.len());
        while begin < end {
            let middle = begin.midpoint(end);
            if is_before(middle) {
                begin = middle + 1;
            } else {
                end = middle;
            }
        }
        begin
    }

    /// The key of a row of the page.
    ///
    /// # Panics
    ///
    /// When there is no such row, as all methods that take a row's number.
    #[must_use]
    pub fn key(&self, row: usize) -> &[u8] {
        self.keys.value(row)
    }

    /// The seq of a row of the page.
    #[must_use]
    pub fn seq(&self, row: usize) -> Seq {
        Seq(self.seqs.value(row).unsigned_abs())
    }

    /// The number in the row group of a row of the page.
    #[must_use]
    pub fn row_in_group(&self, row: usize) -> u64 {
        self.row_first + length_of(row)
    }

    /// Bytes of memory that the page takes, about.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        let columns = self.keys.get_array_memory_size() + self.seqs.get_array_memory_size();
        length_of(columns + size_of::<Self>())
    }

    /// Whether the rows are in order, and keep to what the tail says of them.
    fn verify(&self, place: &KeyPagePlace<'_>) -> Result<(), String> {
        let follows = |row: usize| {
            let by_key = self.key(row - 1).cmp(self.key(row));
            let by_seq = self.seq(row).cmp(&self.seq(row - 1));
            by_key.is_lt() || (!place.one_row_a_key && by_key.then(by_seq).is_lt())
        };
        if !(1..self.len()).all(follows) {
            return Err("its rows are not in order".to_string());
        }
        let (least, greatest) = place.bounds;
        let seqs = place.group.seq_min..=place.group.seq_max;
        let seq_fits = |seq: &i64| u64::try_from(*seq).is_ok_and(|seq| seqs.contains(&Seq(seq)));
        let bounded = least <= self.key(0)
            && self.key(self.len() - 1) <= greatest
            && self.seqs.values().iter().all(seq_fits);
        bounded.then_some(()).ok_or_else(|| "a row lies outside of the bounds in the tail".into())
    }
}

impl ValuePage {
    /// Takes what parquet decoded of the rows from `row_first` on.
    pub(super) fn from_batch(batch: &RecordBatch, row_first: u64) -> Result<Self, String> {
        let values = batch.column(0).as_binary_opt::<i32>();
        let values = values.ok_or("it decodes to another column")?.clone();
        Ok(Self { row_first, values })
    }

    /// The value that a row of the row group puts, or `None` for a delete.
    ///
    /// # Panics
    ///
    /// When the row is not one of the page.
    #[must_use]
    pub fn value(&self, row_in_group: u64) -> Option<&[u8]> {
        let row =
            row_in_group.checked_sub(self.row_first).and_then(|row| usize::try_from(row).ok());
        let row = row.expect("the row is one of the page");
        self.values.is_valid(row).then(|| self.values.value(row))
    }

    /// Bytes of memory that the page takes, about.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        length_of(self.values.get_array_memory_size() + size_of::<Self>())
    }
}

fn length_of(length: usize) -> u64 {
    u64::try_from(length).expect("lengths fit 64 bits")
}
