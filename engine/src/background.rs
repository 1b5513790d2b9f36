//! The compactor's thread: it runs one job after the other, and tries again when the bucket fails.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use foldback_compactor::{
    BaseWriter, FoldInputs, HistoryReader, Job, JobInputs, Making, Network, Policy, ProtectedTable,
    Publisher, Reading, is_passing, next_job,
};
use foldback_log_tier::history::HistoryObject;
use foldback_log_tier::local_log::SegmentInfo;
use foldback_log_tier::manifest::HistoryEntry;
use foldback_log_tier::{Commit, Error as TierError, EventRow, KeyRange, Seq, TableId};
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::health::Health;
use crate::log_writer::{LogView, Request};
use crate::present::Present;
use crate::timeline::Timeline;
use crate::{Error, Result, threads};

/// Wait after the first failure of a job; it doubles with each further one.
const RETRY_WAIT_MIN: Duration = Duration::from_millis(500);
/// Longest wait between two tries of a job.
const RETRY_WAIT_MAX: Duration = Duration::from_secs(60);
/// Questions that wait for the thread.
const QUEUE_LENGTH: usize = 64;

/// What the thread works with.
#[derive(Debug)]
pub(crate) struct BackgroundParts {
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) history: Arc<HistoryReader>,
    pub(crate) present: Arc<Present>,
    pub(crate) log: Arc<LogView>,
    pub(crate) to_writer: Sender<Request>,
    pub(crate) network: Arc<Network>,
    pub(crate) health: Arc<Health>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) policy: Policy,
}

/// How far the thread is to come before it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    /// All that is committed is in the bucket, and every protected table has its first base.
    Sealed,
    /// There is nothing left to do.
    Idle,
}

/// Asks the thread to work now, and to say how that went.
#[derive(Debug)]
struct Ask {
    until: Until,
    reply: oneshot::Sender<Result<()>>,
}

/// Why a job failed.
struct Failure {
    error: Box<Error>,
    /// Whether what failed only keeps history tidy: then writing goes on.
    is_upkeep: bool,
}

/// Owns the compactor's thread; it ends, leaving off what it can do again, when this is dropped.
#[derive(Debug)]
pub(crate) struct Background {
    asks: Option<Sender<Ask>>,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
}

/// What the thread and its owner both see.
#[derive(Debug, Default)]
struct Shared {
    stopping: AtomicBool,
    /// Why the last job failed, until one succeeds.
    trouble: Mutex<Option<String>>,
}

impl Background {
    /// Starts the thread; `segment_sealed` tells it of work.
    pub(crate) fn start(parts: BackgroundParts, segment_sealed: Receiver<()>) -> Self {
        let (asks, asked) = crossbeam_channel::bounded(QUEUE_LENGTH);
        let health = Arc::clone(&parts.health);
        let shared = Arc::new(Shared::default());
        let work = Work { parts, shared: Arc::clone(&shared) };
        let thread = threads::spawn("foldback-compactor", health, move || {
            run(&work, &segment_sealed, &asked);
        });
        Self { asks: Some(asks), thread: Some(thread), shared }
    }

    /// Returns once all that is committed is in the bucket.
    pub(crate) fn seal_all(&self) -> Result<()> {
        self.ask(Until::Sealed)
    }

    /// Does all jobs that there are, and returns when they are done.
    pub(crate) fn run_all(&self) -> Result<()> {
        self.ask(Until::Idle)
    }

    /// Why the last job failed, until one succeeds.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn ask(&self, until: Until) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        let asks = self.asks.as_ref().ok_or(Error::Closed)?;
        asks.send(Ask { until, reply }).map_err(|_| Error::Closed)?;
        foldback_compactor::wait_for(answer).unwrap_or(Err(Error::Closed))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        self.asks = None;
        threads::join(self.thread.take());
    }
}

fn run(work: &Work, segment_sealed: &Receiver<()>, asked: &Receiver<Ask>) {
    let mut wait = None;
    loop {
        let due = wait.map_or_else(crossbeam_channel::never, crossbeam_channel::after);
        let mut ask = None;
        crossbeam_channel::select! {
            recv(segment_sealed) -> told => if told.is_err() { return },
            recv(asked) -> received => match received {
                Ok(received) => ask = Some(received),
                Err(_) => return,
            },
            recv(due) -> _ => {}
        }
        let done = work.run_jobs(&mut ask);
        wait = done.as_ref().err().and_then(|failure| work.wait_after(failure, wait));
        let trouble = done.as_ref().err().map(|failure| failure.error.to_string());
        *work.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        if let Some(Ask { reply, .. }) = ask {
            let _ = reply.send(done.map_err(|failure| *failure.error));
        }
    }
}

