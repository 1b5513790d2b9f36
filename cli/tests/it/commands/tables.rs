//! `table`, `protect`, `unprotect`, `status`, `seal`, `recover` and `completions`.

use crate::workplace::Workplace;

#[test]
fn a_table_is_created_listed_described_and_dropped() {
    let place = Workplace::new();
    let created = place.db_json(&["table", "create", "main", "--protect", "35d"]).done().record();
    assert_eq!(created["name"], "main");
    assert_eq!(created["retention"], "35d");
    assert_eq!(created["protected"], true);
    assert_eq!(created["windows"], 1);
    place.db(&["table", "create", "plain"]).done();

    let listed = place.db_json(&["table", "list"]).done().records();
    let names: Vec<_> = listed.iter().map(|table| table["name"].as_str()).collect();
    assert_eq!(names, [Some("main"), Some("plain")]);
    let shown = place.db(&["table", "list"]).done();
    assert!(shown.text().contains("│ main  ┆"), "{}", shown.text());

    let plain = place.db_json(&["table", "describe", "plain"]).done().record();
    assert_eq!(plain["protected"], false);
    assert_eq!(plain["earliest"], serde_json::Value::Null);
    let main = place.db(&["table", "describe", "main"]).done();
    assert!(main.text().contains("│ retention"), "{}", main.text());

    let dropped = place.db_json(&["table", "drop", "plain"]).done().record();
    assert_eq!(dropped["dropped"], "plain");
    assert_eq!(place.db_json(&["table", "list"]).done().records().len(), 1);
    place.db(&["scan", "plain"]).refused(3, &["there is no table \"plain\""]);
}

/// The second life of a name is not the first one's, and the first can be reached and brought back.
#[test]
fn a_dropped_table_can_be_listed_restored_and_brought_back() {
    let place = Workplace::new();
    place.db(&["table", "create", "main", "--protect", "35d"]).done();
    let put = place.db_json(&["put", "main", "k", "first"]).done().record();
    place.db(&["table", "drop", "main"]).done();
    place.db(&["export", "main", "--as-of", "now"]).refused(3, &["id 1 \"main\"", "`--id`"]);
    let dropped = place.db_json(&["table", "list", "--dropped"]).done().records();
    assert_eq!((dropped[0]["id"].as_u64(), dropped[0]["windows"].as_u64()), (Some(1), Some(1)));
    place.db(&["table", "create", "main", "--protect", "35d"]).done();
    place.db(&["put", "main", "k", "second"]).done();

    let seq = put["seq"].to_string();
    place.db(&["restore", "main", "then", "--seq", &seq]).done();
    assert_eq!(place.db(&["get", "then", "k"]).done().text(), "first\n");
    place.db(&["restore", "--id", "1", "last", "--latest"]).done();
    assert_eq!(place.db(&["get", "last", "k"]).done().text(), "first\n");
    let resolved = place.db_json(&["resolve", "--id", "1", &format!("#{seq}")]).done().record();
    assert_eq!(resolved["seq"], put["seq"]);
    let window = place.db_json(&["window", "--id", "1"]).done().record();
    assert_eq!((&window["open"], &window["last_seq"]), (&false.into(), &put["seq"]));
    assert_eq!(place.db_json(&["plan", "--id", "1", "--latest"]).done().record()["table_id"], 1);
    place.db(&["plan", "main", "--id", "1", "--latest"]).refused(2, &["cannot be used with"]);
    place.db(&["plan", "--latest"]).refused(2, &["required"]);
    place.db(&["export", "--id", "1"]).refused(2, &["--as-of"]);
    let rows = place.db(&["export", "--id", "1", "--as-of", &seq_arg(&seq)]).done();
    assert!(rows.text().contains("first"), "{}", rows.text());

    let taken = "table \"main\" exists already";
    place.db(&["table", "undrop", "main"]).refused(3, &[taken]);
    let back = place.db_json(&["table", "undrop", "main", "--as", "back"]).done().record();
    assert_eq!((&back["protected"], &back["retention"]), (&true.into(), &"35d".into()));
    assert_eq!(back["restored_from_table_id"], 1);
    assert_eq!(place.db(&["get", "back", "k"]).done().text(), "first\n");

    // A bucket alone knows of it too.
    place.db(&["seal"]).done();
    let bucket = format!("file://{}", place.path("db/bucket").display());
    let alone = |arguments: &[&str]| {
        place.foldback(&[&["--bucket", &bucket, "--format", "json"], arguments].concat())
    };
    assert_eq!(alone(&["table", "list", "--dropped"]).done().records(), dropped);
    assert_eq!(alone(&["table", "describe", "--id", "1"]).done().record()["name"], "main");
    assert_eq!(alone(&["plan", "main", "--seq", &seq]).done().record()["table_id"], 1);
}

fn seq_arg(seq: &str) -> String {
    format!("#{seq}")
}

