//! `foldback-bench commit`: commits, durable or buffered, beside the peers that were compiled in.

use std::path::PathBuf;

use clap::Args;
use foldback_bench::{
    BucketChoice, CACHE_BYTES, CommitRow, CommitRun, EngineKind, EngineSettings, Error,
    MEMTABLE_BYTES, Machine, Report, Result, SyncGroup, Until, commit_once, measure_commits,
    tell_commits,
};

use super::common::{OutputArgs, PlaceArgs};
use super::engines::{compiled_in, note_versions};

/// Batches of a buffered writer that are under way at once, where the engine can do that.
const BUFFERED_UNDER_WAY: u64 = 16;
/// A run with sealing all the time is so many times as long, so that several segments are sealed.
const SEALING_TIMES: u64 = 2;

/// What is committed, by whom, and how often.
#[derive(Debug, Args)]
pub(crate) struct CommitArgs {
    /// Engines, of those that were compiled in; all of them by default.
    #[arg(long, value_delimiter = ',')]
    engines: Vec<EngineKind>,
    /// Threads that commit at once, a case each [default: 1,8,64; buffered: 1].
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u64).range(1..=1024))]
    writers: Vec<u64>,
    /// Events of a batch, a case each [default: 1,100; buffered: 100].
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u64).range(1..=10_000))]
    batch: Vec<u64>,
    /// Bytes of a value; keys have 16.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=65_536))]
    value_bytes: u64,
    /// How many times zstd shrinks values.
    #[arg(long, default_value_t = 2.0)]
    compressibility: f64,
    /// Milliseconds of a durable run.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    millis: u64,
    /// Times that each engine runs in each case.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    runs: u64,
    /// Commits are answered once the operating system has them; a history is sealed meanwhile,
    /// and a run ends when all is flushed and compacted.
    #[arg(long)]
    buffered: bool,
    /// Events of a buffered run.
    #[arg(long, default_value_t = 4_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    events: u64,
    /// An open loop: so many events a second are due, all writers together, and latencies are
    /// counted from when a batch was due.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    rate: Option<u64>,
    /// Shorter: runs of 300 ms, or of 1,000,000 events.
    #[arg(long, conflicts_with_all = ["millis", "events"])]
    quick: bool,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// One run, in this process: what each measurement does.
#[derive(Debug, Args)]
pub(crate) struct CommitOnceArgs {
    /// What it does, as JSON.
    run: String,
}

/// Runs the suite.
pub(crate) fn run(arguments: &CommitArgs) -> Result<()> {
    arguments.output.check()?;
    let engines = arguments.engines()?;
    let place = arguments.place.make()?;
    let mut runs = arguments.matrix(&engines);
    if !arguments.buffered && engines.contains(&EngineKind::Foldback) {
        runs.extend(arguments.sealing());
    }
    for run in &mut runs {
        run.settings.bucket = place.bucket.clone();
    }
    let groups = groups(&runs);
    let mut rows: Vec<_> = runs.into_iter().map(CommitRow::new).collect();
    let mut report = arguments.report(&engines, Machine::of(place.directory.path()));
    for _ in 0..arguments.runs {
        arguments.output.add_limits(&mut report, &place, &groups)?;
        measure_commits(place.directory.path(), &mut rows, &mut |run| {
            eprintln!("{} {}", run.engine.name(), run.case());
        })?;
    }
    tell_commits(&mut report, &rows);
    arguments.output.show(&report)
}

/// What is synced at once in the cases of durable runs.
fn groups(runs: &[CommitRun]) -> Vec<SyncGroup> {
    let durable = runs.iter().filter(|run| run.settings.durable);
    let mut groups: Vec<_> = durable.map(CommitRun::sync_group).collect();
    groups.sort_unstable_by_key(|group| (group.events(), group.writers));
    groups.dedup();
    groups
}

