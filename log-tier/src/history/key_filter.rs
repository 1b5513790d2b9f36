//! Key filters: of most row groups, a Bloom filter says of nearly every key that it is not there.
//!
//! They are the split-block filters of Parquet, in the tail, so that no request is needed for them
//! and the tail's checksum is theirs, too.

use arrow_array::{Array, ArrayRef, BinaryArray, cast::AsArray};
use parquet::bloom_filter::Sbbf;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::ChunkReader;

use crate::history::schema::COLUMN_KEY;
use crate::history::window::FileWindow;

/// Bits of a filter for each key: about one in a hundred other keys then passes.
const BITS_PER_KEY: usize = 10;
/// Bytes of a block, of which a filter has at least one.
const BLOCK_BYTES: usize = 32;
/// A filter takes at most this part of the row group it is of, or one block.
const PART_OF_ROW_GROUP: u64 = 50;

/// A filter of the keys of a row group of `stored_bytes`; `None` where it would take too much
/// beside these, as where values are next to nothing.
pub(super) fn key_filter(keys: &ArrayRef, stored_bytes: u64) -> Option<Sbbf> {
    let keys: &BinaryArray = keys.as_binary();
    let is_first = |row: &usize| *row == 0 || keys.value(*row - 1) != keys.value(*row);
    let different = (0..keys.len()).filter(is_first);
    let blocks = (different.clone().count() * BITS_PER_KEY).div_ceil(8 * BLOCK_BYTES).max(1);
    let bytes = blocks * BLOCK_BYTES;
    let bytes_max = stored_bytes / PART_OF_ROW_GROUP;
    if blocks > 1 && u64::try_from(bytes).is_ok_and(|bytes| bytes > bytes_max) {
        return None;
    }
    let mut filter = Sbbf::new(&vec![0; bytes]);
    different.for_each(|row| filter.insert(keys.value(row)));
    Some(filter)
}

/// Reads the filter of a row group from the tail, if it has one.
pub(super) fn read_key_filter(
    group: &RowGroupMetaData,
    tail: &FileWindow,
) -> ParquetResult<Option<Sbbf>> {
    let chunk = group.column(COLUMN_KEY);
    let Some(offset) = chunk.bloom_filter_offset() else { return Ok(None) };
    let not_whole = || ParquetError::General("a key filter is not whole".to_owned());
    let offset = u64::try_from(offset).map_err(|_| not_whole())?;
    let length = chunk.bloom_filter_length().and_then(|length| usize::try_from(length).ok());
    let stored = tail.get_bytes(offset, length.ok_or_else(not_whole)?)?;
    let filter = Sbbf::read_from_column_chunk(chunk, tail)?.ok_or_else(not_whole)?;
    // Parquet leaves out a part of a block, and then keys that are there would not pass.
    let mut whole = Vec::new();
    filter.write(&mut whole)?;
    match stored == whole && filter.num_blocks() > 0 {
        true => Ok(Some(filter)),
        false => Err(not_whole()),
    }
}
