//! `foldback-bench storage`: what a history costs to keep, of W1 and of a long run of updates.

use clap::{Args, ValueEnum};
use foldback_bench::{
    Axis, Figure, Machine, Plot, Report, Result, Row, Spread, StorageOptions, StorageRow,
    W1Keeping, W1StorageOptions, W1StorageRow, as_f64, storage, w1_storage,
};

use super::common::{OutputArgs, Place, PlaceArgs};

/// What W1 takes as Parquet, compressed by zstd and sorted by key: bytes an event.
const PARQUET_BYTES_AN_EVENT: f64 = 186e6 / 2e6;
/// How many times the changes alone a bucket may hold by default settings.
const HELD_RATIO_MAX: f64 = 1.5;

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kept {
    /// The history of W1, for ever.
    W1,
    /// Many retentions of updates.
    Updates,
}

/// How much there is to keep.
#[derive(Debug, Args)]
pub(crate) struct StorageArgs {
    /// One of the two alone.
    #[arg(long)]
    only: Option<Kept>,
    /// Events of W1.
    #[arg(long, default_value_t = 2_000_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    events: u64,
    /// Keys of W1.
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(200..))]
    keys: u64,
    /// Keys that are updated.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    updated_keys: u64,
    /// Bytes of their values; zstd halves them.
    #[arg(long, default_value_t = 200)]
    value_bytes: usize,
    /// How many updates each of them gets on average.
    #[arg(long, default_value_t = 100)]
    updates: u64,
    /// How many retentions pass meanwhile.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    retentions: u64,
    /// A quarter of it all instead.
    #[arg(long, conflicts_with_all = ["events", "keys", "updated_keys"])]
    quick: bool,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the suite.
pub(crate) fn run(arguments: &StorageArgs) -> Result<()> {
    arguments.output.check()?;
    let place = arguments.place.make()?;
    let report = Report::new("storage", Machine::of(place.directory.path()));
    let mut report = arguments.place.note_in(report);
    report.limits = arguments.output.limits(&place, &[])?;
    let part = if arguments.quick { 4 } else { 1 };
    if arguments.only != Some(Kept::W1) {
        report = updates(arguments, &place, report, part)?;
    }
    if arguments.only != Some(Kept::Updates) {
        report = w1(arguments, &place, report, part)?;
    }
    arguments.output.show(&report)
}

/// Updates that are spread evenly, and such as hit few keys most.
fn updates(arguments: &StorageArgs, place: &Place, report: Report, part: u64) -> Result<Report> {
    let keys = arguments.updated_keys.div_ceil(part);
    let mut report = report
        .setting("updated_keys", keys)
        .setting("value_bytes", arguments.value_bytes)
        .setting("updates", arguments.updates)
        .setting("retentions", arguments.retentions);
    let mut said = Vec::new();
    for (name, spread) in [("uniform", Spread::Uniform), ("zipfian-0.9", Spread::Zipfian(0.9))] {
        let bucket = place.bucket.below(name);
        let measured = storage(
            &StorageOptions {
                directory: place.directory.path().join(name),
                bucket: bucket.url,
                store_options: bucket.store_options,
                keys,
                value_bytes: arguments.value_bytes,
                updates_per_key: arguments.updates,
                spread,
                retentions: arguments.retentions,
                seed: arguments.place.seed,
            },
            &mut || {},
        )?;
        said.push(format!("{name} {:.2} and {:.2}", held(&measured), uploaded(&measured)));
        report.plots.push(plot(name, &measured));
        report.rows.push(updates_row(name, &measured));
    }
    let said = said.join(", ");
    report.verdicts.push(format!(
        "storage updates: bytes held of state and window, and uploaded of sealed: {said}"
    ));
    Ok(report)
}

fn held(row: &StorageRow) -> f64 {
    as_f64(row.held_bytes) / as_f64((row.state_bytes + row.window_bytes).max(1))
}

