//! Writes one segment: whole groups of frames in one write, synced when asked.

use std::path::Path;
use std::sync::Arc;

use super::{FRAMES_OFFSET, SegmentHeader, SegmentReader, SegmentTail, segment_path};
use crate::frame::{self, FRAME_HEADER_BYTES};
use crate::fs::{Fs, FsFile, to_index, to_length};
use crate::local_log::SegmentInfo;
use crate::{Commit, CommittedBatch, Result, Timestamp, names};

/// The least by which a segment's space is extended.
const PREALLOCATION_BYTES_MIN: u64 = 256 << 10;
/// The most by which a segment's space is extended, which bounds how long one append can take.
const PREALLOCATION_BYTES_MAX: u64 = 4 << 20;
/// How much memory is kept between groups for encoding them.
const ENCODING_BYTES_KEPT: usize = 1 << 20;
/// How much is copied at a time when a tail is written again.
const COPY_BYTES: u64 = 1 << 20;

/// The active segment: `FRAMES_OFFSET <= durable <= offset`, and a mark or zeros after it.
#[derive(Debug)]
pub(crate) struct SegmentWriter {
    file: Arc<dyn FsFile>,
    header: SegmentHeader,
    bytes_max: u64,
    /// Where the next frame goes.
    offset: u64,
    /// Every byte before this is synced.
    durable: u64,
    /// Up to here the file has space that was written before, with zeros at least.
    allocated: u64,
    first_timestamp: Timestamp,
    tip: Commit,
    durable_tip: Commit,
    encoding: Vec<u8>,
}

impl SegmentWriter {
    /// Makes an empty segment, durably. It gets its name only once its header is synced, so a
    /// file with the name of a segment always has a header.
    pub(crate) fn create(
        fs: &dyn Fs,
        directory: &Path,
        header: SegmentHeader,
        bytes_max: u64,
    ) -> Result<Self> {
        let draft = directory.join(names::SEGMENT_DRAFT);
        let path = segment_path(directory, header.first());
        let file = fs.create(&draft)?;
        file.preallocate(PREALLOCATION_BYTES_MIN.min(bytes_max))?;
        let mut start = header.encode().to_vec();
        frame::encode_mark(header.place(FRAMES_OFFSET), &mut start);
        file.write_at(0, &start)?;
        file.sync()?;
        let allocated = file.len()?;
        drop(file);
        fs.rename(&draft, &path)?;
        fs.sync_directory(directory)?;
        Ok(Self {
            file: fs.open(&path, true)?,
            header,
            bytes_max,
            offset: FRAMES_OFFSET,
            durable: FRAMES_OFFSET,
            allocated,
            first_timestamp: header.before.timestamp,
            tip: header.before,
            durable_tip: header.before,
            encoding: Vec::new(),
        })
    }

    /// Goes on with the segment that `reader` has read to its end. Unless a mark says that all is
    /// settled, what a torn write left behind becomes zeros, frames that may never have reached
    /// the disk are written again, and all that is synced. (After a failed sync an operating
    /// system may show bytes, and zeros, that it has given up writing. Another sync alone would
    /// not save them.)
    pub(crate) fn resume(
        reader: &SegmentReader,
        tail: SegmentTail,
        bytes_max: u64,
    ) -> Result<Self> {
        let mut writer = Self {
            file: Arc::clone(reader.file()),
            header: *reader.header(),
            bytes_max,
            offset: tail.offset,
            durable: reader.durable(),
            allocated: reader.file_bytes(),
            first_timestamp: tail.first_timestamp.unwrap_or(reader.header().before.timestamp),
            tip: reader.tip(),
            durable_tip: reader.header().before,
            encoding: Vec::new(),
        };
        if !tail.is_settled {
            writer.zero(tail.offset, reader.file_bytes())?;
            writer.rewrite(writer.durable, writer.offset)?;
            writer.file.sync()?;
            writer.write_mark()?;
        }
        writer.durable = writer.offset;
        writer.durable_tip = writer.tip;
        Ok(writer)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.offset == FRAMES_OFFSET
    }

    pub(crate) const fn tip(&self) -> Commit {
        self.tip
    }

    pub(crate) const fn durable_tip(&self) -> Commit {
        self.durable_tip
    }

