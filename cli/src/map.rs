//! The map of a table's history: the key × seq plane, with everything at rest that covers it.
//!
//! A pure function from what the manifest and the log hold to a list of shapes; `svg` and `sketch`
//! draw them, for a page and for a terminal.

use std::collections::BTreeSet;

use foldback::log_tier::history::FileKind;
use foldback::log_tier::local_log::SegmentInfo;
use foldback::log_tier::manifest::{HistoryEntry, Manifest};
use foldback::{Commit, KeyRange, Seq, TableId, Window};

mod sketch;
mod svg;
#[cfg(test)]
mod tests;

pub(crate) use sketch::sketch;
pub(crate) use svg::svg;

/// What is drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MapInputs<'a> {
    /// The table's name.
    pub(crate) name: &'a str,
    /// Its id.
    pub(crate) table: TableId,
    /// What the bucket holds.
    pub(crate) manifest: &'a Manifest,
    /// What the local log holds, the active segment last.
    pub(crate) segments: &'a [SegmentInfo],
    /// What can be restored.
    pub(crate) windows: &'a [Window],
}

/// What a shape stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ShapeKind {
    Delta,
    /// From a base to the last commit that it is known to hold for, where that is a later one.
    Holds,
    Base,
    Segment,
}

/// A rectangle of the plane. Both extents are parts of the whole, `0 <= from <= to <= 1`.
#[derive(Clone, Debug, PartialEq)]
struct Shape {
    kind: ShapeKind,
    seq: (f64, f64),
    keys: (f64, f64),
    /// What it says when it is pointed at.
    title: String,
}

/// Everything that is drawn, in the order in which it is: what comes later lies on top.
#[derive(Clone, Debug, PartialEq)]
struct Plane {
    heading: String,
    last: Seq,
    shapes: Vec<Shape>,
    /// Restorable windows along the seqs, and what they say.
    windows: Vec<((f64, f64), String)>,
    /// What was given up, from where a protection began to its floor, and what it says.
    given_up: Vec<((f64, f64), String)>,
    /// The least and the greatest key, where there is one.
    keys: Option<(String, String)>,
}

impl Plane {
    fn new(inputs: &MapInputs<'_>) -> Self {
        let sealed = inputs.manifest.sealed.seq;
        let last = inputs.segments.last().map_or(sealed, |info| info.last.max(sealed));
        let files: Vec<_> =
            inputs.manifest.files.iter().filter(|file| is_of(file, inputs)).collect();
        let ladder = KeyLadder::new(&files, inputs.table);
        let mut shapes: Vec<_> =
            files.iter().flat_map(|file| shapes_of(file, inputs.table, &ladder, last)).collect();
        let unsealed = inputs.segments.iter().filter(|info| info.last > sealed);
        shapes.extend(unsealed.filter(|info| info.first <= info.last).map(|info| Shape {
            kind: ShapeKind::Segment,
            seq: (part(info.first.prev(), last), part(info.last, last)),
            keys: (0.0, 1.0),
            title: format!("local segment, commits #{} to #{}, not sealed", info.first, info.last),
        }));
        // Bases are thin, so they go on top.
        shapes.sort_by_key(|shape| match shape.kind {
            ShapeKind::Delta | ShapeKind::Segment => 0,
            ShapeKind::Holds => 1,
            ShapeKind::Base => 2,
        });
        let windows = inputs.windows.iter().map(|window| {
            let (first, until) = (part(window.first, last), part(window.last, last));
            let text = format!(
                "restorable: {} (#{}) to {} (#{})",
                foldback::instant::show(window.earliest),
                window.first,
                foldback::instant::show(window.latest),
                window.last
            );
            ((first, until), text)
        });
        let heading = format!("{} (table {}), commits #1 to #{last}", inputs.name, inputs.table);
        let floors = inputs.manifest.floors.iter().filter(|floor| floor.table == inputs.table);
        let given_up = floors.map(|floor| {
            let Commit { seq, timestamp } = floor.earliest;
            let text = format!(
                "given up, older than its retention: before {} (#{seq})",
                foldback::instant::show(timestamp)
            );
            ((part(floor.interval, last), part(seq, last)), text)
        });
        let given_up = given_up.collect();
        Self { heading, last, windows: windows.collect(), given_up, keys: ladder.ends(), shapes }
    }
}

