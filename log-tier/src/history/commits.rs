//! The commit index: the timestamp of every commit of a dense run of seqs.
//!
//! It is what turns an instant into a commit, and a commit into its instant, without reading a
//! row. Held as it is stored, as the differences of successive timestamps in varints: two or
//! three bytes a commit instead of sixteen.

use std::io::Read;

use crate::{Commit, Error, Result, Seq, Timestamp};

/// Most commits of one index, and so of one delta file: the differences then take 1.25 GiB at the
/// very most, and about a quarter of that in practice.
pub const COMMIT_INDEX_COMMITS_MAX: u64 = 1 << 27;

/// Every how many commits a timestamp is kept in full, to begin a walk at.
const SAMPLE_COMMITS: u64 = 256;

/// The checksum, then first seq, first timestamp, number of commits, bytes of all differences.
const HEADER_BYTES: usize = 4 + 8 + 8 + 8 + 8;

/// A varint holds seven bits a byte, so a difference takes at most ten.
const VARINT_BYTES_MAX: u64 = 10;

/// Level of the compression of the differences.
const ZSTD_LEVEL: i32 = 3;

/// The timestamps of the commits of a dense run of seqs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommitIndex {
    /// The first and the last commit, unless there is none.
    ends: Option<(Commit, Commit)>,
    /// For each commit after the first, its timestamp's difference to the one before.
    differences: Vec<u8>,
    /// One for every [`SAMPLE_COMMITS`] commits, beginning with the first.
    samples: Vec<CommitSample>,
}

/// Where a walk can begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct CommitSample {
    /// The timestamp of the commit.
    timestamp: Timestamp,
    /// Where the differences of the commits after it begin.
    differences_offset: usize,
}

/// The commits of an index from some one on, in order.
#[derive(Clone, Debug)]
pub struct CommitIter<'a> {
    next: Option<Commit>,
    differences: &'a [u8],
}

impl CommitIndex {
    /// An index of no commit.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the commit that follows the last one.
    ///
    /// # Panics
    ///
    /// When `commit` does not follow: its seq is the next, and its timestamp is not earlier. When
    /// there are [`COMMIT_INDEX_COMMITS_MAX`] commits already.
    pub fn push(&mut self, commit: Commit) {
        let Some((first, last)) = self.ends else {
            self.ends = Some((commit, commit));
            self.samples.push(CommitSample { timestamp: commit.timestamp, differences_offset: 0 });
            return;
        };
        assert_eq!(commit.seq, last.seq.next(), "an index is dense");
        assert!(commit.timestamp >= last.timestamp, "time never decreases along seq");
        let position = commit.seq.0 - first.seq.0;
        assert!(position < COMMIT_INDEX_COMMITS_MAX, "a delta file has a limit of commits");
        write_varint(&mut self.differences, commit.timestamp.0.abs_diff(last.timestamp.0));
        if position.is_multiple_of(SAMPLE_COMMITS) {
            let differences_offset = self.differences.len();
            self.samples.push(CommitSample { timestamp: commit.timestamp, differences_offset });
        }
        self.ends = Some((first, commit));
    }

    /// The number of commits.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.ends.map_or(0, |(first, last)| last.seq.0 - first.seq.0 + 1)
    }

    /// Whether there is no commit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_none()
    }

    /// The first commit.
    #[must_use]
    pub fn first(&self) -> Option<Commit> {
        self.ends.map(|(first, _)| first)
    }

    /// The last commit.
    #[must_use]
    pub fn last(&self) -> Option<Commit> {
        self.ends.map(|(_, last)| last)
    }

    /// The commit with this seq, if it is one of these.
    #[must_use]
    pub fn get(&self, seq: Seq) -> Option<Commit> {
        let (first, last) = self.ends?;
        if seq < first.seq || seq > last.seq {
            return None;
        }
        let sample = (seq.0 - first.seq.0) / SAMPLE_COMMITS;
        self.walk(usize::try_from(sample).ok()?).find(|commit| commit.seq == seq)
    }

    /// The last commit that is not later than `timestamp`: of several commits of one instant, the
    /// one with the greatest seq.
    #[must_use]
    pub fn at_or_before(&self, timestamp: Timestamp) -> Option<Commit> {
        // The sample after the one found is later than `timestamp`, so the walk ends before it.
        let not_later = self.samples.partition_point(|sample| sample.timestamp <= timestamp);
        let walk = self.walk(not_later.checked_sub(1)?);
        walk.take_while(|commit| commit.timestamp <= timestamp).last()
    }

    /// The first commit with a seq greater than `seq`.
    #[must_use]
    pub fn after(&self, seq: Seq) -> Option<Commit> {
        let first = self.first()?;
        if seq < first.seq { Some(first) } else { self.get(Seq(seq.0.checked_add(1)?)) }
    }

    /// All commits, in order.
    #[must_use]
    pub fn iter(&self) -> CommitIter<'_> {
        CommitIter { next: self.first(), differences: &self.differences }
    }

    /// The index as a history file holds it.
    ///
    /// # Panics
    ///
    /// When there is no commit: every delta covers one.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let first = self.first().expect("only a delta is stored, and it covers a commit");
        let differences_bytes = u64::try_from(self.differences.len()).expect("64 bits suffice");
        let compressed = zstd::bulk::compress(&self.differences, ZSTD_LEVEL)
            .expect("compressing memory into memory cannot fail");
        let mut bytes = vec![0; 4];
        bytes.extend_from_slice(&first.seq.0.to_le_bytes());
        bytes.extend_from_slice(&first.timestamp.0.to_le_bytes());
        bytes.extend_from_slice(&self.len().to_le_bytes());
        bytes.extend_from_slice(&differences_bytes.to_le_bytes());
        bytes.extend_from_slice(&compressed);
        let checksum = crc32c::crc32c(&bytes[4..]);
        bytes[..4].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Decodes the index that lies at byte `offset` of the object `file`.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] when the bytes are not those of an index.
    pub fn decode(file: &str, offset: u64, bytes: &[u8]) -> Result<Self> {
        decode_index(bytes).map_err(|reason| {
            Error::corrupt(file, offset, format!("the commit index is damaged: {reason}"))
        })
    }

    /// The commits from sample number `sample` on.
    fn walk(&self, sample: usize) -> CommitIter<'_> {
        let next = self.first().zip(self.samples.get(sample)).map(|(first, found)| {
            let passed = u64::try_from(sample).expect("64 bits suffice") * SAMPLE_COMMITS;
            Commit { seq: Seq(first.seq.0 + passed), timestamp: found.timestamp }
        });
        let offset = self.samples.get(sample).map_or(0, |found| found.differences_offset);
        CommitIter { next, differences: &self.differences[offset..] }
    }
}

