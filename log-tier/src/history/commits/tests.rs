//! Commit indexes against a plain list of commits, and their bytes under damage.

use proptest::prelude::*;

use super::*;

/// An index of the commits from `first` on, with these differences between their timestamps.
fn index_of(first: Commit, differences: &[u64]) -> (CommitIndex, Vec<Commit>) {
    let mut commits = vec![first];
    for difference in differences {
        let last = commits[commits.len() - 1];
        let timestamp = Timestamp(last.timestamp.0.saturating_add_unsigned(*difference));
        commits.push(Commit { seq: last.seq.next(), timestamp });
    }
    let mut index = CommitIndex::new();
    commits.iter().for_each(|commit| index.push(*commit));
    (index, commits)
}

fn commit(seq: u64, timestamp: i64) -> Commit {
    Commit { seq: Seq(seq), timestamp: Timestamp(timestamp) }
}

fn decode(bytes: &[u8]) -> Result<CommitIndex> {
    CommitIndex::decode("history/some.parquet", 1000, bytes)
}

#[test]
fn of_equal_timestamps_the_last_commit_is_found() {
    let (index, _) = index_of(commit(7, 100), &[0, 0, 5, 0, 10]);
    for (instant, expected) in [
        (99, None),
        (100, Some(commit(9, 100))),
        (104, Some(commit(9, 100))),
        (105, Some(commit(11, 105))),
        (114, Some(commit(11, 105))),
        (115, Some(commit(12, 115))),
        (i64::MAX, Some(commit(12, 115))),
    ] {
        assert_eq!(index.at_or_before(Timestamp(instant)), expected, "at {instant}");
    }
}

#[test]
fn seqs_outside_of_the_run_are_not_found() {
    let (index, _) = index_of(commit(7, 100), &[1, 1]);
    assert_eq!(index.get(Seq(6)), None);
    assert_eq!(index.get(Seq(10)), None);
    assert_eq!(index.after(Seq(0)), Some(commit(7, 100)));
    assert_eq!(index.after(Seq(8)), Some(commit(9, 102)));
    assert_eq!(index.after(Seq(9)), None);
    assert_eq!(index.after(Seq(u64::MAX)), None);
    assert_eq!(CommitIndex::new().after(Seq(0)), None);
    assert_eq!(CommitIndex::new().at_or_before(Timestamp::MAX), None);
    assert!(CommitIndex::new().is_empty());
}

#[test]
fn the_ends_of_time_and_of_seqs_survive() {
    let first = Commit { seq: Seq(Seq::MAX.0 - 1), timestamp: Timestamp::MIN };
    let mut index = CommitIndex::new();
    index.push(first);
    index.push(Commit { seq: Seq::MAX, timestamp: Timestamp::MAX });
    let again = decode(&index.encode()).expect("it is undamaged");
    assert_eq!(again, index);
    assert_eq!(again.at_or_before(Timestamp(0)), Some(first));
}

#[test]
#[should_panic(expected = "dense")]
fn a_gap_is_refused() {
    let (mut index, _) = index_of(commit(7, 100), &[]);
    index.push(commit(9, 100));
}

#[test]
#[should_panic(expected = "never decreases")]
fn a_step_back_in_time_is_refused() {
    let (mut index, _) = index_of(commit(7, 100), &[]);
    index.push(commit(8, 99));
}

#[test]
fn every_flipped_bit_and_every_cut_is_corruption() {
    let (index, _) = index_of(commit(1, 1_700_000_000_000_000), &[3; 700]);
    let bytes = index.encode();
    let is_corrupt = |bytes: &[u8]| match decode(bytes) {
        Err(Error::Corrupt { file, offset: 1000, .. }) => file == "history/some.parquet",
        _ => false,
    };
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            assert!(is_corrupt(&damaged), "bit {bit} of byte {at}");
        }
        assert!(is_corrupt(&bytes[..at]), "cut to {at} bytes");
    }
}

#[test]
fn an_index_takes_a_few_bytes_a_commit() {
    let differences: Vec<u64> = (0..100_000).map(|at| 500 + at * 7919 % 1000).collect();
    let (index, _) = index_of(commit(1, 1_700_000_000_000_000), &differences);
    assert!(index.encode().len() < 2 * differences.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn lookups_agree_with_a_list(
        seq in 1_u64..1000,
        timestamp in -1_000_i64..1_000,
        differences in prop::collection::vec(prop_oneof![Just(0), 0_u64..4, any::<u32>().prop_map(u64::from)], 0..900),
        probes in prop::collection::vec((0_u64..2000, -1_100_i64..3_000), 20),
    ) {
        let (index, commits) = index_of(commit(seq, timestamp), &differences);
        let again = decode(&index.encode()).expect("it is undamaged");
        prop_assert_eq!(&again, &index);
        prop_assert_eq!(index.iter().collect::<Vec<_>>(), commits.clone());
        prop_assert_eq!(index.len(), u64::try_from(commits.len()).expect("it is short"));
        prop_assert_eq!((index.first(), index.last()), (commits.first().copied(), commits.last().copied()));
        let own_instants = commits.iter().map(|commit| (commit.seq.0, commit.timestamp.0));
        for (seq, instant) in probes.into_iter().chain(own_instants) {
            let (seq, instant) = (Seq(seq), Timestamp(instant));
            let at = commits.iter().find(|commit| commit.seq == seq).copied();
            let after = commits.iter().find(|commit| commit.seq > seq).copied();
            let before = commits.iter().rfind(|commit| commit.timestamp <= instant).copied();
            prop_assert_eq!(index.get(seq), at);
            prop_assert_eq!(index.after(seq), after);
            prop_assert_eq!(index.at_or_before(instant), before);
        }
    }

    #[test]
    fn no_bytes_behind_a_right_checksum_panic(mut bytes in prop::collection::vec(any::<u8>(), 4..200), count in 0_u64..40) {
        if bytes.len() >= HEADER_BYTES {
            bytes[4..12].copy_from_slice(&7_u64.to_le_bytes());
            bytes[20..28].copy_from_slice(&count.to_le_bytes());
            bytes[28..36].copy_from_slice(&(count * 2).to_le_bytes());
        }
        let checksum = crc32c::crc32c(&bytes[4..]);
        bytes[..4].copy_from_slice(&checksum.to_le_bytes());
        let _ = decode(&bytes);
    }
}
