//! Tells the torn tail of the last segment, which may be cut, from damage, which never may.
//!
//! Bytes at X that are no frame were torn by a crash only if they had not been synced. A later
//! frame or mark that was written when everything before `durable` was synced, with
//! `durable > X`, proves that they had been: then the file is damaged.

use bytes::Bytes;

use super::{SegmentHeader, SegmentReader, Step};
use crate::Result;
use crate::Timestamp;
use crate::frame::{FRAME_HEADER_BYTES, FRAME_MAGIC, FrameHeader};
use crate::fs::{to_index, to_length};

/// Where the written part of the last segment ends, and what lies after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentTail {
    /// The end of the last sound frame.
    pub(crate) offset: u64,
    /// The end of what a torn write left behind: `torn_until >= offset`, equal if nothing was torn.
    pub(crate) torn_until: u64,
    /// Whether a mark, and nothing else, lies at `offset`: then everything before it is synced,
    /// and everything after it is zeros on the disk too.
    pub(crate) is_settled: bool,
    /// The timestamp of the first commit, if there is a commit.
    pub(crate) first_timestamp: Option<Timestamp>,
}

/// Reads every frame of the last segment and finds its end. It changes nothing.
///
/// # Errors
///
/// [`crate::Error::Corrupt`] if bytes that had been synced are not as they were written.
pub(crate) fn find_tail(reader: &mut SegmentReader) -> Result<SegmentTail> {
    let mut first_timestamp = None;
    let bad = loop {
        match reader.step_over()? {
            Step::Commit(commit) => {
                first_timestamp.get_or_insert(commit.timestamp);
            }
            Step::End => break None,
            Step::Bad(reason) => break Some(reason),
        }
    };
    let offset = reader.offset();
    let rest = reader.rest()?;
    let has_mark = bad.is_none() && rest.starts_with(&FRAME_MAGIC);
    let mark_bytes = if has_mark { FRAME_HEADER_BYTES } else { 0 };
    let torn_bytes = match rest[mark_bytes..].iter().rposition(|byte| *byte != 0) {
        Some(last) => mark_bytes + last + 1,
        None => 0,
    };
    if torn_bytes > 0 && proves_synced(&rest, reader.header(), offset) {
        let reason = bad.unwrap_or("there are zeros where a frame was");
        return Err(reader.corrupt(&format!("{reason}, and these bytes had been synced")));
    }
    Ok(SegmentTail {
        offset,
        torn_until: offset + to_length(torn_bytes),
        is_settled: has_mark && torn_bytes == 0,
        first_timestamp,
    })
}

/// Whether any frame in `rest`, which begins at `offset`, says that bytes after `offset` were
/// synced.
fn proves_synced(rest: &Bytes, header: &SegmentHeader, offset: u64) -> bool {
    let magic_at = |at: &usize| rest[*at..].starts_with(&FRAME_MAGIC);
    (1..rest.len()).filter(magic_at).any(|at| {
        let frame = &rest[at..];
        let Ok(found) = FrameHeader::decode(frame) else { return false };
        found.durable > offset
            && found.frame_bytes() <= to_length(frame.len())
            && found.matches(
                header.place(offset + to_length(at)),
                &frame[FRAME_HEADER_BYTES..to_index(found.frame_bytes())],
            )
    })
}