fn uploaded(row: &StorageRow) -> f64 {
    as_f64(row.uploaded_bytes) / as_f64(row.sealed_bytes.max(1))
}

fn updates_row(name: &str, row: &StorageRow) -> Row {
    let bytes = |name: &str, bytes| Figure::one(name, "bytes", as_f64(bytes));
    Row::new("foldback", format!("{name} updates"))
        .figure(Figure::one("events", "", as_f64(row.events)))
        .figure(bytes("held", row.held_bytes))
        .figure(bytes("uploaded", row.uploaded_bytes))
        .figure(bytes("state", row.state_bytes))
        .figure(bytes("window", row.window_bytes))
        .figure(bytes("sealed", row.sealed_bytes))
}

/// What the bucket held, by what for, as time went on.
fn plot(name: &str, row: &StorageRow) -> Plot {
    let title =
        format!("Bytes in the bucket by reason over time, {name} updates; retention is one day.");
    let line = |of: &dyn Fn(&foldback_bench::StoragePoint) -> u64| {
        let points = row.points.iter();
        points.map(|point| (as_f64(point.secs) / 86_400.0, as_f64(of(point)))).collect::<Vec<_>>()
    };
    Plot::new(title, Axis::linear("days"), Axis::linear("bytes"))
        .line(
            "all that is held",
            line(&|point| point.base_bytes + point.delta_bytes + point.removed_bytes),
        )
        .line("deltas: changes", line(&|point| point.delta_bytes))
        .line("bases: states", line(&|point| point.base_bytes))
        .line("waiting to be deleted", line(&|point| point.removed_bytes))
}

/// The history of W1 in three ways.
fn w1(arguments: &StorageArgs, place: &Place, report: Report, part: u64) -> Result<Report> {
    let options = W1StorageOptions {
        directory: place.directory.path().join("w1"),
        bucket: place.bucket.below("w1"),
        events: arguments.events.div_ceil(part),
        keys: arguments.keys.div_ceil(part),
        seed: arguments.place.seed,
    };
    let mut report = report.setting("w1_events", options.events).setting("w1_keys", options.keys);
    let rows = w1_storage(&options)?;
    report.rows.extend(rows.iter().map(w1_row));
    report.verdicts.push(w1_verdict(&rows));
    Ok(report)
}

fn w1_row(row: &W1StorageRow) -> Row {
    let bytes = |name: &str, bytes| Figure::one(name, "bytes", as_f64(bytes));
    Row::new("foldback", format!("w1, {}", row.keeping.name()))
        .figure(Figure::one("events", "", as_f64(row.events)))
        .figure(bytes("held", row.held_bytes))
        .figure(bytes("uploaded", row.uploaded_bytes))
        .figure(bytes("raw", row.raw_bytes))
        .figure(bytes("deltas", row.delta_bytes))
        .figure(bytes("bases", row.base_bytes))
}

fn w1_verdict(rows: &[W1StorageRow]) -> String {
    let of = |keeping| rows.iter().find(|row| row.keeping == keeping).expect("all were measured");
    let (changes, whole) = (of(W1Keeping::Merged), of(W1Keeping::Default));
    let parquet = PARQUET_BYTES_AN_EVENT * as_f64(changes.events);
    let megabytes = |bytes| as_f64(bytes) / 1e6;
    let ratio = as_f64(whole.held_bytes) / as_f64(changes.delta_bytes.max(1));
    let is_within = if ratio <= HELD_RATIO_MAX { "yes" } else { "no" };
    format!(
        "storage w1: deltas alone {:.1} MB, {:.2} of parquet zstd ({:.1} MB); bucket by default \
         {:.1} MB, {ratio:.2} of that, within {HELD_RATIO_MAX}: {is_within}; results correct",
        megabytes(changes.delta_bytes),
        as_f64(changes.delta_bytes) / parquet,
        parquet / 1e6,
        megabytes(whole.held_bytes),
    )
}
