//! What a clean end flushes, so that the next opening has next to nothing to replay.

use std::cmp::Reverse;

use foldback_log_tier::TableId;

use super::Present;
use crate::Result;

/// What may stay in memory, over all trees: the next opening replays it in a blink. So whoever
/// opens a database for a few writes leaves no tiny files behind.
const LEFT_BYTES_MAX: u64 = 4 << 20;

/// Flushes the largest memtables until little is left. The log is synced, and nobody writes.
///
/// Nothing is compacted, which can take long: the next one that has the database open does it.
pub(super) fn flush_most(present: &Present) -> Result<()> {
    let mut trees = present.trees();
    trees.sort_by_key(|tree| Reverse(tree.memtable_bytes()));
    let mut left = trees.iter().map(|tree| tree.memtable_bytes()).sum::<u64>();
    if left <= LEFT_BYTES_MAX && !trees.iter().any(|tree| tree.has_sealed()) {
        return Ok(());
    }
    for tree in trees {
        let is_large = left > LEFT_BYTES_MAX;
        left -= tree.memtable_bytes();
        if tree.has_sealed() {
            tree.flush_sealed(|| present.oldest_view())?;
        }
        // The catalog is replayed on its own, from where it was flushed.
        if is_large || tree.id() == TableId::CATALOG {
            tree.seal_memtable(present.visible());
            tree.flush_sealed(|| present.oldest_view())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
