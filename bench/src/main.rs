//! The harness as a program: suites whose figures are compared with peers in the same run.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    /// Commits of 1 to 64 writers at once, durable or buffered.
    Commit(suites::commit::CommitArgs),
    /// One run of the commit suite.
    #[command(hide = true)]
    CommitOnce(suites::commit::CommitOnceArgs),
    /// Reads of the present, and YCSB's mixes, warm and cold, over a loaded table.
    Read(suites::read::ReadArgs),
    /// The loading of a table for the read suite.
    #[command(hide = true)]
    ReadLoad(suites::read::ReadOnceArgs),
    /// One run of the read suite.
    #[command(hide = true)]
    ReadOnce(suites::read::ReadOnceArgs),
    /// Restores of W1 at the middle and near the end of its history.
    Restore(suites::restore::RestoreArgs),
    /// One restore of a database that the suite has made: what a measurement runs.
    #[command(hide = true)]
    RestoreOnce(suites::restore::RestoreOnceArgs),
    /// What a restore of it reads, decoded alone: what a measurement runs.
    #[command(hide = true)]
    DecodeOnce(suites::restore::RestoreOnceArgs),
    /// What restores and reads of the past cost as history grows while the state keeps its size.
    Growth(suites::growth::GrowthArgs),
    /// What restores cost from a bucket at the other end of a link.
    Link(suites::link::LinkArgs),
    /// What it takes to compact a history that nobody has compacted, in memory above all.
    Compact(suites::compact::CompactArgs),
    /// One compaction of a bucket that the suite has filled: what a measurement runs.
    #[command(hide = true)]
    CompactOnce(suites::compact::CompactOnceArgs),
    /// What a point read at an instant costs, in time and in requests, without a restore.
    Asof(suites::asof::AsofArgs),
    /// What a history costs to keep: W1 beside plain Parquet, and a long run of updates.
    Storage(suites::storage::StorageArgs),
    /// How long it takes to open what was closed, and what has crashed.
    Start(suites::start::StartArgs),
    /// The filling of a database for the start suite.
    #[command(hide = true)]
    StartFill(suites::start::StartOnceArgs),
    /// Commits of the start suite that a crash ends.
    #[command(hide = true)]
    StartCrash(suites::start::StartOnceArgs),
    /// One opening of the start suite.
    #[command(hide = true)]
    StartOpen(suites::start::StartOnceArgs),
    /// The most memory that a table takes to commit, seal, fold, restore and read.
    Memory(suites::memory::MemoryArgs),
    /// One stage of the memory suite.
    #[command(hide = true)]
    MemoryOnce(suites::memory::MemoryOnceArgs),
    /// Instructions that the hot paths take, counted by callgrind where valgrind is installed.
    Instructions(suites::instructions::InstructionsArgs),
    /// One hot path, once: what callgrind counts.
    #[command(hide = true)]
    HotPath(suites::instructions::HotPathArgs),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().suite {
        Suite::Commit(arguments) => suites::commit::run(&arguments),
        Suite::CommitOnce(arguments) => suites::commit::run_once(&arguments),
        Suite::Read(arguments) => suites::read::run(&arguments),
        Suite::ReadLoad(arguments) => suites::read::run_load(&arguments),
        Suite::ReadOnce(arguments) => suites::read::run_once(&arguments),
        Suite::Restore(arguments) => suites::restore::run(&arguments),
        Suite::RestoreOnce(arguments) => suites::restore::run_once(&arguments),
        Suite::DecodeOnce(arguments) => suites::restore::decode_once(&arguments),
        Suite::Growth(arguments) => suites::growth::run(&arguments),
        Suite::Link(arguments) => suites::link::run(&arguments),
        Suite::Compact(arguments) => suites::compact::run(&arguments),
        Suite::CompactOnce(arguments) => suites::compact::run_once(&arguments),
        Suite::Asof(arguments) => suites::asof::run(&arguments),
        Suite::Storage(arguments) => suites::storage::run(&arguments),
        Suite::Start(arguments) => suites::start::run(&arguments),
        Suite::StartFill(arguments) => suites::start::run_fill(&arguments),
        Suite::StartCrash(arguments) => suites::start::run_crash(&arguments),
        Suite::StartOpen(arguments) => suites::start::run_open(&arguments),
        Suite::Memory(arguments) => suites::memory::run(&arguments),
        Suite::MemoryOnce(arguments) => suites::memory::run_once(&arguments),
        Suite::Instructions(arguments) => suites::instructions::run(&arguments),
        Suite::HotPath(arguments) => suites::instructions::run_path(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("foldback-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
