//! `resolve`, `plan` and `restore`: every way to name an instant, and what is said of wrong ones.

use serde_json::json;

use crate::workplace::{Workplace, run};

/// Three commits, #3 to #5, at 10:00:00, 10:00:01 and 10:00:01 again.
const EVENTS: &str = r#"{"key":"a/1","value":"one","timestamp":"2024-05-01T10:00:00Z"}
{"key":"b/1","value":"two","timestamp":"2024-05-01T10:00:01Z"}
{"key":"a/1","value":"three","timestamp":"2024-05-01T10:00:01Z"}
"#;

#[test]
fn every_way_to_name_an_instant_comes_to_its_commit() {
    let place = Workplace::with_history(EVENTS);
    let cases = [
        ("2024-05-01T10:00:00Z", 3),
        ("2024-05-01T12:00:00.999999+02:00", 3),
        ("2024-05-01T10:00:01Z", 5),
        ("1714557600", 3),
        ("1714557600.5", 3),
        ("1714557601.0", 5),
        ("#4", 4),
        ("-1h30m", 5),
        ("now", 5),
    ];
    for (instant, seq) in cases {
        let resolved = place.db_json(&["resolve", "main", instant]).done().record();
        assert_eq!(resolved["seq"], seq, "{instant}");
    }
    let third = place.db_json(&["resolve", "main", "#3"]).done().record();
    assert_eq!(third["timestamp"], "2024-05-01T10:00:00.000000Z");
    assert_eq!(third["next_seq"], 4);
    assert_eq!(third["next_timestamp"], "2024-05-01T10:00:01.000000Z");
}

/// An instant never depends on where the machine stands: without a zone it is refused there too,
/// and a whole second is its start.
#[test]
fn case_06_the_zone_of_the_machine_changes_nothing() {
    let place = Workplace::with_history(EVENTS);
    for zone in ["Asia/Tokyo", "America/New_York", "Pacific/Kiritimati", "UTC", ""] {
        let resolve = |instant: &str| {
            let arguments = ["--data", "db", "--format", "json", "resolve", "main", instant];
            run(place.command(&arguments).env("TZ", zone))
        };
        for (instant, seq) in [
            ("2024-05-01T10:00:00Z", 3),
            ("2024-05-01T10:00:00.999999Z", 3),
            ("2024-05-01T19:00:01+09:00", 5),
            ("2024-05-01T06:00:00.5-04:00", 3),
            ("1714557600.999999", 3),
            ("1714557601", 5),
        ] {
            let resolved = resolve(instant).done().record();
            assert_eq!(resolved["seq"], seq, "{instant} in {zone}");
        }
        let shown = resolve("#3").done().record();
        assert_eq!(shown["timestamp"], "2024-05-01T10:00:00.000000Z", "in {zone}");
        for instant in ["2024-05-01T10:00:01", "2024-05-01 10:00:01", "2024-05-01"] {
            resolve(instant).refused(2, &["has no time zone", "Z for UTC"]);
        }
    }
}

#[test]
fn a_wrong_instant_is_refused_with_what_to_say_instead() {
    let place = Workplace::with_history(EVENTS);
    let cases: [(&str, i32, &[&str]); 8] = [
        (
            "2024-05-01T10:00:00",
            2,
            &["has no time zone", "2024-05-01T10:00:00Z for UTC", "2024-05-01T10:00:00+02:00"],
        ),
        ("yesterday", 2, &["\"yesterday\" is not an instant", "2024-05-01T10:00:05Z"]),
        ("1714557600000", 2, &["milliseconds", "1714557600.000"]),
        ("20240501", 2, &["2024-05-01T00:00:00Z or 20240501.0"]),
        ("-10x", 2, &["\"x\" is no unit"]),
        ("2999-01-01T00:00:00Z", 3, &["lies in the future", "nothing was read or changed"]),
        ("#99", 3, &["there is no commit #99 yet: the last is #5"]),
        (
            "2020-01-01T00:00:00Z",
            3,
            &[
                "cannot be restored to 2020-01-01T00:00:00.000000Z",
                "its restorable instants are 2024-05-01T09:59:59.999999Z to ",
                "(commits #2 to #5)",
                "nothing was read or changed",
            ],
        ),
    ];
    for (instant, code, says) in cases {
        place.db(&["resolve", "main", instant]).refused(code, says);
        place.db(&["export", "main", "--as-of", instant]).refused(code, says);
        place.db(&["restore", "main", "new", "--at", instant]).refused(code, says);
    }
    assert_eq!(place.db_json(&["table", "list"]).done().records().len(), 1);
}

