//! `restore | restore-group`: into new tables, into a file, or only shown.

use std::ops::ControlFlow;
use std::path::Path;

use foldback::{
    Commit, Costs, Database, Error as EngineError, RestoreOptions, RestorePlan, RestoreProtection,
    RestoreSource, Restored, Row, Target,
};

use super::export::{Destination, check_is_free, write_rows};
use super::restore::target_of;
use super::{HistorySession, Session};
use crate::arguments::{Format, RestoreArgs, RestoreGroupArgs, RestoreManner};
use crate::config::Settings;
use crate::door::Door;
use crate::error::{Error, Result};
use crate::export::ExportFormat;
use crate::human::human_count;
use crate::interrupt::Interrupt;
use crate::output::Cell;
use crate::output::progress::{Progress, ProgressUnit};
use crate::session::open_bucket;

/// What is said under what would be done.
pub(super) const DRY_RUN_NOTE: &str =
    "nothing was changed: this is what would be done without --dry-run";

/// Fields of a record.
pub(super) type Fields = Vec<(&'static str, Cell)>;

pub(super) fn restore(session: &mut Session, asked: &RestoreArgs) -> Result<()> {
    let began = foldback::steady_now();
    let (table, new_name) = asked.asked()?;
    let new_name = new_name.ok_or_else(|| Error::usage("say what the new table is named"))?;
    let source = source_of(&session.settings, &session.database, &asked.manner)?;
    let target = target_of(&source, &asked.target)?;
    let plan = source.plan(table, target, &asked.manner.keys.selection()?)?;
    let options = options(&asked.manner, &source);
    let restored = watched("restoring", plan.bucket_bytes(), |watch| {
        Ok(session.database.restore_with(&plan, new_name, &options, watch)?)
    })?;
    let mut fields = restored_fields(&plan, new_name, &restored);
    let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    fields.push(("took_micros", Cell::Duration(micros)));
    session.screen.record(&fields)?;
    say_unprotected(session, &options, &[new_name])
}

pub(super) fn restore_group(session: &mut Session, asked: &RestoreGroupArgs) -> Result<()> {
    let pairs = asked.asked()?;
    let source = source_of(&session.settings, &session.database, &asked.manner)?;
    let plans = group_plans(&source, asked, &pairs)?;
    let options = options(&asked.manner, &source);
    let names: Vec<_> = pairs.iter().map(|(_, new_name)| new_name.as_str()).collect();
    let tables: Vec<_> = plans.iter().zip(names.iter().copied()).collect();
    let bytes = plans.iter().map(RestorePlan::bucket_bytes).sum();
    let restored = watched("restoring", bytes, |watch| {
        Ok(session.database.restore_group(&tables, &options, watch)?)
    })?;
    let mut list = session.screen.list(RESTORED_NAMES);
    for ((plan, new_name), restored) in tables.iter().zip(&restored) {
        let fields = restored_fields(plan, new_name, restored);
        list.row(fields.into_iter().map(|(_, cell)| cell).collect())?;
    }
    list.finish()?;
    say_unprotected(session, &options, &names)
}

/// Restores into a file, from a database, which logs it, or from a bucket alone.
pub(super) fn restore_to_file(
    session: &mut HistorySession,
    asked: &RestoreArgs,
    format: ExportFormat,
) -> Result<()> {
    let began = foldback::steady_now();
    let (table, _) = asked.asked()?;
    let file = asked.to_file.as_deref().ok_or_else(|| Error::usage("say --to-file FILE"))?;
    check_is_free(file)?;
    let bucket = bucket_of(&session.settings, &asked.manner)?;
    let source = bucket.as_ref().unwrap_or(&session.door);
    let target = target_of(source, &asked.target)?;
    let plan = source.plan(table, target, &asked.manner.keys.selection()?)?;
    let options = options(&asked.manner, source);
    let destination = Destination { file: Some(file), base64: asked.base64 };
    let name = file.display().to_string();
    let mut count = 0;
    watched("restoring", plan.bucket_bytes(), |watch| match &session.door {
        Door::Database(database) => {
            database.restore_to_file((&plan, &name), &options, watch, |rows| {
                write_rows(rows.inspect(|_| count += 1), &destination, format)
            })
        }
        Door::Bucket(_) => {
            let rows = unlogged_rows(source, &plan, &options, watch)?;
            write_rows(rows.inspect(|_| count += 1), &destination, format)
        }
    })?;
    let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    session.screen.record(&[
        ("source", Cell::text(Some(&plan.table_name))),
        ("source_id", Cell::Count(plan.table.0)),
        ("file", Cell::text(Some(name))),
        ("restored_to_seq", Cell::Seq(plan.target.seq)),
        ("restored_to", Cell::Instant(plan.target.timestamp)),
        ("rows", Cell::Count(count)),
        ("took_micros", Cell::Duration(micros)),
    ])
}

/// The form of the file: as asked for, or as the ending of its name says.
pub(super) fn file_format(asked: &RestoreArgs, format: Option<Format>) -> Result<ExportFormat> {
    let ending = asked.to_file.as_deref().and_then(Path::extension);
    match (format, ending.and_then(std::ffi::OsStr::to_str)) {
        (None, Some("parquet")) => Ok(ExportFormat::Parquet),
        (None, Some("csv")) => Ok(ExportFormat::Csv),
        (None, Some(other)) if other != "jsonl" => Err(Error::usage(format!(
            "which form a file that ends in .{other} has is not known: say --format jsonl, csv or \
             parquet, or let it end so"
        ))),
        (format, _) => Format::of_export(format),
    }
}

/// Says what a restore would read and make.
pub(super) fn dry_run(session: &mut HistorySession, asked: &RestoreArgs) -> Result<()> {
    let (table, new_name) = asked.asked()?;
    let bucket = bucket_of(&session.settings, &asked.manner)?;
    let source = bucket.as_ref().unwrap_or(&session.door);
    let target = target_of(source, &asked.target)?;
    let plan = source.plan(table, target, &asked.manner.keys.selection()?)?;
    let options = options(&asked.manner, source);
    if let Some(file) = &asked.to_file {
        check_is_free(file)?;
        options.rewrite.as_ref().map_or(Ok(()), |rewrite| rewrite.check(&plan.selection))?;
    }
    let into = match &asked.to_file {
        Some(file) => format!("file {}", file.display()),
        None => {
            let new_name = new_name.unwrap_or_default();
            check(&session.door, &[(&plan, new_name)], &options)?;
            new_name.to_owned()
        }
    };
    let fields = planned_fields(&session.costs, &plan, &into);
    session.screen.record(&fields)?;
    session.screen.note(DRY_RUN_NOTE)
}

/// Says what a restore of several tables would read and make.
pub(super) fn dry_run_group(session: &mut HistorySession, asked: &RestoreGroupArgs) -> Result<()> {
    let pairs = asked.asked()?;
    let bucket = bucket_of(&session.settings, &asked.manner)?;
    let source = bucket.as_ref().unwrap_or(&session.door);
    let plans = group_plans(source, asked, &pairs)?;
    let options = options(&asked.manner, source);
    let names = pairs.iter().map(|(_, new_name)| new_name.as_str());
    let tables: Vec<_> = plans.iter().zip(names).collect();
    check(&session.door, &tables, &options)?;
    let rows: Vec<_> =
        tables.iter().map(|(plan, name)| planned_fields(&session.costs, plan, name)).collect();
    let mut list = session.screen.list(PLANNED_NAMES);
    for fields in rows {
        list.row(fields.into_iter().map(|(_, cell)| cell).collect())?;
    }
    list.finish()?;
    session.screen.note(DRY_RUN_NOTE)
}

/// The plans of a group, all of the commit that its first table's target comes to.
fn group_plans(
    source: &Door,
    asked: &RestoreGroupArgs,
    pairs: &[(&str, String)],
) -> Result<Vec<RestorePlan>> {
    let selection = asked.manner.keys.selection()?;
    let (first, _) = pairs.first().ok_or_else(|| Error::usage("name at least one table"))?;
    let Commit { seq, .. } = source.resolve(*first, target_of(source, &asked.target)?)?.commit;
    pairs.iter().map(|(name, _)| source.plan(*name, Target::Seq(seq), &selection)).collect()
}

/// Refuses what the restore would refuse, as far as it is known here.
fn check(door: &Door, tables: &[(&RestorePlan, &str)], options: &RestoreOptions<'_>) -> Result<()> {
    let database = match door {
        Door::Database(database) => return Ok(database.check_restore(tables, options)?),
        Door::Bucket(reader) => reader,
    };
    for (plan, name) in tables {
        options.rewrite.as_ref().map_or(Ok(()), |rewrite| rewrite.check(&plan.selection))?;
        if database.tables().iter().any(|record| record.name == *name) {
            return Err(EngineError::TableExists { name: (*name).to_owned() }.into());
        }
    }
    Ok(())
}

/// The rows of a plan where there is no log to write.
fn unlogged_rows<'a>(
    source: &'a Door,
    plan: &'a RestorePlan,
    options: &'a RestoreOptions<'_>,
    watch: &'a mut dyn FnMut(foldback::Progress) -> ControlFlow<()>,
) -> Result<impl Iterator<Item = foldback::Result<Row>> + 'a> {
    options.rewrite.as_ref().map_or(Ok(()), |rewrite| rewrite.check(&plan.selection))?;
    let mut progress = foldback::Progress::default();
    Ok(source.plan_rows(plan)?.map(move |row| {
        let (key, value) = row?;
        progress.rows += 1;
        if watch(progress).is_break() {
            return Err(EngineError::Cancelled);
        }
        match &options.rewrite {
            Some(rewrite) => Ok((rewrite.apply(&key)?, value)),
            None => Ok((key, value)),
        }
    }))
}

