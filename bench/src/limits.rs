//! What the machine itself can do, measured in the same run: no engine beats it, and a figure
//! beside it is a share of what is possible.

use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, fadvise};

use crate::{Error, Figure, Result, Sizes, Values, W1, as_f64};

mod group_commit;

use group_commit::group_commit_rate;

/// The figure of writing a file and syncing it once.
pub const LIMIT_WRITE: &str = "sequential write, synced";
/// The figure of reading a file that is not in memory.
pub const LIMIT_READ: &str = "sequential read, cold";
/// The figure of reading a file that is in memory.
pub const LIMIT_READ_CACHED: &str = "sequential read, cached";
/// The figure of compressing values of W1 by zstd at level 1, by one thread, in bytes before
/// compression.
pub const LIMIT_COMPRESS: &str = "zstd-1 compress";
/// The figure of decompressing the same, in bytes after decompression.
pub const LIMIT_DECOMPRESS: &str = "zstd-1 decompress";
/// The figure of copying memory, by one thread.
pub const LIMIT_COPY: &str = "memcpy";

/// Syncs of one run, fewer if they would write more than [`SYNCED_BYTES_MAX`].
const SYNCS: u64 = 100;
/// Bytes that the syncs of one run may write.
const SYNCED_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The fewest syncs that tell anything.
const SYNCS_MIN: u64 = 8;
/// Bytes that are written or read by one call.
const CALL_BYTES: usize = 1024 * 1024;
/// Bytes that are compressed as one: about a block of a history file.
const BLOCK_BYTES: usize = 128 * 1024;
/// Bytes that are compressed, and copied, in one run.
const MEMORY_BYTES: usize = 32 * 1024 * 1024;
/// Keys of the W1 whose values are compressed.
const KEYS: u64 = 10_000;

/// What to measure.
#[derive(Clone, Debug)]
pub struct LimitOptions {
    /// A directory on the file system that is meant; nothing is left in it.
    pub directory: PathBuf,
    /// What is written before each sync.
    pub groups: Vec<SyncGroup>,
    /// Bytes of the file that is written and read.
    pub file_bytes: u64,
    /// Times that each is measured, turn by turn.
    pub runs: u64,
}

impl LimitOptions {
    /// Three runs over a file of 256 MiB, and no groups.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        let (groups, file_bytes) = (Vec::new(), 256 * 1024 * 1024);
        Self { directory: directory.into(), groups, file_bytes, runs: 3 }
    }
}

/// Batches of several writers that are synced together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncGroup {
    /// How many writers have a batch in it.
    pub writers: u64,
    /// Events of a batch.
    pub batch_events: u64,
    /// Bytes of each.
    pub event_bytes: u64,
}

impl SyncGroup {
    /// The figure of appending such groups to a file that grows.
    #[must_use]
    pub fn growing(self) -> String {
        format!("fdatasync, {self}, growing file")
    }

    /// The figure of writing such groups into a file that was written with zeros before.
    #[must_use]
    pub fn preallocated(self) -> String {
        format!("fdatasync, {self}, preallocated file")
    }

    /// The figure of as many threads whose batches one of them collects, writes and syncs.
    #[must_use]
    pub fn group_commit(self) -> String {
        let Self { writers, batch_events, event_bytes } = self;
        format!("bare group commit, {writers} threads of {batch_events} × {event_bytes} B")
    }

    /// Events of all batches.
    #[must_use]
    pub const fn events(self) -> u64 {
        self.writers * self.batch_events
    }

    fn bytes(self) -> u64 {
        self.events() * self.event_bytes
    }

    fn batch_bytes(self) -> u64 {
        self.batch_events * self.event_bytes
    }

    fn syncs(self) -> u64 {
        (SYNCED_BYTES_MAX / self.bytes().max(1)).clamp(SYNCS_MIN, SYNCS)
    }
}

impl std::fmt::Display for SyncGroup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} × {} B", self.events(), self.event_bytes)
    }
}

/// Measures this machine. Syncs and batches are a second's worth of them, the
/// rest is bytes a second.
///
/// # Errors
///
/// [`Error::File`] if the file system fails.
pub fn limits(options: &LimitOptions) -> Result<Vec<Figure>> {
    let mut measured = Measured::default();
    let memory = MemoryLimits::prepare()?;
    for _ in 0..options.runs.max(1) {
        for group in &options.groups {
            let path = options.directory.join("limits-sync");
            measured.add(group.growing(), "syncs/s", sync_rate(&path, *group, false)?);
            measured.add(group.preallocated(), "syncs/s", sync_rate(&path, *group, true)?);
            measured.add(group.group_commit(), "batches/s", group_commit_rate(&path, *group)?);
        }
        let path = options.directory.join("limits-file");
        let bandwidth = bandwidth(&path, options.file_bytes)?;
        for (name, rate) in [LIMIT_WRITE, LIMIT_READ, LIMIT_READ_CACHED].into_iter().zip(bandwidth)
        {
            measured.add(name.to_owned(), "bytes/s", rate);
        }
        for (name, rate) in
            [LIMIT_COMPRESS, LIMIT_DECOMPRESS, LIMIT_COPY].into_iter().zip(memory.measure()?)
        {
            measured.add(name.to_owned(), "bytes/s", rate);
        }
    }
    Ok(measured.0)
}

/// Figures, run by run.
#[derive(Default)]
struct Measured(Vec<Figure>);

impl Measured {
    fn add(&mut self, name: String, unit: &str, run: f64) {
        match self.0.iter_mut().find(|figure| figure.name == name) {
            Some(figure) => figure.runs.push(run),
            None => self.0.push(Figure::one(name, unit, run)),
        }
    }
}