/// The thread's work.
struct Work {
    parts: BackgroundParts,
    shared: Arc<Shared>,
}

impl std::ops::Deref for Work {
    type Target = BackgroundParts;

    fn deref(&self) -> &BackgroundParts {
        &self.parts
    }
}

impl Work {
    /// Does one job after the other until there is none; answers an ask as soon as it is met.
    fn run_jobs(&self, ask: &mut Option<Ask>) -> Result<(), Failure> {
        let no_upkeep = |error| Failure { error: Box::new(error), is_upkeep: false };
        while let Some(job) = self.next_job().map_err(no_upkeep)? {
            let is_upkeep = matches!(job, Job::Merge(_) | Job::Fold(_));
            if let Some(met) = ask.take_if(|ask| is_upkeep && ask.until == Until::Sealed) {
                let _ = met.reply.send(Ok(()));
            }
            match self.run_job(job) {
                // It was left off because the database closes; nothing is lost by that.
                Err(Error::Tier(TierError::Interrupted)) if self.is_stopping() => return Ok(()),
                done => done.map_err(|error| Failure { error: Box::new(error), is_upkeep })?,
            }
        }
        Ok(())
    }

    /// How long to wait before the next try; `None` if there is none, as the database has halted.
    fn wait_after(&self, failure: &Failure, before: Option<Duration>) -> Option<Duration> {
        let goes_on = match &*failure.error {
            Error::Tier(TierError::Fenced { .. }) => false,
            Error::Tier(error) => failure.is_upkeep || is_passing(error),
            _ => false,
        };
        if !goes_on {
            self.health.halt(failure.error.to_string());
            return None;
        }
        let wait = before.map_or(RETRY_WAIT_MIN, |wait| (wait * 2).min(RETRY_WAIT_MAX));
        tracing::warn!(error = %failure.error, retry_secs = wait.as_secs_f32(), "a job failed");
        Some(wait)
    }

    fn is_stopping(&self) -> bool {
        self.shared.stopping.load(Ordering::Acquire)
    }

    /// Publishes again what the bucket gave no clear answer to, before anything is decided anew.
    fn settle(&self) -> Result<()> {
        let publisher = Arc::clone(&self.publisher);
        if self.network.run(async move { publisher.settle().await })? {
            let sealed = self.publisher.newest().sealed.seq;
            let _ = self.to_writer.send(Request::Trim { sealed });
        }
        Ok(())
    }

    fn run_job(&self, job: Job) -> Result<()> {
        tracing::debug!(?job, "job begins");
        match job {
            Job::Seal(segment) => self.seal(&segment),
            Job::Merge(deltas) => self.merge(&deltas),
            Job::Fold(inputs) => self.fold(&inputs),
            Job::Base(table) => match self.write_base(table) {
                // The table was dropped meanwhile, and needs no base any more.
                Err(Error::TableNotFound { .. }) => Ok(()),
                done => done,
            },
        }
    }

    fn next_job(&self) -> Result<Option<Job>> {
        self.health.check()?;
        if self.is_stopping() {
            return Ok(None);
        }
        self.settle()?;
        let segments = self.log.segments();
        let manifest = self.publisher.newest();
        let protected = |record: &crate::TableRecord| {
            let open = record.open_protection()?;
            let (first, starts_empty) = (open.first.seq, open.starts_empty);
            Some(ProtectedTable { table: record.id, first, starts_empty })
        };
        let catalog =
            ProtectedTable { table: TableId::CATALOG, first: Seq::ZERO, starts_empty: true };
        let tables: Vec<_> = std::iter::once(catalog)
            .chain(self.log.catalog().live().filter_map(protected))
            .collect();
        let policy = self.policy;
        let inputs =
            JobInputs { manifest: &manifest, segments: &segments, tables: &tables, policy };
        Ok(next_job(inputs))
    }

