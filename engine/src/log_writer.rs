//! Writing the log: one at a time numbers, stamps, writes and syncs; the next one does so while the
//! commits of those before are applied, and they are shown and answered in the order of the log.
//!
//! Everything that must happen in commit order happens here: catalog changes are checked against
//! the catalog as it is at their commit, memtables are sealed between commits, segments are rolled
//! and removed. Callers hand over [`Request`]s through a bounded channel; all writes that wait
//! become one group, written at once and synced once.
//!
//! The log writer's thread carries requests out. A caller that waits for its commit anyway does so
//! itself if nobody else does, with what other callers have handed over: to wake a thread and be
//! woken by it takes longer than to sync a file. Many callers with small writes leave it to the
//! thread, which is awake then.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, TryLockError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use foldback_compactor::Pace;
use foldback_log_tier::local_log::{LocalLog, LogReader, SegmentInfo};
use foldback_log_tier::{Batch, Commit, CommittedBatch, Event, Seq, Timestamp};
use tokio::sync::oneshot;

use crate::Result;
use crate::catalog::{Catalog, CatalogChange};
use crate::clock::Clock;
use crate::config::Durability;
use crate::health::Health;
use crate::present::{Present, TableTree};
use crate::threads::{self, HaltOnPanic};

mod group;
mod showing;
mod writer;

use group::Group;
use showing::{Answers, AppliedGroup, Showing, Turn};
use writer::Writer;

/// Requests that wait; a full queue holds callers back.
const QUEUE_LENGTH: usize = 1024;

/// Where the answer to a write goes.
type Reply<T> = oneshot::Sender<Result<T>>;

/// What callers ask of the log writer.
#[derive(Debug)]
pub(crate) enum Request {
    /// Commit a batch, stamped with its own time if it has one.
    Write {
        batch: Batch,
        timestamp: Option<Timestamp>,
        durability: Durability,
        reply: Reply<Commit>,
    },
    /// Change the catalog; `trees` are those of the tables that are created.
    Catalog {
        change: CatalogChange,
        trees: Vec<Arc<TableTree>>,
        timestamp: Option<Timestamp>,
        reply: Reply<Commit>,
    },
    /// Stamp every later commit after this instant, and say what the last commit is.
    CloseInstant { at: Timestamp, reply: Reply<Commit> },
    /// Seal the active segment if it holds anything, and say what the last commit is.
    Roll { reply: Reply<Commit> },
    /// History holds every commit up to here: segments that no tree needs can go.
    Trim { sealed: Seq },
}

/// What the log writer shows to other threads.
#[derive(Debug)]
pub(crate) struct LogView {
    segments: RwLock<Arc<Vec<SegmentInfo>>>,
    catalog: RwLock<Arc<Catalog>>,
    /// Opens segments for reading.
    pub(crate) reader: LogReader,
}

impl LogView {
    fn new(log: &LocalLog, catalog: Arc<Catalog>) -> Self {
        Self {
            segments: RwLock::new(Arc::new(log.segments())),
            catalog: RwLock::new(catalog),
            reader: log.reader(),
        }
    }

    /// The local segments up to the last visible commit, the active one last.
    pub(crate) fn segments(&self) -> Arc<Vec<SegmentInfo>> {
        Arc::clone(&self.segments.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The catalog as of the last visible commit.
    pub(crate) fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.catalog.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The last visible commit.
    pub(crate) fn tip(&self) -> Commit {
        let segments = self.segments();
        let active = segments.last().expect("there is always an active segment");
        Commit { seq: active.last, timestamp: active.last_timestamp }
    }

    /// Applies commits that were written, and shows them with the segments that hold them.
    fn apply_and_show(
        &self,
        present: &Present,
        batches: &mut [CommittedBatch],
        segments: Vec<SegmentInfo>,
    ) {
        present.apply(batches);
        present.publish(batches.last().expect("a group is not empty").commit.seq);
        self.show_segments(segments);
    }

    fn show_segments(&self, segments: Vec<SegmentInfo>) {
        *self.segments.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(segments);
    }

    fn show_catalog(&self, catalog: Arc<Catalog>) {
        *self.catalog.write().unwrap_or_else(PoisonError::into_inner) = catalog;
    }
}

/// What the log writer works with.
#[derive(Debug)]
pub(crate) struct LogWriterParts {
    pub(crate) log: LocalLog,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) present: Arc<Present>,
    pub(crate) health: Arc<Health>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) segment_age_max: Duration,
    pub(crate) memtable_bytes_max: u64,
    /// Told of each group of commits, so that long jobs give way.
    pub(crate) pace: Arc<Pace>,
    /// Told each time a segment is sealed.
    pub(crate) segment_sealed: Sender<()>,
}

