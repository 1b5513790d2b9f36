//! Events that a log is replayed by: gathered where they are read, brought into the order of keys,
//! and applied by several threads at once.
//!
//! Nobody reads a tree that is replayed into, so the order of events is free, and neighbours share
//! their way down the memtable. Key and value lie beside each other in blocks that are as large as
//! some hundred events, so that an event takes no memory of its own.

use bytes::{BufMut, Bytes, BytesMut};
use foldback_log_tier::Seq;
use foldback_log_tier::frame::EventRef;

use super::tree::store_key;
use super::{TableTree, applying};

/// Bytes of a block, which stays in memory until all its events are flushed.
const BLOCK_BYTES: usize = 64 << 10;
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
    /// What is left of the newest block.
    block: BytesMut,
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
        let bytes = 1 + event.key.len() + event.value.map_or(0, <[u8]>::len);
        if self.block.capacity() < bytes {
            // Tables may be many, and have little each.
            let like_so_far = self.bytes.clamp(BLOCK_BYTES_MIN, BLOCK_BYTES);
            self.block = BytesMut::with_capacity(bytes.max(like_so_far));
        }
        self.bytes += bytes;
        store_key(event.key, &mut self.block);
        let key = self.block.split().freeze();
        let value = event.value.map(|value| {
            self.block.put_slice(value);
            self.block.split().freeze()
        });
        self.events.push(StoredEvent { key, value, seq });
    }

    /// Brings the events into the order of keys.
    pub(crate) fn sort(&mut self) {
        let same = self.same_bytes();
        let events = &mut self.events;
        let mut order: Vec<_> =
            (0..).zip(&*events).map(|(at, event)| (head(&event.key[same..]), at)).collect();
        // Heads decide nearly always, and lie where they are compared.
        order.sort_unstable_by(|(head, at), (other_head, other)| {
            head.cmp(other_head).then_with(|| {
                let (event, other) = (&events[*at], &events[*other]);
                (&event.key, event.seq).cmp(&(&other.key, other.seq))
            })
        });
        self.events = order.into_iter().map(|(_, at)| std::mem::take(&mut events[at])).collect();
    }

    /// How many bytes all keys have in common, from the first on.
    fn same_bytes(&self) -> usize {
        let Some((first, others)) = self.events.split_first() else { return 0 };
        others.iter().fold(first.key.len(), |same, event| {
            let both = event.key.iter().zip(&first.key[..same]);
            both.take_while(|(one, other)| one == other).count()
        })
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
        tree.apply_stored(seq, key, value);
    }
}

/// The first eight bytes as a number of the same order; a shorter key comes before those that it
/// begins, or is their equal.
fn head(key: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let length = key.len().min(8);
    bytes[..length].copy_from_slice(&key[..length]);
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests;
