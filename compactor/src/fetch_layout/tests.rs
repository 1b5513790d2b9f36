//! Runs are few, and not too long; what is small is read by one request.

use bytes::Bytes;
use foldback_log_tier::{Seq, TableId, Timestamp};

use super::*;

/// Row groups that lie end to end.
fn row_groups(bytes: &[u64]) -> Vec<RowGroupEntry> {
    let mut offset = 4;
    let group = |(index, bytes): (u32, &u64)| {
        let begin = offset;
        offset += bytes;
        RowGroupEntry {
            index,
            table: TableId(1),
            rows: 1,
            offset: begin,
            bytes: *bytes,
            key_min: Bytes::new(),
            key_max: Bytes::new(),
            seq_min: Seq(1),
            seq_max: Seq(1),
            timestamp_min: Timestamp(0),
            timestamp_max: Timestamp(0),
        }
    };
    (0..).zip(bytes).map(group).collect()
}

fn cut(limits: RunLimits, groups: &[RowGroupEntry], wanted: &[usize]) -> Vec<usize> {
    limits.cut(&wanted.iter().map(|at| &groups[*at]).collect::<Vec<_>>())
}

#[test]
fn a_run_ends_where_it_is_long_enough_or_a_gap_is_wide() {
    let groups = row_groups(&[10, 10, 10, 10, 70, 10, 10]);
    let within = |bytes_max| RunLimits { aim: bytes_max, bytes_max };
    let all: Vec<_> = (0..7).collect();
    assert_eq!(cut(within(1_000), &groups, &all), [7]);
    assert_eq!(cut(within(30), &groups, &all), [3, 1, 1, 2]);
    assert_eq!(cut(within(1), &groups, &[0, 1]), [1, 1]);
    assert_eq!(cut(within(1), &groups, &[]), [0; 0]);
    // A gap that is narrow is read, too.
    assert_eq!(cut(within(1_000), &groups, &[0, 3, 6]), [3]);
    let wide = row_groups(&[10, GAP_BYTES_MAX + 1, 10, GAP_BYTES_MAX, 10]);
    assert_eq!(cut(within(10 << 20), &wide, &[0, 2, 4]), [1, 2]);
}

#[test]
fn there_are_no_more_runs_than_one_for_as_many_bytes_as_are_aimed_at() {
    let mut state = 1_u64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) % below
    };
    let limits = RunLimits { aim: 1_000, bytes_max: u64::MAX };
    for _ in 0..300 {
        let count = 1 + random(60);
        let bytes: Vec<_> = (0..count).map(|_| 1 + random(300)).collect();
        let groups = row_groups(&bytes);
        let runs = cut(limits, &groups, &(0..groups.len()).collect::<Vec<_>>());
        let total: u64 = bytes.iter().sum();
        assert!(u64::try_from(runs.len()).expect("few") <= (total / 1_000).max(1), "{bytes:?}");
        let mut left = &bytes[..];
        for run in runs {
            let (these, others) = left.split_at(run);
            assert!(these.iter().sum::<u64>() < 2_300, "{bytes:?}");
            left = others;
        }
        assert!(left.is_empty(), "{bytes:?}");
    }
}

#[test]
fn sources_that_need_little_leave_their_share_to_the_others() {
    assert_eq!(fair_share(vec![10, 10, 10], 30), u64::MAX);
    assert_eq!(fair_share(vec![100, 10, 100], 30), 10);
    assert_eq!(fair_share(vec![100, 4, 100], 30), 13);
    assert_eq!(fair_share(vec![], 30), u64::MAX);
}
