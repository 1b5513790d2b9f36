//! W1: puts, deletes and puts of what was deleted, over keys of which few are hot.
//!
//! Of a hundred events 85 are puts, 10 deletes, and 5 puts of a key that was deleted before. Keys
//! are drawn by a Zipfian of skew 0.9; values have 200 bytes, which zstd at level 1 shrinks 2.1
//! times. The generator knows the state after every batch: it is the oracle of every result.

use std::collections::BTreeMap;

use crate::{Fingerprint, Random, Zipfian};

/// Events of one batch, of as many keys.
pub const W1_BATCH_EVENTS: u64 = 100;
/// Bytes of a value.
const VALUE_BYTES: usize = 200;
/// Bytes of a value that are the same in all.
const VALUE_START: &[u8; 12] = b"{\"payload\":\"";
/// How skewed the keys are.
const SKEW: f64 = 0.9;

/// The events of W1, batch by batch.
#[derive(Debug)]
pub struct W1 {
    random: Random,
    zipfian: Zipfian,
    seed: u64,
    /// The number of the event that put each key's value; `None` for keys that are not there.
    put_by: Vec<Option<u64>>,
    /// Keys that were deleted and may have been put again since.
    deleted: Vec<u64>,
    events: u64,
}

/// One event: a key, and its new value, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct W1Event {
    /// Counted from 1.
    pub number: u64,
    /// The key.
    pub key: Vec<u8>,
    /// The value of a put.
    pub value: Option<Vec<u8>>,
}

impl W1 {
    /// The events over `keys` keys that `seed` determines.
    #[must_use]
    pub fn new(seed: u64, keys: u64) -> Self {
        assert!(keys >= 2 * W1_BATCH_EVENTS, "a batch has {W1_BATCH_EVENTS} keys");
        let count = usize::try_from(keys).expect("the keys fit memory");
        Self {
            random: Random::new(seed),
            zipfian: Zipfian::new(keys, SKEW),
            seed,
            put_by: vec![None; count],
            deleted: Vec::new(),
            events: 0,
        }
    }

    /// Events so far.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The next batch, sorted by key.
    pub fn batch(&mut self) -> Vec<W1Event> {
        let mut batch = BTreeMap::new();
        for _ in 0..W1_BATCH_EVENTS {
            self.events += 1;
            let (key, is_put) = self.draw(&batch);
            self.put_by[index(key)] = is_put.then_some(self.events);
            if !is_put {
                self.deleted.push(key);
            }
            let value = is_put.then(|| self.value(self.events));
            batch.insert(key, W1Event { number: self.events, key: name(key), value });
        }
        batch.into_values().collect()
    }

    /// A key that the batch does not have yet, and whether it is put.
    fn draw(&mut self, batch: &BTreeMap<u64, W1Event>) -> (u64, bool) {
        let kind = self.random.below(100);
        if (85..90).contains(&kind)
            && let Some(key) = self.draw_deleted(batch)
        {
            return (key, true);
        }
        loop {
            let rank = self.zipfian.draw(&mut self.random);
            // The ranks are scattered over the keys, as names are in the world.
            let key = Random::new(rank).below(u64::try_from(self.put_by.len()).expect("64 bits"));
            let is_delete = kind >= 90 && self.put_by[index(key)].is_some();
            if !batch.contains_key(&key) {
                return (key, !is_delete);
            }
        }
    }

    fn draw_deleted(&mut self, batch: &BTreeMap<u64, W1Event>) -> Option<u64> {
        while !self.deleted.is_empty() {
            let count = u64::try_from(self.deleted.len()).expect("64 bits");
            let key = self.deleted.swap_remove(index(self.random.below(count)));
            if self.put_by[index(key)].is_none() && !batch.contains_key(&key) {
                return Some(key);
            }
        }
        None
    }

    /// The value that an event puts: hexadecimal digits behind a start that all values share.
    fn value(&self, event: u64) -> Vec<u8> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut random = Random::new(self.seed ^ event.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let mut value = Vec::with_capacity(VALUE_BYTES);
        value.extend_from_slice(VALUE_START);
        while value.len() < VALUE_BYTES {
            let mut bits = random.next_u64();
            for _ in 0..(VALUE_BYTES - value.len()).min(16) {
                value.push(DIGITS[index(bits & 15)]);
                bits >>= 4;
            }
        }
        value
    }

    /// What the state is now.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let mut fingerprint = Fingerprint::default();
        for (key, put_by) in (0_u64..).zip(&self.put_by) {
            if let Some(event) = put_by {
                fingerprint.add(&name(key), &self.value(*event));
            }
        }
        fingerprint
    }
}

fn name(key: u64) -> Vec<u8> {
    format!("k{key:012}").into_bytes()
}

fn index(number: u64) -> usize {
    usize::try_from(number).expect("it is in memory")
}

#[cfg(test)]
mod tests;
