//! What the commands on backups take.

use clap::{Args, Subcommand};

use super::{ExportFileArgs, RestoreManner, ScheduleCommand, TableArgs, TargetArgs};
use crate::instant::{INSTANT_HELP, InstantArg, parse_seq_arg};

/// What to do with backups.
#[derive(Debug, Subcommand)]
pub(crate) enum BackupCommand {
    /// Keep a state of a table under a name until the backup is deleted; nothing is copied.
    Create(BackupCreateArgs),
    /// Copy a backup of this database into a bucket of its own, under the same name.
    Copy {
        /// The backup.
        name: String,
        /// The bucket, which is no database's.
        #[arg(long, value_name = "URL")]
        to: String,
    },
    /// List the backups.
    List {
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Print all that is known of a backup.
    Describe {
        /// The backup.
        name: String,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Delete a backup; what only it needs goes with the next upkeep.
    Delete {
        /// The backup.
        name: String,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Bring the state of a backup back as a new table.
    Restore {
        /// The backup.
        name: String,
        /// The name of the new table.
        target_name: String,
        #[command(flatten)]
        manner: RestoreManner,
    },
    /// Write the rows of a backup to a file, sorted by key.
    Export {
        /// The backup.
        name: String,
        #[command(flatten)]
        file: ExportFileArgs,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Make backups by the clock, and keep each for as long as it is worth: create, list, delete.
    #[command(subcommand)]
    Schedule(ScheduleCommand),
    /// Make the scheduled backups that are due now, and delete those that are not to be kept.
    Run,
}

impl BackupCommand {
    /// The bucket of detached backups that is enough for it, without any database.
    pub(crate) fn detached_alone(&self) -> Option<&str> {
        match self {
            Self::List { place }
            | Self::Describe { place, .. }
            | Self::Delete { place, .. }
            | Self::Export { place, .. } => place.from.as_deref(),
            Self::Create(_)
            | Self::Copy { .. }
            | Self::Restore { .. }
            | Self::Schedule(_)
            | Self::Run => None,
        }
    }
}

/// Where the backup is.
#[derive(Debug, Args)]
pub(crate) struct PlaceArgs {
    /// The bucket of detached backups that it is in; without it, it is one of this database.
    #[arg(long, value_name = "URL")]
    pub(crate) from: Option<String>,
}

/// What to keep, under which name.
#[derive(Debug, Args)]
#[command(after_help = INSTANT_HELP, allow_missing_positional = true)]
pub(crate) struct BackupCreateArgs {
    /// The name of the backup: at most 255 letters, digits, _, - and .
    #[arg(required = true)]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) table: TableArgs,
    #[command(flatten)]
    state: StateArgs,
    /// What it is for.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Copy the state into this bucket, which is no database's, to be restored from there with
    /// nothing else.
    #[arg(long, value_name = "URL")]
    pub(crate) to: Option<String>,
}

impl BackupCreateArgs {
    /// Which state is meant: the latest, unless another is asked for.
    pub(crate) fn target(&self) -> TargetArgs {
        let StateArgs { at, before, seq } = self.state;
        let latest = at.is_none() && before.is_none() && seq.is_none();
        TargetArgs { at, before, seq, latest }
    }
}

/// Which state of a table is meant, if not the latest.
#[derive(Clone, Copy, Debug, Args)]
#[group(multiple = false)]
struct StateArgs {
    /// After every commit stamped at this instant or before it; without any, after the last commit.
    #[arg(long, value_name = "INSTANT", allow_hyphen_values = true)]
    at: Option<InstantArg>,
    /// After every commit stamped before this instant.
    #[arg(long, value_name = "INSTANT", allow_hyphen_values = true)]
    before: Option<InstantArg>,
    /// After this commit: its number, as 1234 or #1234.
    #[arg(long, value_name = "N", value_parser = parse_seq_arg)]
    seq: Option<u64>,
}
