//! `get` and `scan` as of an instant, through both doors.

use serde_json::json;

use crate::workplace::{Answer, Workplace};

/// Commits #3 to #6, at 10:00:00, 10:00:01 twice, and 10:00:02.
const EVENTS: &str = r#"{"key":"a/1","value":"one","timestamp":"2024-05-01T10:00:00Z"}
{"key":"b/1","value":"two","timestamp":"2024-05-01T10:00:01Z"}
{"key":"a/1","value":"three","timestamp":"2024-05-01T10:00:01Z"}
{"key":"a/2","value":"four","timestamp":"2024-05-01T10:00:02Z"}
"#;

fn bucket(place: &Workplace, arguments: &[&str]) -> Answer {
    let url = format!("file://{}", place.path("db/bucket").display());
    place.foldback(&[&["--bucket", &url], arguments].concat())
}

/// A place whose database has sealed [`EVENTS`], and has a delete, #7, and a put, #8, in its log.
fn place() -> Workplace {
    let place = Workplace::with_history(EVENTS);
    place.db(&["seal"]).done();
    place.db(&["delete", "main", "a/1"]).done();
    place.db(&["put", "main", "c", "five"]).done();
    place
}

#[test]
fn a_key_is_got_as_of_an_instant() {
    let place = place();
    for (instant, value) in [
        ("#3", "one\n"),
        ("2024-05-01T10:00:00.5Z", "one\n"),
        ("#4", "one\n"),
        ("2024-05-01T10:00:01Z", "three\n"),
        ("#6", "three\n"),
    ] {
        let get = ["get", "main", "a/1", "--as-of", instant];
        assert_eq!(place.db(&get).done().text(), value, "{instant}");
        assert_eq!(bucket(&place, &get).done().text(), value, "{instant}, by the bucket");
    }
    let got = place.db(&["--format", "json", "get", "main", "a/1", "--as-of", "#3"]).done();
    assert_eq!(got.record(), json!({"key": "a/1", "value": "one"}));
    // What is not sealed is there for the database alone.
    assert_eq!(place.db(&["get", "main", "c", "--as-of", "now"]).done().text(), "five\n");
    bucket(&place, &["get", "main", "c", "--as-of", "#8"])
        .refused(3, &["is not in the bucket yet: it holds commits up to #6"]);
    place
        .db(&["get", "main", "a/1", "--as-of", "#7"])
        .refused(3, &["table main had no key \"a/1\" as of #7, at 2"]);
    bucket(&place, &["get", "main", "none", "--as-of", "#6"])
        .refused(3, &["had no key \"none\" as of #6, at 2024-05-01T10:00:02.000000Z"]);
}

#[test]
fn a_scan_as_of_an_instant_takes_the_same_ranges() {
    let place = place();
    let cases: [(&str, &[&str], &[&str]); 6] = [
        ("#2", &[], &[]),
        ("#5", &[], &["a/1=three", "b/1=two"]),
        ("#6", &["--prefix", "a/"], &["a/1=three", "a/2=four"]),
        ("#6", &["--from", "a/2", "--until", "b/1"], &["a/2=four"]),
        ("#6", &["--limit", "2"], &["a/1=three", "a/2=four"]),
        ("#8", &[], &["a/2=four", "b/1=two", "c=five"]),
    ];
    for (instant, options, expected) in cases {
        let scan = [&["--format", "json", "scan", "main", "--as-of", instant], options].concat();
        let check = |answer: Answer| {
            let text = |cell: &serde_json::Value| cell.as_str().expect("text").to_owned();
            let shown =
                |row: &serde_json::Value| format!("{}={}", text(&row["key"]), text(&row["value"]));
            let rows: Vec<_> = answer.done().records().iter().map(shown).collect();
            assert_eq!(rows, expected, "{instant} {options:?}");
        };
        check(place.db(&scan));
        if instant != "#8" {
            check(bucket(&place, &scan));
        }
    }
    let shown = bucket(&place, &["scan", "main", "--as-of", "#3"]).done();
    assert!(shown.text().contains("│ a/1 ┆ one   │"), "{}", shown.text());
    place.db(&["scan", "main", "--as-of", "#3", "--reverse"]).refused(2, &["cannot be used with"]);
}

#[test]
fn an_instant_that_cannot_be_restored_is_refused_as_a_restore_refuses_it() {
    let place = Workplace::with_a_history_begun_again();
    let cases = [
        ("#4", 3, "its restorable instants are"),
        ("2020-01-01T00:00:00Z", 3, "its restorable instants are"),
        ("2999-01-01T00:00:00Z", 3, "lies in the future"),
        ("#99", 3, "there is no commit #99 yet"),
        ("2024-05-01T10:00:00", 2, "has no time zone"),
    ];
    for (instant, code, says) in cases {
        place.db(&["get", "main", "old", "--as-of", instant]).refused(code, &[says]);
        place.db(&["scan", "main", "--as-of", instant]).refused(code, &[says]);
    }
    assert_eq!(place.db(&["get", "main", "old", "--as-of", "#3"]).done().text(), "1\n");
    place.db(&["get", "main", "old", "--as-of", "now"]).refused(3, &["had no key \"old\""]);
    place.db(&["table", "create", "plain"]).done();
    place.db(&["scan", "plain", "--as-of", "now"]).refused(3, &["protect"]);
    place.db(&["scan", "mian", "--as-of", "now"]).refused(3, &["did you mean main?"]);
}

#[test]
fn the_memory_of_history_is_a_setting() {
    let place = place();
    place.write("foldback.toml", "[engine]\nhistory_cache_bytes = 0\n");
    let get = ["get", "main", "a/1", "--as-of", "#3"];
    assert_eq!(place.db(&get).done().text(), "one\n");
    place.write("foldback.toml", "[engine]\nhistory_cache_bytes = 1099511627777\n");
    let says = ["history_cache_bytes is 1099511627777, it may be from 0 to 1099511627776"];
    place.db(&get).refused(2, &says);
    bucket(&place, &get).refused(2, &says);
}
