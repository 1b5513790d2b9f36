//! The replay of a log into the trees of tables: one thread reads ahead, while others apply.

use std::sync::Arc;

use crossbeam_channel::Sender;
use foldback_log_tier::frame::EventRef;
use foldback_log_tier::local_log::{LocalLog, LogReader, SegmentInfo};
use foldback_log_tier::{Commit, Seq};

use crate::present::{ReplayedEvents, TableTree};
use crate::{Error, Result};

/// Bytes of keys and values that are applied at once: the more there are, the more they share their
/// way down the memtable.
const GROUP_BYTES_MAX: u64 = 32 << 20;
/// Events that are applied at once, if they are small.
const GROUP_EVENTS_MAX: u64 = 256 << 10;
/// Groups that wait to be applied while the next one is read.
const GROUPS_WAITING: usize = 1;

/// A tree, and the commit up to which it holds everything.
pub(super) struct Behind {
    pub(super) tree: Arc<TableTree>,
    pub(super) position: Seq,
}

/// Applies to each tree the events after its position; returns the number of commits applied.
///
/// Trees are flushed on the way, so that a long log needs no more memory than writing it did.
pub(super) fn replay_trees(
    log: &LocalLog,
    mut behind: Vec<Behind>,
    memtable_bytes_max: u64,
) -> Result<u64> {
    behind.sort_unstable_by_key(|it| it.tree.id());
    let first = behind.iter().map(|it| it.position).min().unwrap_or(Seq::MAX);
    let segments = log.segments();
    let segments: Vec<_> = segments.into_iter().filter(|info| info.last > first).collect();
    if segments.is_empty() {
        return Ok(0);
    }
    let reader = log.reader();
    std::thread::scope(|scope| {
        let (full, groups) = crossbeam_channel::bounded(GROUPS_WAITING);
        let group = Group::of(behind.iter().map(|_| ReplayedEvents::default()).collect());
        let group_bytes = GROUP_BYTES_MAX.min(memtable_bytes_max / 2);
        let reading = Reading { behind: &behind, at: 0, group, group_bytes, commits: 0, full };
        let builder = std::thread::Builder::new().name("foldback-replayer".to_owned());
        let read = builder.spawn_scoped(scope, move || reading.read_all(&reader, &segments));
        let read = read.expect("the operating system gives a thread");
        let mut unflushed_bytes = 0;
        // An error lets go of the channel, and with it of the reader.
        for group in groups {
            unflushed_bytes += group.bytes;
            let reached = group.apply(&behind);
            if unflushed_bytes >= memtable_bytes_max / 2 {
                unflushed_bytes = 0;
                flush_all(&behind, reached)?;
            }
        }
        read.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn flush_all(behind: &[Behind], reached: Seq) -> Result<()> {
    behind.iter().try_for_each(|Behind { tree, .. }| {
        tree.seal_memtable(reached);
        tree.flush(|| reached)
    })
}

/// Commits that are applied together, sorted by table and by key.
struct Group {
    /// Of each tree, in their order.
    events: Vec<ReplayedEvents>,
    count: u64,
    bytes: u64,
    /// The last commit of which there are events.
    last: Seq,
}

impl Group {
    fn of(events: Vec<ReplayedEvents>) -> Self {
        Self { events, count: 0, bytes: 0, last: Seq::ZERO }
    }

    /// Applies all of it; returns the commit that is reached then.
    fn apply(self, behind: &[Behind]) -> Seq {
        for (mut events, Behind { tree, .. }) in self.events.into_iter().zip(behind) {
            events.apply(tree);
        }
        self.last
    }
}

/// Reads the log, and hands over group by group.
struct Reading<'a> {
    /// Ascending by table.
    behind: &'a [Behind],
    /// Where in it the last event's table is, as the next one is often of the same.
    at: usize,
    group: Group,
    /// How many bytes a group may have.
    group_bytes: u64,
    commits: u64,
    full: Sender<Group>,
}

impl Reading<'_> {
    /// Returns how many commits there were.
    fn read_all(mut self, reader: &LogReader, segments: &[SegmentInfo]) -> Result<u64> {
        for info in segments {
            reader.visit_segment(info, |commit, event| self.take(commit, event))?;
        }
        self.hand_over()?;
        Ok(self.commits)
    }

    fn take(&mut self, commit: Commit, event: EventRef<'_>) -> Result<()> {
        if self.behind.get(self.at).is_none_or(|it| it.tree.id() != event.table) {
            let found = self.behind.binary_search_by_key(&event.table, |it| it.tree.id());
            // The catalog has been replayed, and tables that were dropped since have no tree.
            let Ok(at) = found else { return Ok(()) };
            self.at = at;
        }
        if commit.seq <= self.behind[self.at].position {
            return Ok(());
        }
        if commit.seq > self.group.last {
            // A group ends between two commits.
            let Group { bytes, count, .. } = self.group;
            if bytes >= self.group_bytes || count >= GROUP_EVENTS_MAX {
                self.hand_over()?;
            }
            self.commits += 1;
            self.group.last = commit.seq;
        }
        let bytes = event.key.len() + event.value.map_or(0, <[u8]>::len);
        self.group.bytes += u64::try_from(bytes).expect("lengths fit 64 bits");
        self.group.count += 1;
        self.group.events[self.at].push(commit.seq, event);
        Ok(())
    }

    fn hand_over(&mut self) -> Result<()> {
        let next = Group::of(self.group.events.iter().map(ReplayedEvents::another).collect());
        let mut group = std::mem::replace(&mut self.group, next);
        self.group.last = group.last;
        group.events.iter_mut().for_each(ReplayedEvents::sort);
        // Whoever applies has left only if that failed, which is the error to tell.
        self.full.send(group).map_err(|_| Error::Closed)
    }
}
