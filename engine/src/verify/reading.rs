//! Reading the objects of a bucket in pieces, no faster than they are to be read.

use std::ops::{ControlFlow, Range};

use bytes::Bytes;
use foldback_log_tier::history::{HistoryTail, RowFilter, RowGroupEntry, RowGroupRows};
use foldback_log_tier::manifest::HistoryEntry;
use foldback_log_tier::{Error as TierError, Result as TierResult};

use super::rate::ByteRate;
use super::{VerifyLevel, VerifyProgress};
use crate::examination::Examination;
use crate::{steady_now, steady_wait};

/// Most bytes that are read in one request.
const PIECE_BYTES_MAX: u64 = 4 << 20;
/// Least bytes that are, however slowly it goes.
const PIECE_BYTES_MIN: u64 = 64 << 10;
/// Decoded rows that are held at a time take about so much.
const PORTION_BYTES: usize = 1 << 20;

/// Reads what is examined, counts it, and waits where it went too fast.
pub(crate) struct FileReading<'a> {
    pub(super) examined: &'a Examination,
    rate: Option<ByteRate>,
    piece_bytes: u64,
    progress: VerifyProgress,
    watch: &'a mut dyn FnMut(VerifyProgress) -> ControlFlow<()>,
}

impl std::fmt::Debug for FileReading<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileReading").field("progress", &self.progress).finish_non_exhaustive()
    }
}

impl<'a> FileReading<'a> {
    pub(crate) fn new(
        examined: &'a Examination,
        bytes_per_sec: Option<std::num::NonZeroU64>,
        watch: &'a mut dyn FnMut(VerifyProgress) -> ControlFlow<()>,
    ) -> Self {
        let second = bytes_per_sec.map_or(PIECE_BYTES_MAX, std::num::NonZeroU64::get);
        Self {
            examined,
            rate: bytes_per_sec.map(|rate| ByteRate::new(rate, steady_now())),
            piece_bytes: second.clamp(PIECE_BYTES_MIN, PIECE_BYTES_MAX),
            progress: VerifyProgress { level: VerifyLevel::List, bytes: 0, bytes_total: None },
            watch,
        }
    }

    /// Goes to a level that reads so many bytes.
    pub(super) fn begin(&mut self, level: VerifyLevel, bytes_total: Option<u64>) -> TierResult<()> {
        self.progress = VerifyProgress { level, bytes: 0, bytes_total };
        self.count(0)
    }

    /// Bytes that were read of this level.
    pub(super) fn bytes(&self) -> u64 {
        self.progress.bytes
    }

    /// Counts bytes that need not be read.
    pub(super) fn pass_over(&mut self, bytes: u64) -> TierResult<()> {
        self.progress.bytes += bytes;
        match (self.watch)(self.progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(TierError::Interrupted),
        }
    }

    /// Counts bytes that were read, and waits as long as the rate asks for.
    pub(super) fn count(&mut self, bytes: u64) -> TierResult<()> {
        self.pass_over(bytes)?;
        if let Some(rate) = &mut self.rate {
            steady_wait(rate.take(bytes, steady_now()));
        }
        Ok(())
    }

    /// Reads a range of an object in pieces, and hands each to `take`.
    pub(super) fn read(
        &mut self,
        object: &str,
        range: Range<u64>,
        mut take: impl FnMut(&Bytes),
    ) -> TierResult<()> {
        let mut at = range.start;
        while at < range.end {
            let end = range.end.min(at + self.piece_bytes);
            take(&self.read_piece(object, at..end)?);
            at = end;
        }
        Ok(())
    }

    fn read_piece(&mut self, object: &str, range: Range<u64>) -> TierResult<Bytes> {
        let (remote, name) = (self.examined.remote().clone(), object.to_owned());
        let bytes = range.end - range.start;
        let read = self.examined.network.run(async move { remote.read(&name, range).await })?;
        self.count(bytes)?;
        Ok(read)
    }

