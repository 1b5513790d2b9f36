//! Which pages of a row group can hold a key, where they lie, and what is decoded of them: a point
//! read needs a page of keys, their seqs, and one page of values.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use bytes::Bytes;
use parquet::arrow::FieldLevels;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, RowSelection, RowSelector};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::page_index::column_index::{ByteArrayColumnIndex, ColumnIndexMetaData};
use parquet::file::page_index::offset_index::PageLocation;

use crate::history::chunk_pages::FetchedRowGroup;
use crate::history::decode::decode;
use crate::history::pages::verify_pages;
use crate::history::point_rows::{KeyPage, KeyPagePlace, ValuePage};
use crate::history::schema::{COLUMN_KEY, COLUMN_SEQ, COLUMN_VALUE};
use crate::history::window::FileWindow;
use crate::history::{FileKind, HistoryTail};
use crate::{Error, Result};

/// Bytes of a history file that were read, and have not been verified.
#[derive(Clone, Debug)]
pub struct FetchedBytes {
    /// Where they begin in the file.
    pub offset: u64,
    /// They.
    pub bytes: Bytes,
}

impl FetchedBytes {
    /// Whether this range of the file is among them.
    #[must_use]
    pub fn hold(&self, range: &Range<u64>) -> bool {
        let end = self.offset.saturating_add(self.bytes.len().try_into().unwrap_or(u64::MAX));
        self.offset <= range.start && range.end <= end
    }

    /// A range that is among them.
    fn slice(&self, range: &Range<u64>) -> Bytes {
        assert!(self.hold(range), "the caller has read the bytes of {range:?}");
        let at = |offset: u64| usize::try_from(offset - self.offset).expect("it is in memory");
        self.bytes.slice(at(range.start)..at(range.end))
    }
}

impl HistoryTail {
    /// The pages of keys of row group `index` that can hold `key`: none where its filter or the
    /// bounds of all pages leave it out. Several where the events of the key, or of keys that begin
    /// alike, span them; then the newest events come first.
    ///
    /// # Panics
    ///
    /// When there is no row group `index`, as all methods that take one.
    #[must_use]
    pub fn key_pages(&self, index: u32, key: &[u8]) -> Range<usize> {
        let filter = self.key_filters[position_of(index)].as_ref();
        if filter.is_some_and(|filter| !filter.check(key)) {
            return 0..0;
        }
        let bounds = key_bounds(&self.metadata, position_of(index)).expect("the tail was verified");
        let can_hold = |least: Option<&[u8]>, greatest: Option<&[u8]>| {
            least.is_none_or(|least| least <= key)
                && greatest.is_none_or(|greatest| key <= greatest)
        };
        let mut pages = bounds.min_values_iter().zip(bounds.max_values_iter());
        let Some(first) = pages.position(|(least, greatest)| can_hold(least, greatest)) else {
            return 0..0;
        };
        let more = pages.take_while(|(least, greatest)| can_hold(*least, *greatest)).count();
        first..first + 1 + more
    }

    /// The bytes of the file from which these pages of keys can be decoded, and the values of all
    /// of their rows.
    ///
    /// # Panics
    ///
    /// When there are no such pages, as all methods that take some.
    #[must_use]
    pub fn key_pages_range(&self, index: u32, pages: Range<usize>) -> Range<u64> {
        let keys = self.locations(index, COLUMN_KEY);
        let row_last = self.rows_of(index, COLUMN_KEY, pages.end - 1).end - 1;
        let values = self.locations(index, COLUMN_VALUE);
        extent(&keys[pages.start]).start..extent(&values[page_of(values, row_last)]).end
    }

