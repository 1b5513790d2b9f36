//! Background work of the Foldback storage engine.
//!
//! What to do next is decided by a pure function, [`next_job`], from what the manifest and the
//! local log hold; thin workers do it: [`seal`] turns segments into a delta file, [`BaseWriter`]
//! turns the present of a table into base files. Only the [`Publisher`] makes history visible.

mod base;
mod job;
mod publisher;
mod seal;

pub use base::{BASE_FILE_BYTES_TARGET, BaseWriter};
pub use job::{Job, JobInputs, next_job};
pub use publisher::{Publisher, is_passing};
pub use seal::seal;
