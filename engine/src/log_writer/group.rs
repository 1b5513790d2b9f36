//! The writes that are committed together: all that wait, up to a limit.

use crossbeam_channel::Receiver;
use foldback_log_tier::{Batch, Commit, Timestamp};

use super::{Reply, Request, event_bytes};
use crate::config::Durability;

/// A group takes no more writes once it holds this many bytes of keys and values.
const GROUP_BYTES: u64 = 8 * 1024 * 1024;
/// Most writes in a group.
const GROUP_WRITES_MAX: usize = 1024;

/// Events of a write from which on it takes longer to apply it than to wake somebody.
const LARGE_WRITE_EVENTS: usize = 16;
/// Up to so many small writes in a group, a caller has written them before the thread is awake.
const FEW_WRITES: usize = 2;

/// One write of a group.
pub(super) struct Write {
    pub(super) batch: Batch,
    pub(super) timestamp: Option<Timestamp>,
    pub(super) reply: Reply<Commit>,
}

/// Writes that are committed together.
#[derive(Default)]
pub(super) struct Group {
    pub(super) writes: Vec<Write>,
    /// Whether one of them wants to be on stable storage before it is answered.
    pub(super) synced: bool,
    bytes: u64,
    events: usize,
}

impl Group {
    pub(super) fn push(
        &mut self,
        batch: Batch,
        timestamp: Option<Timestamp>,
        durability: Durability,
        reply: Reply<Commit>,
    ) {
        self.synced |= durability == Durability::Synced;
        self.bytes += batch.events.iter().map(event_bytes).sum::<u64>();
        self.events += batch.events.len();
        self.writes.push(Write { batch, timestamp, reply });
    }

    /// Whether callers had better write such groups themselves: there are few writes, or they are
    /// so large that somebody is worth waking who writes the next ones meanwhile.
    pub(super) fn is_for_callers(&self) -> bool {
        self.writes.len() <= FEW_WRITES || self.events >= self.writes.len() * LARGE_WRITE_EVENTS
    }

    /// Takes the writes that wait already; returns the request that ended the group, if one did.
    pub(super) fn drain(&mut self, queue: &Receiver<Request>) -> Option<Request> {
        while self.bytes < GROUP_BYTES && self.writes.len() < GROUP_WRITES_MAX {
            match queue.try_recv().ok()? {
                Request::Write { batch, timestamp, durability, reply } => {
                    self.push(batch, timestamp, durability, reply);
                }
                other => return Some(other),
            }
        }
        None
    }
}
