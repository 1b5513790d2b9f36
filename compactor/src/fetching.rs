//! Fetching what a merge, or one merge after another, reads of history files.
//!
//! Nothing is asked for before something is wanted. From then on the next runs are under way, in
//! the order in which merges come to them, across files and from one merge to the next: so as much
//! is read ahead as is allowed, however long a request takes. What is wanted and was not asked for
//! yet is asked for at once, whatever is read ahead: no merge waits for what another source holds.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use foldback_log_tier::history::HistoryTail;
use foldback_log_tier::manifest::HistoryEntry;
use foldback_log_tier::{Error, Result};
use tokio::sync::Notify;

use crate::fetch_layout::RunLimits;
use crate::{HistoryReader, ReadMeter};

mod file;

use file::{FetchedFile, Loaded, Phase};

/// Requests that are under way at once for what nobody waits for yet.
const READ_AHEAD_REQUESTS_MAX: usize = 16;

/// Row groups of one file that merges want.
#[derive(Clone, Debug)]
pub(crate) struct FileWanted {
    pub(crate) file: Arc<HistoryEntry>,
    /// Ascending, each with the first of the merges that wants it, and how many do.
    pub(crate) groups: Vec<GroupWanted>,
    pub(crate) limits: RunLimits,
}

/// A row group that merges want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupWanted {
    pub(crate) index: u32,
    /// The number of the first merge that wants it.
    pub(crate) merge: usize,
    /// How many merges want it.
    pub(crate) uses: usize,
}

/// Fetches row groups of files, each once. Shared by the feeds of all sources.
pub(crate) struct Fetching {
    history: Arc<HistoryReader>,
    meter: Arc<ReadMeter>,
    /// Bytes that are under way, or here, and not wanted yet.
    ahead_bytes_max: u64,
    state: Mutex<FetchState>,
    /// Told of whatever comes.
    came: Notify,
}

#[derive(Debug)]
struct FetchState {
    files: Vec<FetchedFile>,
    /// What is to be asked for.
    steps: BTreeSet<Step>,
    ahead_bytes: u64,
    under_way: usize,
}

/// A request that is to be made, in the order in which merges come to what it brings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Step {
    merge: usize,
    /// Where the merge comes to it: every file's first row group is wanted as the merge begins.
    key: Option<Bytes>,
    file: usize,
    request: Request,
}

/// What a request brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Request {
    /// The tail of a file, and, if one request brings all, what is wanted of it.
    Open,
    /// One of its runs.
    Run(usize),
}

/// A row group that was fetched.
#[derive(Clone, Debug)]
pub(crate) struct FetchedGroup {
    pub(crate) tail: Arc<HistoryTail>,
    pub(crate) bytes: Bytes,
}

/// The step that brings what is wanted.
enum Lookup {
    Here(Result<FetchedGroup>),
    Needs(Step),
    UnderWay,
}

impl std::fmt::Debug for Fetching {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ahead_bytes_max = self.ahead_bytes_max;
        f.debug_struct("Fetching")
            .field("ahead_bytes_max", &ahead_bytes_max)
            .finish_non_exhaustive()
    }
}

impl Fetching {
    /// What fetches these row groups once they are wanted.
    pub(crate) fn new(
        history: Arc<HistoryReader>,
        wanted: Vec<FileWanted>,
        ahead_bytes_max: u64,
        meter: Arc<ReadMeter>,
    ) -> Arc<Self> {
        let mut steps = BTreeSet::new();
        let mut files = Vec::new();
        for (at, wanted) in wanted.into_iter().enumerate() {
            let mut file = FetchedFile::new(wanted);
            if let Some(tail) = history.kept_tail(&file.entry.name) {
                file.lay_out(tail);
            }
            steps.extend(file.steps(at));
            files.push(file);
        }
        let state = FetchState { files, steps, ahead_bytes: 0, under_way: 0 };
        let (state, came) = (Mutex::new(state), Notify::new());
        Arc::new(Self { history, meter, ahead_bytes_max, state, came })
    }

    /// Waits for a row group of a file, which is among those that are fetched. It has to be called
    /// where the network's runtime runs.
    pub(crate) async fn group(self: &Arc<Self>, file: usize, index: u32) -> Result<FetchedGroup> {
        loop {
            // What comes after this is not missed.
            let came = self.came.notified();
            match self.want(file, index) {
                Some(group) => return group,
                None => came.await,
            }
        }
    }

