//! The real change histories of `FOLDBACK_HISTORIES`: imported, restored at every row of their
//! oracles, and compared with what git said of each commit.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};
use serde_json::Value;

use crate::workplace::{Workplace, copy_directory, instant_of};

/// Copies of a database that are worked on at once: most of a restore's time it waits for syncs.
const COPIES: usize = 4;

/// The state of a history after one of its commits.
#[derive(Clone, Debug)]
struct OracleRow {
    commit: u64,
    micros: i64,
    count: usize,
    sha256_refs: String,
}

#[test]
fn advisory_db_is_what_git_says_at_every_row_of_its_oracle() {
    check_history("rustsec-advisory-db");
}

#[test]
fn scoop_main_is_what_git_says_at_every_row_of_its_oracle() {
    check_history("scoop-main");
}

/// Values here are `MODE OID SIZE`. The contents in the files lie in two fields, one of text and
/// one of base64, which is more than one import can map; the engine's own tests fold those.
fn check_history(name: &str) {
    let rows = oracle(&file(name, "oracle.tsv"));
    assert!(rows.len() > 50, "{name} has {} rows", rows.len());
    let place = Workplace::new();
    import(&place, name);
    std::thread::scope(|scope| {
        for copy in 0..COPIES {
            let (place, rows) = (&place, &rows);
            scope.spawn(move || check_copy(place, rows, copy));
        }
    });
    let last = rows.last().expect("there are rows");
    check_state(&place.db(&["export", "main"]).done().records(), last, "the present");
}

/// The import as the README shows it, checked against what is known of the file.
fn import(place: &Workplace, name: &str) {
    let events = file(name, "events.jsonl.zst");
    let events = events.to_str().expect("the path is text");
    let table = ["import", "jsonl", events, "main", "--create", "--protect", "forever"];
    let fields = ["--key", "k", "--value", "v", "--time", "mts", "--op", "op", "--batch", "i"];
    let summary = place.db_json(&[&table[..], &fields].concat()).done().record();
    let stats = std::fs::read_to_string(file(name, "stats.json")).expect("it is beside the events");
    let stats: Value = serde_json::from_str(&stats).expect("it is JSON");
    assert_eq!(summary["events"], stats["events"]);
    let (all, empty) = (&stats["commits"], &stats["commits_without_events"]);
    let with_events = all.as_u64().expect("a count") - empty.as_u64().expect("a count");
    assert_eq!(summary["commits"], with_events);
    assert_eq!(summary["sealed_seq"], summary["last_seq"]);
}

/// Checks every row whose turn it is, on a copy of the database, since that has one process at a
/// time.
fn check_copy(place: &Workplace, rows: &[OracleRow], copy: usize) {
    let data = format!("copy-{copy}");
    copy_directory(&place.path("db"), &place.path(&data));
    let on = |rest: &[&str]| place.foldback(&[&["--data", &data], rest].concat());
    for at in (copy..rows.len()).step_by(COPIES) {
        let row = &rows[at];
        let (name, instant) = (format!("restored-{at}"), instant_of(row.micros));
        on(&["restore", "main", &name, "--at", &instant]).done();
        check_state(&on(&["export", &name]).done().records(), row, &format!("at {instant}"));
        // Its neighbour is known too: so the edge between the two is looked at from both sides.
        let before = at.checked_sub(1).map(|before| &rows[before]);
        if let Some(before) = before.filter(|before| before.commit + 1 == row.commit) {
            let instant = instant_of(row.micros - 1);
            let state = on(&["export", "main", "--as-of", &instant]).done().records();
            check_state(&state, before, &format!("as of {instant}"));
        }
    }
}

/// Compares exported rows with the oracle: their count, and the digest of keys, modes and ids.
#[track_caller]
fn check_state(exported: &[Value], row: &OracleRow, what: &str) {
    assert_eq!(exported.len(), row.count, "keys {what}, commit {}", row.commit);
    let mut lines = Vec::new();
    for line in exported {
        let text = |name: &str| line[name].as_str().expect("text");
        let (blob, _size) = text("value").rsplit_once(' ').expect("mode, id and size");
        lines.extend_from_slice(format!("{}\t{blob}\n", text("key")).as_bytes());
    }
    let mut hex = String::new();
    for byte in digest(&SHA256, &lines).as_ref() {
        write!(hex, "{byte:02x}").expect("memory takes it");
    }
    assert_eq!(hex, row.sha256_refs, "digest {what}, commit {}", row.commit);
}

fn oracle(path: &Path) -> Vec<OracleRow> {
    let text = std::fs::read_to_string(path).expect("it is beside the events");
    let row = |line: &str| {
        let fields: Vec<_> = line.split('\t').collect();
        let [commit, _id, _own_time, micros, count, refs, _content] = fields[..] else {
            panic!("{line:?} is no row of an oracle")
        };
        OracleRow {
            commit: commit.parse().expect("a number"),
            micros: micros.parse().expect("microseconds"),
            count: count.parse().expect("a number"),
            sha256_refs: refs.to_owned(),
        }
    };
    text.lines().skip(1).map(row).collect()
}

/// A file of a history, by the end of its name.
fn file(name: &str, end: &str) -> PathBuf {
    let directory = std::env::var_os("FOLDBACK_HISTORIES").unwrap_or_else(|| {
        panic!(
            "FOLDBACK_HISTORIES is not set: name the directory of the real change histories in it, \
             or leave these tests out with `-- --skip histories::`, as ./test does without them"
        )
    });
    let path = Path::new(&directory).join(format!("{name}.{end}"));
    assert!(path.is_file(), "there is no {}", path.display());
    path
}