/// Owns the log writer's thread; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct LogWriter {
    desk: Arc<LogDesk>,
    thread: Option<JoinHandle<()>>,
}

impl LogWriter {
    /// Starts the thread.
    pub(crate) fn start(parts: LogWriterParts) -> (Self, Arc<LogView>) {
        let view = Arc::new(LogView::new(&parts.log, Arc::clone(&parts.catalog)));
        let (requests, queue) = crossbeam_channel::bounded(QUEUE_LENGTH);
        let (wake, woken) = crossbeam_channel::bounded(1);
        let desk = Arc::new(LogDesk {
            requests,
            wake,
            stopping: AtomicBool::new(false),
            health: Arc::clone(&parts.health),
            present: Arc::clone(&parts.present),
            showing: Arc::new(Showing::new(
                Arc::clone(&view),
                Arc::clone(&parts.present),
                Arc::clone(&parts.health),
            )),
            callers_write: AtomicBool::new(true),
            writer: Mutex::new(Writer::new(parts, Arc::clone(&view), queue)),
        });
        let (health, of_thread) = (Arc::clone(&desk.health), Arc::clone(&desk));
        let thread = threads::spawn("foldback-log-writer", health, move || of_thread.run(&woken));
        (Self { desk, thread: Some(thread) }, view)
    }

    /// Where requests are handed over.
    pub(crate) fn desk(&self) -> &Arc<LogDesk> {
        &self.desk
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        self.desk.stopping.store(true, Ordering::Release);
        self.desk.wake();
        threads::join(self.thread.take());
    }
}

/// Where requests are handed over, and carried out.
///
/// Whoever holds `writer` numbers and writes commits. They get their turn to be shown before it is
/// let go, and are applied after it. Who holds it, and waits until `showing` has caught up, finds
/// every commit that was written applied and shown.
pub(crate) struct LogDesk {
    requests: Sender<Request>,
    /// Tells the thread that there is something to do.
    wake: Sender<()>,
    stopping: AtomicBool,
    health: Arc<Health>,
    present: Arc<Present>,
    showing: Arc<Showing>,
    /// Whether the last group was one that callers had better write themselves.
    callers_write: AtomicBool,
    writer: Mutex<Writer>,
}

/// A group that was written, and is to be applied.
struct WrittenGroup {
    turn: Turn,
    batches: Vec<CommittedBatch>,
    to_show: AppliedGroup,
}

impl std::fmt::Debug for LogDesk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogDesk").field("waiting", &self.requests.len()).finish_non_exhaustive()
    }
}

/// Refuses all requests from here on, however the thread ended.
struct CloseAtEnd<'a>(&'a LogDesk);

impl Drop for CloseAtEnd<'_> {
    fn drop(&mut self) {
        self.0.lock().close();
    }
}

/// Has the thread refuse those that wait, if a caller dies that writes for them.
struct WakeOnPanic<'a>(&'a LogDesk);

impl Drop for WakeOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.wake();
        }
    }
}

impl LogDesk {
    /// Hands a request over to the thread; waits while the queue is full.
    ///
    /// If the thread is gone the request is dropped, and with it the way its answer would take.
    pub(crate) fn send(&self, request: Request) {
        if self.requests.send(request).is_ok() {
            self.wake();
        }
    }

