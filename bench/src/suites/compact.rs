//! `foldback-bench compact`: a history that nobody has compacted is compacted by a process of its
//! own, which nothing else fills with memory.

use clap::Args;
use foldback_bench::{
    CompactCost, Error, Figure, Machine, Report, Result, Row, UntidyHistory, UntidyOptions, as_f64,
    compact_bucket, make_untidy,
};

use super::common::{BucketArgs, OutputArgs, Place, PlaceArgs, millis};

/// What history is compacted.
#[derive(Debug, Args)]
pub(crate) struct CompactArgs {
    /// Keys of the table.
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..))]
    keys: u64,
    /// Bytes of a value; zstd halves them.
    #[arg(long, default_value_t = 600)]
    value_bytes: usize,
    /// Bytes of history to make, compressed.
    #[arg(long, default_value_t = 256 * 1024 * 1024)]
    history_bytes: u64,
    /// Bytes of log that become one delta file.
    #[arg(long, default_value_t = 64 * 1024 * 1024)]
    segment_bytes_max: u64,
    /// A quarter of the keys and of the history instead.
    #[arg(long, conflicts_with_all = ["keys", "history_bytes"])]
    quick: bool,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// One compaction, in this process.
#[derive(Debug, Args)]
pub(crate) struct CompactOnceArgs {
    #[command(flatten)]
    bucket: BucketArgs,
}

/// What the measurement runs.
pub(crate) fn run_once(arguments: &CompactOnceArgs) -> Result<()> {
    let cost = compact_bucket(&arguments.bucket.choice())?;
    println!("{}", serde_json::to_string(&cost).expect("numbers are JSON"));
    Ok(())
}

/// Runs the suite.
pub(crate) fn run(arguments: &CompactArgs) -> Result<()> {
    arguments.output.check()?;
    let place = arguments.place.make()?;
    let part = if arguments.quick { 4 } else { 1 };
    let options = UntidyOptions {
        directory: place.directory.path().join("data"),
        bucket: place.bucket.clone(),
        keys: arguments.keys.div_ceil(part),
        value_bytes: arguments.value_bytes,
        history_bytes: arguments.history_bytes / part,
        segment_bytes_max: arguments.segment_bytes_max,
        seed: arguments.place.seed,
    };
    let report = Report::new("compact", Machine::of(place.directory.path()))
        .setting("keys", options.keys)
        .setting("value_bytes", options.value_bytes)
        .setting("history_bytes", options.history_bytes)
        .setting("segment_bytes_max", options.segment_bytes_max);
    let mut report = arguments.place.note_in(report);
    report.limits = arguments.output.limits(&place, &[])?;
    let made = make_untidy(&options)?;
    let cost = compact_elsewhere(&place, &made)?;
    report.rows.push(row(&made, &cost));
    let ratio = as_f64(cost.bytes_written) / as_f64(made.history_bytes.max(1));
    let peak = cost.memory_bytes_max.map_or("an unknown peak".to_owned(), |peak| {
        format!("a peak of {:.0} MiB", as_f64(peak) / f64::from(1 << 20))
    });
    report.verdicts.push(format!(
        "compact: {peak}, {ratio:.2} bytes uploaded for each byte of history, in {:.1} s",
        millis(cost.micros) / 1e3
    ));
    arguments.output.show(&report)
}

fn row(made: &UntidyHistory, cost: &CompactCost) -> Row {
    let bytes = |name: &str, bytes| Figure::one(name, "bytes", as_f64(bytes));
    let row = Row::new("foldback", "deltas alone")
        .figure(bytes("history", made.history_bytes))
        .figure(Figure::one("jobs", "", as_f64(cost.jobs)))
        .figure(Figure::one("wall", "ms", millis(cost.micros)));
    let cpu = cost.cpu_micros.map(|micros| Figure::one("cpu", "ms", millis(micros)));
    let peak = cost.memory_bytes_max.map(|peak| bytes("peak", peak));
    let row = [cpu, peak].into_iter().flatten().fold(row, Row::figure);
    row.figure(bytes("read", cost.bytes_read)).figure(bytes("uploaded", cost.bytes_written))
}

/// Compacts in a process of its own, whose memory never held more than that takes.
fn compact_elsewhere(place: &Place, made: &UntidyHistory) -> Result<CompactCost> {
    let refused = |why: String| Error::Peer(format!("the process that compacts: {why}"));
    let program = std::env::current_exe().map_err(|error| refused(error.to_string()))?;
    let bucket = foldback_bench::BucketChoice {
        url: Some(made.bucket.clone()),
        store_options: place.bucket.store_options.clone(),
    };
    let mut command = std::process::Command::new(program);
    let output = command.arg("compact-once").args(bucket.arguments()).output();
    let output = output.map_err(|error| refused(error.to_string()))?;
    if !output.status.success() {
        return Err(refused(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| refused(error.to_string()))
}
