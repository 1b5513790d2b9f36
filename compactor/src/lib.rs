//! Background work of the Foldback storage engine.
//!
//! What to do next is decided by a pure function, [`next_job`], from what the manifest and the
//! local log hold; thin workers do it: [`seal`] turns a segment into a delta file, [`merge_deltas`]
//! makes one delta of several, [`fold`] makes the next base of a base and its deltas. Only the
//! [`Publisher`] makes history visible. All of history is read through one [`Merge`].

mod base;
mod history_reader;
mod job;
pub mod merge;
mod network;
mod publisher;
mod rewrite;
mod seal;
mod waiting;

pub use base::BaseWriter;
pub use history_reader::{HistoryReader, RowGroupsOf};
pub use job::{Job, JobInputs, Policy, ProtectedTable, next_job};
pub use merge::Merge;
pub use network::Network;
pub use publisher::{Publisher, is_passing};
pub use rewrite::{FoldInputs, Making, Reading, fold, merge_deltas};
pub use seal::seal;
pub use waiting::wait_for;
