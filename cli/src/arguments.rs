//! The command line as clap reads it: every command, its arguments and its help.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands::export::Destination;
use crate::config::SettingsArgs;
use crate::error::{Error, Result};
use crate::export::ExportFormat;
use crate::import::jsonl::JsonlOptions;
use crate::instant::{INSTANT_HELP, InstantArg};
use crate::output::OutputFormat;
use crate::span::{Retention, parse_interval};

mod backup;
mod bench;
mod restore;
mod schedule;
mod selection;
mod table;
mod verify;

pub(crate) use backup::{BackupCommand, BackupCreateArgs};
pub(crate) use bench::{AsofArgs, BenchCommand, CompactArgs, GrowthArgs};
pub(crate) use restore::{PlanArgs, RestoreArgs, RestoreGroupArgs, RestoreManner, TargetArgs};
pub(crate) use schedule::{RulesArgs, ScheduleCommand, ScheduleCreateArgs};
pub(crate) use selection::SelectionArgs;
pub(crate) use table::{ResolveArgs, TableArgs, TableCommand};
pub(crate) use verify::{DrillArgs, VerifyArgs};

/// An event-sourced storage engine that takes any protected table back to any exact instant.
#[derive(Debug, Parser)]
#[command(name = "foldback", version, about, after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,

    /// How results are printed: table or json; of an export: jsonl, csv or parquet.
    #[arg(long, value_enum, global = true)]
    pub(crate) format: Option<Format>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER_HELP: &str = "\
Exit codes: 0 done; 1 failed; 2 the command line or a setting is wrong, or names what this release \
can't work with; 3 refused, nothing was changed (no such table, name or file taken, instant outside \
the window; an import says what stays); 4 the bucket is out of reach, or others kept changing it, \
try again; 5 bytes are damaged or lost.

FOLDBACK_LOG shows the engine's log lines on standard error: error, warn, info, debug or trace.";

const COMPACT_HELP: &str = "\
With --bucket and no --data it needs the bucket alone: run it on any machine, beside the process that \
has the database open. With --every it is a process of its own, which tells on standard error what it \
does and what went wrong, and tries again; it may be ended at any time, and any number of them may run.";

const EXPIRE_HELP: &str = "\
Nothing is given up that lies within its table's retention. That is counted from the earliest of this \
machine's clock, the bucket's, and 7 days after the last commit; and a clock that has moved on by \
more than 7 days at once is not believed until --confirm says that it is right. Files that nothing needs \
any more are deleted after a grace (15 minutes, setting grace_secs), by the next upkeep.";

/// The forms of all outputs. Each command takes those that suit it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Tables for people.
    Table,
    /// JSON for scripts.
    Json,
    /// An export: JSON Lines.
    Jsonl,
    /// An export: comma-separated values (RFC 4180).
    Csv,
    /// An export: Parquet with the columns key and value.
    Parquet,
}

impl Format {
    /// The form of a command's results.
    pub(crate) fn of_results(asked: Option<Self>) -> Result<OutputFormat> {
        match asked {
            None | Some(Self::Table) => Ok(OutputFormat::Table),
            Some(Self::Json) => Ok(OutputFormat::Json),
            Some(other) => Err(Error::usage(format!(
                "--format {} is for exports; results are printed as table or json",
                other.name()
            ))),
        }
    }

