//! Which rows of a history file a reader wants.

use crate::history::RowGroupEntry;
use crate::{KeyRange, Seq};

/// Which rows count: `floor < seq <= target`, of keys in the range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowFilter {
    /// The keys.
    pub keys: KeyRange,
    /// Rows at or below are superseded by a base.
    pub floor: Seq,
    /// Rows above are not of this state.
    pub target: Seq,
    /// Whether only the newest row counts of those of one key that lie together: what a state is
    /// made of. The events of a key can span row groups and portions of them, so that more than
    /// one of its rows may still come.
    pub newest_only: bool,
}

impl RowFilter {
    /// Lets every row through.
    #[must_use]
    pub const fn all() -> Self {
        Self { keys: KeyRange::all(), floor: Seq::ZERO, target: Seq::MAX, newest_only: false }
    }

    /// Whether an event counts, by its position alone.
    #[must_use]
    pub fn admits(&self, key: &[u8], seq: Seq) -> bool {
        self.is_of_time(seq) && self.keys.contains(key)
    }

    /// Whether a row of the row group may count, by what its statistics say.
    #[must_use]
    pub fn may_admit(&self, group: &RowGroupEntry) -> bool {
        let in_time = self.floor < group.seq_max && group.seq_min <= self.target;
        in_time && self.keys.intersects(&group.key_min, &group.key_max)
    }

    /// Whether a commit lies between floor and target.
    pub(super) fn is_of_time(&self, seq: Seq) -> bool {
        self.floor < seq && seq <= self.target
    }
}
