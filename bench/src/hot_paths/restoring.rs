//! Through the whole engine: plans, restores and commits.

use std::path::Path;

use foldback::{Database, Retention, Selection, Target, WriteOptions};

use super::histories::{TABLE, batch_of, config};
use super::{EVENTS, HotWork, KEYS, SEED};
use crate::{Error, Result, W1, W1_BATCH_EVENTS};

/// What a restore is called.
const RESTORED: &str = "restored";

/// Plans a restore of the middle of a history.
pub(super) fn planning(directory: &Path) -> Result<HotWork> {
    let database = Database::open(config(directory).0)?;
    let middle = Target::Seq(foldback::Seq(database.manifest().sealed.seq.0 / 2));
    Ok(Box::new(move || {
        let plan = database.plan(TABLE, middle, &Selection::all())?;
        let files = plan.files().count();
        match files {
            0 => Err(Error::Wrong("a plan reads no file".to_owned())),
            _ => Ok(u64::try_from(files).expect("they are few")),
        }
    }))
}

/// Restores the middle of a history, and drops what came back.
pub(super) fn restoring(directory: &Path) -> Result<HotWork> {
    let database = Database::open(config(directory).0)?;
    let middle = Target::Seq(foldback::Seq(database.manifest().sealed.seq.0 / 2));
    Ok(Box::new(move || {
        let plan = database.plan(TABLE, middle, &Selection::all())?;
        let restored = database.restore(&plan, RESTORED)?;
        database.drop_table(RESTORED)?;
        Ok(restored.rows)
    }))
}

/// Commits the events in batches, a few under way at once.
pub(super) fn committing(directory: &Path) -> Result<HotWork> {
    let database = Database::open(config(directory).0)?;
    let table = database.create_table(TABLE)?;
    database.protect(TABLE, Retention::Forever)?;
    let mut w1 = W1::new(SEED, KEYS);
    let batches: Vec<_> = (0..EVENTS / W1_BATCH_EVENTS).map(|_| w1.batch()).collect();
    Ok(Box::new(move || {
        let write = |events: &Vec<_>| {
            database.write(batch_of(&table, events.clone()), WriteOptions::default())
        };
        let under_way: Vec<_> = batches.iter().map(write).collect();
        for handle in under_way {
            handle.wait()?;
        }
        Ok(EVENTS)
    }))
}