    fn seal(&self, segment: &SegmentInfo) -> Result<()> {
        let catalog = self.log.catalog();
        let keeps = |table, seq| catalog.keeps(table, seq);
        let manifest = self.publisher.newest();
        let sealed = manifest.sealed.seq;
        let delta =
            foldback_compactor::seal(&self.log.reader, segment, sealed, self.making(), &keeps)?;
        let (publisher, now) = (Arc::clone(&self.publisher), self.clock.now());
        self.network.run(async move { publisher.publish_delta(&delta, now).await })?;
        let _ = self.to_writer.send(Request::Trim { sealed: self.publisher.newest().sealed.seq });
        Ok(())
    }

    fn merge(&self, deltas: &[HistoryEntry]) -> Result<()> {
        let merged = foldback_compactor::merge_deltas(self.reading(), deltas)?;
        let inputs: Vec<_> = deltas.iter().map(|delta| delta.name.clone()).collect();
        let (publisher, now) = (Arc::clone(&self.publisher), self.clock.now());
        let published =
            self.network.run(async move { publisher.publish_merged(&merged, &inputs, now).await });
        Ok(published?)
    }

    fn fold(&self, inputs: &FoldInputs) -> Result<()> {
        let upload = |file| self.upload(file);
        let entries = foldback_compactor::fold(self.reading(), inputs, upload)?;
        self.publish_base(entries)
    }

    fn reading(&self) -> Reading<'_> {
        let stopping = &self.shared.stopping;
        let making = self.making();
        Reading { history: &self.history, network: &self.network, making, stopping }
    }

    fn making(&self) -> Making {
        let newest = self.publisher.newest();
        Making { database: newest.database, born: newest.number }
    }

    fn publish_base(&self, entries: Vec<HistoryEntry>) -> Result<()> {
        let (publisher, now) = (Arc::clone(&self.publisher), self.clock.now());
        Ok(self.network.run(async move { publisher.publish_base(entries, now).await })?)
    }

    /// Writes the first base of a table from a view of the present.
    ///
    /// The log is sealed through that view first, so that the base never lies above what the
    /// bucket can restore of the catalog.
    fn write_base(&self, table: TableId) -> Result<()> {
        let view = self.present.view();
        // Opened at once: from here on the rows are kept, whatever is flushed meanwhile.
        let rows = view.range(table, &KeyRange::all())?;
        let (reply, answer) = oneshot::channel();
        self.to_writer.send(Request::Roll { reply }).map_err(|_| Error::Closed)?;
        foldback_compactor::wait_for(answer).unwrap_or(Err(Error::Closed))?;
        while let Some(Job::Seal(segment)) = self.next_job()? {
            self.seal(&segment)?;
        }
        if self.publisher.newest().sealed.seq < view.seq() {
            // The database is being closed; the base is written after the next opening.
            return Err(TierError::Interrupted.into());
        }
        let commit = self.commit(view.seq())?;
        let mut base = BaseWriter::new(self.making(), table, commit, self.policy.file_bytes_target);
        let mut entries = Vec::new();
        for row in rows {
            let (key, value) = row?;
            let (seq, timestamp) = (commit.seq, commit.timestamp);
            // The present keeps no seqs, so a row is stamped with the commit that it is the state
            // of.
            let row = EventRow { table, key: &key, seq, timestamp, value: Some(&value) };
            if let Some(file) = base.push(row)? {
                entries.push(self.upload(file)?);
            }
        }
        entries.push(self.upload(base.finish()?)?);
        self.publish_base(entries)
    }

    fn upload(&self, file: HistoryObject) -> Result<HistoryEntry, TierError> {
        let publisher = Arc::clone(&self.publisher);
        self.network.run(async move {
            publisher.upload(&file).await?;
            Ok(file.entry)
        })
    }

    /// The commit with this number, which is not younger than the last one.
    fn commit(&self, seq: Seq) -> Result<Commit> {
        if seq == Seq::ZERO {
            return Ok(Commit::ORIGIN);
        }
        let timeline = Timeline {
            segments: &self.log.segments(),
            manifest: &self.publisher.newest(),
            log: Some(&self.log.reader),
            history: &self.history,
            network: &self.network,
        };
        let found = timeline.get(seq)?;
        found.ok_or_else(|| Error::Lost(format!("commit #{seq} is in no segment and no delta")))
    }
}
