//! The share of a day: a part of all objects, so that some days in a row go through all of them.

use foldback_log_tier::Timestamp;

use crate::{Error, Result};

/// Most parts that there can be: about as many days as a bucket may go without being read whole.
const OF_MAX: u64 = 1_000;
/// Microseconds of a day.
const DAY_MICROS: i64 = 24 * 60 * 60 * 1_000_000;

/// Some of so many parts of a bucket, each day others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    parts: u64,
    of: u64,
}

impl Share {
    /// `parts` of `of` parts a day: after `of / parts` days in a row, rounded up, all had their
    /// turn.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if that is none, or more than all, or more than a thousand parts.
    pub fn new(parts: u64, of: u64) -> Result<Self> {
        match (1..=of).contains(&parts) && of <= OF_MAX {
            true => Ok(Self { parts, of }),
            false => Err(Error::Invalid(format!(
                "a share of {parts}/{of} is not possible: write for example 1/30, of at most \
                 {OF_MAX} parts"
            ))),
        }
    }

    /// Whether the object with this name has its turn on the day of `now`. A name has its turn in
    /// the same part every time.
    #[must_use]
    pub(crate) fn has(self, name: &str, now: Timestamp) -> bool {
        let of = i128::from(self.of);
        let day = i128::from(now.0.div_euclid(DAY_MICROS));
        let first = (day * i128::from(self.parts)).rem_euclid(of);
        let place = i128::from(stable_hash(name) % self.of);
        (place - first).rem_euclid(of) < i128::from(self.parts)
    }
}

/// A hash that is the same in every release and on every machine: FNV-1a, and a mix at its end, so
/// that also its low bits depend on every byte.
fn stable_hash(name: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    let mixed = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed ^ (mixed >> 33)
}

#[cfg(test)]
mod tests;
