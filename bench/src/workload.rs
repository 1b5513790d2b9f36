//! Workloads: which keys are written, with what, in what order.

use std::collections::BTreeMap;

use crate::{Random, Zipfian};

/// Which keys are updated how often.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Spread {
    /// All as often.
    Uniform,
    /// Some much more often than others, scattered over all keys; the skew, below 1.
    Zipfian(f64),
}

/// Updates of a fixed set of keys: the live state keeps its size for ever.
#[derive(Clone, Debug)]
pub struct Updates {
    random: Random,
    keys: u64,
    value_bytes: usize,
    zipfian: Option<Zipfian>,
}

impl Updates {
    /// Updates of `keys` keys with values of `value_bytes` bytes, determined by `seed`.
    #[must_use]
    pub fn new(seed: u64, keys: u64, value_bytes: usize, spread: Spread) -> Self {
        let zipfian = match spread {
            Spread::Uniform => None,
            Spread::Zipfian(theta) => Some(Zipfian::new(keys, theta)),
        };
        Self { random: Random::new(seed), keys, value_bytes, zipfian }
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
        let number = match &self.zipfian {
            None => self.random.below(self.keys),
            // The ranks are scattered over the keys, as names are in the world.
            Some(zipfian) => Random::new(zipfian.draw(&mut self.random)).below(self.keys),
        };
        (Self::key(number), self.value())
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
