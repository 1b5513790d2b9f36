//! Writes a history file: rows in, bytes out as they come, one row group in memory unencoded.

use std::sync::Arc;

use bytes::Bytes;
use parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, compute_leaves};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::writer::SerializedFileWriter;

use crate::history::columns::RowGroupColumns;
use crate::history::identity::{FooterFacts, Section};
use crate::history::key_filter::key_filter;
use crate::history::pages::{append_checksums, page_lengths};
use crate::history::row_group::{row_group_entries, table_entries};
use crate::history::schema::{
    COLUMN_KEY, ROW_GROUP_BYTES_MAX, ROW_GROUPS_MAX, arrow_schema, encode_error, parquet_schema,
    writer_properties,
};
use crate::history::{CommitIndex, FileKind, HistoryIdentity, HistoryObject, HistoryTail};
use crate::manifest::HistoryEntry;
use crate::names::{self, HistoryName};
use crate::{Error, EventRow, Result, Seq, TableId, WriterId};

/// From so many bytes on [`HistoryWriter::take_written`] hands out what is written.
const TAKEN_BYTES_MIN: usize = 1 << 20;

/// Writes one history file. Its bytes can be taken while it is being written; what is not taken
/// stays in memory.
pub struct HistoryWriter {
    identity: HistoryIdentity,
    name: String,
    file: SerializedFileWriter<Vec<u8>>,
    /// How many bytes were taken, and their hash.
    taken_bytes: u64,
    hasher: blake3::Hasher,
    encoders: ArrowRowGroupWriterFactory,
    buffered: RowGroupColumns,
    page_checksums: Vec<u8>,
    previous: Option<(TableId, Seq)>,
    /// The key of the row before; kept apart so that its allocation is used again.
    previous_key: Vec<u8>,
}

impl HistoryWriter {
    /// Begins a file, whose name says that manifest `born` is the newest now: a file that is not
    /// listed by the time that sweeping has passed that number never will be.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] when parquet refuses.
    ///
    /// # Panics
    ///
    /// When `identity.first` is after `identity.last`, or differs from it in a base.
    pub fn new(identity: HistoryIdentity, born: u64) -> Result<Self> {
        let HistoryIdentity { kind, first, last, .. } = &identity;
        assert!(first.seq <= last.seq && first.timestamp <= last.timestamp, "first <= last");
        assert!(*kind == FileKind::Delta || first == last, "a base is the state at one commit");
        let unique = WriterId::random();
        let root = parquet_schema().root_schema_ptr();
        let file = SerializedFileWriter::new(Vec::new(), root, Arc::new(writer_properties()))
            .map_err(encode_error)?;
        let (kind, first, last) = (*kind, first.seq, last.seq);
        let name = names::history(HistoryName { kind, first, last, born, unique });
        Ok(Self {
            identity,
            name,
            taken_bytes: 0,
            hasher: blake3::Hasher::new(),
            encoders: ArrowRowGroupWriterFactory::new(&file, arrow_schema()),
            file,
            buffered: RowGroupColumns::new(),
            page_checksums: Vec::new(),
            previous: None,
            previous_key: Vec::new(),
        })
    }

    /// Adds a row.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] when the file would have more than [`ROW_GROUPS_MAX`] row groups.
    ///
    /// # Panics
    ///
    /// When `row` is not after the row before it in (table, key, seq descending), lies outside of
    /// what the file covers, or is the second of its key or a delete in a base.
    pub fn push(&mut self, row: EventRow<'_>) -> Result<()> {
        self.assert_covered(&row);
        self.assert_ascending(&row);
        let same_table = self.buffered.table() == Some(row.table);
        let bytes = self.buffered.bytes() + RowGroupColumns::row_bytes(&row);
        if self.buffered.table().is_some() && !(same_table && bytes <= ROW_GROUP_BYTES_MAX) {
            self.close_row_group()?;
        }
        self.buffered.push(row);
        self.previous = Some((row.table, row.seq));
        self.previous_key.clear();
        self.previous_key.extend_from_slice(row.key);
        Ok(())
    }

