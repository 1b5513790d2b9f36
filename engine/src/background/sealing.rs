//! Sealing: what gets acknowledged commits off this machine, and the first bases of tables.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam_channel::Sender;
use foldback_compactor::{BaseIdentity, BaseWriter, Change, Duty, Job, JobInputs, next_job};
use foldback_log_tier::local_log::SegmentInfo;
use foldback_log_tier::{Commit, Error as TierError, EventRow, KeyRange, Seq, TableId};
use tokio::sync::oneshot;

use super::{BackgroundParts, Work};
use crate::health::Health;
use crate::log_writer::Request;
use crate::timeline::Timeline;
use crate::{Error, Result};

/// Rows of a first base between two looks for something to seal.
const ROWS_PER_LOOK: usize = 1024;

/// Whether a job failed by what others have published meanwhile.
fn is_outdated(error: &Error) -> bool {
    matches!(error, Error::Tier(TierError::Superseded | TierError::Missing { .. }))
}

/// The work of the thread that seals.
pub(super) struct Sealing {
    pub(super) parts: BackgroundParts,
    /// Told each time there is more history to tidy.
    pub(super) history_grew: Sender<()>,
}

impl Work for Sealing {
    fn run_jobs(&mut self, _: bool) -> Result<()> {
        while let Some(job) = self.next_job()? {
            tracing::debug!(?job, "job begins");
            match job {
                Job::Seal(segment) => self.seal(&segment)?,
                Job::Base(table) => match self.write_base(table) {
                    // The table was dropped meanwhile, and needs no base any more.
                    Err(Error::TableNotFound { .. }) => {}
                    // It took so long that it was swept, or a file was replaced: once more.
                    Err(error) if is_outdated(&error) => self.catch_up(error)?,
                    done => done?,
                },
                _ => unreachable!("sealing has no other jobs"),
            }
            let _ = self.history_grew.try_send(());
        }
        Ok(())
    }

    fn is_upkeep(&self) -> bool {
        false
    }

    fn health(&self) -> &Arc<Health> {
        &self.parts.health
    }
}

impl Sealing {
    fn next_job(&self) -> Result<Option<Job>> {
        let BackgroundParts { tools, log, health, .. } = &self.parts;
        health.check()?;
        if tools.pace.is_stopping() {
            return Ok(None);
        }
        if tools.settle()? {
            self.trim();
        }
        let segments = log.segments();
        let intervals = log.catalog().intervals(Seq::MAX);
        Ok(next_job(JobInputs {
            duty: Duty::Sealing,
            manifest: &tools.publisher.newest(),
            segments: &segments,
            intervals: &intervals,
            pins: &[],
            policy: tools.policy,
            now: tools.clock.now(),
            around: None,
            avoid: &std::collections::BTreeSet::new(),
        }))
    }

    /// Tells the log writer how far history has come.
    fn trim(&self) {
        let sealed = self.parts.tools.publisher.newest().sealed.seq;
        self.parts.to_writer.send(Request::Trim { sealed });
    }

    fn seal(&self, segment: &SegmentInfo) -> Result<()> {
        let BackgroundParts { tools, log, .. } = &self.parts;
        let catalog = log.catalog();
        let keeps = |table, seq| catalog.keeps(table, seq);
        let sealed = tools.publisher.newest().sealed.seq;
        let reading = tools.reading(tools.making());
        let delta = foldback_compactor::seal(reading, &log.reader, segment, sealed, &keeps)?;
        let bytes = delta.bytes;
        match tools.publish(Change::Seal(delta)) {
            // It took so long that it was swept, or another change was in the way: once more.
            Err(Error::Tier(TierError::Superseded)) => return tools.refresh().map(drop),
            done => done?,
        }
        tools.accounts.sealed_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.trim();
        Ok(())
    }

    fn seal_what_is_there(&self) -> Result<()> {
        while let Some(Job::Seal(segment)) = self.next_job()? {
            self.seal(&segment)?;
        }
        Ok(())
    }

    /// Goes on from what others have published; if they have not, `error` stands.
    fn catch_up(&self, error: Error) -> Result<()> {
        let tools = &self.parts.tools;
        let known = tools.publisher.newest().number;
        match tools.refresh()?.number > known {
            true => Ok(()),
            false => Err(error),
        }
    }

    /// Writes the first base of a table from a view of the present.
    ///
    /// The log is sealed through that view first, so that the base never lies above what the
    /// bucket can restore of the catalog.
    fn write_base(&self, table: TableId) -> Result<()> {
        let BackgroundParts { tools, present, to_writer, .. } = &self.parts;
        let view = present.view();
        // Opened at once: from here on the rows are kept, whatever is flushed meanwhile, and the
        // view holds nothing back any more.
        let (seq, rows) = (view.seq(), view.range(table, &KeyRange::all())?);
        drop(view);
        let (reply, answer) = oneshot::channel();
        to_writer.send(Request::Roll { reply });
        foldback_compactor::wait_for(answer).unwrap_or(Err(Error::Closed))?;
        self.seal_what_is_there()?;
        if tools.publisher.newest().sealed.seq < seq {
            // The database is being closed; the base is written after the next opening.
            return Err(TierError::Interrupted.into());
        }
        let commit = self.commit(seq)?;
        let making = tools.making();
        let _lease = tools.lease(making.born, "writing a first base")?;
        let identity = BaseIdentity { table, keys: KeyRange::all(), at: commit };
        let target = tools.policy.file_bytes_target;
        let mut base = BaseWriter::new(tools.reading(making), identity, target);
        for (count, row) in rows.enumerate() {
            tools.pace.check()?;
            if count % ROWS_PER_LOOK == ROWS_PER_LOOK - 1 {
                // What is committed meanwhile is not to wait for a large table.
                self.seal_what_is_there()?;
            }
            let (key, value) = row?;
            let (seq, timestamp) = (commit.seq, commit.timestamp);
            // The present keeps no seqs, so a row is stamped with the commit that it is the state
            // of.
            base.push(EventRow { table, key: &key, seq, timestamp, value: Some(&value) })?;
        }
        tools.publish(Change::Add(base.finish()?))
    }

    /// The commit with this number, which is not younger than the last one.
    fn commit(&self, seq: Seq) -> Result<Commit> {
        if seq == Seq::ZERO {
            return Ok(Commit::ORIGIN);
        }
        let BackgroundParts { tools, log, .. } = &self.parts;
        let timeline = Timeline {
            segments: &log.segments(),
            manifest: &tools.publisher.newest(),
            log: Some(&log.reader),
            history: &tools.history,
            network: &tools.network,
        };
        let found = timeline.get(seq)?;
        found.ok_or_else(|| Error::Lost(format!("commit #{seq} is in no segment and no delta")))
    }
}
