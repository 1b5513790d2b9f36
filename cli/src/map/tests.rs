//! Tests of the map: what stands where.

use foldback::log_tier::manifest::{Floor, Scope, TableEntry};
use foldback::{Commit, DatabaseId, KeyRange, Timestamp};

use super::*;

const TABLE: TableId = TableId(4);

fn commit(seq: u64) -> Commit {
    Commit { seq: Seq(seq), timestamp: Timestamp(0) }
}

fn file(kind: FileKind, first: u64, last: u64, keys: (&'static str, &'static str)) -> HistoryEntry {
    let scope = Scope { table: TABLE, keys: KeyRange::all() };
    let table = TableEntry {
        table: TABLE,
        rows: 3,
        row_group_first: 0,
        row_group_last: 0,
        bytes: 2048,
        seq_min: Seq(first),
        seq_max: Seq(last),
        timestamp_min: Timestamp(0),
        timestamp_max: Timestamp(0),
        key_min: keys.0.into(),
        key_max: keys.1.into(),
        cuts: Vec::new(),
    };
    HistoryEntry {
        name: format!("{kind}-{first}-{last}"),
        kind,
        first: commit(first),
        last: commit(last),
        until: None,
        scope: (kind == FileKind::Base).then_some(scope),
        bytes: 4096,
        rows: 3,
        blake3: String::new(),
        tail_offset: 0,
        tail_blake3: String::new(),
        tables: vec![table],
    }
}

fn manifest() -> Manifest {
    let mut manifest = Manifest::empty(DatabaseId::random());
    manifest.sealed = commit(80);
    manifest.files = vec![
        file(FileKind::Base, 40, 40, ("a", "m")),
        file(FileKind::Delta, 1, 40, ("a", "m")),
        file(FileKind::Delta, 41, 80, ("g", "z")),
    ];
    manifest
}

fn segments() -> [SegmentInfo; 1] {
    let (first, last) = (Seq(81), Seq(100));
    let (first_timestamp, last_timestamp) = (Timestamp(0), Timestamp(0));
    [SegmentInfo { first, last, first_timestamp, last_timestamp, bytes: 1, sealed: false }]
}

