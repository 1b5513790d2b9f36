//! Commit indexes, also behind a right checksum.

use foldback_log_tier::history::CommitIndex;

use super::{Door, accepted};
use crate::fuzz::samples::Sample;
use crate::golden::layout::to_length;

pub(super) fn doors(samples: &[Sample]) -> Vec<Door> {
    vec![commit_indexes(samples), commit_indexes_behind_right_checksums(samples)]
}

/// No commit index is accepted but one that was written.
fn commit_indexes(samples: &[Sample]) -> Door {
    let sound: Vec<_> = samples.iter().map(|sample| sample.index.clone()).collect();
    let inputs = sound.iter().map(CommitIndex::encode).collect();
    let check = move |_, input: &[u8]| {
        accepted(CommitIndex::decode("index", 0, input)).is_some_and(|index| {
            assert!(sound.contains(&index), "{index:?} was never written");
            true
        })
    };
    Door { name: "commit index", inputs_a_turn: 32, inputs, check: Box::new(check) }
}

/// Any commit index that its checksum vouches for is refused, or is whole and usable.
fn commit_indexes_behind_right_checksums(samples: &[Sample]) -> Door {
    let inputs = samples.iter().map(|sample| sample.index.encode()).collect();
    let check = move |_, input: &[u8]| {
        let mut input = input.to_vec();
        if let Some((checksum, rest)) = input.split_at_mut_checked(4) {
            checksum.copy_from_slice(&crc32c::crc32c(rest).to_le_bytes());
        }
        let Some(index) = accepted(CommitIndex::decode("index", 0, &input)) else { return false };
        assert_eq!(to_length(index.iter().count()), index.len());
        let last = index.last().expect("an index that is stored has a commit");
        assert_eq!(index.at_or_before(last.timestamp), Some(last));
        assert_eq!(index.get(last.seq), Some(last));
        assert_eq!(index.after(last.seq), None);
        let again = CommitIndex::decode("index", 0, &index.encode());
        assert_eq!(again.expect("it was encoded"), index);
        true
    };
    let name = "commit index behind right checksums";
    Door { name, inputs_a_turn: 32, inputs, check: Box::new(check) }
}
