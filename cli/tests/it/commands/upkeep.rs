//! Upkeep by command: compact and expire, with a database and with its bucket alone.

use std::io::{BufRead, BufReader};
use std::sync::Arc;

use foldback::{
    Clock, Config, Database, ManualClock, Policy, Retention, Seq, SystemClock, Timestamp,
};
use serde_json::Value;

use crate::workplace::{Answer, Workplace, spawn_piped};

/// So eager that a handful of commits is folded and merged.
const EAGER: &str = "[engine]\nfold_files_max = 1\nmerge_fanout = 2\nfold_bytes_min = 1\n";
const DAY_MICROS: i64 = 86_400_000_000;

fn bucket(place: &Workplace, arguments: &[&str]) -> Answer {
    let url = format!("file://{}", place.path("db/bucket").display());
    place.foldback(&[&["--bucket", &url, "--format", "json"], arguments].concat())
}

/// The rows of `main` after a commit, as a bucket exports them.
fn export(place: &Workplace, seq: u64) -> Answer {
    let as_of = format!("#{seq}");
    place.foldback(&["--bucket", &url(place), "export", "main", "--as-of", &as_of])
}

fn number(record: &Value, field: &str) -> u64 {
    record[field].as_u64().unwrap_or_else(|| panic!("{field} is no number in {record}"))
}

/// One event a day, for the days before today from `from` to `until`, over seven keys.
fn daily(now: Timestamp, from: i64, until: i64) -> String {
    let event = |day: i64| {
        let (key, at) = (day % 7, now.0 - day * DAY_MICROS);
        format!("{{\"key\":\"k{key}\",\"value\":\"day {day}\",\"timestamp\":{at}}}\n")
    };
    (until..=from).rev().map(event).collect()
}

/// Sixty days of history of a table that keeps thirty-five, as a writer leaves it that was open all
/// the time: sealed and folded again and again, but for the last month. Tells how many commits it
/// has.
fn sixty_days(place: &Workplace) -> u64 {
    place.write("foldback.toml", format!("{EAGER}compactor = false\n"));
    let now = SystemClock.now();
    for (index, (from, until)) in [(60, 51), (50, 41), (40, 31), (30, 1)].into_iter().enumerate() {
        let events = place.write("events.jsonl", daily(now, from, until));
        let making: &[&str] = if index == 0 { &["--create", "--protect", "35d"] } else { &[] };
        place.db(&[&["import", "jsonl", &events, "main"], making].concat()).done();
        place.db(&["seal"]).done();
        // Nothing expires by this: horizons are counted from soon after the last commit at most.
        if until > 1 {
            bucket(place, &["compact"]).done();
        }
    }
    2 + 60
}

#[test]
fn a_history_of_sixty_days_loses_its_first_days_and_nothing_else() {
    for alone in [true, false] {
        let place = Workplace::new();
        let last = sixty_days(&place);
        let before: Vec<_> = (2..=last).map(|seq| export(&place, seq)).collect();
        let expired = match alone {
            true => bucket(&place, &["expire"]),
            false => {
                place.write("foldback.toml", EAGER);
                place.db_json(&["expire"])
            }
        };
        assert!(!expired.err.contains("held back"), "{}", expired.err);
        let table = expired.done().record();
        let earliest = number(&table, "first_seq");
        assert_eq!(table["table"], "main");
        // Day 35 is commit #27; a state at or before the horizon is kept, the first days are not.
        assert!((3..=28).contains(&earliest), "the earliest is #{earliest}");
        let files = std::fs::read_dir(place.path("db/bucket/history")).expect("it can be listed");
        let status = bucket(&place, &["status"]).done().record();
        assert!(number(&status, "removed_bytes") > 0, "{status}");
        assert!(files.count() as u64 >= number(&status, "history_files"), "{status}");
        for (seq, before) in (2..=last).zip(before) {
            let (before, after) = (before.done(), export(&place, seq));
            match seq < earliest {
                true => drop(after.refused(3, &["cannot be restored", "restorable instants are"])),
                false => assert_eq!(after.done().bytes(), before.bytes(), "at #{seq}"),
            }
        }
        let map = place.foldback(&["--bucket", &url(&place), "map", "main"]).done();
        let says = format!("given up, older than its retention: before {}", text(&table));
        assert!(map.text().contains(&says), "{says} is not in {}", map.text());
    }
}

fn text(table: &Value) -> &str {
    table["earliest"].as_str().expect("an instant")
}

