//! `restore`, `restore-group` and `restore list`: what goes beyond a table and an instant.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::workplace::{Answer, Workplace};

const EVENTS: &str = r#"{"key":"eu/1","value":"one","timestamp":"2024-05-01T10:00:00Z"}
{"key":"eu/2","value":"two","timestamp":"2024-05-01T10:00:01Z"}
{"key":"us/1","value":"three","timestamp":"2024-05-01T10:00:02Z"}
{"key":"us/2","value":"four","timestamp":"2024-05-01T10:00:03Z"}
"#;

/// All files below a directory, with what they hold.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).expect("it can be listed") {
        let path = entry.expect("it can be listed").path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => drop(found.insert(path.clone(), std::fs::read(&path).expect("it is there"))),
        }
    }
    found
}

fn rows(answer: &Answer) -> Vec<String> {
    let text = |value: &serde_json::Value| value.as_str().expect("it is text").to_owned();
    let rows = answer.records().into_iter();
    rows.map(|row| format!("{}={}", text(&row["key"]), text(&row["value"]))).collect()
}

#[test]
fn keys_are_selected_and_renamed_on_the_way_out() {
    let place = Workplace::with_history(EVENTS);
    place.write("keys", "us/2\nno/such\n");
    let chosen = ["--prefix", "eu/", "--key", "us/1", "--keys-from", "keys"];
    place.db(&[&["restore", "main", "all", "--latest"], &chosen[..]].concat()).done();
    let all = ["eu/1=one", "eu/2=two", "us/1=three", "us/2=four"];
    assert_eq!(rows(&place.db(&["export", "all"]).done()), all);
    let ranged = ["--from-key", "eu/2", "--until-key", "us/2"];
    let exported = place.db(&[&["export", "main", "--as-of", "now"], &ranged[..]].concat()).done();
    assert_eq!(rows(&exported), all[1..3]);
    let exported = place.db(&[&["export", "main"], &ranged[..]].concat()).done();
    assert_eq!(rows(&exported), all[1..3]);
    let fed = place.db_fed(b"us/1\n", &["export", "main", "--keys-from", "-"]).done();
    assert_eq!(rows(&fed), all[2..3]);

    let renamed = ["--prefix", "eu/", "--replace-prefix", "eu/=old/"];
    place.db(&[&["restore", "main", "--latest", "old"], &renamed[..]].concat()).done();
    assert_eq!(rows(&place.db(&["export", "old"]).done()), ["old/1=one", "old/2=two"]);

    let wrong: [(&[&str], i32, &str); 6] = [
        (&["--replace-prefix", "eu/=x"], 3, "select keys with that prefix only"),
        (&["--replace-prefix", "eu/"], 2, "OLD=NEW"),
        (&["--from-key", "b", "--until-key", "a"], 2, "no key lies between"),
        (&["--keys-from", "nowhere"], 1, "cannot open nowhere"),
        (&["--protect", "as-of-then"], 2, "as-of-target, as-of-now, or"),
        (&["--limit", "3"], 2, "--limit is for `restore list`"),
    ];
    for (options, code, says) in wrong {
        let restore = [&["restore", "main", "new", "--latest"], options].concat();
        place.db(&restore).refused(code, &[says]);
    }
    place.write("keys", "");
    let empty = ["restore", "main", "new", "--latest", "--keys-from", "keys"];
    place.db(&empty).refused(2, &["keys lists no keys"]);
    assert_eq!(place.db_json(&["table", "list"]).done().records().len(), 3);
}

#[test]
fn tables_are_restored_together_and_protected_as_they_were() {
    let place = Workplace::with_history(EVENTS);
    place.db(&["table", "create", "other", "--protect", "12h"]).done();
    place.db(&["put", "other", "k", "v"]).done();
    let taken = ["restore-group", "main=a", "other=main", "--latest"];
    place.db(&taken).refused(3, &["table \"main\" exists already"]);
    place.db(&["restore-group", "main", "--latest"]).refused(2, &["main=NEW_NAME"]);
    let group = ["restore-group", "main", "other=there", "--suffix", "-then", "--latest"];
    let dry = place.db_json(&[&group[..], &["--dry-run"]].concat()).done().records();
    assert_eq!((&dry[0]["would_make"], dry.len()), (&"main-then".into(), 2));
    let options = ["--protect", "as-of-target", "--reason", "drill", "--by", "anna"];
    let restored = place.db_json(&[&group[..], &options].concat()).done().records();
    let told: Vec<_> = restored.iter().map(|row| (&row["table"], &row["retention"])).collect();
    assert_eq!(told, [(&"main-then".into(), &"forever".into()), (&"there".into(), &"12h".into())]);
    assert_eq!(restored[0]["restored_to_seq"], restored[1]["restored_to_seq"]);
    assert_eq!(place.db_json(&["table", "list"]).done().records().len(), 4);

    let log = place.db_json(&["restore", "list"]).done().records();
    assert_eq!(log.len(), 2);
    let newest = &log[0];
    assert_eq!((&newest["into"], &newest["outcome"]), (&"there".into(), &"done".into()));
    assert_eq!((&newest["by"], &newest["reason"]), (&"anna".into(), &"drill".into()));
    let one = place.db_json(&["restore", "list", "--limit", "1"]).done().records();
    assert_eq!(one, log[..1]);
    // It is part of the history, so the bucket has it too.
    place.db(&["seal"]).done();
    let bucket = format!("file://{}", place.path("db/bucket").display());
    let alone = place.foldback(&["--bucket", &bucket, "--format", "json", "restore", "list"]);
    assert_eq!(alone.done().records(), log);
}

