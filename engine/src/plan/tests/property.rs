//! Random manifests over a plane of a few keys and seqs, against counting every point of it.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Keys are `a` to `f`, and ranges begin and end between them.
const KEYS: u8 = 6;
/// Commits of the plane.
const SEQS: u64 = 14;

/// Events of the plane: whether the event of (key, seq) is a put.
type Events = BTreeMap<(u8, u64), bool>;
/// What a state holds: of each key the seq of its put.
type Folded = BTreeMap<u8, u64>;

/// A rectangle: first and last seq, and the keys from one number up to before another.
#[derive(Clone, Debug)]
struct Rectangle {
    first: u64,
    last: u64,
    from: u8,
    until: u8,
}

#[derive(Clone, Debug)]
struct Plane {
    events: Events,
    /// After which seqs an unscoped delta ends, and which of these deltas are missing.
    cuts: Vec<u64>,
    missing: Vec<bool>,
    scoped: Vec<Rectangle>,
    bases: Vec<Rectangle>,
    sealed: u64,
    /// First seqs of local segments.
    segments: Vec<u64>,
    history_first: u64,
    starts_empty: bool,
    target: u64,
    selected: Vec<(u8, u8)>,
}

fn rectangle() -> impl Strategy<Value = Rectangle> {
    (1..=SEQS, 0..6_u64, 0..KEYS, 1..=KEYS).prop_map(|(first, length, from, keys)| Rectangle {
        first,
        last: (first + length).min(SEQS),
        from,
        until: (from + keys).min(KEYS),
    })
}

fn plane() -> impl Strategy<Value = Plane> {
    let events = prop::collection::btree_map((0..KEYS, 1..=SEQS), prop::bool::weighted(0.7), 0..40);
    let deltas = (
        prop::collection::vec(1..=SEQS, 0..5),
        prop::collection::vec(prop::bool::weighted(0.1), 8),
        prop::collection::vec(rectangle(), 0..5),
        prop::collection::vec(rectangle(), 0..5),
    );
    let local = (0..=SEQS, prop::collection::vec(1..=SEQS, 0..4));
    let asked = (
        1..=SEQS,
        prop::bool::weighted(0.7),
        1..=SEQS,
        prop::collection::vec((0..KEYS, 1..=KEYS), 0..3),
    );
    (events, deltas, local, asked).prop_map(|(events, deltas, local, asked)| {
        let (cuts, missing, scoped, bases) = deltas;
        let (sealed, segments) = local;
        let (history_first, starts_empty, target, selected) = asked;
        let (target, sealed) = (target.max(history_first), sealed);
        let plane = Plane {
            events,
            cuts,
            missing,
            scoped,
            bases,
            sealed,
            segments,
            history_first,
            starts_empty,
            target,
            selected,
        };
        plane.made_possible()
    })
}

/// Where a range of keys begins that starts at number `at`; the plane has no ends.
fn edge(at: u8) -> Option<Bytes> {
    (0 < at && at < KEYS).then(|| Bytes::from(vec![b'a' + at]))
}

fn keys_of(from: u8, until: u8) -> KeyRange {
    KeyRange { from: edge(from).unwrap_or_default(), until: edge(until) }
}

impl Plane {
    /// What the engine never makes is taken out: events before a table that starts empty, and
    /// files above what is sealed.
    fn made_possible(mut self) -> Self {
        let (first, sealed) = (self.history_first, self.sealed);
        self.events.retain(|(_, seq), _| !self.starts_empty || *seq > first);
        self.scoped.retain(|delta| delta.last <= sealed);
        self.bases.retain(|base| base.first <= sealed);
        self.cuts.retain(|cut| *cut < sealed);
        self.cuts.push(sealed);
        self.cuts.sort_unstable();
        self.cuts.dedup();
        self.segments.sort_unstable();
        self.segments.dedup();
        self
    }

