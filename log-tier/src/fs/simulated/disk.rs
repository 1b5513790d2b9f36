//! The simulated disk: what programs see of it, and what of that would survive a power cut.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::random::SplitMix64;
use crate::fs::{to_index, to_length};

/// The unit in which writes reach the disk: all of it or nothing.
pub(super) const SECTOR_BYTES: u64 = 512;

/// Files and directories, live and durable.
#[derive(Debug, Default)]
pub(super) struct Disk {
    directories: BTreeMap<PathBuf, Directory>,
    files: BTreeMap<FileId, FileImage>,
    file_next: FileId,
}

/// Names a file whatever its name in a directory is.
pub(super) type FileId = u64;

/// One directory.
#[derive(Debug, Default)]
struct Directory {
    live: BTreeMap<String, FileId>,
    durable: BTreeMap<String, FileId>,
    /// What makes `live` of `durable`, in order.
    unsynced: Vec<EntryChange>,
}

/// One change of a directory.
#[derive(Clone, Debug)]
enum EntryChange {
    Create(String, FileId),
    Remove(String),
    Rename(String, String),
}

/// One file.
#[derive(Debug, Default)]
pub(super) struct FileImage {
    pub(super) live: Vec<u8>,
    durable: Vec<u8>,
    /// The sectors of `live` that were written and not synced since.
    unsynced: BTreeSet<u64>,
}

impl Disk {
    pub(super) fn has_directory(&self, directory: &Path) -> bool {
        self.directories.contains_key(directory)
    }

    pub(super) fn create_directory(&mut self, directory: &Path) {
        for ancestor in directory.ancestors() {
            self.directories.entry(ancestor.to_path_buf()).or_default();
        }
    }

    pub(super) fn list(&self, directory: &Path) -> Option<Vec<String>> {
        let files = self.directories.get(directory)?.live.keys().cloned();
        let children = self.directories.keys().filter(|path| path.parent() == Some(directory));
        let names = children.filter_map(|path| path.file_name()?.to_str().map(str::to_owned));
        let sorted: BTreeSet<String> = files.chain(names).collect();
        Some(sorted.into_iter().collect())
    }

    pub(super) fn find(&self, path: &Path) -> Option<FileId> {
        let (directory, name) = split(path)?;
        self.directories.get(directory)?.live.get(name).copied()
    }

    pub(super) fn file(&mut self, id: FileId) -> &mut FileImage {
        self.files.entry(id).or_default()
    }

    pub(super) fn create(&mut self, path: &Path) -> Option<FileId> {
        let (directory, name) = split(path)?;
        let id = self.file_next;
        self.change(directory, EntryChange::Create(name.to_owned(), id))?;
        self.file_next += 1;
        Some(id)
    }

    pub(super) fn remove(&mut self, path: &Path) -> Option<()> {
        let (directory, name) = split(path)?;
        self.change(directory, EntryChange::Remove(name.to_owned()))
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> Option<()> {
        let ((directory, from), (to_directory, to)) = (split(from)?, split(to)?);
        assert_eq!(directory, to_directory, "only renames within a directory are simulated");
        self.change(directory, EntryChange::Rename(from.to_owned(), to.to_owned()))
    }

    pub(super) fn sync_directory(&mut self, directory: &Path) -> Option<()> {
        let directory = self.directories.get_mut(directory)?;
        directory.durable.clone_from(&directory.live);
        directory.unsynced.clear();
        Some(())
    }

    /// Cuts the power: what was not synced survives or not, as `random` says.
    pub(super) fn crash(&mut self, random: &mut SplitMix64) {
        for file in self.files.values_mut() {
            file.crash(random);
        }
        for directory in self.directories.values_mut() {
            directory.crash(random);
        }
    }

    fn change(&mut self, directory: &Path, change: EntryChange) -> Option<()> {
        let directory = self.directories.get_mut(directory)?;
        change.apply(&mut directory.live);
        directory.unsynced.push(change);
        Some(())
    }
}

impl Directory {
    /// Each unsynced change survives or not, but one is lost if an earlier one of a name in it is:
    /// the changes of a name keep their order.
    fn crash(&mut self, random: &mut SplitMix64) {
        let mut lost: BTreeSet<&str> = BTreeSet::new();
        for change in &self.unsynced {
            let names = change.names();
            if names.iter().any(|name| lost.contains(name)) || random.one_in(2) {
                lost.extend(names);
            } else {
                change.apply(&mut self.durable);
            }
        }
        self.unsynced.clear();
        self.live.clone_from(&self.durable);
    }
}

impl EntryChange {
    fn names(&self) -> Vec<&str> {
        match self {
            Self::Create(name, _) | Self::Remove(name) => vec![name],
            Self::Rename(from, to) => vec![from, to],
        }
    }

    fn apply(&self, entries: &mut BTreeMap<String, FileId>) {
        match self {
            Self::Create(name, id) => drop(entries.insert(name.clone(), *id)),
            Self::Remove(name) => drop(entries.remove(name)),
            Self::Rename(from, to) => {
                let id = entries.remove(from).expect("the file to rename was found before");
                entries.insert(to.clone(), id);
            }
        }
    }
}

impl FileImage {
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let end = offset + to_length(bytes.len());
        let dirty_from = offset.min(to_length(self.live.len()));
        if to_length(self.live.len()) < end {
            self.live.resize(to_index(end), 0);
        }
        self.live[to_index(offset)..to_index(end)].copy_from_slice(bytes);
        self.unsynced.extend(dirty_from / SECTOR_BYTES..=(end - 1) / SECTOR_BYTES);
    }

    pub(super) fn truncate(&mut self, length: u64) {
        self.live.resize(to_index(length), 0);
        self.unsynced.retain(|sector| sector * SECTOR_BYTES < length);
    }

    pub(super) fn sync(&mut self) {
        self.durable.resize(self.live.len(), 0);
        for sector in std::mem::take(&mut self.unsynced) {
            self.persist(sector);
        }
    }

    /// Inverts the bits of `mask` in the byte at `offset`, on the disk and in memory.
    pub(super) fn damage(&mut self, offset: usize, mask: u8) {
        self.live[offset] ^= mask;
        if let Some(byte) = self.durable.get_mut(offset) {
            *byte ^= mask;
        }
    }

    /// A sync that fails: some sectors reach the disk, the others never will although they can
    /// still be read, as after a failed `fsync` on Linux.
    pub(super) fn fail_sync(&mut self, random: &mut SplitMix64) {
        for sector in std::mem::take(&mut self.unsynced) {
            if random.one_in(2) {
                self.persist(sector);
            }
        }
    }

    fn crash(&mut self, random: &mut SplitMix64) {
        if random.one_in(2) {
            self.durable.resize(self.live.len(), 0);
        }
        for sector in std::mem::take(&mut self.unsynced) {
            if random.one_in(2) {
                self.persist(sector);
            }
        }
        self.live.clone_from(&self.durable);
    }

    /// Copies what of `sector` lies within both images to the durable one.
    fn persist(&mut self, sector: u64) {
        let both = self.live.len().min(self.durable.len());
        let start = to_index(sector * SECTOR_BYTES).min(both);
        let end = to_index((sector + 1) * SECTOR_BYTES).min(both);
        self.durable[start..end].copy_from_slice(&self.live[start..end]);
    }
}

fn split(path: &Path) -> Option<(&Path, &str)> {
    Some((path.parent()?, path.file_name()?.to_str()?))
}
