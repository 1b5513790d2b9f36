//! The planner over small planes of key and seq: what it must read, and what it must not.

mod explaining;
mod property;

use bytes::Bytes;
use foldback_log_tier::history::RowGroupEntry;
use foldback_log_tier::manifest::{Scope, TableEntry};
use foldback_log_tier::names::{self, HistoryName};
use foldback_log_tier::{Timestamp, WriterId};

use super::*;

const TABLE: TableId = TableId(7);
const OTHER: TableId = TableId(8);

/// One row of a file: key, seq, and whether it is a put.
type Row = (u8, u64, bool);

fn commit(seq: u64) -> Commit {
    let micros = i64::try_from(seq).expect("the test's seqs are small") * 10;
    Commit { seq: Seq(seq), timestamp: Timestamp(micros) }
}

fn range(from: &str, until: &str) -> KeyRange {
    let until = (!until.is_empty()).then(|| Bytes::copy_from_slice(until.as_bytes()));
    KeyRange { from: Bytes::copy_from_slice(from.as_bytes()), until }
}

/// A file of these rows of [`TABLE`], in a rectangle of keys if it has one.
fn file(
    kind: FileKind,
    first: u64,
    last: u64,
    keys: Option<KeyRange>,
    rows: &[Row],
) -> HistoryEntry {
    let unique = WriterId::random();
    let name = HistoryName { kind, first: Seq(first), last: Seq(last), born: 0, unique };
    let seqs = || rows.iter().map(|(_, seq, _)| *seq);
    let keys_of = || rows.iter().map(|(key, _, _)| *key);
    let held = (!rows.is_empty()).then(|| TableEntry {
        table: TABLE,
        rows: u64::try_from(rows.len()).expect("few"),
        row_group_first: 0,
        row_group_last: 1,
        bytes: 100,
        seq_min: Seq(seqs().min().expect("it has rows")),
        seq_max: Seq(seqs().max().expect("it has rows")),
        timestamp_min: commit(seqs().min().expect("it has rows")).timestamp,
        timestamp_max: commit(seqs().max().expect("it has rows")).timestamp,
        key_min: Bytes::from(vec![keys_of().min().expect("it has rows")]),
        key_max: Bytes::from(vec![keys_of().max().expect("it has rows")]),
        cuts: Vec::new(),
    });
    HistoryEntry {
        name: names::history(name),
        kind,
        first: commit(first),
        last: commit(last),
        until: None,
        scope: keys.map(|keys| Scope { table: TABLE, keys }),
        bytes: 1_000,
        rows: u64::try_from(rows.len()).expect("few"),
        blake3: "0".repeat(64),
        tail_offset: 900,
        tail_blake3: "0".repeat(64),
        tables: held.into_iter().collect(),
    }
}

fn delta(first: u64, last: u64, rows: &[Row]) -> HistoryEntry {
    file(FileKind::Delta, first, last, None, rows)
}

fn base(at: u64, rows: &[Row]) -> HistoryEntry {
    file(FileKind::Base, at, at, Some(KeyRange::all()), rows)
}

fn manifest(sealed: u64, files: &[HistoryEntry]) -> Manifest {
    let mut manifest = Manifest::empty(DatabaseId::random());
    manifest.sealed = commit(sealed);
    manifest.files = files.to_vec();
    manifest
}

fn segment(first: u64, last: u64) -> SegmentInfo {
    SegmentInfo {
        first: Seq(first),
        last: Seq(last),
        first_timestamp: commit(first).timestamp,
        last_timestamp: commit(last).timestamp,
        bytes: 64,
        sealed: false,
    }
}

/// A plan for all keys of a table that was empty when its history began, at seq 1.
fn plan_at(manifest: &Manifest, segments: &[SegmentInfo], target: u64) -> Result<RestorePlan> {
    plan_of(manifest, segments, (1, true), target, &Selection::all())
}

fn plan_of(
    manifest: &Manifest,
    segments: &[SegmentInfo],
    (history_first, starts_empty): (u64, bool),
    target: u64,
    selection: &Selection,
) -> Result<RestorePlan> {
    plan(PlanInputs {
        manifest,
        segments,
        table: TABLE,
        table_name: "orders",
        history_first: Seq(history_first),
        starts_empty,
        earliest: None,
        target: commit(target),
        selection,
    })
}

