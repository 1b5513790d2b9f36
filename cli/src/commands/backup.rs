//! `backup create | copy | list | describe | delete | restore | export` of backups in the database.

use foldback::{BackupRecord, RestorePlan, RestoreSource};

use super::restore::target_of;
use super::restoring::{
    DRY_RUN_NOTE, options_from, planned_fields, restored_fields, say_unprotected, watched,
};
use super::{HistorySession, Screen, Session, backup_detached, backup_schedule, export};
use crate::arguments::{
    BackupCommand, BackupCreateArgs, ExportFileArgs, RestoreManner, ScheduleCommand,
};
use crate::door::Door;
use crate::error::Result;
use crate::export::ExportFormat;
use crate::output::Cell;
use crate::session::open_backups;

pub(super) fn run(session: &mut Session, command: &BackupCommand) -> Result<()> {
    match command {
        BackupCommand::Create(create) => self::create(session, create),
        BackupCommand::Copy { name, to } => backup_detached::copy(session, name, to),
        BackupCommand::Delete { name, .. } => delete(session, name),
        BackupCommand::Restore { name, target_name, manner } => {
            restore(session, (name, target_name), manner)
        }
        BackupCommand::Schedule(schedule) => backup_schedule::run(session, schedule),
        BackupCommand::Run => backup_schedule::run_due(session),
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
        BackupCommand::Schedule(ScheduleCommand::List) => backup_schedule::list(session),
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
    let plan = door.plan_backup(name, &file.keys.selection()?)?;
    export::write_rows(door.plan_rows(&plan)?, &file.destination(), format)
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

/// Makes a table of a backup of this database, or of one in a bucket of backups.
fn restore(
    session: &mut Session,
    (name, target_name): (&str, &str),
    manner: &RestoreManner,
) -> Result<()> {
    let selection = manner.keys.selection()?;
    let Some(url) = &manner.from else {
        let plan = session.database.plan_backup(name, &selection)?;
        return run_plan(session, (&plan, target_name), manner, RestoreSource::Database);
    };
    let bucket = open_backups(&session.settings, url, false)?;
    let backup = bucket.backup(name)?;
    let plan = backup.plan(&selection)?;
    run_plan(session, (&plan, target_name), manner, RestoreSource::Backup(&backup))
}

fn run_plan(
    session: &mut Session,
    (plan, target_name): (&RestorePlan, &str),
    manner: &RestoreManner,
    from: RestoreSource<'_>,
) -> Result<()> {
    let options = options_from(manner, from);
    if manner.dry_run {
        session.database.check_restore(&[(plan, target_name)], &options)?;
        let fields = planned_fields(&session.database.costs(), plan, target_name);
        session.screen.record(&fields)?;
        return session.screen.note(DRY_RUN_NOTE);
    }
    let restored = watched("restoring", plan.bucket_bytes(), |watch| {
        Ok(session.database.restore_with(plan, target_name, &options, watch)?)
    })?;
    session.screen.record(&restored_fields(plan, target_name, &restored))?;
    say_unprotected(session, &options, &[target_name])
}