    /// Hands a request over, for a caller that waits for its answer: if nobody is writing, the
    /// caller carries it out itself. But where groups are of many small writes, it leaves them to
    /// the thread: between two callers that write, one has to be woken while nothing goes on.
    pub(crate) fn carry_out(&self, request: Request) {
        let _wake = WakeOnPanic(self);
        if self.requests.send(request).is_err() {
            return;
        }
        if !self.callers_write.load(Ordering::Relaxed) {
            return self.wake();
        }
        match self.writer.try_lock() {
            Ok(writer) => {
                self.serve_next(writer);
            }
            // Whoever writes looks for what was handed over meanwhile when it is done.
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Poisoned(_)) => self.wake(),
        }
    }

    /// What the thread does.
    fn run(&self, woken: &Receiver<()>) {
        let _close = CloseAtEnd(self);
        loop {
            let due = self.serve_all();
            if self.stopping.load(Ordering::Acquire) {
                return;
            }
            // Whether it was woken or something is due: both are looked at next.
            let _ = match due {
                Some(due) => woken.recv_deadline(due).is_ok(),
                None => woken.recv().is_ok(),
            };
        }
    }

    /// Carries out all requests that wait; gives the time by which the segment is to be rolled.
    fn serve_all(&self) -> Option<Instant> {
        loop {
            let mut writer = self.lock();
            // A queue that is never empty must not put off what is due.
            if writer.is_roll_due() {
                self.showing.catch_up();
                let _halt = HaltOnPanic::new("that wrote the log", &self.health);
                writer.roll_or_halt();
            }
            let due = writer.roll_due();
            if !self.serve_next(writer) {
                return due;
            }
        }
    }

    /// Carries out the request that comes next, a write with all writes behind it; false if there
    /// is none.
    fn serve_next(&self, mut writer: MutexGuard<'_, Writer>) -> bool {
        let _halt = HaltOnPanic::new("that wrote the log", &self.health);
        match writer.next_request() {
            None => {
                self.release(writer);
                return false;
            }
            Some(Request::Write { batch, timestamp, durability, reply }) => {
                let mut group = Group::default();
                group.push(batch, timestamp, durability, reply);
                writer.fill(&mut group);
                self.callers_write.store(group.is_for_callers(), Ordering::Relaxed);
                self.commit_group(writer, group);
            }
            Some(other) => {
                self.showing.catch_up();
                writer.serve(other);
                self.release(writer);
            }
        }
        true
    }

    /// Numbers, stamps, writes and syncs the writes of a group, and has them applied, shown and
    /// answered.
    fn commit_group(&self, mut writer: MutexGuard<'_, Writer>, group: Group) {
        let _halt = HaltOnPanic::new("that wrote the log", &self.health);
        let was_empty = writer.roll_due().is_none();
        let synced = group.synced;
        let (batches, replies) = writer.admit_all(group);
        let Some(last) = batches.last().map(|committed| committed.commit.seq) else {
            return self.release(writer);
        };
        match writer.append(&batches, synced) {
            Ok(segments) => {
                if was_empty {
                    // The thread has to know by when the segment is to be rolled.
                    self.wake();
                }
                let to_show = AppliedGroup { last, segments, replies };
                let turn = self.showing.turn();
                let group = WrittenGroup { turn, batches, to_show };
                match writer.has_aftermath() {
                    true => self.apply_with_aftermath(writer, group),
                    false => {
                        self.release(writer);
                        self.apply(group).give();
                    }
                }
            }
            Err(_) => {
                self.release(writer);
                for (reply, commit) in replies {
                    let _ = reply.send(self.health.check().map(|()| commit));
                }
            }
        }
    }

    /// Applies commits, and has them shown when their turn comes.
    fn apply(&self, group: WrittenGroup) -> Answers {
        let WrittenGroup { turn, mut batches, to_show } = group;
        // It is let go before the turn: nobody shows what was left half done.
        let halt = HaltOnPanic::new("that applied commits", &self.health);
        self.present.apply(&mut batches);
        drop(halt);
        turn.end(to_show)
    }

    /// Does what follows from some commits between them and the next ones.
    fn apply_with_aftermath(&self, mut writer: MutexGuard<'_, Writer>, group: WrittenGroup) {
        // It is let go before the writer is.
        let _halt = HaltOnPanic::new("that wrote the log", &self.health);
        let answers = self.apply(group);
        self.showing.catch_up();
        // If it fails, the database halts, and says so from here on.
        let _ = writer.do_aftermath();
        self.release(writer);
        answers.give();
    }

    /// Lets the next one write.
    fn release(&self, writer: MutexGuard<'_, Writer>) {
        let more = writer.has_waiting();
        drop(writer);
        // Callers that wait have seen that somebody writes, and rely on being seen in turn.
        if more || !self.requests.is_empty() {
            self.wake();
        }
    }

    fn wake(&self) {
        // A full channel means that it has been told already.
        let _ = self.wake.try_send(());
    }

    /// If whoever held it has died, the database has halted, and the writer refuses everything.
    fn lock(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes of an event's key and value.
pub(crate) fn event_bytes(event: &Event) -> u64 {
    let value_bytes = event.change.value().map_or(0, bytes::Bytes::len);
    u64::try_from(event.key.len() + value_bytes).expect("lengths fit 64 bits")
}