    /// Reads a whole range at once, though in pieces.
    fn read_whole(&mut self, object: &str, range: Range<u64>) -> TierResult<Bytes> {
        let mut pieces = Vec::new();
        self.read(object, range, |piece| pieces.push(piece.clone()))?;
        Ok(match pieces.as_slice() {
            [one] => one.clone(),
            several => several.concat().into(),
        })
    }

    /// The tail of a history file, and its bytes.
    pub(crate) fn read_tail(&mut self, entry: &HistoryEntry) -> TierResult<(HistoryTail, Bytes)> {
        let bytes = self.read_whole(&entry.name, entry.tail_offset..entry.bytes)?;
        let tail = HistoryTail::decode(entry, bytes.clone())?;
        let theirs = tail.identity().database;
        if theirs != self.examined.database {
            let ours = self.examined.database;
            let reason = format!("it belongs to database {theirs}, not to {ours}");
            return Err(TierError::corrupt(&entry.name, entry.tail_offset, reason));
        }
        Ok((tail, bytes))
    }

    /// Some bytes of an object, which are few.
    pub(super) fn read_part(&mut self, object: &str, range: Range<u64>) -> TierResult<Bytes> {
        self.read_whole(object, range)
    }

    /// Reads row groups that lie end to end, as many of them in one request as are no more than a
    /// piece; hands on the bytes of each request, and the rows of each row group.
    pub(crate) fn read_rows(
        &mut self,
        (object, tail): (&str, &HistoryTail),
        groups: &[RowGroupEntry],
        take_bytes: &mut dyn FnMut(&Bytes),
        take_rows: &mut dyn FnMut(&RowGroupRows) -> Result<(), String>,
    ) -> TierResult<()> {
        let mut rest = groups;
        while let Some(first) = rest.first() {
            // One that is not wanted can lie between two that are.
            let adjoins = |(index, group): &(u32, &RowGroupEntry)| {
                let bytes = group.range().end - first.offset;
                group.index == *index && bytes <= self.piece_bytes
            };
            let count = (first.index..).zip(rest).take_while(adjoins).count().max(1);
            let (run, after) = rest.split_at(count);
            rest = after;
            let last = run.last().unwrap_or(first);
            let bytes = self.read_whole(object, first.offset..last.range().end)?;
            take_bytes(&bytes);
            for group in run {
                take_row_group(tail, (first, group), &bytes, take_rows)
                    .map_err(|error| named(error, object, group))?;
            }
        }
        Ok(())
    }
}

/// Decodes one row group of those whose bytes begin with `first`.
fn take_row_group(
    tail: &HistoryTail,
    (first, group): (&RowGroupEntry, &RowGroupEntry),
    bytes: &Bytes,
    take_rows: &mut dyn FnMut(&RowGroupRows) -> Result<(), String>,
) -> Result<(), RowGroupError> {
    let at = |offset: u64| usize::try_from(offset - first.offset).expect("it is in memory");
    let own = bytes.slice(at(group.offset)..at(group.range().end));
    for portion in tail.row_group_portions(group.index, own, PORTION_BYTES, RowFilter::all())? {
        take_rows(&portion?).map_err(RowGroupError::Rows)?;
    }
    Ok(())
}

/// Why the rows of a row group can't be taken.
enum RowGroupError {
    Tier(TierError),
    Rows(String),
}

impl From<TierError> for RowGroupError {
    fn from(error: TierError) -> Self {
        Self::Tier(error)
    }
}

fn named(error: RowGroupError, object: &str, group: &RowGroupEntry) -> TierError {
    match error {
        RowGroupError::Tier(error) => error,
        RowGroupError::Rows(reason) => TierError::corrupt(object, group.offset, reason),
    }
}

/// What was read by others on the way of the same examination, such as a merge.
pub(super) struct Counted<'a> {
    examined: &'a Examination,
    known: u64,
}

impl<'a> Counted<'a> {
    pub(super) fn new(examined: &'a Examination) -> Self {
        Self { examined, known: examined.remote().traffic().bytes_read }
    }

    /// Bytes that were read since it was asked last.
    pub(super) fn more(&mut self) -> u64 {
        let read = self.examined.remote().traffic().bytes_read;
        let more = read - self.known;
        self.known = read;
        more
    }
}
