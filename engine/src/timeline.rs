//! The timeline: which commit was the last at an instant.
//!
//! Commits are found in two steps: by the first and last commit of each delta and segment, which
//! is pure and cheap, and then in the commit index of the one that is hit. Deltas are asked before
//! segments, as the last segment is the only one that is not in history.

use std::sync::Arc;

use foldback_compactor::{HistoryReader, Network};
use foldback_log_tier::history::{CommitIndex, FileKind};
use foldback_log_tier::local_log::{LogReader, SegmentInfo};
use foldback_log_tier::manifest::{HistoryEntry, Manifest};
use foldback_log_tier::{Commit, Seq, Timestamp};

use crate::{Error, Result};

/// Finds commits by time and by number, in one manifest and the segments above it.
#[derive(Debug)]
pub(crate) struct Timeline<'a> {
    pub(crate) manifest: &'a Manifest,
    pub(crate) segments: &'a [SegmentInfo],
    /// `None` where there are no segments.
    pub(crate) log: Option<&'a LogReader>,
    pub(crate) history: &'a Arc<HistoryReader>,
    pub(crate) network: &'a Network,
}

/// A run of consecutive commits: where they are listed, and between which positions they lie.
#[derive(Clone, Copy, Debug)]
enum Run<'a> {
    Delta(&'a HistoryEntry),
    Segment(&'a SegmentInfo),
}

impl Run<'_> {
    fn first(&self) -> Commit {
        match self {
            Self::Delta(delta) => delta.first,
            Self::Segment(info) => Commit { seq: info.first, timestamp: info.first_timestamp },
        }
    }

    fn last(&self) -> Commit {
        match self {
            Self::Delta(delta) => delta.last,
            Self::Segment(info) => Commit { seq: info.last, timestamp: info.last_timestamp },
        }
    }
}

impl Timeline<'_> {
    /// The last commit stamped at `instant` or before it.
    pub(crate) fn at_or_before(&self, instant: Timestamp) -> Result<Option<Commit>> {
        let runs = self.runs();
        let hit = runs.iter().rev().find(|run| run.first().timestamp <= instant);
        let Some(run) = hit else { return Ok(None) };
        match run.last().timestamp <= instant {
            true => Ok(Some(run.last())),
            false => Ok(self.index(*run)?.at_or_before(instant)),
        }
    }

    /// The commit with this number.
    pub(crate) fn get(&self, seq: Seq) -> Result<Option<Commit>> {
        let runs = self.runs();
        let hit = runs.iter().find(|run| (run.first().seq..=run.last().seq).contains(&seq));
        let Some(run) = hit else { return Ok(None) };
        let ends = [run.first(), run.last()];
        match ends.into_iter().find(|end| end.seq == seq) {
            Some(end) => Ok(Some(end)),
            None => Ok(self.index(*run)?.get(seq)),
        }
    }

    /// Every commit after `above` and up to `last`; `None` if one is not listed.
    pub(crate) fn between(&self, above: Seq, last: Seq) -> Result<Option<CommitIndex>> {
        let mut commits = CommitIndex::new();
        let reached = |commits: &CommitIndex| commits.last().map_or(above, |commit| commit.seq);
        let meets = |run: &Run<'_>| above < run.last().seq && run.first().seq <= last;
        for run in self.runs().into_iter().filter(meets) {
            let (index, reached) = (self.index(run)?, reached(&commits));
            if reached.next() < run.first().seq {
                return Ok(None);
            }
            // A segment may begin below what is sealed.
            let more = index.iter().filter(|commit| reached < commit.seq && commit.seq <= last);
            more.for_each(|commit| commits.push(commit));
        }
        Ok((reached(&commits) == last).then_some(commits))
    }

    /// Deltas by seq, then the segments above them; empty ones left out.
    fn runs(&self) -> Vec<Run<'_>> {
        let sealed = self.manifest.sealed.seq;
        let whole = |file: &&HistoryEntry| file.kind == FileKind::Delta && file.scope.is_none();
        let mut runs: Vec<_> = self.manifest.files.iter().filter(whole).map(Run::Delta).collect();
        runs.sort_by_key(|run| run.first().seq);
        let above = |info: &&SegmentInfo| info.first <= info.last && info.last > sealed;
        runs.extend(self.segments.iter().filter(above).map(Run::Segment));
        runs
    }

    fn index(&self, run: Run<'_>) -> Result<Arc<CommitIndex>> {
        match run {
            Run::Delta(delta) => {
                let (history, delta) = (Arc::clone(self.history), delta.clone());
                let index = self.network.run(async move { history.commit_index(&delta).await });
                Ok(index?)
            }
            Run::Segment(info) => {
                let mut index = CommitIndex::default();
                let log = self.log.expect("segments are listed only where there is a log");
                for committed in log.read_segment(info)? {
                    index.push(committed.map_err(Error::from)?.commit);
                }
                Ok(Arc::new(index))
            }
        }
    }
}
