//! Commands on a bucket alone, while another process has the database, or none has.

use std::process::{Child, ChildStdin, Command};

use crate::workplace::{Answer, Workplace, instant_of, spawn_piped};

/// Three commits, #3 to #5, at 10:00:00, 10:00:01 and 10:00:01 again.
const EVENTS: &str = r#"{"key":"a/1","value":"one","timestamp":"2024-05-01T10:00:00Z"}
{"key":"b/1","value":"two","timestamp":"2024-05-01T10:00:01Z"}
{"key":"a/1","value":"three","timestamp":"2024-05-01T10:00:01Z"}
"#;

/// A place whose database `db` has sealed [`EVENTS`] and one commit more, and has another one, #7,
/// in its log.
fn sealed() -> Workplace {
    let place = Workplace::with_history(EVENTS);
    place.db(&["put", "main", "c/1", "later"]).done();
    place.db(&["seal"]).done();
    place.db(&["put", "main", "c/1", "not sealed"]).done();
    place
}

fn url(place: &Workplace, bucket: &str) -> String {
    format!("file://{}", place.path(bucket).display())
}

/// Runs the binary on the bucket of `db`, and on nothing else.
fn bucket(place: &Workplace, arguments: &[&str]) -> Answer {
    place.foldback(&[&["--bucket", &url(place, "db/bucket")], arguments].concat())
}

fn bucket_json(place: &Workplace, arguments: &[&str]) -> Answer {
    bucket(place, &[&["--format", "json"], arguments].concat())
}

/// A process that has the database open until its input ends.
fn hold_open(place: &Workplace) -> (Child, ChildStdin) {
    let import = ["--data", "db", "import", "jsonl", "-", "main"];
    let mut command: Command = place.command(&import);
    let mut child = spawn_piped(&mut command);
    let mut stdin = child.stdin.take().expect("it is piped");
    // More than a pipe holds: once it is written, the process reads, and so holds its directory.
    let lines = vec![b'\n'; 1 << 20];
    std::io::Write::write_all(&mut stdin, &lines).expect("the binary reads its input");
    (child, stdin)
}

#[test]
fn every_reading_command_works_on_a_bucket_while_its_database_is_open() {
    let place = sealed();
    let before = place.db_json(&["status"]).done().record();
    let (child, stdin) = hold_open(&place);
    place.db(&["status"]).refused(3, &["db is open in process"]);

    let status = bucket_json(&place, &["status"]).done().record();
    assert_eq!(status["database"], before["database"]);
    assert_eq!((&status["sealed_seq"], &status["tables"]), (&6.into(), &1.into()));
    let files = status["history_files"].as_u64().expect("a number");
    assert!(files > 0 && status["history_bytes"].as_u64() > Some(0), "{status}");
    let manifest = status["manifest"].as_u64().expect("a number");

    let tables = bucket_json(&place, &["table", "list"]).done().records();
    assert_eq!((tables.len(), &tables[0]["name"]), (1, &"main".into()));
    let table = bucket_json(&place, &["table", "describe", "main"]).done().record();
    assert_eq!((&table["protected"], &table["windows"]), (&true.into(), &1.into()));
    let windows = bucket_json(&place, &["window", "main"]).done().records();
    assert_eq!((&windows[0]["first_seq"], &windows[0]["last_seq"]), (&2.into(), &6.into()));
    let resolved = bucket_json(&place, &["resolve", "main", "2024-05-01T10:00:01Z"]).done();
    assert_eq!(resolved.record()["seq"], 5);
    let plan = bucket_json(&place, &["plan", "main", "--latest"]).done().record();
    assert_eq!((&plan["seq"], &plan["segments"]), (&6.into(), &0.into()));
    let read = bucket_json(&place, &["plan", "main", "--seq", "4", "--files"]).done().records();
    let location = read[0]["location"].as_str().expect("a path");
    assert!(std::path::Path::new(location).is_file(), "{location}");
    let map = bucket(&place, &["map", "main"]).done();
    assert!(map.text().contains("commits #1 to #6"), "{}", map.text());

    let then = bucket(&place, &["export", "main", "--as-of", "#4"]).done();
    let rows = "{\"key\":\"a/1\",\"value\":\"one\"}\n{\"key\":\"b/1\",\"value\":\"two\"}\n";
    assert_eq!((then.text(), then.err.as_str()), (rows, ""));
    let newest = bucket(&place, &["--format", "csv", "export", "main"]).done();
    assert_eq!(newest.text(), "key,value\r\na/1,three\r\nb/1,two\r\nc/1,later\r\n");
    assert!(newest.err.contains("as of #6, at "), "{}", newest.err);

    // None of them has published or written anything, or fenced the process that is open.
    let again = bucket_json(&place, &["status"]).done().record();
    assert_eq!((again["manifest"].as_u64(), &again["epoch"]), (Some(manifest), &status["epoch"]));
    drop(stdin);
    assert!(child.wait_with_output().expect("it ends").status.success());
    place.db(&["seal"]).done();
    assert_eq!(bucket_json(&place, &["status"]).done().record()["sealed_seq"], 7);
    let entries = std::fs::read_dir(place.path("")).expect("it can be listed");
    assert_eq!(entries.count(), 2, "there are the events and db");
}

