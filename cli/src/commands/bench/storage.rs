//! `bench storage`: what a long run of updates costs to keep.

use clap::Args;
use foldback_bench::{Spread, StorageOptions, storage};

use super::compact::ratio;
use crate::commands::Screen;
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::output::Cell;
use crate::output::progress::{Progress, ProgressUnit};

/// How long the run is.
#[derive(Debug, Args)]
pub(crate) struct StorageArgs {
    /// Keys of the table.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    keys: u64,
    /// Bytes of a value; zstd halves them.
    #[arg(long, default_value_t = 200)]
    value_bytes: usize,
    /// How many updates a key gets on average.
    #[arg(long, default_value_t = 100)]
    updates: u64,
    /// How many retentions pass meanwhile.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    retentions: u64,
    /// Determines all keys and values.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Measures updates that are spread evenly, and such as hit few keys most.
pub(super) fn show(
    arguments: &StorageArgs,
    settings: &Settings,
    screen: &mut Screen,
) -> Result<()> {
    let mut rows = Vec::new();
    for (name, spread) in [("uniform", Spread::Uniform), ("zipfian-0.9", Spread::Zipfian(0.9))] {
        let directory = tempfile::Builder::new().prefix("foldback-bench-").tempdir();
        let directory = directory.map_err(Error::io("create", "a temporary directory"))?;
        let options = StorageOptions {
            directory: directory.path().to_path_buf(),
            bucket: settings.bucket.as_ref().map(|url| format!("{url}/{name}")),
            store_options: settings.store_options.clone(),
            keys: arguments.keys,
            value_bytes: arguments.value_bytes,
            updates_per_key: arguments.updates,
            spread,
            retentions: arguments.retentions,
            seed: arguments.seed,
        };
        let bar = Progress::begin("updating", None, ProgressUnit::Items);
        rows.push((name, storage(&options, &mut || bar.advance(1))?));
    }
    let mut list = screen.list(&[
        "updates",
        "events",
        "state_bytes",
        "window_bytes",
        "held_bytes",
        "held_ratio",
        "sealed_bytes",
        "uploaded_bytes",
        "uploaded_ratio",
    ]);
    for (name, row) in rows {
        let held = ratio(row.held_bytes, row.state_bytes + row.window_bytes);
        list.row(vec![
            Cell::text(Some(name.to_owned())),
            Cell::Count(row.events),
            Cell::Bytes(row.state_bytes),
            Cell::Bytes(row.window_bytes),
            Cell::Bytes(row.held_bytes),
            Cell::text(Some(held)),
            Cell::Bytes(row.sealed_bytes),
            Cell::Bytes(row.uploaded_bytes),
            Cell::text(Some(ratio(row.uploaded_bytes, row.sealed_bytes))),
        ])?;
    }
    list.finish()?;
    Ok(())
}
