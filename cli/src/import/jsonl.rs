//! Reads batches of events from JSON Lines, one event a line, as a stream.

use std::path::Path;

use foldback::Timestamp;
use foldback::instant::show;

use crate::error::{Error, Result};
use crate::import::{ImportedBatch, ImportedEvent};

mod batch_numbers;
mod line;
mod member;
mod source;
#[cfg(test)]
mod tests;
mod time;

use batch_numbers::BatchNumbers;
use line::{EventLine, LineParser};
use source::LineSource;
pub(crate) use time::TimeUnit;

/// Most bytes of keys and values in one batch: a batch is held in memory until it is whole.
const BATCH_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How the lines of a file say what an event is.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub(crate) struct JsonlOptions {
    /// Field that holds the key.
    #[arg(long = "key", value_name = "FIELD", default_value = "key")]
    pub(crate) key_field: String,

    /// Field that holds the value; null is a delete, other JSON than a string is kept as its text.
    #[arg(long = "value", value_name = "FIELD", default_value = "value")]
    pub(crate) value_field: String,

    /// Field that holds the time: RFC 3339 with its zone, or a number (see --time-unit).
    #[arg(long = "time", value_name = "FIELD", default_value = "timestamp")]
    pub(crate) time_field: String,

    /// Field that holds put or delete; without it a null value is a delete.
    #[arg(long = "op", value_name = "FIELD")]
    pub(crate) op_field: Option<String>,

    /// Field that holds the batch number: neighbouring lines with one number are one commit.
    /// Without it every line is one.
    #[arg(long = "batch", value_name = "FIELD")]
    pub(crate) batch_field: Option<String>,

    /// Unit of times that are numbers. What is finer than a microsecond is cut off.
    #[arg(long, value_enum, default_value_t = TimeUnit::Us)]
    pub(crate) time_unit: TimeUnit,

    /// Keys and values are base64 (standard alphabet) instead of text.
    #[arg(long)]
    pub(crate) base64: bool,
}

/// The batches of a file, in its order. After an error it yields nothing more.
pub(crate) struct JsonlReader {
    source: LineSource,
    parser: LineParser,
    /// The batch being read. It may go on with the next line.
    pending: Option<PendingBatch>,
    /// Time and line of the last event.
    last: Option<(i64, u64)>,
    finished_numbers: BatchNumbers,
    ended: bool,
}

/// A batch that may go on.
struct PendingBatch {
    number: Option<i128>,
    batch: ImportedBatch,
    /// The line of each event.
    lines: Vec<u64>,
    bytes: usize,
}

impl JsonlReader {
    /// Opens `path`, or standard input where it is `-`; plain or zstd, by its first bytes.
    pub(crate) fn open(path: &Path, options: &JsonlOptions) -> Result<Self> {
        let parser = LineParser::new(options)?;
        Ok(Self::with_source(LineSource::open(path)?, parser))
    }

