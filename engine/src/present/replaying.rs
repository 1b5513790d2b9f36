//! Events that a log is replayed by: gathered where they are read, brought into the order of keys,
//! and applied by several threads at once.
//!
//! Nobody reads a tree that is replayed into, so the order of events is free, and neighbours share
//! their way down the memtable. Key and value lie beside each other in blocks that are as large as
//! some hundred events, so that an event takes no memory of its own.

use bytes::Bytes;
use foldback_log_tier::Seq;
use foldback_log_tier::frame::EventRef;

use super::packing::Packing;
use super::{TableTree, applying};

/// Bytes of the first block.
const BLOCK_BYTES_MIN: usize = 1 << 10;

/// Events of one table, to be applied together.
#[derive(Debug, Default)]
pub(crate) struct ReplayedEvents {
    events: Vec<StoredEvent>,
    /// The seq of the first one that was read.
    first: Option<Seq>,
    /// Bytes of keys and values so far.
    bytes: usize,
    packing: Packing,
}

/// An event as its tree stores it.
#[derive(Debug, Default)]
struct StoredEvent {
    key: Bytes,
    value: Option<Bytes>,
    seq: Seq,
}

impl ReplayedEvents {
    /// Room for as many events as these are.
    pub(crate) fn another(&self) -> Self {
        Self { events: Vec::with_capacity(self.events.len()), ..Self::default() }
    }

    /// Adds an event of commit `seq`; they come in the order of the log.
    pub(crate) fn push(&mut self, seq: Seq, event: EventRef<'_>) {
        self.first.get_or_insert(seq);
        // Tables may be many, and have little each.
        self.packing.expect(self.bytes.max(BLOCK_BYTES_MIN));
        self.bytes += 1 + event.key.len() + event.value.map_or(0, <[u8]>::len);
        let key = self.packing.key(event.key);
        let value = event.value.map(|value| self.packing.value(value));
        self.events.push(StoredEvent { key, value, seq });
    }

    /// Brings the events into the order of keys.
    pub(crate) fn sort(&mut self) {
        let same = applying::same_bytes(self.events.iter().map(|event| &*event.key));
        let events = &mut self.events;
        let mut order: Vec<_> = (0..)
            .zip(&*events)
            .map(|(at, event)| (applying::head(&event.key[same..]), at))
            .collect();
        // Heads decide nearly always, and lie where they are compared.
        order.sort_unstable_by(|(head, at), (other_head, other)| {
            head.cmp(other_head).then_with(|| {
                let (event, other) = (&events[*at], &events[*other]);
                (&event.key, event.seq).cmp(&(&other.key, other.seq))
            })
        });
        self.events = order.into_iter().map(|(_, at)| std::mem::take(&mut events[at])).collect();
    }

    /// Applies all of them to their tree, and holds none then.
    pub(crate) fn apply(&mut self, tree: &TableTree) {
        let Some(first) = self.first.take() else { return };
        tree.begin(first);
        let mut events = std::mem::take(&mut self.events);
        let threads =
            events.len().div_ceil(applying::EVENTS_PER_SHARE).min(applying::threads_max());
        applying::in_shares(&mut events, threads, |share| apply_share(tree, share));
    }
}

fn apply_share(tree: &TableTree, share: &mut [StoredEvent]) {
    for StoredEvent { key, value, seq } in share.iter_mut().map(std::mem::take) {
        tree.apply(seq, key, value);
    }
}

#[cfg(test)]
mod tests;
