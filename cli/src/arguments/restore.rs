//! What `restore` takes, and how every command names a state of a table.

use std::path::PathBuf;

use clap::Args;
use foldback::{KeyRewrite, RestoreProtection, TableId, TableRef};

use super::{SelectionArgs, TableArgs};
use crate::error::{Error, Result};
use crate::instant::{INSTANT_HELP, InstantArg, parse_seq_arg};
use crate::span::Retention;

/// What to restore, and as what.
#[derive(Debug, Args)]
#[command(after_help = INSTANT_HELP)]
pub(crate) struct RestoreArgs {
    /// The table, which is not touched, or left out with --id; and the name of the new table, or
    /// left out with --to-file. `restore list` prints the restore log.
    #[arg(value_names = ["SOURCE", "NEW_NAME"], num_args = 0..=2)]
    names: Vec<String>,
    /// The source with this id, live or dropped; `table list --dropped` shows ids.
    #[arg(long)]
    id: Option<u64>,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Write the rows to this file, which must not exist, instead of a new table; with --format
    /// parquet, jsonl or csv, or as the ending of its name says.
    #[arg(long, value_name = "FILE", conflicts_with = "protect")]
    pub(crate) to_file: Option<PathBuf>,
    /// With --to-file: write keys and values as base64 instead of text.
    #[arg(long, requires = "to_file")]
    pub(crate) base64: bool,
    /// Of `restore list`: at most so many.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    #[command(flatten)]
    pub(crate) manner: RestoreManner,
}

/// Restoring several tables together.
#[derive(Debug, Args)]
#[command(after_help = INSTANT_HELP)]
pub(crate) struct RestoreGroupArgs {
    /// A table, by the name that it had then, and the name of the new one; with --suffix, the
    /// second may be left out.
    #[arg(required = true, value_name = "TABLE=NEW_NAME")]
    tables: Vec<String>,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// What is put behind the names of tables that are given no new one.
    #[arg(long, allow_hyphen_values = true)]
    suffix: Option<String>,
    #[command(flatten)]
    pub(crate) manner: RestoreManner,
}

/// How a restore is done.
#[derive(Debug, Args)]
pub(crate) struct RestoreManner {
    /// The bucket to read from, which may be another database's; without it, the history is this
    /// database's own.
    #[arg(long, value_name = "URL")]
    pub(crate) from: Option<String>,
    /// Put another prefix in the place of the one that every selected key starts with; OLD= takes
    /// it off.
    #[arg(long, value_name = "OLD=NEW", value_parser = parse_rewrite)]
    pub(crate) replace_prefix: Option<KeyRewrite>,
    /// Protect the new table from its first commit on, for as long as its source was at the target,
    /// or is now, or for so long: as-of-target, as-of-now, 35d, 12h, forever. Without it, it is not
    /// protected.
    #[arg(long, value_name = "RETENTION", value_parser = parse_protection)]
    pub(crate) protect: Option<RestoreProtection>,
    /// Why, for the restore log.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Who, for the restore log; without it, user@host.
    #[arg(long, value_name = "NAME")]
    pub(crate) by: Option<String>,
    /// Print what would be read and made, and change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) keys: SelectionArgs,
}

impl RestoreManner {
    /// Whether nothing is said of it.
    fn is_bare(&self) -> bool {
        let said = self.from.is_some() || self.replace_prefix.is_some() || self.protect.is_some();
        let told = self.reason.is_some() || self.by.is_some();
        !said && !told && !self.dry_run && !self.keys.is_given()
    }
}

impl RestoreArgs {
    /// How many records of the log to print, if that is what is asked for.
    pub(crate) fn list(&self) -> Option<usize> {
        const LIMIT_DEFAULT: usize = 20;
        let goes_elsewhere = self.to_file.is_some() || self.id.is_some();
        let is_asked_for = !self.target.is_given() && !goes_elsewhere && self.manner.is_bare();
        (self.names == ["list"] && is_asked_for).then(|| self.limit.unwrap_or(LIMIT_DEFAULT))
    }

    /// The table to restore, and the name of the new one unless there is to be none.
    pub(crate) fn asked(&self) -> Result<(TableRef, Option<&str>)> {
        if self.limit.is_some() {
            return Err(Error::usage("--limit is for `restore list`"));
        }
        let names: Vec<_> = self.names.iter().map(String::as_str).collect();
        let (source, rest) = match (self.id, names.as_slice()) {
            (Some(id), rest) => (TableRef::Id(TableId(id)), rest),
            (None, [source, rest @ ..]) => ((*source).into(), rest),
            (None, []) => {
                return Err(Error::usage(
                    "say what to restore, and as what: restore SOURCE NEW_NAME --at INSTANT",
                ));
            }
        };
        match (&self.to_file, rest) {
            (Some(_), []) => Ok((source, None)),
            (None, [name]) => Ok((source, Some(name))),
            (None, []) => Err(Error::usage(
                "say what the new table is named: restore SOURCE NEW_NAME, or --to-file FILE",
            )),
            (Some(_), _) => Err(Error::usage(
                "the rows go to a file or into a new table, and not to both: leave out --to-file or \
                 the new name",
            )),
            (None, _) => Err(Error::usage("name the source by its name or by its id, not by both")),
        }
    }
}

impl RestoreGroupArgs {
    /// Each table with the name of its new one.
    pub(crate) fn asked(&self) -> Result<Vec<(&str, String)>> {
        let mut pairs = Vec::new();
        for given in &self.tables {
            pairs.push(match (given.split_once('='), &self.suffix) {
                (Some((name, new_name)), _) => (name, new_name.to_owned()),
                (None, Some(suffix)) => (given.as_str(), format!("{given}{suffix}")),
                (None, None) => {
                    return Err(Error::usage(format!(
                        "say what the new table of {given} is named: {given}=NEW_NAME, or --suffix \
                         for all of them"
                    )));
                }
            });
        }
        Ok(pairs)
    }
}

/// Reads `OLD=NEW`.
fn parse_rewrite(given: &str) -> Result<KeyRewrite, String> {
    let (prefix, replacement) =
        given.split_once('=').ok_or("write it as OLD=NEW, or OLD= to take it off")?;
    let bytes = |text: &str| text.to_owned().into();
    Ok(KeyRewrite { prefix: bytes(prefix), replacement: bytes(replacement) })
}

/// Reads which retention the new table gets.
fn parse_protection(given: &str) -> Result<RestoreProtection, String> {
    match given {
        "as-of-target" => Ok(RestoreProtection::AsOfTarget),
        "as-of-now" => Ok(RestoreProtection::AsOfNow),
        span => {
            let retention: Retention =
                span.parse().map_err(|error| format!("as-of-target, as-of-now, or {error}"))?;
            Ok(RestoreProtection::For(retention.into()))
        }
    }
}

/// What to plan, and what to say of it.
#[derive(Debug, Args)]
#[command(after_help = INSTANT_HELP)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) source: TableArgs,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    #[command(flatten)]
    pub(crate) keys: SelectionArgs,
    /// List the history files that are read.
    #[arg(long)]
    pub(crate) files: bool,
    /// Say of every history file and local segment why it is read, or why not.
    #[arg(long, conflicts_with = "files")]
    pub(crate) explain: bool,
}

/// Which state of a table is meant; exactly one must be given, which is seen to where it is used,
/// as `restore list` needs none.
#[derive(Debug, Args)]
#[group(multiple = false)]
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

impl TargetArgs {
    /// Whether one is given.
    pub(crate) fn is_given(&self) -> bool {
        self.at.is_some() || self.before.is_some() || self.seq.is_some() || self.latest
    }
}