    /// Bytes taken from the file so far, as it is stored: compressed where it is compressed.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.source.bytes_read()
    }

    /// Bytes of the file as it is stored; `None` where that can't be known, as for a pipe.
    pub(crate) fn bytes_total(&self) -> Option<u64> {
        self.source.bytes_total()
    }

    fn with_source(source: LineSource, parser: LineParser) -> Self {
        Self {
            source,
            parser,
            pending: None,
            last: None,
            finished_numbers: BatchNumbers::default(),
            ended: false,
        }
    }

    fn next_batch(&mut self) -> Result<Option<ImportedBatch>> {
        loop {
            let Some((line, bytes)) = self.source.next_line()? else {
                return self.pending.take().map(|pending| self.finish(pending)).transpose();
            };
            if bytes.trim_ascii().is_empty() {
                continue;
            }
            let event =
                self.parser.parse(bytes).map_err(|reason| self.source.refuse(line, reason))?;
            let goes_on = event.number.is_some()
                && self.pending.as_ref().is_some_and(|pending| pending.number == event.number);
            if goes_on {
                self.go_on(line, event)?;
                continue;
            }
            let begun = self.begin(line, event)?;
            // Without batch numbers every line is whole, so nothing waits for the next one.
            if begun.number.is_none() {
                return self.finish(begun).map(Some);
            }
            if let Some(pending) = self.pending.replace(begun) {
                return self.finish(pending).map(Some);
            }
        }
    }

    fn begin(&mut self, line: u64, event: EventLine) -> Result<PendingBatch> {
        if let Some((last_micros, last_line)) = self.last
            && event.timestamp_micros < last_micros
        {
            return Err(self.source.refuse(
                line,
                format!(
                    "time goes back: it is {} here and {} on line {last_line}; sort the file by \
                     time, or name a field that never goes back with --time",
                    show(Timestamp(event.timestamp_micros)),
                    show(Timestamp(last_micros)),
                ),
            ));
        }
        if let Some(number) = event.number
            && let Some(line_before) = self.finished_numbers.line_of(number)
        {
            return Err(self.source.refuse(
                line,
                format!(
                    "batch {number} ended on line {line_before} and comes back here: the lines of \
                     one batch must stand together, or they can't be one commit"
                ),
            ));
        }
        self.last = Some((event.timestamp_micros, line));
        let batch = ImportedBatch {
            line_first: line,
            line_last: line,
            timestamp_micros: event.timestamp_micros,
            events: Vec::new(),
        };
        let mut pending = PendingBatch { number: event.number, batch, lines: Vec::new(), bytes: 0 };
        pending.push(line, event);
        self.check_size(&pending)?;
        Ok(pending)
    }

    fn go_on(&mut self, line: u64, event: EventLine) -> Result<()> {
        let mut pending = self.pending.take().expect("the caller saw it");
        if event.timestamp_micros != pending.batch.timestamp_micros {
            return Err(self.source.refuse(
                line,
                format!(
                    "one batch has two times: {} here and {} on line {}; the lines of one batch \
                     are one commit, and a commit has one time",
                    show(Timestamp(event.timestamp_micros)),
                    show(Timestamp(pending.batch.timestamp_micros)),
                    pending.batch.line_first,
                ),
            ));
        }
        pending.push(line, event);
        self.check_size(&pending)?;
        self.last = Some((pending.batch.timestamp_micros, line));
        self.pending = Some(pending);
        Ok(())
    }

    fn check_size(&self, pending: &PendingBatch) -> Result<()> {
        if pending.bytes <= BATCH_BYTES_MAX {
            return Ok(());
        }
        Err(self.source.refuse(
            pending.batch.line_last,
            format!(
                "the batch that begins on line {} grows past {BATCH_BYTES_MAX} bytes of keys and \
                 values, the most that one commit may hold; check that --batch names the field \
                 that changes from one commit to the next",
                pending.batch.line_first
            ),
        ))
    }

    fn finish(&mut self, pending: PendingBatch) -> Result<ImportedBatch> {
        if let Some((line_before, line)) = pending.repeated_key() {
            return Err(self.source.refuse(
                line,
                format!(
                    "the key of line {line_before} comes again in the same batch: a commit holds \
                     one event a key; leave out all but the last, or give them batches of their own"
                ),
            ));
        }
        if let Some(number) = pending.number {
            self.finished_numbers.add(number, pending.batch.line_last);
        }
        Ok(pending.batch)
    }
}

impl Iterator for JsonlReader {
    type Item = Result<ImportedBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let batch = self.next_batch();
        self.ended = matches!(batch, Err(_) | Ok(None));
        batch.transpose()
    }
}

impl PendingBatch {
    fn push(&mut self, line: u64, event: EventLine) {
        self.bytes += event.key.len() + event.value.as_ref().map_or(0, Vec::len);
        self.batch.line_last = line;
        self.batch.events.push(ImportedEvent { key: event.key, value: event.value });
        self.lines.push(line);
    }

    /// The lines of the first two events with one key, first by where the second one stands.
    fn repeated_key(&self) -> Option<(u64, u64)> {
        if self.lines.len() < 2 {
            return None;
        }
        let mut keys: Vec<(&[u8], u64)> = self
            .batch
            .events
            .iter()
            .map(|event| &*event.key)
            .zip(self.lines.iter().copied())
            .collect();
        keys.sort_unstable();
        let repeated = keys.windows(2).filter(|pair| pair[0].0 == pair[1].0);
        repeated.map(|pair| (pair[0].1, pair[1].1)).min_by_key(|(_, line)| *line)
    }
}

impl std::fmt::Debug for JsonlReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JsonlReader").field("last", &self.last).finish_non_exhaustive()
    }
}

/// An error of a line of a file.
fn refuse_line(file: &str, line: u64, reason: String) -> Error {
    Error::Input { file: file.to_owned(), line, reason }
}
