//! One part of a run of the start suite, in a process of its own.

use std::collections::VecDeque;

use super::{StartEnd, StartOutcome, StartRun};
use crate::own_process::wait_to_be_killed;
use crate::read::forget_pages;
use crate::{Committing, Engine, Error, Fingerprint, Meter, Random, Result, Usage};

/// Batches that are under way at once, where the engine can do that.
const UNDER_WAY: usize = 64;
/// Keys that are looked for in what was closed.
const PROBES: u64 = 100;

/// Writes all that `run` says, and closes.
///
/// # Errors
///
/// What the engine fails with.
pub fn fill_once(run: &StartRun) -> Result<()> {
    let engine = run.engine.open(&run.directory, &run.settings)?;
    write(engine.as_ref(), run)?;
    engine.settle()?;
    engine.close()
}

/// Writes all that `run` says, and waits to be killed.
///
/// # Errors
///
/// What the engine fails with.
pub fn crash_once(run: &StartRun) -> Result<()> {
    let engine = run.engine.open(&run.directory, &run.settings)?;
    write(engine.as_ref(), run)?;
    wait_to_be_killed()
}

/// Opens what `run` has written, says what that took, and checks what is there: all of it if it was
/// killed, and else some keys.
///
/// # Errors
///
/// What the engine fails with; [`Error::Wrong`] if it does not hold what it has committed.
pub fn open_once(run: &StartRun) -> Result<StartOutcome> {
    if run.end == StartEnd::ClosedCold {
        forget_pages(&run.directory)?;
    }
    let meter = Meter::start();
    let engine = run.engine.open(&run.directory, &run.settings)?;
    let Usage { wall_micros, cpu_micros, peak_kib } = meter.read();
    // The commits that made the table are replayed, too.
    let replayed = engine.replayed_commits();
    let replayed = replayed.map(|commits| commits.min(run.batches) * run.batch_events);
    match run.end {
        StartEnd::Closed | StartEnd::ClosedCold => check_some(engine.as_ref(), run)?,
        StartEnd::Killed => check_all(engine.as_ref(), run)?,
    }
    engine.close()?;
    Ok(StartOutcome { wall_micros, cpu_micros, peak_kib, replayed })
}

fn write(engine: &dyn Engine, run: &StartRun) -> Result<()> {
    let inserts = run.inserts()?;
    let mut under_way: VecDeque<Committing> = VecDeque::new();
    for number in 0..run.batches {
        under_way.push_back(engine.hand_over(inserts.batch(0, number))?);
        if under_way.len() == UNDER_WAY {
            under_way.pop_front().map_or(Ok(()), Committing::wait)?;
        }
    }
    under_way.into_iter().try_for_each(Committing::wait)
}

fn check_all(engine: &dyn Engine, run: &StartRun) -> Result<()> {
    let mut found = Fingerprint::default();
    engine.scan(&[], usize::MAX, &mut |key, value| found.add(key, value))?;
    let expected = run.inserts()?.fingerprint(&[run.batches]);
    match found == expected {
        true => Ok(()),
        false => {
            let name = run.engine.name();
            Err(Error::Wrong(format!("{name} holds {found:?}, it committed {expected:?}")))
        }
    }
}

fn check_some(engine: &dyn Engine, run: &StartRun) -> Result<()> {
    let (inserts, mut random) = (run.inserts()?, Random::new(run.seed));
    let last = run.batches.saturating_sub(1);
    let drawn = (0..PROBES).map(|_| random.below(run.batches));
    // The newest events are the ones that a closing may lose.
    for number in [last].into_iter().chain(drawn) {
        for row in inserts.batch(0, number) {
            let mut is_right = false;
            engine.get(&row.key, &mut |value| is_right = row.value.as_deref() == Some(value))?;
            if !is_right {
                let key = row.key.escape_ascii();
                return Err(Error::Wrong(format!("batch {number} has lost key \"{key}\"")));
            }
        }
    }
    Ok(())
}
