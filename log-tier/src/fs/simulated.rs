//! A file system in memory that loses power and fails on request, the same way for the same seed.
//!
//! It is harsher than a real one: without a sync each sector of a file and each change of a
//! directory survives a crash or not on its own.

use std::io::{Error as IoError, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use super::{Fs, FsFile, FsLock, to_index, to_length};
use crate::{Error, Result};

mod disk;
mod random;

use disk::{Disk, FileId};
use random::SplitMix64;

/// A simulated file system. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct SimulatedFs {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    disk: Disk,
    locked: Vec<PathBuf>,
    /// Raised by a crash: files and locks that were open before belong to a dead process.
    crashes: u64,
    /// How many operations were done, failed ones included.
    operations: u64,
    /// Seeded by the last crash; chooses what a failed sync writes.
    random: SplitMix64,
    fail_at: Option<u64>,
    fail_syncs: bool,
    space_left: Option<u64>,
}

impl SimulatedFs {
    /// An empty file system without faults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Cuts the power and starts again: every file and directory goes back to what was synced,
    /// plus what `seed` chooses of the rest. Open files and locks are dead; faults are healed.
    pub fn crash(&self, seed: u64) {
        let mut state = self.state();
        let mut random = SplitMix64::new(seed);
        state.disk.crash(&mut random);
        state.random = random;
        state.crashes += 1;
        state.locked.clear();
        state.heal();
    }

    /// Ends the process without a power cut: open files and locks are dead, nothing is lost.
    pub fn kill(&self) {
        let mut state = self.state();
        state.crashes += 1;
        state.locked.clear();
        state.heal();
    }

    /// Makes the `nth` operation from now on fail, the next one being the first. A write that
    /// fails still writes half of its bytes.
    pub fn fail_operation(&self, nth: u64) {
        let mut state = self.state();
        state.fail_at = Some(state.operations + nth);
    }

    /// Makes every sync fail from now on. What was to be synced can be read but never reaches the
    /// disk, except for some sectors.
    pub fn fail_syncs(&self) {
        self.state().fail_syncs = true;
    }

    /// Lets files grow by `bytes` more in all; then the disk is full.
    pub fn limit_space(&self, bytes: u64) {
        self.state().space_left = Some(bytes);
    }

    /// How many operations were done so far, failed ones included.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Damages a file as a failing disk does: inverts the bits of `mask` in the byte at `offset`.
    ///
    /// # Panics
    ///
    /// If there is no such byte.
    pub fn damage(&self, path: &Path, offset: u64, mask: u8) {
        let mut state = self.state();
        let id = state.disk.find(path).expect("the file to damage exists");
        let file = state.disk.file(id);
        file.damage(to_index(offset), mask);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no operation panics")
    }

    fn open_file(&self, path: &Path, id: FileId, crashes: u64) -> Arc<dyn FsFile> {
        let (fs, path) = (self.clone(), path.to_path_buf());
        Arc::new(SimulatedFile { fs, path, id, crashes })
    }
}

impl State {
    fn heal(&mut self) {
        self.fail_at = None;
        self.fail_syncs = false;
        self.space_left = None;
    }

    /// Counts an operation, and says whether it is to fail.
    fn count(&mut self) -> std::io::Result<()> {
        self.operations += 1;
        if self.fail_at == Some(self.operations) {
            return Err(IoError::other("simulated fault"));
        }
        Ok(())
    }

    /// How much of a growth by `bytes` the disk has space for; it is taken.
    fn take_space(&mut self, bytes: u64) -> u64 {
        let Some(left) = &mut self.space_left else { return bytes };
        let taken = bytes.min(*left);
        *left -= taken;
        taken
    }