/// What the grace has passed for is deleted, and nothing that is needed.
#[test]
fn what_was_given_up_is_deleted_after_the_grace() {
    let place = Workplace::new();
    let last = sixty_days(&place);
    let files = || {
        let files = std::fs::read_dir(place.path("db/bucket/history")).expect("it can be listed");
        files.count() as u64
    };
    let before = files();
    let given_up = bucket(&place, &["compact"]).done().record();
    assert!(number(&given_up, "expired_intervals") > 0, "{given_up}");
    assert!(number(&given_up, "removed_bytes") > 0, "{given_up}");
    assert!(files() >= before, "the grace has not passed");

    place.write("foldback.toml", format!("{EAGER}compactor = false\ngrace_secs = 0\n"));
    let swept = bucket(&place, &["compact"]).done().record();
    assert!(number(&swept, "deleted_bytes") > 0, "{swept}");
    let status = bucket(&place, &["status"]).done().record();
    assert_eq!((number(&status, "removed_bytes"), number(&status, "orphan_files")), (0, 0));
    assert_eq!(files(), number(&status, "history_files"));
    assert_eq!(export(&place, last).done().records().len(), 7);
}

/// A process that was started after its machine had been off for a month, or whose clock leapt.
#[test]
fn a_clock_that_leapt_is_believed_once_it_is_confirmed() {
    let place = Workplace::new();
    let now = SystemClock.now();
    let clock = Arc::new(ManualClock::new(Timestamp(now.0 - 40 * DAY_MICROS)));
    let mut config = Config::new(place.path("db"));
    config.clock = Arc::clone(&clock) as Arc<dyn Clock>;
    config.policy = Policy { fold_files_max: 1, ..Policy::default() };
    let database = Database::open(config).expect("it opens");
    let main = database.create_table("main").expect("the name is free");
    database.protect("main", Retention::Secs(1)).expect("it is there");
    for round in 0..20 {
        clock.advance(3_600_000_000);
        main.put(format!("k{}", round % 3), format!("{round}")).wait().expect("it commits");
        database.seal().expect("the bucket takes it");
        if round == 9 {
            database.compact().expect("it is folded");
        }
    }
    drop((main, database));

    place.write("foldback.toml", "[engine]\nfold_files_max = 1\n");
    let first = |answer: Answer| number(&answer.done().record(), "first_seq");
    let held = bucket(&place, &["expire"]);
    assert!(held.err.contains("expiry is held back"), "{}", held.err);
    assert!(held.err.contains("`expire --confirm`"), "{}", held.err);
    let (before, status) = (first(held), bucket(&place, &["status"]).done().record());
    let reason = status["horizon_held_by"].as_str().expect("it is held");
    assert!(reason.contains("more than 7 days at once"), "{reason}");

    let confirmed = bucket(&place, &["expire", "--confirm"]);
    assert!(!confirmed.err.contains("--confirm"), "{}", confirmed.err);
    assert!(first(confirmed) > before, "nothing was given up after #{before}");
    let open = place.db_json(&["expire", "--confirm"]);
    assert!(first(open) > before);
}

#[test]
fn a_bucket_is_tended_while_another_process_writes() {
    let place = Workplace::new();
    place.write("foldback.toml", EAGER);
    let mut config = Config::new(place.path("db"));
    config.compactor = false;
    let database = Database::open(config).expect("it opens");
    let main = database.create_table("main").expect("the name is free");
    database.protect("main", Retention::Forever).expect("it is there");
    let turn = |round: u32| {
        for step in 0..10 {
            let key = format!("k{}", step % 4);
            main.put(key, format!("{round}.{step}")).wait().expect("it commits");
            if step % 5 == 4 {
                database.seal().expect("the bucket takes it");
            }
        }
    };
    turn(0);
    let manifest = database.manifest().number;
    let mut command = place.command(&["--bucket", &url(&place), "--format", "json"]);
    let mut child = spawn_piped(command.args(["compact", "--every", "1s"]));
    let mut told = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    for round in 1..4 {
        let line = told.next().expect("it goes on").expect("it is text");
        let done: Value = serde_json::from_str(&line).expect("a record");
        assert!(number(&done, "jobs") > 0 && number(&done, "uploaded_bytes") > 0, "{done}");
        turn(round);
    }
    // The bucket is gone for a turn or two, which is told, and no end of it.
    let mut words = BufReader::new(child.stderr.take().expect("it is piped")).lines();
    let mut hear = |what: &str| {
        words.by_ref().map(|line| line.expect("it is text")).find(|line| line.contains(what))
    };
    assert!(hear("it may be ended at any time").is_some() && hear("folding table").is_some());
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    drop(told);

    // The writer was not fenced, and goes on from what was published beside it.
    database.seal().expect("it has not lost its bucket");
    assert!(database.status().halted.is_none());
    let once = bucket(&place, &["compact"]).done();
    assert!(once.record()["history_files"].as_u64() > Some(0));
    assert!(database.manifest().number > manifest);
    let last = database.status().tip.seq;
    let rows = export(&place, last.0).done().records();
    let values: Vec<_> = rows.iter().map(|row| row["value"].as_str()).collect();
    assert_eq!(values, [Some("3.8"), Some("3.9"), Some("3.6"), Some("3.7")]);
    assert!(last > Seq(40));
}

fn url(place: &Workplace) -> String {
    format!("file://{}", place.path("db/bucket").display())
}

