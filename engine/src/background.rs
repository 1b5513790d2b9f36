//! The threads that work in the background: one seals, the other does the upkeep, so that what is
//! only on this machine never waits for a long job. Each runs one job after the other, and tries
//! again when the bucket fails.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use foldback_compactor::is_passing;
use foldback_log_tier::Error as TierError;
use tokio::sync::oneshot;

use crate::health::Health;
use crate::log_writer::{LogDesk, LogView};
use crate::present::Present;
use crate::upkeep::{Ground, Tools, Upkeep};
use crate::{Error, Result, threads};

mod sealing;

use sealing::Sealing;

/// Wait after the first failure of a job; it doubles with each further one.
const RETRY_WAIT_MIN: Duration = Duration::from_millis(500);
/// Longest wait between two tries of a job.
const RETRY_WAIT_MAX: Duration = Duration::from_secs(60);
/// How often upkeep looks whether time has brought something to do.
const UPKEEP_WAIT: Duration = Duration::from_secs(60);
/// Questions that wait for a thread.
const QUEUE_LENGTH: usize = 64;

/// What the threads work with.
#[derive(Clone, Debug)]
pub(crate) struct BackgroundParts {
    pub(crate) tools: Arc<Tools>,
    pub(crate) present: Arc<Present>,
    pub(crate) log: Arc<LogView>,
    pub(crate) to_writer: Arc<LogDesk>,
    pub(crate) health: Arc<Health>,
    /// Whether this process does the upkeep.
    pub(crate) does_upkeep: bool,
}

/// Asks a thread to work now, and to say how that went.
type Ask = oneshot::Sender<Result<()>>;

/// Owns the threads; they end, leaving off what can be done again, when this is dropped.
#[derive(Debug)]
pub(crate) struct Background {
    sealer: Worker,
    compactor: Option<Worker>,
    tools: Arc<Tools>,
}

impl Background {
    /// Starts the threads; `segment_sealed` tells of work.
    pub(crate) fn start(parts: BackgroundParts, segment_sealed: Receiver<()>) -> Self {
        let tools = Arc::clone(&parts.tools);
        let (history_grew, told) = crossbeam_channel::bounded(1);
        // History may have been left half tidied by the last process.
        let _ = history_grew.try_send(());
        let compactor = parts.does_upkeep.then(|| {
            let duty = Compacting { upkeep: Upkeep::new(Arc::clone(&tools)), parts: parts.clone() };
            Worker::start("foldback-compactor", duty, told, Some(UPKEEP_WAIT))
        });
        let sealing = Sealing { parts, history_grew };
        let sealer = Worker::start("foldback-sealer", sealing, segment_sealed, None);
        Self { sealer, compactor, tools }
    }

    /// Returns once all that is committed is in the bucket.
    pub(crate) fn seal_all(&self) -> Result<()> {
        self.sealer.ask()
    }

    /// Does all jobs that there are, and returns when they are done.
    pub(crate) fn run_all(&self) -> Result<()> {
        self.sealer.ask()?;
        match &self.compactor {
            Some(compactor) => compactor.ask(),
            None => Err(Error::Invalid(
                "upkeep is left to another process by the setting compactor = false; run \
                 `foldback compact` with the bucket alone"
                    .to_owned(),
            )),
        }
    }

    /// Why the last job failed, until one succeeds.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.sealer.trouble().or_else(|| self.compactor.as_ref()?.trouble())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.tools.pace.stop();
    }
}

/// What one of the threads does.
trait Work: Send + 'static {
    /// Does one job after the other until there is none; `asked` if somebody waits for that.
    fn run_jobs(&mut self, asked: bool) -> Result<()>;

    /// Whether a failure that is not the bucket's is tried again too.
    fn is_upkeep(&self) -> bool;

    /// What stays wrong although there is nothing left to try.
    fn standing_trouble(&self) -> Option<String> {
        None
    }

    /// Whether the database still writes; a thread that fails for good halts it.
    fn health(&self) -> &Arc<Health>;
}

/// A thread, and how to talk to it.
#[derive(Debug)]
struct Worker {
    asks: Option<Sender<Ask>>,
    thread: Option<JoinHandle<()>>,
    trouble: Arc<Mutex<Option<String>>>,
}

