//! `import jsonl`: what it takes, and how it says what it can't take.

use crate::workplace::Workplace;

fn event(key: &str, value: &str, micros: i64) -> String {
    format!("{{\"key\":\"{key}\",\"value\":\"{value}\",\"timestamp\":{micros}}}\n")
}

#[test]
fn lines_of_one_batch_are_one_commit_at_their_own_time() {
    let place = Workplace::new();
    let events = r#"{"k":"a","v":"1","t":"2024-05-01T10:00:00Z","op":"put","i":1}
{"k":"b","v":"1","t":"2024-05-01T10:00:00Z","op":"put","i":1}

{"k":"a","t":"2024-05-01T10:00:00.000001Z","op":"delete","i":2,"more":[1,{"x":2}]}
"#;
    let compressed = zstd::encode_all(events.as_bytes(), 3).expect("memory takes it");
    let file = place.write("events.jsonl.zst", compressed);
    let fields = ["--key", "k", "--value", "v", "--time", "t", "--op", "op", "--batch", "i"];
    let import = ["import", "jsonl", &file, "main", "--create", "--protect", "forever"];
    let summary = place.db_json(&[&import[..], &fields].concat()).done().record();
    assert_eq!(summary["commits"], 2);
    assert_eq!(summary["events"], 3);
    assert_eq!(summary["first_timestamp"], "2024-05-01T10:00:00.000000Z");
    assert_eq!(summary["last_timestamp"], "2024-05-01T10:00:00.000001Z");
    assert_eq!(summary["sealed_seq"], summary["last_seq"]);

    let window = place.db_json(&["window", "main"]).done().record();
    assert_eq!(window["earliest"], "2024-05-01T09:59:59.999999Z");
    let both = place.db(&["export", "main", "--as-of", "2024-05-01T10:00:00Z"]).done();
    assert_eq!(both.lines().len(), 2);
    let one = place.db(&["export", "main", "--as-of", "2024-05-01T10:00:00.000001Z"]).done();
    assert_eq!(one.lines(), ["{\"key\":\"b\",\"value\":\"1\"}"]);
    let written = place.db_json(&["put", "main", "c", "now"]).done().record();
    let year = written["timestamp"].as_str().expect("an instant");
    assert!(year > "2025", "later writes are stamped by the clock: {year}");
}

