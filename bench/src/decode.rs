//! The least that a restore must do: read the bytes that its plan names, and decode them.

use std::collections::BTreeSet;
use std::fs::File;
use std::hint::black_box;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use foldback::log_tier::history::HistoryTail;
use foldback::log_tier::manifest::HistoryEntry;
use foldback::{Config, Database, Selection, Seq, Target};
use serde::{Deserialize, Serialize};

use crate::{BucketChoice, Error, Meter, Result, Usage};

/// What decoding took, by one thread that does nothing else with the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecodeCost {
    /// Wall clock, in microseconds.
    pub wall_micros: u64,
    /// CPU, in microseconds.
    pub cpu_micros: u64,
    /// Bytes of row groups.
    pub bytes: u64,
    /// Rows in them.
    pub rows: u64,
}

/// Decodes all that a restore of a table at a commit would read. A restore may need less than that:
/// it leaves out values that were superseded.
///
/// # Errors
///
/// What the engine or the file system fails with; [`Error::Input`] if the bucket is not a directory
/// of this machine, because then the network is measured.
pub fn decode_plan(
    directory: &Path,
    bucket: &BucketChoice,
    (table, seq): (&str, Seq),
) -> Result<DecodeCost> {
    let place = bucket_directory(directory, bucket)?;
    let mut config = Config::new(directory);
    bucket.choose_in(&mut config);
    let database = Database::open(Config { create_if_missing: false, compactor: false, ..config })?;
    let plan = database.plan(table, Target::Seq(seq), &Selection::all())?;
    let meter = Meter::start();
    let (mut bytes, mut rows) = (0, 0);
    // Two ranges of keys may share a row group, and a restore reads it twice.
    let mut decoded = BTreeSet::new();
    for read in plan.files() {
        let entry = &read.file;
        let path = place.join(&entry.name);
        let mut file = File::open(&path).map_err(Error::io("open", &path))?;
        let tail = tail_of(&mut file, &path, entry)?;
        for group in &read.row_groups {
            if !decoded.insert((entry.name.clone(), *group)) {
                continue;
            }
            let range = tail.row_groups()[usize::try_from(*group).expect("64 bits")].range();
            let packed = part(&mut file, &path, range)?;
            bytes += u64::try_from(packed.len()).expect("64 bits");
            let found = tail.decode_row_group(*group, packed.into()).map_err(wrong)?;
            rows += u64::try_from(black_box(found).len()).expect("64 bits");
        }
    }
    let Usage { wall_micros, cpu_micros, .. } = meter.read();
    Ok(DecodeCost { wall_micros, cpu_micros, bytes, rows })
}

fn bucket_directory(directory: &Path, bucket: &BucketChoice) -> Result<PathBuf> {
    match &bucket.url {
        None => Ok(directory.join(foldback::log_tier::names::BUCKET_DIRECTORY)),
        Some(url) => url.strip_prefix("file://").map(PathBuf::from).ok_or_else(|| {
            Error::Input(format!("{url} is no directory of this machine: decode from one"))
        }),
    }
}

fn tail_of(file: &mut File, path: &Path, entry: &HistoryEntry) -> Result<HistoryTail> {
    let tail = part(file, path, entry.tail_offset..entry.bytes)?;
    HistoryTail::decode(entry, tail.into()).map_err(wrong)
}

fn part(file: &mut File, path: &Path, range: std::ops::Range<u64>) -> Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(range.end - range.start).expect("64 bits")];
    file.seek(SeekFrom::Start(range.start)).map_err(Error::io("seek in", path))?;
    file.read_exact(&mut bytes).map_err(Error::io("read", path))?;
    Ok(bytes)
}

fn wrong(error: foldback::log_tier::Error) -> Error {
    Error::Wrong(error.to_string())
}
