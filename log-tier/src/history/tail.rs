//! The tail of a history file, decoded: all that a reader needs to know before it reads rows.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parquet::arrow::{FieldLevels, ProjectionMask, parquet_to_arrow_field_levels};
use parquet::bloom_filter::Sbbf;
use parquet::errors::Result as ParquetResult;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use crate::history::chunk_pages::FetchedRowGroup;
use crate::history::commits::CommitIndex;
use crate::history::decode::decode;
use crate::history::identity::{FooterFacts, Section};
use crate::history::key_filter::read_key_filter;
use crate::history::pages::{
    CHECKSUM_BYTES, Page, page_lengths, pages_are_contiguous, verify_pages,
};
use crate::history::point_pages::says_what_point_reads_need;
use crate::history::portions::RowGroupPortions;
use crate::history::row_group::{RowGroupEntry, row_group_entries, table_entries};
use crate::history::rows::RowGroupRows;
use crate::history::schema::{
    COLUMN_KEY, COLUMN_OP, COLUMN_SEQ, COLUMN_TABLE, COLUMN_TIMESTAMP, COLUMN_VALUE, arrow_schema,
    parquet_schema,
};
use crate::history::window::FileWindow;
use crate::history::{HistoryIdentity, RowFilter};
use crate::manifest::{HistoryEntry, ROWS_OFFSET};
use crate::{Error, Result};

/// The tail of a history file: footer, page positions and page checksums, all verified.
#[derive(Clone, Debug)]
pub struct HistoryTail {
    pub(super) name: String,
    pub(super) object_bytes: u64,
    pub(super) facts: FooterFacts,
    pub(super) metadata: Arc<ParquetMetaData>,
    pub(super) levels: ColumnLevels,
    pub(super) row_groups: Vec<RowGroupEntry>,
    /// The pages of each row group.
    pub(super) pages: Vec<Vec<Page>>,
    /// The filter of each row group that has one.
    pub(super) key_filters: Vec<Option<Sbbf>>,
}

/// How columns are decoded.
#[derive(Clone, Debug)]
pub(super) struct ColumnLevels {
    /// All columns but the values.
    pub(super) facts: FieldLevels,
    /// Keys and seqs.
    pub(super) keys: FieldLevels,
    pub(super) values: FieldLevels,
}

impl HistoryTail {
    /// Decodes the tail of the file that `entry` names: its bytes from `entry.tail_offset` on.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] when the bytes are not those that were published, or don't say what
    /// `entry` says; [`Error::Unsupported`] when a newer release wrote them.
    pub fn decode(entry: &HistoryEntry, tail: Bytes) -> Result<Self> {
        verify_tail(entry, &tail)?;
        let (offset, object_bytes) = (entry.tail_offset, entry.bytes);
        let window = FileWindow { object_bytes, offset, bytes: tail };
        let corrupt = |reason: String| Error::corrupt(&entry.name, offset, reason);
        let metadata = read_footer(&entry.name, &window)?;
        let key_values = metadata.file_metadata().key_value_metadata();
        let facts = FooterFacts::from_key_values(&entry.name, offset, key_values)?;
        verify_identity(entry, &facts.identity).map_err(corrupt)?;
        if metadata.file_metadata().schema() != parquet_schema().root_schema() {
            return Err(corrupt("its columns are not those of a history file".to_string()));
        }
        let metadata = read_page_indexes(&entry.name, &window, metadata)?;
        let row_groups = row_group_entries(&metadata).map_err(corrupt)?;
        verify_row_groups(entry, &row_groups, &facts).map_err(corrupt)?;
        let pages = read_pages(&metadata, &facts.page_checksums, &window.bytes).map_err(corrupt)?;
        let levels = decode(&entry.name, offset, || ColumnLevels::new(&metadata))?;
        let key_filters = decode(&entry.name, offset, || {
            metadata.row_groups().iter().map(|group| read_key_filter(group, &window)).collect()
        })?;
        let (name, metadata) = (entry.name.clone(), Arc::new(metadata));
        Ok(Self { name, object_bytes, facts, metadata, levels, row_groups, pages, key_filters })
    }

    /// What the file says of itself. A caller compares the database with its own.
    #[must_use]
    pub fn identity(&self) -> &HistoryIdentity {
        &self.facts.identity
    }

    /// The row groups, in the order of the file, which is that of (table, key).
    #[must_use]
    pub fn row_groups(&self) -> &[RowGroupEntry] {
        &self.row_groups
    }