/// What the history is read from: the database that is open, or the bucket that is named.
fn source_of(settings: &Settings, database: &Database, manner: &RestoreManner) -> Result<Door> {
    let bucket = bucket_of(settings, manner)?;
    Ok(bucket.unwrap_or_else(|| Door::Database(database.clone())))
}

fn bucket_of(settings: &Settings, manner: &RestoreManner) -> Result<Option<Door>> {
    manner.from.as_deref().map(|url| open_bucket(settings, url)).transpose()
}

fn options<'a>(manner: &RestoreManner, source: &'a Door) -> RestoreOptions<'a> {
    options_from(
        manner,
        match source {
            Door::Database(_) => RestoreSource::Database,
            Door::Bucket(reader) => RestoreSource::Bucket(reader),
        },
    )
}

/// How a restore is done, of history that is read there.
pub(super) fn options_from<'a>(
    manner: &RestoreManner,
    from: RestoreSource<'a>,
) -> RestoreOptions<'a> {
    RestoreOptions {
        from,
        rewrite: manner.replace_prefix.clone(),
        protection: manner.protect.unwrap_or_default(),
        by: manner.by.clone().or_else(user_at_host),
        reason: manner.reason.clone(),
    }
}

/// Who runs this process, as far as its surroundings tell.
fn user_at_host() -> Option<String> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let named = || std::fs::read_to_string("/etc/hostname").ok();
    let host = set("HOSTNAME").or_else(|| named().map(|name| name.trim().to_owned()));
    match (set("USER").or_else(|| set("LOGNAME")), host.filter(|host| !host.is_empty())) {
        (Some(user), Some(host)) => Some(format!("{user}@{host}")),
        (user, host) => user.or_else(|| host.map(|host| format!("@{host}"))),
    }
}

