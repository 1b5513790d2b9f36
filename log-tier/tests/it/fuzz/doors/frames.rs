//! The local log: frames, segments in a directory, and both behind right checksums.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use foldback_log_tier::frame::{self, FRAME_MAGIC, FrameContent, FramePlace};
use foldback_log_tier::local_log::LogOpening;
use foldback_log_tier::{CommittedBatch, DatabaseId, names};
use tempfile::TempDir;

use super::{Door, accepted};
use crate::fuzz::samples::Sample;
use crate::golden;
use crate::golden::layout::{SegmentLayout, to_length};

pub(super) fn doors(samples: &[Sample]) -> Vec<Door> {
    vec![
        frames(samples),
        payloads(samples),
        segments(Damaged::Sealed, samples),
        segments(Damaged::Active, samples),
        segments(Damaged::ActiveWithRightChecksums, samples),
    ]
}

/// A frame of another content never has the right checksum in its place.
fn frames(samples: &[Sample]) -> Door {
    let mut inputs = Vec::new();
    let mut sound = Vec::new();
    for layout in samples.iter().flat_map(|sample| [&sample.sealed, &sample.active]) {
        let bytes = layout.encode();
        let offsets = layout.frame_offsets();
        for (at, committed) in offsets.windows(2).zip(layout.groups.iter().flatten()) {
            inputs.push(bytes[at[0]..at[1]].to_vec());
            let place = FramePlace { salt: layout.salt, offset: to_length(at[0]) };
            sound.push((place, FrameContent::Commit(committed.clone())));
        }
    }
    let check = move |number: usize, input: &[u8]| {
        let (place, expected) = &sound[number];
        let decoded = frame::decode(&Bytes::copy_from_slice(input), *place);
        decoded.is_ok_and(|(content, _)| {
            assert_eq!(content, *expected);
            true
        })
    };
    Door { name: "frame", inputs_a_turn: 64, inputs, check: Box::new(check) }
}

/// A payload that decodes is the one that the encoder makes of what it decodes to.
fn payloads(samples: &[Sample]) -> Door {
    let place = FramePlace { salt: 1, offset: 64 };
    let encode = move |committed: &CommittedBatch| {
        let mut frame = Vec::new();
        frame::encode(committed, place, 0, &mut frame).expect("it is small");
        frame.split_off(frame::FRAME_HEADER_BYTES)
    };
    let inputs = samples.iter().flat_map(Sample::commits).map(|committed| encode(&committed));
    let check = move |_, input: &[u8]| {
        let Ok(content) = frame::decode_payload(Bytes::copy_from_slice(input)) else {
            return false;
        };
        match content {
            FrameContent::Commit(committed) => assert_eq!(encode(&committed), input),
            FrameContent::Mark => assert!(input.is_empty(), "only a mark is empty"),
        }
        true
    };
    Door { name: "payload", inputs_a_turn: 64, inputs: inputs.collect(), check: Box::new(check) }
}

/// Which segment of a log is damaged, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damaged {
    Sealed,
    Active,
    ActiveWithRightChecksums,
}

/// A sound log, to damage.
struct SoundLog {
    database: DatabaseId,
    names: [String; 2],
    /// The sealed segment and the active one.
    files: [Vec<u8>; 2],
    commits: Vec<CommittedBatch>,
    sealed_commits: usize,
}

impl SoundLog {
    fn of(sample: &Sample) -> Self {
        let layouts = [&sample.sealed, &sample.active];
        Self {
            database: sample.database,
            names: layouts.map(|layout| names::segment(layout.before.seq.next())),
            files: layouts.map(SegmentLayout::encode),
            commits: sample.commits(),
            sealed_commits: sample.sealed.groups.iter().flatten().count(),
        }
    }

    /// The segments, one of them replaced.
    fn with(&self, damaged: Damaged, input: &[u8]) -> [Vec<u8>; 2] {
        let [sealed, active] = &self.files;
        match damaged {
            Damaged::Sealed => [input.to_vec(), active.clone()],
            Damaged::Active => [sealed.clone(), input.to_vec()],
            Damaged::ActiveWithRightChecksums => [sealed.clone(), with_right_checksums(input)],
        }
    }
}

/// A log with one damaged segment is refused, or only lacks commits at the end of the active one;
/// and what was cut once is not cut again.
fn segments(damaged: Damaged, samples: &[Sample]) -> Door {
    let logs: Vec<_> = samples.iter().map(SoundLog::of).collect();
    let file = usize::from(damaged != Damaged::Sealed);
    let inputs: Vec<_> = logs.iter().map(|log| log.files[file].clone()).collect();
    let checksums = inputs.iter().all(|input| with_right_checksums(input) == *input);
    assert!(checksums, "checksums are as FORMAT.md says");
    let name = match damaged {
        Damaged::Sealed => "sealed segment",
        Damaged::Active => "active segment",
        Damaged::ActiveWithRightChecksums => "active segment behind right checksums",
    };
    let directory = fast_directory();
    let check = move |number: usize, input: &[u8]| {
        let log = &logs[number];
        let path = log_directory(&directory, log);
        for (name, bytes) in log.names.iter().zip(log.with(damaged, input)) {
            std::fs::write(path.join(name), bytes).expect("it can be written");
        }
        let Some((commits, _)) = accepted(golden::read_log(&path, log.database)) else {
            return false;
        };
        if damaged != Damaged::ActiveWithRightChecksums {
            assert!(log.commits.starts_with(&commits), "{commits:?} were never written");
            let least = match damaged {
                Damaged::Sealed => log.commits.len(),
                _ => log.sealed_commits,
            };
            assert!(commits.len() >= least, "sealed commits are never cut");
        }
        let again = golden::read_log(&path, log.database).expect("it was opened before");
        assert_eq!(again, (commits, LogOpening::default()), "it is cut once");
        true
    };
    Door { name, inputs_a_turn: 4, inputs, check: Box::new(check) }
}

/// The bytes of a segment, with the checksums made right of its header and of its frames, as long
/// as one follows another.
fn with_right_checksums(input: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    let Some((header, mut rest)) = bytes.split_at_mut_checked(64) else { return bytes };
    let checksum = crc32c::crc32c(&header[..60]);
    header[60..].copy_from_slice(&checksum.to_le_bytes());
    let salt = &header[28..36];
    let mut offset = 64;
    while rest.starts_with(&FRAME_MAGIC) && rest.len() >= frame::FRAME_HEADER_BYTES {
        let payload = u32::from_le_bytes(*rest[8..].first_chunk().expect("it has a header"));
        let payload = usize::try_from(payload).expect("memory has at least 32 bits");
        let length = frame::FRAME_HEADER_BYTES + payload;
        let Some((frame, after)) = rest.split_at_mut_checked(length) else { break };
        let mut checksum = crc32c::crc32c(salt);
        checksum = crc32c::crc32c_append(checksum, &to_length(offset).to_le_bytes());
        checksum = crc32c::crc32c_append(checksum, &frame[8..]);
        frame[4..8].copy_from_slice(&checksum.to_le_bytes());
        offset += length;
        rest = after;
    }
    bytes
}

/// The directory of a log, made if need be.
fn log_directory(directory: &TempDir, log: &SoundLog) -> PathBuf {
    let path = directory.path().join(log.database.to_string());
    std::fs::create_dir_all(&path).expect("it can be made");
    path
}

/// A directory in memory where there is one: a log is synced whenever it is opened.
fn fast_directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    match memory.is_dir() {
        true => tempfile::tempdir_in(memory).expect("a temporary directory can be made"),
        false => golden::temporary(),
    }
}
