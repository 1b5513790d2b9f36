//! What each command does: one engine call or a few, and how its answer is printed.

use std::io::BufWriter;
use std::process::ExitCode;

use clap::CommandFactory;
use foldback::{Database, Seq, Target, Timestamp};

use crate::arguments::{Arguments, Command, Format, ScanArgs, TableCommand};
use crate::config::Settings;
use crate::door::Door;
use crate::error::Result;
use crate::instant::InstantArg;
use crate::output::{Output, terminal_width};
use crate::session;

pub(crate) mod bench;
mod demo;
mod drill;
mod export;
mod import;
mod map;
mod protection;
mod restore;
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
    screen: Screen,
}

/// Runs the command that the arguments name.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    let asked = arguments.format;
    let is_set = |name: &str| std::env::var_os(name).is_some();
    match arguments.command {
        Command::Completions { shell } => {
            let mut command = Arguments::command();
            clap_complete::generate(shell, &mut command, "foldback", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
        Command::Demo(demo) => demo::run(&demo, screen(asked)?),
        Command::Bench(bench) => {
            let settings = Settings::load(&arguments.settings, is_set)?;
            bench::run(bench, &settings, screen(asked)?)
        }
        Command::Recover => {
            let settings = Settings::load(&arguments.settings, is_set)?;
            standing::recover(&settings, screen(asked)?)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Verify(verify) => {
            let mut screen = screen(asked)?;
            let settings = Settings::load(&arguments.settings, is_set)?;
            verify::run(&settings, &verify, &mut screen)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Drill(drill) => {
            let mut screen = screen(asked)?;
            let settings = Settings::load(&arguments.settings, is_set)?;
            drill::run(&settings, &drill, &mut screen)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Export(export) => {
            let export_format = Format::of_export(asked)?;
            let settings = Settings::load(&arguments.settings, is_set)?;
            export::run(&session::open_door(&settings)?, &export, export_format)?;
            Ok(ExitCode::SUCCESS)
        }
        command if command.tends_bucket() => {
            let mut screen = screen(asked)?;
            let settings = Settings::load(&arguments.settings, is_set)?;
            match command {
                Command::Expire { confirm } => upkeep::expire(&settings, confirm, &mut screen)?,
                Command::Compact { every } => upkeep::compact(&settings, every, &mut screen)?,
                other => unreachable!("{other:?} tends no bucket"),
            }
            screen.flush()?;
            Ok(ExitCode::SUCCESS)
        }
        command if command.reads_history() => {
            let screen = screen(asked)?;
            let settings = Settings::load(&arguments.settings, is_set)?;
            let mut session = HistorySession { door: session::open_door(&settings)?, screen };
            run_on_history(&mut session, command)?;
            session.screen.flush()?;
            Ok(ExitCode::SUCCESS)
        }
        command => {
            let screen = screen(asked)?;
            let settings = Settings::load(&arguments.settings, is_set)?;
            let database = session::open(&settings, command.makes_database())?;
            let mut session = Session { database, settings, screen };
            run_open(&mut session, command)?;
            session.screen.flush()?;
            Ok(ExitCode::SUCCESS)
        }
    }
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
        Command::Restore(restore) => restore::restore(session, &restore),
        Command::Seal => standing::seal(session),
        Command::Export(_)
        | Command::Get { .. }
        | Command::Scan(_)
        | Command::Window { .. }
        | Command::Resolve(_)
        | Command::Plan { .. }
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
        Command::Plan { table, target, prefix, files } => {
            restore::plan(session, &table.table(), &target, &prefix, files)
        }
        Command::Get { table, key, as_of: Some(instant) } => {
            rows::get_as_of(session, &table, &key, instant)
        }
        Command::Scan(scan @ ScanArgs { as_of: Some(instant), .. }) => {
            rows::scan_as_of(session, &scan, instant)
        }
        Command::Map { table, svg } => map::run(session, &table, svg.as_deref()),
        Command::Status => standing::status(session),
        other => unreachable!("{other:?} does more than read history"),
    }
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
