//! `foldback-bench memory`: the most memory that a table takes in each part of its life, by default
//! settings.

use clap::Args;
use foldback_bench::{
    Error, INSERT_KEY_BYTES, Machine, MemoryRun, MemoryStage, Report, Result, measure_memory,
    memory_once, tell_memory,
};

use super::common::{OutputArgs, PlaceArgs};

/// Of what size the table is.
#[derive(Debug, Args)]
pub(crate) struct MemoryArgs {
    /// Bytes of keys and values of the table.
    #[arg(long, default_value_t = 1 << 30, value_parser = clap::value_parser!(u64).range(1..))]
    state_bytes: u64,
    /// Events of a batch.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    batch: u64,
    /// Bytes of a value.
    #[arg(long, default_value_t = 200)]
    value_bytes: u64,
    /// How many times zstd shrinks values.
    #[arg(long, default_value_t = 2.0)]
    compressibility: f64,
    /// A quarter of the table instead.
    #[arg(long, conflicts_with = "state_bytes")]
    quick: bool,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// One stage, in this process.
#[derive(Debug, Args)]
pub(crate) struct MemoryOnceArgs {
    /// What it does, as JSON.
    run: String,
}

/// Runs the suite.
pub(crate) fn run(arguments: &MemoryArgs) -> Result<()> {
    arguments.output.check()?;
    let place = arguments.place.make()?;
    let bytes = if arguments.quick { arguments.state_bytes / 4 } else { arguments.state_bytes };
    let batch_bytes = arguments.batch * (INSERT_KEY_BYTES + arguments.value_bytes);
    let run = MemoryRun {
        stage: MemoryStage::Commit,
        directory: place.directory.path().join("data"),
        bucket: place.bucket.clone(),
        batches: bytes.div_ceil(batch_bytes),
        batch_events: arguments.batch,
        value_bytes: arguments.value_bytes,
        compressibility: arguments.compressibility,
        seed: arguments.place.seed,
        first_seq: 0,
    };
    let report = Report::new("memory", Machine::of(place.directory.path()))
        .setting("state_bytes", run.bytes())
        .setting("batch", run.batch_events)
        .setting("value_bytes", run.value_bytes)
        .setting("compressibility", run.compressibility);
    let mut report = arguments.place.note_in(report);
    report.limits = arguments.output.limits(&place, &[])?;
    let rows = measure_memory(&run, &mut |stage| eprintln!("{stage}"))?;
    tell_memory(&mut report, &rows);
    arguments.output.show(&report)
}

/// What the measurement runs.
pub(crate) fn run_once(arguments: &MemoryOnceArgs) -> Result<()> {
    let run = serde_json::from_str(&arguments.run)
        .map_err(|error| Error::Input(format!("{} is no run: {error}", arguments.run)))?;
    let outcome = memory_once(&run)?;
    println!("{}", serde_json::to_string(&outcome).expect("numbers are JSON"));
    Ok(())
}
