//! Which keys of a table a plan is for.

use foldback_log_tier::KeyRange;

/// Disjoint ranges of keys in ascending order.
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

#[cfg(test)]
mod tests;
