//! The state of the log's writer: which commit is next, and what has to happen around it.

use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::Receiver;
use foldback_log_tier::local_log::SegmentInfo;
use foldback_log_tier::{Batch, Commit, CommittedBatch, Event, Seq, TableId, Timestamp};

use super::group::Group;
use super::{LogView, LogWriterParts, Reply, Request, event_bytes};
use crate::catalog::{Catalog, CatalogChange};
use crate::clock::steady_now;
use crate::config::{BATCH_BYTES_MAX, BATCH_EVENTS_MAX};
use crate::present::TableTree;
use crate::{Error, Result};

/// Sealed segments that a tree may need for its replay before it is made to flush.
const REPLAY_SEGMENTS_MAX: usize = 4;

/// Memtables that share the limit: one that fills, one that is flushed, and two that a compaction
/// holds on to, as lsm-tree keeps in memory what there was when it began.
const MEMTABLES: u64 = 4;

/// What whoever writes the log works with.
pub(super) struct Writer {
    parts: LogWriterParts,
    view: Arc<LogView>,
    /// Absent once the database is closed.
    queue: Option<Receiver<Request>>,
    /// The request that ended the last group.
    waiting: Option<Request>,
    /// The last commit that was written.
    last: Commit,
    /// No later commit may be stamped before this.
    floor: Timestamp,
    /// When the first commit of the active segment was written.
    active_since: Option<Instant>,
    /// Bytes written since memtables were last sealed.
    unsealed_bytes: u64,
    /// History holds every commit up to here.
    sealed: Seq,
    /// Whether the last commits have rolled the log.
    has_rolled: bool,
}

/// The batches of a group, numbered, and where their answers go.
type Admitted = (Vec<CommittedBatch>, Vec<(Reply<Commit>, Commit)>);

impl Writer {
    pub(super) fn new(parts: LogWriterParts, view: Arc<LogView>, queue: Receiver<Request>) -> Self {
        let last = parts.log.tip();
        let holds_commits = parts.log.segments().last().is_some_and(|info| info.first <= info.last);
        Self {
            view,
            queue: Some(queue),
            waiting: None,
            last,
            floor: last.timestamp,
            active_since: holds_commits.then(steady_now),
            unsealed_bytes: 0,
            sealed: Seq::ZERO,
            has_rolled: false,
            parts,
        }
    }

    /// The request that comes next, if one waits.
    pub(super) fn next_request(&mut self) -> Option<Request> {
        self.waiting.take().or_else(|| self.queue.as_ref()?.try_recv().ok())
    }

    /// Fills a group with the writes that wait.
    pub(super) fn fill(&mut self, group: &mut Group) {
        self.waiting = self.queue.as_ref().and_then(|queue| group.drain(queue));
    }

    /// Whether a request was taken off the queue, and has not been carried out.
    pub(super) fn has_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// By when the active segment is to be rolled, if it holds anything.
    pub(super) fn roll_due(&self) -> Option<Instant> {
        let since = self.active_since.filter(|_| self.parts.health.halted().is_none());
        since.and_then(|since| since.checked_add(self.parts.segment_age_max))
    }

    pub(super) fn is_roll_due(&self) -> bool {
        self.roll_due().is_some_and(|due| due <= steady_now())
    }

    /// Seals the active segment; all commits are applied.
    pub(super) fn roll_or_halt(&mut self) {
        let _ = self.guarded(Self::roll);
    }

    /// Carries out a request that is no write; all commits are applied.
    pub(super) fn serve(&mut self, request: Request) {
        match request {
            Request::Write { .. } => unreachable!("writes go in groups"),
            Request::Catalog { change, trees, timestamp, reply } => {
                let done = self.change_catalog(change, trees, timestamp);
                let _ = reply.send(done);
            }
            Request::CloseInstant { at, reply } => {
                self.floor = self.floor.max(at.saturating_add_micros(1));
                let _ = reply.send(Ok(self.last));
            }
            Request::Roll { reply } => {
                let done = self.guarded(Self::roll).map(|()| self.last);
                let _ = reply.send(done);
            }
            Request::Trim { sealed } => {
                self.sealed = self.sealed.max(sealed);
                let _ = self.guarded(Self::trim);
            }
        }
    }

