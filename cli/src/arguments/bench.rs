//! What `bench` takes.

use clap::{Args, Subcommand};

use crate::commands::bench::storage::StorageArgs;

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// What a restore costs as history grows while the state keeps its size.
    Growth(GrowthArgs),
    /// What a point read at an instant costs, in time and in requests, without a restore.
    Asof(AsofArgs),
    /// What it takes to compact a history that nobody has compacted, in memory above all.
    Compact(CompactArgs),
    /// What a long run of updates costs to keep, in bytes uploaded and bytes held.
    Storage(StorageArgs),
}

/// How history grows.
#[derive(Debug, Args)]
pub(crate) struct GrowthArgs {
    /// Keys of the table.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) keys: u64,
    /// Bytes of a value; zstd halves them.
    #[arg(long, default_value_t = 200)]
    pub(crate) value_bytes: usize,
    /// How many updates each key gets, a row each.
    #[arg(long, value_delimiter = ',', default_value = "1,10,100")]
    pub(crate) history: Vec<u64>,
    /// Bytes of log that become one delta file.
    #[arg(long, default_value_t = 4 * 1024 * 1024)]
    pub(crate) segment_bytes_max: u64,
    /// Restores of which the median is shown.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) restores: u16,
    /// Determines all keys and values.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// What past is read.
#[derive(Debug, Args)]
pub(crate) struct AsofArgs {
    /// Events of the table: updates of keys drawn at random.
    #[arg(long, default_value_t = 500_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) events: u64,
    /// Keys of the table.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) keys: u64,
    /// Bytes of a value; zstd halves them.
    #[arg(long, default_value_t = 200)]
    pub(crate) value_bytes: usize,
    /// Point reads of each kind.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) gets: u16,
    /// Determines all keys and values.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// What history is compacted.
#[derive(Debug, Args)]
pub(crate) struct CompactArgs {
    /// Keys of the table.
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) keys: u64,
    /// Bytes of a value; zstd halves them.
    #[arg(long, default_value_t = 600)]
    pub(crate) value_bytes: usize,
    /// Bytes of history to make, compressed.
    #[arg(long, default_value_t = 256 * 1024 * 1024)]
    pub(crate) history_bytes: u64,
    /// Bytes of log that become one delta file.
    #[arg(long, default_value_t = 64 * 1024 * 1024)]
    pub(crate) segment_bytes_max: u64,
    /// Determines all keys and values.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Compacts this bucket and makes none: so a run measures a process of its own.
    #[arg(long, hide = true, value_name = "URL")]
    pub(crate) only: Option<String>,
}
