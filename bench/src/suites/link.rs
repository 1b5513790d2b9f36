//! `foldback-bench link`: what restores cost from a bucket at the other end of a link.

use clap::Args;
use foldback_bench::{
    Axis, Error, Figure, LinkCosts, LinkOptions, LinkRow, Machine, Plot, Report, Result, Row,
    as_f64, link,
};

use super::common::{OutputArgs, PlaceArgs, millis};

/// The latency at which a restore is to take at most twice what it takes without.
const JUDGED_LATENCY_MS: u64 = 50;

/// What is restored, and over which links.
#[derive(Debug, Args)]
pub(crate) struct LinkArgs {
    /// Bytes of keys and values that are restored.
    #[arg(long, default_value_t = 200_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    state_bytes: u64,
    /// Bytes of a value; zstd halves them.
    #[arg(long, default_value_t = 200)]
    value_bytes: usize,
    /// Updates after the first load, in hundredths of the keys.
    #[arg(long, default_value_t = 50)]
    updates_percent: u64,
    /// What a request waits for its answer, in milliseconds, a case each.
    #[arg(long, value_delimiter = ',', default_value = "0,10,50,100", value_parser = clap::value_parser!(u64).range(..10_000))]
    latency_ms: Vec<u64>,
    /// Bytes that the link carries in a second, in all cases with a latency.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    link_bytes_per_sec: Option<u64>,
    /// Restores of each case.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// A quarter of the bytes instead.
    #[arg(long, conflicts_with = "state_bytes")]
    quick: bool,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the suite.
pub(crate) fn run(arguments: &LinkArgs) -> Result<()> {
    arguments.output.check()?;
    let place = arguments.place.make()?;
    if place.bucket.url.is_some() {
        return Err(Error::Input(
            "the links of this suite are made in front of a directory: leave --bucket out".into(),
        ));
    }
    let options = LinkOptions {
        directory: place.directory.path().to_path_buf(),
        state_bytes: arguments.state_bytes / if arguments.quick { 4 } else { 1 },
        value_bytes: arguments.value_bytes,
        updates_percent: arguments.updates_percent,
        latencies_ms: arguments.latency_ms.clone(),
        link_bytes_per_sec: arguments.link_bytes_per_sec,
        runs: usize::from(arguments.runs),
        seed: arguments.place.seed,
    };
    let report = Report::new("link", Machine::of(place.directory.path()))
        .setting("state_bytes", options.state_bytes)
        .setting("value_bytes", options.value_bytes)
        .setting("updates_percent", options.updates_percent)
        .setting("link_bytes_per_sec", options.link_bytes_per_sec)
        .setting("runs", options.runs);
    let mut report = arguments.place.note_in(report);
    report.limits = arguments.output.limits(&place, &[])?;
    let costs = link(&options)?;
    report.rows = costs.rows.iter().map(row).collect();
    report.plots = vec![plot(&costs)];
    report.verdicts.push(verdict(&costs));
    arguments.output.show(&report)
}

fn row(row: &LinkRow) -> Row {
    let floats = |counts: &[u64]| counts.iter().copied().map(as_f64).collect::<Vec<_>>();
    Row::new("foldback", format!("{} ms", row.latency_ms))
        .figure(wall(row))
        .figure(Figure::new("GETs", "", floats(&row.gets)))
        .figure(Figure::one("GETs at most", "", as_f64(row.gets_max())))
        .figure(Figure::new("other requests", "", floats(&row.other_requests)))
        .figure(Figure::one("files", "", as_f64(row.files)))
        .figure(Figure::new("read", "bytes", floats(&row.bytes_read)))
}

fn wall(row: &LinkRow) -> Figure {
    Figure::new("wall", "ms", row.micros.iter().copied().map(millis).collect::<Vec<_>>())
}

fn plot(costs: &LinkCosts) -> Plot {
    let points = costs.rows.iter().map(|row| (as_f64(row.latency_ms), wall(row).median()));
    let title = "Time to restore the latest state against what a request waits for its answer.";
    Plot::new(title, Axis::linear("ms of latency"), Axis::linear("ms"))
        .line("restore, median", points.collect::<Vec<_>>())
}

/// What the latency costs, and whether requests are as few as they are to be.
fn verdict(costs: &LinkCosts) -> String {
    let without = costs.rows.iter().find(|row| row.latency_ms == 0);
    let judged = costs.rows.iter().find(|row| row.latency_ms == JUDGED_LATENCY_MS);
    let restore = match without.zip(judged) {
        Some((without, judged)) => {
            let ratio = wall(judged).median() / wall(without).median().max(1e-9);
            format!(
                "restore of {:.0} MB over {JUDGED_LATENCY_MS} ms {ratio:.2} of that over none; ",
                as_f64(costs.state_bytes) / 1e6
            )
        }
        None => String::new(),
    };
    let gets = |row: &LinkRow| row.gets.iter().copied().max().unwrap_or_default();
    let most = costs.rows.iter().max_by_key(|row| gets(row));
    let (gets, gets_max) = most.map_or((0, 0), |row| (gets(row), row.gets_max()));
    format!(
        "link: {restore}{gets} GETs of at most {gets_max}; {:.1} PUTs a seal; results correct",
        costs.puts_a_seal()
    )
}
