//! What each command does: one engine call or a few, and how its answer is printed.

use std::io::BufWriter;
use std::process::ExitCode;

use clap::CommandFactory;
use foldback::{Costs, Database, Seq, Target, Timestamp};

use crate::arguments::{Arguments, BackupCommand, Command, Format, ScanArgs, TableCommand};
use crate::config::Settings;
use crate::door::Door;
use crate::error::Result;
use crate::instant::InstantArg;
use crate::output::{Output, terminal_width};
use crate::session;

mod backup;
mod backup_detached;
mod backup_schedule;
pub(crate) mod bench;
mod demo;
mod drill;
mod explain;
pub(crate) mod export;
mod import;
mod map;
mod protection;
mod restore;
mod restore_log;
mod restoring;
mod rows;
mod standing;
mod tables;
mod upkeep;
mod verify;

/// What commands print to.
type Screen = Output<BufWriter<std::io::Stdout>>;

/// What a command works with.
struct Session {
    database: Database,
    settings: Settings,
    screen: Screen,
}

/// What a command works with that only reads history.
struct HistorySession {
    door: Door,
    costs: Costs,
    settings: Settings,
    screen: Screen,
}

/// Runs the command that the arguments name.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    let asked = arguments.format;
    let settings =
        || Settings::load(&arguments.settings, |name: &str| std::env::var_os(name).is_some());
    match arguments.command {
        Command::Completions { shell } => {
            let mut command = Arguments::command();
            clap_complete::generate(shell, &mut command, "foldback", &mut std::io::stdout());
        }
        Command::Demo(demo) => return demo::run(&demo, screen(asked)?),
        Command::Bench(bench) => return bench::run(bench, &settings()?, screen(asked)?),
        Command::Recover => standing::recover(&settings()?, screen(asked)?)?,
        Command::Verify(verify) => verify::run(&settings()?, &verify, &mut screen(asked)?)?,
        Command::Drill(drill) => drill::run(&settings()?, &drill, &mut screen(asked)?)?,
        Command::Compact { every } => {
            let mut screen = screen(asked)?;
            upkeep::compact(&settings()?, every, &mut screen)?;
            screen.flush()?;
        }
        Command::Expire { confirm } => {
            let mut screen = screen(asked)?;
            upkeep::expire(&settings()?, confirm, &mut screen)?;
            screen.flush()?;
        }
        Command::Export(export) => {
            let export_format = Format::of_export(asked)?;
            export::run(&session::open_door(&settings()?)?, &export, export_format)?;
        }
        Command::Restore(restore) if restore.to_file.is_some() && !restore.manner.dry_run => {
            let export_format = restoring::file_format(&restore, asked)?;
            let mut session = open_history(settings()?, screen(None)?)?;
            restoring::restore_to_file(&mut session, &restore, export_format)?;
            session.screen.flush()?;
        }
        Command::Backup(backup) if backup.detached_alone().is_some() => {
            backup_detached::run(&settings()?, &backup, asked)?;
        }
        Command::Backup(BackupCommand::Export { name, file, .. }) => {
            let export_format = Format::of_export(asked)?;
            backup::export(&session::open_door(&settings()?)?, &name, &file, export_format)?;
        }
        command if command.reads_history() => {
            let mut session = open_history(settings()?, screen(asked)?)?;
            run_on_history(&mut session, command)?;
            session.screen.flush()?;
        }
        command => {
            let (settings, screen) = (settings()?, screen(asked)?);
            let database = session::open(&settings, command.makes_database())?;
            let mut session = Session { database, settings, screen };
            run_open(&mut session, command)?;
            session.screen.flush()?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs a command on an open database.
fn run_open(session: &mut Session, command: Command) -> Result<()> {
    match command {
        Command::Table(table) => tables::run(session, table),
        Command::Put { table, key, value } => rows::put(session, &table, key, value),
        Command::Get { table, key, as_of: None } => rows::get(session, &table, &key),
        Command::Delete { table, key } => rows::delete(session, &table, key),
        Command::Scan(scan @ ScanArgs { as_of: None, .. }) => rows::scan(session, &scan),
        Command::Import(import) => import::run(session, import),
        Command::Protect { table, retention } => protection::protect(session, &table, retention),
        Command::Unprotect { table, discard } => protection::unprotect(session, &table, discard),
        Command::Restore(restore) => restoring::restore(session, &restore),
        Command::RestoreGroup(group) => restoring::restore_group(session, &group),
        Command::Backup(backup) => backup::run(session, &backup),
        Command::Seal => standing::seal(session),
        Command::Export(_)
        | Command::Get { .. }
        | Command::Scan(_)
        | Command::Window { .. }
        | Command::Resolve(_)
        | Command::Plan(_)
        | Command::Map { .. }
        | Command::Status
        | Command::Compact { .. }
        | Command::Expire { .. }
        | Command::Verify(_)
        | Command::Drill(_)
        | Command::Recover
        | Command::Demo(_)
        | Command::Bench(_)
        | Command::Completions { .. } => {
            unreachable!("these don't need an open database, or open it themselves")
        }
    }
}

/// Runs a command that only reads history.
fn run_on_history(session: &mut HistorySession, command: Command) -> Result<()> {
    match command {
        Command::Table(TableCommand::List { dropped: false }) => tables::list(session),
        Command::Table(TableCommand::List { dropped: true }) => tables::list_dropped(session),
        Command::Table(TableCommand::Describe { table }) => {
            tables::describe(&session.door, &mut session.screen, table.table())
        }
        Command::Window { table } => protection::window(session, table.table()),
        Command::Resolve(resolve) => {
            let (table, instant) = resolve.asked()?;
            protection::resolve(session, &table, instant)
        }
        Command::Plan(plan) => restore::plan(session, &plan),
        Command::Restore(restore) => match restore.list() {
            Some(limit) => restore_log::list(session, limit),
            None => restoring::dry_run(session, &restore),
        },
        Command::RestoreGroup(group) => restoring::dry_run_group(session, &group),
        Command::Get { table, key, as_of: Some(instant) } => {
            rows::get_as_of(session, &table, &key, instant)
        }
        Command::Scan(scan @ ScanArgs { as_of: Some(instant), .. }) => {
            rows::scan_as_of(session, &scan, instant)
        }
        Command::Backup(backup) => backup::run_on_history(session, &backup),
        Command::Map { table, svg } => map::run(session, &table, svg.as_deref()),
        Command::Status => standing::status(session),
        other => unreachable!("{other:?} does more than read history"),
    }
}

fn open_history(settings: Settings, screen: Screen) -> Result<HistorySession> {
    let door = session::open_door(&settings)?;
    let costs = session::costs(&settings, &door)?;
    Ok(HistorySession { door, costs, settings, screen })
}

fn screen(asked: Option<Format>) -> Result<Screen> {
    let format = Format::of_results(asked)?;
    Ok(Output::new(format, BufWriter::new(std::io::stdout()), terminal_width()))
}

/// The state that an instant means: after every commit at or before it.
pub(crate) fn at(instant: InstantArg) -> Target {
    match instant {
        InstantArg::Now => Target::Latest,
        InstantArg::Seq(seq) => Target::Seq(Seq(seq)),
        InstantArg::At(_) | InstantArg::Ago(_) => Target::At(timestamp(instant)),
    }
}

/// The state before an instant, or before a commit.
fn before(instant: InstantArg) -> Target {
    match instant {
        InstantArg::Seq(seq) => Target::Seq(Seq(seq).prev()),
        _ => Target::Before(timestamp(instant)),
    }
}

fn timestamp(instant: InstantArg) -> Timestamp {
    use foldback::Clock;
    let now = foldback::SystemClock.now();
    Timestamp(instant.micros(now.0).expect("a seq is a target of its own"))
}
