//! What the commit suite writes: new keys in random order, by any number of writers at once.
//!
//! The order in which writers get their turn is nobody's to say, so no two of them ever write the
//! same key: what is there in the end follows from how many batches each of them has committed.

use crate::{Fingerprint, Random, Result, RowChange, Sizes, Values};

/// Bytes of a key.
pub const INSERT_KEY_BYTES: u64 = 16;

/// Inserts that a seed determines.
#[derive(Clone, Debug)]
pub struct Inserts {
    seed: u64,
    batch_events: u64,
    values: Values,
    /// How often all keys were written before.
    pass: u64,
}

impl Inserts {
    /// Batches of so many events with values of so many bytes, which zstd shrinks
    /// `compressibility` times.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Input`] for a compressibility that is not possible.
    pub fn new(
        seed: u64,
        batch_events: u64,
        value_bytes: u64,
        compressibility: f64,
    ) -> Result<Self> {
        let values = Values::new(seed, Sizes::Fixed(value_bytes), compressibility)?;
        Ok(Self { seed, batch_events, values, pass: 0 })
    }

    /// The same keys once more, with other values in each pass; the first is 0.
    #[must_use]
    pub fn pass(self, pass: u64) -> Self {
        Self { pass, ..self }
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

    /// Its key is the number of the event behind as many bytes that scatter it.
    fn event(&self, writer: u64, number: u64) -> RowChange {
        let number = writer << 40 | number;
        let scattered = Random::new(self.seed ^ number).next_u64();
        let key = [scattered.to_be_bytes(), number.to_be_bytes()].concat();
        RowChange { key, value: Some(self.values.value(self.pass << 48 ^ number)) }
    }
}

#[cfg(test)]
mod tests;
