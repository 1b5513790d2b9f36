//! Workloads: which keys are written, with what, in what order.

use std::collections::BTreeMap;

use crate::Random;

/// Updates of a fixed set of keys, all as likely: the live state keeps its size for ever.
#[derive(Clone, Debug)]
pub struct Updates {
    random: Random,
    keys: u64,
    value_bytes: usize,
}

impl Updates {
    /// Updates of `keys` keys with values of `value_bytes` bytes, determined by `seed`.
    #[must_use]
    pub const fn new(seed: u64, keys: u64, value_bytes: usize) -> Self {
        Self { random: Random::new(seed), keys, value_bytes }
    }

    /// The key with this number.
    #[must_use]
    pub fn key(number: u64) -> Vec<u8> {
        format!("k{number:012}").into_bytes()
    }

    /// A first value for every key, in order.
    pub fn load(&mut self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        (0..self.keys).map(|number| (Self::key(number), self.value())).collect()
    }

    /// The next update.
    pub fn update(&mut self) -> (Vec<u8>, Vec<u8>) {
        (Self::key(self.random.below(self.keys)), self.value())
    }

    /// Random bytes as hexadecimal digits: zstd halves them, as it does with the data of many
    /// services.
    fn value(&mut self) -> Vec<u8> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut value = Vec::with_capacity(self.value_bytes);
        while value.len() < self.value_bytes {
            let mut bits = self.random.next_u64();
            for _ in 0..(self.value_bytes - value.len()).min(16) {
                let digit = usize::try_from(bits & 15).expect("four bits fit a usize");
                value.push(DIGITS[digit]);
                bits >>= 4;
            }
        }
        value
    }
}