/// How many groups a second are written and synced.
fn sync_rate(path: &Path, group: SyncGroup, is_preallocated: bool) -> Result<f64> {
    let bytes = usize::try_from(group.bytes()).expect("a group fits memory");
    let written = noise(bytes);
    let mut file = match is_preallocated {
        true => preallocated_file(path, group.bytes() * group.syncs())?,
        false => new_file(path)?,
    };
    let began = foldback::steady_now();
    for _ in 0..group.syncs() {
        file.write_all(&written).map_err(Error::io("write", path))?;
        file.sync_data().map_err(Error::io("sync", path))?;
    }
    let rate = rate(group.syncs(), began);
    std::fs::remove_file(path).map_err(Error::io("remove", path))?;
    Ok(rate)
}

/// Bytes a second of writing a file and syncing it, of reading it from the disk, and of reading it
/// from memory.
fn bandwidth(path: &Path, bytes: u64) -> Result<[f64; 3]> {
    let mut file = new_file(path)?;
    let block = noise(CALL_BYTES);
    let began = foldback::steady_now();
    write_all(&mut file, path, bytes, &block)?;
    file.sync_data().map_err(Error::io("sync", path))?;
    let write = rate(bytes, began);
    // The kernel forgets pages that are on the disk when it is told that nobody needs them.
    fadvise(&file, 0, None, Advice::DontNeed)
        .map_err(|error| Error::io("drop from memory", path)(error.into()))?;
    let cold = read_rate(&mut file, path, bytes)?;
    let cached = read_rate(&mut file, path, bytes)?;
    std::fs::remove_file(path).map_err(Error::io("remove", path))?;
    Ok([write, cold, cached])
}

fn read_rate(file: &mut File, path: &Path, bytes: u64) -> Result<f64> {
    file.seek(SeekFrom::Start(0)).map_err(Error::io("seek in", path))?;
    let mut block = vec![0; CALL_BYTES];
    let mut left = bytes;
    let began = foldback::steady_now();
    while left > 0 {
        let read = file.read(&mut block).map_err(Error::io("read", path))?;
        if read == 0 {
            return Err(Error::Wrong(format!("{} lacks {left} bytes", path.display())));
        }
        left = left.saturating_sub(read as u64);
        black_box(&block);
    }
    Ok(rate(bytes, began))
}

fn new_file(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true);
    options.open(path).map_err(Error::io("create", path))
}

/// A file of so many zeros on the disk, to be written from its start.
fn preallocated_file(path: &Path, bytes: u64) -> Result<File> {
    let mut file = new_file(path)?;
    write_all(&mut file, path, bytes, &vec![0; CALL_BYTES])?;
    file.sync_all().map_err(Error::io("sync", path))?;
    file.seek(SeekFrom::Start(0)).map_err(Error::io("seek in", path))?;
    Ok(file)
}

/// Writes `block` over and over, until there are so many bytes.
fn write_all(file: &mut File, path: &Path, bytes: u64, block: &[u8]) -> Result<()> {
    let mut left = bytes;
    while left > 0 {
        let now = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
        file.write_all(&block[..now]).map_err(Error::io("write", path))?;
        left -= now as u64;
    }
    Ok(())
}

/// Bytes that no disk can make smaller.
fn noise(bytes: usize) -> Vec<u8> {
    let values = Values::new(1, Sizes::Fixed(bytes as u64), 1.0).expect("1 is possible");
    values.value(0)
}

/// What is compressed and copied.
struct MemoryLimits {
    plain: Vec<u8>,
    compressed: Vec<Vec<u8>>,
}

impl MemoryLimits {
    fn prepare() -> Result<Self> {
        let mut w1 = W1::new(1, KEYS);
        let mut plain = Vec::with_capacity(MEMORY_BYTES + BLOCK_BYTES);
        while plain.len() < MEMORY_BYTES {
            let values = w1.batch().into_iter().filter_map(|event| event.value);
            values.for_each(|value| plain.extend_from_slice(&value));
        }
        let compressed = plain.chunks(BLOCK_BYTES).map(|block| zstd::bulk::compress(block, 1));
        let compressed = compressed.collect::<std::io::Result<_>>().map_err(zstd_failed)?;
        Ok(Self { plain, compressed })
    }

    /// Bytes a second of compression, decompression and copying.
    fn measure(&self) -> Result<[f64; 3]> {
        let bytes = self.plain.len() as u64;
        let mut compressor = zstd::bulk::Compressor::new(1).map_err(zstd_failed)?;
        let mut out = vec![0; zstd::zstd_safe::compress_bound(BLOCK_BYTES)];
        let began = foldback::steady_now();
        for block in self.plain.chunks(BLOCK_BYTES) {
            compressor.compress_to_buffer(block, &mut out).map_err(zstd_failed)?;
            black_box(&out);
        }
        let compress = rate(bytes, began);
        let mut decompressor = zstd::bulk::Decompressor::new().map_err(zstd_failed)?;
        let began = foldback::steady_now();
        for block in &self.compressed {
            decompressor.decompress_to_buffer(block, &mut out).map_err(zstd_failed)?;
            black_box(&out);
        }
        let decompress = rate(bytes, began);
        let mut copy = vec![1; self.plain.len()];
        let began = foldback::steady_now();
        copy.copy_from_slice(black_box(&self.plain));
        black_box(&copy);
        Ok([compress, decompress, rate(bytes, began)])
    }
}

fn zstd_failed(error: std::io::Error) -> Error {
    Error::Wrong(format!("zstd failed in memory: {error}"))
}

/// How many a second, since then.
fn rate(count: u64, began: std::time::Instant) -> f64 {
    as_f64(count) / began.elapsed().as_secs_f64().max(1e-9)
}

#[cfg(test)]
mod tests;