    /// Decodes row group `index` from its bytes, which are all of [`RowGroupEntry::range`].
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] when any of the bytes is not what was written.
    ///
    /// # Panics
    ///
    /// When there is no row group `index`.
    pub fn decode_row_group(&self, index: u32, bytes: Bytes) -> Result<RowGroupRows> {
        let mut portions = self.row_group_portions(index, bytes, usize::MAX, RowFilter::all())?;
        portions.next().expect("a row group has rows")
    }

    /// As [`Self::decode_row_group`], the rows that `filter` lets through, in portions of about
    /// `portion_bytes` of rows, of which each is decoded when it is asked for. All bytes are
    /// verified at once.
    ///
    /// # Errors
    ///
    /// As [`Self::decode_row_group`]; what can't be decoded, or is not in order, is an error of its
    /// portion.
    ///
    /// # Panics
    ///
    /// When there is no row group `index`.
    pub fn row_group_portions(
        &self,
        index: u32,
        bytes: Bytes,
        portion_bytes: usize,
        filter: RowFilter,
    ) -> Result<RowGroupPortions> {
        let position = usize::try_from(index).expect("memory has at least 32 bits");
        let group = &self.row_groups[position];
        verify_pages(&self.name, group.offset, &bytes, &self.pages[position])?;
        let window = FileWindow { object_bytes: self.object_bytes, offset: group.offset, bytes };
        let metadata = Arc::clone(&self.metadata);
        let fetched =
            decode(&self.name, group.offset, || FetchedRowGroup::new(window, metadata, position))?;
        let of_file = (self.name.as_str(), &self.facts.identity);
        let asked = (portion_bytes, filter);
        RowGroupPortions::new((&fetched, &self.levels.facts), of_file, group, asked)
    }

    /// Where the commit index lies; a base has none.
    #[must_use]
    pub fn commit_index_range(&self) -> Option<Range<u64>> {
        self.facts.commit_index.map(|section| section.range())
    }

    /// Decodes the commit index from its bytes, which are all of [`Self::commit_index_range`].
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] when any of the bytes is not what was written.
    ///
    /// # Panics
    ///
    /// When the file is a base, which has no commit index.
    pub fn decode_commit_index(&self, bytes: Bytes) -> Result<CommitIndex> {
        let section = self.facts.commit_index.expect("the caller knows that there is an index");
        let corrupt = |reason: &str| Error::corrupt(&self.name, section.offset, reason);
        verify_section(&section, &bytes).map_err(|()| {
            corrupt("the commit index is damaged: its checksum in the footer does not match")
        })?;
        let commits = CommitIndex::decode(&self.name, section.offset, &bytes)?;
        let HistoryIdentity { first, last, .. } = self.facts.identity;
        if (commits.first(), commits.last()) != (Some(first), Some(last)) {
            return Err(corrupt("the commit index does not cover the commits of the file"));
        }
        Ok(commits)
    }
}

impl ColumnLevels {
    fn new(metadata: &ParquetMetaData) -> ParquetResult<Self> {
        let schema = metadata.file_metadata().schema_descr();
        let fields = Some(arrow_schema().fields().clone());
        let of = |mask| parquet_to_arrow_field_levels(schema, mask, fields.as_ref());
        let only = |columns: &[usize]| ProjectionMask::leaves(schema, columns.iter().copied());
        Ok(Self {
            facts: of(only(&[COLUMN_TABLE, COLUMN_KEY, COLUMN_SEQ, COLUMN_TIMESTAMP, COLUMN_OP]))?,
            keys: of(only(&[COLUMN_KEY, COLUMN_SEQ]))?,
            values: of(only(&[COLUMN_VALUE]))?,
        })
    }
}

/// Whether the tail is the one that was published.
fn verify_tail(entry: &HistoryEntry, tail: &Bytes) -> Result<()> {
    let corrupt = |reason: String| Error::corrupt(&entry.name, entry.tail_offset, reason);
    let expected = entry.bytes.checked_sub(entry.tail_offset);
    if expected.is_none() || u64::try_from(tail.len()).ok() != expected {
        let end = entry.bytes;
        return Err(corrupt(format!("{} bytes were read of a tail up to {end}", tail.len())));
    }
    if blake3::hash(tail).to_hex().as_str() != entry.tail_blake3 {
        return Err(corrupt("the tail's BLAKE3 is not the one in the manifest".to_string()));
    }
    Ok(())
}

/// Reads the footer, without the page indexes.
fn read_footer(name: &str, window: &FileWindow) -> Result<ParquetMetaData> {
    let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Skip);
    decode(name, window.offset, || reader.parse_and_finish(window))
}

/// Reads the positions of all pages, and the bounds of those of keys.
fn read_page_indexes(
    name: &str,
    window: &FileWindow,
    metadata: ParquetMetaData,
) -> Result<ParquetMetaData> {
    let window_range = window.offset..window.object_bytes;
    let lies_inside = |offset: Option<i64>, bytes: Option<i32>| {
        let offset = offset.and_then(|offset| u64::try_from(offset).ok());
        let bytes = bytes.and_then(|bytes| u64::try_from(bytes).ok());
        let end = offset.zip(bytes).and_then(|(offset, bytes)| offset.checked_add(bytes));
        offset.is_some_and(|offset| window_range.contains(&offset))
            && end.is_some_and(|end| window_range.contains(&end))
    };
    let mut chunks = metadata.row_groups().iter().flat_map(|group| group.columns());
    let lie_inside = chunks.all(|chunk| {
        let (bounds, bounds_bytes) = (chunk.column_index_offset(), chunk.column_index_length());
        let no_bounds = bounds.is_none() && bounds_bytes.is_none();
        lies_inside(chunk.offset_index_offset(), chunk.offset_index_length())
            && (no_bounds || lies_inside(bounds, bounds_bytes))
    });
    if !lie_inside {
        return Err(Error::corrupt(name, window.offset, "a page index is not in the tail"));
    }
    let mut reader = ParquetMetaDataReader::new_with_metadata(metadata)
        .with_column_index_policy(PageIndexPolicy::Optional)
        .with_offset_index_policy(PageIndexPolicy::Required);
    let metadata = decode(name, window.offset, || {
        reader.read_page_indexes(window)?;
        reader.finish()
    })?;
    let mut groups = metadata.row_groups().iter().enumerate();
    let lacking = groups.find(|(position, group)| {
        let rows = u64::try_from(group.num_rows()).unwrap_or(0);
        !says_what_point_reads_need(&metadata, *position, rows)
    });
    if let Some((position, _)) = lacking {
        let reason = format!("the page indexes of row group {position} are not whole");
        return Err(Error::corrupt(name, window.offset, reason));
    }
    Ok(metadata)
}

