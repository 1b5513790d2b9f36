//! The local log: a directory of segments that one writer appends commits to.
//!
//! `durable_tip <= tip` always; what lies between them was appended but not synced, and may be
//! lost in a crash, though never with a hole.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::fs::Fs;
use crate::ids::RandomId;
use crate::segment::{SegmentHeader, SegmentWriter, segment_path};
use crate::{Commit, CommittedBatch, DatabaseId, Error, Result, Seq, Timestamp, frame, names};

mod opening;
mod reader;

pub use reader::{LogReader, SegmentFrames};

/// Default of [`LocalLogOptions::segment_bytes_max`].
pub const SEGMENT_BYTES_MAX_DEFAULT: u64 = 64 << 20;

/// Settings of a local log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalLogOptions {
    /// A group that would make the active segment longer than this goes to a new segment. A group
    /// that is longer by itself gets a segment of its own. By default
    /// [`SEGMENT_BYTES_MAX_DEFAULT`].
    pub segment_bytes_max: u64,
}

impl Default for LocalLogOptions {
    fn default() -> Self {
        Self { segment_bytes_max: SEGMENT_BYTES_MAX_DEFAULT }
    }
}

/// One segment and what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    /// Seq of the first commit, written or to come.
    pub first: Seq,
    /// Seq of the last commit; `last = first - 1` while the segment is empty.
    pub last: Seq,
    /// Timestamp of the first commit; that of the commit before while the segment is empty.
    pub first_timestamp: Timestamp,
    /// Timestamp of the last commit; that of the commit before while the segment is empty.
    pub last_timestamp: Timestamp,
    /// Length of the header and the frames; of a sealed segment, the length of its file.
    pub bytes: u64,
    /// Whether it is complete: no commit will be added.
    pub sealed: bool,
}

/// What [`LocalLog::open`] cut from the end of the log: commits that were never synced, so never
/// acknowledged as durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogOpening {
    /// How many bytes were cut; zero if none.
    pub cut_bytes: u64,
    /// Where in the segment the cut begins.
    pub cut_offset: u64,
    /// The first seq of the segment that was cut.
    pub cut_segment: Option<Seq>,
}

/// The writer of a local log. Whoever opens it holds the lock of the database's directory.
#[derive(Debug)]
pub struct LocalLog {
    fs: Arc<dyn Fs>,
    directory: PathBuf,
    options: LocalLogOptions,
    sealed: Vec<SegmentInfo>,
    active: SegmentWriter,
    /// Whether a write or a sync failed. What the disk holds is then unknown until the log is
    /// opened again, so nothing more is written.
    failed: bool,
}

impl LocalLog {
    /// Opens the log in `directory`, or makes an empty one if there is no segment. In an empty log
    /// the first commit is `origin.seq + 1`, and may not be stamped before `origin.timestamp`; a
    /// log that exists knows its own origin.
    ///
    /// Every frame of the last segment is read; of the others the headers and first frames, by
    /// which a missing segment is noticed. When this returns, all that was found is durable.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] if synced bytes are damaged, a segment is missing, or one belongs to
    /// another database. Only the torn tail of the last segment is cut.
    pub fn open(
        fs: Arc<dyn Fs>,
        directory: &Path,
        database: DatabaseId,
        origin: Commit,
        options: LocalLogOptions,
    ) -> Result<(Self, LogOpening)> {
        let (firsts, removed) = opening::find_segments(&*fs, directory)?;
        let (sealed, active, opening) = if firsts.is_empty() {
            opening::check_none_was_removed(directory, removed)?;
            let salt = random_salt();
            let header = SegmentHeader { database, salt, before: origin, previous: Seq::ZERO };
            let max = options.segment_bytes_max;
            let active = SegmentWriter::create(&*fs, directory, header, max)?;
            (Vec::new(), active, LogOpening::default())
        } else {
            let (sealed, mut last) =
                opening::read_chain(&*fs, directory, database, (&firsts, removed))?;
            let (active, opening) = opening::resume(&mut last, options)?;
            (sealed, active, opening)
        };
        let directory = directory.to_path_buf();
        Ok((Self { fs, directory, options, sealed, active, failed: false }, opening))
    }

    /// The last commit appended, or the origin.
    #[must_use]
    pub const fn tip(&self) -> Commit {
        self.active.tip()
    }

    /// The last commit synced, or the origin.
    #[must_use]
    pub const fn durable_tip(&self) -> Commit {
        self.active.durable_tip()
    }

