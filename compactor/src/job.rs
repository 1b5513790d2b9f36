//! What to do next: a pure decision from what the manifest and the local log hold.

use foldback_log_tier::history::FileKind;
use foldback_log_tier::local_log::SegmentInfo;
use foldback_log_tier::manifest::Manifest;
use foldback_log_tier::{Seq, TableId};

/// A piece of background work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// Turn this sealed segment, the first that history does not cover, into a delta file.
    Seal(SegmentInfo),
    /// Write the first base of a table that had keys when its protection began.
    Base(TableId),
}

/// All that the decision depends on.
#[derive(Clone, Copy, Debug)]
pub struct JobInputs<'a> {
    /// The newest manifest.
    pub manifest: &'a Manifest,
    /// The local segments in order, the active one last.
    pub segments: &'a [SegmentInfo],
    /// The live tables whose open protection interval needs a base at or above this seq.
    pub need_base: &'a [(TableId, Seq)],
}

/// The next job, or `None` if all is done.
///
/// Sealing comes first: it is what gets acknowledged commits off this machine.
#[must_use]
pub fn next_job(inputs: JobInputs<'_>) -> Option<Job> {
    let sealed = inputs.manifest.sealed.seq;
    let to_seal = inputs.segments.iter().find(|info| info.sealed && info.last > sealed);
    if let Some(segment) = to_seal {
        return Some(Job::Seal(*segment));
    }
    let lacks_base = |(table, first): &&(TableId, Seq)| {
        !inputs.manifest.files.iter().any(|file| {
            let covers = file.scope.as_ref().is_some_and(|scope| scope.table == *table);
            file.kind == FileKind::Base && covers && file.first.seq >= *first
        })
    };
    inputs.need_base.iter().find(lacks_base).map(|(table, _)| Job::Base(*table))
}

#[cfg(test)]
mod tests;