#[test]
fn a_wrong_line_is_named_and_what_came_before_stays() {
    let good = event("a", "1", 10) + &event("b", "2", 20);
    let cases = [
        ("not json", "it is not one JSON object"),
        (
            r#"{"key":"c","value":"3"}"#,
            "\"timestamp\" is missing; name the right field with --time",
        ),
        (r#"{"key":7,"value":"3","timestamp":30}"#, "field \"key\" must be a string"),
        (r#"{"key":"c","value":"3","timestamp":"2024-05-01T10:00:00"}"#, "no time zone"),
        (r#"{"key":"c","value":"3","timestamp":19}"#, "time goes back"),
    ];
    for (line, says) in cases {
        let place = Workplace::new();
        let input = format!("{good}{line}\n");
        let import = ["import", "jsonl", "-", "main", "--create"];
        let answer = place.db_fed(input.as_bytes(), &import);
        let stays = "stopped after 2 commits, which stay: standard input, line 3: ";
        answer.refused(1, &[stays, says]);
        let rows = place.db_json(&["scan", "main"]).done().records();
        assert_eq!(rows.len(), 2, "after {line}");
    }
}

#[test]
fn a_batch_is_taken_whole_or_not_at_all() {
    let place = Workplace::new();
    let file = place.write(
        "events.jsonl",
        r#"{"key":"a","value":"1","timestamp":10,"n":1}
{"key":"b","value":"2","timestamp":20,"n":2}
{"key":"c","value":"3","timestamp":20,"n":2}
{"key":"b","value":"4","timestamp":20,"n":2}
"#,
    );
    let import = ["import", "jsonl", &file, "main", "--create", "--batch", "n"];
    let says = ["events.jsonl, line 4: ", "the key of line 2 comes again in the same batch"];
    place.db(&import).refused(1, &says);
    let rows = place.db_json(&["scan", "main"]).done().records();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["key"], "a");
}

#[test]
fn time_never_goes_back_within_a_database() {
    let place = Workplace::new();
    place.db(&["table", "create", "main"]).done();
    let old = event("a", "1", 10);
    let says = ["time never goes back within a database", "import a past history into a fresh"];
    place.db_fed(old.as_bytes(), &["import", "jsonl", "-", "main"]).refused(3, &says);
    place.db_fed(old.as_bytes(), &["import", "jsonl", "-", "new", "--create"]).refused(3, &says);
    assert_eq!(place.db_json(&["table", "list"]).done().records().len(), 1);
    assert_eq!(place.db_json(&["scan", "main"]).done().text(), "");
}

#[test]
fn a_table_must_be_there_or_be_made() {
    let place = Workplace::new();
    let line = event("a", "1", 10);
    let import =
        |rest: &[&str]| place.db_fed(line.as_bytes(), &[&["import", "jsonl", "-"], rest].concat());
    import(&["main"]).refused(3, &["db holds no database", "nothing was changed"]);
    place.db_fed(b"", &["import", "jsonl", "-", "main", "--create"]).done();
    import(&["main"]).refused(3, &["there is no table \"main\""]);
    import(&["main", "--protect", "1d"]).refused(2, &["--create"]);
    import(&["main", "--create"]).done();
    import(&["main", "--create"]).refused(3, &["table \"main\" exists already"]);
    let twice = import(&["main", "--key", "key", "--value", "key"]);
    twice.refused(2, &["--key and --value both name the field \"key\""]);
    place.db(&["import", "jsonl", "nowhere.jsonl", "main"]).refused(1, &["cannot open nowhere"]);
    place.db(&["import", "jsonl", ".", "main"]).refused(2, &["is a directory"]);
}

#[test]
fn an_import_that_is_refused_in_the_middle_leaves_no_hole() {
    let long = "k".repeat(4_097);
    let future = 32_503_680_000_000_000;
    let cases = [
        (
            vec![event(&long, "1", 10)],
            "stopped at line 1, before anything was imported, though table main was created: the key has 4097",
        ),
        (
            vec![event("a", "1", 10), event(&long, "2", 20), event("c", "3", 30)],
            "stopped at line 2, after 1 commit, which stays: the key has 4097 bytes",
        ),
        (
            vec![event("a", "1", 10), event("b", "2", 20), event("c", "3", future)],
            "stopped at line 3, after 2 commits, which stay: ",
        ),
    ];
    for (lines, says) in cases {
        let place = Workplace::new();
        let import = ["import", "jsonl", "-", "main", "--create", "--protect", "1d"];
        place.db_fed(lines.concat().as_bytes(), &import).refused(3, &[says]);
        let kept = lines.iter().take_while(|line| line.len() < 100 && !line.contains("325036"));
        let rows = place.db_json(&["scan", "main"]).done().records();
        assert_eq!(rows.len(), kept.count(), "{says}");
    }
}

#[test]
fn an_import_into_a_table_that_was_there_says_that_nothing_was_imported() {
    let place = Workplace::new();
    place.db(&["table", "create", "main"]).done();
    let old = event("a", "1", 10) + &event("b", "2", 20);
    let answer = place.db_fed(old.as_bytes(), &["import", "jsonl", "-", "main"]);
    let says = "stopped at line 1, before anything was imported: time never goes back";
    answer.refused(3, &[says]);
}

#[test]
fn an_import_without_events_makes_no_table() {
    let place = Workplace::new();
    let import = ["--format", "json", "import", "jsonl", "-", "main"];
    let empty = place.db_fed(b"\n\n", &[&import[..], &["--create"]].concat()).done();
    assert_eq!(empty.record()["commits"], 0);
    assert!(empty.err.contains("no table main was made"), "{}", empty.err);
    assert_eq!(place.db_json(&["table", "list"]).done().text(), "");
    place.db_fed(b"", &import).refused(3, &["there is no table \"main\""]);
}
