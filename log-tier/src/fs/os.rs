//! The operating system's file system.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Fs, FsFile, FsLock, to_index, to_length};
use crate::{Error, Result};

/// How many zeros are written at a time when space is reserved.
static ZEROS: [u8; 256 << 10] = [0; 256 << 10];

/// The file system of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsFs;

impl Fs for OsFs {
    fn create(&self, path: &Path) -> Result<Arc<dyn FsFile>> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).open(path);
        let file = file.map_err(Error::local("create", path))?;
        Ok(Arc::new(OsFile { file, path: path.to_path_buf() }))
    }

    fn open(&self, path: &Path, write: bool) -> Result<Arc<dyn FsFile>> {
        let file = OpenOptions::new().read(true).write(write).open(path);
        let file = file.map_err(Error::local("open", path))?;
        Ok(Arc::new(OsFile { file, path: path.to_path_buf() }))
    }

    fn list(&self, directory: &Path) -> Result<Vec<String>> {
        let entries = std::fs::read_dir(directory)
            .and_then(Iterator::collect::<std::io::Result<Vec<_>>>)
            .map_err(Error::local("list", directory))?;
        // All names that we build are ASCII, so a name that is not Unicode is none of ours.
        let names = entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names.collect();
        names.sort_unstable();
        Ok(names)
    }

    fn create_directory(&self, directory: &Path) -> Result<()> {
        match std::fs::create_dir(directory) {
            Ok(()) => self.sync_directory(parent(directory)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists && directory.is_dir() => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound && directory != parent(directory) => {
                self.create_directory(parent(directory))?;
                self.create_directory(directory)
            }
            Err(error) => Err(Error::local("create directory", directory)(error)),
        }
    }

    fn remove(&self, path: &Path) -> Result<()> {
        std::fs::remove_file(path).map_err(Error::local("remove", path))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        std::fs::rename(from, to).map_err(Error::local("rename", from))
    }

    fn sync_directory(&self, directory: &Path) -> Result<()> {
        File::open(directory)
            .and_then(|file| file.sync_all())
            .map_err(Error::local("sync directory", directory))
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn FsLock>> {
        let refused = || Error::local("lock", path);
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(refused())?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(locked(&mut file, path)),
            Err(TryLockError::Error(error)) => return Err(refused()(error)),
        }
        file.set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(refused())?;
        Ok(Box::new(OsLock { file }))
    }
}

/// A file of the operating system.
#[derive(Debug)]
struct OsFile {
    file: File,
    path: PathBuf,
}

impl FsFile for OsFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn len(&self) -> Result<u64> {
        let metadata = self.file.metadata().map_err(Error::local("read the length of", &self.path));
        Ok(metadata?.len())
    }

    fn read_at(&self, offset: u64, length: usize) -> Result<Vec<u8>> {
        let left = to_index(self.len()?.saturating_sub(offset));
        let mut bytes = vec![0; length.min(left)];
        let mut filled = 0;
        while filled < bytes.len() {
            match self.file.read_at(&mut bytes[filled..], offset + to_length(filled)) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::local("read", &self.path)(error)),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.file.write_all_at(bytes, offset).map_err(Error::local("write", &self.path))
    }

    /// Zeros are written, not only promised: blocks that were written before can be written again
    /// and synced without a change of the file's metadata, which makes a sync much faster.
    fn preallocate(&self, length: u64) -> Result<()> {
        let mut at = self.len()?;
        while at < length {
            let zeros = &ZEROS[..ZEROS.len().min(to_index(length - at))];
            self.file
                .write_all_at(zeros, at)
                .map_err(Error::local("reserve space in", &self.path))?;
            at += to_length(zeros.len());
        }
        Ok(())
    }

    fn truncate(&self, length: u64) -> Result<()> {
        self.file.set_len(length).map_err(Error::local("truncate", &self.path))
    }

    fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(Error::local("sync", &self.path))
    }
}

/// A lock of the operating system; it goes with the file handle, so also when the process dies.
#[derive(Debug)]
struct OsLock {
    file: File,
}

impl FsLock for OsLock {}

impl Drop for OsLock {
    /// A process that is just being spawned holds a copy of the handle until it runs its program:
    /// closing ours would leave the directory locked for as long.
    fn drop(&mut self) {
        // What this fails with, closing the handle mends.
        let _ = self.file.unlock();
    }
}

/// The error that names the holder of the lock at `path`.
fn locked(file: &mut File, path: &Path) -> Error {
    let mut pid = String::new();
    let known = file.read_to_string(&mut pid).is_ok() && !pid.trim().is_empty();
    let pid = if known { pid.trim().to_owned() } else { "(unknown)".to_owned() };
    Error::Locked { path: parent(path).to_path_buf(), pid }
}

/// The directory that `path` is in; the current one for a bare name.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => path,
    }
}
