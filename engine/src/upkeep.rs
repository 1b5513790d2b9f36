//! Upkeep: the jobs that keep history small and quick to restore from, by whoever does them.
//!
//! They need the bucket alone, so the writer's process does them in the background, and a process
//! of its own can do them from another machine.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use foldback_compactor::{
    Change, Duty, Expiry, FoldInputs, HistoryReader, Interval, Job, JobInputs, Kept, LeaseGuard,
    Making, Network, Pace, Pin, Policy, Publisher, Reading, Surroundings, Sweeping, next_job,
};
use foldback_log_tier::manifest::{HistoryEntry, Manifest};
use foldback_log_tier::{Error as TierError, Seq, Timestamp, names};

use crate::catalog::Catalog;
use crate::clock::{Clock, steady_now};
use crate::{Error, Result};

/// How long what the bucket was seen to hold is gone by.
const LOOK_AGE_MAX: Duration = Duration::from_secs(60);
/// How often the bucket is searched for objects that no manifest lists.
const SEARCH_EVERY: Duration = Duration::from_secs(3600);
/// A job that reads more than this holds a lease: it can last longer than the grace.
const LEASE_BYTES_MIN: u64 = 16 * 1024 * 1024;

/// What jobs are done with.
#[derive(Debug)]
pub(crate) struct Tools {
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) history: Arc<HistoryReader>,
    pub(crate) network: Arc<Network>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) policy: Policy,
    pub(crate) accounts: Accounts,
    /// When long jobs give way, and when all of them leave off.
    pub(crate) pace: Arc<Pace>,
}

/// What has been done since the database was opened, and what is being done.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    /// Bytes of deltas that were sealed.
    pub(crate) sealed_bytes: AtomicU64,
    /// Bytes of history files that no manifest lists, when the bucket was last searched.
    pub(crate) orphan_bytes: AtomicU64,
    /// Bytes of objects that were deleted.
    pub(crate) swept_bytes: AtomicU64,
    /// The job that is under way.
    job: Mutex<Option<String>>,
    /// The oldest manifest that a lease holds on to, when the bucket was last looked at.
    oldest_leased: Mutex<Option<u64>>,
}

impl Accounts {
    pub(crate) fn job(&self) -> Option<String> {
        self.job.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn oldest_leased(&self) -> Option<u64> {
        *self.oldest_leased.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn show_job(&self, job: Option<String>) {
        *self.job.lock().unwrap_or_else(PoisonError::into_inner) = job;
    }
}

impl Tools {
    /// What files are made for from now on.
    pub(crate) fn making(&self) -> Making {
        let newest = self.publisher.newest();
        Making { database: newest.database, born: newest.number }
    }

    pub(crate) fn reading(&self, making: Making) -> Reading<'_> {
        Reading { history: &self.history, network: &self.network, making, pace: &self.pace }
    }

    /// Publishes a change to the newest manifest.
    pub(crate) fn publish(&self, change: Change) -> Result<()> {
        let (publisher, now) = (Arc::clone(&self.publisher), self.clock.now());
        Ok(self.network.run(async move { publisher.publish(&change, now).await })?)
    }

    /// Publishes again what the bucket gave no clear answer to; says whether there was any.
    pub(crate) fn settle(&self) -> Result<bool> {
        let publisher = Arc::clone(&self.publisher);
        Ok(self.network.run(async move { publisher.settle().await })?)
    }

    /// Reads the newest manifest, whoever published it.
    pub(crate) fn refresh(&self) -> Result<Arc<Manifest>> {
        let publisher = Arc::clone(&self.publisher);
        Ok(self.network.run(async move { publisher.refresh().await })?)
    }

    /// Holds on to what a manifest lists.
    pub(crate) fn lease(&self, manifest: u64, holder: &str) -> Result<LeaseGuard> {
        let database = self.publisher.newest().database;
        let remote = self.publisher.remote();
        Ok(LeaseGuard::take(&self.network, remote, database, manifest, holder)?)
    }
}

/// What jobs are decided on: a manifest, and the protection intervals and pins as of what it has
/// sealed.
/// Never one with the other of another moment: the rows of an interval that is not known yet would
/// be taken for garbage.
#[derive(Clone, Debug)]
pub(crate) struct Ground {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) intervals: Vec<Interval>,
    pub(crate) pins: Vec<Pin>,
}

