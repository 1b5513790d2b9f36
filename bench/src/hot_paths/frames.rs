//! Frames: commits of W1 to bytes, and back.

use bytes::Bytes;
use foldback::log_tier::frame::{FrameContent, FramePlace, decode, encode};
use foldback::log_tier::{Batch, Change, CommittedBatch, Event};
use foldback::{Commit, Seq, TableId, Timestamp};

use super::{EVENTS, HotWork, KEYS, SEED};
use crate::{Error, Result, W1, W1_BATCH_EVENTS};

/// The salt of the segment that the frames would lie in.
const SALT: u64 = 0x5eed;

/// Encodes all commits, one after the other.
pub(super) fn encoding() -> HotWork {
    let commits = commits();
    let mut frames = Vec::new();
    Box::new(move || {
        frames.clear();
        encode_all(&commits, &mut frames)?;
        std::hint::black_box(&frames);
        Ok(EVENTS)
    })
}

/// Decodes all frames, one after the other.
pub(super) fn decoding() -> Result<HotWork> {
    let mut frames = Vec::new();
    encode_all(&commits(), &mut frames)?;
    let frames = Bytes::from(frames);
    Ok(Box::new(move || {
        let (mut at, mut events) = (0, 0);
        while at < frames.len() {
            let (content, length) = decode(&frames.slice(at..), place(at))
                .map_err(|reason| Error::Wrong(reason.to_owned()))?;
            if let FrameContent::Commit(committed) = std::hint::black_box(content) {
                events += committed.batch.events.len();
            }
            at += length;
        }
        match events == commits_events() {
            true => Ok(EVENTS),
            false => Err(Error::Wrong(format!("{events} events were decoded of {EVENTS}"))),
        }
    }))
}

fn commits_events() -> usize {
    usize::try_from(EVENTS).expect("they are in memory")
}

fn encode_all(commits: &[CommittedBatch], frames: &mut Vec<u8>) -> Result<()> {
    for committed in commits {
        encode(committed, place(frames.len()), 0, frames)?;
    }
    Ok(())
}

fn place(offset: usize) -> FramePlace {
    FramePlace { salt: SALT, offset: u64::try_from(offset).expect("64 bits suffice") }
}

fn commits() -> Vec<CommittedBatch> {
    let mut w1 = W1::new(SEED, KEYS);
    let numbers = 1..=EVENTS / W1_BATCH_EVENTS;
    let committed = |number: u64| {
        let timestamp = Timestamp(i64::try_from(number).expect("they are few"));
        let events = w1.batch().into_iter().map(|event| Event {
            table: TableId(1),
            key: event.key.into(),
            change: event.value.map_or(Change::Delete, |value| Change::Put(value.into())),
        });
        let batch = Batch { events: events.collect() };
        CommittedBatch { commit: Commit { seq: Seq(number), timestamp }, batch }
    };
    numbers.map(committed).collect()
}