    /// A row group, if it is here; else it is asked for.
    fn want(self: &Arc<Self>, file: usize, index: u32) -> Option<Result<FetchedGroup>> {
        let mut state = self.state();
        let found = match state.look_up(file, index) {
            Lookup::Here(group) => Some(group),
            Lookup::UnderWay => None,
            Lookup::Needs(step) => {
                self.begin(&mut state, step);
                None
            }
        };
        self.read_ahead(&mut state);
        found
    }

    fn state(&self) -> MutexGuard<'_, FetchState> {
        // Between any two of its operations the state is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the next requests, as many as are allowed.
    fn read_ahead(self: &Arc<Self>, state: &mut FetchState) {
        while let Some(step) = state.steps.first() {
            let bytes = state.files[step.file].bytes_of(step.request);
            let fits = state.ahead_bytes + bytes <= self.ahead_bytes_max;
            if !fits || state.under_way >= READ_AHEAD_REQUESTS_MAX {
                return;
            }
            let step = step.clone();
            self.begin(state, step);
        }
    }

    /// Takes what a request has brought.
    fn come(&self, step: &Step, loaded: Result<Loaded>) {
        let mut state = self.state();
        state.under_way -= 1;
        let file = &mut state.files[step.file];
        let bytes = file.come(step.request, loaded);
        let steps: Vec<_> = match step.request {
            Request::Open => file.steps(step.file).collect(),
            Request::Run(_) => Vec::new(),
        };
        state.ahead_bytes -= bytes;
        state.steps.extend(steps);
        drop(state);
        self.came.notify_waiters();
    }

    /// Makes a request.
    fn begin(self: &Arc<Self>, state: &mut FetchState, step: Step) {
        state.steps.remove(&step);
        let range = state.files[step.file].begin(step.request);
        state.under_way += 1;
        state.ahead_bytes += range.end - range.start;
        let entry = Arc::clone(&state.files[step.file].entry);
        self.meter.note(range.end - range.start);
        let history = Arc::clone(&self.history);
        let mut coming = Coming { fetching: Arc::downgrade(self), step, loaded: None };
        tokio::spawn(async move {
            coming.loaded = Some(load(&history, &entry, range, coming.step.request).await);
            let fetching = Weak::clone(&coming.fetching);
            drop(coming);
            if let Some(fetching) = fetching.upgrade() {
                fetching.read_ahead(&mut fetching.state());
            }
        });
    }
}

/// Hands over what a request has brought, however it ends: merges wait for that.
struct Coming {
    fetching: Weak<Fetching>,
    step: Step,
    loaded: Option<Result<Loaded>>,
}

impl Drop for Coming {
    fn drop(&mut self) {
        let Some(fetching) = self.fetching.upgrade() else { return };
        // It was dropped, or has died: the runtime ends, or there is a bug.
        fetching.come(&self.step, self.loaded.take().unwrap_or(Err(Error::Interrupted)));
    }
}

/// Makes the request; nobody may want what it brings by the time it answers.
async fn load(
    history: &HistoryReader,
    entry: &HistoryEntry,
    range: Range<u64>,
    request: Request,
) -> Result<Loaded> {
    let offset = range.start;
    let bytes = history.remote().read(&entry.name, range).await?;
    let tail = match request {
        Request::Open => {
            let begin = usize::try_from(entry.tail_offset - offset).expect("it is in memory");
            // A copy, so that what describes a file does not hold its rows.
            Some(history.decode_tail(entry, Bytes::copy_from_slice(&bytes[begin..]))?)
        }
        Request::Run(_) => None,
    };
    Ok(Loaded { offset, bytes, tail })
}

impl FetchState {
    /// Finds a row group, or what to do for it.
    fn look_up(&mut self, at: usize, index: u32) -> Lookup {
        let file = &mut self.files[at];
        let request = file.request_for(index);
        let needs = |file: &mut FetchedFile| {
            file.wait_for(request);
            Lookup::Needs(file.step(at, request))
        };
        match file.phase(request) {
            Phase::ToCome => needs(file),
            Phase::UnderWay => {
                file.wait_for(request);
                Lookup::UnderWay
            }
            Phase::Here => match request {
                Request::Open => unreachable!("a file that is open is looked for by its runs"),
                Request::Run(run) => {
                    self.ahead_bytes -= file.first_want(run);
                    Lookup::Here(Ok(file.take(run, index)))
                }
            },
            // Who asks again has it tried again.
            Phase::Failed => match file.take_error(request) {
                Some(error) => Lookup::Here(Err(error)),
                None => needs(file),
            },
        }
    }
}

#[cfg(test)]
mod tests;
