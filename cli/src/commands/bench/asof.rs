//! `bench asof`: what a point read at an instant costs.

use foldback_bench::{AsofOptions, ReadCost, asof};

use crate::arguments::AsofArgs;
use crate::commands::Screen;
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::output::Cell;

/// What is shown of the reads of one kind.
type Names = [&'static str; 6];

const COLD: Names = [
    "cold_p50_micros",
    "cold_p99_micros",
    "cold_max_micros",
    "cold_requests",
    "cold_requests_max",
    "cold_requests_total",
];
const WARM: Names = [
    "warm_p50_micros",
    "warm_p99_micros",
    "warm_max_micros",
    "warm_requests",
    "warm_requests_max",
    "warm_requests_total",
];
const SPREAD: Names = [
    "spread_p50_micros",
    "spread_p99_micros",
    "spread_max_micros",
    "spread_requests",
    "spread_requests_max",
    "spread_requests_total",
];
const ABSENT: Names = [
    "absent_p50_micros",
    "absent_p99_micros",
    "absent_max_micros",
    "absent_requests",
    "absent_requests_max",
    "absent_requests_total",
];

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
    let mut record = vec![
        ("events", Cell::Count(row.events)),
        ("history_bytes", Cell::Bytes(row.history_bytes)),
        ("view_requests", Cell::Count(row.view_requests)),
    ];
    record.extend(cells(&COLD, &row.cold));
    record.extend(cells(&WARM, &row.warm));
    record.extend(cells(&SPREAD, &row.spread));
    record.extend(cells(&ABSENT, &row.absent));
    screen.record(&record)
}

fn cells(names: &Names, cost: &ReadCost) -> [(&'static str, Cell); 6] {
    let cells = [
        Cell::Duration(cost.p50_micros),
        Cell::Duration(cost.p99_micros),
        Cell::Duration(cost.max_micros),
        Cell::Count(cost.requests),
        Cell::Count(cost.requests_max),
        Cell::Count(cost.requests_total),
    ];
    let mut cells = cells.into_iter();
    names.map(|name| (name, cells.next().expect("a cell a name")))
}
