//! One run of the commit suite, in a process of its own.

use std::collections::VecDeque;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use foldback::{steady_now, steady_wait};

use super::{CommitOutcome, CommitRun, Until};
use crate::{
    Committing, Engine, Error, Fingerprint, Inserts, Latencies, Meter, Result, Usage, as_f64,
};

/// What the writers did.
struct Written {
    /// Batches of each.
    batches: Vec<u64>,
    latencies: Latencies,
}

/// Commits as `run` says, in this process, and checks what is there after the engine was opened
/// again.
///
/// # Errors
///
/// What the engine fails with; [`Error::Wrong`] if it does not hold what it has committed.
pub fn commit_once(run: &CommitRun) -> Result<CommitOutcome> {
    let engine = run.engine.open(&run.directory, &run.settings)?;
    let inserts = run.inserts()?;
    let meter = Meter::start();
    let written = write(engine.as_ref(), run, &inserts)?;
    let answered = meter.read();
    engine.settle()?;
    let settled = meter.read();
    engine.close()?;
    let found = contents(run.engine.open(&run.directory, &run.settings)?)?;
    let expected = inserts.fingerprint(&written.batches);
    if found != expected {
        let name = run.engine.name();
        return Err(Error::Wrong(format!("{name} holds {found:?}, it committed {expected:?}")));
    }
    let Usage { cpu_micros, peak_kib, .. } = settled;
    Ok(CommitOutcome {
        events: expected.rows,
        wall_micros: answered.wall_micros,
        settled_micros: settled.wall_micros,
        cpu_micros,
        peak_kib,
        latency: written.latencies.figures(),
    })
}

fn contents(engine: Box<dyn Engine>) -> Result<Fingerprint> {
    let mut found = Fingerprint::default();
    engine.scan(&[], usize::MAX, &mut |key, value| found.add(key, value))?;
    engine.close()?;
    Ok(found)
}

fn write(engine: &dyn Engine, run: &CommitRun, inserts: &Inserts) -> Result<Written> {
    let ready = Barrier::new(usize::try_from(run.writers).expect("writers are threads"));
    let done: Vec<Result<(u64, Latencies)>> = std::thread::scope(|scope| {
        let start = |number| {
            let ready = &ready;
            scope.spawn(move || {
                ready.wait();
                BatchWriter { engine, run, inserts, number, began: steady_now() }.write()
            })
        };
        let threads: Vec<_> = (0..run.writers).map(start).collect();
        threads.into_iter().map(|it| it.join().expect("a writer does not panic")).collect()
    });
    let mut written = Written { batches: Vec::new(), latencies: Latencies::new() };
    for writer in done {
        let (batches, latencies) = writer?;
        written.batches.push(batches);
        written.latencies.add_all(&latencies);
    }
    Ok(written)
}

/// One of the writers.
struct BatchWriter<'a> {
    engine: &'a dyn Engine,
    run: &'a CommitRun,
    inserts: &'a Inserts,
    number: u64,
    began: Instant,
}

impl BatchWriter<'_> {
    /// Writes until it is told to end, and gives how many batches it wrote.
    fn write(self) -> Result<(u64, Latencies)> {
        let mut latencies = Latencies::new();
        let mut under_way: VecDeque<(Instant, Committing)> = VecDeque::new();
        let mut batches = 0;
        while !self.is_over(batches) {
            let rows = self.inserts.batch(self.number, batches);
            let begun = self.due(batches).map_or_else(steady_now, |due| {
                steady_wait(due.saturating_duration_since(steady_now()));
                due
            });
            let committing = match self.run.under_way {
                1 => self.engine.commit(rows).map(|()| Committing::Done),
                _ => self.engine.hand_over(rows),
            };
            under_way.push_back((begun, committing?));
            batches += 1;
            while under_way.len() as u64 >= self.run.under_way {
                answer(&mut under_way, &mut latencies)?;
            }
        }
        while !under_way.is_empty() {
            answer(&mut under_way, &mut latencies)?;
        }
        Ok((batches, latencies))
    }

    fn is_over(&self, batches: u64) -> bool {
        match self.run.until {
            Until::Millis(millis) => {
                let now = self.due(batches).unwrap_or_else(steady_now);
                now.saturating_duration_since(self.began) >= Duration::from_millis(millis)
            }
            Until::Batches(all) => batches * self.run.writers + self.number >= all,
        }
    }

    /// When a batch is due in an open loop: the writers take turns at the rate that was asked for.
    fn due(&self, batches: u64) -> Option<Instant> {
        let events_per_sec = as_f64(self.run.rate?);
        let before = batches * self.run.writers + self.number;
        let secs = as_f64(before * self.run.batch_events) / events_per_sec;
        Some(self.began + Duration::from_secs_f64(secs))
    }
}

fn answer(
    under_way: &mut VecDeque<(Instant, Committing)>,
    latencies: &mut Latencies,
) -> Result<()> {
    let (begun, committing) = under_way.pop_front().expect("one is under way");
    committing.wait()?;
    latencies.add(begun.elapsed());
    Ok(())
}

#[cfg(test)]
mod tests;
