//! Where settings come from: flags, then environment variables, then a TOML file.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{Error, Result};

mod names;
#[cfg(test)]
mod tests;

/// The configuration file that is read, where it exists, when none is named.
pub(crate) const CONFIG_FILE_DEFAULT: &str = "foldback.toml";

/// The commands that a bucket alone is enough for.
const BUCKET_COMMANDS: &str = "table list, table describe, window, resolve, plan, export, get and scan with --as-of, map, \
     status, verify, drill, compact and expire";

/// No configuration is this large; a file that is was named by mistake.
const CONFIG_BYTES_MAX: u64 = 1024 * 1024;

/// The settings that every command takes as flags or from the environment.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct SettingsArgs {
    /// Local directory of the database.
    #[arg(long, value_name = "DIR", env = "FOLDBACK_DATA", global = true)]
    pub(crate) data: Option<PathBuf>,

    /// Bucket of the database: file:///abs/dir, memory:///name, s3://bucket/prefix. Without --data,
    /// commands that only read history read what is sealed there, and compact and expire tend it.
    #[arg(long, value_name = "URL", env = "FOLDBACK_BUCKET", global = true)]
    pub(crate) bucket: Option<String>,

    /// Configuration file (TOML); ./foldback.toml is read where it exists.
    #[arg(long, value_name = "FILE", env = "FOLDBACK_CONFIG", global = true)]
    pub(crate) config: Option<PathBuf>,
}

/// The settings in force: a flag wins over the environment, and that over the file. What is
/// `None` was said nowhere, and the engine's own default holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Settings {
    /// Local directory of the database; see [`Settings::require_data`].
    pub(crate) data: Option<PathBuf>,
    /// URL of the bucket.
    pub(crate) bucket: Option<String>,
    /// Options of the object store by the names it knows them by, from the table `[s3]`. Those
    /// that an `AWS_*` variable says too are left out, so that the environment wins.
    pub(crate) store_options: BTreeMap<String, String>,
    /// The table `[engine]`.
    pub(crate) engine: EngineSettings,
    /// The configuration file that was read.
    pub(crate) file: Option<PathBuf>,
}

/// The table `[engine]` of the configuration file.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EngineSettings {
    /// A segment is rolled before it grows past this many bytes.
    pub(crate) segment_bytes_max: Option<u64>,
    /// A segment with something in it is rolled and sealed once it is this old.
    pub(crate) segment_age_max_secs: Option<u64>,
    /// When a write counts as done.
    pub(crate) durability: Option<DurabilitySetting>,
    /// Memory for blocks of the present that were read.
    pub(crate) block_cache_bytes: Option<u64>,
    /// Memory for decoded pieces of history that views have read.
    pub(crate) history_cache_bytes: Option<u64>,
    /// Memory for events that the present holds unflushed.
    pub(crate) memtable_bytes_max: Option<u64>,
    /// Declares that no other process writes to the bucket, for stores without conditional puts.
    #[serde(default)]
    pub(crate) single_writer: bool,
    /// Whether a process that opens the database does the upkeep too: merges, folds, expires,
    /// sweeps.
    pub(crate) compactor: Option<bool>,
    /// A table is folded once the deltas above its base have this many times its bytes.
    pub(crate) fold_ratio: Option<f64>,
    /// Nothing is folded for fewer bytes of deltas than this.
    pub(crate) fold_bytes_min: Option<u64>,
    /// A table is folded, however few their bytes, once so many deltas above its base hold it.
    pub(crate) fold_files_max: Option<usize>,
    /// So many adjacent deltas of about one size become one.
    pub(crate) merge_fanout: Option<usize>,
    /// Deltas are not merged beyond this size, and base files are cut there.
    pub(crate) file_bytes_target: Option<u64>,
    /// How long a file stays in the bucket once nothing needs it.
    pub(crate) grace_secs: Option<u64>,
    /// How long a shorter retention waits, so that it can be taken back.
    pub(crate) shortening_undo_secs: Option<u64>,
}

/// When a write counts as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DurabilitySetting {
    /// On stable storage.
    Synced,
    /// Handed to the operating system.
    Buffered,
}

/// The configuration file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    data: Option<PathBuf>,
    bucket: Option<String>,
    #[serde(default)]
    s3: BTreeMap<String, StoreOption>,
    #[serde(default)]
    engine: EngineSettings,
}

/// A value of the table `[s3]`: the store takes all of them as text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum StoreOption {
    Switch(bool),
    Text(String),
}

