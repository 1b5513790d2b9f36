//! The one thread that writes the log: it numbers, stamps, writes, syncs, applies and answers.
//!
//! Everything that must happen in commit order happens here: catalog changes are checked against
//! the catalog as it is at their commit, memtables are sealed between commits, segments are rolled
//! and removed. Callers hand over [`Request`]s through a bounded channel; all writes that wait
//! become one group, written at once and synced once.

use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use foldback_compactor::Pace;
use foldback_log_tier::local_log::{LocalLog, LogReader, SegmentInfo};
use foldback_log_tier::{Batch, Commit, CommittedBatch, Event, Seq, TableId, Timestamp};
use tokio::sync::oneshot;

use crate::catalog::{Catalog, CatalogChange};
use crate::clock::{Clock, steady_now};
use crate::config::{BATCH_BYTES_MAX, BATCH_EVENTS_MAX, Durability};
use crate::health::Health;
use crate::present::{Present, TableTree};
use crate::{Error, Result, threads};

mod group;

use group::Group;

/// Requests that wait; a full queue holds callers back.
const QUEUE_LENGTH: usize = 1024;
/// Sealed segments that a tree may need for its replay before it is made to flush.
const REPLAY_SEGMENTS_MAX: usize = 4;

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
    /// End the thread.
    Stop,
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
    requests: Sender<Request>,
    thread: Option<JoinHandle<()>>,
}

impl LogWriter {
    /// Starts the thread.
    pub(crate) fn start(parts: LogWriterParts) -> (Self, Arc<LogView>) {
        let (requests, queue) = crossbeam_channel::bounded(QUEUE_LENGTH);
        let view = Arc::new(LogView {
            segments: RwLock::new(Arc::new(parts.log.segments())),
            catalog: RwLock::new(Arc::clone(&parts.catalog)),
            reader: parts.log.reader(),
        });
        let health = Arc::clone(&parts.health);
        let state = Writer::new(parts, Arc::clone(&view));
        let thread = threads::spawn("foldback-log-writer", health, move || state.run(&queue));
        (Self { requests, thread: Some(thread) }, view)
    }

    /// Hands a request over; waits while the queue is full.
    ///
    /// If the thread is gone the request is dropped, and with it the way its answer would take.
    pub(crate) fn send(&self, request: Request) {
        let _ = self.requests.send(request);
    }

    /// A way for another thread to hand requests over.
    pub(crate) fn sender(&self) -> Sender<Request> {
        self.requests.clone()
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        self.send(Request::Stop);
        threads::join(self.thread.take());
    }
}

/// The state of the thread.
struct Writer {
    parts: LogWriterParts,
    view: Arc<LogView>,
    /// The last commit that was written.
    last: Commit,
    /// No later commit may be stamped before this.
    floor: Timestamp,
    /// When the first commit of the active segment was written.
    active_since: Option<Instant>,
    /// Bytes applied to memtables since some were last sealed.
    applied_bytes: u64,
    /// History holds every commit up to here.
    sealed: Seq,
}

impl Writer {
    fn new(parts: LogWriterParts, view: Arc<LogView>) -> Self {
        let last = parts.log.tip();
        let holds_commits = parts.log.segments().last().is_some_and(|info| info.first <= info.last);
        Self {
            view,
            last,
            floor: last.timestamp,
            active_since: holds_commits.then(steady_now),
            applied_bytes: 0,
            sealed: Seq::ZERO,
            parts,
        }
    }

    fn run(mut self, queue: &Receiver<Request>) {
        let mut waiting = None;
        loop {
            let request = match waiting.take() {
                Some(request) => Ok(request),
                None => self.receive(queue),
            };
            match request {
                Ok(Request::Stop) | Err(RecvTimeoutError::Disconnected) => return self.close(),
                Ok(Request::Write { batch, timestamp, durability, reply }) => {
                    let mut group = Group::default();
                    group.push(batch, timestamp, durability, reply);
                    waiting = group.drain(queue);
                    self.commit_group(group);
                }
                Ok(Request::Catalog { change, trees, timestamp, reply }) => {
                    let done = self.change_catalog(change, trees, timestamp);
                    let _ = reply.send(done);
                }
                Ok(Request::CloseInstant { at, reply }) => {
                    self.floor = self.floor.max(at.saturating_add_micros(1));
                    let _ = reply.send(Ok(self.last));
                }
                Ok(Request::Roll { reply }) => {
                    let done = self.guarded(Self::roll).map(|()| self.last);
                    let _ = reply.send(done);
                }
                Ok(Request::Trim { sealed }) => {
                    self.sealed = self.sealed.max(sealed);
                    let _ = self.guarded(Self::trim);
                }
                Err(RecvTimeoutError::Timeout) => drop(self.guarded(Self::roll)),
            }
        }
    }