/// Whether the file is what the manifest says it is.
fn verify_identity(entry: &HistoryEntry, identity: &HistoryIdentity) -> Result<(), String> {
    let HistoryIdentity { kind, first, last, scope, .. } = identity;
    let same = (kind, first, last, scope) == (&entry.kind, &entry.first, &entry.last, &entry.scope);
    if !same {
        return Err(format!("the file is a {kind} of seqs {}..={}", first.seq, last.seq)
            + ", which is not what the manifest says of it");
    }
    Ok(())
}

/// Whether row groups and sections lie end to end, and hold what the manifest says.
fn verify_row_groups(
    entry: &HistoryEntry,
    row_groups: &[RowGroupEntry],
    facts: &FooterFacts,
) -> Result<(), String> {
    let mut end = ROWS_OFFSET;
    for group in row_groups {
        if group.offset != end {
            return Err(format!("row group {} does not begin at byte {end}", group.index));
        }
        end = group.offset.saturating_add(group.bytes);
    }
    for section in facts.commit_index.iter().chain([&facts.page_checksums]) {
        if section.offset != end {
            return Err(format!("no section begins at byte {end}, where one should"));
        }
        end = section.range().end;
    }
    if facts.page_checksums.offset != entry.tail_offset {
        return Err("the tail does not begin with the page checksums".to_string());
    }
    let rows = row_groups.iter().try_fold(0_u64, |rows, group| rows.checked_add(group.rows));
    if rows != Some(entry.rows) || table_entries(row_groups) != entry.tables {
        return Err("the file holds other rows than the manifest says".to_string());
    }
    Ok(())
}

/// Joins the positions of all pages with their checksums.
fn read_pages(
    metadata: &ParquetMetaData,
    section: &Section,
    tail: &Bytes,
) -> Result<Vec<Vec<Page>>, String> {
    let bytes = usize::try_from(section.bytes).ok().and_then(|bytes| tail.get(..bytes));
    let stored = bytes.ok_or("the page checksums do not fit into the tail")?;
    verify_section(section, stored).map_err(|()| "the page checksums are damaged".to_string())?;
    let (stored, rest) = stored.as_chunks::<CHECKSUM_BYTES>();
    let mut checksums = stored.iter().map(|bytes| u32::from_le_bytes(*bytes));
    let pages = (0..metadata.num_row_groups())
        .map(|index| {
            row_group_pages(metadata, index, &mut checksums)
                .ok_or_else(|| format!("the pages of row group {index} do not make it up"))
        })
        .collect::<Result<_, String>>()?;
    if checksums.next().is_some() || !rest.is_empty() {
        return Err("there are more page checksums than pages".to_string());
    }
    Ok(pages)
}

/// The pages of one row group; `None` when they don't lie end to end or lack a checksum.
fn row_group_pages(
    metadata: &ParquetMetaData,
    index: usize,
    checksums: &mut impl Iterator<Item = u32>,
) -> Option<Vec<Page>> {
    let chunks = metadata.row_group(index).columns();
    let offset_indexes = metadata.offset_index()?.get(index)?;
    let mut pages = Vec::new();
    for (chunk, offset_index) in chunks.iter().zip(offset_indexes) {
        let data_offset = u64::try_from(chunk.data_page_offset()).ok()?;
        if !pages_are_contiguous(data_offset, offset_index.page_locations()) {
            return None;
        }
        let first = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
        let mut offset = u64::try_from(first).ok()?;
        for bytes in page_lengths(chunk, offset_index)? {
            pages.push(Page { offset, bytes, crc32c: checksums.next()? });
            offset = offset.checked_add(bytes)?;
        }
    }
    Some(pages)
}

/// Whether `bytes` are those of the section.
fn verify_section(section: &Section, bytes: &[u8]) -> Result<(), ()> {
    let same_length = u64::try_from(bytes.len()) == Ok(section.bytes);
    let same = same_length && crc32c::crc32c(bytes) == section.crc32c;
    same.then_some(()).ok_or(())
}

#[cfg(test)]
mod tests;
