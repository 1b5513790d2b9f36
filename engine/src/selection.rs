//! Which keys of a table a plan is for.

use bytes::{BufMut, Bytes, BytesMut};
use foldback_log_tier::KeyRange;

/// Disjoint ranges of keys in ascending order. One that holds no range selects nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    ranges: Vec<KeyRange>,
}

impl Selection {
    /// Every key.
    #[must_use]
    pub fn all() -> Self {
        Self { ranges: vec![KeyRange::all()] }
    }

    /// The keys that lie in any of these ranges, which may overlap and come in any order.
    #[must_use]
    pub fn ranges(ranges: impl IntoIterator<Item = KeyRange>) -> Self {
        let mut sorted: Vec<_> = ranges.into_iter().filter(|range| !range.is_empty()).collect();
        sorted.sort_by(|left, right| left.from.cmp(&right.from));
        let mut disjoint: Vec<KeyRange> = Vec::new();
        for range in sorted {
            match disjoint.last_mut() {
                Some(last) if last.until.as_ref().is_none_or(|until| range.from <= *until) => {
                    last.until = match (last.until.take(), range.until) {
                        (Some(left), Some(right)) => Some(left.max(right)),
                        _ => None,
                    };
                }
                _ => disjoint.push(range),
            }
        }
        Self { ranges: disjoint }
    }

    /// The keys that start with any of these prefixes.
    #[must_use]
    pub fn prefixes<'a>(prefixes: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self::ranges(prefixes.into_iter().map(KeyRange::prefix))
    }

    /// These keys, in any order; a hundred thousand of them are planned as quickly as one.
    #[must_use]
    pub fn keys<'a>(keys: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self::ranges(keys.into_iter().map(range_of_key))
    }

    /// The keys that are selected here or there.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self::ranges(self.ranges.into_iter().chain(other.ranges))
    }

    /// Whether this key is selected.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        let after = self.ranges.partition_point(|range| range.from.as_ref() <= key);
        after.checked_sub(1).is_some_and(|at| self.ranges[at].contains(key))
    }

    /// What of `keys` is selected: disjoint ranges in ascending order.
    pub fn within(&self, keys: &KeyRange) -> impl Iterator<Item = KeyRange> {
        self.overlapping(keys).iter().map(|range| range.intersection(keys))
    }

    /// Whether only keys of this range are selected.
    pub(crate) fn lies_in(&self, keys: &KeyRange) -> bool {
        self.ranges.iter().all(|range| range.intersection(keys) == *range)
    }

    /// The least range that holds all selected keys of `keys`; none if there are none.
    pub(crate) fn hull_within(&self, keys: &KeyRange) -> Option<KeyRange> {
        let ranges = self.overlapping(keys);
        let (first, last) = (ranges.first()?, ranges.last()?);
        let hull = KeyRange { from: first.from.clone(), until: last.until.clone() };
        Some(hull.intersection(keys))
    }

    /// Whether a selected key of `keys` lies in the closed interval `[min, max]`.
    pub(crate) fn meets(&self, keys: &KeyRange, min: &[u8], max: &[u8]) -> bool {
        let ranges = self.overlapping(keys);
        let at = ranges.partition_point(|range| ends_by(range, min));
        ranges.get(at).is_some_and(|range| range.intersection(keys).intersects(min, max))
    }

    fn overlapping(&self, keys: &KeyRange) -> &[KeyRange] {
        if keys.is_empty() {
            return &[];
        }
        let begin = self.ranges.partition_point(|range| ends_by(range, &keys.from));
        let begins_before = |range: &KeyRange| keys.until.as_ref().is_none_or(|u| range.from < *u);
        let end = self.ranges.partition_point(begins_before);
        &self.ranges[begin..end]
    }

    /// The ranges: disjoint, none of them empty, in ascending order.
    #[must_use]
    pub fn as_ranges(&self) -> &[KeyRange] {
        &self.ranges
    }

    /// Whether every key is selected.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.ranges == [KeyRange::all()]
    }
}

/// Whether all of a range lies below `key`.
fn ends_by(range: &KeyRange, key: &[u8]) -> bool {
    range.until.as_ref().is_some_and(|until| until.as_ref() <= key)
}

/// One key alone: nothing lies between it and itself with a zero byte after it.
fn range_of_key(key: &[u8]) -> KeyRange {
    let mut next = BytesMut::with_capacity(key.len() + 1);
    next.put_slice(key);
    next.put_u8(0);
    let next = next.freeze();
    let from: Bytes = next.slice(..key.len());
    KeyRange { from, until: Some(next) }
}

#[cfg(test)]
mod tests;
