//! The last level: the deltas leave no commit out that a state is made of, and the ends of every
//! window can be planned and folded.

use std::borrow::Cow;
use std::sync::Arc;

use foldback_compactor::{Interval, cover};
use foldback_log_tier::history::FileKind;
use foldback_log_tier::manifest::Manifest;
use foldback_log_tier::{Commit, KeyRange, Seq};

use super::hurt::{Hurt, SealedWindow, sealed_windows};
use super::reading::{Counted, FileReading};
use crate::examination::{Damage, damage};
use crate::past::Past;
use crate::restore::PlanRows;
use crate::{RestorePlan, Result, Selection, TableRecord};

/// Rows between two looks at what was read.
const ROWS_PER_LOOK: u64 = 1_024;

/// Commits that no delta holds, though states are made of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hole {
    pub(super) first: Seq,
    pub(super) last: Seq,
    pub(super) hurts: Vec<Hurt>,
}

impl Hole {
    pub(super) fn damage(&self) -> Damage {
        let Self { first, last, .. } = self;
        let reason =
            format!("no delta that the newest manifest lists holds commits #{first} to #{last}");
        Damage { object: None, offset: None, reason }
    }
}

/// The holes in the history of these tables, by the manifest alone.
pub(super) fn holes(manifest: &Manifest, records: &[TableRecord]) -> Vec<Hole> {
    let mut holes: Vec<Hole> = Vec::new();
    for record in records {
        for promise in promises(manifest, record) {
            for (first, last) in gaps(manifest, promise.reads_above, promise.last) {
                add(&mut holes, (first, last), promise.hurt(manifest, record));
            }
        }
    }
    holes.iter_mut().for_each(|hole| hole.hurts.dedup());
    holes.sort_by_key(|hole| hole.first);
    holes
}

/// Adds what one promise lacks; a hole that several lack is told once.
fn add(holes: &mut Vec<Hole>, (first, last): (Seq, Seq), hurt: Option<Hurt>) {
    match holes.iter_mut().find(|hole| hole.first <= last && first <= hole.last) {
        Some(hole) => {
            (hole.first, hole.last) = (hole.first.min(first), hole.last.max(last));
            hole.hurts.extend(hurt);
        }
        None => holes.push(Hole { first, last, hurts: hurt.into_iter().collect() }),
    }
}

/// What a protection interval promises, whether the files keep it or not.
struct Promise {
    interval: Interval,
    first: Commit,
    last: Seq,
    reads_above: Seq,
}

fn promises(manifest: &Manifest, record: &TableRecord) -> Vec<Promise> {
    let kept = record.protection.iter().filter(|interval| !interval.is_discarded());
    let kept = kept.map(|interval| interval.kept(record.id));
    kept.filter(|interval| !interval.is_over(manifest))
        .filter_map(|interval| {
            let first = promised_from(manifest, &interval)?;
            let end = interval.last.map_or(Seq::MAX, |last| last.seq.prev());
            let last = end.min(manifest.sealed.seq);
            let reads_above = interval.reads_above(manifest, first);
            (first.seq <= last).then_some(Promise { interval, first, last, reads_above })
        })
        .collect()
}

/// From where on an interval promises its states: from its floor or its empty beginning or, where
/// it began with keys, from its first whole base.
fn promised_from(manifest: &Manifest, interval: &Interval) -> Option<Commit> {
    let begin = interval.floor(manifest).or(interval.starts_empty.then_some(interval.first));
    let mut bases: Vec<_> = interval.bases(manifest).map(|base| base.last).collect();
    bases.sort_unstable();
    begin.or_else(|| {
        bases.into_iter().find(|at| {
            let below = interval.bases(manifest).filter(|base| base.last <= *at);
            cover(below, &[KeyRange::all()]).bare.is_empty()
        })
    })
}

impl Promise {
    /// What of it can't be restored: all before the window that is left of it.
    fn hurt(&self, manifest: &Manifest, record: &TableRecord) -> Option<Hurt> {
        let left = self.interval.earliest(manifest);
        let is_whole = left.is_some_and(|left| left <= self.first);
        let (table, name) = (record.id, record.name.clone());
        (!is_whole).then_some(Hurt { table, name, first: self.first, until: left })
    }
}

/// The runs of commits after `above` and up to `end` that no delta of all tables holds.
fn gaps(manifest: &Manifest, above: Seq, end: Seq) -> Vec<(Seq, Seq)> {
    let whole = manifest.files.iter().filter(|file| file.kind == FileKind::Delta);
    let mut deltas: Vec<_> = whole.map(|file| (file.first.seq, file.last.seq)).collect();
    deltas.sort_unstable();
    let (mut gaps, mut covered) = (Vec::new(), above);
    for (first, last) in deltas {
        if covered.next() < first && covered < end {
            gaps.push((covered.next(), first.prev().min(end)));
        }
        covered = covered.max(last);
    }
    if covered < end {
        gaps.push((covered.next(), end));
    }
    gaps
}

/// The states that are folded of a table: of each window the earliest and the latest.
pub(super) fn ends(manifest: &Manifest, record: &TableRecord) -> Vec<Ending> {
    let of_window = |window: SealedWindow| {
        let first = Ending { seq: window.first.seq, commit: Some(window.first) };
        let is_newest = window.last == manifest.sealed.seq;
        let last = Ending { seq: window.last, commit: is_newest.then_some(manifest.sealed) };
        let is_one = first.seq == last.seq;
        std::iter::once(first).chain((!is_one).then_some(last))
    };
    sealed_windows(manifest, record).into_iter().flat_map(of_window).collect()
}

/// An end of a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    seq: Seq,
    /// With its instant, where the manifest tells it.
    commit: Option<Commit>,
}

impl Ending {
    /// What its state is folded from.
    pub(super) fn plan(self, past: &Past<'_>, record: &TableRecord) -> Result<RestorePlan> {
        let commit = past.commit_at(self.seq, self.commit)?;
        past.plan_at(record, commit, &Selection::all())
    }
}

/// Folds a state to its end: what is damaged of it, if anything is.
pub(super) fn fold_state(
    reading: &mut FileReading<'_>,
    manifest: &Arc<Manifest>,
    plan: impl Fn(&Past<'_>) -> Result<RestorePlan>,
) -> Result<Option<Damage>> {
    let examined = reading.examined;
    let mut counted = Counted::new(examined);
    let past = examined.past(manifest, false);
    let rows =
        plan(&past).and_then(|plan| PlanRows::start(Cow::Owned(plan), examined.places(false)));
    let rows = match rows {
        Ok(rows) => rows,
        Err(error) => return damage(error).map(Some),
    };
    for (at, row) in (1_u64..).zip(rows) {
        if let Err(error) = row {
            return damage(error).map(Some);
        }
        if at.is_multiple_of(ROWS_PER_LOOK) {
            reading.count(counted.more())?;
        }
    }
    reading.count(counted.more())?;
    Ok(None)
}