    /// Decodes a page of keys from bytes that hold its [`Self::key_pages_range`].
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] when any byte that is needed is not what was written.
    ///
    /// # Panics
    ///
    /// When `fetched` holds other bytes.
    pub fn decode_key_page(
        &self,
        index: u32,
        page: usize,
        fetched: &FetchedBytes,
    ) -> Result<KeyPage> {
        let group = &self.row_groups[position_of(index)];
        let rows = self.rows_of(index, COLUMN_KEY, page);
        let seqs = self.locations(index, COLUMN_SEQ);
        let range = extent(&self.locations(index, COLUMN_KEY)[page]).start
            ..extent(&seqs[page_of(seqs, rows.end - 1)]).end;
        let batch =
            self.decode_rows(index, &self.levels.keys, rows.clone(), (range.clone(), fetched))?;
        let bounds = key_bounds(&self.metadata, position_of(index)).expect("the tail was verified");
        let bounds = bounds.min_value(page).zip(bounds.max_value(page));
        let place = KeyPagePlace {
            group,
            one_row_a_key: self.facts.identity.kind == FileKind::Base,
            row_first: rows.start,
            bounds: bounds.expect("the tail was verified"),
        };
        let corrupt = |reason| Error::corrupt(&self.name, range.start, reason);
        KeyPage::from_batch(&batch, &place).map_err(corrupt)
    }

    /// The page of values that has the value of a row of row group `index`.
    #[must_use]
    pub fn value_page(&self, index: u32, row_in_group: u64) -> usize {
        page_of(self.locations(index, COLUMN_VALUE), row_in_group)
    }

    /// Where a page of values lies in the file.
    #[must_use]
    pub fn value_page_range(&self, index: u32, page: usize) -> Range<u64> {
        extent(&self.locations(index, COLUMN_VALUE)[page])
    }

    /// Decodes a page of values from bytes that hold its [`Self::value_page_range`].
    ///
    /// # Errors
    ///
    /// As [`Self::decode_key_page`].
    ///
    /// # Panics
    ///
    /// When `fetched` holds other bytes.
    pub fn decode_value_page(
        &self,
        index: u32,
        page: usize,
        fetched: &FetchedBytes,
    ) -> Result<ValuePage> {
        let rows = self.rows_of(index, COLUMN_VALUE, page);
        let range = self.value_page_range(index, page);
        let row_first = rows.start;
        let batch = self.decode_rows(index, &self.levels.values, rows, (range.clone(), fetched))?;
        let corrupt = |reason| Error::corrupt(&self.name, range.start, reason);
        ValuePage::from_batch(&batch, row_first).map_err(corrupt)
    }

    /// Decodes rows of some columns from whole pages, every one of which is verified.
    fn decode_rows(
        &self,
        index: u32,
        levels: &FieldLevels,
        rows: Range<u64>,
        (range, fetched): (Range<u64>, &FetchedBytes),
    ) -> Result<RecordBatch> {
        let pages = &self.pages[position_of(index)];
        let page_at = |offset| pages.partition_point(|page| page.offset < offset);
        let bytes = fetched.slice(&range);
        verify_pages(
            &self.name,
            range.start,
            &bytes,
            &pages[page_at(range.start)..page_at(range.end)],
        )?;
        // The decoder sees nothing else.
        let window = FileWindow { object_bytes: self.object_bytes, offset: range.start, bytes };
        let metadata = Arc::clone(&self.metadata);
        let length = |rows: u64| usize::try_from(rows).expect("the tail was verified");
        let (before, rows) = (length(rows.start), length(rows.end - rows.start));
        let selection = vec![RowSelector::skip(before), RowSelector::select(rows)];
        let batch = decode(&self.name, range.start, || {
            let group = FetchedRowGroup::new(window, metadata, position_of(index))?;
            let selection = Some(RowSelection::from(selection));
            let mut reader =
                ParquetRecordBatchReader::try_new_with_row_groups(levels, &group, rows, selection)?;
            Ok(reader.next().transpose()?)
        })?;
        batch.filter(|batch| batch.num_rows() == rows).ok_or_else(|| {
            Error::corrupt(&self.name, range.start, "it decodes to no rows, or too few")
        })
    }

    /// The data pages of a column of row group `index`.
    fn locations(&self, index: u32, column: usize) -> &[PageLocation] {
        page_locations(&self.metadata, position_of(index), column).expect("the tail was verified")
    }

    /// The rows of a page, by their numbers in the row group.
    fn rows_of(&self, index: u32, column: usize, page: usize) -> Range<u64> {
        let pages = self.locations(index, column);
        let end = pages.get(page + 1).map(|next| unsigned(next.first_row_index));
        let end = end.unwrap_or(self.row_groups[position_of(index)].rows);
        unsigned(pages[page].first_row_index)..end
    }
}

/// Whether the tail says of row group `position`, which has so many rows, what point reads need.
pub(super) fn says_what_point_reads_need(
    metadata: &ParquetMetaData,
    position: usize,
    rows: u64,
) -> bool {
    let pages = |column| page_locations(metadata, position, column);
    let are_pages = |pages: Option<&[PageLocation]>| {
        let firsts = || pages.into_iter().flatten().map(|page| page.first_row_index);
        firsts().next() == Some(0)
            && firsts().is_sorted_by(|one, next| one < next)
            && firsts().all(|first| u64::try_from(first).is_ok_and(|first| first < rows))
    };
    let key_bounds = key_bounds(metadata, position);
    let bounded = key_bounds.is_some_and(|bounds| {
        let stated =
            bounds.min_values_iter().chain(bounds.max_values_iter()).all(|bound| bound.is_some());
        stated && Some(bounds.min_values_iter().count()) == pages(COLUMN_KEY).map(<[_]>::len)
    });
    // With a dictionary before them, pages would not be all that lies between one and the next.
    let are_whole = |column: usize| {
        let chunk = metadata.row_group(position).column(column);
        chunk.dictionary_page_offset().is_none() && are_pages(pages(column))
    };
    usize::try_from(rows).is_ok()
        && bounded
        && [COLUMN_KEY, COLUMN_SEQ, COLUMN_VALUE].into_iter().all(are_whole)
}

/// The bounds of the pages of keys.
fn key_bounds(metadata: &ParquetMetaData, position: usize) -> Option<&ByteArrayColumnIndex> {
    match metadata.column_index()?.get(position)?.get(COLUMN_KEY)? {
        ColumnIndexMetaData::BYTE_ARRAY(bounds) => Some(bounds),
        _ => None,
    }
}

fn page_locations(
    metadata: &ParquetMetaData,
    position: usize,
    column: usize,
) -> Option<&[PageLocation]> {
    Some(metadata.offset_index()?.get(position)?.get(column)?.page_locations())
}

/// Which page has a row.
fn page_of(pages: &[PageLocation], row: u64) -> usize {
    let after = pages.partition_point(|page| unsigned(page.first_row_index) <= row);
    after.checked_sub(1).expect("the first page begins with the first row")
}

/// Where a page lies in the file.
fn extent(page: &PageLocation) -> Range<u64> {
    let begin = unsigned(page.offset);
    begin..begin + unsigned(page.compressed_page_size.into())
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).expect("the tail was verified")
}

fn position_of(index: u32) -> usize {
    usize::try_from(index).expect("memory has at least 32 bits")
}
