//! The benchmark harness of Foldback: deterministic workloads, and what is measured with them.
//!
//! A run is repeated by its options and its seed. Every result is checked against the workload's
//! own oracle: a run that is fast and wrong is an error.

mod asof;
mod compact;
mod growth;
mod random;
mod storage;
mod workload;
mod zipfian;

pub use asof::{AsofOptions, AsofRow, ReadCost, asof};
pub use compact::{CompactCost, UntidyHistory, UntidyOptions, compact_bucket, make_untidy};
pub use growth::{GrowthOptions, GrowthRow, growth, growth_steps};
pub use random::Random;
pub use storage::{StorageOptions, StorageRow, storage};
pub use workload::{Spread, Updates};
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
}
