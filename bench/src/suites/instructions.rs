//! `instructions`: the hot paths counted, and compared with another build.

use std::path::{Path, PathBuf};

use clap::Args;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use foldback_bench::hot_paths::{HotPath, run_hot_work};
use foldback_bench::{
    Error, InstructionChange, InstructionCounts, Result, count_instructions, instruction_changes,
    valgrind,
};

/// What is counted, and what it is compared with.
#[derive(Debug, Args)]
pub(crate) struct InstructionsArgs {
    /// Another build of this program, which is counted too and compared with.
    #[arg(long, value_name = "PROGRAM", conflicts_with = "baseline")]
    against: Option<PathBuf>,
    /// A file of earlier counts to compare with, as `--write` writes it. Counts depend on the
    /// compiler and the processor: take the file on the machine that reads it.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Where to write the counts of this build.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// How many hundredths more a hot path may take before the comparison fails.
    #[arg(long, default_value_t = 3.0)]
    percent: f64,
    /// The hot paths to count: all, unless some are named.
    #[arg(value_parser = path_of_name)]
    paths: Vec<HotPath>,
}

/// One hot path, for a process of its own.
#[derive(Debug, Args)]
pub(crate) struct HotPathArgs {
    /// Which.
    #[arg(value_parser = path_of_name)]
    path: HotPath,
    /// Where it finds what it reads.
    directory: PathBuf,
    /// Write what it reads, and no more.
    #[arg(long)]
    prepare: bool,
}

fn path_of_name(name: &str) -> Result<HotPath, String> {
    let names: Vec<_> = HotPath::ALL.into_iter().map(HotPath::name).collect();
    HotPath::of_name(name).ok_or_else(|| format!("the hot paths are {}", names.join(", ")))
}

/// Does the work of a hot path once.
pub(crate) fn run_path(arguments: &HotPathArgs) -> Result<()> {
    let HotPathArgs { path, directory, prepare } = arguments;
    if *prepare {
        return path.prepare(directory);
    }
    run_hot_work(&mut path.open(directory)?).map(drop)
}

/// Counts and compares.
pub(crate) fn run(arguments: &InstructionsArgs) -> Result<()> {
    let Some(counter) = valgrind() else {
        println!("instructions: not counted, because valgrind is not installed here");
        return Ok(());
    };
    eprintln!("counted by {counter}");
    let ours = std::env::current_exe().map_err(|error| Error::Peer(error.to_string()))?;
    let paths = match arguments.paths.is_empty() {
        true => HotPath::ALL.to_vec(),
        false => arguments.paths.clone(),
    };
    let counts = count_all(&ours, &paths)?;
    let (other, against) = match (&arguments.against, &arguments.baseline) {
        (Some(program), _) => (Some(program), count_all(program, &paths)?),
        (None, Some(file)) => (Some(file), read(file)?),
        (None, None) => (None, InstructionCounts::new()),
    };
    if let Some(file) = &arguments.write {
        write(file, &counts)?;
    }
    let changes = instruction_changes(&counts, &against);
    println!("{}", table(&changes));
    match other {
        Some(other) => verdict(&changes, arguments.percent, other),
        None => {
            println!("instructions: {} hot paths counted", changes.len());
            Ok(())
        }
    }
}

fn count_all(program: &Path, paths: &[HotPath]) -> Result<InstructionCounts> {
    let directory = tempfile::Builder::new().prefix("foldback-bench-").tempdir();
    let directory = directory.map_err(|error| Error::Peer(error.to_string()))?;
    let mut counts = InstructionCounts::new();
    for path in paths {
        let count = count_instructions(program, *path, directory.path())?;
        counts.insert(path.name().to_owned(), count);
    }
    Ok(counts)
}

fn read(file: &Path) -> Result<InstructionCounts> {
    let refused = |reason: String| Error::Input(format!("--baseline {}: {reason}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| refused(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| refused(format!("these are no counts: {error}")))
}

fn write(file: &Path, counts: &InstructionCounts) -> Result<()> {
    let text = serde_json::to_string_pretty(counts).expect("names and numbers are JSON");
    let written = std::fs::write(file, text + "\n");
    written.map_err(|error| Error::Input(format!("--write {}: {error}", file.display())))
}

fn table(changes: &[InstructionChange]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED);
    table.set_header(["hot path", "instructions", "against", "change"]);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for change in changes {
        let against = change.against.map_or_else(|| "-".to_owned(), |count| count.to_string());
        let percent = change.percent().map_or_else(|| "-".to_owned(), |it| format!("{it:+.2} %"));
        table.add_row([change.name.clone(), change.instructions.to_string(), against, percent]);
    }
    table
}

fn verdict(changes: &[InstructionChange], percent_max: f64, other: &Path) -> Result<()> {
    let over = changes.iter().filter(|change| change.is_over(percent_max));
    let over: Vec<_> = over.map(|change| change.name.as_str()).collect();
    let compared = changes.iter().filter(|change| change.against.is_some()).count();
    let other = other.display();
    if compared == 0 {
        return Err(Error::Peer(format!("{other} has no count of these hot paths")));
    }
    match over.is_empty() {
        true => {
            println!("instructions: {compared} hot paths within {percent_max} % of {other}");
            Ok(())
        }
        false => Err(Error::Slower(format!(
            "{} takes over {percent_max} % more instructions than in {other}",
            over.join(", ")
        ))),
    }
}