    fn write(&mut self, id: FileId, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
        if let Err(error) = self.count() {
            self.disk.file(id).write(offset, &bytes[..bytes.len() / 2]);
            return Err(error);
        }
        let end = offset + to_length(bytes.len());
        let length = to_length(self.disk.file(id).live.len());
        let grow = end.saturating_sub(length);
        let missing = grow - self.take_space(grow);
        let fitting = bytes.len().saturating_sub(to_index(missing));
        self.disk.file(id).write(offset, &bytes[..fitting]);
        if missing > 0 { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync(&mut self, id: FileId) -> std::io::Result<()> {
        let counted = self.count();
        if self.fail_syncs || counted.is_err() {
            self.disk.file(id).fail_sync(&mut self.random);
            return counted.and(Err(IoError::other("simulated fault of a sync")));
        }
        self.disk.file(id).sync();
        Ok(())
    }
}

fn not_found() -> IoError {
    ErrorKind::NotFound.into()
}

impl Fs for SimulatedFs {
    fn create(&self, path: &Path) -> Result<Arc<dyn FsFile>> {
        let mut state = self.state();
        let created = state.count().and_then(|()| match state.disk.find(path) {
            Some(_) => Err(ErrorKind::AlreadyExists.into()),
            None => state.disk.create(path).ok_or_else(not_found),
        });
        let id = created.map_err(Error::local("create", path))?;
        Ok(self.open_file(path, id, state.crashes))
    }

    fn open(&self, path: &Path, _write: bool) -> Result<Arc<dyn FsFile>> {
        let mut state = self.state();
        let found = state.count().and_then(|()| state.disk.find(path).ok_or_else(not_found));
        let id = found.map_err(Error::local("open", path))?;
        Ok(self.open_file(path, id, state.crashes))
    }

    fn list(&self, directory: &Path) -> Result<Vec<String>> {
        let mut state = self.state();
        let listed = state.count().and_then(|()| state.disk.list(directory).ok_or_else(not_found));
        listed.map_err(Error::local("list", directory))
    }

    fn create_directory(&self, directory: &Path) -> Result<()> {
        let mut state = self.state();
        state.count().map_err(Error::local("create directory", directory))?;
        state.disk.create_directory(directory);
        Ok(())
    }

    fn remove(&self, path: &Path) -> Result<()> {
        let mut state = self.state();
        let found = state.count().and_then(|()| state.disk.find(path).ok_or_else(not_found));
        let removed = found.and_then(|_| state.disk.remove(path).ok_or_else(not_found));
        removed.map_err(Error::local("remove", path))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let mut state = self.state();
        let found = state.count().and_then(|()| state.disk.find(from).ok_or_else(not_found));
        let renamed = found.and_then(|_| state.disk.rename(from, to).ok_or_else(not_found));
        renamed.map_err(Error::local("rename", from))
    }

    fn sync_directory(&self, directory: &Path) -> Result<()> {
        let mut state = self.state();
        let synced = match state.count() {
            Ok(()) if state.fail_syncs => Err(IoError::other("simulated fault of a sync")),
            Ok(()) => state.disk.sync_directory(directory).ok_or_else(not_found),
            Err(error) => Err(error),
        };
        synced.map_err(Error::local("sync directory", directory))
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn FsLock>> {
        let mut state = self.state();
        let directory = path.parent().unwrap_or(path).to_path_buf();
        let counted = state.count().and_then(|()| {
            state.disk.has_directory(&directory).then_some(()).ok_or_else(not_found)
        });
        counted.map_err(Error::local("lock", path))?;
        if state.locked.iter().any(|locked| locked == path) {
            return Err(Error::Locked { path: directory, pid: std::process::id().to_string() });
        }
        state.locked.push(path.to_path_buf());
        let (fs, path, crashes) = (self.clone(), path.to_path_buf(), state.crashes);
        Ok(Box::new(SimulatedLock { fs, path, crashes }))
    }
}

/// An open file of a simulated file system.
#[derive(Debug)]
struct SimulatedFile {
    fs: SimulatedFs,
    path: PathBuf,
    id: FileId,
    crashes: u64,
}

impl SimulatedFile {
    /// Does `act`, unless a crash has ended the process that had the file open.
    fn act<T>(
        &self,
        action: &'static str,
        act: impl FnOnce(&mut State) -> std::io::Result<T>,
    ) -> Result<T> {
        let mut state = self.fs.state();
        let done = if state.crashes == self.crashes {
            act(&mut state)
        } else {
            Err(IoError::other("the file was opened before a simulated crash"))
        };
        done.map_err(Error::local(action, &self.path))
    }
}

impl FsFile for SimulatedFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn len(&self) -> Result<u64> {
        self.act("read the length of", |state| {
            state.count().map(|()| to_length(state.disk.file(self.id).live.len()))
        })
    }

    fn read_at(&self, offset: u64, length: usize) -> Result<Vec<u8>> {
        self.act("read", |state| {
            state.count()?;
            let live = &state.disk.file(self.id).live;
            let start = to_index(offset).min(live.len());
            let end = start.saturating_add(length).min(live.len());
            Ok(live[start..end].to_vec())
        })
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.act("write", |state| state.write(self.id, offset, bytes))
    }

    fn preallocate(&self, length: u64) -> Result<()> {
        self.act("reserve space in", |state| {
            let present = to_length(state.disk.file(self.id).live.len());
            let zeros = vec![0; to_index(length.saturating_sub(present))];
            state.write(self.id, present, &zeros)
        })
    }

    fn truncate(&self, length: u64) -> Result<()> {
        self.act("truncate", |state| {
            state.count().map(|()| state.disk.file(self.id).truncate(length))
        })
    }

    fn sync(&self) -> Result<()> {
        self.act("sync", |state| state.sync(self.id))
    }
}

/// A lock of a simulated file system.
#[derive(Debug)]
struct SimulatedLock {
    fs: SimulatedFs,
    path: PathBuf,
    crashes: u64,
}

impl FsLock for SimulatedLock {}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        let mut state = self.fs.state();
        if state.crashes == self.crashes {
            state.locked.retain(|locked| *locked != self.path);
        }
    }
}

#[cfg(test)]
mod tests;
