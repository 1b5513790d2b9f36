//! What a job makes of the newest manifest: a pure change, apart from the manifest it is made to.
//!
//! Several processes publish to one bucket. Whoever loses a number reads the newest manifest and
//! makes the same change to that one, if it still can be made. What depends on all of a manifest,
//! as what is no longer needed does, is bound to the manifest it was decided on, and is decided
//! anew instead.

use std::collections::BTreeSet;

use foldback_log_tier::manifest::{Floor, HistoryEntry, Manifest, Removed, Verified};
use foldback_log_tier::{Commit, KeyRange, Seq, TableId, Timestamp, WriterId};

use crate::cover::cover;
use crate::nearness::keeps_bases_near;

/// A change to the newest manifest.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A process opens the database for writing: from here on those before it are fenced.
    Open(WriterId),
    /// History covers the commits of this delta, which follow on what is sealed.
    Seal(HistoryEntry),
    /// The first base of a table joins the others.
    Add(Vec<HistoryEntry>),
    /// The next base of a range of keys joins the others.
    Fold {
        /// The table.
        table: TableId,
        /// The keys that were folded.
        keys: KeyRange,
        /// The commit that the base below was known to hold to.
        floor: Seq,
        /// The names of the files of that base.
        inputs: Vec<String>,
        /// The files of the base.
        files: Vec<HistoryEntry>,
    },
    /// These deltas go, and one that holds the same commits comes.
    Replace {
        /// The names of the deltas that go.
        inputs: Vec<String>,
        /// The delta that comes.
        output: HistoryEntry,
    },
    /// States that are older than their tables' retention are given up.
    Expire(Expiry),
    /// Files that are not listed are condemned, and then deleted.
    Sweep {
        /// The manifest that this was decided on.
        decided_on: u64,
        /// What was born at this manifest or before it, and is not listed, never will be.
        through: u64,
        /// Removed files that are deleted next.
        forgotten: BTreeSet<String>,
    },
    /// An operator has said that the clock is right.
    Confirm,
    /// The state of a table at a commit was restored for proof, and found right.
    Verified(Verified),
}

/// What is given up, and what is known instead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expiry {
    /// The manifest that this was decided on.
    pub decided_on: u64,
    /// The floors that rise, or are new.
    pub floors: Vec<Floor>,
    /// Bases that are known to hold for longer, as there was no event of their keys.
    pub extended: Vec<(String, Commit)>,
    /// Files that no restorable instant needs any more.
    pub dropped: BTreeSet<String>,
    /// Tables of which nothing can be restored any more: what was proved of them is of no use.
    pub over: BTreeSet<TableId>,
}

impl Expiry {
    /// Gives up nothing, and moves expiry's clock on.
    #[must_use]
    pub fn tick(decided_on: u64) -> Self {
        Self { decided_on, ..Self::default() }
    }
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq)]
pub enum Applied {
    /// The next manifest.
    Next(Box<Manifest>),
    /// The manifest says already what the change is about.
    Already,
    /// Others have changed what this depends on: it is decided anew.
    Superseded,
}

/// Who publishes, when.
#[derive(Clone, Copy, Debug)]
pub struct Publishing {
    /// Who.
    pub publisher: WriterId,
    /// When, by its clock.
    pub now: Timestamp,
    /// By how much expiry follows a clock that moves on, in microseconds.
    pub clock_step_max: i64,
}

impl Change {
    /// Makes the change to `newest`.
    #[must_use]
    pub fn apply(&self, newest: &Manifest, publishing: Publishing) -> Applied {
        let mut next = newest.clone();
        next.number += 1;
        next.publisher = publishing.publisher;
        next.published = publishing.now;
        next.clock = match self {
            Self::Confirm => newest.clock.max(publishing.now),
            _ => moved_on(newest.clock, publishing.now, publishing.clock_step_max),
        };
        let made = match self {
            Self::Open(writer) => open(&mut next, *writer),
            Self::Seal(delta) => seal(&mut next, delta),
            Self::Add(files) => add(&mut next, files),
            Self::Fold { table, keys, floor, inputs, files } => {
                fold(&mut next, (*table, keys, *floor), inputs, files)
            }
            Self::Replace { inputs, output } => replace(&mut next, inputs, output),
            Self::Expire(expiry) => expire(&mut next, expiry),
            Self::Sweep { decided_on, through, forgotten } => {
                sweep(&mut next, *decided_on, *through, forgotten)
            }
            Self::Confirm => Made::Changed,
            Self::Verified(verified) => verify(&mut next, verified),
        };
        match made {
            Made::Changed => Applied::Next(Box::new(next)),
            Made::Already => Applied::Already,
            Made::Superseded => Applied::Superseded,
        }
    }
}

enum Made {
    Changed,
    Already,
    Superseded,
}

/// Where expiry's clock stands once someone whose own clock says `now` publishes.
///
/// It follows in steps of at most `step_max`: a larger one may be a clock that leapt, and waits for
/// an operator's word.
#[must_use]
pub fn moved_on(clock: Timestamp, now: Timestamp, step_max: i64) -> Timestamp {
    let is_fresh = clock == Timestamp::MIN;
    match is_fresh || now <= clock.saturating_add_micros(step_max) {
        true => clock.max(now),
        false => clock,
    }
}

fn open(next: &mut Manifest, writer: WriterId) -> Made {
    if next.writer == writer {
        return Made::Already;
    }
    next.epoch += 1;
    next.writer = writer;
    Made::Changed
}

