//! The commit suite: how fast Foldback and its peers commit, durably or buffered.
//!
//! Each run is a process of its own, and the contenders take turns, so that whatever else the
//! machine does strikes them alike. After each run the engine is opened again, and what it holds
//! is compared with what it has committed.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::own_process::in_a_process;
use crate::{
    EngineKind, EngineSettings, Error, INSERT_KEY_BYTES, Inserts, LatencyFigures, Result, SyncGroup,
};

mod once;
mod told;

pub use once::commit_once;
pub use told::tell_commits;

/// When the writers of a run end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Until {
    /// After so many milliseconds.
    Millis(u64),
    /// After so many batches of all writers together.
    Batches(u64),
}

/// What one run does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommitRun {
    /// Who.
    pub engine: EngineKind,
    /// A directory that is not there yet.
    pub directory: PathBuf,
    /// What it is told.
    pub settings: EngineSettings,
    /// Threads that commit at once.
    pub writers: u64,
    /// Events of a batch.
    pub batch_events: u64,
    /// Batches of each writer that are under way at once, where the engine can do that.
    pub under_way: u64,
    /// Bytes of a value.
    pub value_bytes: u64,
    /// How many times zstd shrinks values.
    pub compressibility: f64,
    /// Events a second that are due, all writers together; `None` is as fast as it goes.
    pub rate: Option<u64>,
    /// When it ends.
    pub until: Until,
    /// Determines all events.
    pub seed: u64,
}

/// What one run took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitOutcome {
    /// Events that were committed.
    pub events: u64,
    /// Until the last of them was answered, in microseconds.
    pub wall_micros: u64,
    /// Until the engine had flushed, compacted and sealed what it does by itself.
    pub settled_micros: u64,
    /// CPU of all threads until then, in microseconds.
    pub cpu_micros: u64,
    /// The most memory of the process until then, in KiB.
    pub peak_kib: u64,
    /// Latencies of batches.
    pub latency: LatencyFigures,
}

/// One contender in one case, run by run.
#[derive(Clone, Debug)]
pub struct CommitRow {
    /// What each run did; the directory is of the suite.
    pub run: CommitRun,
    /// Its runs.
    pub outcomes: Vec<CommitOutcome>,
}

impl CommitRun {
    /// The name of the case: writers by events of a batch.
    #[must_use]
    pub fn case(&self) -> String {
        format!("{}x{}", self.writers, self.batch_events)
    }

    /// What a machine syncs at once if all writers' batches go together, as they can when the next
    /// ones arrive while a sync goes on.
    #[must_use]
    pub fn sync_group(&self) -> SyncGroup {
        let event_bytes = self.value_bytes + INSERT_KEY_BYTES;
        SyncGroup { writers: self.writers, batch_events: self.batch_events, event_bytes }
    }

    fn inserts(&self) -> Result<Inserts> {
        Inserts::new(self.seed, self.batch_events, self.value_bytes, self.compressibility)
    }
}

impl CommitRow {
    /// A run that was not made yet.
    #[must_use]
    pub fn new(run: CommitRun) -> Self {
        Self { run, outcomes: Vec::new() }
    }
}

/// Makes each run once more, one after the other, in a directory below `directory` that is removed
/// after it, and at a place of its own in the bucket.
///
/// # Errors
///
/// What an engine fails with; [`Error::Wrong`] if one does not hold what it has committed.
pub fn measure_commits(
    directory: &Path,
    rows: &mut [CommitRow],
    watch: &mut dyn FnMut(&CommitRun),
) -> Result<()> {
    for row in rows {
        watch(&row.run);
        let mut run = row.run.clone();
        run.directory = directory.join(run.engine.name());
        run.seed += row.outcomes.len() as u64;
        // Each run's database is a new one, and so is its place in the bucket.
        let place = format!("{}-{}-{}", run.engine.name(), run.case(), row.outcomes.len());
        run.settings.bucket = run.settings.bucket.below(&place);
        row.outcomes.push(in_a_process("commit-once", &run)?);
        std::fs::remove_dir_all(&run.directory).map_err(Error::io("remove", &run.directory))?;
    }
    Ok(())
}