fn drawn<T>(draw: impl FnOnce(&MapInputs<'_>) -> T) -> T {
    let (manifest, segments) = (manifest(), segments());
    let (earliest, latest) = (Timestamp(0), Timestamp(1));
    let windows = [Window { earliest, latest, first: Seq(2), last: Seq(100), open: true }];
    draw(&MapInputs {
        name: "a < b",
        table: TABLE,
        manifest: &manifest,
        segments: &segments,
        windows: &windows,
    })
}

#[test]
fn shapes_stand_where_their_commits_and_keys_are() {
    let plane = drawn(Plane::new);
    let places: Vec<_> =
        plane.shapes.iter().map(|shape| (shape.kind, shape.seq, shape.keys)).collect();
    let third = 1.0 / 3.0;
    assert_eq!(
        places,
        [
            (ShapeKind::Delta, (0.0, 0.4), (0.0, 2.0 * third)),
            (ShapeKind::Delta, (0.4, 0.8), (third, 1.0)),
            (ShapeKind::Segment, (0.8, 1.0), (0.0, 1.0)),
            (ShapeKind::Base, (0.4, 0.4), (0.0, 1.0)),
        ]
    );
}

#[test]
fn a_page_names_every_file_and_breaks_on_no_name() {
    let page = drawn(svg);
    for part in ["base at #40: 3 rows", "delta #41 to #80", "not sealed", "a &lt; b", "</svg>"] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    assert!(!page.contains("a < b"));
}

#[test]
fn a_sketch_is_no_wider_than_asked_for() {
    let sketch = drawn(|inputs| sketch(inputs, 60));
    let picture: Vec<_> = sketch.lines().skip(1).take(10).collect();
    assert!(picture.iter().all(|line| line.chars().count() <= 60), "{sketch}");
    assert!(picture[0].contains('░') && picture[0].contains('┃') && picture[0].contains('▒'));
    assert!(sketch.contains("restorable"));
}

#[test]
fn a_table_without_history_is_an_empty_plane() {
    let manifest = Manifest::empty(DatabaseId::random());
    let name = "empty";
    let inputs = MapInputs { name, table: TABLE, manifest: &manifest, segments: &[], windows: &[] };
    assert!(svg(&inputs).contains("not protected"));
    assert!(sketch(&inputs, 10).contains("empty"));
}

/// Two pieces of one base, of which the upper one was folded later, and the lower one held until
/// then; what lies before #30 was given up.
fn pieces() -> Manifest {
    let mut manifest = manifest();
    let piece = |at, from: &'static str, until: Option<&'static str>, keys| {
        let mut base = file(FileKind::Base, at, at, keys);
        let keys = KeyRange { from: from.into(), until: until.map(Into::into) };
        base.scope = Some(Scope { table: TABLE, keys });
        base
    };
    let mut lower = piece(40, "", Some("n"), ("a", "m"));
    lower.until = Some(commit(60));
    manifest.files = vec![
        lower,
        piece(60, "n", None, ("n", "z")),
        file(FileKind::Delta, 20, 60, ("a", "z")),
        file(FileKind::Delta, 61, 80, ("g", "z")),
    ];
    let floor = |table| Floor { table, interval: Seq(10), earliest: commit(40) };
    manifest.floors = vec![floor(TABLE), floor(TableId(TABLE.0 + 1))];
    manifest
}

fn drawn_pieces<T>(draw: impl FnOnce(&MapInputs<'_>) -> T) -> T {
    let manifest = pieces();
    let (earliest, latest) = (Timestamp(0), Timestamp(1));
    let windows = [Window { earliest, latest, first: Seq(40), last: Seq(80), open: true }];
    draw(&MapInputs {
        name: "pieces",
        table: TABLE,
        manifest: &manifest,
        segments: &[],
        windows: &windows,
    })
}

#[test]
fn a_piece_covers_its_keys_and_a_line_leads_to_where_it_holds() {
    let plane = drawn_pieces(Plane::new);
    let bases = plane.shapes.iter().filter(|shape| shape.kind != ShapeKind::Delta);
    let places: Vec<_> = bases.map(|shape| (shape.kind, shape.seq, shape.keys)).collect();
    // The ladder is a, g, m, n, z.
    assert_eq!(
        places,
        [
            (ShapeKind::Holds, (0.5, 0.75), (0.0, 0.75)),
            (ShapeKind::Base, (0.5, 0.5), (0.0, 0.75)),
            (ShapeKind::Base, (0.75, 0.75), (0.75, 1.0)),
        ]
    );
    let page = drawn_pieces(svg);
    for part in ["base at #40 of keys before n", "of keys from n", "holds up to #60"] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
}

#[test]
fn what_was_given_up_ends_at_the_floor_of_this_table() {
    let plane = drawn_pieces(Plane::new);
    assert_eq!(plane.given_up.len(), 1, "of this table only");
    assert_eq!(plane.given_up[0].0, (0.125, 0.5));
    let page = drawn_pieces(svg);
    assert!(page.contains("given up, older than its retention: before 1970-01-01"), "{page}");
    let sketch = drawn_pieces(|inputs| sketch(inputs, 60));
    let bar = sketch.lines().find(|line| line.starts_with("restorable")).expect("there is one");
    let (given_up, restorable) = (bar.find('×'), bar.find('━'));
    assert!(given_up.is_some() && given_up < restorable, "{sketch}");
    assert_eq!(bar.matches('×').count() + bar.matches('━').count(), 49 - 6, "{sketch}");
    // The two pieces share no line.
    let lines: Vec<_> = sketch.lines().skip(1).take(8).collect();
    assert!(lines.iter().all(|line| line.matches('┃').count() == 1), "{sketch}");
}
