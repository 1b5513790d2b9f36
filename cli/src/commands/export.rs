//! `export`: a table's rows, as of now or as of an instant, to a file.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use foldback::log_tier::export::ParquetExport;
use foldback::{KeyRange, Row, Selection, TableRef, Target};

use crate::arguments::{ExportArgs, ExportFileArgs};
use crate::door::Door;
use crate::error::{Error, Result};
use crate::export::{ExportFormat, TextExport, TextFormat};

pub(super) fn run(door: &Door, export: &ExportArgs, format: ExportFormat) -> Result<()> {
    let table = export.table.table();
    let target = match (door, export.as_of) {
        (Door::Database(database), None) => {
            let TableRef::Name(name) = &table else {
                return Err(Error::usage(
                    "a table that is named by its id is exported as of an instant: give --as-of",
                ));
            };
            let rows = database.table(name)?.range(&KeyRange::all())?;
            return write_rows(rows, &export.file, format);
        }
        (Door::Bucket(_), None) => Target::Latest,
        (_, Some(instant)) => door.at(instant),
    };
    let plan = door.plan(table, target, &Selection::all())?;
    write_rows(door.plan_rows(&plan)?, &export.file, format)?;
    if target == Target::Latest && matches!(door, Door::Bucket(_)) {
        let commit = foldback::instant::show(plan.target.timestamp);
        eprintln!(
            "foldback: these rows are as of #{}, at {commit}, the last commit in the bucket",
            plan.target.seq
        );
    }
    Ok(())
}

/// Writes to a file under another name until it is whole, or to standard output.
pub(super) fn write_rows(
    rows: impl Iterator<Item = foldback::Result<Row>>,
    export: &ExportFileArgs,
    format: ExportFormat,
) -> Result<()> {
    let Some(path) = &export.output else {
        let stdout = BufWriter::new(std::io::stdout());
        return write_all(rows, stdout, export.base64, format);
    };
    if path.exists() {
        return Err(Error::Refused(format!(
            "{} exists already; nothing was changed; name a file that does not",
            path.display()
        )));
    }
    let unfinished = path.with_added_extension("unfinished");
    let file = File::create(&unfinished).map_err(Error::path("create", &unfinished))?;
    let written = write_all(rows, BufWriter::new(&file), export.base64, format)
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
