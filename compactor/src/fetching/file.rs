//! One file of which row groups are fetched: what is to come of it, is under way, or is here.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use foldback_log_tier::history::{HistoryTail, RowGroupEntry};
use foldback_log_tier::manifest::HistoryEntry;
use foldback_log_tier::{Error, Result};

use super::{FetchedGroup, FileWanted, GroupWanted, Request, Step};
use crate::fetch_layout::{RunLimits, opening};

/// How far a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    ToCome,
    UnderWay,
    Here,
    Failed,
}

/// What a request has brought.
#[derive(Debug)]
pub(super) struct Loaded {
    /// Where in the object the bytes begin.
    pub(super) offset: u64,
    pub(super) bytes: Bytes,
    /// Of one that opens a file.
    pub(super) tail: Option<Arc<HistoryTail>>,
}

/// A file of which row groups are fetched.
#[derive(Debug)]
pub(super) struct FetchedFile {
    pub(super) entry: Arc<HistoryEntry>,
    groups: Vec<GroupWanted>,
    limits: RunLimits,
    opening: Fetch,
    tail: Option<Arc<HistoryTail>>,
    /// None before the tail is here.
    runs: Vec<Run>,
}

/// A part of the object.
#[derive(Debug)]
struct Fetch {
    range: Range<u64>,
    phase: Phase,
    error: Option<Error>,
    /// Whether somebody has waited for it since it was asked for.
    is_waited_for: bool,
}

/// Row groups that one request brings.
#[derive(Debug)]
struct Run {
    /// Which of those that are wanted.
    groups: Range<usize>,
    fetch: Fetch,
    /// Where `bytes` begin.
    offset: u64,
    bytes: Bytes,
    /// Bytes of the request that count as read ahead, until one of its row groups is wanted.
    ahead_bytes: u64,
    /// How often row groups of it are still to be taken.
    uses_left: usize,
}

impl Fetch {
    fn to_come(range: Range<u64>) -> Self {
        Self { range, phase: Phase::ToCome, error: None, is_waited_for: false }
    }
}

impl FetchedFile {
    pub(super) fn new(wanted: FileWanted) -> Self {
        let FileWanted { file, groups, limits } = wanted;
        let indexes: Vec<_> = groups.iter().map(|group| group.index).collect();
        let opening = Fetch::to_come(opening(&file, &indexes, limits));
        Self { entry: file, groups, limits, opening, tail: None, runs: Vec::new() }
    }

    /// Says which requests bring what is wanted, once the tail is here.
    pub(super) fn lay_out(&mut self, tail: Arc<HistoryTail>) {
        let of = |wanted: &GroupWanted| row_group(&tail, wanted.index);
        let found: Vec<_> = self.groups.iter().map(of).collect();
        let mut begin = 0;
        for length in self.limits.cut(&found) {
            let groups = begin..begin + length;
            let range = found[begin].offset..found[groups.end - 1].range().end;
            self.runs.push(Run::new(&self.groups, groups, range));
            begin += length;
        }
        self.tail = Some(tail);
    }

    /// The requests that are to be made, as far as they are known; the file has this number.
    pub(super) fn steps(&self, at: usize) -> impl Iterator<Item = Step> {
        let opening =
            (self.tail.is_none() && self.opening.phase == Phase::ToCome).then_some(Request::Open);
        let to_come = |run: &usize| self.runs[*run].fetch.phase == Phase::ToCome;
        let runs = (0..self.runs.len()).filter(to_come).map(Request::Run);
        opening.into_iter().chain(runs).map(move |request| self.step(at, request))
    }

    /// A request, in its place among all of them.
    pub(super) fn step(&self, at: usize, request: Request) -> Step {
        let first = match request {
            Request::Open => 0,
            Request::Run(run) => self.runs[run].groups.start,
        };
        let wanted = self.groups[first];
        let goes_on = first.checked_sub(1).is_some_and(|b| self.groups[b].merge == wanted.merge);
        let key = match &self.tail {
            Some(tail) if goes_on => Some(row_group(tail, wanted.index).key_min.clone()),
            _ => None,
        };
        Step { merge: wanted.merge, key, file: at, request }
    }

    /// The request that brings a row group, as far as it is known.
    pub(super) fn request_for(&self, index: u32) -> Request {
        if self.tail.is_none() {
            return Request::Open;
        }
        let at = self.position(index);
        Request::Run(self.runs.partition_point(|run| run.groups.end <= at))
    }

    /// How many bytes a request brings.
    pub(super) fn bytes_of(&self, request: Request) -> u64 {
        let range = &self.fetch(request).range;
        range.end - range.start
    }