    /// The form of an export.
    pub(crate) fn of_export(asked: Option<Self>) -> Result<ExportFormat> {
        match asked {
            None | Some(Self::Jsonl) => Ok(ExportFormat::Jsonl),
            Some(Self::Csv) => Ok(ExportFormat::Csv),
            Some(Self::Parquet) => Ok(ExportFormat::Parquet),
            Some(other) => Err(Error::usage(format!(
                "--format {} is not for exports; they are written as jsonl, csv or parquet",
                other.name()
            ))),
        }
    }

    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create, list, describe and drop tables.
    #[command(subcommand)]
    Table(TableCommand),
    /// Put a value under a key.
    Put {
        /// The table.
        table: String,
        /// The key: at most 4,096 bytes.
        key: String,
        /// The value: at most 16 MiB. After --, it may begin with a hyphen.
        value: String,
    },
    /// Print the value of a key.
    #[command(after_help = INSTANT_HELP)]
    Get {
        /// The table.
        table: String,
        /// The key.
        key: String,
        /// As of this instant, read from history; without it, as of now.
        #[arg(long, value_name = "INSTANT", allow_hyphen_values = true)]
        as_of: Option<InstantArg>,
    },
    /// Delete a key.
    Delete {
        /// The table.
        table: String,
        /// The key; one that is not there is no error.
        key: String,
    },
    /// Print the rows of a table.
    Scan(ScanArgs),
    /// Import a history of events, each commit at its own time.
    #[command(subcommand)]
    Import(ImportCommand),
    /// Write a table's rows to a file, sorted by key.
    Export(ExportArgs),
    /// Keep a table's history from now on, so that its instants can be restored; or change for how
    /// long they are.
    Protect {
        /// The table.
        table: String,
        /// How long instants stay restorable: 35d (the default), 12h, 90s, forever. Of a table that
        /// is protected already a longer one holds at once, a shorter one after a day (setting
        /// shortening_undo_secs), and can be taken back until then.
        #[arg(long)]
        retention: Option<Retention>,
    },
    /// Stop keeping a table's history; what there is stays until its retention passes.
    Unprotect {
        /// The table.
        table: String,
        /// Give up all of its history now: no instant of it can be restored any more.
        #[arg(long)]
        discard: bool,
    },
    /// Print the restorable instants of a table.
    Window {
        #[command(flatten)]
        table: TableArgs,
    },
    /// Print which commit an instant comes to.
    #[command(after_help = INSTANT_HELP)]
    Resolve(ResolveArgs),
    /// Print what a restore would read, and what it would cost.
    Plan(PlanArgs),
    /// Bring a table back, as it was, as a new table or into a file.
    ///
    /// `restore list` prints the restore log, the last one first: what was restored, by whom, when
    /// and why, what was expected and what it took. A table called list is restored all the same,
    /// as that needs a new name or a file.
    ///
    /// Ctrl-C cancels a restore, which then leaves nothing; a second one ends the process at once,
    /// and what it had loaded is removed when the database is opened next.
    Restore(RestoreArgs),
    /// Bring several tables back as they were at one commit: all of them, or none.
    RestoreGroup(RestoreGroupArgs),
    /// Keep states of tables by name, whatever their retention: create, list, delete, restore.
    #[command(subcommand)]
    Backup(BackupCommand),
    /// Draw what history a table has: every base, delta and segment, and what can be restored.
    Map {
        /// The table.
        table: String,
        /// Write the picture as SVG to this file instead of drawing it here.
        #[arg(long, value_name = "FILE")]
        svg: Option<PathBuf>,
    },
    /// Bring everything that is committed into the bucket now.
    Seal,
    /// Do the upkeep that is due now: merge, fold, expire, sweep; an open database does so itself.
    #[command(after_help = COMPACT_HELP)]
    Compact {
        /// Go on, once in so long (60s, 5m), until the process is ended; with a bucket alone.
        #[arg(long, value_name = "SPAN", value_parser = parse_interval)]
        every: Option<Duration>,
    },
    /// Give up now what is older than its table's retention, and print what can still be restored.
    #[command(after_help = EXPIRE_HELP)]
    Expire {
        /// Say first that this machine's clock is right, though it has moved on by over 7 days.
        #[arg(long)]
        confirm: bool,
    },
    /// Verify that all that the bucket promises is there and sound.
    Verify(VerifyArgs),
    /// Restore random states for proof, compare them with a replay of all history, and publish it.
    Drill(DrillArgs),
    /// Rebuild the database from its bucket in an empty directory.
    Recover,
    /// Print how the database stands.
    Status,
    /// Show the main job: import a history, restore it at many instants, and check each.
    Demo(DemoArgs),
    /// Measure the engine on this machine.
    #[command(subcommand)]
    Bench(BenchCommand),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

impl Command {
    /// Whether it makes a database where there is none: one that only reads or writes a table has a
    /// mistyped directory then.
    pub(crate) fn makes_database(&self) -> bool {
        match self {
            Self::Table(TableCommand::Create { .. }) => true,
            Self::Import(
                ImportCommand::Jsonl { making, .. } | ImportCommand::Git { making, .. },
            ) => making.create,
            _ => false,
        }
    }