#[test]
fn what_the_bucket_does_not_know_is_refused_with_what_it_does() {
    let place = sealed();
    let status = place.db_json(&["status"]).done().record();
    let sealed = status["sealed_timestamp"].as_str().expect("an instant");
    let says = ["is not in the bucket yet: it holds commits up to #6, at ", "nothing was read"];
    for instant in ["now", "-0s", "#7", sealed, "2999-01-01T00:00:00Z"] {
        bucket(&place, &["resolve", "main", instant]).refused(3, &says);
        bucket(&place, &["plan", "main", "--at", instant]).refused(3, &says);
        bucket(&place, &["export", "main", "--as-of", instant]).refused(3, &says);
    }
    let outside = bucket(&place, &["plan", "main", "--at", "2020-01-01T00:00:00Z"]);
    outside.refused(3, &["its restorable instants are", "(commits #2 to #6)"]);
    place.db(&["table", "create", "younger"]).done();
    let unknown = ["there is no table \"younger\"", "holds commits up to #6", "is sealed"];
    bucket(&place, &["window", "younger"]).refused(3, &unknown);
    bucket(&place, &["export", "mian"]).refused(3, &["did you mean main?"]);
}

#[test]
fn a_command_that_needs_a_database_says_so_when_only_a_bucket_is_named() {
    let place = sealed();
    let says = ["needs a database's local directory", "--data DIR", "a bucket alone is enough for"];
    for command in [
        &["put", "main", "k", "v"][..],
        &["get", "main", "k"],
        &["delete", "main", "k"],
        &["scan", "main"],
        &["import", "jsonl", "events.jsonl", "main"],
        &["protect", "main"],
        &["unprotect", "main"],
        &["restore", "main", "new", "--latest"],
        &["table", "create", "new"],
        &["table", "drop", "main"],
        &["seal"],
        &["recover"],
    ] {
        bucket(&place, command).refused(2, &says);
    }
    // A bucket that is out of reach is not even asked then.
    place.foldback(&["--bucket", "s3://nowhere/x", "seal"]).refused(2, &says);
    assert_eq!(place.db_json(&["table", "list"]).done().records().len(), 1);
}

#[test]
fn a_bucket_that_holds_nothing_is_said_to_and_not_made() {
    let place = Workplace::new();
    place.db(&["table", "create", "main"]).done();
    std::fs::create_dir(place.path("empty")).expect("it can be made");
    for (bucket, says) in [("missing", "is not there"), ("empty", "holds no history")] {
        let (url, needs) = (url(&place, bucket), "nothing was changed; check its name and prefix");
        for command in [&["status"][..], &["table", "list"], &["export", "main"]] {
            place.foldback(&[&["--bucket", &url], command].concat()).refused(3, &[says, needs]);
        }
        let restore = ["restore", "main", "new", "--latest", "--from", &url];
        place.db(&restore).refused(3, &[says, needs]);
    }
    assert!(!place.path("missing").exists(), "it was made");
    let left = std::fs::read_dir(place.path("empty")).expect("it can be listed");
    assert_eq!(left.count(), 0);
    place.foldback(&["--bucket", "ftp://b/prefix", "status"]).refused(2, &["ftp"]);
}

#[test]
fn a_table_is_restored_from_another_bucket() {
    let place = sealed();
    let theirs = bucket_json(&place, &["status"]).done().record();
    let from = url(&place, "db/bucket");
    let other = |arguments: &[&str]| {
        place.foldback(&[&["--data", "other", "--format", "json"], arguments].concat())
    };
    other(&["table", "create", "main"]).done();
    other(&["put", "main", "own", "row"]).done();
    let restore = ["restore", "main", "copy", "--from", &from, "--seq", "4"];
    let restored = other(&restore).done().record();
    assert_eq!((&restored["rows"], &restored["restored_to_seq"]), (&2.into(), &4.into()));
    let rows = other(&["scan", "copy"]).done().records();
    let rows: Vec<_> =
        rows.iter().map(|row| (row["key"].as_str(), row["value"].as_str())).collect();
    assert_eq!(rows, [(Some("a/1"), Some("one")), (Some("b/1"), Some("two"))]);
    let described = other(&["table", "describe", "copy"]).done().record();
    assert_eq!(described["restored_from_database"], theirs["database"]);
    assert_eq!(described["restored_at_seq"], 4);

    let prefix = ["--before", "2024-05-01T10:00:01Z", "--prefix", "b"];
    let some = other(&[&["restore", "main", "some", "--from", &from], &prefix[..]].concat());
    assert_eq!(some.done().record()["rows"], 0);
    other(&restore).refused(3, &["table \"copy\" exists already"]);
    let after = instant_of(4_000_000_000_000_000);
    let later = other(&["restore", "main", "later", "--from", &from, "--at", &after]);
    later.refused(3, &["is not in the bucket yet"]);
    // The new table is this database's own, with a history of its own.
    other(&["protect", "copy"]).done();
    other(&["put", "copy", "a/1", "changed"]).done();
    other(&["restore", "copy", "undone", "--before", "#6"]).done();
    assert_eq!(other(&["scan", "undone"]).done().records().len(), 2);
}
