//! The pages of a row group as parquet's decoders take them, all decompressed by one decompressor.
//!
//! Parquet's own reader of pages keeps a decompressor and a compressor for each column. One of zstd
//! takes about 100 KiB, so that they would take more than the rows do where many row groups are
//! read at once, and their making would take longer than a small page.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::Compression;
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::serialized_reader::SerializedPageReader;
use zstd::bulk::Decompressor;
use zstd::zstd_safe::get_frame_content_size;

use crate::history::window::FileWindow;

/// One row group of a file, whose bytes are in memory.
pub(super) struct FetchedRowGroup {
    window: Arc<FileWindow>,
    metadata: Arc<ParquetMetaData>,
    position: usize,
    decompressor: Arc<Mutex<Decompressor<'static>>>,
}

/// The pages of one column of it.
struct ChunkPages {
    /// Reads them as if they were not compressed.
    stored: SerializedPageReader<FileWindow>,
    decompressor: Arc<Mutex<Decompressor<'static>>>,
}

/// The chunks of one column in all row groups that are read, which is one.
struct OneChunk(Option<ChunkPages>);

impl FetchedRowGroup {
    /// Row group number `position` of the file, whose bytes are in the window.
    pub(super) fn new(
        window: FileWindow,
        metadata: Arc<ParquetMetaData>,
        position: usize,
    ) -> ParquetResult<Self> {
        let decompressor = Arc::new(Mutex::new(Decompressor::new()?));
        Ok(Self { window: Arc::new(window), metadata, position, decompressor })
    }

    pub(super) fn row_group(&self) -> &RowGroupMetaData {
        self.metadata.row_group(self.position)
    }
}

impl RowGroups for FetchedRowGroup {
    fn num_rows(&self) -> usize {
        usize::try_from(self.row_group().num_rows()).unwrap_or(0)
    }

    fn column_chunks(&self, column: usize) -> ParquetResult<Box<dyn PageIterator>> {
        let chunk = self.row_group().column(column);
        if !matches!(chunk.compression(), Compression::ZSTD(_)) {
            return Err(refused("a column is not compressed by zstd"));
        }
        let stored = chunk.clone().into_builder().set_compression(Compression::UNCOMPRESSED);
        let offset_index = self.metadata.offset_index().and_then(|index| index.get(self.position));
        let offset_index = offset_index.and_then(|columns| columns.get(column));
        let pages = offset_index.ok_or_else(|| refused("a column lacks its offset index"))?;
        let pages = Some(pages.page_locations().clone());
        let window = Arc::clone(&self.window);
        let stored = SerializedPageReader::new(window, &stored.build()?, self.num_rows(), pages)?;
        let decompressor = Arc::clone(&self.decompressor);
        Ok(Box::new(OneChunk(Some(ChunkPages { stored, decompressor }))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(std::iter::once(self.row_group()))
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

impl ChunkPages {
    fn decompress(&self, stored: &Bytes) -> ParquetResult<Bytes> {
        if stored.is_empty() {
            return Ok(Bytes::new());
        }
        let length = get_frame_content_size(stored).ok().flatten();
        // Parquet's own lengths of pages have 31 bits.
        let length = length.and_then(|length| i32::try_from(length).ok());
        let length = length.and_then(|length| usize::try_from(length).ok());
        let length = length.ok_or_else(|| refused("a page does not say how long it is"))?;
        let mut decompressor = self.decompressor.lock().unwrap_or_else(PoisonError::into_inner);
        let page = decompressor.decompress(stored, length)?;
        match page.len() == length {
            true => Ok(page.into()),
            false => Err(refused("a page is shorter than it says")),
        }
    }
}

impl PageReader for ChunkPages {
    fn get_next_page(&mut self) -> ParquetResult<Option<Page>> {
        let Some(mut page) = self.stored.get_next_page()? else { return Ok(None) };
        match &mut page {
            Page::DataPage { buf, .. } | Page::DictionaryPage { buf, .. } => {
                *buf = self.decompress(buf)?;
            }
            Page::DataPageV2 { .. } => return Err(refused("a page is of version 2")),
        }
        Ok(Some(page))
    }

    fn peek_next_page(&mut self) -> ParquetResult<Option<PageMetadata>> {
        self.stored.peek_next_page()
    }

    fn skip_next_page(&mut self) -> ParquetResult<()> {
        self.stored.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> ParquetResult<bool> {
        self.stored.at_record_boundary()
    }
}

impl Iterator for ChunkPages {
    type Item = ParquetResult<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl Iterator for OneChunk {
    type Item = ParquetResult<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        let pages: Box<dyn PageReader> = Box::new(self.0.take()?);
        Some(Ok(pages))
    }
}

impl PageIterator for OneChunk {}

/// What a history file never has.
fn refused(what: &str) -> ParquetError {
    ParquetError::General(what.to_owned())
}
