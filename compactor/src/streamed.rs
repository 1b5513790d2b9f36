//! A history file that goes into the bucket while it is being written.

use foldback_log_tier::history::{CommitIndex, HistoryIdentity, HistoryWriter};
use foldback_log_tier::manifest::HistoryEntry;
use foldback_log_tier::remote::{HistoryUpload, RemoteLog};
use foldback_log_tier::{EventRow, Result};

use crate::{Network, Reading};

/// One history file: its rows come in, its bytes go out as soon as they are written. It is in the
/// bucket, whole, once [`Self::finish`] has returned; if it is dropped before, nothing is.
pub(crate) struct StreamedFile<'a> {
    writer: HistoryWriter,
    sending: Sending<'a>,
}

/// The way of the bytes; what was not finished is aborted.
struct Sending<'a> {
    network: &'a Network,
    upload: Option<HistoryUpload>,
}

impl<'a> StreamedFile<'a> {
    /// Begins a file.
    pub(crate) fn begin(reading: Reading<'a>, identity: HistoryIdentity) -> Result<Self> {
        Self::begin_by(reading, identity, RemoteLog::begin_history)
    }

    /// Begins a file that one request is to put: of a segment by default settings, which is in
    /// memory as a whole already.
    pub(crate) fn begin_in_one(reading: Reading<'a>, identity: HistoryIdentity) -> Result<Self> {
        Self::begin_by(reading, identity, RemoteLog::begin_history_in_one)
    }

    fn begin_by(
        reading: Reading<'a>,
        identity: HistoryIdentity,
        begin: impl FnOnce(&RemoteLog, &str) -> HistoryUpload,
    ) -> Result<Self> {
        let writer = HistoryWriter::new(identity, reading.making.born)?;
        let upload = Some(begin(reading.history.remote(), writer.name()));
        Ok(Self { writer, sending: Sending { network: reading.network, upload } })
    }

    /// The writer, to ask it and to end its scope.
    pub(crate) const fn writer(&mut self) -> &mut HistoryWriter {
        &mut self.writer
    }

    /// Adds a row; waits for the bucket if it is slower than the rows.
    pub(crate) fn push(&mut self, row: EventRow<'_>) -> Result<()> {
        self.writer.push(row)?;
        match self.writer.take_written() {
            Some(bytes) => self.sending.push(bytes),
            None => Ok(()),
        }
    }

    /// Ends the file; it is in the bucket then.
    pub(crate) fn finish(mut self, commits: Option<&CommitIndex>) -> Result<HistoryEntry> {
        let rest = self.writer.finish(commits)?;
        self.sending.push(rest.body)?;
        self.sending.finish(rest.entry)
    }
}

impl Sending<'_> {
    fn push(&mut self, bytes: bytes::Bytes) -> Result<()> {
        let mut upload = self.upload.take().expect("an upload that failed is not pushed to");
        let (upload, pushed) = self.network.run(async move {
            let pushed = upload.push(bytes).await;
            (upload, pushed)
        });
        // One that failed has aborted itself.
        self.upload = pushed.is_ok().then_some(upload);
        pushed
    }

    fn finish(&mut self, entry: HistoryEntry) -> Result<HistoryEntry> {
        let upload = self.upload.take().expect("an upload that failed is not finished");
        self.network.run(async move {
            upload.finish(&entry).await?;
            Ok(entry)
        })
    }
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        if let Some(upload) = self.upload.take() {
            self.network.run(upload.abort());
        }
    }
}
