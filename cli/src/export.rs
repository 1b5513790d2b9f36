//! Writes the rows of a table out: as text, JSON Lines or CSV, or as Parquet.

use std::borrow::Cow;
use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::{Error, Result};
use crate::output::printable_bytes;

#[cfg(test)]
mod tests;

/// A form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExportFormat {
    /// JSON Lines.
    Jsonl,
    /// Comma-separated values.
    Csv,
    /// Parquet.
    Parquet,
}

/// A form of text to write rows in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextFormat {
    /// One object a line: `{"key":…,"value":…}`.
    Jsonl,
    /// RFC 4180 with the heading `key,value`: lines end in CR LF, and a field that holds a quote,
    /// a comma or a line end is quoted.
    Csv,
}

/// Writes rows in a form of text, in the order in which they are given.
#[derive(Debug)]
pub(crate) struct TextExport<W> {
    format: TextFormat,
    /// Keys and values are written as base64, so that any bytes can be.
    base64: bool,
    writer: W,
    rows: u64,
}

impl<W: Write> TextExport<W> {
    /// Begins an export; `writer` should be buffered.
    pub(crate) fn begin(format: TextFormat, base64: bool, writer: W) -> Result<Self> {
        let mut export = Self { format, base64, writer, rows: 0 };
        if format == TextFormat::Csv {
            export.write(b"key,value\r\n")?;
        }
        Ok(export)
    }

    /// Writes one row. Bytes that are not text are refused unless they are written as base64.
    pub(crate) fn row(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let key_text = self.text_of("key", key, key)?;
        let value_text = self.text_of("value", key, value)?;
        let row = match self.format {
            TextFormat::Jsonl => {
                format!("{{\"key\":{},\"value\":{}}}\n", json(&key_text), json(&value_text))
            }
            TextFormat::Csv => format!("{},{}\r\n", csv(&key_text), csv(&value_text)),
        };
        self.rows += 1;
        self.write(row.as_bytes())
    }

    /// Makes sure that everything has been written; tells how many rows there were.
    pub(crate) fn finish(mut self) -> Result<u64> {
        self.writer.flush().map_err(Error::io("write", "the export"))?;
        Ok(self.rows)
    }

    fn text_of<'a>(&self, what: &str, key: &[u8], bytes: &'a [u8]) -> Result<Cow<'a, str>> {
        if self.base64 {
            return Ok(Cow::Owned(STANDARD.encode(bytes)));
        }
        std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| {
            Error::usage(format!(
                "the {what} of row {} (key {}) is not UTF-8 text, and the export would not say \
                 what it is: add --base64 to write all keys and values as base64",
                self.rows + 1,
                printable_bytes(key)
            ))
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.writer.write_all(bytes).map_err(Error::io("write", "the export"))
    }
}

fn json(text: &str) -> String {
    serde_json::to_string(text).expect("any text is a JSON string")
}

fn csv(text: &str) -> Cow<'_, str> {
    if text.contains(['"', ',', '\r', '\n']) {
        return Cow::Owned(format!("\"{}\"", text.replace('"', "\"\"")));
    }
    Cow::Borrowed(text)
}
