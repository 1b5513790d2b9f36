//! A recorded trace: JSON Lines, one operation a line, as `foldback import jsonl` reads events.
//!
//! A line is an object with `key` and `value`; a null value is a delete. `batch` is a whole number:
//! lines that follow each other with the same one are written together. Beyond what an import
//! knows, `op` may say `get`, or `range` with `rows`, besides `put` and `delete`. Other fields, a
//! timestamp among them, are passed over: when an operation is due is the suite's choice.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::{Error, Operation, Result};

/// Bytes of one line at most: a trace of anything else than lines is not read into memory.
const LINE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Operations of one batch at most.
const BATCH_OPERATIONS_MAX: usize = 1_000_000;

/// Reads a trace, batch by batch: writes of one batch together, every read alone.
pub struct Trace {
    name: String,
    lines: Box<dyn BufRead>,
    line: u64,
    /// The line after the batch that was given last.
    ahead: Option<TraceLine>,
    /// Nothing follows: the end was met, or an error.
    ended: bool,
}

/// One line: the batch that it belongs to, if it says one, and what it does.
#[derive(Debug)]
struct TraceLine {
    batch: Option<i64>,
    operation: Operation,
}

/// A line as it is written.
#[derive(Deserialize)]
struct Written {
    op: Option<String>,
    key: String,
    /// Outer: whether the field is there; inner: JSON's null is a value too.
    #[serde(default, deserialize_with = "present")]
    value: Option<Value>,
    batch: Option<i64>,
    rows: Option<u64>,
}

/// Tells a field that is null from one that is missing.
fn present<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(value).map(Some)
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trace").field("name", &self.name).field("line", &self.line).finish()
    }
}

impl Trace {
    /// Opens a file; one whose name ends in `.zst` is decompressed.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if it cannot be opened.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("open the trace", path))?;
        let lines: Box<dyn BufRead> = match path.extension().is_some_and(|end| end == "zst") {
            true => {
                let plain = zstd::stream::read::Decoder::new(file);
                Box::new(BufReader::new(plain.map_err(Error::io("decompress the trace", path))?))
            }
            false => Box::new(BufReader::new(file)),
        };
        Ok(Self::read(path.display().to_string(), lines))
    }

    /// Reads what is not a file; errors call it `name`.
    #[must_use]
    pub fn read(name: String, lines: Box<dyn BufRead>) -> Self {
        Self { name, lines, line: 0, ahead: None, ended: false }
    }

    /// The operations that go together, and none at the end.
    fn batch(&mut self) -> Result<Vec<Operation>> {
        let first = match self.ahead.take() {
            Some(line) => line,
            None => match self.next_line()? {
                Some(line) => line,
                None => return Ok(Vec::new()),
            },
        };
        let number = first.batch.filter(|_| first.operation.is_write());
        let mut batch = vec![first.operation];
        while number.is_some() {
            let Some(line) = self.next_line()? else { break };
            if line.batch != number || !line.operation.is_write() {
                self.ahead = Some(line);
                break;
            }
            if batch.len() == BATCH_OPERATIONS_MAX {
                let say = format!("its batch has more than {BATCH_OPERATIONS_MAX} operations");
                return Err(self.refused(&say));
            }
            batch.push(line.operation);
        }
        Ok(batch)
    }

    /// The next line that is not empty.
    fn next_line(&mut self) -> Result<Option<TraceLine>> {
        loop {
            let mut text = Vec::new();
            self.line += 1;
            let read = self.lines.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut text);
            let read = read.map_err(|error| self.refused(&format!("it can't be read: {error}")))?;
            if read == 0 {
                return Ok(None);
            }
            if text.last() != Some(&b'\n') && text.len() as u64 == LINE_BYTES_MAX {
                return Err(self.refused(&format!("it has more than {LINE_BYTES_MAX} bytes")));
            }
            if !text.trim_ascii().is_empty() {
                let line = TraceLine::parse(&text).map_err(|reason| self.refused(&reason))?;
                return Ok(Some(line));
            }
        }
    }

    fn refused(&self, reason: &str) -> Error {
        Error::Input(format!("{}, line {}: {reason}", self.name, self.line))
    }
}

impl Iterator for Trace {
    type Item = Result<Vec<Operation>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let batch = self.batch();
        self.ended = batch.as_ref().map_or(true, Vec::is_empty);
        match batch {
            Ok(batch) if batch.is_empty() => None,
            other => Some(other),
        }
    }
}

impl TraceLine {
    fn parse(text: &[u8]) -> Result<Self, String> {
        let written: Written = serde_json::from_slice(text).map_err(|error| {
            let place = format!(" at line {} column {}", error.line(), error.column());
            let reason = error.to_string();
            let reason = reason.strip_suffix(&place).unwrap_or(&reason);
            format!("it is no operation, from column {} on: {reason}", error.column())
        })?;
        let Written { op, key, value, batch, rows } = written;
        let key = key.into_bytes();
        if rows.is_some() && op.as_deref() != Some("range") {
            return Err("\"rows\" is of a range alone; add \"op\":\"range\"".to_owned());
        }
        let operation = match (op.as_deref(), value) {
            (Some("get"), None | Some(Value::Null)) => Operation::Get { key },
            (Some("range"), None | Some(Value::Null)) => {
                let rows = rows.ok_or("a range has \"rows\", how many it reads at most")?;
                Operation::Range { first: key, rows }
            }
            (Some(read @ ("get" | "range")), Some(_)) => {
                return Err(format!("a {read} has no value"));
            }
            (Some("delete"), _) | (None, Some(Value::Null)) => Operation::Delete { key },
            (Some("put"), None | Some(Value::Null)) => {
                return Err("a put has a \"value\" that is not null".to_owned());
            }
            (Some("put") | None, Some(value)) => Operation::Put { key, value: bytes(value) },
            (None, None) => {
                return Err("\"value\" is missing; null is a delete, and a read says \
                            \"op\":\"get\""
                    .to_owned());
            }
            (Some(op), _) => {
                return Err(format!("\"op\" is {op:?}; it is put, delete, get or range"));
            }
        };
        Ok(Self { batch, operation })
    }
}

/// Text is kept as it is, other JSON as its text.
fn bytes(value: Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.into_bytes(),
        other => other.to_string().into_bytes(),
    }
}

#[cfg(test)]
mod tests;
