//! The start suite: how long it takes to open a database that holds much and was closed, and one
//! that has crashed, whose log is replayed.
//!
//! Each opening is a process of its own. What has crashed was killed, and is made anew for each
//! run; peers crash in the same way, in turns, with the same events.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::own_process::{in_a_process, kill_a_process};
use crate::{EngineKind, EngineSettings, Error, INSERT_KEY_BYTES, Inserts, MEMTABLE_BYTES, Result};

mod once;
mod told;

pub use once::{crash_once, fill_once, open_once};
pub use told::tell_starts;

/// What one run writes or opens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StartRun {
    /// Who.
    pub engine: EngineKind,
    /// Its directory.
    pub directory: PathBuf,
    /// What it is told.
    pub settings: EngineSettings,
    /// How many batches it holds.
    pub batches: u64,
    /// Events of a batch.
    pub batch_events: u64,
    /// Bytes of a value.
    pub value_bytes: u64,
    /// How many times zstd shrinks values.
    pub compressibility: f64,
    /// Determines all events.
    pub seed: u64,
    /// How it ended before it is opened.
    pub end: StartEnd,
}

/// How what is opened has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StartEnd {
    /// It was closed; its files may be in memory.
    Closed,
    /// It was closed, and none of its files is in memory.
    ClosedCold,
    /// Its process was killed.
    Killed,
}

/// What one opening took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartOutcome {
    /// How long the opening took, in microseconds.
    pub wall_micros: u64,
    /// CPU of all threads until it was open, in microseconds.
    pub cpu_micros: u64,
    /// The most memory of the process until then, in KiB.
    pub peak_kib: u64,
    /// Events that were replayed, where the engine tells.
    pub replayed: Option<u64>,
}

/// One contender in one case, run by run.
#[derive(Clone, Debug)]
pub struct StartRow {
    /// What each run did.
    pub run: StartRun,
    /// Its runs.
    pub outcomes: Vec<StartOutcome>,
}

impl StartRun {
    /// Events that it holds.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.batches * self.batch_events
    }

    /// Bytes of their keys and values.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.events() * (INSERT_KEY_BYTES + self.value_bytes)
    }

    /// The name of the case.
    #[must_use]
    pub fn case(&self) -> String {
        match self.end {
            StartEnd::Closed => format!("closed, {} events", self.events()),
            StartEnd::ClosedCold => format!("closed, {} events, cold", self.events()),
            StartEnd::Killed => format!("killed, {} events", self.events()),
        }
    }

    /// The same with so much memory for what is not flushed that all of it is still to be
    /// replayed: the default where that does.
    #[must_use]
    pub fn unflushed(mut self) -> Self {
        let bytes = self.bytes();
        self.settings.memtable_bytes = match bytes < MEMTABLE_BYTES / 2 {
            true => MEMTABLE_BYTES,
            false => bytes * 4,
        };
        self
    }

    fn inserts(&self) -> Result<Inserts> {
        Inserts::new(self.seed, self.batch_events, self.value_bytes, self.compressibility)
    }
}

/// Fills a database once, closes it, and opens it as often as is asked for in each of two cases:
/// with its files in memory, and without.
///
/// # Errors
///
/// What the engine fails with; [`Error::Wrong`] if it does not hold what it has committed.
pub fn measure_closed(
    run: &StartRun,
    runs: u64,
    watch: &mut dyn FnMut(&str),
) -> Result<Vec<StartRow>> {
    watch(&format!("filling {} bytes", run.bytes()));
    in_a_process::<_, ()>("start-fill", run)?;
    let row = |end| StartRow { run: StartRun { end, ..run.clone() }, outcomes: Vec::new() };
    let mut rows = [StartEnd::Closed, StartEnd::ClosedCold].map(row);
    for _ in 0..runs {
        for row in &mut rows {
            watch(&row.run.case());
            row.outcomes.push(in_a_process("start-open", &row.run)?);
        }
    }
    remove(&run.directory)?;
    Ok(rows.into())
}

/// Has each run written anew by a process that is killed, and opened by another, one more time.
///
/// # Errors
///
/// What an engine fails with; [`Error::Wrong`] if one does not hold what it has committed.
pub fn measure_killed(
    directory: &Path,
    rows: &mut [StartRow],
    watch: &mut dyn FnMut(&str),
) -> Result<()> {
    for row in rows {
        watch(&format!("{} {}", row.run.engine.name(), row.run.case()));
        let mut run = row.run.clone();
        run.directory = directory.join(run.engine.name());
        run.seed += row.outcomes.len() as u64;
        // Each run's database is a new one, and so is its place in the bucket.
        let place = format!("{}-{}-{}", run.engine.name(), run.batches, row.outcomes.len());
        run.settings.bucket = run.settings.bucket.below(&place);
        kill_a_process("start-crash", &run)?;
        row.outcomes.push(in_a_process("start-open", &run)?);
        remove(&run.directory)?;
    }
    Ok(())
}

fn remove(directory: &Path) -> Result<()> {
    std::fs::remove_dir_all(directory).map_err(Error::io("remove", directory))
}