/// What a plan reads, as `base+deltas` of each piece and the segments after a bar.
fn shown(plan: &RestorePlan) -> String {
    let span = |file: &HistoryEntry| format!("{}-{}", file.first.seq, file.last.seq);
    let piece = |piece: &PlanPiece| {
        let base = piece
            .base
            .as_ref()
            .map_or("none".to_owned(), |read| format!("@{}", read.file.last.seq));
        let deltas = piece.deltas.iter().map(|read| format!("+{}", span(&read.file)));
        base + &deltas.collect::<String>()
    };
    let pieces: Vec<_> = plan.pieces.iter().map(piece).collect();
    let segments = plan.segments.iter().map(|info| format!(" {}-{}", info.first, info.last));
    format!("{} |{}", pieces.join(" "), segments.collect::<String>())
}

#[test]
fn it_reads_the_newest_base_and_what_lies_above_it() {
    const A: u8 = b'a';
    let files = [
        delta(1, 4, &[(A, 2, true)]),
        base(4, &[(A, 4, true)]),
        delta(5, 8, &[(A, 6, true)]),
        base(8, &[(A, 8, true)]),
        delta(9, 12, &[(A, 10, true)]),
    ];
    let manifest = manifest(12, &files);
    let segments = [segment(9, 12), segment(13, 15), segment(16, 20)];
    for (target, expected) in [
        (1, "none |"),
        (3, "none+1-4 |"),
        (4, "@4 |"),
        (5, "@4 |"),
        (6, "@4+5-8 |"),
        (7, "@4+5-8 |"),
        (8, "@8 |"),
        (9, "@8 |"),
        (11, "@8+9-12 |"),
        (12, "@8+9-12 |"),
        (13, "@8+9-12 | 13-15"),
        (15, "@8+9-12 | 13-15"),
        (16, "@8+9-12 | 13-15 16-20"),
        (20, "@8+9-12 | 13-15 16-20"),
    ] {
        let plan = plan_at(&manifest, &segments, target).expect("there is no gap");
        assert_eq!(shown(&plan), expected, "at {target}");
        assert_eq!((plan.target, plan.sealed), (commit(target), Seq(12)));
    }
}

#[test]
fn bases_of_an_earlier_protection_do_not_count() {
    let files = [base(4, &[]), delta(5, 8, &[]), base(9, &[(b'a', 9, true)]), delta(9, 12, &[])];
    let manifest = manifest(12, &files);
    let all = Selection::all();
    let plan = plan_of(&manifest, &[], (9, false), 11, &all).expect("its own base is there");
    assert_eq!(shown(&plan), "@9 |");
    let too_early = plan_of(&manifest, &[], (10, false), 11, &all);
    let says_why = |why: &str| why.contains("base") && why.contains("#11");
    assert!(matches!(&too_early, Err(Error::Lost(why)) if says_why(why)), "{too_early:?}");
}

#[test]
fn a_base_in_pieces_is_combined_with_older_ones() {
    let files = [
        base(2, &[(b'a', 2, true), (b'x', 2, true)]),
        delta(1, 9, &[(b'a', 5, true), (b'x', 6, true)]),
        file(FileKind::Base, 6, 6, Some(range("", "m")), &[(b'a', 6, true)]),
    ];
    let manifest = manifest(9, &files);
    let plan = plan_at(&manifest, &[], 8).expect("there is no gap");
    assert_eq!(shown(&plan), "@6 @2+1-9 |");
    assert_eq!(plan.pieces[0].keys, range("", "m"));
    assert_eq!(plan.pieces[1].keys, range("m", ""));
    let selection = Selection::ranges([range("b", "c"), range("l", "n")]);
    let plan = plan_of(&manifest, &[], (1, true), 8, &selection).expect("there is no gap");
    let keys: Vec<_> = plan.pieces.iter().map(|piece| piece.keys.clone()).collect();
    // They are split where the bases end, and not where the selection has a hole.
    assert_eq!(keys, [range("b", "m"), range("m", "n")]);
    assert_eq!(shown(&plan), "@6 @2+1-9 |");
}

#[test]
fn deltas_that_were_cut_by_key_cover_together() {
    let files = [
        delta(1, 4, &[(b'a', 2, true), (b'x', 3, true)]),
        file(FileKind::Delta, 5, 9, Some(range("", "m")), &[(b'a', 6, true)]),
        file(FileKind::Delta, 5, 9, Some(range("m", "")), &[(b'x', 7, true)]),
    ];
    let plan = plan_at(&manifest(9, &files), &[], 9).expect("there is no gap");
    assert_eq!(shown(&plan), "none+1-4+5-9 none+1-4+5-9 |");
    let without = plan_at(&manifest(9, &files[..2]), &[], 9);
    assert!(matches!(without, Err(Error::Lost(_))), "{without:?}");
    let below = Selection::ranges([range("", "m")]);
    plan_of(&manifest(9, &files[..2]), &[], (1, true), 9, &below).expect("these keys have no gap");
}