impl Ground {
    /// What is decided on by this manifest and catalog, which is no older.
    pub(crate) fn new(manifest: Arc<Manifest>, catalog: &Catalog) -> Self {
        let sealed = manifest.sealed.seq;
        Self { manifest, intervals: catalog.intervals(sealed), pins: catalog.pins(sealed) }
    }
}

/// Decides on jobs, does them, and remembers between them what it takes to decide.
#[derive(Debug)]
pub(crate) struct Upkeep {
    tools: Arc<Tools>,
    around: Option<(Instant, Surroundings)>,
    searched: Option<Instant>,
    /// Files that could not be read, and why: what can be done without them is done.
    avoid: BTreeMap<String, String>,
}

impl Upkeep {
    pub(crate) fn new(tools: Arc<Tools>) -> Self {
        // Processes that are short-lived need not search the bucket each time they start.
        Self { tools, around: None, searched: Some(steady_now()), avoid: BTreeMap::new() }
    }

    /// Why something is not done, while a file that can't be read is in use.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.avoid.values().next().cloned()
    }

    /// Forgets what it has seen, so that the next step looks, searches and tries anew.
    pub(crate) fn start_over(&mut self) {
        self.around = None;
        self.searched = None;
        self.avoid.clear();
    }

    /// The next job, if anything is to be done.
    pub(crate) fn next(&mut self, ground: &Ground) -> Option<Job> {
        let is_old = |(seen, _): &mut (Instant, Surroundings)| seen.elapsed() >= LOOK_AGE_MAX;
        self.around.take_if(is_old);
        if self.searched.is_none_or(|searched| searched.elapsed() >= SEARCH_EVERY) {
            return Some(Job::Look);
        }
        let listed = |name: &String| ground.manifest.files.iter().any(|file| file.name == *name);
        self.avoid.retain(|name, _| listed(name));
        let avoid: BTreeSet<_> = self.avoid.keys().cloned().collect();
        next_job(JobInputs {
            duty: Duty::Upkeep,
            manifest: &ground.manifest,
            segments: &[],
            intervals: &ground.intervals,
            pins: &ground.pins,
            policy: self.tools.policy,
            now: self.tools.clock.now(),
            around: self.around.as_ref().map(|(_, around)| around),
            avoid: &avoid,
        })
    }

    /// Does a job. One whose ground others have changed is left off without an error: the next
    /// decision is made on what they published.
    pub(crate) fn run(&mut self, job: Job, ground: &Ground) -> Result<()> {
        tracing::debug!(?job, "job begins");
        self.tools.accounts.show_job(Some(describe(&job)));
        let inputs: Vec<_> = inputs_of(&job).map(|file| file.name.clone()).collect();
        let done = self.run_shown(job, ground);
        self.tools.accounts.show_job(None);
        match done {
            Err(Error::Tier(TierError::Superseded)) => self.tools.refresh().map(drop),
            Err(Error::Tier(TierError::Missing { object })) => {
                // Another process was faster, or the object is lost: the newest manifest tells.
                let newest = self.tools.refresh()?;
                let is_manifest = names::parse_manifest(&object).is_some();
                if !is_manifest && !newest.files.iter().any(|file| file.name == object) {
                    return Ok(());
                }
                self.avoid_from_now_on(object.clone(), TierError::Missing { object })
            }
            Err(Error::Tier(TierError::Corrupt { file, offset, reason })) => {
                let error = TierError::Corrupt { file: file.clone(), offset, reason };
                match inputs.contains(&file) {
                    true => self.avoid_from_now_on(file, error),
                    false => Err(error.into()),
                }
            }
            done => done,
        }
    }

    /// No other job is to fail by this file: what can be done without it is done.
    fn avoid_from_now_on(&mut self, file: String, error: TierError) -> Result<()> {
        self.avoid.insert(file, error.to_string());
        Err(error.into())
    }

    /// Whether others have taken away what a job that may last is made of. It also makes sure that
    /// what comes of it is not born so early that it is condemned already.
    fn is_outdated(&self, job: &Job) -> Result<bool> {
        let mut inputs = inputs_of(job).peekable();
        if inputs.peek().is_none() {
            return Ok(false);
        }
        let newest = self.tools.refresh()?;
        let listed: BTreeSet<_> = newest.files.iter().map(|file| &file.name).collect();
        Ok(inputs.any(|file| !listed.contains(&file.name)))
    }

    fn run_shown(&mut self, job: Job, ground: &Ground) -> Result<()> {
        if self.is_outdated(&job)? {
            return Ok(());
        }
        match job {
            Job::Look => self.look(),
            Job::Expire(expiry) => {
                let given_up = expiry.dropped.len();
                self.tools.publish(Change::Expire(expiry))?;
                tracing::info!(files = given_up, "expired");
                Ok(())
            }
            Job::Sweep(sweeping) => self.sweep(sweeping),
            Job::Merge(deltas) => self.merge(&deltas, ground),
            Job::Fold(inputs) => self.fold(&inputs),
            Job::Seal(_) | Job::Base(_) => unreachable!("upkeep has no such jobs"),
        }
    }

    /// Asks the bucket for its clock, leases and objects.
    fn look(&mut self) -> Result<()> {
        let manifest = self.tools.refresh()?;
        let (remote, looked_on) = (self.tools.publisher.remote().clone(), manifest.number);
        let seen = self.tools.network.run(async move { look(&remote, looked_on).await })?;
        let listed: BTreeSet<_> = manifest
            .files
            .iter()
            .map(|file| &file.name)
            .chain(manifest.removed.iter().map(|removed| &removed.name))
            .collect();
        let orphans = seen.history.iter().filter(|object| !listed.contains(&object.name));
        let bytes = orphans.map(|object| object.bytes).sum();
        let accounts = &self.tools.accounts;
        accounts.orphan_bytes.store(bytes, Ordering::Relaxed);
        *accounts.oldest_leased.lock().unwrap_or_else(PoisonError::into_inner) =
            seen.oldest_leased();
        self.around = Some((steady_now(), seen));
        self.searched = Some(steady_now());
        Ok(())
    }

    /// Condemns what is swept, and deletes it once that is published.
    fn sweep(&mut self, sweeping: Sweeping) -> Result<()> {
        let Sweeping { decided_on, through, forgotten, objects, bytes } = sweeping;
        // What was seen is gone by once only: the next sweep looks again.
        self.around = None;
        self.tools.publish(Change::Sweep { decided_on, through, forgotten })?;
        let (remote, count) = (self.tools.publisher.remote().clone(), objects.len());
        match self.tools.network.run(async move { remote.delete(&objects).await }) {
            Ok(()) => {
                let accounts = &self.tools.accounts;
                accounts.swept_bytes.fetch_add(bytes, Ordering::Relaxed);
                accounts.orphan_bytes.store(0, Ordering::Relaxed);
                tracing::info!(objects = count, bytes, "swept");
            }
            // A bucket may forbid it for a time. What stays is an orphan, and is found again.
            Err(error) => tracing::warn!(%error, "some objects could not be deleted; they stay"),
        }
        Ok(())
    }

    fn merge(&self, deltas: &[HistoryEntry], ground: &Ground) -> Result<()> {
        let making = self.tools.making();
        let _lease = self.lease_for(making, deltas.iter(), "merging deltas")?;
        let kept = Kept::new(&ground.manifest, &ground.intervals, &ground.pins);
        let leaves_out = |table, seqs: RangeInclusive<Seq>| !kept.needs_rows(table, &seqs);
        let output =
            foldback_compactor::merge_deltas(self.tools.reading(making), deltas, &leaves_out)?;
        let inputs = deltas.iter().map(|delta| delta.name.clone()).collect();
        self.tools.publish(Change::Replace { inputs, output })
    }

    fn fold(&self, inputs: &FoldInputs) -> Result<()> {
        let making = self.tools.making();
        let files = inputs.base.iter().chain(&inputs.deltas);
        let _lease = self.lease_for(making, files, "folding a base")?;
        let files = foldback_compactor::fold(self.tools.reading(making), inputs)?;
        let FoldInputs { table, keys, floor, base, .. } = inputs.clone();
        let inputs = base.into_iter().map(|file| file.name).collect();
        self.tools.publish(Change::Fold { table, keys, floor, inputs, files })
    }

    /// A lease for a job that may last.
    fn lease_for<'a>(
        &self,
        making: Making,
        files: impl Iterator<Item = &'a HistoryEntry>,
        holder: &str,
    ) -> Result<Option<LeaseGuard>> {
        let bytes: u64 = files.map(|file| file.bytes).sum();
        let lasts = bytes >= LEASE_BYTES_MIN;
        lasts.then(|| self.tools.lease(making.born, holder)).transpose()
    }
}