impl Settings {
    /// The settings in force for `arguments`, in which clap has put flags over variables already.
    /// `is_set` says whether an environment variable is set.
    pub(crate) fn load(arguments: &SettingsArgs, is_set: impl Fn(&str) -> bool) -> Result<Self> {
        let path = match &arguments.config {
            Some(path) => Some(path.clone()),
            None => Some(PathBuf::from(CONFIG_FILE_DEFAULT)).filter(|path| path.exists()),
        };
        let Some(path) = path else { return Ok(Self::merge(arguments, None)) };
        let text = read_config(&path)?;
        let mut file = parse_config(&path, &text)?;
        file.s3.retain(|name, _| !names::environment_says(name, &is_set));
        Ok(Self::merge(arguments, Some((path, file))))
    }

    /// The local directory, or an error that says the three ways to name it, and what can be done
    /// without.
    pub(crate) fn require_data(&self) -> Result<&Path> {
        self.data.as_deref().ok_or_else(|| {
            let ways = format!(
                "give --data DIR, set FOLDBACK_DATA, or write data = \"DIR\" in {}",
                self.file_shown()
            );
            Error::usage(match &self.bucket {
                None => format!("no database is named: {ways}"),
                Some(bucket) => format!(
                    "this command needs a database's local directory, and only bucket {bucket} is \
                     named: {ways}; a bucket alone is enough for {BUCKET_COMMANDS}"
                ),
            })
        })
    }

    /// The bucket, or an error that says the three ways to name it.
    pub(crate) fn require_bucket(&self) -> Result<&str> {
        self.bucket.as_deref().ok_or_else(|| {
            Error::usage(format!(
                "no bucket is named: give --bucket URL, set FOLDBACK_BUCKET, or write bucket = \
                 \"URL\" in {}",
                self.file_shown()
            ))
        })
    }

    fn merge(arguments: &SettingsArgs, read: Option<(PathBuf, ConfigFile)>) -> Self {
        let (path, file) =
            read.map_or((None, ConfigFile::default()), |(path, file)| (Some(path), file));
        // A relative directory in a file means the same whichever directory the command is
        // started in, so it is taken from where the file is.
        let beside = path.as_deref().and_then(Path::parent).unwrap_or(Path::new("")).to_owned();
        // Options of S3 in the file say nothing about another bucket that this one command names.
        let named = arguments.bucket.as_deref();
        let options =
            if named.is_none_or(|url| url.starts_with("s3:")) { file.s3 } else { BTreeMap::new() };
        let store_options = options.into_iter().map(|(name, option)| {
            let text = match option {
                StoreOption::Switch(on) => on.to_string(),
                StoreOption::Text(text) => text,
            };
            (names::store_key(&name), text)
        });
        Self {
            data: arguments.data.clone().or_else(|| file.data.map(|data| beside.join(data))),
            bucket: arguments.bucket.clone().or(file.bucket),
            store_options: store_options.collect(),
            engine: file.engine,
            file: path,
        }
    }

    fn file_shown(&self) -> String {
        let default = || CONFIG_FILE_DEFAULT.to_owned();
        self.file.as_ref().map_or_else(default, |file| file.display().to_string())
    }
}

fn read_config(path: &Path) -> Result<String> {
    // Whatever the operating system says: it is the setting that named this file which is wrong.
    let refuse = |error: std::io::Error| {
        Error::usage(format!("cannot read configuration file {}: {error}", path.display()))
    };
    let file = std::fs::File::open(path).map_err(refuse)?;
    let mut text = String::new();
    file.take(CONFIG_BYTES_MAX + 1).read_to_string(&mut text).map_err(refuse)?;
    if text.len() as u64 > CONFIG_BYTES_MAX {
        return Err(Error::usage(format!(
            "{} is over {CONFIG_BYTES_MAX} bytes, so it is no configuration file: check --config",
            path.display()
        )));
    }
    Ok(text)
}

fn parse_config(path: &Path, text: &str) -> Result<ConfigFile> {
    let refuse = |error: toml::de::Error| Error::Config {
        file: path.to_path_buf(),
        line: error.span().map_or(1, |span| line_of(text, span.start)),
        reason: error.message().to_owned(),
    };
    let document = toml::de::DeTable::parse(text).map_err(refuse)?;
    if let Some(unknown) = names::first_unknown(document.get_ref()) {
        return Err(Error::Config {
            file: path.to_path_buf(),
            line: line_of(text, unknown.offset),
            reason: unknown.reason,
        });
    }
    toml::from_str(text).map_err(refuse)
}

/// The line, from 1, that the byte at `offset` stands on.
fn line_of(text: &str, offset: usize) -> u64 {
    let before = text.as_bytes().iter().take(offset);
    1 + before.filter(|byte| **byte == b'\n').count() as u64
}
