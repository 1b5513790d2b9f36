//! Reads the frames of one segment in order, a piece of the file at a time. It never writes.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::{ADVICE, FRAMES_OFFSET, SEGMENT_HEADER_BYTES, SegmentHeader, segment_path};
use crate::frame::{self, EventRefs, FRAME_HEADER_BYTES, FrameHeader};
use crate::fs::{Fs, FsFile, to_index, to_length};
use crate::{Commit, CommittedBatch, DatabaseId, Error, Result, Seq};

/// How much the first read takes; later ones take more, up to [`READ_BYTES_MAX`].
const READ_BYTES_MIN: usize = 64 << 10;
/// How much a read takes, unless a single frame is longer.
const READ_BYTES_MAX: usize = 1 << 20;

/// What lies at the reader's offset.
#[derive(Debug)]
pub(crate) enum Step<T> {
    /// A commit; the offset is past it now.
    Commit(T),
    /// The end of the written part: the end of the file, zeros, or a mark.
    End,
    /// Bytes that are no frame. Whether that is damage depends on what follows them.
    Bad(&'static str),
}

/// A position in a segment: everything before it is sound.
#[derive(Debug)]
pub(crate) struct SegmentReader {
    file: Arc<dyn FsFile>,
    header: SegmentHeader,
    file_bytes: u64,
    /// Where the next frame lies: `FRAMES_OFFSET <= offset <= file_bytes`.
    offset: u64,
    /// The greatest offset that a frame or a mark so far says is synced: `durable <= offset`.
    durable: u64,
    /// The last commit read, or the one before the segment.
    tip: Commit,
    buffer: Bytes,
    buffer_offset: u64,
    read_bytes: usize,
}

impl SegmentReader {
    /// Opens the segment `first` and checks its header.
    pub(crate) fn open(
        fs: &dyn Fs,
        directory: &Path,
        database: DatabaseId,
        first: Seq,
        write: bool,
    ) -> Result<Self> {
        let path = segment_path(directory, first);
        let file = fs.open(&path, write)?;
        let file_bytes = file.len()?;
        let buffer = Bytes::from(file.read_at(0, READ_BYTES_MIN)?);
        let header =
            SegmentHeader::decode(&path, &buffer[..buffer.len().min(SEGMENT_HEADER_BYTES)])?;
        header.expect(&path, database, first)?;
        Ok(Self {
            file,
            header,
            file_bytes,
            offset: FRAMES_OFFSET,
            durable: FRAMES_OFFSET,
            tip: header.before,
            buffer,
            buffer_offset: 0,
            read_bytes: READ_BYTES_MIN,
        })
    }

    pub(crate) const fn file(&self) -> &Arc<dyn FsFile> {
        &self.file
    }

    pub(crate) const fn header(&self) -> &SegmentHeader {
        &self.header
    }

    pub(crate) const fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    pub(crate) const fn offset(&self) -> u64 {
        self.offset
    }

    pub(crate) const fn durable(&self) -> u64 {
        self.durable
    }

    pub(crate) const fn tip(&self) -> Commit {
        self.tip
    }

    /// Reads what lies at the offset, and moves past it if it is a commit.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] if a frame is intact but can't be what the log wrote there.
    pub(crate) fn step(&mut self) -> Result<Step<CommittedBatch>> {
        self.step_with(|commit, events, payload| {
            let batch = frame::decode_events(payload, events)?;
            Ok(CommittedBatch { commit, batch })
        })
    }

    /// As [`Self::step`], for who only wants to know that there is a sound commit.
    pub(crate) fn step_over(&mut self) -> Result<Step<Commit>> {
        self.step_with(|commit, mut events, _| {
            events.try_for_each(|event| event.map(drop))?;
            Ok(commit)
        })
    }

    /// As [`Self::step`]; what `read` makes of a payload is what a commit becomes.
    pub(crate) fn step_with<T>(
        &mut self,
        read: impl FnOnce(Commit, EventRefs<'_>, &Bytes) -> Result<T, &'static str>,
    ) -> Result<Step<T>> {
        let offset = self.offset;
        let header = self.window(FRAME_HEADER_BYTES)?;
        if header.iter().all(|byte| *byte == 0) {
            return Ok(Step::End);
        }
        let header = match FrameHeader::decode(&header) {
            Ok(header) => header,
            Err(reason) => return Ok(Step::Bad(reason)),
        };
        if header.frame_bytes() > self.file_bytes - offset {
            return Ok(Step::Bad("the file ends inside a frame"));
        }
        let frame = self.window(to_index(header.frame_bytes()))?;
        let Some(payload) = (frame.len() == to_index(header.frame_bytes()))
            .then(|| frame.slice(FRAME_HEADER_BYTES..))
            .filter(|payload| header.matches(self.header.place(offset), payload))
        else {
            return Ok(Step::Bad("the checksum of a frame does not match"));
        };
        match frame::read_payload(&payload).map_err(|reason| self.corrupt(reason))? {
            None if header.durable == offset => {
                self.durable = offset;
                Ok(Step::End)
            }
            None => Err(self.corrupt("a mark does not speak of its own place")),
            Some((commit, events)) => {
                self.check_order(commit)?;
                let read = read(commit, events, &payload).map_err(|why| self.corrupt(why))?;
                self.tip = commit;
                self.durable = self.durable.max(header.durable);
                self.offset += header.frame_bytes();
                Ok(Step::Commit(read))
            }
        }
    }

    /// Damage at the offset.
    pub(crate) fn corrupt(&self, reason: &str) -> Error {
        let (file, tip) = (self.file.path().display(), self.tip.seq);
        let reason = format!("{reason}; commits up to {tip} are sound; {ADVICE}");
        Error::corrupt(file, self.offset, reason)
    }

    /// All bytes from `offset` to the end of the file.
    pub(crate) fn rest(&self) -> Result<Bytes> {
        let length = to_index(self.file_bytes - self.offset);
        self.file.read_at(self.offset, length).map(Bytes::from)
    }

    fn check_order(&self, commit: Commit) -> Result<()> {
        if commit.seq != self.tip.seq.next() {
            let reason = format!("here lies commit {}, not the next one", commit.seq);
            return Err(self.corrupt(&reason));
        }
        if commit.timestamp < self.tip.timestamp {
            return Err(self.corrupt("a commit has an earlier timestamp than the one before it"));
        }
        Ok(())
    }

    /// The next `length` bytes, or fewer at the end of the file.
    fn window(&mut self, length: usize) -> Result<Bytes> {
        let length = length.min(to_index(self.file_bytes - self.offset));
        let buffered_until = self.buffer_offset + to_length(self.buffer.len());
        if self.offset + to_length(length) > buffered_until {
            self.read_bytes = (2 * self.read_bytes).min(READ_BYTES_MAX);
            let read = self.file.read_at(self.offset, length.max(self.read_bytes))?;
            self.buffer = Bytes::from(read);
            self.buffer_offset = self.offset;
        }
        let start = to_index(self.offset - self.buffer_offset);
        Ok(self.buffer.slice(start..(start + length).min(self.buffer.len())))
    }
}