async fn look(
    remote: &foldback_log_tier::remote::RemoteLog,
    looked_on: u64,
) -> Result<Surroundings, TierError> {
    let manifests = remote.list_with_times(names::MANIFEST_PREFIX).await?;
    let newest = manifests.iter().filter_map(|object| names::parse_manifest(&object.name)).max();
    if newest.is_none_or(|newest| newest < looked_on) {
        // Somebody has emptied the bucket, or put another one in its place.
        return Err(TierError::Missing { object: names::manifest(looked_on) });
    }
    let mut scratch = remote.list_with_times(names::PROBE_PREFIX).await?;
    scratch.extend(remote.list_with_times(names::CLOCK_PREFIX).await?);
    Ok(Surroundings {
        looked_on,
        store_now: remote.store_now().await?,
        leases: remote.leases().await?,
        manifests,
        history: remote.list_with_times(names::HISTORY_PREFIX).await?,
        scratch,
    })
}

/// The job in a few words, for whoever watches.
pub(crate) fn describe(job: &Job) -> String {
    let bytes = |files: &mut dyn Iterator<Item = &HistoryEntry>| -> u64 {
        files.map(|file| file.bytes).sum()
    };
    match job {
        Job::Seal(segment) => format!("sealing commits #{} to #{}", segment.first, segment.last),
        Job::Base(table) => format!("writing the first base of table {table}"),
        Job::Look => "looking through the bucket".to_owned(),
        Job::Expire(expiry) if *expiry == Expiry::tick(expiry.decided_on) => {
            "moving expiry's clock on".to_owned()
        }
        Job::Expire(expiry) => format!("giving up {} files", expiry.dropped.len()),
        Job::Sweep(sweeping) => format!("deleting {} objects", sweeping.objects.len()),
        Job::Merge(deltas) => {
            let bytes = bytes(&mut deltas.iter());
            format!("merging {} deltas of {bytes} bytes", deltas.len())
        }
        Job::Fold(FoldInputs { table, base, deltas, at, .. }) => {
            let bytes = bytes(&mut base.iter().chain(deltas));
            format!("folding table {table} at #{} from files of {bytes} bytes", at.seq)
        }
    }
}

