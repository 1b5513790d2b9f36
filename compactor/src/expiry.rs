//! Expiry: which states are older than their retention, and what goes with them.
//!
//! A state is given up only if a later one, itself at or before the horizon, can be restored
//! without what goes. So every instant from the horizon on keeps a base near below it.

use foldback_log_tier::history::FileKind;
use foldback_log_tier::manifest::{Floor, HistoryEntry, Manifest};
use foldback_log_tier::{Commit, KeyRange, TableId, Timestamp};

use crate::change::{Applied, Change, Expiry, Publishing};
use crate::cover::cover;
use crate::kept::{Interval, Kept, Pin};

/// What can be given up at `now`; `None` if that frees nothing. A floor rises past a pin, and the
/// files that the pin needs stay.
#[must_use]
pub(crate) fn expiry(
    manifest: &Manifest,
    (intervals, pins): (&[Interval], &[Pin]),
    now: Timestamp,
) -> Option<Expiry> {
    let mut expiry = Expiry { decided_on: manifest.number, ..Expiry::default() };
    let mut ends_one = false;
    for interval in intervals.iter().filter(|interval| !interval.is_over(manifest)) {
        let Some(horizon) = interval.horizon(now) else { continue };
        let Some(rise) = rise(manifest, interval, horizon) else { continue };
        ends_one |= interval.last == Some(rise.earliest);
        let Interval { table, first, .. } = *interval;
        let floor = Floor { table, interval: first.seq, earliest: rise.earliest };
        expiry.floors.push(floor);
        expiry.extended.extend(rise.extended);
    }
    let raised = applied(manifest, &expiry)?;
    let kept = Kept::new(&raised, intervals, pins);
    let is_over = |table: &TableId| {
        let mut of_table = intervals.iter().filter(|interval| interval.table == *table).peekable();
        of_table.peek().is_some() && of_table.all(|interval| interval.is_over(&raised))
    };
    let over = raised.verified.iter().map(|verified| verified.table).filter(is_over).collect();
    let unneeded = raised.files.into_iter().filter(|file| !kept.needs_file(file));
    expiry.dropped = unneeded.map(|file| file.name).collect();
    expiry.over = over;
    (ends_one || !expiry.dropped.is_empty()).then_some(expiry)
}

/// The manifest as it will be with the floors that rise, before anything is dropped.
fn applied(manifest: &Manifest, expiry: &Expiry) -> Option<Manifest> {
    let publishing =
        Publishing { publisher: manifest.publisher, now: manifest.published, clock_step_max: 0 };
    match Change::Expire(expiry.clone()).apply(manifest, publishing) {
        Applied::Next(next) => Some(*next),
        Applied::Already | Applied::Superseded => None,
    }
}

/// How far the floor of an interval can rise.
struct Rise {
    earliest: Commit,
    extended: Vec<(String, Commit)>,
}

fn rise(manifest: &Manifest, interval: &Interval, horizon: Timestamp) -> Option<Rise> {
    if let Some(last) = interval.last.filter(|last| last.timestamp <= horizon) {
        return Some(Rise { earliest: last, extended: Vec::new() });
    }
    let old = interval.bases(manifest).filter(|base| base.holds_to().timestamp <= horizon);
    let cover = cover(old, &[KeyRange::all()]);
    let mut extended = Vec::new();
    let earliest = if cover.covered.is_empty() {
        let begin = interval.floor(manifest).unwrap_or(interval.first);
        let empty = Quiet { interval, keys: &KeyRange::all(), since: begin };
        interval.starts_empty.then(|| empty.lasts_to(manifest, horizon))?
    } else if cover.bare.is_empty() {
        // What is said of a base is said of all its keys, also of those that a newer base covers.
        let to = |(keys, base): &(KeyRange, &HistoryEntry)| {
            let keys = base.scope.as_ref().map_or(keys, |scope| &scope.keys);
            let until =
                Quiet { interval, keys, since: base.holds_to() }.lasts_to(manifest, horizon);
            (base.name.clone(), until)
        };
        extended = merged(cover.covered.iter().map(to));
        let since = |name: &String| cover.covered.iter().find(|(_, base)| base.name == *name);
        let reached = extended.iter().map(|(_, until)| *until).max()?;
        extended
            .retain(|(name, until)| since(name).is_some_and(|(_, base)| base.holds_to() < *until));
        reached
    } else {
        return None;
    };
    let before = interval.floor(manifest).unwrap_or(interval.first);
    (earliest > before).then_some(Rise { earliest, extended })
}

/// One line for each base, with the least it was found to hold to: it can serve several ranges.
fn merged(found: impl Iterator<Item = (String, Commit)>) -> Vec<(String, Commit)> {
    let mut least = std::collections::BTreeMap::<String, Commit>::new();
    for (name, until) in found {
        least.entry(name).and_modify(|known| *known = until.min(*known)).or_insert(until);
    }
    least.into_iter().collect()
}

/// A range of keys that has the same state since a commit.
struct Quiet<'a> {
    interval: &'a Interval,
    keys: &'a KeyRange,
    since: Commit,
}

impl Quiet<'_> {
    /// The last commit at or before `horizon`, at the end of a delta, up to which none of the keys
    /// had an event.
    fn lasts_to(&self, manifest: &Manifest, horizon: Timestamp) -> Commit {
        let mut deltas: Vec<_> = manifest
            .files
            .iter()
            .filter(|file| file.kind == FileKind::Delta && file.last.seq > self.since.seq)
            .collect();
        deltas.sort_by_key(|delta| delta.first.seq);
        let mut quiet = self.since;
        for delta in deltas {
            let adjoins = delta.first.seq <= quiet.seq.next();
            let is_old = delta.last.timestamp <= horizon;
            let ends = self.interval.last.is_some_and(|last| last.seq <= delta.last.seq);
            if !adjoins || !is_old || ends || self.has_event(delta) {
                break;
            }
            quiet = delta.last;
        }
        quiet
    }

    fn has_event(&self, delta: &HistoryEntry) -> bool {
        delta.table(self.interval.table).is_some_and(|entry| {
            let in_time = entry.seq_max > self.since.seq;
            in_time && self.keys.intersects(&entry.key_min, &entry.key_max)
        })
    }
}

#[cfg(test)]
mod tests;
