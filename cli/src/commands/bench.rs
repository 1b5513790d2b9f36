//! `bench`: measurements that a user wants at hand.

use std::process::ExitCode;

use foldback_bench::{GrowthOptions, GrowthRow, growth, growth_steps};

use super::Screen;
use crate::arguments::{BenchCommand, GrowthArgs};
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::output::progress::{Progress, ProgressUnit};
use crate::output::{Cell, OutputFormat};

mod asof;
mod compact;
pub(crate) mod storage;

pub(super) fn run(
    command: BenchCommand,
    settings: &Settings,
    mut screen: Screen,
) -> Result<ExitCode> {
    match command {
        BenchCommand::Growth(arguments) => show_growth(&arguments, settings, &mut screen)?,
        BenchCommand::Storage(arguments) => storage::show(&arguments, settings, &mut screen)?,
        BenchCommand::Asof(arguments) => asof::show(&arguments, settings, &mut screen)?,
        BenchCommand::Compact(arguments) => compact::show(&arguments, &mut screen)?,
    }
    screen.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Measures in a temporary directory, against the bucket that the settings name, if any.
fn show_growth(arguments: &GrowthArgs, settings: &Settings, screen: &mut Screen) -> Result<()> {
    let directory = tempfile::Builder::new().prefix("foldback-bench-").tempdir();
    let directory = directory.map_err(Error::io("create", "a temporary directory"))?;
    let options = GrowthOptions {
        directory: directory.path().to_path_buf(),
        bucket: settings.bucket.clone(),
        store_options: settings.store_options.clone(),
        keys: arguments.keys,
        value_bytes: arguments.value_bytes,
        updates_per_key: arguments.history.clone(),
        segment_bytes_max: arguments.segment_bytes_max,
        restores: usize::from(arguments.restores),
        seed: arguments.seed,
    };
    let bar = Progress::begin("measuring", Some(growth_steps(&options)), ProgressUnit::Items);
    let rows = growth(&options, &mut || bar.advance(1))?;
    drop(bar);
    let names = &[
        "updates_per_key",
        "events",
        "restore_bytes",
        "restore_bytes_max",
        "base_bytes",
        "restore_requests",
        "restore_median_micros",
        "history_bytes",
        "sealed_bytes",
        "uploaded_bytes",
    ];
    let mut list = screen.list(names);
    for row in &rows {
        list.row(vec![
            Cell::Count(row.updates_per_key),
            Cell::Count(row.events),
            Cell::Bytes(row.bytes_read),
            Cell::Bytes(row.bytes_read_max),
            Cell::Bytes(row.base_bytes),
            Cell::Count(row.requests),
            Cell::Duration(row.micros),
            Cell::Bytes(row.history_bytes),
            Cell::Bytes(row.sealed_bytes),
            Cell::Bytes(row.bytes_written),
        ])?;
    }
    list.finish()?;
    compare(&rows, screen)
}

/// Prints each row in terms of the first.
fn compare(rows: &[GrowthRow], screen: &mut Screen) -> Result<()> {
    let names: Vec<_> = rows.iter().map(|row| format!("{}x", row.updates_per_key)).collect();
    let (names, bytes) = (names.join(" "), ratios(rows, |row| row.bytes_read));
    let seconds = ratios(rows, |row| row.micros);
    match screen.format() {
        OutputFormat::Json => screen.record(&[
            ("growth", Cell::text(Some(names))),
            ("bytes_ratios", Cell::text(Some(bytes))),
            ("seconds_ratios", Cell::text(Some(seconds))),
        ]),
        OutputFormat::Table => {
            screen.note(&format!("growth {names}: bytes {bytes}, seconds {seconds}"))
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "two digits of a ratio are shown")]
fn ratios(rows: &[GrowthRow], of: impl Fn(&GrowthRow) -> u64) -> String {
    let first = rows.first().map_or(1, &of).max(1) as f64;
    let each = rows.iter().map(|row| format!("{:.2}", of(row) as f64 / first));
    each.collect::<Vec<_>>().join(" ")
}
