//! What `restore` takes, and how every command names a state of a table.

use clap::Args;

use super::TableArgs;
use crate::instant::{INSTANT_HELP, InstantArg, parse_seq_arg};

/// What to restore, and as what.
#[derive(Debug, Args)]
#[command(after_help = INSTANT_HELP, allow_missing_positional = true)]
pub(crate) struct RestoreArgs {
    #[command(flatten)]
    pub(crate) source: TableArgs,
    /// The name of the new table; the one before it is brought back, and not touched.
    #[arg(required = true)]
    pub(crate) target_name: String,
    /// The bucket to read the table from, which may be another database's; without it, the table is
    /// one of this database.
    #[arg(long, value_name = "URL")]
    pub(crate) from: Option<String>,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Only keys that start with this; may be given several times.
    #[arg(long)]
    pub(crate) prefix: Vec<String>,
}

/// What to plan, and what to say of it.
#[derive(Debug, Args)]
#[command(after_help = INSTANT_HELP)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) source: TableArgs,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Only keys that start with this; may be given several times.
    #[arg(long)]
    pub(crate) prefix: Vec<String>,
    /// List the history files that are read.
    #[arg(long)]
    pub(crate) files: bool,
    /// Say of every history file and local segment why it is read, or why not.
    #[arg(long, conflicts_with = "files")]
    pub(crate) explain: bool,
}

/// Which state of a table is meant; exactly one must be given.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct TargetArgs {
    /// After every commit stamped at this instant or before it.
    #[arg(long, value_name = "INSTANT", allow_hyphen_values = true)]
    pub(crate) at: Option<InstantArg>,
    /// After every commit stamped before this instant.
    #[arg(long, value_name = "INSTANT", allow_hyphen_values = true)]
    pub(crate) before: Option<InstantArg>,
    /// After this commit: its number, as 1234 or #1234.
    #[arg(long, value_name = "N", value_parser = parse_seq_arg)]
    pub(crate) seq: Option<u64>,
    /// After the last commit.
    #[arg(long)]
    pub(crate) latest: bool,
}
