//! `foldback-bench growth`: what restores and reads of the past cost as history grows while the
//! state keeps its size.

use clap::Args;
use foldback_bench::{
    Axis, Figure, GrowthOptions, GrowthRow, Machine, Plot, Report, Result, Row, as_f64, growth,
};

use super::common::{OutputArgs, PlaceArgs, millis, ratios, side_by_side};

/// How far apart restores may be, whatever the length of history.
const RESTORES_APART_MAX: f64 = 1.25;
/// How far apart reads of the past may be.
const READS_APART_MAX: f64 = 1.5;

/// How history grows.
#[derive(Debug, Args)]
pub(crate) struct GrowthArgs {
    /// Keys of the table.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    keys: u64,
    /// Bytes of a value; zstd halves them.
    #[arg(long, default_value_t = 200)]
    value_bytes: usize,
    /// How many updates each key gets, a case each.
    #[arg(long, value_delimiter = ',', default_value = "1,10,100", value_parser = clap::value_parser!(u64).range(1..))]
    history: Vec<u64>,
    /// Bytes of log that become one delta file.
    #[arg(long, default_value_t = 4 * 1024 * 1024)]
    segment_bytes_max: u64,
    /// Restores at each of eight moments.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..))]
    restores: u16,
    /// 5,000 keys and three restores instead.
    #[arg(long, conflicts_with_all = ["keys", "restores"])]
    quick: bool,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the suite.
pub(crate) fn run(arguments: &GrowthArgs) -> Result<()> {
    arguments.output.check()?;
    let place = arguments.place.make()?;
    let options = GrowthOptions {
        directory: place.directory.path().to_path_buf(),
        bucket: place.bucket.url.clone(),
        store_options: place.bucket.store_options.clone(),
        keys: if arguments.quick { 5_000 } else { arguments.keys },
        value_bytes: arguments.value_bytes,
        updates_per_key: arguments.history.clone(),
        segment_bytes_max: arguments.segment_bytes_max,
        restores: if arguments.quick { 3 } else { usize::from(arguments.restores) },
        seed: arguments.place.seed,
    };
    let report = Report::new("growth", Machine::of(place.directory.path()))
        .setting("keys", options.keys)
        .setting("value_bytes", options.value_bytes)
        .setting("history", options.updates_per_key.clone())
        .setting("segment_bytes_max", options.segment_bytes_max)
        .setting("restores", options.restores);
    let mut report = arguments.place.note_in(report);
    report.limits = arguments.output.limits(&place, &[])?;
    let rows = growth(&options, &mut || {})?;
    report.rows = rows.iter().map(row).collect();
    report.plots = plots(&rows);
    report.verdicts.push(verdict(&rows));
    arguments.output.show(&report)
}

fn row(row: &GrowthRow) -> Row {
    let runs = |micros: &[u64]| micros.iter().copied().map(millis).collect::<Vec<_>>();
    let bytes = |name: &str, bytes| Figure::one(name, "bytes", as_f64(bytes));
    Row::new("foldback", format!("{}x", row.updates_per_key))
        .figure(Figure::one("events", "", as_f64(row.events)))
        .figure(Figure::new("restore", "ms", runs(&row.restore_micros)))
        .figure(Figure::new("restore requests", "", floats(&row.requests_each)))
        .figure(Figure::new("restore reads", "bytes", floats(&row.bytes_read_each)))
        .figure(view_read(row))
        .figure(Figure::one("view read p99", "µs", as_f64(row.view_nanos_p99()) / 1e3))
        .figure(Figure::one("requests a read", "", row.requests_a_read()))
        .figure(bytes("state", row.base_bytes))
        .figure(bytes("history", row.history_bytes))
        .figure(bytes("sealed", row.sealed_bytes))
        .figure(bytes("uploaded", row.bytes_written))
}

fn floats(counts: &[u64]) -> Vec<f64> {
    counts.iter().copied().map(as_f64).collect()
}

/// How long a read of the past takes: the mean of each moment is a run.
fn view_read(row: &GrowthRow) -> Figure {
    let micros = row.view_nanos_means().into_iter().map(|nanos| nanos / 1e3).collect();
    Figure::new("view read", "µs", micros)
}

/// Curves over the length of history.
fn plots(rows: &[GrowthRow]) -> Vec<Plot> {
    let over = |of: &dyn Fn(&GrowthRow) -> f64| {
        rows.iter().map(|row| (as_f64(row.events), of(row))).collect::<Vec<_>>()
    };
    let events = || Axis::log("events in the history");
    let time = Plot::new(
        "Time to restore the latest state, and to read one key of the past, against the length of \
         history; the state keeps its size.",
        events(),
        Axis::log("ms"),
    );
    let time = time
        .line("restore, median", over(&|row| millis(row.micros)))
        .line("view read, p99", over(&|row| as_f64(row.view_nanos_p99()) / 1e6))
        .line("view read, mean", over(&|row| view_read(row).median() / 1e3));
    let bytes =
        Plot::new("Bytes by reason against the length of history.", events(), Axis::log("bytes"));
    let bytes = bytes
        .line("uploaded, in all", over(&|row| as_f64(row.bytes_written)))
        .line("sealed, in all", over(&|row| as_f64(row.sealed_bytes)))
        .line("history kept", over(&|row| as_f64(row.history_bytes)))
        .line("read by one restore", over(&|row| as_f64(row.bytes_read)))
        .line("state", over(&|row| as_f64(row.base_bytes)));
    vec![time, bytes]
}

/// Each length of history in terms of the first, and whether that is flat.
fn verdict(rows: &[GrowthRow]) -> String {
    let names: Vec<_> = rows.iter().map(|row| format!("{}x", row.updates_per_key)).collect();
    let of = |of: &dyn Fn(&GrowthRow) -> f64| ratios(&rows.iter().map(of).collect::<Vec<_>>());
    let seconds = of(&|row| as_f64(row.micros));
    let bytes = of(&|row| as_f64(row.bytes_read));
    let requests = of(&|row| floats(&row.requests_each).iter().sum::<f64>());
    let reads = of(&|row| view_read(row).median());
    let is_flat = |ratios: &[f64], apart: f64| ratios.iter().all(|ratio| *ratio <= apart);
    let restores_flat =
        [&seconds, &bytes, &requests].iter().all(|ratios| is_flat(ratios, RESTORES_APART_MAX));
    let yes = |is_so| if is_so { "yes" } else { "no" };
    format!(
        "growth {}: restore seconds {}, bytes {}, requests {}, flat within {RESTORES_APART_MAX}: \
         {}; view reads {}, within {READS_APART_MAX}: {}; results correct",
        names.join(" "),
        side_by_side(&seconds),
        side_by_side(&bytes),
        side_by_side(&requests),
        yes(restores_flat),
        side_by_side(&reads),
        yes(is_flat(&reads, READS_APART_MAX)),
    )
}
