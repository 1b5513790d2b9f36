//! `backup create | copy | list | describe | delete | restore | export` of backups in the database.

use foldback::{BackupRecord, RestorePlan, Restored, Selection};

use super::restore::{selection, target_of};
use super::{HistorySession, Screen, Session, backup_detached, export};
use crate::arguments::{BackupCommand, BackupCreateArgs, ExportFileArgs};
use crate::door::Door;
use crate::error::Result;
use crate::export::ExportFormat;
use crate::output::Cell;
use crate::output::progress::{Progress, ProgressUnit};

pub(super) fn run(session: &mut Session, command: &BackupCommand) -> Result<()> {
    match command {
        BackupCommand::Create(create) => self::create(session, create),
        BackupCommand::Copy { name, to } => backup_detached::copy(session, name, to),
        BackupCommand::Delete { name, .. } => delete(session, name),
        BackupCommand::Restore { name, target_name, prefix, place } => {
            let (names, selection) = ((name.as_str(), target_name.as_str()), selection(prefix));
            match &place.from {
                None => restore(session, names, &selection),
                Some(url) => backup_detached::restore(session, url, names, &selection),
            }
        }
        BackupCommand::List { .. }
        | BackupCommand::Describe { .. }
        | BackupCommand::Export { .. } => {
            unreachable!("these only read history")
        }
    }
}

/// The commands that a bucket alone is enough for.
pub(super) fn run_on_history(session: &mut HistorySession, command: &BackupCommand) -> Result<()> {
    match command {
        BackupCommand::List { .. } => list(session),
        BackupCommand::Describe { name, .. } => describe(&session.door, &mut session.screen, name),
        other => unreachable!("{other:?} does more than read history"),
    }
}

/// Writes the rows of a backup to a file.
pub(super) fn export(
    door: &Door,
    name: &str,
    file: &ExportFileArgs,
    format: ExportFormat,
) -> Result<()> {
    let plan = door.plan_backup(name, &Selection::all())?;
    export::write_rows(door.plan_rows(&plan)?, file, format)
}

fn create(session: &mut Session, create: &BackupCreateArgs) -> Result<()> {
    let door = Door::Database(session.database.clone());
    let target = target_of(&door, &create.target())?;
    if let Some(url) = &create.to {
        return backup_detached::create(session, url, create, target);
    }
    let (name, table, reason) = (&create.name, create.table.table(), create.reason.as_deref());
    session.database.create_backup(name, table, target, reason)?;
    describe(&door, &mut session.screen, name)
}

fn list(session: &mut HistorySession) -> Result<()> {
    let names = &["name", "table", "table_id", "seq", "timestamp", "created", "state", "reason"];
    let mut list = session.screen.list(names);
    for backup in session.door.backups() {
        list.row(vec![
            Cell::text(Some(&backup.name)),
            Cell::text(Some(&backup.table_name)),
            Cell::Count(backup.table.0),
            Cell::Seq(backup.target.seq),
            Cell::Instant(backup.target.timestamp),
            Cell::Instant(backup.created.timestamp),
            Cell::text(Some(state(&backup))),
            Cell::text(backup.reason),
        ])?;
    }
    list.finish().map(drop)
}

fn describe(door: &Door, screen: &mut Screen, name: &str) -> Result<()> {
    let backup = door.backup(name)?;
    let bytes = match backup.is_confirmed() {
        true => Some(door.backup_bytes(name)?),
        false => None,
    };
    screen.record(&[
        ("name", Cell::text(Some(&backup.name))),
        ("table", Cell::text(Some(&backup.table_name))),
        ("table_id", Cell::Count(backup.table.0)),
        ("seq", Cell::Seq(backup.target.seq)),
        ("timestamp", Cell::Instant(backup.target.timestamp)),
        ("created", Cell::Instant(backup.created.timestamp)),
        ("created_seq", Cell::Seq(backup.created.seq)),
        ("state", Cell::text(Some(state(&backup)))),
        ("own_bytes", bytes.map_or(Cell::Empty, |bytes| Cell::Bytes(bytes.own))),
        ("shared_bytes", bytes.map_or(Cell::Empty, |bytes| Cell::Bytes(bytes.shared))),
        ("reason", Cell::text(backup.reason)),
    ])
}

fn state(backup: &BackupRecord) -> &'static str {
    if backup.is_confirmed() { "kept" } else { "not finished" }
}

fn delete(session: &mut Session, name: &str) -> Result<()> {
    let commit = session.database.delete_backup(name)?;
    session.screen.record(&[
        ("deleted", Cell::text(Some(name))),
        ("seq", Cell::Seq(commit.seq)),
        ("timestamp", Cell::Instant(commit.timestamp)),
    ])
}

fn restore(
    session: &mut Session,
    (name, target_name): (&str, &str),
    selection: &Selection,
) -> Result<()> {
    let plan = session.database.plan_backup(name, selection)?;
    let bar = Progress::begin("restoring rows", None, ProgressUnit::Items);
    let watch = &mut |progress: foldback::Progress| bar.set(progress.rows);
    let restored = session.database.restore_watched(&plan, target_name, watch)?;
    drop(bar);
    show_restored(&mut session.screen, (name, target_name), &plan, &restored)
}

/// Prints what a restore of a backup came to.
pub(super) fn show_restored(
    screen: &mut Screen,
    (name, target_name): (&str, &str),
    plan: &RestorePlan,
    restored: &Restored,
) -> Result<()> {
    screen.record(&[
        ("backup", Cell::text(Some(name))),
        ("source", Cell::text(Some(&plan.table_name))),
        ("source_id", Cell::Count(plan.table.0)),
        ("table", Cell::text(Some(target_name))),
        ("table_id", Cell::Count(restored.table.0)),
        ("restored_to_seq", Cell::Seq(restored.target.seq)),
        ("restored_to", Cell::Instant(restored.target.timestamp)),
        ("rows", Cell::Count(restored.rows)),
        ("bytes", Cell::Bytes(restored.bytes)),
    ])
}