/// Runs a restore, or what copies as one does, with a bar that shows how far it is; Ctrl-C cancels
/// it.
pub(super) fn watched<T>(
    doing: &'static str,
    plan_bytes: u64,
    run: impl FnOnce(&mut dyn FnMut(foldback::Progress) -> ControlFlow<()>) -> Result<T>,
) -> Result<T> {
    let interrupt = Interrupt::listen()?;
    let bar = match plan_bytes {
        0 => Progress::begin(doing, None, ProgressUnit::Items),
        bytes => Progress::begin(doing, Some(bytes), ProgressUnit::Bytes),
    };
    run(&mut |progress| {
        match plan_bytes {
            0 => bar.set(progress.rows),
            _ => {
                bar.set(progress.read_bytes);
                bar.tell(format!("{doing}, {} rows", human_count(progress.rows)));
            }
        }
        match interrupt.is_pressed() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })
}

const RESTORED_NAMES: &[&str] = &[
    "source",
    "source_id",
    "table",
    "table_id",
    "restored_to_seq",
    "restored_to",
    "rows",
    "bytes",
    "retention",
];

pub(super) fn restored_fields(plan: &RestorePlan, new_name: &str, restored: &Restored) -> Fields {
    let retention = restored.retention.map(|retention| retention.to_string());
    let cells = [
        Cell::text(Some(&plan.table_name)),
        Cell::Count(plan.table.0),
        Cell::text(Some(new_name)),
        Cell::Count(restored.table.0),
        Cell::Seq(restored.target.seq),
        Cell::Instant(restored.target.timestamp),
        Cell::Count(restored.rows),
        Cell::Bytes(restored.bytes),
        Cell::text(retention),
    ];
    RESTORED_NAMES.iter().copied().zip(cells).collect()
}

const PLANNED_NAMES: &[&str] = &[
    "source",
    "source_id",
    "would_make",
    "restored_to_seq",
    "restored_to",
    "bucket_bytes",
    "bucket_requests",
    "segment_bytes",
    "takes_about_micros",
    "costs_about",
];

pub(super) fn planned_fields(costs: &Costs, plan: &RestorePlan, into: &str) -> Fields {
    let estimate = plan.estimate(costs);
    let cells = [
        Cell::text(Some(&plan.table_name)),
        Cell::Count(plan.table.0),
        Cell::text(Some(into)),
        Cell::Seq(plan.target.seq),
        Cell::Instant(plan.target.timestamp),
        Cell::Bytes(estimate.bucket_bytes),
        Cell::Count(estimate.requests),
        Cell::Bytes(estimate.segment_bytes),
        Cell::Duration(estimate.micros),
        Cell::text(Some(estimate.money(costs).to_string())),
    ];
    PLANNED_NAMES.iter().copied().zip(cells).collect()
}

pub(super) fn say_unprotected(
    session: &mut Session,
    options: &RestoreOptions<'_>,
    names: &[&str],
) -> Result<()> {
    if options.protection != RestoreProtection::Unprotected {
        return Ok(());
    }
    let commands: Vec<_> = names.iter().map(|name| format!("`foldback protect {name}`")).collect();
    session.screen.note(&format!(
        "not protected: no instant of what comes now can be restored; {} changes that",
        commands.join(", ")
    ))
}