    /// The name that the object is to have, which no other object has.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All bytes of the object that were written and not yet taken, once they are many; they go
    /// on where those taken before ended.
    pub fn take_written(&mut self) -> Option<Bytes> {
        let is_much = self.file.inner().len() >= TAKEN_BYTES_MIN;
        is_much.then(|| self.take_all())
    }

    /// Bytes written so far, taken or not. Rows of the row group that is still being filled count
    /// as they are before encoding, so this can go down.
    #[must_use]
    pub fn bytes_so_far(&self) -> u64 {
        length_of(self.file.bytes_written()) + length_of(self.buffered.bytes())
    }

    /// Ends the scope's keys before `until`. Whoever cuts a state into files knows where one ends
    /// only when the next one begins.
    ///
    /// # Panics
    ///
    /// When the file has no scope, or holds `until` or a key after it.
    pub fn end_scope(&mut self, until: Bytes) {
        let scope = self.identity.scope.as_mut().expect("only a scope can end");
        let held = self.previous.map(|_| self.previous_key.as_slice());
        assert!(held.is_none_or(|key| key < until.as_ref()), "a row lies beyond the scope's end");
        scope.keys.until = Some(until);
    }

    /// Ends the file, and hands out the bytes that were not taken. A delta needs the index of its
    /// commits, and a base has none.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] when parquet refuses; [`Error::Corrupt`] when the tail can't be read
    /// back.
    ///
    /// # Panics
    ///
    /// When `commits` is absent from a delta or present in a base, or does not cover exactly the
    /// commits of the file.
    pub fn finish(mut self, commits: Option<&CommitIndex>) -> Result<HistoryObject> {
        self.assert_indexed(commits);
        if self.buffered.table().is_some() {
            self.close_row_group()?;
        }
        let commit_index = commits.map(|commits| self.write_section(&commits.encode()));
        let page_checksums = std::mem::take(&mut self.page_checksums);
        let page_checksums = self.write_section(&page_checksums);
        let identity = self.identity.clone();
        let facts = FooterFacts { identity, commit_index, page_checksums };
        for pair in facts.to_key_values() {
            self.file.append_key_value_metadata(pair);
        }
        let metadata = self.file.finish().map_err(encode_error)?;
        let rest_offset = self.taken_bytes;
        let body = self.take_all();
        let tail_at = usize::try_from(page_checksums.offset - rest_offset);
        let tail = body.slice(tail_at.expect("the tail is in memory")..);
        let entry = self.into_entry(page_checksums.offset, &tail, &metadata)?;
        // What is published must be readable: the same checks as those of every later reader.
        HistoryTail::decode(&entry, tail)?;
        Ok(HistoryObject { body, entry })
    }

    /// What the manifest is to say of the finished file, all of which was taken.
    fn into_entry(
        self,
        tail_offset: u64,
        tail: &Bytes,
        metadata: &ParquetMetaData,
    ) -> Result<HistoryEntry> {
        let HistoryIdentity { kind, first, last, scope, .. } = self.identity;
        let row_groups = row_group_entries(metadata)
            .map_err(|reason| Error::corrupt(&self.name, tail_offset, reason))?;
        Ok(HistoryEntry {
            name: self.name,
            kind,
            first,
            last,
            until: None,
            scope,
            bytes: self.taken_bytes,
            rows: row_groups.iter().map(|group| group.rows).sum(),
            blake3: self.hasher.finalize().to_hex().to_string(),
            tail_offset,
            tail_blake3: blake3::hash(tail).to_hex().to_string(),
            tables: table_entries(&row_groups),
        })
    }

    /// All bytes that were written and not yet taken. What parquet's writer still buffers is not
    /// among them.
    fn take_all(&mut self) -> Bytes {
        let written = Bytes::from(std::mem::take(self.file.inner_mut()));
        self.hasher.update(&written);
        self.taken_bytes += length_of(written.len());
        written
    }

