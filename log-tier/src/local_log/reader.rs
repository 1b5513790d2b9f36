//! Reads the segments of a local log, from any thread, beside the writer. It never writes.

use std::path::PathBuf;
use std::sync::Arc;

use super::SegmentInfo;
use crate::frame::{EventRef, EventRefs};
use crate::fs::Fs;
use crate::segment::{SegmentReader, Step};
use crate::{Commit, CommittedBatch, DatabaseId, Error, Result, Seq};

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

    /// Shows the events of `segment` up to `segment.last`, in order, where they lie. An error of
    /// `act` ends it, and is returned.
    ///
    /// # Errors
    ///
    /// Those of [`Self::read_segment`] and of what it returns, and that of `act`.
    pub fn visit_segment<E: From<Error>>(
        &self,
        segment: &SegmentInfo,
        mut act: impl FnMut(Commit, EventRef<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut frames = self.read_segment(segment)?;
        while frames.reader.tip().seq < frames.last {
            let step =
                frames.reader.step_with(|commit, events, _| show(commit, events, &mut act))?;
            frames.commit(step)??;
        }
        Ok(())
    }
}

/// Shows events until one is damaged, which is the outer error, or until `act` fails.
fn show<E>(
    commit: Commit,
    mut events: EventRefs<'_>,
    act: &mut impl FnMut(Commit, EventRef<'_>) -> Result<(), E>,
) -> Result<Result<(), E>, &'static str> {
    while let Some(event) = events.next().transpose()? {
        if let Err(error) = act(commit, event) {
            return Ok(Err(error));
        }
    }
    Ok(Ok(()))
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
        let step = self.reader.step()?;
        self.commit(step)
    }

    /// The commit of a step: there has to be one.
    fn commit<T>(&self, step: Step<T>) -> Result<T> {
        match step {
            Step::Commit(committed) => Ok(committed),
            Step::Bad(reason) => Err(self.reader.corrupt(reason)),
            Step::End => {
                let reason = format!("commits up to {} were written, but end here", self.last);
                Err(self.reader.corrupt(&reason))
            }
        }
    }
}
