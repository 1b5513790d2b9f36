//! What commands print: lists and records, as tables for people or as JSON for scripts.

use std::io::Write;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use serde::{Serialize, Serializer};

use crate::error::{Error, Result};

mod cell;
pub(crate) mod progress;
#[cfg(test)]
mod tests;

pub(crate) use cell::{Cell, printable_bytes};

/// Rows that one table holds: it must know all of them to align its columns. A longer list is
/// printed as several tables, each with its heading.
const TABLE_ROWS_MAX: usize = 1_000;

/// Who the output is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum OutputFormat {
    /// Tables for people.
    #[default]
    Table,
    /// JSON for scripts: one object for a record, one object a line for a list.
    Json,
}

/// Where a command prints its results.
#[derive(Debug)]
pub(crate) struct Output<W> {
    format: OutputFormat,
    writer: W,
    /// Columns of the terminal, which tables are fitted to; without one they are as wide as they
    /// need to be.
    width: Option<u16>,
}

/// A list that is being printed row by row.
#[derive(Debug)]
pub(crate) struct OutputList<'o, W> {
    output: &'o mut Output<W>,
    /// Names as JSON has them, with `_` between their words.
    names: &'static [&'static str],
    /// Rows that wait for their table to be full. JSON never waits.
    waiting: Vec<Vec<Cell>>,
    rows: u64,
}

/// Columns of the terminal that standard output is, where it is one.
pub(crate) fn terminal_width() -> Option<u16> {
    Table::new().width()
}

impl<W: Write> Output<W> {
    /// Prints to `writer`; `width` is that of its terminal, where it is one.
    pub(crate) fn new(format: OutputFormat, writer: W, width: Option<u16>) -> Self {
        Self { format, writer, width }
    }

    /// Who the output is for.
    pub(crate) fn format(&self) -> OutputFormat {
        self.format
    }

    /// Begins a list with these columns, named as in JSON: `last_seq`.
    pub(crate) fn list(&mut self, names: &'static [&'static str]) -> OutputList<'_, W> {
        OutputList { output: self, names, waiting: Vec::new(), rows: 0 }
    }

    /// Prints one thing: its fields, named as in JSON.
    pub(crate) fn record(&mut self, fields: &[(&'static str, Cell)]) -> Result<()> {
        if self.format == OutputFormat::Json {
            return self.json(fields.iter().map(|(name, cell)| (*name, cell)));
        }
        let mut table = self.table();
        for (name, cell) in fields {
            table.add_row([heading(name), cell.shown()]);
        }
        self.line(&table.trim_fmt())
    }

    /// Prints a sentence for people; scripts do not get it.
    pub(crate) fn note(&mut self, text: &str) -> Result<()> {
        match self.format {
            OutputFormat::Table => self.line(text),
            OutputFormat::Json => Ok(()),
        }
    }

    /// Makes sure that everything has been written.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.writer.flush().map_err(Error::io("write", "the output"))
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_preset(UTF8_FULL_CONDENSED).force_no_tty();
        match self.width {
            Some(width) => {
                table.set_width(width).set_content_arrangement(ContentArrangement::Dynamic);
            }
            None => {
                table.set_content_arrangement(ContentArrangement::Disabled);
            }
        }
        table
    }

    fn json<'c>(&mut self, fields: impl Iterator<Item = (&'static str, &'c Cell)>) -> Result<()> {
        let object = serde_json::to_string(&OrderedObject(fields.collect()))
            .expect("cells have no keys but strings");
        self.line(&object)
    }

    fn line(&mut self, text: &str) -> Result<()> {
        writeln!(self.writer, "{text}").map_err(Error::io("write", "the output"))
    }
}

impl<W: Write> OutputList<'_, W> {
    /// Prints a row, with one cell a column.
    pub(crate) fn row(&mut self, cells: Vec<Cell>) -> Result<()> {
        assert_eq!(cells.len(), self.names.len(), "a row has one cell a column");
        self.rows += 1;
        if self.output.format == OutputFormat::Json {
            return self.output.json(self.names.iter().copied().zip(&cells));
        }
        self.waiting.push(cells);
        if self.waiting.len() == TABLE_ROWS_MAX { self.print_table() } else { Ok(()) }
    }

    /// Prints what waits, and the headings of an empty list; tells how many rows there were.
    pub(crate) fn finish(mut self) -> Result<u64> {
        let is_table = self.output.format == OutputFormat::Table;
        if is_table && (self.rows == 0 || !self.waiting.is_empty()) {
            self.print_table()?;
        }
        Ok(self.rows)
    }

    fn print_table(&mut self) -> Result<()> {
        let mut table = self.output.table();
        table.set_header(self.names.iter().map(|name| heading(name)));
        for (at, column) in table.column_iter_mut().enumerate() {
            if self.waiting.iter().any(|row| row[at].is_number()) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        for row in self.waiting.drain(..) {
            table.add_row(row.iter().map(Cell::shown));
        }
        self.output.line(&table.trim_fmt())
    }
}

/// An object whose members stay in the order in which they were given.
struct OrderedObject<'c>(Vec<(&'static str, &'c Cell)>);

impl Serialize for OrderedObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

/// A name as people read it: the unit of a length of time stands beside its number.
fn heading(name: &str) -> String {
    name.strip_suffix("_micros").unwrap_or(name).replace('_', " ")
}
