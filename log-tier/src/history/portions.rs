//! The rows of one row group, decoded some at a time: its bytes are few beside its rows.
//!
//! Of each portion, keys and seqs come first. The values are looked for once it is known which rows
//! are wanted.

use bytes::Bytes;
use parquet::arrow::FieldLevels;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use crate::history::chunk_pages::FetchedRowGroup;
use crate::history::decode::decode;
use crate::history::rows::{PortionPlace, RowFacts, RowGroupRows};
use crate::history::values::ValueReader;
use crate::history::{HistoryIdentity, RowFilter, RowGroupEntry};
use crate::{Error, Result, Seq};

/// Decodes the rows of one row group that are wanted, portion by portion. It holds the bytes that
/// they come from, which were verified, and a page or two beside the portion that it makes.
pub struct RowGroupPortions {
    file: String,
    group: RowGroupEntry,
    identity: HistoryIdentity,
    filter: RowFilter,
    /// Absent once all rows came, or one could not.
    readers: Option<Readers>,
    portion_rows: u64,
    rows_left: u64,
    rows_done: usize,
    /// The last row that came.
    previous: Option<(Bytes, Seq)>,
}

/// Where a portion comes from.
struct Readers {
    facts: ParquetRecordBatchReader,
    values: ValueReader,
}

impl std::fmt::Debug for RowGroupPortions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rows_left = self.rows_left;
        f.debug_struct("RowGroupPortions").field("rows_left", &rows_left).finish_non_exhaustive()
    }
}

impl RowGroupPortions {
    /// Prepares to decode `group` of the file that `identity` is of, from its verified bytes, in
    /// portions of about `portion_bytes`; rows that are not let through count among those.
    pub(super) fn new(
        (fetched, levels): (&FetchedRowGroup, &FieldLevels),
        (file, identity): (&str, &HistoryIdentity),
        group: &RowGroupEntry,
        (portion_bytes, filter): (usize, RowFilter),
    ) -> Result<Self> {
        let corrupt = |reason: &str| Error::corrupt(file, group.offset, reason);
        let bytes = fetched.row_group().total_byte_size();
        let portion_rows = rows_in(portion_bytes, group.rows, bytes);
        let rows_max =
            usize::try_from(portion_rows).map_err(|_| corrupt("too many rows for memory"))?;
        let readers = decode(file, group.offset, || {
            let facts =
                ParquetRecordBatchReader::try_new_with_row_groups(levels, fetched, rows_max, None)?;
            Ok(Readers { facts, values: ValueReader::new(fetched)? })
        })?;
        Ok(Self {
            file: file.to_owned(),
            group: group.clone(),
            identity: identity.clone(),
            filter,
            readers: Some(readers),
            portion_rows,
            rows_left: group.rows,
            rows_done: 0,
            previous: None,
        })
    }

    fn decode_portion(&mut self, readers: &mut Readers) -> Result<RowGroupRows> {
        let offset = self.group.offset;
        let corrupt = |reason: String| Error::corrupt(&self.file, offset, reason);
        let batch = decode(&self.file, offset, || Ok(readers.facts.next().transpose()?))?;
        let rows = self.portion_rows.min(self.rows_left);
        let place = PortionPlace {
            group: &self.group,
            identity: &self.identity,
            rows,
            previous: self.previous.as_ref().map(|(key, seq)| (key.as_ref(), *seq)),
            is_last: rows == self.rows_left,
        };
        let facts = RowFacts::from_batch(batch.as_ref(), &place).map_err(corrupt)?;
        let chosen = facts.choose(&self.filter, &place).map_err(corrupt)?;
        let in_group = |row: &u32| self.rows_done + usize::try_from(*row).expect("32 bits");
        let wanted = chosen.iter().map(in_group);
        let values = decode(&self.file, offset, || readers.values.read(wanted))?;
        let (count, last) = (facts.len(), facts.len() - 1);
        let previous = (Bytes::copy_from_slice(facts.key(last)), facts.seq(last));
        let is_last = place.is_last;
        let portion = RowGroupRows::new(facts, chosen, values, is_last).map_err(corrupt)?;
        self.rows_left -= rows;
        self.rows_done += count;
        self.previous = Some(previous);
        Ok(portion)
    }
}

impl Iterator for RowGroupPortions {
    type Item = Result<RowGroupRows>;

    /// The next rows; none after the last ones of the row group, and none after an error.
    fn next(&mut self) -> Option<Self::Item> {
        let mut readers = self.readers.take()?;
        let portion = self.decode_portion(&mut readers);
        if portion.as_ref().is_ok_and(|portion| !portion.ends_row_group()) {
            self.readers = Some(readers);
        }
        Some(portion)
    }
}

/// How many of `rows` rows, which take `bytes` together, make about `portion_bytes`: at least one.
fn rows_in(portion_bytes: usize, rows: u64, bytes: i64) -> u64 {
    let (portion, bytes) = (u128::try_from(portion_bytes), u128::try_from(bytes.max(1)));
    let portion = portion.expect("128 bits suffice") * u128::from(rows);
    let part = portion / bytes.expect("it is not negative");
    u64::try_from(part).unwrap_or(u64::MAX).clamp(1, rows.max(1))
}

#[cfg(test)]
mod tests;
