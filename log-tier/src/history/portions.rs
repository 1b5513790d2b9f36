//! The rows of one row group, decoded some at a time: its bytes are few beside its rows.

use bytes::Bytes;
use parquet::arrow::FieldLevels;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use crate::history::chunk_pages::FetchedRowGroup;
use crate::history::decode::decode;
use crate::history::rows::{PortionPlace, RowGroupRows};
use crate::history::{HistoryIdentity, RowGroupEntry};
use crate::{Error, Result, Seq};

/// Decodes the rows of one row group, portion by portion. It holds the bytes that they come from,
/// which were verified, and a page or two beside the portion that it makes.
pub struct RowGroupPortions {
    file: String,
    group: RowGroupEntry,
    identity: HistoryIdentity,
    /// Absent once all rows came, or one could not.
    reader: Option<ParquetRecordBatchReader>,
    portion_rows: u64,
    rows_left: u64,
    /// The last row that came.
    previous: Option<(Bytes, Seq)>,
}

impl std::fmt::Debug for RowGroupPortions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rows_left = self.rows_left;
        f.debug_struct("RowGroupPortions").field("rows_left", &rows_left).finish_non_exhaustive()
    }
}

impl RowGroupPortions {
    /// Prepares to decode `group` of the file that `identity` is of, from its verified bytes, in
    /// portions of about `portion_bytes`.
    pub(super) fn new(
        (fetched, levels): (&FetchedRowGroup, &FieldLevels),
        (file, identity): (&str, &HistoryIdentity),
        group: &RowGroupEntry,
        portion_bytes: usize,
    ) -> Result<Self> {
        let corrupt = |reason: &str| Error::corrupt(file, group.offset, reason);
        let bytes = fetched.row_group().total_byte_size();
        let portion_rows = rows_in(portion_bytes, group.rows, bytes);
        let rows_max =
            usize::try_from(portion_rows).map_err(|_| corrupt("too many rows for memory"))?;
        let reader = decode(file, group.offset, || {
            ParquetRecordBatchReader::try_new_with_row_groups(levels, fetched, rows_max, None)
        })?;
        Ok(Self {
            file: file.to_owned(),
            group: group.clone(),
            identity: identity.clone(),
            reader: Some(reader),
            portion_rows,
            rows_left: group.rows,
            previous: None,
        })
    }

    fn decode_portion(&mut self, reader: &mut ParquetRecordBatchReader) -> Result<RowGroupRows> {
        let portion = decode(&self.file, self.group.offset, || Ok(reader.next().transpose()?))?;
        let rows = self.portion_rows.min(self.rows_left);
        let place = PortionPlace {
            group: &self.group,
            identity: &self.identity,
            rows,
            previous: self.previous.as_ref().map(|(key, seq)| (key.as_ref(), *seq)),
            is_last: rows == self.rows_left,
        };
        let portion = RowGroupRows::from_batch(portion.as_ref(), &place)
            .map_err(|reason| Error::corrupt(&self.file, self.group.offset, reason))?;
        self.rows_left -= rows;
        Ok(portion)
    }
}

impl Iterator for RowGroupPortions {
    type Item = Result<RowGroupRows>;

    /// The next rows; none after the last ones of the row group, and none after an error.
    fn next(&mut self) -> Option<Self::Item> {
        let mut reader = self.reader.take()?;
        let portion = self.decode_portion(&mut reader);
        if let Ok(portion) = &portion
            && !portion.ends_row_group()
        {
            let last = portion.len() - 1;
            self.previous = Some((Bytes::copy_from_slice(portion.key(last)), portion.seq(last)));
            self.reader = Some(reader);
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
