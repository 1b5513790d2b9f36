//! `bench asof`: what a point read at an instant costs.

use foldback_bench::{AsofOptions, asof};

use crate::arguments::AsofArgs;
use crate::commands::Screen;
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::output::Cell;

/// Measures in a temporary directory, against the bucket that the settings name, if any.
pub(super) fn show(arguments: &AsofArgs, settings: &Settings, screen: &mut Screen) -> Result<()> {
    let directory = tempfile::Builder::new().prefix("foldback-bench-").tempdir();
    let directory = directory.map_err(Error::io("create", "a temporary directory"))?;
    let row = asof(&AsofOptions {
        directory: directory.path().to_path_buf(),
        bucket: settings.bucket.clone(),
        store_options: settings.store_options.clone(),
        events: arguments.events,
        keys: arguments.keys,
        value_bytes: arguments.value_bytes,
        gets: usize::from(arguments.gets),
        seed: arguments.seed,
    })?;
    screen.record(&[
        ("events", Cell::Count(row.events)),
        ("history_bytes", Cell::Bytes(row.history_bytes)),
        ("view_requests", Cell::Count(row.view_requests)),
        ("cold_requests", Cell::Count(row.cold_requests)),
        ("cold_requests_max", Cell::Count(row.cold_requests_max)),
        ("cold_p50_micros", Cell::Duration(row.cold_micros)),
        ("warm_p50_micros", Cell::Duration(row.warm_p50_micros)),
        ("warm_p99_micros", Cell::Duration(row.warm_p99_micros)),
        ("spread_p50_micros", Cell::Duration(row.spread_p50_micros)),
        ("spread_p99_micros", Cell::Duration(row.spread_p99_micros)),
    ])
}