#[test]
fn a_bucket_that_is_away_for_a_turn_is_told_and_tended_at_the_next() {
    let place = Workplace::new();
    place.write("foldback.toml", format!("{EAGER}compactor = false\n"));
    place.db(&["table", "create", "main", "--protect", "forever"]).done();
    place.db(&["put", "main", "k", "v"]).done();
    place.db(&["seal"]).done();
    let mut command = place.command(&["--bucket", &url(&place), "--format", "json"]);
    let mut child = spawn_piped(command.args(["compact", "--every", "1s"]));
    let mut records = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let mut words = BufReader::new(child.stderr.take().expect("it is piped")).lines();
    records.next().expect("there was something to do").expect("it is text");
    // A file stands where the bucket's directory was, so that nothing in it can be reached.
    let (bucket, away) = (place.path("db/bucket"), place.path("away"));
    std::fs::rename(&bucket, &away).expect("it is there");
    place.write("db/bucket", "");
    let tries = |line: std::io::Result<String>| line.expect("text").contains("tried again in 1s");
    assert!(words.by_ref().any(tries), "it ended");
    std::fs::remove_file(&bucket).expect("it is there");
    std::fs::rename(&away, &bucket).expect("it is there");
    place.db(&["put", "main", "k", "w"]).done();
    place.db(&["seal"]).done();
    let next = records.next().expect("it went on").expect("it is text");
    assert!(next.contains("\"jobs\":"), "{next}");
    child.kill().expect("it went on");
    child.wait().expect("it ends");
}

#[test]
fn upkeep_that_is_not_to_be_done_here_is_refused() {
    let place = Workplace::new();
    place.db(&["table", "create", "main", "--protect", "35d"]).done();
    place.db(&["compact", "--every", "1m"]).refused(2, &["--every", "needs the bucket alone"]);
    bucket(&place, &["compact", "--every", "10ms"]).refused(2, &["10ms is not from 1s to 1d"]);
    place.write("foldback.toml", "[engine]\ncompactor = false\n");
    for command in [&["compact"][..], &["expire"], &["expire", "--confirm"]] {
        place.db(command).refused(3, &["compactor = false", "nothing was done", "--bucket URL"]);
    }
    place.write("foldback.toml", "[engine]\nsingle_writer = true\n");
    bucket(&place, &["compact"]).refused(2, &["single_writer = true", "a second"]);
    for (setting, says) in [
        ("grace_secs = 99999999999", "setting grace is"),
        ("fold_ratio = 0.0", "setting fold_ratio is 0, it may be from 0.01 to 100"),
        ("merge_fanout = 1", "setting merge_fanout is 1, it may be from 2"),
        ("fold_files_max = 0", "setting fold_files_max is 0, it may be from 1"),
        ("file_bytes_target = 0", "setting file_bytes_target is 0, it may be from 1"),
        ("fold_ration = 1.0", "did you mean \"fold_ratio\"?"),
    ] {
        place.write("foldback.toml", format!("[engine]\n{setting}\n"));
        place.db(&["status"]).refused(2, &[says]);
        bucket(&place, &["compact"]).refused(2, &[says]);
    }
}

#[test]
fn status_tells_bytes_by_reason() {
    let place = Workplace::new();
    place.write("foldback.toml", EAGER);
    place.db(&["table", "create", "main", "--protect", "35d"]).done();
    for value in ["a", "b", "c"] {
        place.db(&["put", "main", "k", value]).done();
        place.db(&["seal"]).done();
    }
    place.db(&["compact"]).done();
    let name = "db/bucket/history/delta-00000000000000000001-00000000000000000001-\
                00000000000000000001-00000000000000aa.parquet";
    place.write(name, "left by a process that died");
    for status in [bucket(&place, &["status"]), place.db_json(&["status"])] {
        let status = status.done().record();
        assert!(number(&status, "base_bytes") > 0, "{status}");
        let parts = number(&status, "base_bytes") + number(&status, "delta_bytes");
        assert_eq!(parts, number(&status, "history_bytes"));
        assert_eq!((number(&status, "orphan_files"), number(&status, "orphan_bytes")), (1, 27));
        assert_eq!((number(&status, "leases"), number(&status, "leased_bytes")), (0, 0));
        assert!(status["horizon_held_by"].is_null() && status["trouble"].is_null(), "{status}");
        assert!(status["horizon_clock"].is_string(), "{status}");
    }
    // What nobody can understand may hold something, so it stops deletion, and status says so.
    std::fs::create_dir_all(place.path("db/bucket/lease")).expect("it can be made");
    place.write("db/bucket/lease/strange", "?");
    let status = bucket(&place, &["status"]).done().record();
    let trouble = status["trouble"].as_str().expect("there is trouble");
    assert!(trouble.contains("lease/strange"), "{trouble}");
    assert!(status["orphan_bytes"].is_null() && number(&status, "history_bytes") > 0, "{status}");
}
