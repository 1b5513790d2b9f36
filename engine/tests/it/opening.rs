//! What opening refuses, and what it mends: each answer names the place and changes nothing.

mod damage;
mod matching;

use std::path::{Path, PathBuf};
use std::time::Duration;

use foldback::log_tier::names;
use foldback::{Config, Database, Error, Retention};
use tempfile::TempDir;

use crate::support::{State, fast_directory, rows};

/// A directory for one database, and a bucket beside it.
struct Place {
    scratch: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { scratch: fast_directory() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// Settings for a database in the directory `name`, with the bucket that all of them share.
    fn config_in(&self, name: &str) -> Config {
        let bucket = format!("file://{}", self.path("bucket").display());
        let mut config = Config::new(self.path(name)).bucket(bucket);
        // Nothing rolls, is sealed or is flushed unless the test asks for it.
        config.segment_bytes_max = 1024 * 1024;
        config.segment_age_max = Duration::from_secs(86_400);
        config
    }

    fn config(&self) -> Config {
        self.config_in("data")
    }

    fn open(&self) -> Result<Database, Error> {
        Database::open(self.config())
    }

    /// Makes a database of one protected table and one that is not, part of it sealed.
    fn filled(&self) -> Database {
        let database = self.open().expect("it opens");
        database.create_table("kept").expect("the name is free");
        database.protect("kept", Retention::Forever).expect("it is not protected");
        database.create_table("local").expect("the name is free");
        write(&database, 0..40);
        database.seal().expect("the bucket takes it");
        write(&database, 40..60);
        database
    }

    /// The files under one of the places, by name.
    fn files(&self, directory: &str) -> Vec<PathBuf> {
        let mut files: Vec<_> = std::fs::read_dir(self.path(directory))
            .expect("it can be listed")
            .map(|entry| entry.expect("it can be listed").path())
            .collect();
        files.sort();
        files
    }
}

/// Writes the same rows to both tables.
fn write(database: &Database, numbers: std::ops::Range<u32>) {
    for number in numbers {
        for table in ["kept", "local"] {
            let table = database.table(table).expect("it is live");
            let value = format!("value {number} {}", ".".repeat(200));
            table.put(format!("key/{}", number % 17), value).wait().expect("it commits");
        }
    }
}

/// What [`write`] leaves behind.
fn written(numbers: std::ops::Range<u32>) -> State {
    let row = |number: u32| {
        let value = format!("value {number} {}", ".".repeat(200));
        (format!("key/{}", number % 17).into_bytes(), value.into_bytes())
    };
    numbers.map(row).collect()
}

/// The present of both tables, as the database has it.
fn both(database: &Database) -> (State, State) {
    (rows(database, "kept"), rows(database, "local"))
}

/// Flips a bit of a byte of a file.
fn flip(file: &Path, offset: usize) {
    let mut bytes = std::fs::read(file).expect("it can be read");
    bytes[offset] ^= 1;
    std::fs::write(file, bytes).expect("it can be written");
}

/// The directory of a table's tree.
fn tree_of(place: &Place, database: &Database, table: &str) -> PathBuf {
    let id = database.table(table).expect("it is live").id();
    place.path("data").join(names::PRESENT_DIRECTORY).join(id.to_string())
}
