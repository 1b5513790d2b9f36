//! Which commits are drilled: the last one, and some that a seed chooses.

use std::collections::BTreeSet;

use foldback_log_tier::Seq;

use crate::verify::SealedWindow;

/// Numbers that only a seed decides (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// The last commit of the last window, and `count` others of all windows, ascending; fewer where
/// one is chosen twice. Every commit is as likely as any other.
pub(super) fn picks(windows: &[SealedWindow], count: u32, seed: u64) -> Vec<(SealedWindow, Seq)> {
    let length = |window: &SealedWindow| window.last.0 - window.first.seq.0 + 1;
    let total: u64 = windows.iter().map(length).sum();
    let Some(last) = total.checked_sub(1) else { return Vec::new() };
    let mut numbers = Numbers(seed);
    let mut places: BTreeSet<u64> = (0..count).map(|_| numbers.next() % total).collect();
    places.insert(last);
    let mut picked = Vec::new();
    let mut before = 0;
    for window in windows {
        let end = before + length(window);
        let inside = places.range(before..end);
        picked.extend(inside.map(|place| (*window, Seq(window.first.seq.0 + place - before))));
        before = end;
    }
    picked
}

#[cfg(test)]
mod tests;