    fn rows(&self, part: &Rectangle) -> Vec<Row> {
        let inside = |(key, seq): (u8, u64)| {
            (part.first..=part.last).contains(&seq) && (part.from..part.until).contains(&key)
        };
        let events = self.events.iter().filter(|(at, _)| inside(**at));
        events.map(|((key, seq), put)| (b'a' + key, *seq, *put)).collect()
    }

    fn fold(&self, target: u64) -> Folded {
        let mut state = Folded::new();
        let mut events: Vec<_> = self.events.iter().collect();
        events.sort_by_key(|((_, seq), _)| *seq);
        for ((key, seq), put) in events.into_iter().filter(|((_, seq), _)| *seq <= target) {
            match put {
                true => drop(state.insert(b'a' + key, *seq)),
                false => drop(state.remove(&(b'a' + key))),
            }
        }
        state
    }

    /// Every history file with its rectangle and its rows.
    fn files(&self) -> Vec<(HistoryEntry, Rectangle, Vec<Row>)> {
        let mut files = Vec::new();
        let mut first = 1;
        for (at, last) in self.cuts.iter().filter(|cut| **cut > 0).enumerate() {
            let part = Rectangle { first, last: *last, from: 0, until: KEYS };
            first = last + 1;
            if !self.missing[at] {
                let rows = self.rows(&part);
                files.push((delta(part.first, part.last, &rows), part, rows));
            }
        }
        for part in &self.scoped {
            let (rows, keys) = (self.rows(part), keys_of(part.from, part.until));
            let entry = file(FileKind::Delta, part.first, part.last, Some(keys), &rows);
            files.push((entry, part.clone(), rows));
        }
        for part in &self.bases {
            let (at, keys) = (part.first, keys_of(part.from, part.until));
            let state = self.fold(at);
            let mine = state.iter().filter(|(key, _)| keys.contains(&[**key]));
            let rows: Vec<Row> = mine.map(|(key, seq)| (*key, *seq, true)).collect();
            let entry = file(FileKind::Base, at, at, Some(keys), &rows);
            files.push((entry, Rectangle { last: at, ..part.clone() }, rows));
        }
        files
    }

    fn segment_infos(&self) -> Vec<SegmentInfo> {
        let ends = self.segments.iter().skip(1).map(|first| first - 1).chain([SEQS]);
        self.segments.iter().zip(ends).map(|(first, last)| segment(*first, last)).collect()
    }

    fn selection(&self) -> Selection {
        match self.selected.is_empty() {
            true => Selection::all(),
            false => Selection::ranges(
                self.selected.iter().map(|(from, keys)| keys_of(*from, (from + keys).min(KEYS))),
            ),
        }
    }
}

/// Checks of one key that each commit up to the target is held somewhere above the key's base;
/// returns the seq of that base.
fn floor_if_covered(
    plane: &Plane,
    files: &[(HistoryEntry, Rectangle, Vec<Row>)],
    key: u8,
) -> Option<u64> {
    let holding = |kind: FileKind| {
        let of_key = move |part: &Rectangle| (part.from..part.until).contains(&key);
        files.iter().filter(move |(entry, part, _)| entry.kind == kind && of_key(part))
    };
    let usable = plane.history_first..=plane.target;
    let bases = holding(FileKind::Base).map(|(_, part, _)| part.first);
    let base = bases.filter(|at| usable.contains(at)).max();
    let floor = base.or(plane.starts_empty.then_some(plane.history_first))?;
    let held = |seq: u64| match seq <= plane.sealed {
        true => {
            holding(FileKind::Delta).any(|(_, part, _)| (part.first..=part.last).contains(&seq))
        }
        false => plane.segments.first().is_some_and(|first| *first <= seq),
    };
    (floor + 1..=plane.target).all(held).then_some(floor)
}