impl<'a> IntoIterator for &'a CommitIndex {
    type Item = Commit;
    type IntoIter = CommitIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Iterator for CommitIter<'_> {
    type Item = Commit;

    fn next(&mut self) -> Option<Commit> {
        let commit = self.next?;
        self.next = read_varint(&mut self.differences).and_then(|difference| {
            let timestamp = commit.timestamp.0.checked_add_unsigned(difference)?;
            Some(Commit { seq: commit.seq.next(), timestamp: Timestamp(timestamp) })
        });
        Some(commit)
    }
}

/// Decodes an index, or says why it can't be one.
fn decode_index(bytes: &[u8]) -> Result<CommitIndex, String> {
    let (header, compressed) =
        bytes.split_first_chunk::<HEADER_BYTES>().ok_or("it is shorter than its header")?;
    let checksum = u32::from_le_bytes(field(header, 0));
    if checksum != crc32c::crc32c(&bytes[4..]) {
        return Err("its checksum does not match".to_string());
    }
    let seq = Seq(u64::from_le_bytes(field(header, 4)));
    let timestamp = Timestamp(i64::from_le_bytes(field(header, 12)));
    let count = u64::from_le_bytes(field(header, 20));
    let differences_bytes = u64::from_le_bytes(field(header, 28));
    if count == 0 || count > COMMIT_INDEX_COMMITS_MAX {
        return Err(format!("it says to have {count} commits"));
    }
    if seq.0.checked_add(count - 1).is_none_or(|last| last > Seq::MAX.0) {
        return Err(format!("{count} commits from {seq} on pass the greatest seq"));
    }
    if differences_bytes > (count - 1) * VARINT_BYTES_MAX {
        return Err(format!("{differences_bytes} bytes are too many for {count} commits"));
    }
    let differences = decompress(compressed, differences_bytes)?;
    rebuild(Commit { seq, timestamp }, count, &differences)
}

/// The `N` bytes at `offset` of the header.
fn field<const N: usize>(header: &[u8; HEADER_BYTES], offset: usize) -> [u8; N] {
    *header[offset..].first_chunk().expect("the field lies inside the header")
}

/// Decompresses what must be exactly `bytes_expected` bytes. Memory grows with what comes, not
/// with what was promised.
fn decompress(compressed: &[u8], bytes_expected: u64) -> Result<Vec<u8>, String> {
    let mut differences = Vec::new();
    zstd::stream::read::Decoder::with_buffer(compressed)
        .and_then(|decoder| decoder.take(bytes_expected + 1).read_to_end(&mut differences))
        .map_err(|error| format!("zstd: {error}"))?;
    if u64::try_from(differences.len()) != Ok(bytes_expected) {
        return Err(format!("its differences are not {bytes_expected} bytes long"));
    }
    Ok(differences)
}

/// Builds the index of `count` commits from the first one and the differences after it.
fn rebuild(first: Commit, count: u64, mut differences: &[u8]) -> Result<CommitIndex, String> {
    let mut index = CommitIndex::new();
    let mut commit = first;
    index.push(commit);
    for _ in 1..count {
        let difference = read_varint(&mut differences).ok_or("a difference is cut off")?;
        let timestamp = commit.timestamp.0.checked_add_unsigned(difference);
        let timestamp = Timestamp(timestamp.ok_or("a timestamp passes the end of time")?);
        commit = Commit { seq: commit.seq.next(), timestamp };
        index.push(commit);
    }
    if !differences.is_empty() {
        return Err("bytes follow its last difference".to_string());
    }
    Ok(index)
}

/// Appends `number`, seven bits a byte, the lowest first; the high bit says that more follow.
fn write_varint(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = u8::try_from(number & 0x7f).expect("seven bits fit");
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

/// Takes a number off the front of `bytes`, or `None` when there is none of 64 bits.
fn read_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let low = u64::from(byte & 0x7f);
        if (low << shift) >> shift != low {
            return None;
        }
        number |= low << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests;
