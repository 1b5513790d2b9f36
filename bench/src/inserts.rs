//! What the commit suite writes: new keys in random order, by any number of writers at once.
//!
//! The order in which writers get their turn is nobody's to say, so no two of them ever write the
//! same key: what is there in the end follows from how many batches each of them has committed.

use crate::{Fingerprint, Random, RowChange};

/// Inserts that a seed determines.
#[derive(Clone, Copy, Debug)]
pub struct Inserts {
    seed: u64,
    batch_events: u64,
    value_bytes: usize,
}

impl Inserts {
    /// Batches of so many events with values of so many bytes, which zstd halves.
    #[must_use]
    pub fn new(seed: u64, batch_events: u64, value_bytes: usize) -> Self {
        Self { seed, batch_events, value_bytes }
    }

    /// The batch of this number, from 0, of a writer.
    #[must_use]
    pub fn batch(&self, writer: u64, number: u64) -> Vec<RowChange> {
        let first = number * self.batch_events;
        (first..first + self.batch_events).map(|event| self.event(writer, event)).collect()
    }

    /// What is there once each writer has committed so many of its batches.
    #[must_use]
    pub fn fingerprint(&self, batches: &[u64]) -> Fingerprint {
        let mut fingerprint = Fingerprint::default();
        for (writer, batches) in (0..).zip(batches) {
            for event in 0..batches * self.batch_events {
                let row = self.event(writer, event);
                fingerprint.add(&row.key, row.value.as_deref().expect("it is an insert"));
            }
        }
        fingerprint
    }

    /// Keys have 16 bytes. SplitMix maps no two states to one number, so no two are alike.
    fn event(&self, writer: u64, number: u64) -> RowChange {
        let place = self.seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ (writer << 40 | number);
        let name = Random::new(place).next_u64();
        let mut key = Vec::with_capacity(16);
        push_digits(&mut key, name);
        let mut random = Random::new(name);
        let mut value = Vec::with_capacity(self.value_bytes + 16);
        while value.len() < self.value_bytes {
            push_digits(&mut value, random.next_u64());
        }
        value.truncate(self.value_bytes);
        RowChange { key, value: Some(value) }
    }
}

/// Adds 16 hexadecimal digits, all at once, so that making values costs little beside writing them.
fn push_digits(bytes: &mut Vec<u8>, bits: u64) {
    for half in [bits >> 32, bits & 0xffff_ffff] {
        // Each half byte moves to a byte of its own.
        let spread = (half << 16 | half) & 0x0000_ffff_0000_ffff;
        let spread = (spread << 8 | spread) & 0x00ff_00ff_00ff_00ff;
        let spread = (spread << 4 | spread) & 0x0f0f_0f0f_0f0f_0f0f;
        // One in each byte that is above nine, for which letters follow.
        let above_nine = ((spread + 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101;
        let digits = spread + 0x3030_3030_3030_3030 + above_nine * 39;
        bytes.extend_from_slice(&digits.to_be_bytes());
    }
}

#[cfg(test)]
mod tests;