/// Whether the local segments hold every commit between what is sealed and the target.
fn tail_is_covered(plane: &Plane) -> bool {
    plane.target <= plane.sealed || plane.segments.first().is_some_and(|at| *at <= plane.sealed + 1)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_reads_all_that_it_must_and_folds_to_the_same_state(plane in plane()) {
        let files = plane.files();
        let entries: Vec<_> = files.iter().map(|(entry, _, _)| entry.clone()).collect();
        let manifest = manifest(plane.sealed, &entries);
        let (segments, selection) = (plane.segment_infos(), plane.selection());
        let history = (plane.history_first, plane.starts_empty);
        let planned = plan_of(&manifest, &segments, history, plane.target, &selection);
        let selected = |key: &u8| selection.as_ranges().iter().any(|range| range.contains(&[b'a' + key]));
        let floors: Vec<_> = (0..KEYS)
            .filter(selected)
            .map(|key| (b'a' + key, floor_if_covered(&plane, &files, key)))
            .collect();
        let covered = tail_is_covered(&plane) && floors.iter().all(|(_, floor)| floor.is_some());
        match planned {
            Ok(plan) => {
                prop_assert!(covered, "there is a gap: {floors:?}");
                check_plan(&plane, &plan, &files, &floors);
            }
            Err(Error::Lost(why)) => prop_assert!(!covered, "there is no gap: {why}"),
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}

/// What holds of every plan: it reads the newest bases, nothing that it need not, and its files
/// alone give the state.
fn check_plan(
    plane: &Plane,
    plan: &RestorePlan,
    files: &[(HistoryEntry, Rectangle, Vec<Row>)],
    floors: &[(u8, Option<u64>)],
) {
    let mut folded = Folded::new();
    for piece in &plan.pieces {
        let floor = piece.floor.0;
        let keys: Vec<u8> =
            (0..KEYS).map(|key| b'a' + key).filter(|key| piece.keys.contains(&[*key])).collect();
        let is_selected = |key: &u8| floors.iter().any(|(selected, _)| selected == key);
        for end in [keys.first(), keys.last()] {
            assert!(end.is_some_and(is_selected), "{:?} is wider than what is asked", piece.keys);
        }
        let keys: Vec<u8> = keys.into_iter().filter(is_selected).collect();
        for key in &keys {
            let expected = floors.iter().find(|(of, _)| of == key).and_then(|(_, floor)| *floor);
            assert_eq!(Some(floor), expected, "the base of {key}");
        }
        for read in &piece.deltas {
            let held = read.file.table(TABLE).expect("it holds rows of the table");
            assert!(held.seq_min.0 <= plane.target, "{} lies above the target", read.file.name);
            assert!(floor < held.seq_max.0, "{} lies below the base", read.file.name);
            assert!(piece.keys.intersects(&held.key_min, &held.key_max));
        }
        let mut rows: Vec<Row> = plane.rows(&Rectangle {
            first: plane.sealed + 1,
            last: if plan.segments.is_empty() { 0 } else { SEQS },
            from: 0,
            until: KEYS,
        });
        for read in piece.files() {
            let found = files.iter().find(|(entry, _, _)| entry.name == read.file.name);
            let (entry, _, held) = found.expect("it is a file of the manifest");
            let is_base = entry.kind == FileKind::Base;
            rows.extend(held.iter().filter(|(_, seq, _)| is_base || floor < *seq));
        }
        rows.sort_unstable_by_key(|(_, seq, _)| *seq);
        for (key, seq, put) in rows {
            if seq <= plane.target && keys.contains(&key) {
                match put {
                    true => drop(folded.insert(key, seq)),
                    false => drop(folded.remove(&key)),
                }
            }
        }
    }
    let mut expected = plane.fold(plane.target);
    expected.retain(|key, _| floors.iter().any(|(selected, _)| selected == key));
    assert_eq!(folded, expected);
    for (left, right) in plan.pieces.iter().zip(plan.pieces.iter().skip(1)) {
        assert!(left.keys.until.as_ref().is_some_and(|until| *until <= right.keys.from));
    }
    for info in &plan.segments {
        assert!(info.last.0 > plane.sealed && info.first.0 <= plane.target, "{info:?}");
    }
}
