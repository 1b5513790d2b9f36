//! `foldback-bench restore`: W1 brought back at two targets, beside the peers that are installed.

use std::path::{Path, PathBuf};

use clap::Args;
use foldback_bench::{
    Contender, DecodeCost, Error, Figure, Machine, Outcome, PreparedRestores, RESTORE_TABLE,
    Report, RestoreOptions, RestoreRow, Result, Row, as_f64, decode_plan, restore_once,
};

use super::common::{BucketArgs, OutputArgs, Place, PlaceArgs, millis};
use super::postgres::{PostgresArgs, postgres_version};

/// What is restored, and how often.
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// Events in the history.
    #[arg(long, default_value_t = 2_000_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    events: u64,
    /// Keys that they are about.
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(200..))]
    keys: u64,
    /// Times that each contender is measured at each target.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u64).range(1..))]
    runs: u64,
    /// Three runs instead, and no PostgreSQL.
    #[arg(long, conflicts_with = "runs")]
    quick: bool,
    /// A Python that has the module duckdb; DuckDB is left out if it has not.
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    #[command(flatten)]
    postgres: PostgresArgs,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// One restore, in this process.
#[derive(Debug, Args)]
pub(crate) struct RestoreOnceArgs {
    /// The database.
    directory: PathBuf,
    /// The commit.
    seq: u64,
    /// Have surrealkv restore from its own tree; the commit is the number of an event.
    #[cfg(feature = "peers")]
    #[arg(long)]
    surrealkv: bool,
    #[command(flatten)]
    bucket: BucketArgs,
}

/// What a measurement runs.
pub(crate) fn run_once(arguments: &RestoreOnceArgs) -> Result<()> {
    let bucket = arguments.bucket.choice();
    #[cfg(feature = "peers")]
    if arguments.surrealkv {
        let outcome = foldback_bench::surrealkv_once(&arguments.directory, arguments.seq)?;
        println!("{}", serde_json::to_string(&outcome).expect("numbers are JSON"));
        return Ok(());
    }
    let outcome = restore_once(&arguments.directory, &bucket, foldback::Seq(arguments.seq))?;
    println!("{}", serde_json::to_string(&outcome).expect("numbers are JSON"));
    Ok(())
}

/// What a measurement runs, to know the least that a restore takes.
pub(crate) fn decode_once(arguments: &RestoreOnceArgs) -> Result<()> {
    let target = (RESTORE_TABLE, foldback::Seq(arguments.seq));
    let cost = decode_plan(&arguments.directory, &arguments.bucket.choice(), target)?;
    println!("{}", serde_json::to_string(&cost).expect("numbers are JSON"));
    Ok(())
}

/// Runs the suite.
pub(crate) fn run(arguments: &RestoreArgs) -> Result<()> {
    arguments.output.check()?;
    let place = arguments.place.make()?;
    let duckdb = duckdb_version(&arguments.python);
    if duckdb.is_none() {
        eprintln!("DuckDB is left out: {} has no module duckdb", arguments.python.display());
    }
    let postgres = arguments.postgres.find(arguments.quick, &from_anywhere(&arguments.python));
    let options = RestoreOptions {
        directory: place.directory.path().to_path_buf(),
        bucket: place.bucket.clone(),
        events: arguments.events,
        keys: arguments.keys,
        runs: if arguments.quick { 3 } else { arguments.runs },
        seed: arguments.place.seed,
        duckdb_python: duckdb.as_ref().map(|_| from_anywhere(&arguments.python)),
        postgres,
    };
    eprintln!(
        "W1: {} events over {} keys, seed {}, {} runs, default settings",
        options.events, options.keys, options.seed, options.runs
    );
    let mut machine = Machine::of(place.directory.path());
    if let Some(version) = duckdb {
        machine.note_version("duckdb", version);
    }
    if let Some(version) = options.postgres.as_ref().and_then(postgres_version) {
        machine.note_version("postgresql", version);
    }
    let report = Report::new("restore", machine)
        .setting("workload", "w1")
        .setting("events", options.events)
        .setting("keys", options.keys)
        .setting("runs", options.runs);
    let mut report = arguments.place.note_in(report);
    report.limits = arguments.output.limits(&place, &[])?;
    let prepared = PreparedRestores::write(options, &mut |_| {})?;
    let rows = prepared.measure(&mut || {})?;
    report.rows = rows.iter().map(row).collect();
    if !report.limits.is_empty() && place.is_local() {
        add_decodes(&mut report, &rows, &place)?;
    }
    report.verdicts.push(verdict(&report));
    arguments.output.show(&report)
}