    /// Appends a group of commits in one write, after [rolling](Self::roll) if the active segment
    /// has no room for it. They are durable after the next [`Self::sync`].
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] if a batch is too large for a frame: then nothing happened. Any
    /// other error is final: it is unknown which commits of the group are in the log, and nothing
    /// more can be written until it is opened again.
    ///
    /// # Panics
    ///
    /// If the commits do not continue the log: seqs dense, timestamps never decreasing.
    pub fn append(&mut self, batches: &[CommittedBatch]) -> Result<()> {
        self.check_sound()?;
        let mut bytes = 0;
        let mut tip = self.tip();
        for committed in batches {
            let commit = committed.commit;
            assert_eq!(commit.seq, tip.seq.next(), "seqs are dense");
            assert!(commit.timestamp >= tip.timestamp, "timestamps never decrease");
            tip = commit;
            bytes += frame::encoded_bytes(committed)?;
        }
        if !batches.is_empty() && !self.active.has_room(bytes) {
            self.roll()?;
        }
        let appended = self.active.append(batches);
        self.note(appended)
    }

    /// Makes everything appended so far durable.
    ///
    /// # Errors
    ///
    /// Any error is final: a failed sync is never tried again, because the operating system may
    /// have dropped the bytes. Commits up to [`Self::durable_tip`] are safe.
    pub fn sync(&mut self) -> Result<()> {
        self.check_sound()?;
        let synced = self.active.sync();
        self.note(synced)
    }

    /// Seals the active segment, durably, and begins the next one. Does nothing while the active
    /// segment is empty.
    ///
    /// # Errors
    ///
    /// Any error is final, as for [`Self::sync`].
    pub fn roll(&mut self) -> Result<()> {
        self.check_sound()?;
        if self.active.is_empty() {
            return Ok(());
        }
        let rolled = self.try_roll();
        self.note(rolled)
    }

    /// All segments in order. The last one is the active one.
    #[must_use]
    pub fn segments(&self) -> Vec<SegmentInfo> {
        self.sealed.iter().copied().chain([self.active.info()]).collect()
    }

    /// Removes the sealed segments that hold no commit after `last`; returns how many.
    ///
    /// # Errors
    ///
    /// When a file can't be removed; the segments that are left can still be read and the log
    /// still be written.
    pub fn remove_through(&mut self, last: Seq) -> Result<u64> {
        let through = self.sealed.iter().map(|info| info.last).take_while(|end| *end <= last);
        let Some(through) = through.last() else { return Ok(0) };
        self.note_removal(through)?;
        let mut removed = 0;
        // Oldest first, and each durable before the next: a crash never leaves a hole.
        while let Some(oldest) = self.sealed.first().filter(|oldest| oldest.last <= through) {
            self.fs.remove(&segment_path(&self.directory, oldest.first))?;
            self.sealed.remove(0);
            self.fs.sync_directory(&self.directory)?;
            removed += 1;
        }
        Ok(removed)
    }

    /// Writes down, durably, that segments up to `through` are not needed any more.
    fn note_removal(&self, through: Seq) -> Result<()> {
        let notes = self.fs.list(&self.directory)?;
        let notes: Vec<_> = notes.iter().filter_map(|name| names::parse_removed(name)).collect();
        if !notes.contains(&through) {
            self.fs.create(&self.directory.join(names::removed(through)))?.sync()?;
            self.fs.sync_directory(&self.directory)?;
        }
        for older in notes.into_iter().filter(|note| *note < through) {
            self.fs.remove(&self.directory.join(names::removed(older)))?;
        }
        Ok(())
    }

    /// A reader of this log's segments, for any thread.
    #[must_use]
    pub fn reader(&self) -> LogReader {
        let database = self.active.header().database;
        LogReader::new(Arc::clone(&self.fs), self.directory.clone(), database)
    }

    fn try_roll(&mut self) -> Result<()> {
        let sealed = self.active.seal()?;
        let header = self.active.next_header(random_salt());
        let max = self.options.segment_bytes_max;
        self.active = SegmentWriter::create(&*self.fs, &self.directory, header, max)?;
        self.sealed.push(sealed);
        Ok(())
    }

    fn check_sound(&self) -> Result<()> {
        if !self.failed {
            return Ok(());
        }
        let reason = format!(
            "an earlier write or sync of this log failed, so nothing more is written; commits up \
             to {} are safe; open the database again to go on from what the disk holds",
            self.durable_tip().seq
        );
        Err(Error::local("write", self.active.path())(std::io::Error::other(reason)))
    }

    /// Remembers a failure. [`Error::Unsupported`] can't come here: sizes were checked before.
    fn note(&mut self, result: Result<()>) -> Result<()> {
        self.failed |= result.is_err();
        result
    }
}

/// Draws the salt of a new segment.
fn random_salt() -> u64 {
    u64::from_le_bytes(RandomId::<8>::random().0)
}

#[cfg(test)]
mod tests;
