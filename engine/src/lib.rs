//! Foldback: an event-sourced storage engine, embedded as a library, that takes any protected
//! table back to any exact instant.
//!
//! State is a fold over events: for each key, the newest event at or below a commit says what the
//! table held then. Writes go to a local log and are synced before they are acknowledged; the log
//! is sealed into Parquet files on object storage; a restore plans which of them it needs, merges
//! them, and loads the state of that instant into a new table. The source is never touched.
//!
//! ```
//! use foldback::{Config, Database, Retention, Selection, Target};
//!
//! let directory = tempfile::tempdir()?;
//! let database = Database::open(Config::new(directory.path()))?;
//! let orders = database.create_table("orders")?;
//! database.protect("orders", Retention::default())?;
//!
//! orders.put("order/1", "two teapots").wait()?;
//! let before = orders.put("order/2", "one kettle").wait()?;
//! orders.delete("order/1").wait()?;
//!
//! let plan = database.plan("orders", Target::Seq(before.seq), &Selection::all())?;
//! database.restore(&plan, "orders-before")?;
//! let restored = database.table("orders-before")?;
//! assert_eq!(restored.get(b"order/1")?.as_deref(), Some(b"two teapots".as_slice()));
//! assert_eq!(orders.get(b"order/1")?, None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod background;
mod backups;
mod batch;
mod bucket_compactor;
mod bucket_look;
mod bucket_reader;
mod catalog;
mod clock;
mod config;
mod database;
mod detached;
mod drill;
mod error;
mod estimate;
mod examination;
mod health;
mod identity;
mod increment;
pub mod instant;
mod key_rewrite;
mod log_writer;
mod past;
mod plan;
mod present;
mod reading;
mod restore;
mod restore_options;
mod restore_rows;
mod schedules;
mod selection;
mod steady_rows;
mod table;
mod table_ref;
mod target;
mod threads;
mod timeline;
mod upkeep;
mod verify;
mod view;

pub use backups::BackupBytes;
pub use batch::{CommitHandle, WriteBatch, WriteOptions};
pub use bucket_compactor::{BucketCompactor, CompactorConfig};
pub use bucket_look::BucketLook;
pub use bucket_reader::BucketReader;
pub use catalog::{
    BackupRecord, KeepRules, Lineage, ProtectionInterval, RestoreActual, RestoreEstimate,
    RestoreOutcome, RestoreRecord, RestoredInto, Retention, RetentionChange, SCHEDULE_SECS_MAX,
    SCHEDULE_SECS_MIN, ScheduleRecord, TableRecord,
};
pub use clock::{Clock, ManualClock, SystemClock, steady_now, steady_wait};
pub use config::{
    BATCH_BYTES_MAX, BATCH_EVENTS_MAX, Config, Durability, KEY_BYTES_MAX, NAME_BYTES_MAX,
    TEXT_BYTES_MAX, VALUE_BYTES_MAX,
};
pub use database::{Database, Opening, Recovery, Status};
pub use detached::{BackupBucket, BackupReader, DeletedBackup};
pub use drill::{Answer, Difference, Drill, DrillOptions, DrillOutcome, DrilledState};
pub use error::{Error, Result};
pub use estimate::{Costs, Estimate, Money};
pub use foldback_compactor::Policy;
pub use foldback_log_tier as log_tier;
pub use foldback_log_tier::remote::{DetachedBackup, PreviousBackup};
pub use foldback_log_tier::{Commit, DatabaseId, KeyRange, Seq, TableId, Timestamp};
pub use key_rewrite::KeyRewrite;
pub use plan::{FileRead, FileUse, PlanPiece, Reason, RestorePlan};
pub use present::{PresentView, Range, Row};
pub use restore::{Progress, Restored};
pub use restore_options::{RestoreOptions, RestoreProtection, RestoreSource};
pub use schedules::{ScheduleRun, ScheduleStanding};
pub use selection::Selection;
pub use table::Table;
pub use table_ref::{TableChoice, TableRef};
pub use target::{Resolved, Target, Window};
pub use verify::{
    Hurt, LevelReport, Share, Verifier, VerifyFinding, VerifyLevel, VerifyOptions, VerifyProgress,
    VerifyReport,
};
pub use view::{View, ViewRows};