#[test]
fn a_gap_is_an_error_that_names_it() {
    let row = [(b'a', 1, true)];
    let whole = [delta(1, 4, &row), delta(5, 8, &row), delta(9, 12, &row)];
    let without = |missing: usize| {
        let mut files = whole.to_vec();
        files.remove(missing);
        files
    };
    for (files, sealed, segments, target, gap) in [
        (without(1), 12, vec![], 12, "#5 to #8"),
        (without(2), 12, vec![], 11, "#9 to #11"),
        (without(1), 12, vec![segment(5, 8)], 12, "#5 to #8"),
        (whole.to_vec(), 12, vec![segment(15, 18)], 16, "#13 to #14"),
        (whole.to_vec(), 12, vec![], 16, "#13 to #16"),
        (whole.to_vec(), 12, vec![segment(13, 14), segment(17, 20)], 18, "#15 to #16"),
        ([without(1), vec![base(10, &row)]].concat(), 12, vec![], 9, "#10 on"),
    ] {
        let planned = plan_at(&manifest(sealed, &files), &segments, target);
        let Err(Error::Lost(why)) = planned else { panic!("{gap}: {planned:?}") };
        assert!(why.contains(gap) && why.contains("\"orders\""), "{gap}: {why}");
    }
    // A gap below a base or above the target is none.
    let above = [without(0), vec![base(4, &row)]].concat();
    plan_at(&manifest(12, &above), &[], 12).expect("the base is above the gap");
    plan_at(&manifest(12, &without(2)), &[], 8).expect("the gap is above the target");
}

#[test]
fn files_that_hold_nothing_of_the_table_cover_without_being_read() {
    let mut others = delta(5, 8, &[(b'a', 6, true)]);
    others.tables[0].table = OTHER;
    let files = [delta(1, 4, &[(b'a', 2, true)]), others, delta(9, 12, &[(b'a', 12, true)])];
    let plan = plan_at(&manifest(12, &files), &[], 11).expect("there is no gap");
    assert_eq!(shown(&plan), "none+1-4 |");
    assert_eq!((plan.bucket_bytes(), plan.bucket_requests()), (100, 1));
}

#[test]
fn an_empty_selection_reads_no_file() {
    let files = [delta(1, 4, &[(b'a', 2, true)])];
    let nothing = Selection::ranges([range("b", "b")]);
    let plan = plan_of(&manifest(4, &files), &[], (1, true), 4, &nothing).expect("no gap");
    assert_eq!(shown(&plan), " |");
}

#[test]
fn row_groups_are_chosen_by_their_own_statistics() {
    let group =
        |index: u32, table: TableId, keys: (&'static str, &'static str), seqs: (u64, u64)| {
            RowGroupEntry {
                index,
                table,
                rows: 1,
                offset: u64::from(index) * 10,
                bytes: 10,
                key_min: keys.0.into(),
                key_max: keys.1.into(),
                seq_min: Seq(seqs.0),
                seq_max: Seq(seqs.1),
                timestamp_min: commit(seqs.0).timestamp,
                timestamp_max: commit(seqs.1).timestamp,
            }
        };
    let groups = [
        group(0, OTHER, ("c", "d"), (5, 6)),
        group(1, TABLE, ("a", "b"), (5, 6)),
        group(2, TABLE, ("b", "d"), (3, 4)),
        group(3, TABLE, ("c", "d"), (4, 5)),
        group(4, TABLE, ("c", "d"), (9, 9)),
        group(5, TABLE, ("e", "f"), (5, 6)),
    ];
    let all = [(b'a', 3, true), (b'f', 9, true)];
    let files = [base(4, &[(b'c', 4, true)]), delta(1, 9, &all)];
    let selection = Selection::ranges([range("c", "e")]);
    let manifest = manifest(9, &files);
    let mut plan = plan_of(&manifest, &[], (1, true), 8, &selection).expect("no gap");
    plan.choose_row_groups(&files[1].name, &groups);
    let chosen = |plan: &RestorePlan| plan.pieces[0].deltas[0].row_groups.clone();
    assert_eq!((chosen(&plan), plan.pieces[0].deltas[0].bytes), (vec![3], 10));
    // A base's rows are older than the base, and all of them count.
    plan.choose_row_groups(&files[0].name, &groups[..4]);
    let read = plan.pieces[0].base.as_ref().expect("there is one");
    assert_eq!((read.row_groups.clone(), read.bytes), (vec![2, 3], 20));
    let mut plan = plan_of(&manifest, &[], (1, true), 9, &selection).expect("no gap");
    plan.choose_row_groups(&files[1].name, &groups);
    assert_eq!(chosen(&plan), [3, 4]);
}
