//! Opens a log: finds its segments, checks that they continue each other, finds its end.

use std::path::Path;

use super::{LocalLogOptions, LogOpening, SegmentInfo};
use crate::fs::Fs;
use crate::segment::{
    ADVICE, PREVIOUS_OFFSET, SegmentReader, SegmentWriter, Step, TIMESTAMP_OFFSET, find_tail,
};
use crate::{DatabaseId, Error, Result, Seq, names};

/// The first seqs of all segments, in order, and the commit up to which segments were removed. A
/// segment that a crash left unfinished is removed: it never had a name.
pub(super) fn find_segments(fs: &dyn Fs, directory: &Path) -> Result<(Vec<Seq>, Option<Seq>)> {
    fs.create_directory(directory)?;
    let names = fs.list(directory)?;
    if names.iter().any(|name| name == names::SEGMENT_DRAFT) {
        fs.remove(&directory.join(names::SEGMENT_DRAFT))?;
    }
    // A process that died before its own sync may have left a name that is seen but not durable.
    fs.sync_directory(directory)?;
    let firsts = names.iter().filter_map(|name| names::parse_segment(name)).collect();
    Ok((firsts, names.iter().filter_map(|name| names::parse_removed(name)).max()))
}

/// Refuses a log whose oldest segments are gone without having been removed by the log itself.
fn check_oldest(directory: &Path, oldest: &SegmentReader, removed: Option<Seq>) -> Result<()> {
    let (first, previous) = (oldest.header().first(), oldest.header().previous);
    if previous == Seq::ZERO || removed.is_some_and(|removed| first <= removed.next()) {
        return Ok(());
    }
    let file = directory.join(names::segment(previous));
    let reason = format!("the segment is missing, as commit {first} follows it; {ADVICE}");
    Err(Error::corrupt(file.display(), 0, reason))
}

/// Refuses to begin a log where there was one.
pub(super) fn check_none_was_removed(directory: &Path, removed: Option<Seq>) -> Result<()> {
    let Some(removed) = removed else { return Ok(()) };
    let reason = format!("segments after commit {removed} are missing; {ADVICE}");
    Err(Error::corrupt(directory.display(), 0, reason))
}

/// Checks that the segments `firsts` continue each other, and that those before them were removed
/// by the log itself, up to `removed`. Returns the sealed ones, and the last one before its first
/// frame.
///
/// # Panics
///
/// If `firsts` is empty.
pub(super) fn read_chain(
    fs: &dyn Fs,
    directory: &Path,
    database: DatabaseId,
    (firsts, removed): (&[Seq], Option<Seq>),
) -> Result<(Vec<SegmentInfo>, SegmentReader)> {
    let last = *firsts.last().expect("there is a segment");
    let mut sealed = Vec::with_capacity(firsts.len() - 1);
    let mut before: Option<SegmentReader> = None;
    for &first in firsts {
        let reader = SegmentReader::open(fs, directory, database, first, first == last)?;
        match before.take() {
            Some(before) => sealed.push(sealed_info(before, &reader)?),
            None => check_oldest(directory, &reader, removed)?,
        }
        before = Some(reader);
    }
    Ok((sealed, before.expect("the last segment was read")))
}

/// Finds the end of the last segment, makes it durable, and goes on from there.
pub(super) fn resume(
    last: &mut SegmentReader,
    options: LocalLogOptions,
) -> Result<(SegmentWriter, LogOpening)> {
    let tail = find_tail(last)?;
    let writer = SegmentWriter::resume(last, tail, options.segment_bytes_max)?;
    let opening = if tail.torn_until > tail.offset {
        LogOpening {
            cut_bytes: tail.torn_until - tail.offset,
            cut_offset: tail.offset,
            cut_segment: Some(last.header().first()),
        }
    } else {
        LogOpening::default()
    };
    Ok((writer, opening))
}

/// What the sealed segment of `reader` holds, now that the segment after it is known.
fn sealed_info(mut reader: SegmentReader, next: &SegmentReader) -> Result<SegmentInfo> {
    let first = reader.header().first();
    let last = next.header().before;
    let damage = |offset: u64, reason: String| {
        Error::corrupt(next.file().path().display(), offset, format!("{reason}; {ADVICE}"))
    };
    if next.header().previous != first {
        let reason = format!(
            "the segment follows the one of commit {}, but the one before it in the directory is \
             that of commit {first}: a segment is missing",
            next.header().previous
        );
        return Err(damage(PREVIOUS_OFFSET, reason));
    }
    let first_timestamp = match reader.step_over()? {
        Step::Commit(commit) => commit.timestamp,
        Step::End => return Err(reader.corrupt("a sealed segment has no commit")),
        Step::Bad(reason) => return Err(reader.corrupt(reason)),
    };
    if last.timestamp < first_timestamp {
        let reason = "the segment begins at an earlier timestamp than the one before it".into();
        return Err(damage(TIMESTAMP_OFFSET, reason));
    }
    Ok(SegmentInfo {
        first,
        last: last.seq,
        first_timestamp,
        last_timestamp: last.timestamp,
        bytes: reader.file_bytes(),
        sealed: true,
    })
}