fn inputs_of(job: &Job) -> impl Iterator<Item = &HistoryEntry> {
    let (base, deltas): (&[_], &[_]) = match job {
        Job::Merge(deltas) => (&[], deltas),
        Job::Fold(inputs) => (&inputs.base, &inputs.deltas),
        _ => (&[], &[]),
    };
    base.iter().chain(deltas)
}

/// What holds expiry back behind the wall clock, where anything does.
pub(crate) fn held_back(manifest: &Manifest, now: Timestamp) -> Option<String> {
    use foldback_compactor::{CLOCK_STEP_MAX, moved_on};
    let clock = moved_on(manifest.clock, now, CLOCK_STEP_MAX);
    let idle = manifest.sealed.timestamp.saturating_add_micros(CLOCK_STEP_MAX);
    if clock < now && clock == manifest.clock {
        return Some(format!(
            "the clock has moved on by more than 7 days at once, from {}; nothing expires until \
             `expire --confirm` says that it is right",
            crate::instant::show(manifest.clock)
        ));
    }
    if now.saturating_add_micros(CLOCK_STEP_MAX) < manifest.sealed.timestamp {
        return Some(format!(
            "the last sealed commit is stamped {}, long after now: states since the clock went \
             back are kept until their retention has passed after that",
            crate::instant::show(manifest.sealed.timestamp)
        ));
    }
    (idle < now && manifest.sealed.seq > Seq::ZERO).then(|| {
        format!(
            "no commit was sealed since {}; what an idle database holds is kept",
            crate::instant::show(manifest.sealed.timestamp)
        )
    })
}

#[cfg(test)]
mod tests;
