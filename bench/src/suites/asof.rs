//! `foldback-bench asof`: what a point read at an instant costs, without a restore.

use clap::Args;
use foldback_bench::{AsofOptions, Figure, Machine, ReadCost, Report, Result, Row, as_f64, asof};

use super::common::{OutputArgs, PlaceArgs};

/// What past is read.
#[derive(Debug, Args)]
pub(crate) struct AsofArgs {
    /// Events of the table: updates of keys drawn at random.
    #[arg(long, default_value_t = 500_000, value_parser = clap::value_parser!(u64).range(1..))]
    events: u64,
    /// Keys of the table.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    keys: u64,
    /// Bytes of a value; zstd halves them.
    #[arg(long, default_value_t = 200)]
    value_bytes: usize,
    /// Point reads of each kind.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u16).range(1..))]
    gets: u16,
    /// 100,000 events of 20,000 keys instead.
    #[arg(long, conflicts_with_all = ["events", "keys"])]
    quick: bool,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the suite.
pub(crate) fn run(arguments: &AsofArgs) -> Result<()> {
    arguments.output.check()?;
    let place = arguments.place.make()?;
    let (events, keys) = match arguments.quick {
        true => (100_000, 20_000),
        false => (arguments.events, arguments.keys),
    };
    let options = AsofOptions {
        directory: place.directory.path().to_path_buf(),
        bucket: place.bucket.url.clone(),
        store_options: place.bucket.store_options.clone(),
        events,
        keys,
        value_bytes: arguments.value_bytes,
        gets: usize::from(arguments.gets),
        seed: arguments.place.seed,
    };
    let report = Report::new("asof", Machine::of(place.directory.path()))
        .setting("events", options.events)
        .setting("keys", options.keys)
        .setting("value_bytes", options.value_bytes)
        .setting("gets", options.gets);
    let mut report = arguments.place.note_in(report);
    report.limits = arguments.output.limits(&place, &[])?;
    let measured = asof(&options)?;
    let kinds = [
        ("cold", &measured.cold),
        ("warm", &measured.warm),
        ("spread", &measured.spread),
        ("absent", &measured.absent),
    ];
    report.rows = kinds.iter().map(|(kind, cost)| row(kind, cost)).collect();
    let said = kinds
        .map(|(kind, cost)| format!("{kind} p50 {} p99 {} µs", cost.p50_micros, cost.p99_micros));
    report.verdicts.push(format!(
        "{} requests to take a view of {} of history",
        measured.view_requests,
        Figure::one("history", "bytes", as_f64(measured.history_bytes)).shown()
    ));
    report.verdicts.push(format!("asof: {}, results correct", said.join(", ")));
    arguments.output.show(&report)
}

fn row(kind: &str, cost: &ReadCost) -> Row {
    Row::new("foldback", kind)
        .figure(Figure::one("p50", "µs", as_f64(cost.p50_micros)))
        .figure(Figure::one("p99", "µs", as_f64(cost.p99_micros)))
        .figure(Figure::one("longest", "µs", as_f64(cost.max_micros)))
        .figure(Figure::one("requests, median", "", as_f64(cost.requests)))
        .figure(Figure::one("requests, most", "", as_f64(cost.requests_max)))
}
