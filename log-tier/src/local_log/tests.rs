//! The log against a list of commits, with crashes, failures and damage.

mod crashes;
mod damage;
mod failures;
mod model;
mod tables;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::fs::SimulatedFs;
use crate::{Batch, Change, Event, TableId};

/// Where the log of a test is.
const DIRECTORY: &str = "/database/log";
/// Small enough that a few commits fill a segment.
const SMALL: LocalLogOptions = LocalLogOptions { segment_bytes_max: 2048 };

const DATABASE: DatabaseId = RandomId([0xdb; 16]);
const ORIGIN: Commit = Commit { seq: Seq(100), timestamp: Timestamp(5000) };

/// A commit of which every byte depends on `tag`, with one put of `value_bytes` and one delete.
fn committed(seq: u64, tag: u8, value_bytes: usize) -> CommittedBatch {
    let key = Bytes::from(format!("key {seq} {tag}"));
    let value = Bytes::from(vec![tag; value_bytes]);
    let timestamp = Timestamp(5000 + i64::try_from(seq / 3).expect("a small seq"));
    let put = Event { table: TableId(1), key: key.clone(), change: Change::Put(value) };
    let delete = Event { table: TableId(2), key, change: Change::Delete };
    let batch = Batch { events: vec![put, delete] };
    CommittedBatch { commit: Commit { seq: Seq(seq), timestamp }, batch }
}

/// The next `lengths.len()` commits after `after`.
fn group(after: Seq, tag: u8, lengths: &[usize]) -> Vec<CommittedBatch> {
    (after.0 + 1..).zip(lengths).map(|(seq, length)| committed(seq, tag, *length)).collect()
}

fn open(fs: &SimulatedFs) -> Result<(LocalLog, LogOpening)> {
    LocalLog::open(Arc::new(fs.clone()), Path::new(DIRECTORY), DATABASE, ORIGIN, SMALL)
}

fn opened(fs: &SimulatedFs) -> LocalLog {
    open(fs).expect("the log opens").0
}

fn segment_file(first: Seq) -> PathBuf {
    segment_path(Path::new(DIRECTORY), first)
}

/// All commits of the log, read segment by segment.
fn read_all(log: &LocalLog) -> Result<Vec<CommittedBatch>> {
    let reader = log.reader();
    let mut all = Vec::new();
    for segment in log.segments() {
        for committed in reader.read_segment(&segment)? {
            all.push(committed?);
        }
    }
    Ok(all)
}

/// Checks that what the log says of its segments agrees with `commits`, the log's content.
fn check_segments(log: &LocalLog, commits: &[CommittedBatch]) {
    let segments = log.segments();
    let (active, sealed) = segments.split_last().expect("there is an active segment");
    assert!(!active.sealed && sealed.iter().all(|segment| segment.sealed));
    let mut left = commits;
    for segment in &segments {
        let count = usize::try_from(segment.last.0 + 1 - segment.first.0).expect("not many");
        let (within, after) = left.split_at(count);
        if let (Some(first), Some(last)) = (within.first(), within.last()) {
            assert_eq!(segment.first, first.commit.seq);
            assert_eq!(segment.first_timestamp, first.commit.timestamp);
            assert_eq!(segment.last, last.commit.seq);
            assert_eq!(segment.last_timestamp, last.commit.timestamp);
        }
        left = after;
    }
    assert!(left.is_empty(), "every commit is in a segment");
    assert_eq!(active.last, log.tip().seq);
    assert!(sealed.iter().all(|segment| segment.first <= segment.last));
}
