//! Files and directories of a bucket on disk, made so that they survive a power cut.
//!
//! New bytes go to a staged file beside the object, are synced, and only then take its name; then
//! the directories are synced. So no reader ever sees an object with other bytes than it was put
//! with, before a power cut or after.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use object_store::PutPayload;

use crate::WriterId;

/// How a staged file takes its object's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placing {
    /// The object must not exist.
    Create,
    /// An object that exists is replaced.
    Replace,
}

/// Why a file could not be placed.
#[derive(Debug)]
pub(super) enum PlacingError {
    /// The object is not there, or not these bytes: trying again may help.
    Refused(io::Error),
    /// The object is there, but nobody knows whether it survives a power cut. What a failed sync
    /// has dropped a later one does not tell, so trying again would only seem to help.
    NotSynced(io::Error),
}

/// Makes `directory` and its parents, durably.
pub(super) fn create_directory(directory: &Path) -> Result<(), (PathBuf, io::Error)> {
    let missing: Vec<_> = directory.ancestors().take_while(|above| !above.exists()).collect();
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |error| (path, error)
    };
    fs::create_dir_all(directory).map_err(failed(directory))?;
    for made in missing {
        if let Some(parent) = made.parent() {
            sync_directory(parent).map_err(failed(parent))?;
        }
    }
    Ok(())
}

/// The bytes of a part of a file, or fewer if it ends before. Memory for them is not cleared first,
/// which would take as long as to read them.
pub(super) fn read_part(mut file: File, part: &Range<u64>) -> io::Result<Vec<u8>> {
    let length = part.end - part.start;
    let mut bytes = Vec::with_capacity(usize::try_from(length).map_err(io::Error::other)?);
    file.seek(SeekFrom::Start(part.start))?;
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes `payload` as the file `path` somewhere below `root`, and answers once it is durable.
pub(super) fn place(
    root: &Path,
    path: &Path,
    payload: &PutPayload,
    placing: Placing,
) -> Result<(), PlacingError> {
    let staged = stage(path, payload).map_err(PlacingError::Refused)?;
    let placed = match placing {
        Placing::Create => fs::hard_link(&staged, path),
        Placing::Replace => fs::rename(&staged, path),
    };
    if placing == Placing::Create || placed.is_err() {
        // A staged file that stays is no object: listings pass over its name.
        drop(fs::remove_file(&staged));
    }
    placed.map_err(PlacingError::Refused)?;
    sync_directories(root, path).map_err(PlacingError::NotSynced)
}

/// Syncs the file `path`, and the directories that lead to it.
pub(super) fn sync_placed(root: &Path, path: &Path) -> Result<(), PlacingError> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    synced.and_then(|()| sync_directories(root, path)).map_err(PlacingError::NotSynced)
}

/// Syncs every directory from the one that holds `path` up to `root`. It syncs also those that
/// existed, because whoever made them may not have synced them yet.
fn sync_directories(root: &Path, path: &Path) -> io::Result<()> {
    for directory in path.ancestors().skip(1) {
        sync_directory(directory)?;
        if directory == root {
            break;
        }
    }
    Ok(())
}

/// Writes `payload` to a new file beside `path`, and syncs it.
fn stage(path: &Path, payload: &PutPayload) -> io::Result<PathBuf> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    // `#` and digits mark a name that the local store never lists and refuses to open.
    let unique = u64::from_le_bytes(WriterId::random().0);
    let mut staged = path.as_os_str().to_owned();
    staged.push(format!("#{unique}"));
    let staged = PathBuf::from(staged);
    let mut file = OpenOptions::new().write(true).create_new(true).open(&staged)?;
    let written = payload.iter().try_for_each(|bytes| file.write_all(bytes));
    match written.and_then(|()| file.sync_all()) {
        Ok(()) => Ok(staged),
        Err(error) => {
            drop(fs::remove_file(&staged));
            Err(error)
        }
    }
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
