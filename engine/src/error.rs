//! What can go wrong for a user of the engine, one variant for each way to react.

use foldback_log_tier::{Commit, DatabaseId, Seq, Timestamp};

use crate::instant;

/// The result of anything in the engine that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the engine. Whatever it says, nothing was half done: a call that returns an error
/// has changed nothing, unless its variant says otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The name is taken by a live table.
    #[error("table {name:?} exists already; nothing was changed; choose another name, or drop it")]
    TableExists {
        /// The name asked for.
        name: String,
    },
    /// No live table has this name.
    #[error("there is no table {name:?}{}", did_you_mean("table list", near))]
    TableNotFound {
        /// The name, or the id, asked for.
        name: String,
        /// Names that resemble it.
        near: Vec<String>,
    },
    /// Several tables have had this name, and none of them then.
    #[error(
        "no table had the name {name:?} at {asked}, but {} had it at other times: {}; nothing was \
         read or changed; ask for an instant that one of them has, or name it by its id (`--id`)",
        counted(choices.len()), choices.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    )]
    WhichTable {
        /// The name asked for.
        name: String,
        /// The target, as it was asked for.
        asked: String,
        /// The tables that have the name, or had it and can still be restored.
        choices: Vec<crate::TableChoice>,
    },
    /// The table has no history, so there is nothing to restore it from.
    #[error(
        "table {name:?} is not protected, so it has no restorable instants; `protect` starts its \
         history now, and nothing before that can be brought back"
    )]
    NotProtected {
        /// The table.
        name: String,
    },
    /// Protection was asked for a table that has it.
    #[error("table {name:?} is protected already; nothing was changed")]
    AlreadyProtected {
        /// The table.
        name: String,
    },
    /// The name is taken by a backup.
    #[error(
        "backup {name:?} exists already; nothing was changed; choose another name, or delete it"
    )]
    BackupExists {
        /// The name asked for.
        name: String,
    },
    /// No backup has this name.
    #[error("there is no backup {name:?}{}", did_you_mean("backup list", near))]
    BackupNotFound {
        /// The name asked for.
        name: String,
        /// Names that resemble it.
        near: Vec<String>,
    },
    /// The name is taken by a schedule.
    #[error(
        "schedule {name:?} exists already; nothing was changed; choose another name, or delete it"
    )]
    ScheduleExists {
        /// The name asked for.
        name: String,
    },
    /// No schedule has this name.
    #[error("there is no schedule {name:?}{}", did_you_mean("backup schedule list", near))]
    ScheduleNotFound {
        /// The name asked for.
        name: String,
        /// Names that resemble it.
        near: Vec<String>,
    },
    /// It is not certain that the state of a backup is kept.
    #[error(
        "backup {name:?} is not finished: it is being made, or its making was cut off; nothing was \
         read; if nobody is making it, delete it and make it again"
    )]
    BackupUnfinished {
        /// The backup.
        name: String,
    },
    /// A state was given up while something was made of it.
    #[error(
        "the state of table {table:?} at #{} was given up by expiry while backup {name:?} of it was \
         made; there is no such backup; make one of a later instant, well above the earliest",
        target.seq
    )]
    GivenUp {
        /// The backup.
        name: String,
        /// The table.
        table: String,
        /// The commit that was asked for.
        target: Commit,
    },
    /// No restorable instant is the one asked for.
    #[error(
        "table {table:?} cannot be restored to {asked}: {}; nothing was read or changed",
        instant::windows(windows)
    )]
    OutsideWindow {
        /// The table.
        table: String,
        /// The target, as it was asked for.
        asked: String,
        /// The restorable windows of the table, in order.
        windows: Vec<crate::Window>,
    },
    /// The target lies after the present, so its state is not known yet.
    #[error("{asked} lies in the future: it is {} now; nothing was read or changed", instant::show(*now))]
    InFuture {
        /// The target, as it was asked for.
        asked: String,
        /// The latest instant that can be asked for.
        now: Timestamp,
    },
    /// The commit asked for has not been made yet.
    #[error("there is no commit #{asked} yet: the last is #{last}; nothing was read or changed")]
    NoSuchCommit {
        /// The commit asked for.
        asked: Seq,
        /// The last commit.
        last: Seq,
    },
    /// Whoever reads a bucket alone asked for an instant or a commit that is not sealed, or of
    /// which a commit that is not sealed may be part.
    #[error(
        "{asked} is not in the bucket yet: it holds commits up to #{}, at {}, and a later one may be \
         stamped at that instant too; nothing was read or changed; ask for the latest, for #{} or \
         for an earlier instant, or read again once the database has sealed more, which the process \
         that has it open does by itself, and `seal` at once",
        sealed.seq, instant::show(sealed.timestamp), sealed.seq
    )]
    NotSealed {
        /// The target, as it was asked for.
        asked: String,
        /// The last commit that the bucket holds.
        sealed: Commit,
    },
    /// A bucket that was opened for reading holds nothing to read.
    #[error(
        "bucket {bucket} {what}, so there is nothing to read; nothing was changed; check its name \
         and prefix, and that a database has been opened with it"
    )]
    NoHistory {
        /// The bucket's URL.
        bucket: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The request can't be right, whatever the state of the database.
    #[error("{0}; nothing was changed")]
    Invalid(String),
    /// A key, a value or a batch is over its limit.
    #[error("{what} has {bytes} bytes, {bytes_max} is the most; nothing was changed")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large it is.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// A batch with a time of its own is older than the last commit.
    #[error(
        "time never goes back within a database: the batch is stamped {}, the last commit, seq \
         {last_seq}, {}; nothing was written; import a past history into a fresh database",
        instant::show(*asked), instant::show(*last)
    )]
    TimeGoesBack {
        /// The time the batch came with.
        asked: Timestamp,
        /// The time of the last commit.
        last: Timestamp,
        /// The last commit.
        last_seq: Seq,
    },
    /// The bucket prefix holds another database's history.
    #[error(
        "bucket {bucket} belongs to database {theirs}, and {directory} holds database {ours}; \
         nothing was changed in either; give each database a bucket or a prefix of its own"
    )]
    ForeignBucket {
        /// The bucket's URL.
        bucket: String,
        /// The local directory.
        directory: String,
        /// The database of the bucket.
        theirs: DatabaseId,
        /// The database of the local directory.
        ours: DatabaseId,
    },
    /// The local directory holds no database, and none is to be made.
    #[error(
        "{directory} holds no database; nothing was changed; check its name, make a database there \
         by creating a table, or bring one back from its bucket with `recover`"
    )]
    NoDatabase {
        /// The local directory.
        directory: String,
    },
    /// The local directory is empty, but the bucket is not.
    #[error(
        "{directory} is empty, but bucket {bucket} holds the history of database {theirs} up to \
         seq {sealed}; nothing was changed; run `recover` to rebuild it here, or give the new \
         database a bucket or a prefix of its own"
    )]
    BucketHoldsHistory {
        /// The bucket's URL.
        bucket: String,
        /// The local directory.
        directory: String,
        /// The database of the bucket.
        theirs: DatabaseId,
        /// The last commit that its history covers.
        sealed: Seq,
    },
    /// Whoever watched a restore, or the making of a backup, has ended it.
    #[error("cancelled; what there was of it was removed, and nothing else was changed")]
    Cancelled,
    /// A restore is done, and the bucket did not take what makes it safe.
    #[error(
        "restored and visible, but not yet safe from the loss of this machine: {tables}; nothing \
         needs to be restored again; once the bucket can be reached, an open database writes the \
         base by itself, and `seal` at once; the bucket did not take it: {source}"
    )]
    RestoredUnsealed {
        /// The new tables.
        tables: String,
        /// What the bucket said.
        source: Box<Error>,
    },
    /// Bytes that the database needs are gone, here or in the bucket.
    #[error("{0}")]
    Lost(String),
    /// An earlier failure stopped all writing; reads go on.
    #[error(
        "the database has halted: {reason}; every acknowledged commit is safe, a write that got \
         this answer may or may not have been kept; reads go on; reopen it to write again"
    )]
    Halted {
        /// What happened.
        reason: String,
    },
    /// The database is being closed.
    #[error("the database is closed")]
    Closed,
    /// The log, the history or the bucket.
    #[error(transparent)]
    Tier(#[from] foldback_log_tier::Error),
    /// The present: the local trees that answer reads.
    #[error("the present of table {table} cannot be {action}: {source}")]
    Present {
        /// The table's id.
        table: foldback_log_tier::TableId,
        /// What was being done to it.
        action: &'static str,
        /// What the tree said.
        source: lsm_tree::Error,
    },
}

fn counted(tables: usize) -> String {
    match tables {
        1 => "one".to_owned(),
        several => several.to_string(),
    }
}

fn did_you_mean(list: &str, near: &[String]) -> String {
    match near {
        [] => format!("; `{list}` shows what there is"),
        names => format!("; did you mean {}?", names.join(", ")),
    }
}

impl Error {
    /// Whether the disk of the data directory refused something for a table's present: it is full,
    /// or it fails. No bytes are damaged by that.
    #[must_use]
    pub const fn is_of_local_disk(&self) -> bool {
        matches!(self, Self::Present { source: lsm_tree::Error::Io(_), .. })
    }
}
