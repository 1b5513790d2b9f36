//! `plan | restore`.

use foldback::{FileRead, RestorePlan, Selection, Seq, TableRef, Target};

use super::{HistorySession, Screen, Session, before};
use crate::arguments::{RestoreArgs, TargetArgs};
use crate::door::Door;
use crate::error::{Error, Result};
use crate::output::Cell;
use crate::output::progress::{Progress, ProgressUnit};
use crate::session::open_bucket;

pub(super) fn plan(
    session: &mut HistorySession,
    table: &TableRef,
    target: &TargetArgs,
    prefixes: &[String],
    files: bool,
) -> Result<()> {
    let target = target_of(&session.door, target)?;
    let plan = session.door.plan(table, target, &selection(prefixes))?;
    match files {
        true => list_files(session, &plan),
        false => show(&mut session.screen, &plan),
    }
}

pub(super) fn restore(session: &mut Session, restore: &RestoreArgs) -> Result<()> {
    let began = foldback::steady_now();
    let database = &session.database;
    let door = match &restore.from {
        None => Door::Database(database.clone()),
        Some(url) => open_bucket(&session.settings, url)?,
    };
    let target = target_of(&door, &restore.target)?;
    let plan = door.plan(restore.source.table(), target, &selection(&restore.prefix))?;
    let bar = Progress::begin("restoring rows", None, ProgressUnit::Items);
    let watch = &mut |progress: foldback::Progress| bar.set(progress.rows);
    let restored = match &door {
        Door::Database(database) => database.restore_watched(&plan, &restore.target_name, watch)?,
        Door::Bucket(reader) => {
            database.restore_from(reader, &plan, &restore.target_name, watch)?
        }
    };
    drop(bar);
    let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    session.screen.record(&[
        ("source", Cell::text(Some(plan.table_name.clone()))),
        ("source_id", Cell::Count(plan.table.0)),
        ("table", Cell::text(Some(&restore.target_name))),
        ("table_id", Cell::Count(restored.table.0)),
        ("restored_to_seq", Cell::Seq(restored.target.seq)),
        ("restored_to", Cell::Instant(restored.target.timestamp)),
        ("rows", Cell::Count(restored.rows)),
        ("bytes", Cell::Bytes(restored.bytes)),
        ("took_micros", Cell::Duration(micros)),
    ])
}

fn show(screen: &mut Screen, plan: &RestorePlan) -> Result<()> {
    let bases = plan.pieces.iter().filter(|piece| piece.base.is_some()).count();
    let deltas: usize = plan.pieces.iter().map(|piece| piece.deltas.len()).sum();
    let row_groups: usize = plan.files().map(|read| read.row_groups.len()).sum();
    let count = |number: usize| Cell::Count(u64::try_from(number).unwrap_or(u64::MAX));
    screen.record(&[
        ("table", Cell::text(Some(plan.table_name.clone()))),
        ("table_id", Cell::Count(plan.table.0)),
        ("seq", Cell::Seq(plan.target.seq)),
        ("timestamp", Cell::Instant(plan.target.timestamp)),
        ("manifest", Cell::Count(plan.manifest)),
        ("bases", count(bases)),
        ("deltas", count(deltas)),
        ("row_groups", count(row_groups)),
        ("bucket_bytes", Cell::Bytes(plan.bucket_bytes())),
        ("bucket_requests", Cell::Count(plan.bucket_requests())),
        ("segments", count(plan.segments.len())),
        ("segment_bytes", Cell::Bytes(plan.segment_bytes())),
    ])
}

/// Lists the reads of a plan, each with the rows of its file that count: those of the table, with
/// first_seq <= seq <= last_seq and key_from <= key < key_until. A file with rows for two ranges of
/// keys is listed once for each. Keys are in hex, as they may be any bytes.
fn list_files(session: &mut HistorySession, plan: &RestorePlan) -> Result<()> {
    let names = &[
        "location",
        "kind",
        "table_id",
        "first_seq",
        "last_seq",
        "key_from_hex",
        "key_until_hex",
        "row_groups",
        "bytes",
    ];
    let mut list = session.screen.list(names);
    for piece in &plan.pieces {
        for read @ FileRead { file, row_groups, bytes } in piece.files() {
            let is_base = piece.base.as_ref().is_some_and(|base| std::ptr::eq(base, read));
            let above = if is_base { Seq::ZERO } else { piece.floor };
            list.row(vec![
                Cell::text(Some(session.door.location(&file.name))),
                Cell::text(Some(file.kind.to_string())),
                Cell::Count(plan.table.0),
                Cell::Seq(above.next()),
                Cell::Seq(file.last.seq.min(plan.target.seq)),
                Cell::text(Some(&piece.keys.from).filter(|from| !from.is_empty()).map(hex)),
                Cell::text(piece.keys.until.as_ref().map(hex)),
                Cell::Count(u64::try_from(row_groups.len()).unwrap_or(u64::MAX)),
                Cell::Bytes(*bytes),
            ])?;
        }
    }
    list.finish()?;
    if !plan.segments.is_empty() {
        eprintln!(
            "foldback: commits #{} to #{} are only in the local log; `foldback seal` brings them \
             into the bucket",
            plan.sealed.next(),
            plan.target.seq
        );
    }
    Ok(())
}

fn hex(key: impl AsRef<[u8]>) -> String {
    key.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn selection(prefixes: &[String]) -> Selection {
    match prefixes.is_empty() {
        true => Selection::all(),
        false => Selection::prefixes(prefixes.iter().map(String::as_bytes)),
    }
}

pub(super) fn target_of(door: &Door, target: &TargetArgs) -> Result<Target> {
    match target {
        TargetArgs { at: Some(instant), .. } => Ok(door.at(*instant)),
        TargetArgs { before: Some(instant), .. } => Ok(before(*instant)),
        TargetArgs { seq: Some(seq), .. } => Ok(Target::Seq(foldback::Seq(*seq))),
        TargetArgs { latest: true, .. } => Ok(Target::Latest),
        _ => Err(Error::usage("say which state is meant: --at, --before, --seq or --latest")),
    }
}
