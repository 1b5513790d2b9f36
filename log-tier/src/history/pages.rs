//! Page checksums: the CRC32C of every page of a file, in the order in which pages lie in it.
//!
//! Parquet has a place for a checksum in a page's header, but the writer we use leaves it empty.
//! The pages of a file, dictionary and data pages alike, lie end to end: together they are all
//! bytes of all row groups, so no byte of a row group goes unverified.

use std::ops::Range;

use bytes::Bytes;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::page_index::offset_index::{OffsetIndexMetaData, PageLocation};

use crate::{Error, Result};

/// Bytes of a stored checksum.
pub(crate) const CHECKSUM_BYTES: usize = 4;

/// One page, with its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// Where it begins in the file.
    pub offset: u64,
    /// Its length.
    pub bytes: u64,
    /// Its checksum.
    pub crc32c: u32,
}

/// The lengths of the pages of a column chunk, in order: the dictionary page, if there is one, is
/// what the data pages leave of the chunk. `None` when they exceed it.
pub(crate) fn page_lengths(
    chunk: &ColumnChunkMetaData,
    offset_index: &OffsetIndexMetaData,
) -> Option<Vec<u64>> {
    let data_pages = offset_index
        .page_locations()
        .iter()
        .map(|page| u64::try_from(page.compressed_page_size).ok())
        .collect::<Option<Vec<_>>>()?;
    let data_bytes = data_pages.iter().try_fold(0_u64, |sum, bytes| sum.checked_add(*bytes))?;
    let dictionary = u64::try_from(chunk.compressed_size()).ok()?.checked_sub(data_bytes)?;
    Some((dictionary > 0).then_some(dictionary).into_iter().chain(data_pages).collect())
}

/// Whether the data pages begin at `data_offset` and lie end to end.
pub(crate) fn pages_are_contiguous(data_offset: u64, pages: &[PageLocation]) -> bool {
    let mut at = Some(data_offset);
    pages.iter().all(|page| {
        let begins_here = at.is_some() && u64::try_from(page.offset).ok() == at;
        let bytes = u64::try_from(page.compressed_page_size).ok();
        at = at.zip(bytes).and_then(|(at, bytes)| at.checked_add(bytes));
        begins_here
    })
}

/// Appends to `checksums` those of the pages with these lengths, which lie end to end in `bytes`.
///
/// # Panics
///
/// When the lengths are not those of all of `bytes`.
pub(crate) fn append_checksums(checksums: &mut Vec<u8>, lengths: &[u64], mut bytes: &[u8]) {
    for length in lengths {
        let length = usize::try_from(*length).expect("a page in memory has a length in memory");
        let (page, rest) = bytes.split_at(length);
        checksums.extend_from_slice(&crc32c::crc32c(page).to_le_bytes());
        bytes = rest;
    }
    assert!(bytes.is_empty(), "pages lie end to end");
}

/// Verifies `pages`, which must be all of `bytes`, the bytes of object `file` from `offset` on.
pub(crate) fn verify_pages(file: &str, offset: u64, bytes: &Bytes, pages: &[Page]) -> Result<()> {
    let expected: u64 = pages.iter().map(|page| page.bytes).sum();
    if u64::try_from(bytes.len()) != Ok(expected) {
        let reason = format!("{} bytes were read of a row group of {expected}", bytes.len());
        return Err(Error::corrupt(file, offset, reason));
    }
    for page in pages {
        let at = range_in(offset, page).filter(|at| at.end <= bytes.len());
        let at = at.ok_or_else(|| {
            Error::corrupt(file, page.offset, "a page lies outside of its row group")
        })?;
        if crc32c::crc32c(&bytes[at]) != page.crc32c {
            return Err(Error::corrupt(file, page.offset, "a page's checksum does not match"));
        }
    }
    Ok(())
}

/// Where a page lies in bytes that begin at `offset` of the file.
fn range_in(offset: u64, page: &Page) -> Option<Range<usize>> {
    let start = usize::try_from(page.offset.checked_sub(offset)?).ok()?;
    let end = start.checked_add(usize::try_from(page.bytes).ok()?)?;
    Some(start..end)
}
