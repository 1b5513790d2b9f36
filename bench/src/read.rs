//! The read suite: operations on the present of a loaded table, by Foldback and by its peers.
//!
//! Each engine loads the table once. Each run has a copy of that in a process of its own, and the
//! contenders take turns. What every read returned, and what is there in the end, is compared with
//! what the same operations do to a map in memory.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::own_process::in_a_process;
use crate::{EngineKind, Error, LatencyFigures, Result, YcsbOptions};

mod model;
mod once;
mod told;

pub(crate) use once::forget_pages;
pub use once::{load_once, read_once};
pub use told::tell_reads;

/// Memory of each engine for what is not flushed yet: little, so that reads go to files.
const READ_MEMTABLE_BYTES: u64 = 4 * 1024 * 1024;

/// Which operations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadWorkload {
    /// A mix of YCSB over the rows that it has loaded.
    Ycsb(YcsbOptions),
    /// What somebody recorded, over what the same file has put before.
    Trace(PathBuf),
}

/// What one run does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReadRun {
    /// Who.
    pub engine: EngineKind,
    /// The table's directory.
    pub directory: PathBuf,
    /// What is asked for, one operation after the other.
    pub workload: ReadWorkload,
    /// Operations, or batches of a trace, at most.
    pub operations: u64,
    /// Whether the kernel holds no page of its files when it begins; if not, all rows were read
    /// once.
    pub cold: bool,
}

/// What one run took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadOutcome {
    /// Until the last operation was answered, in microseconds.
    pub wall_micros: u64,
    /// CPU of all threads until then, in microseconds.
    pub cpu_micros: u64,
    /// The most memory of the process until then, in KiB.
    pub peak_kib: u64,
    /// Reads of one key.
    pub gets: LatencyFigures,
    /// Reads of ranges.
    pub ranges: LatencyFigures,
    /// Writes, and reads with the write that follows.
    pub writes: LatencyFigures,
}

/// One contender in one case, run by run.
#[derive(Clone, Debug)]
pub struct ReadRow {
    /// What each run did; the directory is of the suite.
    pub run: ReadRun,
    /// Its runs.
    pub outcomes: Vec<ReadOutcome>,
}

impl ReadRun {
    /// The name of the case.
    #[must_use]
    pub fn case(&self) -> String {
        let what = match &self.workload {
            ReadWorkload::Ycsb(options) => format!("{} {}", options.mix, options.keys),
            ReadWorkload::Trace(_) => "trace".to_owned(),
        };
        format!("{what} {}", if self.cold { "cold" } else { "warm" })
    }
}

impl ReadOutcome {
    /// All operations.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.gets.count + self.ranges.count + self.writes.count
    }
}

/// Loads every engine's table below `directory`, and then measures each run so many times, all of
/// them in turn.
///
/// # Errors
///
/// What an engine fails with; [`Error::Wrong`] if a read does not return what is there.
pub fn measure_reads(
    directory: &Path,
    runs: &[ReadRun],
    times: u64,
    watch: &mut dyn FnMut(&ReadRun),
) -> Result<Vec<ReadRow>> {
    for run in runs {
        let loaded = directory.join(run.engine.name());
        if matches!(run.workload, ReadWorkload::Ycsb(_)) && !loaded.is_dir() {
            watch(run);
            let run = ReadRun { directory: loaded, ..run.clone() };
            in_a_process::<_, ()>("read-load", &run)?;
        }
    }
    let row = |run: &ReadRun| ReadRow { run: run.clone(), outcomes: Vec::new() };
    let mut rows: Vec<_> = runs.iter().map(row).collect();
    for _ in 0..times {
        for row in &mut rows {
            watch(&row.run);
            let copy = directory.join("run");
            if matches!(row.run.workload, ReadWorkload::Ycsb(_)) {
                copy_all(&directory.join(row.run.engine.name()), &copy)?;
            }
            let run = ReadRun { directory: copy, ..row.run.clone() };
            row.outcomes.push(in_a_process("read-once", &run)?);
            std::fs::remove_dir_all(&run.directory).map_err(Error::io("remove", &run.directory))?;
        }
    }
    Ok(rows)
}

/// Copies a directory with all that is in it.
fn copy_all(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).map_err(Error::io("create", to))?;
    for entry in std::fs::read_dir(from).map_err(Error::io("list", from))? {
        let path = entry.map_err(Error::io("list", from))?.path();
        let copy = to.join(path.file_name().expect("an entry has a name"));
        match path.is_dir() {
            true => copy_all(&path, &copy)?,
            false => drop(std::fs::copy(&path, &copy).map_err(Error::io("copy", &path))?),
        }
    }
    Ok(())
}
