//! Keys and values as trees store them, beside each other in blocks that are as large as some
//! hundred events: so an event takes no memory of its own, which would have to be given back once
//! it is flushed.

use bytes::{BufMut, Bytes, BytesMut};

use super::tree::store_key;

/// Bytes of a block, which stays in memory until all its events are flushed.
pub(super) const BLOCK_BYTES: usize = 64 << 10;
/// Values from this length on stay where they are, if they are to be had without a copy.
const OWN_VALUE_BYTES: usize = 4 << 10;

/// Packs keys and values into blocks.
#[derive(Debug, Default)]
pub(super) struct Packing {
    /// What is left of the newest block.
    block: BytesMut,
    /// How many bytes are still to come, as far as is known.
    expected: usize,
}

impl Packing {
    /// Says how many bytes of keys and values are still to come, or will be about.
    pub(super) fn expect(&mut self, bytes: usize) {
        self.expected = bytes;
    }

    /// How much of a block an event takes.
    pub(super) fn event_bytes(key: &[u8], value: Option<&[u8]>) -> usize {
        let packed = value.filter(|value| value.len() < OWN_VALUE_BYTES);
        1 + key.len() + packed.map_or(0, <[u8]>::len)
    }

    /// A key as it is stored.
    pub(super) fn key(&mut self, key: &[u8]) -> Bytes {
        self.make_room(1 + key.len());
        store_key(key, &mut self.block);
        self.block.split().freeze()
    }

    /// A value, always copied.
    pub(super) fn value(&mut self, value: &[u8]) -> Bytes {
        self.make_room(value.len());
        self.block.put_slice(value);
        self.block.split().freeze()
    }

    /// A value, which is copied unless it is long.
    pub(super) fn owned_value(&mut self, value: Bytes) -> Bytes {
        match value.len() {
            0..OWN_VALUE_BYTES => self.value(&value),
            _ => value,
        }
    }

    fn make_room(&mut self, bytes: usize) {
        if self.block.capacity() < bytes {
            self.block = BytesMut::with_capacity(bytes.max(self.expected.min(BLOCK_BYTES)));
        }
        self.expected = self.expected.saturating_sub(bytes);
    }
}

#[cfg(test)]
mod tests;
