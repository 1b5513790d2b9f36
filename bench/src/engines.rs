//! The engines that commits and reads are measured with, behind one narrow trait.
//!
//! All get the same memory for blocks that were read, [`CACHE_BYTES`], and for what is not flushed
//! yet, in one table, with LZ4 where the engine has it. What else they can be told is left as they
//! come.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{BucketChoice, Error, Result};

#[cfg(feature = "peers")]
mod fjall;
mod foldback;
mod lsm_tree;
#[cfg(feature = "peers")]
mod redb;
#[cfg(feature = "peers-rocksdb")]
mod rocksdb;
#[cfg(feature = "peers")]
mod surrealkv;

/// Memory of each engine for blocks that were read.
pub const CACHE_BYTES: u64 = 64 * 1024 * 1024;
/// Memory of each engine for what is not flushed yet, unless a suite says otherwise.
pub const MEMTABLE_BYTES: u64 = 64 * 1024 * 1024;

/// What all engines are told alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineSettings {
    /// Whether a commit is on stable storage when it is answered; if not, the operating system has
    /// it.
    pub durable: bool,
    /// Bytes of the memtable that takes writes; another one may be flushed meanwhile. Foldback's
    /// setting holds for both together.
    pub memtable_bytes: u64,
    /// Where Foldback's history goes.
    pub bucket: BucketChoice,
}

/// One change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowChange {
    /// The key.
    pub key: Vec<u8>,
    /// Its new value; `None` deletes it.
    pub value: Option<Vec<u8>>,
}

/// Waits for the answer to a batch.
type Answer = Box<dyn FnOnce() -> Result<()> + Send>;

/// A batch that was handed over.
#[must_use = "the batch may fail, which only this tells"]
pub enum Committing {
    /// It is done.
    Done,
    /// It is under way.
    Later(Answer),
}

impl std::fmt::Debug for Committing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Done => "Done",
            Self::Later(_) => "Later",
        })
    }
}

impl Committing {
    /// Returns once the batch is committed, as durably as the engine was opened to.
    ///
    /// # Errors
    ///
    /// What the engine fails with.
    pub fn wait(self) -> Result<()> {
        match self {
            Self::Done => Ok(()),
            Self::Later(answer) => answer(),
        }
    }
}

/// One open engine with one table. Threads share it.
pub trait Engine: Send + Sync {
    /// Commits a batch as a whole, in which each key is at most once.
    ///
    /// # Errors
    ///
    /// What the engine fails with.
    fn commit(&self, changes: Vec<RowChange>) -> Result<()>;

    /// Hands a batch over, for a caller that has others under way meanwhile, if the engine can.
    ///
    /// # Errors
    ///
    /// What the engine fails with.
    fn hand_over(&self, changes: Vec<RowChange>) -> Result<Committing> {
        self.commit(changes).map(|()| Committing::Done)
    }

    /// Shows the value of a key; whether it is there is returned.
    ///
    /// # Errors
    ///
    /// What the engine fails with.
    fn get(&self, key: &[u8], show: &mut dyn FnMut(&[u8])) -> Result<bool>;

    /// Shows up to so many rows, ascending from a key on.
    ///
    /// # Errors
    ///
    /// What the engine fails with.
    fn scan(&self, from: &[u8], rows: usize, show: &mut dyn FnMut(&[u8], &[u8])) -> Result<()>;

    /// Returns once the engine has written, compacted and sealed what it does by itself. What its
    /// newest memtable holds stays there.
    ///
    /// # Errors
    ///
    /// What the engine fails with.
    fn settle(&self) -> Result<()>;

    /// As [`Self::settle`], and has also done what it does when nobody writes for a while.
    ///
    /// # Errors
    ///
    /// What the engine fails with.
    fn rest(&self) -> Result<()> {
        self.settle()
    }

    /// Commits that were replayed when it was opened, where it tells.
    fn replayed_commits(&self) -> Option<u64> {
        None
    }

    /// Closes it, so that all that was committed is there when it is opened again.
    ///
    /// # Errors
    ///
    /// What the engine fails with.
    fn close(self: Box<Self>) -> Result<()>;
}

