//! Background work of the Foldback storage engine.
//!
//! What to do next is decided by a pure function, [`next_job`], from what the manifest and the
//! local log hold; thin workers do it: [`seal`] turns a segment into a delta file, [`merge_deltas`]
//! makes one delta of several, [`fold`] makes the next base of a base and its deltas. Only the
//! [`Publisher`] makes history visible. All of history is read through one [`Merge`].

mod base;
mod change;
mod cover;
mod cut;
mod delta;
mod expiry;
mod feed;
mod fetch_layout;
mod fetching;
mod history_reader;
mod job;
mod kept;
mod key_start;
mod leasing;
pub mod merge;
#[cfg(test)]
mod model;
mod nearness;
mod network;
mod pace;
mod page_cache;
mod planned_reads;
mod point;
mod publisher;
mod read_meter;
mod rewrite;
mod seal;
mod streamed;
mod sweep;
#[cfg(test)]
mod test_bucket;
mod waiting;

pub use base::{BaseIdentity, BaseWriter};
pub use change::{Applied, Change, Expiry, Publishing, moved_on};
pub use cover::{Cover, cover};
pub use delta::DeltaWriter;
pub use feed::{FeedBudget, FeedReads, RowGroupsOf};
pub use history_reader::{HISTORY_CACHE_BYTES_DEFAULT, HistoryReader};
pub use job::{Duty, Job, JobInputs, Policy, next_job};
pub use kept::{Interval, Kept, Pin, Shortening};
pub use leasing::{LEASE_TTL, LeaseGuard};
pub use merge::Merge;
pub use network::Network;
pub use pace::{Pace, Stride};
pub use planned_reads::{PlannedReads, bucket_requests, opened_by_tail};
pub use point::EventSought;
pub use publisher::{CLOCK_STEP_MAX, Publisher, is_passing};
pub use read_meter::{ReadCount, ReadMeter};
pub use rewrite::{FoldInputs, Making, Reading, fold, merge_deltas};
pub use seal::seal;
pub use sweep::{Surroundings, Sweeping};
pub use waiting::wait_for;