#[test]
fn a_name_that_is_taken_or_misspelt_or_wrong_is_refused() {
    let place = Workplace::new();
    place.db(&["table", "create", "main"]).done();
    let taken = "table \"main\" exists already; nothing was changed";
    place.db(&["table", "create", "main"]).refused(3, &[taken, "choose another name"]);
    let near = "there is no table \"mian\"; did you mean main?";
    for command in [
        &["get", "mian", "k"][..],
        &["put", "mian", "k", "v"],
        &["delete", "mian", "k"],
        &["scan", "mian"],
        &["export", "mian"],
        &["window", "mian"],
        &["resolve", "mian", "now"],
        &["plan", "mian", "--latest"],
        &["restore", "mian", "new", "--latest"],
        &["protect", "mian"],
        &["unprotect", "mian"],
        &["table", "describe", "mian"],
        &["table", "drop", "mian"],
    ] {
        place.db(command).refused(3, &[near]);
    }
    place.db(&["scan", "elsewhere"]).refused(3, &["`table list` shows what there is"]);
    place.db(&["table", "create", ""]).refused(3, &["nothing was changed"]);
}

#[test]
fn protection_begins_and_ends() {
    let place = Workplace::new();
    place.db(&["table", "create", "main"]).done();
    place.db(&["put", "main", "k", "v"]).done();
    let says = ["table \"main\" is not protected", "`protect` starts its history now"];
    place.db(&["window", "main"]).refused(3, &says);
    place.db(&["restore", "main", "new", "--latest"]).refused(3, &says);

    let window = place.db_json(&["protect", "main", "--retention", "12h"]).done().record();
    assert_eq!(window["open"], true);
    place.db(&["protect", "main"]).refused(3, &["protected already"]);
    let ended = place.db_json(&["unprotect", "main"]).done().record();
    assert_eq!(ended["open"], false);
    place.db(&["restore", "main", "new", "--seq", &ended["last_seq"].to_string()]).done();
    assert_eq!(place.db(&["get", "new", "k"]).done().text(), "v\n");
    let wrong = place.db(&["protect", "main", "--retention", "35"]);
    wrong.refused(2, &["35 has no unit", "35d"]);
}

#[test]
fn what_is_sealed_comes_back_from_the_bucket_alone() {
    let place = Workplace::new();
    let bucket = format!("file://{}", place.path("bucket").display());
    let on = |data, rest: &[&str]| {
        let settings = ["--format", "json", "--data", data, "--bucket", &bucket];
        place.foldback(&[&settings, rest].concat())
    };
    on("one", &["table", "create", "kept", "--protect", "forever"]).done();
    on("one", &["table", "create", "local"]).done();
    on("one", &["put", "kept", "k", "v"]).done();
    let unsealed = on("one", &["status"]).done().record();
    assert_eq!(unsealed["sealed_behind_micros"], serde_json::Value::Null);
    assert_eq!(unsealed["unsealed_commits"], unsealed["last_seq"]);
    let shown = place.foldback(&["--data", "one", "--bucket", &bucket, "status"]).done();
    assert!(shown.text().contains("never"), "{}", shown.text());
    let sealed = on("one", &["seal"]).done().record();
    let status = on("one", &["status"]).done().record();
    assert_eq!(status["sealed_seq"], sealed["sealed_seq"]);
    assert_eq!(status["unsealed_commits"], 0);
    assert_eq!(status["protected_tables"], 1);

    let holds = "holds the history of database";
    on("two", &["table", "list"]).refused(3, &[holds, "run `recover`"]);
    let recovered = on("two", &["recover"]).done();
    assert!(recovered.err.contains("table local was not protected"), "{}", recovered.err);
    assert_eq!(recovered.record()["recovered_to_seq"], sealed["sealed_seq"]);
    assert_eq!(recovered.record()["lost_tables"], "local");
    assert_eq!(on("two", &["get", "kept", "k"]).done().record()["value"], "v");
    on("two", &["recover"]).refused(3, &["holds a database already"]);
    place.foldback(&["--data", "three", "recover"]).refused(2, &["no bucket is named"]);
    let empty = format!("file://{}", place.path("empty").display());
    let nothing = place.foldback(&["--data", "three", "--bucket", &empty, "recover"]);
    nothing.refused(5, &["holds no history, so there is nothing to recover"]);
}

#[test]
fn every_shell_gets_its_completions() {
    let place = Workplace::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = place.foldback(&["completions", shell]).done();
        for word in ["foldback", "restore", "as-of"] {
            assert!(script.text().contains(word), "{shell} does not complete {word}");
        }
    }
    place.foldback(&["completions", "cmd"]).refused(2, &["possible values: bash"]);
}

#[test]
fn help_tells_the_exit_codes() {
    let help = Workplace::new().foldback(&["--help"]).done();
    for code in ["0 done", "1 failed", "2 the command line", "3 refused", "4 the bucket", "5 bytes"]
    {
        assert!(help.text().contains(code), "no {code:?} in\n{}", help.text());
    }
}