#[test]
fn rows_are_restored_into_a_file_that_must_not_exist() {
    let place = Workplace::with_history(EVENTS);
    let chosen = ["--seq", "4", "--prefix", "eu/", "--replace-prefix", "eu/="];
    let to = |file: &str| [&["restore", "main", "--to-file", file], &chosen[..]].concat().join(" ");
    let run = |line: &str| place.db(&line.split(' ').collect::<Vec<_>>());
    run(&to("rows.csv")).done();
    assert_eq!(place.read("rows.csv"), b"key,value\r\n1,one\r\n2,two\r\n");
    run(&to("rows.csv")).refused(3, &["rows.csv exists already"]);
    run(&to("rows.parquet")).done();
    assert!(place.read("rows.parquet").starts_with(b"PAR1"));
    let log = place.db_json(&["restore", "list"]).done().records();
    let into: Vec<_> = log.iter().map(|record| record["into"].as_str()).collect();
    assert_eq!(into, [Some("file rows.parquet"), Some("file rows.csv")]);
    // A bucket alone is enough, and has no log to write.
    place.db(&["seal"]).done();
    let before = files(&place.path("db"));
    let bucket = format!("file://{}", place.path("db/bucket").display());
    let alone = ["--bucket", &bucket, "--format", "jsonl", "restore", "main", "--to-file", "b.csv"];
    place.foldback(&[&alone[..], &chosen].concat()).done();
    assert_eq!(
        place.read("b.csv"),
        b"{\"key\":\"1\",\"value\":\"one\"}\n{\"key\":\"2\",\"value\":\"two\"}\n"
    );
    assert_eq!(files(&place.path("db")), before);
    run(&format!("{} --protect 1d", to("c"))).refused(2, &["cannot be used with"]);
    run("restore main both --to-file c --latest").refused(2, &["not to both"]);
}

#[test]
fn a_dry_run_changes_nothing() {
    let place = Workplace::with_history(EVENTS);
    place.db(&["seal"]).done();
    let bucket = format!("file://{}", place.path("db/bucket").display());
    let before = files(&place.path("db"));
    let alone = |arguments: &[&str]| {
        place.foldback(&[&["--bucket", &bucket, "--format", "json"], arguments].concat())
    };
    let dry = ["restore", "main", "then", "--seq", "3", "--dry-run"];
    let told = alone(&dry).done().record();
    assert_eq!((&told["would_make"], &told["restored_to_seq"]), (&"then".into(), &3.into()));
    assert!(told["bucket_requests"].as_u64() > Some(0), "{told}");
    alone(&["restore", "main", "main", "--latest", "--dry-run"]).refused(3, &["exists already"]);
    assert_eq!(files(&place.path("db")), before);

    // With the database, which opening it writes to, its history stays as it was.
    let tip = || place.db_json(&["resolve", "main", "now"]).done().record();
    let (then, told_here) = (tip(), place.db_json(&dry).done().record());
    assert_eq!(told_here, told);
    place.db(&["restore", "main", "main", "--latest", "--dry-run"]).refused(3, &["exists already"]);
    let rewritten = ["--dry-run", "--replace-prefix", "eu/=x"];
    place.db(&[&dry[..5], &rewritten].concat()).refused(3, &["prefix"]);
    assert_eq!(tip()["seq"], then["seq"]);
    assert_eq!(place.db_json(&["table", "list"]).done().records().len(), 1);
    assert_eq!(place.db_json(&["restore", "list"]).done().records().len(), 0);
}

/// The log takes no name away.
#[test]
fn a_table_called_list_is_restored_too() {
    let place = Workplace::new();
    place.db(&["table", "create", "list", "--protect", "1d"]).done();
    place.db(&["put", "list", "k", "v"]).done();
    place.db(&["restore", "list", "copy", "--latest"]).done();
    assert_eq!(place.db(&["get", "copy", "k"]).done().text(), "v\n");
    place.db(&["restore", "list", "--latest"]).refused(2, &["what the new table is named"]);
    place.db(&["restore", "list", "--reason", "x"]).refused(2, &["what the new table is named"]);
    assert_eq!(place.db_json(&["restore", "list"]).done().records().len(), 1);
}

/// As soon as the restore has begun its tree is there, so the signal meets it at work.
#[cfg(unix)]
#[test]
fn ctrl_c_cancels_a_restore_which_leaves_nothing() {
    let place = Workplace::new();
    let lines: String = (0..60_000)
        .map(|at| format!("{{\"key\":\"{at:06}\",\"value\":\"{at}\",\"timestamp\":1700000000}}\n"))
        .collect();
    let events = place.write("events.jsonl", lines);
    place.db(&["import", "jsonl", &events, "main", "--create", "--protect", "forever"]).done();
    place.db(&["seal"]).done();
    let trees = || std::fs::read_dir(place.path("db/present")).expect("it is there").count();
    let before = trees();
    let mut child = place
        .command(&["--data", "db", "restore", "main", "copy", "--latest"])
        .stderr(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("it starts");
    while trees() == before && child.try_wait().expect("it can be asked").is_none() {
        std::thread::yield_now();
    }
    let mut kill = place.program("kill", &["-INT", &child.id().to_string()]);
    let _ = kill.output().expect("there is such a program");
    let ended = child.wait_with_output().expect("it ends");
    let said = String::from_utf8(ended.stderr).expect("messages are text");
    let names: Vec<_> = place.db_json(&["table", "list"]).done().records();
    let log = place.db_json(&["restore", "list"]).done().records();
    match ended.status.success() {
        // It was done before the signal came.
        true => assert_eq!((names.len(), &log[0]["outcome"]), (2, &"done".into())),
        false => {
            assert!(said.contains("cancelled; what there was of it was removed"), "{said}");
            assert_eq!((names.len(), trees()), (1, before));
            assert_eq!(log[0]["outcome"], "cancelled");
        }
    }
}