fn seal(next: &mut Manifest, delta: &HistoryEntry) -> Made {
    if next.sealed.seq >= delta.last.seq {
        return Made::Already;
    }
    let follows = delta.first.seq == next.sealed.seq.next();
    if !follows || !can_join(next, delta) {
        return Made::Superseded;
    }
    next.sealed = delta.last;
    next.files.push(delta.clone());
    Made::Changed
}

fn add(next: &mut Manifest, files: &[HistoryEntry]) -> Made {
    if files.iter().all(|file| is_listed(next, &file.name)) {
        return Made::Already;
    }
    let above = |file: &HistoryEntry| file.last.seq > next.sealed.seq;
    if files.iter().any(|file| above(file) || !can_join(next, file)) {
        return Made::Superseded;
    }
    next.files.extend_from_slice(files);
    Made::Changed
}

/// Two processes that fold one range both at once would cut it in different places, and neither
/// base would ever be wholly superseded: the first to publish wins.
fn fold(
    next: &mut Manifest,
    (table, keys, floor): (TableId, &KeyRange, Seq),
    inputs: &[String],
    files: &[HistoryEntry],
) -> Made {
    // What was folded must still be the newest of its keys. A base at or below the floor that was
    // not read is of an earlier history.
    let is_ours = |file: &HistoryEntry| files.iter().any(|ours| ours.name == file.name);
    let counts = |file: &&HistoryEntry| file.last.seq > floor || inputs.contains(&file.name);
    let others = next.files.iter().filter(|file| file.is_base_of(table) && !is_ours(file));
    let newest = cover(others.filter(counts), std::slice::from_ref(keys));
    if newest.covered.iter().any(|(_, base)| !inputs.contains(&base.name)) {
        return Made::Superseded;
    }
    add(next, files)
}

fn replace(next: &mut Manifest, inputs: &[String], output: &HistoryEntry) -> Made {
    if is_listed(next, &output.name) {
        return Made::Already;
    }
    let mut run: Vec<_> = next.files.iter().filter(|file| inputs.contains(&file.name)).collect();
    run.sort_by_key(|delta| delta.first.seq);
    let all_listed = run.len() == inputs.len();
    // A base may have come meanwhile, and a restore from it would read what lies below it too: the
    // same rule as when the merge was decided on, or it would be decided on for ever.
    if !all_listed || !keeps_bases_near(next, &run) || !can_join(next, output) {
        return Made::Superseded;
    }
    let at = next.files.iter().position(|file| inputs.contains(&file.name));
    drop_files(next, |file| inputs.contains(&file.name));
    next.files.insert(at.unwrap_or_default(), output.clone());
    Made::Changed
}

fn expire(next: &mut Manifest, expiry: &Expiry) -> Made {
    if expiry.decided_on + 1 != next.number {
        return Made::Superseded;
    }
    for floor in &expiry.floors {
        let place = (floor.table, floor.interval);
        match next.floors.binary_search_by_key(&place, |known| (known.table, known.interval)) {
            Ok(at) => next.floors[at].earliest = next.floors[at].earliest.max(floor.earliest),
            Err(at) => next.floors.insert(at, *floor),
        }
    }
    for (name, until) in &expiry.extended {
        for file in next.files.iter_mut().filter(|file| file.name == *name) {
            file.until = Some(file.holds_to().max(*until));
        }
    }
    drop_files(next, |file| expiry.dropped.contains(&file.name));
    next.verified.retain(|verified| !expiry.over.contains(&verified.table));
    Made::Changed
}

/// What was proved only rises: of two who prove at once, the one with the later commit stays.
fn verify(next: &mut Manifest, verified: &Verified) -> Made {
    if next.sealed.seq < verified.at.seq {
        return Made::Superseded;
    }
    match next.verified.binary_search_by_key(&verified.table, |known| known.table) {
        Ok(at) if (verified.at, verified.on) <= (next.verified[at].at, next.verified[at].on) => {
            return Made::Already;
        }
        Ok(at) => next.verified[at] = *verified,
        Err(at) => next.verified.insert(at, *verified),
    }
    Made::Changed
}

fn sweep(next: &mut Manifest, decided_on: u64, through: u64, forgotten: &BTreeSet<String>) -> Made {
    if decided_on + 1 != next.number {
        return Made::Superseded;
    }
    next.swept = next.swept.max(through);
    next.removed.retain(|removed| !forgotten.contains(&removed.name));
    Made::Changed
}

/// Whether the file may be listed: one that was condemned, or was listed before, never is again.
fn can_join(manifest: &Manifest, file: &HistoryEntry) -> bool {
    let was_removed = manifest.removed.iter().any(|removed| removed.name == file.name);
    file.born() > manifest.swept && !was_removed && !is_listed(manifest, &file.name)
}

fn is_listed(manifest: &Manifest, name: &str) -> bool {
    manifest.files.iter().any(|file| file.name == name)
}

/// Takes files off the list, and notes that they have been on it.
fn drop_files(next: &mut Manifest, goes: impl Fn(&HistoryEntry) -> bool) {
    // Expiry's clock may have followed one that was ahead: what goes now is not to wait for that.
    let (since, at) = (next.number, next.clock.min(next.published));
    let gone = next.files.extract_if(.., |file| goes(file));
    let removed: Vec<_> =
        gone.map(|file| Removed { name: file.name, bytes: file.bytes, since, at }).collect();
    next.removed.extend(removed);
    next.removed.sort_by(|left, right| left.name.cmp(&right.name));
}

#[cfg(test)]
mod tests;