    /// Gives each write of a group its place, or its refusal.
    pub(super) fn admit_all(&self, group: Group) -> Admitted {
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
        (batches, replies)
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
            writer.write(CommittedBatch { commit, batch: Batch { events } })?;
            writer.view.show_catalog(Arc::clone(&writer.parts.catalog));
            dropped.into_iter().for_each(|id: TableId| writer.parts.present.retire(id));
            Ok(commit)
        })
    }

    /// Writes numbered batches to the log; gives its segments as they are then. They are still to
    /// be applied and shown, and what [`Self::has_aftermath`] tells of is to be done then.
    pub(super) fn append(
        &mut self,
        batches: &[CommittedBatch],
        synced: bool,
    ) -> Result<Vec<SegmentInfo>> {
        self.guarded(|writer| writer.append_unguarded(batches, synced))
    }

    fn append_unguarded(
        &mut self,
        batches: &[CommittedBatch],
        synced: bool,
    ) -> Result<Vec<SegmentInfo>> {
        self.parts.pace.note_foreground();
        let segments_before = self.view.segments().len();
        self.parts.log.append(batches)?;
        if synced {
            self.parts.log.sync()?;
        }
        let events = batches.iter().flat_map(|committed| &committed.batch.events);
        self.unsealed_bytes += events.map(event_bytes).sum::<u64>();
        self.last = batches.last().map_or(self.last, |committed| committed.commit);
        self.active_since.get_or_insert_with(steady_now);
        let segments = self.parts.log.segments();
        self.has_rolled = segments.len() > segments_before;
        Ok(segments)
    }

    /// Whether the commits that were written last have filled a segment or the memtables.
    pub(super) fn has_aftermath(&self) -> bool {
        self.has_rolled || self.are_memtables_full()
    }

    /// Does what follows from that; all commits are applied.
    pub(super) fn do_aftermath(&mut self) -> Result<()> {
        self.guarded(Self::aftermath)
    }

    fn aftermath(&mut self) -> Result<()> {
        if std::mem::take(&mut self.has_rolled) {
            self.after_roll()?;
            // The commits that came after those of the sealed segment are in the active one.
            self.active_since = Some(steady_now());
        }
        if self.are_memtables_full() {
            self.seal_largest_memtables()?;
        }
        Ok(())
    }

    /// Writes the commit of a catalog change to the log, then to the present, and shows it.
    fn write(&mut self, committed: CommittedBatch) -> Result<()> {
        let mut batches = [committed];
        let segments = self.append_unguarded(&batches, true)?;
        self.view.apply_and_show(&self.parts.present, &mut batches, segments);
        self.aftermath()
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

    /// Whether as much was written since memtables were sealed as is to be in memory.
    fn are_memtables_full(&self) -> bool {
        self.unsealed_bytes >= self.parts.memtable_bytes_max / MEMTABLES
    }

    /// Seals most of what memory holds, the largest memtables first, once what was sealed before is
    /// on disk: so memtables never take more than their limit.
    fn seal_largest_memtables(&mut self) -> Result<()> {
        let present = Arc::clone(&self.parts.present);
        loop {
            let seen = present.flushing.count();
            self.parts.health.check()?;
            if !present.trees().iter().any(|tree| tree.has_sealed() || tree.is_crowded()) {
                break;
            }
            present.flushing.wait_past(seen);
        }
        let mut trees = present.trees();
        trees.sort_by_key(|tree| std::cmp::Reverse(tree.memtable_bytes()));
        let mut left = trees.iter().map(|tree| tree.memtable_bytes()).sum::<u64>();
        let enough = self.parts.memtable_bytes_max / MEMTABLES / 4;
        let largest: Vec<_> = trees
            .into_iter()
            .take_while(|tree| {
                let more = left > enough;
                left -= tree.memtable_bytes();
                more
            })
            .collect();
        self.unsealed_bytes = 0;
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

    /// Makes what was acknowledged durable, and drops all requests: whoever waits for an answer, or
    /// asks for one later, hears that the database is closed.
    pub(super) fn close(&mut self) {
        if self.queue.is_some() {
            let _ = self.guarded(|writer| Ok(writer.parts.log.sync()?));
        }
        (self.queue, self.waiting) = (None, None);
    }

    /// Does something that leaves the log or the present unsure if it fails: then all writing
    /// stops for good.
    fn guarded<T>(&mut self, act: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.parts.health.check()?;
        act(self).inspect_err(|error| self.parts.health.halt(error.to_string()))
    }
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
