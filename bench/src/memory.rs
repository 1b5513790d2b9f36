//! The memory suite: the most memory that a large table takes to commit and seal, to fold, to
//! update while all goes on at once, to restore and to read, each in a process of its own.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::own_process::in_a_process;
use crate::{BucketChoice, INSERT_KEY_BYTES, Inserts, Result};

mod once;
mod told;

pub use once::memory_once;
pub use told::tell_memory;

/// A part of the life of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemoryStage {
    /// All rows are committed and sealed; the upkeep is left to another process.
    Commit,
    /// That process: it merges and folds until nothing is due.
    Fold,
    /// All rows are committed once more, with sealing, merging and folding in the same process, as
    /// by default.
    AllAtOnce,
    /// The newest state is restored to a new table.
    Restore,
    /// The present is read as a whole, and rows of both states by key.
    Read,
}

/// What all stages work on, and what one of them does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemoryRun {
    /// Which.
    pub stage: MemoryStage,
    /// Where the database is.
    pub directory: PathBuf,
    /// Its bucket.
    pub bucket: BucketChoice,
    /// Batches of the table.
    pub batches: u64,
    /// Events of a batch.
    pub batch_events: u64,
    /// Bytes of a value.
    pub value_bytes: u64,
    /// How many times zstd shrinks values.
    pub compressibility: f64,
    /// Determines all rows.
    pub seed: u64,
    /// The commit that ended the first stage, once it is known.
    pub first_seq: u64,
}

/// What a stage took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryOutcome {
    /// How long it took, in microseconds.
    pub wall_micros: u64,
    /// CPU of all threads, in microseconds.
    pub cpu_micros: u64,
    /// The most memory of the process until then, in KiB.
    pub peak_kib: u64,
    /// Rows that it wrote or read, or jobs that it did.
    pub count: u64,
    /// The last commit.
    pub seq: u64,
}

/// What was measured of one stage.
#[derive(Clone, Debug)]
pub struct MemoryRow {
    /// What it did.
    pub run: MemoryRun,
    /// What it took.
    pub outcome: MemoryOutcome,
}

impl MemoryStage {
    /// All of them, in their order.
    pub const ALL: [Self; 5] =
        [Self::Commit, Self::Fold, Self::AllAtOnce, Self::Restore, Self::Read];

    /// The name that tables have.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Commit => "commit and seal",
            Self::Fold => "merge and fold",
            Self::AllAtOnce => "all at once",
            Self::Restore => "restore",
            Self::Read => "read",
        }
    }
}

impl MemoryRun {
    /// Bytes of keys and values of the table.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.batches * self.batch_events * (INSERT_KEY_BYTES + self.value_bytes)
    }

    /// What is written the first time, or the second.
    fn inserts(&self, pass: u64) -> Result<Inserts> {
        let inserts =
            Inserts::new(self.seed, self.batch_events, self.value_bytes, self.compressibility)?;
        Ok(inserts.pass(pass))
    }

    /// The bucket, named.
    fn bucket(&self) -> BucketChoice {
        let beside = |directory: &Path| format!("file://{}", directory.join("bucket").display());
        let url = self.bucket.url.clone().unwrap_or_else(|| beside(&self.directory));
        BucketChoice { url: Some(url), store_options: self.bucket.store_options.clone() }
    }
}

/// Takes a table through all stages; `run` says of what size.
///
/// # Errors
///
/// What the engine fails with; [`crate::Error::Wrong`] if what is read is not what was written.
pub fn measure_memory(run: &MemoryRun, watch: &mut dyn FnMut(&str)) -> Result<Vec<MemoryRow>> {
    let mut rows: Vec<MemoryRow> = Vec::new();
    for stage in MemoryStage::ALL {
        watch(stage.name());
        let first_seq = rows.first().map_or(0, |row| row.outcome.seq);
        let run = MemoryRun { stage, first_seq, ..run.clone() };
        let outcome = in_a_process("memory-once", &run)?;
        rows.push(MemoryRow { run, outcome });
    }
    Ok(rows)
}
