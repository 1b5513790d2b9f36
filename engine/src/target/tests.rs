//! Windows, from what the catalog promises and what the bucket holds.

use super::*;
use crate::Retention;

const TABLE: TableId = TableId(3);

fn commit(seq: u64, micros: i64) -> Commit {
    Commit { seq: Seq(seq), timestamp: Timestamp(micros) }
}

fn interval(first: Commit, last: Option<Commit>, starts_empty: bool) -> ProtectionInterval {
    ProtectionInterval { first, last, retention: Retention::Forever, starts_empty }
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

/// The windows at tip `#50`, at the instant 5,000, with these bases, as
/// `earliest..latest #first..last`, and a `+` where they are open.
fn check(protection: &[ProtectionInterval], bases: &[Commit], expected: &[&str]) {
    let bases = |table| if table == TABLE { bases.to_vec() } else { Vec::new() };
    let found = windows(&record(protection), bases, commit(50, 4_000), Timestamp(5_000));
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
    check(&[open], &[], &[]);
    check(&[open], &[commit(9, 900)], &[]);
    check(&[open], &[commit(10, 1_000)], &["1000..5000 #10..50+"]);
    check(&[open], &[commit(30, 3_000), commit(20, 2_000)], &["2000..5000 #20..50+"]);
}

#[test]
fn the_commit_that_ends_protection_is_outside() {
    let ended = interval(commit(10, 1_000), Some(commit(20, 2_000)), true);
    check(&[ended], &[], &["1000..1999 #10..19"]);
    let with_keys = ProtectionInterval { starts_empty: false, ..ended };
    check(&[with_keys], &[commit(20, 2_000)], &[]);
    check(&[with_keys], &[commit(19, 1_999)], &["1999..1999 #19..19"]);
}

#[test]
fn intervals_keep_their_gap() {
    let ended = interval(commit(10, 1_000), Some(commit(20, 2_000)), true);
    let open = interval(commit(30, 3_000), None, false);
    let windows = ["1000..1999 #10..19", "3100..5000 #31..50+"];
    check(&[ended, open], &[commit(31, 3_100)], &windows);
    check(&[ended, open], &[commit(25, 2_500)], &windows[..1]);
}

#[test]
fn a_window_reaches_no_further_back_than_its_retention() {
    let with = |micros: i64, last: Option<Commit>| {
        let retention = Retention::Secs(1);
        let first = commit(10, micros);
        ProtectionInterval { retention, ..interval(first, last, true) }
    };
    let second = 1_000_000;
    let of = |protection: &[ProtectionInterval], now: i64| {
        let found = windows(&record(protection), |_| Vec::new(), commit(50, 4_000), Timestamp(now));
        found.iter().map(|window| (window.earliest.0, window.latest.0)).collect::<Vec<_>>()
    };
    assert_eq!(of(&[with(1_000, None)], 5_000), [(1_000, 5_000)]);
    assert_eq!(of(&[with(1_000, None)], second + 1_500), [(1_500, second + 1_500)]);
    let ended = with(1_000, Some(commit(20, 2_000)));
    assert_eq!(of(&[ended], second + 1_999), [(1_999, 1_999)]);
    assert_eq!(of(&[ended], second + 2_000), []);
    // An open window is never empty, even if the clock has leapt over all of it.
    assert_eq!(of(&[with(1_000, None)], 99 * second), [(98 * second, 99 * second)]);
}

#[test]
fn latest_is_no_earlier_than_the_last_commit() {
    let open = interval(commit(10, 1_000), None, true);
    let found = windows(&record(&[open]), |_| Vec::new(), commit(50, 4_000), Timestamp(10));
    assert_eq!(found[0].latest, Timestamp(4_000));
}

#[test]
fn a_window_contains_both_its_ends() {
    let ended = interval(commit(10, 1_000), Some(commit(20, 2_000)), true);
    let found = windows(&record(&[ended]), |_| Vec::new(), commit(50, 4_000), Timestamp(5_000));
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
