//! `compact | expire`: the upkeep of what is in a bucket, by a process that has its database open,
//! or with the bucket alone.

use std::sync::Arc;
use std::time::Duration;

use foldback::log_tier::manifest::Manifest;
use foldback::{BucketCompactor, Clock, Retention, SystemClock, TableRecord, steady_wait};

use super::Screen;
use crate::config::Settings;
use crate::door::Door;
use crate::error::{Error, Result};
use crate::output::Cell;
use crate::session::{self, bucket_alone};
use crate::span::format_secs;

/// What some upkeep came to.
struct Outcome {
    /// How many jobs were done; `None` where the database's own thread did them.
    jobs: Option<u64>,
    uploaded_bytes: u64,
    deleted_bytes: u64,
}

/// What is told at most once until it changes.
#[derive(Default)]
struct Told {
    held_by: Option<String>,
}

pub(super) fn compact(
    settings: &Settings,
    every: Option<Duration>,
    screen: &mut Screen,
) -> Result<()> {
    match (bucket_alone(settings), every) {
        (Some(url), Some(every)) => compact_in_turns(settings, url, every, screen),
        (Some(url), None) => {
            let mut compactor = session::open_compactor(settings, url)?;
            let (before, outcome) = take_turn(&mut compactor, true)?;
            show(screen, &before, &compactor.manifest(), &outcome)
        }
        (None, Some(_)) => Err(Error::usage(
            "--every makes upkeep a process of its own, which needs the bucket alone: give --bucket \
             URL, and no data directory by flag, variable or file; a process that has the database \
             open does it by itself",
        )),
        (None, None) => {
            let database = open_for_upkeep(settings)?;
            let (before, status) = (database.manifest(), database.status());
            database.compact()?;
            let after = database.status();
            let outcome = Outcome {
                jobs: None,
                uploaded_bytes: after.uploaded_bytes - status.uploaded_bytes,
                deleted_bytes: after.swept_bytes - status.swept_bytes,
            };
            show(screen, &before, &database.manifest(), &outcome)
        }
    }
}

pub(super) fn expire(settings: &Settings, confirm: bool, screen: &mut Screen) -> Result<()> {
    let (door, held_by) = match bucket_alone(settings) {
        Some(url) => {
            let mut compactor = session::open_compactor(settings, url)?;
            if confirm {
                compactor.confirm_clock()?;
            }
            compactor.run(&mut tell_job)?;
            (session::open_bucket(settings, url)?, compactor.horizon_held_by())
        }
        None => {
            let database = open_for_upkeep(settings)?;
            if confirm {
                database.confirm_clock()?;
            }
            database.compact()?;
            let held_by = database.status().horizon_held_by;
            (Door::Database(database), held_by)
        }
    };
    let tables = door.tables();
    let protected: Vec<_> = tables.iter().filter(|table| !table.protection.is_empty()).collect();
    let names = &["table", "retention", "earliest", "first_seq"];
    let mut list = screen.list(names);
    let now = SystemClock.now();
    for table in &protected {
        let windows = door.windows(&table.name)?;
        let first = windows.first();
        list.row(vec![
            Cell::text(Some(&table.name)),
            Cell::text(table.protection.last().map(|last| last.retention_at(now).to_string())),
            first.map_or(Cell::Empty, |window| Cell::Instant(window.earliest)),
            first.map_or(Cell::Empty, |window| Cell::Seq(window.first)),
        ])?;
    }
    list.finish()?;
    screen.flush()?;
    if let Some(reason) = held_by.filter(|_| protected.iter().any(|table| expires(table))) {
        tell_held(&reason);
    }
    Ok(())
}

/// Opens the database, unless its upkeep is another process's.
fn open_for_upkeep(settings: &Settings) -> Result<foldback::Database> {
    if settings.engine.compactor == Some(false) {
        return Err(Error::Refused(
            "compactor = false leaves upkeep to another process, so nothing was done; give --bucket \
             URL and no data directory, here or on any machine, or take that setting out"
                .to_owned(),
        ));
    }
    session::open(settings, false)
}

