//! Half-open ranges of keys.

use bytes::Bytes;

/// The keys `k` with `from <= k`, and `k < until` where there is an `until`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRange {
    /// First key inside; the empty key is the least of all.
    pub from: Bytes,
    /// First key outside, or `None` for no upper end.
    pub until: Option<Bytes>,
}

impl KeyRange {
    /// Every key.
    #[must_use]
    pub const fn all() -> Self {
        Self { from: Bytes::new(), until: None }
    }

    /// Every key that starts with `prefix`.
    #[must_use]
    pub fn prefix(prefix: &[u8]) -> Self {
        Self { from: Bytes::copy_from_slice(prefix), until: successor_of_prefix(prefix) }
    }

    /// Whether `key` lies inside.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        self.from.as_ref() <= key && self.until.as_ref().is_none_or(|until| key < until.as_ref())
    }

    /// Whether any key of the closed interval `[min, max]` lies inside.
    #[must_use]
    pub fn intersects(&self, min: &[u8], max: &[u8]) -> bool {
        self.from.as_ref() <= max && self.until.as_ref().is_none_or(|until| min < until.as_ref())
    }

    /// Whether no key can lie inside.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.until.as_ref().is_some_and(|until| *until <= self.from)
    }

    /// The keys that lie in both ranges; empty when none does.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let until = match (&self.until, &other.until) {
            (Some(left), Some(right)) => Some(left.min(right).clone()),
            (one, other) => one.as_ref().or(other.as_ref()).cloned(),
        };
        Self { from: self.from.clone().max(other.from.clone()), until }
    }
}

/// The least key greater than every key that starts with `prefix`, if there is one.
fn successor_of_prefix(prefix: &[u8]) -> Option<Bytes> {
    let last_below_max = prefix.iter().rposition(|byte| *byte < u8::MAX)?;
    let mut successor = prefix[..=last_below_max].to_vec();
    successor[last_below_max] += 1;
    Some(successor.into())
}

#[cfg(test)]
mod tests;
