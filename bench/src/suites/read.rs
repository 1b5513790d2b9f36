//! `foldback-bench read`: reads of the present, and YCSB's mixes, beside the peers that were
//! compiled in.

use std::path::PathBuf;

use clap::Args;
use foldback_bench::{
    CACHE_BYTES, EngineKind, Error, Machine, ReadRun, ReadWorkload, Report, Result, Sizes,
    YcsbKeys, YcsbMix, YcsbOptions, load_once, measure_reads, read_once, tell_reads,
};

use super::common::{OutputArgs, PlaceArgs};
use super::engines::{compiled_in, note_versions};

/// A range has so many times the work of a get, so so many times fewer are measured.
const RANGE_WORK: u64 = 10;
/// Reads of a cold table, of which hardly two meet the same block.
const COLD_OPERATIONS_MAX: u64 = 2_000;

/// What is read, how often.
#[derive(Debug, Args)]
pub(crate) struct ReadArgs {
    /// Engines, of those that were compiled in; all of them by default.
    #[arg(long, value_delimiter = ',')]
    engines: Vec<EngineKind>,
    /// Mixes of YCSB: A to F.
    #[arg(long, value_delimiter = ',', default_value = "A,B,C,D,E,F")]
    mixes: Vec<YcsbMix>,
    /// Which keys are met how often: uniform, zipfian or latest, the last two with a skew if it is
    /// not YCSB's [default: what YCSB has with each mix].
    #[arg(long)]
    keys: Option<YcsbKeys>,
    /// Rows that are loaded first.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    records: u64,
    /// Operations of a run; a tenth of it where most are ranges, and 2,000 at most of a cold table.
    #[arg(long, default_value_t = 30_000, value_parser = clap::value_parser!(u64).range(1..))]
    operations: u64,
    /// Bytes of a key: 20, or 16-32, or zipfian:16-64.
    #[arg(long, default_value = "20")]
    key_bytes: Sizes,
    /// Bytes of a value, in the same way.
    #[arg(long, default_value = "200")]
    value_bytes: Sizes,
    /// Rows of a range, in the same way.
    #[arg(long, default_value = "1-100")]
    range_rows: Sizes,
    /// How many times zstd shrinks values.
    #[arg(long, default_value_t = 2.0)]
    compressibility: f64,
    /// A recorded trace, JSON Lines, in place of YCSB: it begins with an empty table.
    #[arg(long, conflicts_with_all = ["mixes", "keys", "records"])]
    trace: Option<PathBuf>,
    /// Times that each engine runs in each case.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    runs: u64,
    /// A quarter of the rows and of the operations.
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// One run, in this process: what each measurement does.
#[derive(Debug, Args)]
pub(crate) struct ReadOnceArgs {
    /// What it does, as JSON.
    run: String,
}

/// Runs the suite.
pub(crate) fn run(arguments: &ReadArgs) -> Result<()> {
    arguments.output.check()?;
    let engines = compiled_in(
        &arguments.engines,
        &[
            EngineKind::Foldback,
            EngineKind::Fjall,
            EngineKind::Rocksdb,
            EngineKind::Redb,
            EngineKind::Surrealkv,
        ],
    )?;
    let place = arguments.place.make()?;
    if place.bucket.url.is_some() {
        return Err(Error::Input(
            "reads of the present need no bucket: leave --bucket out; nothing was measured"
                .to_owned(),
        ));
    }
    let directory = place.directory.path();
    let mut report = arguments.report(&engines, Machine::of(directory));
    report.limits = arguments.output.limits(&place, &[])?;
    let runs = arguments.cases();
    let runs: Vec<_> = runs
        .iter()
        .flat_map(|run| engines.iter().map(|engine| ReadRun { engine: *engine, ..run.clone() }))
        .collect();
    let rows = measure_reads(directory, &runs, arguments.runs, &mut |run| {
        eprintln!("{} {}", run.engine.name(), run.case());
    })?;
    tell_reads(&mut report, &rows);
    arguments.output.show(&report)
}

/// Loads a table, in this process.
pub(crate) fn run_load(arguments: &ReadOnceArgs) -> Result<()> {
    load_once(&parse(&arguments.run)?)?;
    println!("null");
    Ok(())
}

/// One run, in this process: what each measurement does.
pub(crate) fn run_once(arguments: &ReadOnceArgs) -> Result<()> {
    let outcome = read_once(&parse(&arguments.run)?)?;
    println!("{}", serde_json::to_string(&outcome).expect("numbers are JSON"));
    Ok(())
}

fn parse(run: &str) -> Result<ReadRun> {
    serde_json::from_str(run).map_err(|error| Error::Input(format!("{run} is no run: {error}")))
}

impl ReadArgs {
    /// The mixes as they are, warm, and then gets and ranges of keys all over the table, warm and
    /// cold; or the trace.
    fn cases(&self) -> Vec<ReadRun> {
        if let Some(trace) = &self.trace {
            let trace = std::path::absolute(trace).unwrap_or_else(|_| trace.clone());
            return vec![self.one(ReadWorkload::Trace(trace), u64::MAX, false)];
        }
        let mixes = self
            .mixes
            .iter()
            .map(|mix| self.ycsb(*mix, self.keys.unwrap_or_else(|| mix.usual_keys()), false));
        let all_over = [YcsbMix::C, YcsbMix::E]
            .into_iter()
            .flat_map(|mix| [false, true].map(|cold| self.ycsb(mix, YcsbKeys::Uniform, cold)));
        let mut cases: Vec<_> = mixes.collect();
        for case in all_over {
            if !cases.contains(&case) {
                cases.push(case);
            }
        }
        cases
    }

