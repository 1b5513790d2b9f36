//! Segments laid out by hand as `FORMAT.md` says, for any salt; only frames come from the encoder.

use foldback_log_tier::frame::{self, FramePlace};
use foldback_log_tier::{Commit, CommittedBatch, DatabaseId, Seq};

/// Where the first frame lies.
const FRAMES_OFFSET: usize = 64;
/// Where the salt lies in a segment's header.
const SALT_OFFSET: usize = 28;

/// A segment, as it was written.
#[derive(Clone, Debug)]
pub(crate) struct SegmentLayout {
    pub(crate) database: DatabaseId,
    pub(crate) salt: u64,
    /// The commit before the first one.
    pub(crate) before: Commit,
    /// The first commit of the segment before.
    pub(crate) previous: Seq,
    /// The commits, by the sync that made them durable.
    pub(crate) groups: Vec<Vec<CommittedBatch>>,
    /// Of an active segment the length of its file: a mark and zeros follow the last frame.
    pub(crate) active_bytes: Option<u64>,
}

impl SegmentLayout {
    /// The bytes of the file.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = self.header();
        assert_eq!(bytes.len(), FRAMES_OFFSET);
        for group in &self.groups {
            let durable = to_length(bytes.len());
            for committed in group {
                let place = self.place(&bytes);
                frame::encode(committed, place, durable, &mut bytes).expect("it is small");
            }
        }
        if let Some(length) = self.active_bytes {
            frame::encode_mark(self.place(&bytes), &mut bytes);
            bytes.resize(usize::try_from(length).expect("it is small"), 0);
        }
        bytes
    }

    /// Where each frame begins, and at last where the next one would.
    pub(crate) fn frame_offsets(&self) -> Vec<usize> {
        let mut at = FRAMES_OFFSET;
        let mut offsets = vec![at];
        for committed in self.groups.iter().flatten() {
            let length = frame::encoded_bytes(committed).expect("it is small");
            at += usize::try_from(length).expect("it is small");
            offsets.push(at);
        }
        offsets
    }

    fn header(&self) -> Vec<u8> {
        let mut bytes = b"FOLDSEG\n".to_vec();
        bytes.extend_from_slice(&1_u32.to_le_bytes());
        bytes.extend_from_slice(&self.database.0);
        bytes.extend_from_slice(&self.salt.to_le_bytes());
        bytes.extend_from_slice(&self.before.seq.next().0.to_le_bytes());
        bytes.extend_from_slice(&self.before.timestamp.0.to_le_bytes());
        bytes.extend_from_slice(&self.previous.0.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// The place of a frame that is appended to `bytes`.
    fn place(&self, bytes: &[u8]) -> FramePlace {
        FramePlace { salt: self.salt, offset: to_length(bytes.len()) }
    }
}

/// The salt in a segment's header.
pub(crate) fn salt_of(segment: &[u8]) -> u64 {
    u64::from_le_bytes(*segment[SALT_OFFSET..].first_chunk().expect("it has a header"))
}

pub(crate) fn to_length(length: usize) -> u64 {
    u64::try_from(length).expect("64 bits suffice")
}
