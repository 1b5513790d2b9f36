//! The seam to the local file system: the operating system's, and a simulated one that crashes.

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use crate::Result;

mod os;
#[cfg(any(test, feature = "testing"))]
mod simulated;

pub use os::OsFs;
#[cfg(any(test, feature = "testing"))]
pub use simulated::SimulatedFs;

/// The file operations that the local log needs. All of them block.
pub trait Fs: Debug + Send + Sync {
    /// Creates a file that must not exist and opens it for reading and writing.
    fn create(&self, path: &Path) -> Result<Arc<dyn FsFile>>;
    /// Opens a file that exists, for reading and, if `write`, for writing.
    fn open(&self, path: &Path, write: bool) -> Result<Arc<dyn FsFile>>;
    /// The names in a directory, sorted.
    fn list(&self, directory: &Path) -> Result<Vec<String>>;
    /// Makes a directory and its parents, durably; one that exists is fine.
    fn create_directory(&self, directory: &Path) -> Result<()>;
    /// Removes a file. Durable once the directory is synced.
    fn remove(&self, path: &Path) -> Result<()>;
    /// Renames a file, replacing the target. Durable once the directory is synced.
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;
    /// Makes creations, removals and renames in `directory` durable.
    fn sync_directory(&self, directory: &Path) -> Result<()>;
    /// Takes the exclusive lock of `path`, creating it, and writes this process's id into it.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Locked`] with the holder's process id, if another process holds it.
    fn lock(&self, path: &Path) -> Result<Box<dyn FsLock>>;
}

/// An open file. Positions are explicit, so that readers never disturb the writer.
#[expect(clippy::len_without_is_empty, reason = "no caller cares whether a file is empty")]
pub trait FsFile: Debug + Send + Sync {
    /// The path it was opened by.
    fn path(&self) -> &Path;
    /// Its length in bytes.
    fn len(&self) -> Result<u64>;
    /// Reads exactly `length` bytes at `offset`, or fewer at the end of the file.
    fn read_at(&self, offset: u64, length: usize) -> Result<Vec<u8>>;
    /// Writes all of `bytes` at `offset`, growing the file if need be.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()>;
    /// Reserves space up to `length` bytes; the file reads as zeros where nothing was written.
    fn preallocate(&self, length: u64) -> Result<()>;
    /// Cuts the file to `length` bytes.
    fn truncate(&self, length: u64) -> Result<()>;
    /// Returns once the file's data, and its length, survive a power cut.
    fn sync(&self) -> Result<()>;
}

/// Holds a lock until dropped.
pub trait FsLock: Debug + Send + Sync {}

/// A length in memory as a length in a file.
pub(crate) fn to_length(length: usize) -> u64 {
    u64::try_from(length).expect("a length in memory fits 64 bits")
}

/// A length in a file as one in memory; longer than memory can be, it is the longest there is.
pub(crate) fn to_index(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
