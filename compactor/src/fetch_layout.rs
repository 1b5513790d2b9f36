//! Which row groups one request reads.

use std::ops::Range;

use foldback_log_tier::history::RowGroupEntry;
use foldback_log_tier::manifest::HistoryEntry;

/// Bytes between two row groups up to which both are read by one request: on a distant store, a
/// request costs more than a megabyte.
const GAP_BYTES_MAX: u64 = 1 << 20;
/// Bytes that nobody wants up to which a file is read by one request, rows and tail.
const VAIN_BYTES_MAX: u64 = 2 << 20;

/// How much of a file one request reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RunLimits {
    /// There are no more runs than one for so many bytes, and one: so a run has about this, and up
    /// to twice that.
    pub(crate) aim: u64,
    /// No run has more, unless one row group is more.
    pub(crate) bytes_max: u64,
}

impl RunLimits {
    /// Cuts row groups, which ascend, into runs: how many of them each has.
    pub(crate) fn cut(self, groups: &[&RowGroupEntry]) -> Vec<usize> {
        let near = |left: &&RowGroupEntry, right: &&RowGroupEntry| {
            right.offset - left.range().end <= GAP_BYTES_MAX.min(self.bytes_max)
        };
        groups.chunk_by(near).flat_map(|groups| self.cut_stretch(groups)).collect()
    }

    fn cut_stretch(self, groups: &[&RowGroupEntry]) -> Vec<usize> {
        let span =
            |groups: &[&RowGroupEntry]| groups[groups.len() - 1].range().end - groups[0].offset;
        let bytes = span(groups);
        let largest = groups.iter().map(|group| group.bytes).max().unwrap_or_default();
        // A run that is full has at most one row group less than this: so there are not more.
        let fair = bytes / (bytes / self.aim).max(1) + largest;
        let bytes_max = self.bytes_max.min(fair);
        let (mut runs, mut begin) = (Vec::new(), 0);
        for at in 1..=groups.len() {
            if at == groups.len() || span(&groups[begin..=at]) > bytes_max {
                runs.push(at - begin);
                begin = at;
            }
        }
        runs
    }
}

/// What the first request for a file reads, of which these row groups are wanted: its tail, and all
/// of them, too, if that is little.
pub(crate) fn opening(file: &HistoryEntry, row_groups: &[u32], limits: RunLimits) -> Range<u64> {
    let tail = file.tail_offset..file.bytes;
    let Some((rows, wanted)) = file.extent(row_groups) else { return tail };
    let all = rows.start..file.bytes;
    let in_vain = tail.start.saturating_sub(rows.start).saturating_sub(wanted);
    let is_little = all.end - all.start <= limits.bytes_max.min(2 * limits.aim);
    if is_little && in_vain <= VAIN_BYTES_MAX { all } else { tail }
}

/// How many requests read row groups of a file, about: a tail that is in memory needs none.
pub(crate) fn requests(file: &HistoryEntry, row_groups: &[u32], limits: RunLimits) -> u64 {
    let Some((_, wanted)) = file.extent(row_groups) else { return 0 };
    if opening(file, row_groups, limits).start < file.tail_offset {
        return 1;
    }
    let adjoin = |left: &u32, right: &u32| left.checked_add(1) == Some(*right);
    let stretches = row_groups.chunk_by(adjoin).count();
    let stretches = u64::try_from(stretches).expect("64 bits suffice");
    1 + stretches.max(wanted / limits.aim).max(wanted.div_ceil(limits.bytes_max))
}

/// The share of each source so that all of them together take `bytes`, of which those that need
/// less than their share leave the rest to the others.
pub(crate) fn fair_share(mut needs: Vec<u64>, bytes: u64) -> u64 {
    needs.sort_unstable();
    let (mut left, mut sources) = (bytes, u64::try_from(needs.len()).unwrap_or(u64::MAX));
    for need in needs {
        let share = left / sources;
        if need > share {
            return share;
        }
        (left, sources) = (left - need, sources - 1);
    }
    u64::MAX
}

#[cfg(test)]
mod tests;