/// One run, in this process: what each measurement does.
pub(crate) fn run_once(arguments: &CommitOnceArgs) -> Result<()> {
    let run = serde_json::from_str(&arguments.run)
        .map_err(|error| Error::Input(format!("{} is no run: {error}", arguments.run)))?;
    let outcome = commit_once(&run)?;
    println!("{}", serde_json::to_string(&outcome).expect("numbers are JSON"));
    Ok(())
}

impl CommitArgs {
    fn engines(&self) -> Result<Vec<EngineKind>> {
        let by_default: &[_] = match self.buffered {
            true => {
                &[EngineKind::Foldback, EngineKind::LsmTree, EngineKind::Fjall, EngineKind::Rocksdb]
            }
            false => &[
                EngineKind::Foldback,
                EngineKind::Fjall,
                EngineKind::Rocksdb,
                EngineKind::Redb,
                EngineKind::Surrealkv,
            ],
        };
        compiled_in(&self.engines, by_default)
    }

    /// Every engine in every case.
    fn matrix(&self, engines: &[EngineKind]) -> Vec<CommitRun> {
        let or = |given: &[u64], default: &[u64]| match given {
            [] => default.to_vec(),
            given => given.to_vec(),
        };
        let (writers, batches) = match self.buffered {
            true => (or(&self.writers, &[1]), or(&self.batch, &[100])),
            false => (or(&self.writers, &[1, 8, 64]), or(&self.batch, &[1, 100])),
        };
        let cases = batches.iter().flat_map(|batch| writers.iter().map(move |it| (*it, *batch)));
        let runs = cases.flat_map(|(writers, batch)| {
            engines.iter().map(move |engine| self.one(*engine, writers, batch))
        });
        runs.collect()
    }

    /// Sealing all the time, and never, with the most writers and the smallest batches.
    fn sealing(&self) -> [CommitRun; 2] {
        let writers = self.writers.iter().copied().max().unwrap_or(64);
        let batch = self.batch.iter().copied().min().unwrap_or(1);
        [EngineKind::FoldbackUnprotected, EngineKind::FoldbackSealing].map(|engine| {
            let run = self.one(engine, writers, batch);
            let until = match run.until {
                Until::Millis(millis) => Until::Millis(millis * SEALING_TIMES),
                until => until,
            };
            CommitRun { until, ..run }
        })
    }

    fn one(&self, engine: EngineKind, writers: u64, batch_events: u64) -> CommitRun {
        let events = if self.quick { 1_000_000 } else { self.events };
        let millis = if self.quick { 300 } else { self.millis };
        CommitRun {
            engine,
            directory: PathBuf::new(),
            settings: EngineSettings {
                durable: !self.buffered,
                memtable_bytes: MEMTABLE_BYTES,
                bucket: BucketChoice::default(),
            },
            writers,
            batch_events,
            under_way: if self.buffered { BUFFERED_UNDER_WAY } else { 1 },
            value_bytes: self.value_bytes,
            compressibility: self.compressibility,
            rate: self.rate,
            until: match self.buffered {
                true => Until::Batches(events.div_ceil(batch_events)),
                false => Until::Millis(millis),
            },
            seed: self.place.seed,
        }
    }

    fn report(&self, engines: &[EngineKind], mut machine: Machine) -> Report {
        note_versions(&mut machine, engines);
        let one = self.one(EngineKind::Foldback, 1, 1);
        let names: Vec<_> = engines.iter().map(|engine| engine.name()).collect();
        let until = match one.until {
            Until::Millis(millis) => format!("{millis} ms"),
            Until::Batches(events) => format!("{events} events"),
        };
        let report = Report::new("commit", machine)
            .setting("engines", names)
            .setting("durable", one.settings.durable)
            .setting("value_bytes", self.value_bytes)
            .setting("compressibility", self.compressibility)
            .setting("until", until)
            .setting("under_way", one.under_way)
            .setting("rate", self.rate)
            .setting("runs", self.runs)
            .setting("cache_bytes", CACHE_BYTES)
            .setting("memtable_bytes", MEMTABLE_BYTES);
        self.place.note_in(report)
    }
}