#[test]
fn a_table_is_restored_to_every_kind_of_target() {
    let place = Workplace::with_history(EVENTS);
    let cases: [(&[&str], &[&str]); 9] = [
        (&["--at", "2024-05-01T10:00:01Z"], &["a/1 three", "b/1 two"]),
        (&["--at", "2024-05-01T10:00:00.999999Z"], &["a/1 one"]),
        (&["--at", "2024-05-01T09:59:59.999999Z"], &[]),
        (&["--before", "2024-05-01T10:00:01Z"], &["a/1 one"]),
        (&["--before", "#5"], &["a/1 one", "b/1 two"]),
        (&["--seq", "4"], &["a/1 one", "b/1 two"]),
        (&["--seq", "#4"], &["a/1 one", "b/1 two"]),
        (&["--latest"], &["a/1 three", "b/1 two"]),
        (&["--latest", "--prefix", "b/"], &["b/1 two"]),
    ];
    for (at, (target, expected)) in cases.into_iter().enumerate() {
        let name = format!("restored-{at}");
        let restore = [&["restore", "main", &name], target].concat();
        let restored = place.db_json(&restore).done().record();
        assert_eq!(restored["rows"], expected.len(), "{target:?}");
        assert_eq!(rows(&place, &name), expected, "{target:?}");
        let described = place.db_json(&["table", "describe", &name]).done().record();
        assert_eq!(described["restored_from_table_id"], 1);
        assert_eq!(described["restored_at_seq"], restored["restored_to_seq"]);
    }
    assert_eq!(rows(&place, "main"), ["a/1 three", "b/1 two"]);
    // A restored table is an ordinary one.
    place.db(&["put", "restored-0", "c", "new"]).done();
    place.db(&["delete", "restored-0", "a/1"]).done();
    assert_eq!(rows(&place, "restored-0"), ["b/1 two", "c new"]);
    let prefixes = ["--prefix", "a/", "--prefix", "b/"];
    place.db(&[&["restore", "main", "both", "--latest"], &prefixes[..]].concat()).done();
    assert_eq!(rows(&place, "both").len(), 2);
}

#[test]
fn a_restore_takes_no_name_that_is_taken_and_wants_one_target() {
    let place = Workplace::with_history(EVENTS);
    let taken = "table \"main\" exists already; nothing was changed";
    place.db(&["restore", "main", "main", "--latest"]).refused(3, &[taken]);
    place.db(&["restore", "main", "new"]).refused(2, &["--at", "--before", "--seq", "--latest"]);
    let two = place.db(&["restore", "main", "new", "--latest", "--seq", "3"]);
    two.refused(2, &["cannot be used with"]);
    for wrong in ["#x", "0", "+4", "##4"] {
        let answer = place.db(&["restore", "main", "new", "--seq", wrong]);
        answer.refused(2, &["is not the number of a commit"]);
    }
    assert_eq!(rows(&place, "main"), ["a/1 three", "b/1 two"]);
}

