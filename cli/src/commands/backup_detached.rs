//! `backup …` with `--to` or `--from`: backups that lie in a bucket of their own.

use foldback::log_tier::history::FileKind;
use foldback::{BackupBucket, DetachedBackup, RestorePlan, Selection, Target};

use super::restoring::watched;
use super::{Screen, Session, export, screen};
use crate::arguments::{BackupCommand, BackupCreateArgs, Format};
use crate::config::Settings;
use crate::error::Result;
use crate::output::Cell;
use crate::session::open_backups;

/// Runs a command that such a bucket alone is enough for.
pub(super) fn run(
    settings: &Settings,
    command: &BackupCommand,
    asked: Option<Format>,
) -> Result<()> {
    let url = command.detached_alone().expect("it has the URL of a bucket of backups");
    if let BackupCommand::Export { name, file, .. } = command {
        let export_format = Format::of_export(asked)?;
        let bucket = open_backups(settings, url, false)?;
        let backup = bucket.backup(name)?;
        let plan = backup.plan(&file.keys.selection()?)?;
        return export::write_rows(backup.plan_rows(&plan)?, &file.destination(), export_format);
    }
    let mut screen = screen(asked)?;
    let bucket = open_backups(settings, url, false)?;
    match command {
        BackupCommand::List { .. } => list(&mut screen, &bucket)?,
        BackupCommand::Describe { name, .. } => show(&mut screen, bucket.backup(name)?.backup())?,
        BackupCommand::Delete { name, .. } => delete(&mut screen, &bucket, name)?,
        other => unreachable!("{other:?} needs a database"),
    }
    screen.flush()
}

/// Copies a state of a table into the bucket at `url`.
pub(super) fn create(
    session: &mut Session,
    url: &str,
    create: &BackupCreateArgs,
    target: Target,
) -> Result<()> {
    let plan = session.database.plan(create.table.table(), target, &Selection::all())?;
    detach(session, &plan, (url, &create.name), create.reason.as_deref())
}

/// Copies a backup of this database into the bucket at `url`.
pub(super) fn copy(session: &mut Session, name: &str, url: &str) -> Result<()> {
    let plan = session.database.plan_backup(name, &Selection::all())?;
    let reason = session.database.backup(name)?.reason;
    detach(session, &plan, (url, name), reason.as_deref())
}

fn detach(
    session: &mut Session,
    plan: &RestorePlan,
    (url, name): (&str, &str),
    reason: Option<&str>,
) -> Result<()> {
    let bucket = open_backups(&session.settings, url, true)?;
    let made = watched("copying", plan.bucket_bytes(), |watch| {
        Ok(session.database.detach_backup(plan, (&bucket, name), reason, watch)?)
    })?;
    show(&mut session.screen, &made)
}

fn list(screen: &mut Screen, bucket: &BackupBucket) -> Result<()> {
    let names =
        &["name", "database", "table", "seq", "timestamp", "made", "rows", "bytes", "reason"];
    let mut list = screen.list(names);
    for backup in bucket.backups()? {
        list.row(vec![
            Cell::text(Some(backup.name)),
            Cell::text(Some(backup.database.to_string())),
            Cell::text(Some(backup.table_name)),
            Cell::Seq(backup.target.seq),
            Cell::Instant(backup.target.timestamp),
            Cell::Instant(backup.made),
            Cell::Count(backup.rows),
            Cell::Bytes(backup.bytes),
            Cell::text(backup.reason),
        ])?;
    }
    list.finish().map(drop)
}

fn show(screen: &mut Screen, backup: &DetachedBackup) -> Result<()> {
    let files = u64::try_from(backup.files.len()).unwrap_or(u64::MAX);
    let previous = backup.previous.as_ref();
    screen.record(&[
        ("name", Cell::text(Some(&backup.name))),
        ("database", Cell::text(Some(backup.database.to_string()))),
        ("table", Cell::text(Some(&backup.table_name))),
        ("table_id", Cell::Count(backup.table.0)),
        ("seq", Cell::Seq(backup.target.seq)),
        ("timestamp", Cell::Instant(backup.target.timestamp)),
        ("made", Cell::Instant(backup.made)),
        ("rows", Cell::Count(backup.rows)),
        ("files", Cell::Count(files)),
        ("bytes", Cell::Bytes(backup.bytes)),
        ("base_bytes", Cell::Bytes(backup.bytes_of(FileKind::Base))),
        ("delta_bytes", Cell::Bytes(backup.bytes_of(FileKind::Delta))),
        ("previous", Cell::text(previous.map(|previous| &previous.name))),
        ("written_bytes", Cell::Bytes(backup.written_bytes.unwrap_or(backup.bytes))),
        ("reason", Cell::text(backup.reason.as_ref())),
    ])
}

fn delete(screen: &mut Screen, bucket: &BackupBucket, name: &str) -> Result<()> {
    let deleted = bucket.delete(name)?;
    screen.record(&[
        ("deleted", Cell::text(Some(name))),
        ("files", Cell::Count(u64::try_from(deleted.files).unwrap_or(u64::MAX))),
        ("files_stay", Cell::Flag(deleted.files_stay)),
    ])?;
    match deleted.files_stay {
        true => screen.note(
            "Its files stay for now, as somebody may be making a backup there; the next deletion \
             takes them.",
        ),
        false => Ok(()),
    }
}
