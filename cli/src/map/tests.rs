//! Tests of the map: what stands where.

use foldback::log_tier::manifest::{Scope, TableEntry};
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