    pub(crate) const fn header(&self) -> &SegmentHeader {
        &self.header
    }

    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Whether frames of `bytes` together, and the mark after them, still belong in here.
    pub(crate) fn has_room(&self, bytes: u64) -> bool {
        self.offset + bytes + to_length(FRAME_HEADER_BYTES) <= self.bytes_max
    }

    /// Writes the frames of `batches` in one write. They are not durable before [`Self::sync`].
    pub(crate) fn append(&mut self, batches: &[CommittedBatch]) -> Result<()> {
        let (Some(first), Some(last)) = (batches.first(), batches.last()) else { return Ok(()) };
        self.encoding.clear();
        for committed in batches {
            let place = self.header.place(self.offset + to_length(self.encoding.len()));
            frame::encode(committed, place, self.durable, &mut self.encoding)?;
        }
        let end = self.offset + to_length(self.encoding.len());
        self.extend(end + to_length(FRAME_HEADER_BYTES))?;
        self.file.write_at(self.offset, &self.encoding)?;
        self.encoding.clear();
        self.encoding.shrink_to(ENCODING_BYTES_KEPT);
        if self.is_empty() {
            self.first_timestamp = first.commit.timestamp;
        }
        self.allocated = self.allocated.max(end);
        self.offset = end;
        self.tip = last.commit;
        Ok(())
    }

    /// Makes all that was appended durable, then leaves a mark that says so. The mark is not
    /// synced itself: it is there to prove damage, and the next group takes its place.
    pub(crate) fn sync(&mut self) -> Result<()> {
        if self.durable == self.offset {
            return Ok(());
        }
        self.file.sync()?;
        self.durable = self.offset;
        self.durable_tip = self.tip;
        self.write_mark()
    }

    /// Syncs, and gives back the space after the last frame. That need not be durable: a reader
    /// of a sealed segment stops at its last commit.
    pub(crate) fn seal(&mut self) -> Result<SegmentInfo> {
        self.sync()?;
        self.file.truncate(self.offset)?;
        Ok(SegmentInfo { sealed: true, ..self.info() })
    }

    /// The segment as it is now.
    pub(crate) const fn info(&self) -> SegmentInfo {
        SegmentInfo {
            first: self.header.first(),
            last: self.tip.seq,
            first_timestamp: self.first_timestamp,
            last_timestamp: self.tip.timestamp,
            bytes: self.offset,
            sealed: false,
        }
    }

    /// The header of the segment that comes after this one.
    pub(crate) const fn next_header(&self, salt: u64) -> SegmentHeader {
        let previous = self.header.first();
        SegmentHeader { database: self.header.database, salt, before: self.tip, previous }
    }

    /// Extends the space to `end`, and further in steps, so that most syncs find the file's
    /// length unchanged and its space in place. What passes the size of a segment simply grows.
    fn extend(&mut self, end: u64) -> Result<()> {
        if end <= self.allocated || end > self.bytes_max {
            return Ok(());
        }
        let step = self.allocated.clamp(PREALLOCATION_BYTES_MIN, PREALLOCATION_BYTES_MAX);
        let allocated = (self.allocated + step).max(end).min(self.bytes_max);
        self.file.preallocate(allocated)?;
        self.allocated = allocated;
        Ok(())
    }

    fn write_mark(&mut self) -> Result<()> {
        let mut mark = Vec::with_capacity(FRAME_HEADER_BYTES);
        frame::encode_mark(self.header.place(self.offset), &mut mark);
        self.file.write_at(self.offset, &mark)?;
        self.allocated = self.allocated.max(self.offset + to_length(mark.len()));
        Ok(())
    }

    fn zero(&self, from: u64, until: u64) -> Result<()> {
        let zeros = vec![0; to_index(COPY_BYTES.min(until - from))];
        let mut at = from;
        while at < until {
            let length = to_index(COPY_BYTES.min(until - at));
            self.file.write_at(at, &zeros[..length])?;
            at += to_length(length);
        }
        Ok(())
    }

    fn rewrite(&self, from: u64, until: u64) -> Result<()> {
        let mut at = from;
        while at < until {
            let bytes = self.file.read_at(at, to_index(COPY_BYTES.min(until - at)))?;
            assert!(!bytes.is_empty(), "the file holds the frames that were read from it");
            self.file.write_at(at, &bytes)?;
            at += to_length(bytes.len());
        }
        Ok(())
    }
}
