//! `foldback-bench start`: the opening of a database that holds much and was closed, and the replay
//! of one that was killed, beside the peers that were compiled in.

use std::path::PathBuf;

use clap::Args;
use foldback_bench::{
    BucketChoice, EngineKind, EngineSettings, Error, INSERT_KEY_BYTES, MEMTABLE_BYTES, Machine,
    Report, Result, StartEnd, StartRow, StartRun, crash_once, fill_once, measure_closed,
    measure_killed, open_once, tell_starts,
};
use serde::Serialize;

use super::common::{OutputArgs, PlaceArgs};
use super::engines::{compiled_in, note_versions};

/// What is opened, how often.
#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    /// Bytes of keys and values of the database that is closed and opened.
    #[arg(long, default_value_t = 1 << 30, value_parser = clap::value_parser!(u64).range(1..))]
    state_bytes: u64,
    /// Events of a database that is killed, a case each; it gets memory enough to have flushed
    /// none of them.
    #[arg(long, value_delimiter = ',', default_value = "150000,1000000", value_parser = clap::value_parser!(u64).range(1..))]
    events: Vec<u64>,
    /// Engines that are killed, of those that were compiled in [default: foldback,fjall].
    #[arg(long, value_delimiter = ',')]
    engines: Vec<EngineKind>,
    /// Events of a batch.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    batch: u64,
    /// Bytes of a value.
    #[arg(long, default_value_t = 200)]
    value_bytes: u64,
    /// How many times zstd shrinks values.
    #[arg(long, default_value_t = 2.0)]
    compressibility: f64,
    /// Times that each is opened in each case.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    runs: u64,
    /// A quarter of the state, only as many events as are unflushed by default settings, and three
    /// runs instead.
    #[arg(long, conflicts_with_all = ["state_bytes", "events", "runs"])]
    quick: bool,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// One part of a run, in this process.
#[derive(Debug, Args)]
pub(crate) struct StartOnceArgs {
    /// What it does, as JSON.
    run: String,
}

/// Runs the suite.
pub(crate) fn run(arguments: &StartArgs) -> Result<()> {
    arguments.output.check()?;
    let engines = compiled_in(&arguments.engines, &[EngineKind::Foldback, EngineKind::Fjall])?;
    let place = arguments.place.make()?;
    let directory = place.directory.path();
    let (runs, events) = match arguments.quick {
        true => (arguments.runs.min(3), arguments.events[..1].to_vec()),
        false => (arguments.runs, arguments.events.clone()),
    };
    let mut report = arguments.report(&engines, runs, Machine::of(directory));
    report.limits = arguments.output.limits(&place, &[])?;
    let mut watch = |what: &str| eprintln!("{what}");
    let mut closed = arguments.closed();
    closed.directory = directory.join("closed");
    closed.settings.bucket = place.bucket.below("closed");
    let mut rows = measure_closed(&closed, runs, &mut watch)?;
    let killed = events.iter().flat_map(|events| {
        engines.iter().map(|engine| arguments.killed(*engine, *events, &place.bucket))
    });
    let mut killed: Vec<_> = killed.map(|run| StartRow { run, outcomes: Vec::new() }).collect();
    for _ in 0..runs {
        measure_killed(directory, &mut killed, &mut watch)?;
    }
    rows.append(&mut killed);
    tell_starts(&mut report, &rows);
    arguments.output.show(&report)
}

/// Fills a database, in this process.
pub(crate) fn run_fill(arguments: &StartOnceArgs) -> Result<()> {
    say(&fill_once(&parse(&arguments.run)?)?)
}

/// Fills a database, in this process, and waits to be killed.
pub(crate) fn run_crash(arguments: &StartOnceArgs) -> Result<()> {
    crash_once(&parse(&arguments.run)?)
}

/// Opens a database, in this process.
pub(crate) fn run_open(arguments: &StartOnceArgs) -> Result<()> {
    say(&open_once(&parse(&arguments.run)?)?)
}

fn parse(run: &str) -> Result<StartRun> {
    serde_json::from_str(run).map_err(|error| Error::Input(format!("{run} is no run: {error}")))
}

fn say(what: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(what).expect("numbers are JSON"));
    Ok(())
}

impl StartArgs {
    fn closed(&self) -> StartRun {
        let bytes = if self.quick { self.state_bytes / 4 } else { self.state_bytes };
        let batch_bytes = self.batch * (INSERT_KEY_BYTES + self.value_bytes);
        StartRun {
            engine: EngineKind::Foldback,
            directory: PathBuf::new(),
            settings: EngineSettings {
                durable: false,
                memtable_bytes: MEMTABLE_BYTES,
                bucket: BucketChoice::default(),
            },
            batches: bytes.div_ceil(batch_bytes),
            batch_events: self.batch,
            value_bytes: self.value_bytes,
            compressibility: self.compressibility,
            seed: self.place.seed,
            end: StartEnd::Closed,
        }
    }

    fn killed(&self, engine: EngineKind, events: u64, bucket: &BucketChoice) -> StartRun {
        let closed = self.closed();
        // What was not synced would be written once more before it is replayed.
        let settings = EngineSettings { durable: true, bucket: bucket.clone(), ..closed.settings };
        let batches = events.div_ceil(self.batch);
        let run = StartRun { engine, settings, batches, end: StartEnd::Killed, ..closed };
        run.unflushed()
    }

    fn report(&self, engines: &[EngineKind], runs: u64, mut machine: Machine) -> Report {
        note_versions(&mut machine, engines);
        let names: Vec<_> = engines.iter().map(|engine| engine.name()).collect();
        let report = Report::new("start", machine)
            .setting("engines", names)
            .setting("state_bytes", self.closed().bytes())
            .setting("batch", self.batch)
            .setting("value_bytes", self.value_bytes)
            .setting("compressibility", self.compressibility)
            .setting("runs", runs);
        self.place.note_in(report)
    }
}
