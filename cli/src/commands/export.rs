//! `export`: a table's rows, as of now or as of an instant, to a file.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use foldback::log_tier::export::ParquetExport;
use foldback::{Row, TableRef, Target};

use crate::arguments::ExportArgs;
use crate::door::Door;
use crate::error::{Error, Result};
use crate::export::{ExportFormat, TextExport, TextFormat};

pub(super) fn run(door: &Door, export: &ExportArgs, format: ExportFormat) -> Result<()> {
    let table = export.table.table();
    let selection = export.file.keys.selection()?;
    let target = match (door, export.as_of) {
        (Door::Database(database), None) => {
            let TableRef::Name(name) = &table else {
                return Err(Error::usage(
                    "a table that is named by its id is exported as of an instant: give --as-of",
                ));
            };
            let table = database.table(name)?;
            let ranges = selection.as_ranges().iter().map(|keys| table.range(keys));
            let ranges = ranges.collect::<foldback::Result<Vec<_>>>()?;
            return write_rows(ranges.into_iter().flatten(), &export.file.destination(), format);
        }
        (Door::Bucket(_), None) => Target::Latest,
        (_, Some(instant)) => door.at(instant),
    };
    let plan = door.plan(table, target, &selection)?;
    write_rows(door.plan_rows(&plan)?, &export.file.destination(), format)?;
    if target == Target::Latest && matches!(door, Door::Bucket(_)) {
        let commit = foldback::instant::show(plan.target.timestamp);
        eprintln!(
            "foldback: these rows are as of #{}, at {commit}, the last commit in the bucket",
            plan.target.seq
        );
    }
    Ok(())
}

/// Where rows are written to, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Destination<'a> {
    /// The file, which must not exist; none for standard output.
    pub(crate) file: Option<&'a Path>,
    /// Whether keys and values are written as base64 instead of text.
    pub(crate) base64: bool,
}

/// Refuses a file that is there already.
pub(super) fn check_is_free(path: &Path) -> Result<()> {
    match path.exists() {
        false => Ok(()),
        true => Err(Error::Refused(format!(
            "{} exists already; nothing was changed; name a file that does not",
            path.display()
        ))),
    }
}

/// Writes to a file under another name until it is whole, or to standard output.
pub(super) fn write_rows(
    rows: impl Iterator<Item = foldback::Result<Row>>,
    destination: &Destination<'_>,
    format: ExportFormat,
) -> Result<()> {
    let Some(path) = destination.file else {
        let stdout = BufWriter::new(std::io::stdout());
        return write_all(rows, stdout, destination.base64, format);
    };
    check_is_free(path)?;
    let unfinished = path.with_added_extension("unfinished");
    let file = File::create(&unfinished).map_err(Error::path("create", &unfinished))?;
    let written = write_all(rows, BufWriter::new(&file), destination.base64, format)
        .and_then(|()| finish(&file, &unfinished, path));
    if written.is_err() {
        // What is left of a failed export is of no use; the error that matters is the first one.
        let _ = std::fs::remove_file(&unfinished);
    }
    written
}

fn finish(file: &File, unfinished: &Path, path: &Path) -> Result<()> {
    file.sync_all().map_err(Error::path("sync", unfinished))?;
    std::fs::rename(unfinished, path).map_err(Error::path("rename", unfinished))
}

fn write_all(
    rows: impl Iterator<Item = foldback::Result<Row>>,
    writer: impl Write + Send,
    base64: bool,
    format: ExportFormat,
) -> Result<()> {
    let text = match format {
        ExportFormat::Jsonl => TextFormat::Jsonl,
        ExportFormat::Csv => TextFormat::Csv,
        ExportFormat::Parquet => {
            let mut export = ParquetExport::begin(writer).map_err(foldback::Error::from)?;
            for row in rows {
                let (key, value) = row?;
                export.row(&key, &value).map_err(foldback::Error::from)?;
            }
            return Ok(export.finish().map_err(foldback::Error::from)?);
        }
    };
    let mut export = TextExport::begin(text, base64, writer)?;
    for row in rows {
        let (key, value) = row?;
        export.row(&key, &value)?;
    }
    export.finish().map(drop)
}