/// Does the upkeep of a bucket again and again, until the process is ended.
fn compact_in_turns(
    settings: &Settings,
    url: &str,
    every: Duration,
    screen: &mut Screen,
) -> Result<()> {
    let (mut open, mut told) = (None, Told::default());
    let pause = format_secs(every.as_secs());
    eprintln!("foldback: upkeep of {url}, every {pause}; it may be ended at any time");
    let mut anew = true;
    loop {
        let turn = match &mut open {
            Some(compactor) => take_turn_told(compactor, anew, screen),
            closed => session::open_compactor(settings, url)
                .and_then(|compactor| take_turn_told(closed.insert(compactor), anew, screen)),
        };
        anew = turn.is_err();
        match turn {
            Ok(held_by) => told.tell(held_by),
            Err(error) if error.leaves_next_turn() => {
                eprintln!("foldback: {error}; it is tried again in {pause}");
            }
            Err(error) => return Err(error),
        }
        steady_wait(every);
    }
}

/// One turn of many, of which nothing is said if nothing was done; gives what holds expiry back.
fn take_turn_told(
    compactor: &mut BucketCompactor,
    anew: bool,
    screen: &mut Screen,
) -> Result<Option<String>> {
    let (before, outcome) = take_turn(compactor, anew)?;
    if outcome.jobs > Some(0) {
        show(screen, &before, &compactor.manifest(), &outcome)?;
        screen.flush()?;
    }
    Ok(compactor.horizon_held_by())
}

/// Does what is due in a bucket, and tells of each job; looked through and tried anew, or going by
/// what was seen not long ago.
fn take_turn(compactor: &mut BucketCompactor, anew: bool) -> Result<(Arc<Manifest>, Outcome)> {
    let (before, uploaded) = (compactor.manifest(), compactor.traffic().bytes_written);
    let deleted = compactor.swept_bytes();
    let jobs = match anew {
        true => compactor.run(&mut tell_job)?,
        false => compactor.run_due(&mut tell_job)?,
    };
    let outcome = Outcome {
        jobs: Some(jobs),
        uploaded_bytes: compactor.traffic().bytes_written - uploaded,
        deleted_bytes: compactor.swept_bytes() - deleted,
    };
    Ok((before, outcome))
}

fn show(screen: &mut Screen, before: &Manifest, after: &Manifest, done: &Outcome) -> Result<()> {
    let count = |number: usize| Cell::Count(u64::try_from(number).unwrap_or(u64::MAX));
    let bytes = |manifest: &Manifest| manifest.files.iter().map(|file| file.bytes).sum();
    let risen = after.floors.iter().filter(|floor| !before.floors.contains(floor));
    screen.record(&[
        ("jobs", done.jobs.map_or(Cell::Empty, Cell::Count)),
        ("history_files_before", count(before.files.len())),
        ("history_files", count(after.files.len())),
        ("history_bytes_before", Cell::Bytes(bytes(before))),
        ("history_bytes", Cell::Bytes(bytes(after))),
        ("expired_intervals", count(risen.count())),
        ("uploaded_bytes", Cell::Bytes(done.uploaded_bytes)),
        ("deleted_bytes", Cell::Bytes(done.deleted_bytes)),
        ("removed_bytes", Cell::Bytes(after.removed.iter().map(|gone| gone.bytes).sum())),
    ])
}

/// Whether any history of the table is ever given up.
fn expires(table: &TableRecord) -> bool {
    let now = SystemClock.now();
    table.protection.iter().any(|interval| interval.retention_at(now) != Retention::Forever)
}

fn tell_job(job: &str) {
    eprintln!("foldback: {job}");
}

fn tell_held(reason: &str) {
    eprintln!(
        "foldback: expiry is held back: {reason}; everything that can be restored stays so, and only \
         takes room; of a clock that has moved on, check that it is right before you confirm it; an \
         idle database goes on expiring with the next commit that is sealed"
    );
}

impl Told {
    fn tell(&mut self, held_by: Option<String>) {
        if let Some(reason) = held_by.as_ref().filter(|_| held_by != self.held_by) {
            tell_held(reason);
        }
        self.held_by = held_by;
    }
}