    pub(super) fn phase(&self, request: Request) -> Phase {
        self.fetch(request).phase
    }

    /// Says that a request is under way, and what it is for.
    pub(super) fn begin(&mut self, request: Request) -> Range<u64> {
        let bytes = self.bytes_of(request);
        if let Request::Run(run) = request {
            self.runs[run].ahead_bytes = bytes;
        }
        let fetch = self.fetch_mut(request);
        fetch.phase = Phase::UnderWay;
        fetch.range.clone()
    }

    /// Takes what a request has brought; says how many of its bytes are not read ahead by now.
    pub(super) fn come(&mut self, request: Request, loaded: Result<Loaded>) -> u64 {
        let bytes = self.bytes_of(request);
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(error) => {
                let fetch = self.fetch_mut(request);
                (fetch.phase, fetch.error) = (Phase::Failed, Some(error));
                return bytes;
            }
        };
        self.fetch_mut(request).phase = Phase::Here;
        match request {
            Request::Run(run) => {
                (self.runs[run].offset, self.runs[run].bytes) = (loaded.offset, loaded.bytes);
                0
            }
            Request::Open => {
                let tail = loaded.tail.expect("a file is opened by its tail");
                if loaded.offset == self.entry.tail_offset {
                    self.lay_out(tail);
                    return bytes;
                }
                let all = loaded.offset..self.entry.tail_offset;
                let mut run = Run::new(&self.groups, 0..self.groups.len(), all);
                run.fetch.phase = Phase::Here;
                (run.offset, run.bytes, run.ahead_bytes) = (loaded.offset, loaded.bytes, bytes);
                self.runs.push(run);
                self.tail = Some(tail);
                0
            }
        }
    }

    /// Notes that a run is wanted by now; says how many bytes are not read ahead any more by that.
    pub(super) fn first_want(&mut self, run: usize) -> u64 {
        std::mem::take(&mut self.runs[run].ahead_bytes)
    }

    /// A row group of a run that is here. The run goes when all of it was taken.
    pub(super) fn take(&mut self, run: usize, index: u32) -> FetchedGroup {
        let tail = Arc::clone(self.tail.as_ref().expect("it was laid out by its tail"));
        let run = &mut self.runs[run];
        let group = row_group(&tail, index);
        let begin = usize::try_from(group.offset - run.offset).expect("it is in memory");
        let length = usize::try_from(group.bytes).expect("it is in memory");
        let bytes = run.bytes.slice(begin..begin + length);
        run.uses_left -= 1;
        if run.uses_left == 0 {
            run.bytes = Bytes::new();
        }
        FetchedGroup { tail, bytes }
    }

    /// Notes that somebody waits for what a request brings.
    pub(super) fn wait_for(&mut self, request: Request) {
        self.fetch_mut(request).is_waited_for = true;
    }

    /// What a request has failed with, if somebody has waited for it: what failed while it was read
    /// ahead, perhaps long ago, is of no interest. It is to be made again.
    pub(super) fn take_error(&mut self, request: Request) -> Option<Error> {
        let fetch = self.fetch_mut(request);
        fetch.phase = Phase::ToCome;
        let error = fetch.error.take();
        std::mem::take(&mut fetch.is_waited_for).then_some(error).flatten()
    }

    fn position(&self, index: u32) -> usize {
        let at = self.groups.binary_search_by_key(&index, |group| group.index);
        at.expect("what a source wants was said before")
    }

    fn fetch(&self, request: Request) -> &Fetch {
        match request {
            Request::Open => &self.opening,
            Request::Run(run) => &self.runs[run].fetch,
        }
    }

    fn fetch_mut(&mut self, request: Request) -> &mut Fetch {
        match request {
            Request::Open => &mut self.opening,
            Request::Run(run) => &mut self.runs[run].fetch,
        }
    }
}

impl Run {
    fn new(wanted: &[GroupWanted], groups: Range<usize>, range: Range<u64>) -> Self {
        let uses_left = wanted[groups.clone()].iter().map(|group| group.uses).sum();
        let (offset, bytes) = (range.start, Bytes::new());
        let fetch = Fetch::to_come(range);
        Self { groups, fetch, offset, bytes, ahead_bytes: 0, uses_left }
    }
}

fn row_group(tail: &HistoryTail, index: u32) -> &RowGroupEntry {
    // What is asked for comes from the tail, or from the manifest, which agrees with it.
    &tail.row_groups()[usize::try_from(index).expect("memory has at least 32 bits")]
}
