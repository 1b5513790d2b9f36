//! What the commands on schedules take.

use clap::{Args, Subcommand};

use crate::span::{Retention, parse_every};

/// What to do with schedules.
#[derive(Debug, Subcommand)]
pub(crate) enum ScheduleCommand {
    /// Make backups of a table from now on, and delete those that are not to be kept.
    ///
    /// The process that has the database open makes them; where none does for long, run `backup
    /// run` now and then. A backup is kept if any of --keep, --daily and --monthly says so. The
    /// newest is always kept. Days and months are those of UTC.
    Create(ScheduleCreateArgs),
    /// List the schedules, and when each makes its next backup.
    List,
    /// Make no more backups; those that were made stay until they are deleted by hand.
    Delete {
        /// The schedule.
        name: String,
    },
}

/// Of what to make backups, how often, and how long to keep them.
#[derive(Debug, Args)]
pub(crate) struct ScheduleCreateArgs {
    /// The name of the schedule, with which the names of its backups begin.
    pub(crate) name: String,
    /// The table; it must be protected.
    pub(crate) table: String,
    /// The time between two backups, such as 1h or 1d; at least 1m.
    #[arg(long, value_name = "SPAN", value_parser = parse_every)]
    pub(crate) every: u64,
    #[command(flatten)]
    pub(crate) rules: RulesArgs,
}

/// Which backups are kept, and how long.
#[derive(Clone, Copy, Debug, Args)]
#[group(multiple = true, required = true)]
pub(crate) struct RulesArgs {
    /// Keep all backups for this long: a span such as 7d, or forever.
    #[arg(long, value_name = "SPAN")]
    pub(crate) keep: Option<Retention>,
    /// Keep the first backup of each day for this long.
    #[arg(long, value_name = "SPAN")]
    pub(crate) daily: Option<Retention>,
    /// Keep the first backup of each month for this long.
    #[arg(long, value_name = "SPAN")]
    pub(crate) monthly: Option<Retention>,
}