    /// Whether it only reads history, for which a bucket alone is enough.
    pub(crate) fn reads_history(&self) -> bool {
        use TableCommand::{Describe, List};
        match self {
            Self::Restore(restore) => {
                return restore.manner.dry_run || restore.list().is_some();
            }
            Self::RestoreGroup(restore) => return restore.manner.dry_run,
            _ => {}
        }
        matches!(
            self,
            Self::Table(List { .. } | Describe { .. })
                | Self::Window { .. }
                | Self::Resolve(_)
                | Self::Plan(_)
                | Self::Export(_)
                | Self::Get { as_of: Some(_), .. }
                | Self::Scan(ScanArgs { as_of: Some(_), .. })
                | Self::Map { .. }
                | Self::Backup(
                    BackupCommand::List { .. }
                        | BackupCommand::Describe { .. }
                        | BackupCommand::Schedule(ScheduleCommand::List)
                )
                | Self::Status
        )
    }
}

/// Which rows to print.
#[derive(Debug, Args)]
#[command(after_help = INSTANT_HELP)]
pub(crate) struct ScanArgs {
    /// The table.
    pub(crate) table: String,
    /// Only keys that start with this; not together with --from or --until.
    #[arg(long, conflicts_with_all = ["from", "until"])]
    pub(crate) prefix: Option<String>,
    /// Only this key and those after it.
    #[arg(long)]
    pub(crate) from: Option<String>,
    /// Only keys before this one.
    #[arg(long)]
    pub(crate) until: Option<String>,
    /// As of this instant, read from history; without it, as of now.
    #[arg(long, value_name = "INSTANT", allow_hyphen_values = true)]
    pub(crate) as_of: Option<InstantArg>,
    /// From the greatest key down; not together with --as-of.
    #[arg(long, conflicts_with = "as_of")]
    pub(crate) reverse: bool,
    /// At most so many rows.
    #[arg(long)]
    pub(crate) limit: Option<usize>,
}

/// What to import.
#[derive(Debug, Subcommand)]
pub(crate) enum ImportCommand {
    /// Import JSON Lines, one event a line, plain or zstd.
    Jsonl {
        /// The file, or - for standard input.
        file: PathBuf,
        /// The table that the events go into.
        table: String,
        #[command(flatten)]
        making: MakingArgs,
        #[command(flatten)]
        options: JsonlOptions,
    },
    /// Import a git repository's first-parent history: key = path, value = mode, blob id, size.
    Git {
        /// The repository.
        repository: PathBuf,
        /// The table; without it, the one named after the repository's directory.
        table: Option<String>,
        #[command(flatten)]
        making: MakingArgs,
    },
}

/// Whether an import makes its table.
#[derive(Debug, Args)]
pub(crate) struct MakingArgs {
    /// Create the table, one microsecond before its first event.
    #[arg(long)]
    pub(crate) create: bool,
    /// Protect the table before its first event, for so long: 35d, 12h, forever.
    #[arg(long, value_name = "RETENTION", requires = "create")]
    pub(crate) protect: Option<Retention>,
}

/// What to export, and where to.
#[derive(Debug, Args)]
#[command(after_help = INSTANT_HELP)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) table: TableArgs,
    /// The rows as of this instant, read from history; without it, as of now.
    #[arg(long, value_name = "INSTANT", allow_hyphen_values = true)]
    pub(crate) as_of: Option<InstantArg>,
    #[command(flatten)]
    pub(crate) file: ExportFileArgs,
}

/// The file that an export makes.
#[derive(Debug, Args)]
pub(crate) struct ExportFileArgs {
    /// The file, which must not exist; without it, standard output.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Write keys and values as base64 instead of text.
    #[arg(long)]
    pub(crate) base64: bool,
    #[command(flatten)]
    pub(crate) keys: SelectionArgs,
}

impl ExportFileArgs {
    /// Where the rows go.
    pub(crate) fn destination(&self) -> Destination<'_> {
        Destination { file: self.output.as_deref(), base64: self.base64 }
    }
}

/// What the demo runs on.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// The repository whose history is used; by default the one that the demo stands in.
    #[arg(long, value_name = "DIR")]
    pub(crate) repository: Option<PathBuf>,
    /// Leave the demo's directory in place, and print where it is.
    #[arg(long)]
    pub(crate) keep: bool,
}