impl Worker {
    fn start(
        name: &'static str,
        work: impl Work,
        told: Receiver<()>,
        every: Option<Duration>,
    ) -> Self {
        let (asks, asked) = crossbeam_channel::bounded(QUEUE_LENGTH);
        let trouble = Arc::new(Mutex::new(None));
        let (health, shown) = (Arc::clone(work.health()), Arc::clone(&trouble));
        let calls = Calls { told, asked, every };
        let thread = threads::spawn(name, health, move || run(work, &calls, &shown));
        Self { asks: Some(asks), thread: Some(thread), trouble }
    }

    fn ask(&self) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        let asks = self.asks.as_ref().ok_or(Error::Closed)?;
        asks.send(reply).map_err(|_| Error::Closed)?;
        foldback_compactor::wait_for(answer).unwrap_or(Err(Error::Closed))
    }

    fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.asks = None;
        threads::join(self.thread.take());
    }
}

/// What makes a thread work.
struct Calls {
    told: Receiver<()>,
    asked: Receiver<Ask>,
    every: Option<Duration>,
}

fn run(mut work: impl Work, calls: &Calls, trouble: &Mutex<Option<String>>) {
    let mut retry = None;
    loop {
        let wait = retry.or(calls.every);
        let due = wait.map_or_else(crossbeam_channel::never, crossbeam_channel::after);
        let mut ask = None;
        crossbeam_channel::select! {
            recv(calls.told) -> told => if told.is_err() { return },
            recv(calls.asked) -> received => match received {
                Ok(received) => ask = Some(received),
                Err(_) => return,
            },
            recv(due) -> _ => {}
        }
        let done = match work.run_jobs(ask.is_some()) {
            // It was left off because the database closes; nothing is lost by that.
            Err(Error::Tier(TierError::Interrupted)) => Ok(()),
            done => done,
        };
        retry = done.as_ref().err().and_then(|error| wait_after(&work, error, retry));
        let failed = done.as_ref().err().map(ToString::to_string);
        let told = failed.or_else(|| work.standing_trouble());
        *trouble.lock().unwrap_or_else(PoisonError::into_inner) = told;
        if let Some(reply) = ask {
            let _ = reply.send(done);
        }
    }
}

/// How long to wait before the next try; `None` if there is none, as the database has halted.
fn wait_after(work: &impl Work, error: &Error, before: Option<Duration>) -> Option<Duration> {
    let goes_on = match error {
        Error::Tier(TierError::Fenced { .. }) => false,
        Error::Tier(TierError::Superseded) => true,
        Error::Tier(error) => work.is_upkeep() || is_passing(error),
        _ => false,
    };
    if !goes_on {
        work.health().halt(error.to_string());
        return None;
    }
    let wait = before.map_or(RETRY_WAIT_MIN, |wait| (wait * 2).min(RETRY_WAIT_MAX));
    tracing::warn!(%error, retry_secs = wait.as_secs_f32(), "a job failed");
    Some(wait)
}

/// The work of the thread that does the upkeep.
struct Compacting {
    upkeep: Upkeep,
    parts: BackgroundParts,
}

impl Work for Compacting {
    fn run_jobs(&mut self, asked: bool) -> Result<()> {
        if asked {
            self.upkeep.start_over();
        }
        let mut failed = None;
        loop {
            self.parts.health.check()?;
            let tools = &self.parts.tools;
            if tools.pace.is_stopping() {
                return Ok(());
            }
            tools.settle()?;
            let manifest = tools.publisher.newest();
            let ground = Ground::new(manifest, &self.parts.log.catalog());
            let Some(job) = self.upkeep.next(&ground) else { break };
            match self.upkeep.run(job, &ground) {
                // The files that it failed by are avoided from now on; the rest is done first.
                Err(error @ Error::Tier(TierError::Corrupt { .. } | TierError::Missing { .. })) => {
                    failed = Some(error);
                }
                done => done?,
            }
        }
        failed.map_or(Ok(()), Err)
    }

    fn is_upkeep(&self) -> bool {
        true
    }

    fn standing_trouble(&self) -> Option<String> {
        self.upkeep.trouble()
    }

    fn health(&self) -> &Arc<Health> {
        &self.parts.health
    }
}
