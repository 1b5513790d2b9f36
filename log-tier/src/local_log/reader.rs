//! Reads the segments of a local log, from any thread, beside the writer. It never writes.

use std::path::PathBuf;
use std::sync::Arc;

use super::SegmentInfo;
use crate::fs::Fs;
use crate::segment::{SegmentReader, Step};
use crate::{CommittedBatch, DatabaseId, Result, Seq};

/// Reads segments of one log. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LogReader {
    fs: Arc<dyn Fs>,
    directory: Arc<PathBuf>,
    database: DatabaseId,
}

impl LogReader {
    pub(super) fn new(fs: Arc<dyn Fs>, directory: PathBuf, database: DatabaseId) -> Self {
        Self { fs, directory: Arc::new(directory), database }
    }

    /// The commits of `segment` up to `segment.last`, in order. A smaller `last` may be set to
    /// read less.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Corrupt`] if the header is damaged, [`crate::Error::Local`] if the file is
    /// gone, which it may be after [`super::LocalLog::remove_through`].
    pub fn read_segment(&self, segment: &SegmentInfo) -> Result<SegmentFrames> {
        let first = segment.first;
        let reader = SegmentReader::open(&*self.fs, &self.directory, self.database, first, false)?;
        Ok(SegmentFrames { reader, last: segment.last, failed: false })
    }
}

/// The commits of one segment, in order. It ends after the first error.
///
/// Keys and values are slices of about a megabyte of the file, which they keep in memory: copy
/// what is kept for long.
#[derive(Debug)]
pub struct SegmentFrames {
    reader: SegmentReader,
    last: Seq,
    failed: bool,
}

impl Iterator for SegmentFrames {
    type Item = Result<CommittedBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.reader.tip().seq >= self.last {
            return None;
        }
        let read = self.read();
        self.failed = read.is_err();
        Some(read)
    }
}

impl SegmentFrames {
    fn read(&mut self) -> Result<CommittedBatch> {
        match self.reader.step()? {
            Step::Commit(committed) => Ok(committed),
            Step::Bad(reason) => Err(self.reader.corrupt(reason)),
            Step::End => {
                let reason = format!("commits up to {} were written, but end here", self.last);
                Err(self.reader.corrupt(&reason))
            }
        }
    }
}
