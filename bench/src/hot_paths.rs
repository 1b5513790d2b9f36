//! The hot paths, each as a small and fixed piece of work, which the criterion benches time and the
//! instruction gate counts.

use std::path::Path;

use crate::Result;

mod frames;
mod histories;
mod merging;
mod restoring;

/// Events that each of them is about, but [`HotPath::Plan`], which is about files.
const EVENTS: u64 = 20_000;
/// Keys of those events.
const KEYS: u64 = 4_000;
/// Determines all events.
const SEED: u64 = 11;

/// What is measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HotPath {
    /// Commits to the bytes of their frames.
    FrameEncode,
    /// Frames to commits, each checked.
    FrameDecode,
    /// The row groups of history files to rows, each checked, by one thread.
    HistoryDecode,
    /// Decoded files that overlap to one sorted stream.
    Merge,
    /// A manifest of many files to the plan of a restore.
    Plan,
    /// A plan to a table that is there after a crash.
    Restore,
    /// Batches to acknowledged commits, `Buffered`, of a protected table.
    Commit,
}

/// A hot path that is ready: each call does the work once, and says how many events, or files, it
/// was about.
pub type HotWork = Box<dyn FnMut() -> Result<u64>>;

impl HotPath {
    /// All of them, the lowest first.
    pub const ALL: [Self; 7] = [
        Self::FrameEncode,
        Self::FrameDecode,
        Self::HistoryDecode,
        Self::Merge,
        Self::Plan,
        Self::Restore,
        Self::Commit,
    ];

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FrameEncode => "frame-encode",
            Self::FrameDecode => "frame-decode",
            Self::HistoryDecode => "history-decode",
            Self::Merge => "merge",
            Self::Plan => "plan",
            Self::Restore => "restore",
            Self::Commit => "commit",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|path| path.name() == name)
    }

    /// Whether what other threads do for it counts too: it is theirs as much as the caller's.
    #[must_use]
    pub const fn is_on_all_threads(self) -> bool {
        matches!(self, Self::Restore | Self::Commit)
    }

    /// Writes what the work is to read into an empty directory.
    ///
    /// # Errors
    ///
    /// What the engine fails with.
    pub fn prepare(self, directory: &Path) -> Result<()> {
        match self {
            Self::FrameEncode | Self::FrameDecode | Self::Commit => Ok(()),
            Self::HistoryDecode | Self::Merge => histories::write(directory, 4, false),
            Self::Plan => histories::write(directory, 40, false),
            Self::Restore => histories::write(directory, 4, true),
        }
    }

    /// Makes the work ready, in a directory that [`Self::prepare`] has written.
    ///
    /// # Errors
    ///
    /// What the engine fails with.
    pub fn open(self, directory: &Path) -> Result<HotWork> {
        match self {
            Self::FrameEncode => Ok(frames::encoding()),
            Self::FrameDecode => frames::decoding(),
            Self::HistoryDecode => histories::decoding(directory),
            Self::Merge => merging::merging(directory),
            Self::Plan => restoring::planning(directory),
            Self::Restore => restoring::restoring(directory),
            Self::Commit => restoring::committing(directory),
        }
    }
}

/// Does the work once. It is a function of its own, under this name, because a profiler that counts
/// the work and nothing before it has to be told of a place in the program.
///
/// # Errors
///
/// What the work fails with.
#[inline(never)]
pub fn run_hot_work(work: &mut HotWork) -> Result<u64> {
    let done = work();
    // Without this, the call above could become a jump, and this function would never be left.
    std::hint::black_box(&done);
    done
}
