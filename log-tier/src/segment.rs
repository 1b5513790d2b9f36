//! Segments: the files of the local log. A header, then frames without gaps, then zeros.
//!
//! Each header names the segment before, so that a missing file in the middle is noticed without
//! reading the others.

use std::path::{Path, PathBuf};

use bytes::Buf;

use crate::frame::FramePlace;
use crate::ids::RandomId;
use crate::{Commit, DatabaseId, Error, Result, Seq, Timestamp, names};

mod reader;
mod tail;
mod writer;

pub(crate) use reader::{SegmentReader, Step};
pub(crate) use tail::{SegmentTail, find_tail};
pub(crate) use writer::SegmentWriter;

/// Length of a segment's header; the first frame follows it.
pub(crate) const SEGMENT_HEADER_BYTES: usize = 64;
/// The same, as an offset.
pub(crate) const FRAMES_OFFSET: u64 = 64;
/// Offset of the timestamp in the header.
pub(crate) const TIMESTAMP_OFFSET: u64 = 44;
/// Offset of the header's name of the segment before.
pub(crate) const PREVIOUS_OFFSET: u64 = 52;

/// What an error about a damaged segment ends with.
pub(crate) const ADVICE: &str = "nothing was changed; put a sound copy of the file in its place, \
                                 or recover the database from its bucket";

const MAGIC: [u8; 8] = *b"FOLDSEG\n";
const VERSION: u32 = 1;
const DATABASE_OFFSET: u64 = 12;
const FIRST_OFFSET: u64 = 36;
const CRC_AT: usize = SEGMENT_HEADER_BYTES - 4;

/// What a segment says of itself before its first frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    /// The database it belongs to.
    pub(crate) database: DatabaseId,
    /// Random; every checksum in the segment covers it.
    pub(crate) salt: u64,
    /// The commit before the segment's first: `first = before.seq + 1`. Its timestamp holds the
    /// clock where it was even while the segment is empty.
    pub(crate) before: Commit,
    /// The first seq of the segment before, or zero if there never was one.
    pub(crate) previous: Seq,
}

impl SegmentHeader {
    /// The seq of the first commit, which also is the segment's name.
    pub(crate) const fn first(&self) -> Seq {
        self.before.seq.next()
    }

    /// The place of a frame at `offset`.
    pub(crate) const fn place(&self, offset: u64) -> FramePlace {
        FramePlace { salt: self.salt, offset }
    }

    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..28].copy_from_slice(&self.database.0);
        bytes[28..36].copy_from_slice(&self.salt.to_le_bytes());
        bytes[36..44].copy_from_slice(&self.first().0.to_le_bytes());
        bytes[44..52].copy_from_slice(&self.before.timestamp.0.to_le_bytes());
        bytes[52..CRC_AT].copy_from_slice(&self.previous.0.to_le_bytes());
        let crc32c = crc32c::crc32c(&bytes[..CRC_AT]);
        bytes[CRC_AT..].copy_from_slice(&crc32c.to_le_bytes());
        bytes
    }

    /// Decodes the header of the file at `path`, of which `bytes` are the first.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] if a byte is wrong, [`Error::Unsupported`] if a later release wrote it.
    pub(crate) fn decode(path: &Path, bytes: &[u8]) -> Result<Self> {
        let corrupt =
            |reason: &str| Error::corrupt(path.display(), 0, format!("{reason}; {ADVICE}"));
        let header: &[u8; SEGMENT_HEADER_BYTES] = bytes
            .first_chunk()
            .ok_or_else(|| corrupt("the file is too short for the header of a segment"))?;
        let (mut fields, mut crc) = header.split_at(CRC_AT);
        if !fields.starts_with(&MAGIC) {
            return Err(corrupt("the file does not begin as a segment does"));
        }
        if crc32c::crc32c(fields) != crc.get_u32_le() {
            return Err(corrupt("the checksum of the segment's header does not match"));
        }
        fields.advance(MAGIC.len());
        let version = fields.get_u32_le();
        if version != VERSION {
            return Err(Error::Unsupported(format!(
                "{} has segment format {version}, but this release reads only format {VERSION}; \
                 nothing was changed; use the release that wrote it, or a later one",
                path.display()
            )));
        }
        let mut database = RandomId([0; 16]);
        fields.copy_to_slice(&mut database.0);
        let salt = fields.get_u64_le();
        let first = Seq(fields.get_u64_le());
        let timestamp = Timestamp(fields.get_i64_le());
        let previous = Seq(fields.get_u64_le());
        if !(Seq(1)..=Seq::MAX).contains(&first) || previous >= first {
            return Err(corrupt("the seqs in the segment's header are out of range"));
        }
        Ok(Self { database, salt, before: Commit { seq: first.prev(), timestamp }, previous })
    }

    /// Checks that the header is that of the segment `first` of `database`.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] that says whose it is.
    pub(crate) fn expect(&self, path: &Path, database: DatabaseId, first: Seq) -> Result<()> {
        if self.database != database {
            let reason = format!(
                "the segment belongs to database {}, but this is database {database}: its file \
                 was put into the wrong directory; {ADVICE}",
                self.database
            );
            return Err(Error::corrupt(path.display(), DATABASE_OFFSET, reason));
        }
        if self.first() != first {
            let reason = format!(
                "the segment begins with commit {}, but its file is named for commit {first}; \
                 {ADVICE}",
                self.first()
            );
            return Err(Error::corrupt(path.display(), FIRST_OFFSET, reason));
        }
        Ok(())
    }
}

/// The path of the segment `first` in `directory`.
pub(crate) fn segment_path(directory: &Path, first: Seq) -> PathBuf {
    directory.join(names::segment(first))
}

#[cfg(test)]
mod tests;