    /// Encodes the buffered rows, writes them, and takes the checksums of their pages.
    fn close_row_group(&mut self) -> Result<()> {
        let index = self.file.flushed_row_groups().len();
        if index >= ROW_GROUPS_MAX {
            return Err(Error::Unsupported(format!(
                "a history file cannot have more than {ROW_GROUPS_MAX} row groups: protect fewer \
                 tables, or let each file cover fewer of them"
            )));
        }
        // The file's magic may still wait in parquet's buffer.
        self.flush()?;
        let start = self.file.inner().len();
        let lengths = self.write_row_group(index).map_err(encode_error)?;
        self.flush()?;
        append_checksums(&mut self.page_checksums, &lengths, &self.file.inner()[start..]);
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.file.flush().map_err(|error| encode_error(error.into()))
    }

    /// Encodes and writes the buffered rows as row group `index`; returns its pages' lengths.
    fn write_row_group(&mut self, index: usize) -> parquet::errors::Result<Vec<u64>> {
        let encoders = self.encoders.create_column_writers(index)?;
        let (schema, columns) = (arrow_schema(), self.buffered.take());
        let mut chunks = Vec::with_capacity(columns.len());
        for ((field, array), mut encoder) in schema.fields().iter().zip(&columns).zip(encoders) {
            for leaf in compute_leaves(field, array)? {
                encoder.write(&leaf)?;
            }
            chunks.push(encoder.close()?);
        }
        let stored = chunks.iter().map(|chunk| chunk.close().bytes_written).sum();
        chunks[COLUMN_KEY].close_mut().bloom_filter = key_filter(&columns[COLUMN_KEY], stored);
        let mut lengths = Vec::new();
        let mut row_group = self.file.next_row_group()?;
        for chunk in chunks {
            let closed = chunk.close();
            let offset_index = closed.offset_index.as_ref().expect("the offset index is on");
            lengths.extend(
                page_lengths(&closed.metadata, offset_index).expect("pages make up their chunk"),
            );
            chunk.append_to_row_group(&mut row_group)?;
        }
        row_group.close()?;
        Ok(lengths)
    }

    /// Writes bytes that Parquet does not know of, and says where they lie.
    fn write_section(&mut self, bytes: &[u8]) -> Section {
        let offset = length_of(self.file.bytes_written());
        self.file.write_all(bytes).expect("writing into memory cannot fail");
        Section { offset, bytes: length_of(bytes.len()), crc32c: crc32c::crc32c(bytes) }
    }

    fn assert_covered(&self, row: &EventRow<'_>) {
        let HistoryIdentity { kind, first, last, scope, .. } = &self.identity;
        assert!(row.seq <= last.seq && row.timestamp <= last.timestamp, "no row is after last");
        if *kind == FileKind::Delta {
            let covered = row.seq >= first.seq && row.timestamp >= first.timestamp;
            assert!(covered, "no row of a delta is before first");
        }
        let in_scope = scope
            .as_ref()
            .is_none_or(|scope| scope.table == row.table && scope.keys.contains(row.key));
        assert!(in_scope, "every row is in scope");
    }

    fn assert_ascending(&self, row: &EventRow<'_>) {
        let base = self.identity.kind == FileKind::Base;
        assert!(!base || row.value.is_some(), "a base holds puts only");
        let Some((table, seq)) = self.previous else { return };
        let by_key = (table, self.previous_key.as_slice()).cmp(&(row.table, row.key));
        let ascending = by_key.then(row.seq.cmp(&seq)).is_lt() && (!base || by_key.is_lt());
        assert!(ascending, "rows ascend by table, key, and seq from the newest");
    }

    fn assert_indexed(&self, commits: Option<&CommitIndex>) {
        let HistoryIdentity { kind, first, last, .. } = &self.identity;
        match (kind, commits) {
            (FileKind::Delta, Some(commits)) => {
                let covered = (commits.first(), commits.last());
                assert_eq!(covered, (Some(*first), Some(*last)), "the index covers the delta");
            }
            (FileKind::Base, None) => {}
            (FileKind::Delta, None) => panic!("a delta has an index of its commits"),
            (FileKind::Base, Some(_)) => panic!("a base has no index of commits"),
        }
    }
}

fn length_of(bytes: usize) -> u64 {
    u64::try_from(bytes).expect("64 bits suffice")
}
