//! `put`, `get`, `delete` and `scan`, and values that go through pipes.

use std::process::Stdio;

use serde_json::json;

use crate::workplace::{Workplace, answer};

/// A table with the keys a, b/1, b/2, b/3 and c.
fn table() -> Workplace {
    let place = Workplace::new();
    place.db(&["table", "create", "main"]).done();
    for key in ["b/2", "a", "c", "b/3", "b/1"] {
        place.db(&["put", "main", key, &format!("value of {key}")]).done();
    }
    place
}

#[test]
fn a_key_is_put_got_overwritten_and_deleted() {
    let place = Workplace::new();
    place.db(&["table", "create", "main"]).done();
    let first = place.db_json(&["put", "main", "key", "one"]).done().record();
    assert_eq!(first["seq"], 2);
    place.db(&["put", "main", "key", "two\nlines"]).done();
    assert_eq!(place.db(&["get", "main", "key"]).done().text(), "two\nlines\n");
    let got = place.db_json(&["get", "main", "key"]).done().record();
    assert_eq!(got, json!({"key": "key", "value": "two\nlines"}));
    place.db(&["put", "main", "key", "--", "-5"]).done();
    assert_eq!(place.db(&["get", "main", "key"]).done().text(), "-5\n");
    let deleted = place.db_json(&["delete", "main", "key"]).done().record();
    assert_eq!(deleted["seq"], 5);
    place.db(&["get", "main", "key"]).refused(3, &["table main has no key \"key\""]);
}

#[test]
fn a_scan_takes_a_range_from_either_end() {
    let place = table();
    let cases: [(&[&str], &[&str]); 8] = [
        (&[], &["a", "b/1", "b/2", "b/3", "c"]),
        (&["--prefix", "b/"], &["b/1", "b/2", "b/3"]),
        (&["--from", "b/2"], &["b/2", "b/3", "c"]),
        (&["--until", "b/2"], &["a", "b/1"]),
        (&["--from", "b/1", "--until", "b/3"], &["b/1", "b/2"]),
        (&["--reverse", "--limit", "2"], &["c", "b/3"]),
        (&["--prefix", "b/", "--reverse", "--limit", "1"], &["b/3"]),
        (&["--prefix", "nothing"], &[]),
    ];
    for (options, expected) in cases {
        let rows = place.db_json(&[&["scan", "main"], options].concat()).done().records();
        let keys: Vec<_> = rows.iter().map(|row| row["key"].as_str().expect("text")).collect();
        assert_eq!(keys, expected, "{options:?}");
    }
    let shown = place.db(&["scan", "main", "--prefix", "b/1"]).done();
    assert!(shown.text().contains("│ b/1 ┆ value of b/1 │"), "{}", shown.text());
    let both = place.db(&["scan", "main", "--prefix", "b", "--from", "a"]);
    both.refused(2, &["cannot be used with"]);
}

#[test]
fn a_reader_that_has_had_enough_is_no_failure() {
    let place = Workplace::new();
    let events: String = (0..5_000)
        .map(|at| format!("{{\"key\":\"k{at:05}\",\"value\":\"v\",\"timestamp\":{}}}\n", at + 1))
        .collect();
    place.db_fed(events.as_bytes(), &["import", "jsonl", "-", "main", "--create"]).done();
    for arguments in [&["--format", "json", "scan", "main"][..], &["export", "main"]] {
        let mut command = place.command(&[&["--data", "db"], arguments].concat());
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary can be started");
        drop(child.stdout.take());
        let ended = answer(&command, child.wait_with_output().expect("it ends")).done();
        assert_eq!(ended.err, "");
    }
}

#[test]
fn what_is_too_large_is_refused() {
    let place = Workplace::new();
    place.db(&["table", "create", "main"]).done();
    let says = ["key has 4097 bytes, 4096 is the most", "nothing was changed"];
    place.db(&["put", "main", &"k".repeat(4_097), "v"]).refused(3, &says);
    place.db(&["put", "main", &"k".repeat(4_096), "v"]).done();
}