/// Whether a file holds rows of the table, or is a base of it, which may have none.
fn is_of(file: &HistoryEntry, inputs: &MapInputs<'_>) -> bool {
    let scoped = file.scope.as_ref().is_some_and(|scope| scope.table == inputs.table);
    scoped || file.table(inputs.table).is_some()
}

fn shapes_of(
    file: &HistoryEntry,
    table: TableId,
    ladder: &KeyLadder,
    last: Seq,
) -> impl Iterator<Item = Shape> {
    let held = file.table(table);
    let (rows, bytes) = held.map_or((0, 0), |entry| (entry.rows, entry.bytes));
    let bytes = crate::human::human_bytes(bytes);
    let end = part(file.last.seq, last);
    if file.kind == FileKind::Delta {
        let by_rows = held.map(|entry| (ladder.part(&entry.key_min), ladder.part(&entry.key_max)));
        let delta = Shape {
            kind: ShapeKind::Delta,
            seq: (part(file.first.seq.prev(), last), end),
            keys: by_rows.unwrap_or((0.0, 1.0)),
            title: format!(
                "delta #{} to #{}: {rows} events of this table, {bytes}",
                file.first.seq, file.last.seq
            ),
        };
        return [Some(delta), None].into_iter().flatten();
    }
    // A base covers all of its range, whichever keys of it have a row.
    let range = file.scope.as_ref().map(|scope| &scope.keys);
    let from = range.map_or(0.0, |keys| ladder.part(&keys.from));
    let to = range.and_then(|keys| keys.until.as_ref()).map_or(1.0, |until| ladder.part(until));
    let (keys, whose) = ((from, to), range.map_or_else(String::new, range_shown));
    let title = format!("base at #{}{whose}: {rows} rows, {bytes}", file.last.seq);
    let base = Shape { kind: ShapeKind::Base, seq: (end, end), keys, title };
    let holds = file.until.map(|until| {
        let title = format!(
            "the base at #{}{whose} holds up to #{}: no event came to its keys",
            file.last.seq, until.seq
        );
        Shape { kind: ShapeKind::Holds, seq: (end, part(until.seq, last)), keys, title }
    });
    [Some(base), holds].into_iter().flatten()
}

/// The range of a base's keys in words, where it is not all of them.
fn range_shown(keys: &KeyRange) -> String {
    let shown = |key: &[u8]| crate::output::printable_bytes(key);
    match (&*keys.from, &keys.until) {
        (b"", None) => String::new(),
        (b"", Some(until)) => format!(" of keys before {}", shown(until)),
        (from, None) => format!(" of keys from {}", shown(from)),
        (from, Some(until)) => format!(" of keys from {} to before {}", shown(from), shown(until)),
    }
}

/// Where keys stand between the least and the greatest: by rank, as bytes have no distance that a
/// person could see.
struct KeyLadder {
    keys: Vec<Vec<u8>>,
}

impl KeyLadder {
    fn new(files: &[&HistoryEntry], table: TableId) -> Self {
        let mut keys = BTreeSet::new();
        for file in files {
            if let Some(entry) = file.table(table) {
                keys.extend([entry.key_min.to_vec(), entry.key_max.to_vec()]);
            }
            let range = file.scope.as_ref().map(|scope| &scope.keys);
            let from = range.map(|keys| &keys.from).filter(|from| !from.is_empty());
            let until = range.and_then(|keys| keys.until.as_ref());
            keys.extend(from.into_iter().chain(until).map(|key| key.to_vec()));
        }
        Self { keys: keys.into_iter().collect() }
    }

    fn part(&self, key: &[u8]) -> f64 {
        let rank = self.keys.partition_point(|known| known.as_slice() < key);
        ratio(rank, self.keys.len().saturating_sub(1).max(1)).min(1.0)
    }

    fn ends(&self) -> Option<(String, String)> {
        let shown = |key: &Vec<u8>| crate::output::printable_bytes(key);
        self.keys.first().map(shown).zip(self.keys.last().map(shown))
    }
}

#[expect(clippy::cast_precision_loss, reason = "it is a place in a picture")]
fn part(seq: Seq, last: Seq) -> f64 {
    seq.0 as f64 / last.0.max(1) as f64
}

#[expect(clippy::cast_precision_loss, reason = "it is a place in a picture")]
fn ratio(count: usize, of: usize) -> f64 {
    count as f64 / of as f64
}