/// Which DuckDB this Python has, if any.
fn duckdb_version(python: &Path) -> Option<String> {
    let mut command = std::process::Command::new(python);
    let output = command.args(["-c", "import duckdb; print(duckdb.__version__)"]).output().ok()?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(version)
}

/// The same program, wherever it is started: a name without a directory is looked up in `PATH`.
fn from_anywhere(program: &Path) -> PathBuf {
    match program.components().count() {
        1 => program.to_owned(),
        _ => std::path::absolute(program).unwrap_or_else(|_| program.to_owned()),
    }
}

fn row(row: &RestoreRow) -> Row {
    let runs = |of: &dyn Fn(&Outcome) -> f64| row.outcomes.iter().map(of).collect::<Vec<_>>();
    Row::new(row.contender.name(), case(row.target.percent))
        .figure(Figure::one("rows", "", as_f64(row.target.expected.rows)))
        .figure(Figure::new("cpu", "ms", runs(&|outcome| millis(outcome.cpu_micros))))
        .figure(Figure::new("wall", "ms", runs(&|outcome| millis(outcome.wall_micros))))
        .figure(Figure::new("peak", "bytes", runs(&|outcome| as_f64(outcome.peak_kib) * 1024.0)))
}

/// Adds what decoding each plan of ours takes, and how much of the CPU of its restore that is.
fn add_decodes(report: &mut Report, rows: &[RestoreRow], place: &Place) -> Result<()> {
    for (row, shown) in rows.iter().zip(&mut report.rows) {
        let Some(database) = row.contender.database() else { continue };
        let costs = row.outcomes.iter().map(|_| decode_elsewhere(place, database, row.target.seq));
        let costs = costs.collect::<Result<Vec<_>>>()?;
        let micros = costs.iter().map(|cost| millis(cost.cpu_micros)).collect();
        let name = format!("decode of the plan, {}, {}", shown.contender, shown.case);
        let limit = Figure::new(name, "ms", micros);
        let cpu = shown.figures.iter_mut().find(|figure| figure.name == "cpu");
        let cpu = cpu.expect("it was measured");
        *cpu = cpu.clone().of_least(limit.median());
        report.limits.push(limit);
    }
    Ok(())
}

/// Decodes in a process of its own, as each restore is made.
fn decode_elsewhere(place: &Place, database: &str, seq: foldback::Seq) -> Result<DecodeCost> {
    let refused = |why: String| Error::Peer(format!("the process that decodes: {why}"));
    let program = std::env::current_exe().map_err(|error| refused(error.to_string()))?;
    let mut command = std::process::Command::new(program);
    command.arg("decode-once").arg(place.directory.path().join(database)).arg(seq.0.to_string());
    let output = command.args(place.bucket.below(database).arguments()).output();
    let output = output.map_err(|error| refused(error.to_string()))?;
    if !output.status.success() {
        return Err(refused(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| refused(error.to_string()))
}

fn case(percent: u64) -> String {
    format!("{percent} %")
}

/// How our CPU compares with DuckDB's at both targets.
fn verdict(report: &Report) -> String {
    let cpu =
        |contender: Contender, percent| report.median_of(contender.name(), &case(percent), "cpu");
    let share = |percent| {
        let (ours, theirs) =
            (cpu(Contender::Foldback, percent)?, cpu(Contender::DuckdbLate, percent)?);
        Some(format!("{:.2}", ours / theirs))
    };
    match (share(50), share(99)) {
        (Some(t50), Some(t99)) => format!(
            "restore w1: t50 {t50} t99 {t99} of duckdb late materialisation cpu, results correct"
        ),
        _ => "restore w1: results correct".to_owned(),
    }
}