    /// The next request, or a timeout when the active segment is due to be rolled.
    fn receive(&self, queue: &Receiver<Request>) -> Result<Request, RecvTimeoutError> {
        let due = self.active_since.and_then(|since| since.checked_add(self.parts.segment_age_max));
        match due {
            // A queue that is never empty must not put off what is due.
            Some(due) if self.parts.health.halted().is_none() && due <= steady_now() => {
                Err(RecvTimeoutError::Timeout)
            }
            Some(due) if self.parts.health.halted().is_none() => queue.recv_deadline(due),
            _ => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    /// Numbers, stamps, writes, syncs and applies the writes of a group, then answers them.
    fn commit_group(&mut self, group: Group) {
        let synced = group.synced;
        let (mut batches, mut replies) = (Vec::new(), Vec::new());
        let mut last = self.last;
        for write in group.writes {
            match self.admit(&write.batch, write.timestamp, last) {
                Ok(commit) => {
                    last = commit;
                    batches.push(CommittedBatch { commit, batch: write.batch });
                    replies.push((write.reply, commit));
                }
                Err(error) => drop(write.reply.send(Err(error))),
            }
        }
        if batches.is_empty() {
            return;
        }
        let done = self.guarded(|writer| writer.write(&batches, synced));
        for (reply, commit) in replies {
            let answer = match &done {
                Ok(()) => Ok(commit),
                Err(_) => self.parts.health.check().map(|()| commit),
            };
            let _ = reply.send(answer);
        }
    }

    /// Checks a write against the catalog and the clock, and gives it its place after `last`.
    fn admit(&self, batch: &Batch, timestamp: Option<Timestamp>, last: Commit) -> Result<Commit> {
        self.parts.health.check()?;
        let dropped = batch.events.iter().find(|event| !self.parts.catalog.is_live(event.table));
        if let Some(event) = dropped {
            self.parts.catalog.live_by_id(event.table)?;
        }
        self.next_commit(timestamp, last)
    }

    /// The commit after `last`: stamped with `timestamp` if given, else with the clock, held at
    /// the last commit's if the clock stands before it.
    fn next_commit(&self, timestamp: Option<Timestamp>, last: Commit) -> Result<Commit> {
        let least = last.timestamp.max(self.floor);
        let stamped = match timestamp {
            Some(asked) if asked < least => {
                return Err(Error::TimeGoesBack { asked, last: least, last_seq: last.seq });
            }
            Some(asked) => asked,
            None => self.parts.clock.now().max(least),
        };
        assert!(last.seq < Seq::MAX, "the database is out of seqs");
        Ok(Commit { seq: last.seq.next(), timestamp: stamped })
    }

    /// Makes a catalog change a commit of its own, so that it sees every commit before it applied.
    fn change_catalog(
        &mut self,
        mut change: CatalogChange,
        trees: Vec<Arc<TableTree>>,
        timestamp: Option<Timestamp>,
    ) -> Result<Commit> {
        self.parts.health.check()?;
        let commit = self.next_commit(timestamp, self.last)?;
        if let CatalogChange::Protect { id, starts_empty, .. } = &mut change {
            self.parts.catalog.live_by_id(*id)?;
            *starts_empty = self.parts.present.tree(*id)?.is_empty(self.last.seq)?;
        }
        let mut catalog = Catalog::clone(&self.parts.catalog);
        let dropped = match &change {
            CatalogChange::Drop { id } => Some(*id),
            _ => None,
        };
        let events = catalog.apply(change, commit)?;
        check_change(&events)?;
        self.guarded(|writer| {
            // Trees are served before the commit shows, and retired after it.
            trees.into_iter().for_each(|tree| writer.parts.present.serve(tree));
            writer.parts.catalog = Arc::new(catalog);
            writer.write(&[CommittedBatch { commit, batch: Batch { events } }], true)?;
            writer.view.show_catalog(Arc::clone(&writer.parts.catalog));
            dropped.into_iter().for_each(|id: TableId| writer.parts.present.retire(id));
            Ok(commit)
        })
    }

    /// Writes numbered batches to the log, then to the present, and shows them.
    fn write(&mut self, batches: &[CommittedBatch], synced: bool) -> Result<()> {
        self.parts.pace.note_foreground();
        let segments_before = self.view.segments().len();
        self.parts.log.append(batches)?;
        if synced {
            self.parts.log.sync()?;
        }
        for committed in batches {
            self.parts.present.apply(committed);
            self.last = committed.commit;
            self.applied_bytes += committed.batch.events.iter().map(event_bytes).sum::<u64>();
        }
        self.parts.present.publish(self.last.seq);
        let segments = self.parts.log.segments();
        let has_rolled = segments.len() > segments_before;
        self.view.show_segments(segments);
        if has_rolled {
            self.after_roll()?;
        }
        self.active_since.get_or_insert_with(steady_now);
        if self.applied_bytes >= self.parts.memtable_bytes_max / 2 {
            self.seal_largest_memtables()?;
        }
        Ok(())
    }

    /// Seals the active segment if it holds anything.
    fn roll(&mut self) -> Result<()> {
        if self.active_since.is_none() {
            return Ok(());
        }
        self.parts.log.roll()?;
        self.active_since = None;
        self.view.show_segments(self.parts.log.segments());
        self.after_roll()
    }

    /// Tells the compactor, and makes trees flush what would keep too many segments alive.
    fn after_roll(&mut self) -> Result<()> {
        self.active_since = None;
        // A full channel means that the compactor has been told already.
        let _ = self.parts.segment_sealed.try_send(());
        let segments = self.parts.log.segments();
        let Some(oldest_kept) = segments.len().checked_sub(REPLAY_SEGMENTS_MAX + 1) else {
            return self.trim();
        };
        let needed_from = segments[oldest_kept].first;
        let lags = |tree: &Arc<TableTree>| tree.first_unflushed().is_some_and(|s| s < needed_from);
        let lagging: Vec<_> = self.parts.present.trees().into_iter().filter(lags).collect();
        self.seal_memtables(&lagging)?;
        self.trim()
    }

    /// Removes segments that history holds and no tree needs.
    fn trim(&mut self) -> Result<()> {
        let through = self.sealed.min(self.parts.present.flushed_through());
        if self.parts.log.remove_through(through)? > 0 {
            self.view.show_segments(self.parts.log.segments());
        }
        Ok(())
    }

    /// Frees half of the memory for memtables, the largest first, once what was sealed before is
    /// on disk: so memtables never take more than their limit.
    fn seal_largest_memtables(&mut self) -> Result<()> {
        let present = Arc::clone(&self.parts.present);
        loop {
            let seen = present.flushing.count();
            self.parts.health.check()?;
            if !present.trees().iter().any(|tree| tree.has_sealed()) {
                break;
            }
            present.flushing.wait_past(seen);
        }
        let mut trees = present.trees();
        trees.sort_by_key(|tree| std::cmp::Reverse(tree.memtable_bytes()));
        let mut left = trees.iter().map(|tree| tree.memtable_bytes()).sum::<u64>();
        let enough = self.parts.memtable_bytes_max / 8;
        let largest: Vec<_> = trees
            .into_iter()
            .take_while(|tree| {
                let more = left > enough;
                left -= tree.memtable_bytes();
                more
            })
            .collect();
        self.applied_bytes = 0;
        self.seal_memtables(&largest)
    }

    /// Seals these trees' memtables at the last commit, which is made durable first.
    fn seal_memtables(&mut self, trees: &[Arc<TableTree>]) -> Result<()> {
        if trees.is_empty() {
            return Ok(());
        }
        self.parts.log.sync()?;
        for tree in trees {
            tree.seal_memtable(self.last.seq);
        }
        self.parts.present.flushing.raise();
        Ok(())
    }

    /// Makes what was acknowledged durable before the thread ends.
    fn close(mut self) {
        let _ = self.guarded(|writer| Ok(writer.parts.log.sync()?));
        // Whoever still waits finds the queue gone, and hears that the database is closed.
    }

    /// Does something that leaves the log or the present unsure if it fails: then all writing
    /// stops for good.
    fn guarded<T>(&mut self, act: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.parts.health.check()?;
        act(self).inspect_err(|error| self.parts.health.halt(error.to_string()))
    }
}

/// Bytes of an event's key and value.
pub(crate) fn event_bytes(event: &Event) -> u64 {
    let value_bytes = event.change.value().map_or(0, bytes::Bytes::len);
    u64::try_from(event.key.len() + value_bytes).expect("lengths fit 64 bits")
}

/// Refuses what can't be one commit, before anything is changed: history has one event a key in
/// each, and the log has frames of a bounded size.
fn check_change(events: &[Event]) -> Result<()> {
    let keys: std::collections::BTreeSet<_> = events.iter().map(|event| &event.key).collect();
    assert_eq!(keys.len(), events.len(), "a change to the catalog has one event a key");
    let bytes: u64 = events.iter().map(event_bytes).sum();
    let fits = usize::try_from(bytes).is_ok_and(|bytes| bytes <= BATCH_BYTES_MAX);
    match fits && events.len() <= BATCH_EVENTS_MAX {
        true => Ok(()),
        false => Err(Error::Invalid(format!(
            "this change to the catalog has {} records of {bytes} bytes together, and one commit \
             holds {BATCH_EVENTS_MAX} of {BATCH_BYTES_MAX} bytes; nothing was changed; do it in \
             parts",
            events.len()
        ))),
    }
}
