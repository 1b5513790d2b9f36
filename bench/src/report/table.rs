//! A report on a terminal: what it ran on, the table, and what follows from it, last.

use std::fmt::Write;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};

use super::numbers::{NumberScale, digits};
use super::{Figure, Report};

/// How cells are to be read.
const LEGEND: &str = "median [least run, greatest run] (share of what the machine itself allows)";

impl Report {
    /// The report as text; its last line is its last verdict.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let add = |text: &mut String, name: &str, what: String| {
            writeln!(text, "{name:<9} {what}").expect("a string takes any text");
        };
        add(&mut text, &self.suite, format!("{}   {}", self.taken, self.command));
        for (name, what) in [("machine", self.machine.described()), ("settings", self.settings())] {
            add(&mut text, name, what);
        }
        if !self.limits.is_empty() {
            let mut table = new_table(["limit of the machine".to_owned(), "rate".to_owned()]);
            for figure in &self.limits {
                table.add_row([heading(&figure.name, &figure.unit), figure.shown()]);
            }
            writeln!(text, "{table}").expect("a string takes any text");
        }
        if !self.rows.is_empty() {
            writeln!(text, "{}\n{LEGEND}", self.rows_table()).expect("a string takes any text");
        }
        self.verdicts.iter().fold(text, |text, verdict| text + verdict + "\n")
    }

    /// The report as one JSON object.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("a report holds text and numbers")
    }

    pub(crate) fn settings(&self) -> String {
        let each = self.settings.iter().map(|(name, value)| match value.as_str() {
            Some(text) => format!("{name} {text}"),
            None => format!("{name} {value}"),
        });
        each.collect::<Vec<_>>().join(", ")
    }

    /// Names and units of all figures, in the order in which rows first have them.
    pub(crate) fn columns(&self) -> Vec<(&str, &str)> {
        let mut columns = Vec::new();
        for figure in self.rows.iter().flat_map(|row| &row.figures) {
            let column = (figure.name.as_str(), figure.unit.as_str());
            if !columns.iter().any(|(name, _)| *name == column.0) {
                columns.push(column);
            }
        }
        columns
    }

    fn rows_table(&self) -> Table {
        let columns = self.columns();
        let heads = columns.iter().map(|(name, unit)| heading(name, unit));
        let mut table =
            new_table(["contender".to_owned(), "case".to_owned()].into_iter().chain(heads));
        for row in &self.rows {
            let cells = columns
                .iter()
                .map(|(name, _)| row.figure_of(name).map_or_else(String::new, Figure::shown));
            table.add_row([row.contender.clone(), row.case.clone()].into_iter().chain(cells));
        }
        table
    }
}

impl Figure {
    /// The median, the least and the greatest where there are several, and the share.
    #[must_use]
    pub fn shown(&self) -> String {
        let scale = NumberScale::of(self.median(), scaled_unit(&self.unit));
        let mut text = scale.with_unit(self.median());
        if self.runs.len() > 1 {
            write!(text, " [{}, {}]", scale.digits(self.min()), scale.digits(self.max()))
                .expect("a string takes any text");
        }
        if let Some(share) = self.share {
            write!(text, " ({} %)", digits((share * 100.0).round()))
                .expect("a string takes any text");
        }
        text
    }
}

/// Bytes are scaled one by one, and then each says its unit; others are in that of the column.
fn scaled_unit(unit: &str) -> &str {
    if is_scaled(unit) || unit.ends_with("/s") { unit } else { "" }
}

fn is_scaled(unit: &str) -> bool {
    matches!(unit, "bytes" | "bytes/s")
}

/// A column's name, with its unit unless every cell says it.
pub(crate) fn heading(name: &str, unit: &str) -> String {
    match scaled_unit(unit) {
        "" if !unit.is_empty() => format!("{name} {unit}"),
        _ => name.to_owned(),
    }
}

fn new_table(heads: impl IntoIterator<Item = String>) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED);
    table.set_header(heads);
    // Names stand left, figures right; of limits, the name is the first column alone.
    let columns = table.column_count();
    let named = if columns > 2 { 2 } else { 1 };
    for column in table.column_iter_mut().skip(named) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