    fn ycsb(&self, mix: YcsbMix, keys: YcsbKeys, cold: bool) -> ReadRun {
        let quick = if self.quick { 4 } else { 1 };
        let options = YcsbOptions {
            mix,
            keys,
            records: self.records.div_ceil(quick),
            key_bytes: self.key_bytes,
            value_bytes: self.value_bytes,
            compressibility: self.compressibility,
            range_rows: self.range_rows,
            seed: self.place.seed,
        };
        let work = if mix == YcsbMix::E { RANGE_WORK } else { 1 };
        let operations = self.operations.div_ceil(work * quick);
        let most = if cold { COLD_OPERATIONS_MAX } else { u64::MAX };
        self.one(ReadWorkload::Ycsb(options), operations.min(most), cold)
    }

    fn one(&self, workload: ReadWorkload, operations: u64, cold: bool) -> ReadRun {
        let (engine, directory) = (EngineKind::Foldback, PathBuf::new());
        ReadRun { engine, directory, workload, operations, cold }
    }

    fn report(&self, engines: &[EngineKind], mut machine: Machine) -> Report {
        note_versions(&mut machine, engines);
        let names: Vec<_> = engines.iter().map(|engine| engine.name()).collect();
        let one = self.ycsb(YcsbMix::A, YcsbKeys::Uniform, false);
        let report = Report::new("read", machine)
            .setting("engines", names)
            .setting("runs", self.runs)
            .setting("cache_bytes", CACHE_BYTES)
            .setting(
                "cold",
                "opened, settled, its files synced and their pages dropped by posix_fadvise",
            )
            .setting("warm", "all rows read once before");
        let report = self.place.note_in(report);
        match (&self.trace, one.workload) {
            (None, ReadWorkload::Ycsb(options)) => report
                .setting("records", options.records)
                .setting("operations", one.operations)
                .setting("key_bytes", self.key_bytes.to_string())
                .setting("value_bytes", self.value_bytes.to_string())
                .setting("range_rows", self.range_rows.to_string())
                .setting("compressibility", self.compressibility),
            (trace, _) => {
                report.setting("trace", trace.as_ref().map(|it| it.display().to_string()))
            }
        }
    }
}
