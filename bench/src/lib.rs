//! The benchmark harness of Foldback: deterministic workloads, and what is measured with them.
//!
//! A run is repeated by its options and its seed. Every result is checked against the workload's
//! own oracle: a run that is fast and wrong is an error.

mod asof;
mod bucket;
mod commit;
mod compact;
mod decode;
mod engines;
mod fingerprint;
mod growth;
pub mod hot_paths;
mod inserts;
mod instructions;
mod latencies;
mod limits;
mod link;
mod machine;
mod memory;
mod operation;
mod own_process;
mod random;
mod read;
mod report;
mod restore;
mod start;
mod storage;
mod trace;
mod usage;
mod values;
mod w1;
mod w1_storage;
mod workload;
mod ycsb;
mod zipfian;

pub use asof::{AsofOptions, AsofRow, ReadCost, asof};
pub use bucket::BucketChoice;
pub use commit::{
    CommitOutcome, CommitRow, CommitRun, Until, commit_once, measure_commits, tell_commits,
};
pub use compact::{CompactCost, UntidyHistory, UntidyOptions, compact_bucket, make_untidy};
pub use decode::{DecodeCost, decode_plan};
pub use engines::{
    CACHE_BYTES, Committing, Engine, EngineKind, EngineSettings, MEMTABLE_BYTES, RowChange,
};
pub use fingerprint::Fingerprint;
pub use growth::{GrowthOptions, GrowthRow, growth, growth_steps};
pub use inserts::{INSERT_KEY_BYTES, Inserts};
pub use instructions::{
    InstructionChange, InstructionCounts, count_instructions, instruction_changes, valgrind,
};
pub use latencies::{Latencies, LatencyFigures};
pub use limits::{
    LIMIT_COMPRESS, LIMIT_COPY, LIMIT_DECOMPRESS, LIMIT_READ, LIMIT_READ_CACHED, LIMIT_WRITE,
    LimitOptions, SyncGroup, limits,
};
pub use link::{LinkCosts, LinkOptions, LinkRow, link};
pub use machine::Machine;
pub use memory::{
    MemoryOutcome, MemoryRow, MemoryRun, MemoryStage, measure_memory, memory_once, tell_memory,
};
pub use operation::Operation;
pub use random::Random;
pub use read::{
    ReadOutcome, ReadRow, ReadRun, ReadWorkload, load_once, measure_reads, read_once, tell_reads,
};
pub use report::{Axis, Figure, Line, Plot, Report, Row, as_f64};
#[cfg(feature = "peers")]
pub use restore::surrealkv_once;
pub use restore::{
    Contender, Outcome, PostgresPeer, PreparedRestores, RESTORE_TABLE, RestoreOptions, RestoreRow,
    RestoreTarget, restore_once,
};
pub use start::{
    StartEnd, StartOutcome, StartRow, StartRun, crash_once, fill_once, measure_closed,
    measure_killed, open_once, tell_starts,
};
pub use storage::{StorageOptions, StoragePoint, StorageRow, storage};
pub use trace::Trace;
pub use usage::{Meter, Usage};
pub use values::{Sizes, Values};
pub use w1::{W1, W1_BATCH_EVENTS, W1Event};
pub use w1_storage::{W1Keeping, W1StorageOptions, W1StorageRow, w1_storage};
pub use workload::{Spread, Updates};
pub use ycsb::{YCSB_KEY_BYTES_MIN, YCSB_SKEW, Ycsb, YcsbKeys, YcsbMix, YcsbOptions};
pub use zipfian::Zipfian;

/// The result of a run.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong in a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] foldback::Error),
    /// The engine answered, and the answer is wrong.
    #[error("wrong result: {0}")]
    Wrong(String),
    /// An option or a trace says what is not possible.
    #[error("{0}")]
    Input(String),
    /// A peer, or a process of ours, could not be run.
    #[error("a contender failed: {0}")]
    Peer(String),
    /// A build takes more than it may.
    #[error("{0}")]
    Slower(String),
    /// A file of the harness failed.
    #[error("could not {action} {path}: {source}")]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: String,
        /// Why it failed.
        source: std::io::Error,
    },
}

impl From<foldback::log_tier::Error> for Error {
    fn from(error: foldback::log_tier::Error) -> Self {
        Self::Engine(error.into())
    }
}

impl Error {
    fn io(action: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::File { action, path, source }
    }
}
