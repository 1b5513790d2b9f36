//! The harness as a program: suites whose figures are compared with peers in the same run.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use foldback_bench::{
    Contender, Error, Outcome, PreparedRestores, RestoreOptions, RestoreRow, Result, restore_once,
    straight_once,
};

use suites::instructions::{self, HotPathArgs, InstructionsArgs};
use suites::postgres::PostgresArgs;

mod suites;

/// Measures Foldback beside its peers, and checks every result.
#[derive(Debug, Parser)]
#[command(name = "foldback-bench", version, about)]
struct Arguments {
    #[command(subcommand)]
    suite: Suite,
}

/// What to measure.
#[derive(Debug, Subcommand)]
enum Suite {
    /// Restores of W1 at the middle and near the end of its history.
    Restore(RestoreArgs),
    /// One restore of a database that the suite has made: what a measurement runs.
    #[command(hide = true)]
    RestoreOnce {
        /// The database.
        directory: PathBuf,
        /// The commit.
        seq: u64,
    },
    /// One straight decode of what such a restore would read.
    #[command(hide = true)]
    StraightOnce {
        /// The database.
        directory: PathBuf,
        /// The commit.
        seq: u64,
    },
    /// Instructions that the hot paths take, counted by callgrind where valgrind is installed.
    Instructions(InstructionsArgs),
    /// One hot path, once: what callgrind counts.
    #[command(hide = true)]
    HotPath(HotPathArgs),
}

/// What is restored, and how often.
#[derive(Debug, Args)]
struct RestoreArgs {
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
    /// Determines all events.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A Python that has the module duckdb; DuckDB is left out if it has not.
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    #[command(flatten)]
    postgres: PostgresArgs,
    /// Print the table as JSON, an object a line.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().suite {
        Suite::Restore(arguments) => restore(&arguments),
        Suite::RestoreOnce { directory, seq } => {
            restore_once(&directory, foldback::Seq(seq)).map(|outcome| {
                println!("{}", serde_json::to_string(&outcome).expect("numbers are JSON"));
            })
        }
        Suite::StraightOnce { directory, seq } => straight_once(&directory, foldback::Seq(seq))
            .map(|outcome| {
                println!("{}", serde_json::to_string(&outcome).expect("numbers are JSON"));
            }),
        Suite::Instructions(arguments) => instructions::run(&arguments),
        Suite::HotPath(arguments) => instructions::run_path(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("foldback-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn restore(arguments: &RestoreArgs) -> Result<()> {
    let directory = tempfile::Builder::new().prefix("foldback-bench-").tempdir();
    let directory = directory.map_err(|error| Error::Peer(error.to_string()))?;
    let has_duckdb = std::process::Command::new(&arguments.python)
        .args(["-c", "import duckdb"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !has_duckdb {
        eprintln!("DuckDB is left out: {} has no module duckdb", arguments.python.display());
    }
    let options = RestoreOptions {
        directory: directory.path().to_path_buf(),
        events: arguments.events,
        keys: arguments.keys,
        runs: if arguments.quick { 3 } else { arguments.runs },
        seed: arguments.seed,
        duckdb_python: has_duckdb.then(|| from_anywhere(&arguments.python)),
        postgres: arguments.postgres.find(arguments.quick, &from_anywhere(&arguments.python)),
    };
    eprintln!(
        "W1: {} events over {} keys, seed {}, {} runs, default settings",
        options.events, options.keys, options.seed, options.runs
    );
    let prepared = PreparedRestores::write(options, &mut |_| {})?;
    let rows = prepared.measure(&mut || {})?;
    match arguments.json {
        true => rows.iter().for_each(print_json),
        false => println!("{}", table(&rows)),
    }
    println!("{}", verdict(&rows));
    Ok(())
}

/// The same program, wherever it is started: a name without a directory is looked up in `PATH`.
fn from_anywhere(program: &Path) -> PathBuf {
    match program.components().count() {
        1 => program.to_owned(),
        _ => std::path::absolute(program).unwrap_or_else(|_| program.to_owned()),
    }
}

fn table(rows: &[RestoreRow]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED);
    table.set_header(["contender", "at", "rows", "cpu ms", "min", "max", "wall ms", "peak MiB"]);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for row in rows {
        let of = |pick: fn(&Outcome) -> u64| spread(row, pick);
        let millis = |micros: u64| format!("{:.1}", as_f64(micros) / 1e3);
        let [cpu_min, cpu, cpu_max] = of(|outcome| outcome.cpu_micros);
        table.add_row([
            row.contender.name().to_owned(),
            format!("{} %", row.target.percent),
            row.target.expected.rows.to_string(),
            millis(cpu),
            millis(cpu_min),
            millis(cpu_max),
            millis(of(|outcome| outcome.wall_micros)[1]),
            (of(|outcome| outcome.peak_kib)[1] / 1024).to_string(),
        ]);
    }
    table
}

fn print_json(row: &RestoreRow) {
    let object = serde_json::json!({
        "contender": row.contender.name(),
        "percent": row.target.percent,
        "event": row.target.event,
        "runs": row.outcomes,
    });
    println!("{object}");
}

/// The least, the median and the greatest.
fn spread(row: &RestoreRow, pick: fn(&Outcome) -> u64) -> [u64; 3] {
    let mut values: Vec<_> = row.outcomes.iter().map(pick).collect();
    values.sort_unstable();
    [values[0], values[values.len() / 2], values[values.len() - 1]]
}

/// How our CPU compares with DuckDB's at both targets.
fn verdict(rows: &[RestoreRow]) -> String {
    let cpu = |contender: Contender, percent: u64| {
        let row = rows.iter().find(|it| (it.contender, it.target.percent) == (contender, percent));
        row.map(|row| as_f64(spread(row, |outcome| outcome.cpu_micros)[1]))
    };
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

#[expect(clippy::cast_precision_loss, reason = "it is shown with few digits")]
fn as_f64(number: u64) -> f64 {
    number as f64
}