/// Which engine, by which settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EngineKind {
    /// Foldback by default settings: the table is protected, its bucket on the same disk.
    Foldback,
    /// Foldback, and the table is not protected.
    FoldbackUnprotected,
    /// Foldback with segments so small that one is sealed into the bucket all the time.
    FoldbackSealing,
    /// The tree under Foldback's present and under fjall, without any log.
    LsmTree,
    /// fjall 3.
    Fjall,
    /// RocksDB, the library of the system.
    Rocksdb,
    /// redb.
    Redb,
    /// surrealkv.
    Surrealkv,
}

impl EngineKind {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 8] = [
        Self::Foldback,
        Self::FoldbackUnprotected,
        Self::FoldbackSealing,
        Self::LsmTree,
        Self::Fjall,
        Self::Rocksdb,
        Self::Redb,
        Self::Surrealkv,
    ];

    /// The name that tables and options have.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Foldback => "foldback",
            Self::FoldbackUnprotected => "foldback-unprotected",
            Self::FoldbackSealing => "foldback-sealing",
            Self::LsmTree => "lsm-tree",
            Self::Fjall => "fjall",
            Self::Rocksdb => "rocksdb",
            Self::Redb => "redb",
            Self::Surrealkv => "surrealkv",
        }
    }

    /// The feature that this program must be built with.
    #[must_use]
    pub fn missing_feature(self) -> Option<&'static str> {
        match self {
            Self::Rocksdb if !cfg!(feature = "peers-rocksdb") => Some("peers-rocksdb"),
            Self::Fjall | Self::Redb | Self::Surrealkv if !cfg!(feature = "peers") => Some("peers"),
            _ => None,
        }
    }

    /// Whether it is Foldback.
    #[must_use]
    pub fn is_ours(self) -> bool {
        matches!(self, Self::Foldback | Self::FoldbackUnprotected | Self::FoldbackSealing)
    }

    /// Opens it in a directory, making what is not there.
    ///
    /// # Errors
    ///
    /// What the engine fails with; [`Error::Peer`] if it was not compiled in.
    pub fn open(self, directory: &Path, settings: &EngineSettings) -> Result<Box<dyn Engine>> {
        match self {
            Self::Foldback | Self::FoldbackUnprotected | Self::FoldbackSealing => {
                Ok(Box::new(foldback::FoldbackEngine::open(self, directory, settings)?))
            }
            Self::LsmTree if settings.durable => {
                Err(Error::Peer("lsm-tree has no log that could be synced".to_owned()))
            }
            Self::LsmTree => Ok(Box::new(lsm_tree::LsmTreeEngine::open(directory, settings)?)),
            #[cfg(feature = "peers")]
            Self::Fjall => Ok(Box::new(fjall::FjallEngine::open(directory, settings)?)),
            #[cfg(feature = "peers-rocksdb")]
            Self::Rocksdb => Ok(Box::new(rocksdb::RocksdbEngine::open(directory, settings)?)),
            #[cfg(feature = "peers")]
            Self::Redb => Ok(Box::new(redb::RedbEngine::open(directory, settings)?)),
            #[cfg(feature = "peers")]
            Self::Surrealkv => Ok(Box::new(surrealkv::SurrealkvEngine::open(directory, settings)?)),
            #[cfg(not(feature = "peers-rocksdb"))]
            _ => Err(Error::Peer(format!("{} was not compiled in", self.name()))),
        }
    }
}

impl std::str::FromStr for EngineKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let names = || Self::ALL.map(Self::name).join(", ");
        let found = Self::ALL.into_iter().find(|engine| engine.name() == name);
        found.ok_or_else(|| format!("there is no engine {name}; there are {}", names()))
    }
}

/// What a peer fails with, as an error of the harness.
#[cfg(feature = "peers")]
fn failed(engine: &'static str) -> impl Fn(&dyn std::error::Error) -> Error {
    move |error| Error::Peer(format!("{engine}: {error}"))
}
