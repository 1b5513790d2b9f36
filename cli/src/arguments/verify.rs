//! What `verify` and `drill` take.

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use foldback::Share;

use crate::error::{Error, Result};

/// What is said below the help of `verify`.
const VERIFY_HELP: &str = "\
Levels, each with those before it in it: list (every object that is promised is there), size, checksum \
(the bytes are those that were written), decode (and hold what the manifest says), replay (no commit is \
left out, and the ends of every window can be folded). Nothing is changed. All is gone through, whatever \
is found; then it exits with 5.";

/// What is said below the help of `drill`.
const DRILL_HELP: &str = "\
For each table it compares, at random commits and at the last one that is sealed, what a restore gets with \
a replay of all its history from the beginning of the window, which shares no decision with restores. Then \
it publishes per table, up to which instant that was seen to hold: `table describe` and `status` show it. It \
writes nothing else. The same seed chooses the same commits, while the windows are the same.";

/// What to verify, and how.
#[derive(Debug, Args)]
#[command(after_help = VERIFY_HELP)]
pub(crate) struct VerifyArgs {
    /// How deep to go.
    #[arg(long, value_enum, default_value_t = Level::Checksum)]
    pub(crate) level: Level,
    /// Read only today's share of the files: 1/30 goes through all of them in thirty days.
    #[arg(long, value_name = "PARTS/OF", value_parser = parse_share)]
    pub(crate) share: Option<Share>,
    /// Read at most so many bytes a second: 20MiB, 500KiB.
    #[arg(long, value_name = "BYTES", value_parser = parse_rate)]
    pub(crate) rate: Option<NonZeroU64>,
    /// Note in this local file what was found sound, and go on from there if a run was ended; it is
    /// removed at the end.
    #[arg(long, value_name = "FILE")]
    pub(crate) progress: Option<PathBuf>,
}

/// The levels as they are typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    /// Every object that is promised is there.
    List,
    /// And as long as it was written.
    Size,
    /// And has the bytes that were written.
    Checksum,
    /// And can be decoded, and holds what the manifest says.
    Decode,
    /// And the ends of every window can be folded.
    Replay,
}

impl From<Level> for foldback::VerifyLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::List => Self::List,
            Level::Size => Self::Size,
            Level::Checksum => Self::Checksum,
            Level::Decode => Self::Decode,
            Level::Replay => Self::Replay,
        }
    }
}

/// What to drill.
#[derive(Debug, Args)]
#[command(after_help = DRILL_HELP)]
pub(crate) struct DrillArgs {
    /// Only this table; without it, every table that can be restored.
    #[arg(long)]
    pub(crate) table: Option<String>,
    /// So many random commits of each table, besides the last one.
    #[arg(long, default_value_t = 3)]
    pub(crate) instants: u32,
    /// Chooses the commits; without it, one is drawn and printed.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
}

fn parse_share(text: &str) -> Result<Share> {
    let parts = text.split_once('/').and_then(|(parts, of)| {
        let number = |digits: &str| digits.parse::<u64>().ok();
        number(parts).zip(number(of))
    });
    match parts {
        Some((parts, of)) => Share::new(parts, of).map_err(Error::Setting),
        None => Err(Error::usage(format!("{text:?} is no share: write for example 1/30"))),
    }
}

/// Reads a number of bytes with its unit.
fn parse_rate(text: &str) -> Result<NonZeroU64> {
    const UNITS: [(&str, u64); 4] =
        [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("B", 1)];
    let refused = || {
        Error::usage(format!(
            "{text:?} is no number of bytes a second: write a whole number and its unit, as in 20MiB; \
             the units are B, KiB, MiB and GiB"
        ))
    };
    let number_of = |(unit, bytes): &(&str, u64)| Some((text.strip_suffix(unit)?, *bytes));
    let (number, unit) = UNITS.iter().find_map(number_of).ok_or_else(refused)?;
    let number: u64 = number.parse().map_err(|_| refused())?;
    number.checked_mul(unit).and_then(NonZeroU64::new).ok_or_else(refused)
}

#[cfg(test)]
mod tests;
