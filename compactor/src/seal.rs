//! Sealing: the events of one local segment, sorted, become one delta file.

use foldback_log_tier::history::{CommitIndex, FileKind, HistoryIdentity};
use foldback_log_tier::local_log::{LogReader, SegmentInfo};
use foldback_log_tier::manifest::HistoryEntry;
use foldback_log_tier::{Commit, CommittedBatch, Error, Event, EventRow, Result, Seq, TableId};

use crate::Reading;
use crate::key_start::KeyStart;
use crate::merge::shared_bytes;
use crate::streamed::StreamedFile;

/// Rows that are fetched together.
const ROWS_AHEAD: usize = 32;
/// Bytes that a processor fetches at once.
const CACHE_LINE_BYTES: usize = 64;

/// Writes the delta file of a sealed segment, and uploads it: the commits after `after`, which is
/// the last commit that history covers, and of them the events that `keeps` wants.
///
/// Memory is bounded by the size of a segment.
///
/// # Errors
///
/// [`Error::Corrupt`] if the segment is damaged or does not follow on `after`, or what the upload
/// fails with; nothing was published then, and the segment stays.
pub fn seal(
    reading: Reading<'_>,
    log: &LogReader,
    segment: &SegmentInfo,
    after: Seq,
    keeps: &dyn Fn(TableId, Seq) -> bool,
) -> Result<HistoryEntry> {
    let mut commits = CommitIndex::default();
    let mut events: Vec<(Commit, Event)> = Vec::new();
    for committed in log.read_segment(segment)? {
        let CommittedBatch { commit, batch } = committed?;
        if commit.seq <= after {
            continue;
        }
        commits.push(commit);
        let kept = batch.events.into_iter().filter(|event| keeps(event.table, commit.seq));
        events.extend(kept.map(|event| (commit, event)));
    }
    let (Some(first), Some(last)) = (commits.first(), commits.last()) else {
        return Err(broken_chain(segment, after, "it holds no commit after it"));
    };
    if first.seq != after.next() || last.seq != segment.last {
        return Err(broken_chain(
            segment,
            after,
            &format!("it holds {} to {}", first.seq, last.seq),
        ));
    }
    let (database, kind) = (reading.making.database, FileKind::Delta);
    let identity = HistoryIdentity { database, kind, first, last, scope: None };
    let mut file = StreamedFile::begin_in_one(reading, identity)?;
    for ahead in in_order_of_rows(&events).chunks(ROWS_AHEAD) {
        fetch_ahead(ahead.iter().map(|at| &events[*at].1));
        for at in ahead {
            let (commit, event) = &events[*at];
            file.push(EventRow {
                table: event.table,
                key: &event.key,
                seq: commit.seq,
                timestamp: commit.timestamp,
                value: event.change.value().map(AsRef::as_ref),
            })?;
        }
    }
    file.finish(Some(&commits))
}

/// The positions of events in the order of rows: by table, by key, and of one key the newest first.
fn in_order_of_rows(events: &[(Commit, Event)]) -> Vec<usize> {
    let first = events.first().map_or(&[][..], |(_, event)| &event.key);
    let shared = events.iter().map(|(_, event)| shared_bytes(first, &event.key)).min().unwrap_or(0);
    let place = |(at, (_, event)): (usize, &(Commit, Event))| {
        (event.table, KeyStart::of(&event.key, shared), at)
    };
    let mut places: Vec<_> = events.iter().enumerate().map(place).collect();
    places.sort_unstable_by(|(left_table, left_start, left), (right_table, right_start, right)| {
        let by_start = (left_table, left_start).cmp(&(right_table, right_start));
        let ((left_commit, left), (right_commit, right)) = (&events[*left], &events[*right]);
        let by_key = by_start.then_with(|| left.key.cmp(&right.key));
        by_key.then_with(|| right_commit.seq.cmp(&left_commit.seq))
    });
    places.into_iter().map(|(.., at)| at).collect()
}

/// Has the processor fetch the rows that come next, all at once: they lie where they were written,
/// and to wait for each in turn takes as long as to encode it.
fn fetch_ahead<'a>(events: impl Iterator<Item = &'a Event>) {
    let of = |bytes: &[u8]| {
        bytes.iter().step_by(CACHE_LINE_BYTES).map(|byte| u64::from(*byte)).sum::<u64>()
    };
    let touched =
        events.map(|event| of(&event.key) + event.change.value().map_or(0, |value| of(value)));
    std::hint::black_box(touched.sum::<u64>());
}

fn broken_chain(segment: &SegmentInfo, after: Seq, found: &str) -> Error {
    let file = foldback_log_tier::names::segment(segment.first);
    Error::corrupt(file, 0, format!("history ends at seq {after}, but {found}"))
}
