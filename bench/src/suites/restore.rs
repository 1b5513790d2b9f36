//! `foldback-bench restore`: W1 brought back at two targets, beside the peers that are installed.

use std::path::{Path, PathBuf};

use clap::Args;
use foldback_bench::{
    Contender, Figure, Machine, Outcome, PreparedRestores, Report, RestoreOptions, RestoreRow,
    Result, Row, as_f64, restore_once, straight_once,
};

use super::common::{BucketArgs, OutputArgs, PlaceArgs, millis};
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
    /// Decode what it would read, and no more.
    #[arg(long)]
    straight: bool,
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
    let once = if arguments.straight { straight_once } else { restore_once };
    let outcome = once(&arguments.directory, &bucket, foldback::Seq(arguments.seq))?;
    println!("{}", serde_json::to_string(&outcome).expect("numbers are JSON"));
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
    report.rows = rows.iter().map(|it| row(it, &rows)).collect();
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

/// A row of the table. What it costs is also told as a share: the straight decode of what it reads
/// over the restore.
fn row(row: &RestoreRow, rows: &[RestoreRow]) -> Row {
    let limit = row
        .contender
        .limit()
        .and_then(|limit| rows.iter().find(|it| (it.contender, it.target) == (limit, row.target)));
    let cost = |name: &str, of: fn(&Outcome) -> f64| {
        let figure =
            |row: &RestoreRow| Figure::new(name, "ms", row.outcomes.iter().map(of).collect());
        match limit {
            Some(limit) => figure(row).of_least(figure(limit).median()),
            None => figure(row),
        }
    };
    let peaks = row.outcomes.iter().map(|outcome| as_f64(outcome.peak_kib) * 1024.0);
    Row::new(row.contender.name(), case(row.target.percent))
        .figure(Figure::one("rows", "", as_f64(row.outcomes[0].rows)))
        .figure(cost("cpu", |outcome| millis(outcome.cpu_micros)))
        .figure(cost("wall", |outcome| millis(outcome.wall_micros)))
        .figure(Figure::new("peak", "bytes", peaks.collect()))
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
