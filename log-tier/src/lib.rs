//! Bytes at rest of the Foldback storage engine.
//!
//! Everything that reaches a disk or a bucket is written and read here, and nowhere else: the
//! frames of the local log, the segments they lie in, the history files and the manifests on
//! object storage. This crate knows no policy and starts no threads; every byte it writes is
//! described in `FORMAT.md`.

mod checked_json;
pub mod digest;
pub mod error;
pub mod event;
pub mod export;
pub mod frame;
pub mod fs;
pub mod history;
pub mod ids;
pub mod key_range;
pub mod local_log;
pub mod manifest;
pub mod names;
pub mod near_names;
pub mod remote;
pub mod segment;

pub use error::{Error, Result};
pub use event::{Batch, Change, Commit, CommittedBatch, Event, EventRow};
pub use ids::{DatabaseId, Seq, TableId, Timestamp, WriterId};
pub use key_range::KeyRange;
