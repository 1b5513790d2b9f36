//! How near a base the deltas above it begin: what a merge across a base may cost those who read
//! from it.

use foldback_log_tier::history::FileKind;
use foldback_log_tier::manifest::{HistoryEntry, Manifest};

/// Deltas below and above a base become one only if what a restore from the base then reads in vain
/// is at most this part of the base.
const VAIN_PART_OF_BASE: u64 = 8;

/// Whether restores from bases inside the run's commits still read little that lies below them,
/// once one delta takes the place of the run, which is in order of commits.
pub(crate) fn keeps_bases_near(manifest: &Manifest, run: &[&HistoryEntry]) -> bool {
    let [oldest, .., newest] = run else { return true };
    let (first, last) = (oldest.first.seq, newest.last.seq);
    let inside = |base: &&HistoryEntry| {
        let at = base.holds_to().seq;
        base.kind == FileKind::Base && first <= at && at < last
    };
    manifest.files.iter().filter(inside).all(|base| {
        let Some(scope) = &base.scope else { return true };
        let below = run.iter().filter(|delta| delta.first.seq <= base.holds_to().seq);
        let of_table = below.filter_map(|delta| delta.table(scope.table));
        let in_vain: u64 = of_table.map(|entry| entry.bytes_in(&scope.keys)).sum();
        in_vain.saturating_mul(VAIN_PART_OF_BASE) <= base.bytes
    })
}