#[test]
fn a_plan_says_what_a_restore_would_read() {
    let place = Workplace::with_history(EVENTS);
    let plan = place.db_json(&["plan", "main", "--seq", "4"]).done().record();
    assert_eq!(plan["seq"], 4);
    assert_eq!((&plan["bases"], &plan["deltas"]), (&json!(0), &json!(1)));
    assert_eq!(plan["segments"], 0);
    let files = place.db_json(&["plan", "main", "--seq", "4", "--files"]).done().records();
    assert_eq!(files.len(), 1);
    assert_eq!(files[0]["kind"], "delta");
    assert_eq!((&files[0]["first_seq"], &files[0]["last_seq"]), (&json!(3), &json!(4)));
    assert_eq!(files[0]["key_from_hex"], serde_json::Value::Null);
    let location = files[0]["location"].as_str().expect("a path");
    assert!(std::path::Path::new(location).is_file(), "{location}");
    let some = ["plan", "main", "--seq", "4", "--files", "--prefix", "b/"];
    let files = place.db_json(&some).done().records();
    assert_eq!(files[0]["key_from_hex"], "622f");
    assert_eq!(files[0]["key_until_hex"], "6230");

    place.db(&["put", "main", "c", "unsealed"]).done();
    let plan = place.db_json(&["plan", "main", "--latest"]).done().record();
    assert_eq!(plan["segments"], 1);
    let files = place.db(&["plan", "main", "--latest", "--files"]).done();
    assert!(files.err.contains("commits #6 to #6 are only in the local log"), "{}", files.err);
    assert_eq!(place.db(&["export", "main", "--as-of", "now"]).done().lines().len(), 3);
}

/// What a plan leaves out it names, with the reason, and what it costs is by a table of costs.
#[test]
fn a_plan_explains_itself_and_its_price() {
    let place = Workplace::with_history(EVENTS);
    place.db(&["put", "main", "c", "unsealed"]).done();
    place.db(&["seal"]).done();
    let uses = place.db_json(&["plan", "main", "--seq", "4", "--explain"]).done().records();
    let told: Vec<_> = uses.iter().map(|used| (used["read"] == true, &used["reason"])).collect();
    let (read, left): (Vec<_>, Vec<_>) = told.into_iter().partition(|(read, _)| *read);
    assert_eq!(read.len(), 1, "{uses:?}");
    let reason = read[0].1.as_str().expect("a sentence");
    assert!(reason.contains("up to the target"), "{reason}");
    assert!(left.iter().any(|(_, reason)| reason.as_str().is_some_and(|r| r.contains("after"))));
    let plan = place.db_json(&["plan", "main", "--latest"]).done().record();
    assert_eq!(plan["costs_about"], "0.00 USD");
    assert!(plan["takes_about_micros"].as_u64().is_some_and(|micros| micros > 0), "{plan}");

    let costs = "[costs]\nas_of = '2026-11-01'\ncurrency = 'EUR'\ngets_per_thousand = 1000\n\
                 transfer_per_gb = 0\nrequest_millis = 1\nmib_per_sec = 1\n";
    let file = place.write("costs.toml", costs);
    let config = ["--config", &file, "plan", "main", "--latest"];
    let plan = place.db_json(&config).done().record();
    let requests = plan["bucket_requests"].as_u64().expect("a number");
    assert_eq!(plan["costs_about"], format!("{requests}.00 EUR"));
    assert_eq!(plan["prices_as_of"], "2026-11-01");
    place.db(&["plan", "main", "--latest", "--explain", "--files"]).refused(2, &["cannot be used"]);
}

/// A table that was empty when it was protected again has no base, and its new history must not
/// bring back what the old one had put and nobody saw deleted.
#[test]
fn what_was_deleted_while_a_table_was_unprotected_stays_deleted() {
    let place = Workplace::with_a_history_begun_again();
    place.db(&["put", "main", "new", "2"]).done();
    for (name, seal) in [("unsealed", false), ("sealed", true)] {
        if seal {
            place.db(&["seal"]).done();
        }
        place.db(&["restore", "main", name, "--latest"]).done();
        assert_eq!(rows(&place, name), ["new 2"]);
    }
}

/// Keys and values of a table.
fn rows(place: &Workplace, table: &str) -> Vec<String> {
    let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
    let rows = place.db_json(&["scan", table]).done().records();
    rows.iter().map(|row| format!("{} {}", text(&row["key"]), text(&row["value"]))).collect()
}
