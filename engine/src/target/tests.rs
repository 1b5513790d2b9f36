//! Windows, from what the catalog promises and what the bucket holds.

use foldback_log_tier::history::FileKind;
use foldback_log_tier::manifest::{Floor, HistoryEntry, Scope};
use foldback_log_tier::{DatabaseId, KeyRange, TableId};

use super::*;
use crate::{ProtectionInterval, Retention};

const TABLE: TableId = TableId(3);

fn commit(seq: u64, micros: i64) -> Commit {
    Commit { seq: Seq(seq), timestamp: Timestamp(micros) }
}

fn interval(first: Commit, last: Option<Commit>, starts_empty: bool) -> ProtectionInterval {
    let (retention, changes) = (Retention::Forever, Vec::new());
    ProtectionInterval { first, last, retention, starts_empty, changes }
}

fn record(protection: &[ProtectionInterval]) -> TableRecord {
    TableRecord {
        id: TABLE,
        name: "orders".to_owned(),
        created: commit(1, 0),
        dropped: None,
        protection: protection.to_vec(),
        lineage: None,
    }
}

/// A file without rows: where windows begin and end does not hang on them.
fn file(kind: FileKind, first: Commit, last: Commit) -> HistoryEntry {
    let scope = Scope { table: TABLE, keys: KeyRange::all() };
    HistoryEntry {
        name: format!("{kind} {} {}", first.seq, last.seq),
        kind,
        first,
        last,
        until: None,
        scope: (kind == FileKind::Base).then_some(scope),
        bytes: 100,
        rows: 0,
        blake3: String::new(),
        tail_offset: 0,
        tail_blake3: String::new(),
        tables: Vec::new(),
    }
}

/// A manifest that is sealed up to `#40`, with one delta from `#1` on, and these bases.
fn manifest(bases: &[Commit]) -> Manifest {
    let mut manifest = Manifest::empty(DatabaseId::random());
    manifest.sealed = commit(40, 3_500);
    manifest.files.push(file(FileKind::Delta, commit(1, 0), manifest.sealed));
    manifest.files.extend(bases.iter().map(|base| file(FileKind::Base, *base, *base)));
    manifest
}

/// The windows at tip `#50`, at the instant 5,000, with these bases, as
/// `earliest..latest #first..last`, and a `+` where they are open.
fn check(protection: &[ProtectionInterval], bases: &[Commit], expected: &[&str]) {
    check_of(protection, &manifest(bases), expected);
}

fn check_of(protection: &[ProtectionInterval], manifest: &Manifest, expected: &[&str]) {
    let found = windows(&record(protection), manifest, commit(50, 4_000), Timestamp(5_000));
    let shown = |window: &Window| {
        let Window { earliest, latest, first, last, open } = window;
        let open = if *open { "+" } else { "" };
        format!("{}..{} #{first}..{last}{open}", earliest.0, latest.0)
    };
    assert_eq!(found.iter().map(shown).collect::<Vec<_>>(), expected, "of {protection:?}");
}

#[test]
fn a_table_that_starts_empty_is_restorable_at_once() {
    let first = commit(10, 1_000);
    check(&[interval(first, None, true)], &[], &["1000..5000 #10..50+"]);
    // A later base takes nothing away.
    check(&[interval(first, None, true)], &[commit(20, 2_000)], &["1000..5000 #10..50+"]);
}

#[test]
fn a_table_with_keys_is_restorable_from_its_first_base_on() {
    let open = interval(commit(10, 1_000), None, false);
    check(std::slice::from_ref(&open), &[], &[]);
    check(std::slice::from_ref(&open), &[commit(9, 900)], &[]);
    check(std::slice::from_ref(&open), &[commit(10, 1_000)], &["1000..5000 #10..50+"]);
    check(&[open], &[commit(30, 3_000), commit(20, 2_000)], &["2000..5000 #20..50+"]);
}

#[test]
fn the_commit_that_ends_protection_is_outside() {
    let ended = interval(commit(10, 1_000), Some(commit(20, 2_000)), true);
    check(std::slice::from_ref(&ended), &[], &["1000..1999 #10..19"]);
    let with_keys = ProtectionInterval { starts_empty: false, ..ended };
    check(std::slice::from_ref(&with_keys), &[commit(20, 2_000)], &[]);
    check(&[with_keys], &[commit(19, 1_999)], &["1999..1999 #19..19"]);
}

#[test]
fn intervals_keep_their_gap() {
    let ended = interval(commit(10, 1_000), Some(commit(20, 2_000)), true);
    let open = interval(commit(30, 3_000), None, false);
    let windows = ["1000..1999 #10..19", "3100..5000 #31..50+"];
    check(&[ended.clone(), open.clone()], &[commit(31, 3_100)], &windows);
    check(&[ended, open], &[commit(25, 2_500)], &windows[..1]);
}

#[test]
fn a_window_begins_where_what_is_kept_begins() {
    let open = interval(commit(10, 1_000), None, true);
    let mut kept = manifest(&[commit(20, 2_000)]);
    kept.floors.push(Floor { table: TABLE, interval: Seq(10), earliest: commit(20, 2_000) });
    check_of(std::slice::from_ref(&open), &kept, &["2000..5000 #20..50+"]);
    // Deltas below it may go, and the window stays; those above may not.
    kept.files[0].first = commit(21, 2_100);
    check_of(std::slice::from_ref(&open), &kept, &["2000..5000 #20..50+"]);
    kept.files[0].first = commit(22, 2_200);
    check_of(std::slice::from_ref(&open), &kept, &[]);
    kept.files.push(file(FileKind::Base, commit(30, 3_000), commit(30, 3_000)));
    check_of(std::slice::from_ref(&open), &kept, &["3000..5000 #30..50+"]);
    // An interval that has expired as a whole is no window.
    let ended = interval(commit(10, 1_000), Some(commit(20, 2_000)), true);
    check_of(&[ended, interval(commit(21, 2_100), None, true)], &kept, &["2100..5000 #21..50+"]);
}

#[test]
fn latest_is_no_earlier_than_the_last_commit() {
    let open = interval(commit(10, 1_000), None, true);
    let found = windows(&record(&[open]), &manifest(&[]), commit(50, 4_000), Timestamp(10));
    assert_eq!(found[0].latest, Timestamp(4_000));
}

#[test]
fn a_window_contains_both_its_ends() {
    let ended = interval(commit(10, 1_000), Some(commit(20, 2_000)), true);
    let found = windows(&record(&[ended]), &manifest(&[]), commit(50, 4_000), Timestamp(5_000));
    let inside: Vec<u64> = (0..60).filter(|seq| found[0].contains(Seq(*seq))).collect();
    assert_eq!(inside, (10..20).collect::<Vec<_>>());
}

#[test]
fn targets_say_what_was_asked() {
    let at = Timestamp(1_700_000_000_000_001);
    for (target, expected) in [
        (Target::Latest, "the latest commit"),
        (Target::At(at), "2023-11-14T22:13:20.000001Z"),
        (Target::Before(at), "before 2023-11-14T22:13:20.000001Z"),
        (Target::Seq(Seq(7)), "#7"),
    ] {
        assert_eq!(target.to_string(), expected);
    }
}
