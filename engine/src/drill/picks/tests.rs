use foldback_log_tier::{Commit, TableId, Timestamp};

use super::*;
use foldback_compactor::Interval;

fn window(first: u64, last: u64) -> SealedWindow {
    let first = Commit { seq: Seq(first), timestamp: Timestamp(0) };
    let interval = Interval {
        table: TableId(1),
        first,
        last: None,
        starts_empty: true,
        retention_micros: None,
        shortens: None,
    };
    SealedWindow { interval, first, last: Seq(last) }
}

fn seqs(windows: &[SealedWindow], count: u32, seed: u64) -> Vec<u64> {
    picks(windows, count, seed).into_iter().map(|(_, seq)| seq.0).collect()
}

#[test]
fn the_last_commit_is_always_among_commits_of_windows_only() {
    let windows = [window(5, 9), window(20, 20), window(30, 60)];
    let mut seen = BTreeSet::new();
    for seed in 0..200 {
        let seqs = seqs(&windows, 3, seed);
        assert!(seqs.is_sorted() && seqs.last() == Some(&60), "{seqs:?}");
        assert!((1..=4).contains(&seqs.len()), "{seqs:?}");
        seen.extend(seqs);
    }
    let all: BTreeSet<_> = (5..=9).chain([20]).chain(30..=60).collect();
    assert_eq!(seen, all, "every commit has its turn, and no other");
}

#[test]
fn a_seed_chooses_the_same_again_and_another_others() {
    let windows = [window(1, 1_000_000)];
    assert_eq!(seqs(&windows, 5, 7), seqs(&windows, 5, 7));
    assert_ne!(seqs(&windows, 5, 7), seqs(&windows, 5, 8));
    assert_eq!(seqs(&windows, 0, 7), [1_000_000]);
    assert_eq!(seqs(&[], 5, 7), [0_u64; 0]);
}
