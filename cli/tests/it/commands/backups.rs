//! `backup create | list | describe | delete | restore | export`, pinned and detached.

use crate::workplace::Workplace;

/// A protected table with one row, which was another before.
fn place() -> (Workplace, String) {
    let place = Workplace::new();
    place.db(&["table", "create", "main", "--protect", "35d"]).done();
    let put = place.db_json(&["put", "main", "k", "first"]).done().record();
    place.db(&["put", "main", "k", "second"]).done();
    (place, put["seq"].to_string())
}

#[test]
fn a_state_is_kept_listed_restored_and_let_go() {
    let (place, seq) = place();
    let create = ["backup", "create", "old", "main", "--seq", &seq, "--reason", "before"];
    let made = place.db_json(&create).done().record();
    assert_eq!((&made["name"], &made["state"]), (&"old".into(), &"kept".into()));
    assert_eq!((made["seq"].to_string(), &made["reason"]), (seq, &"before".into()));
    place.db(&["backup", "create", "new", "main"]).done();
    place.db(&["table", "drop", "main"]).done();

    let listed = place.db_json(&["backup", "list"]).done().records();
    let names: Vec<_> = listed.iter().map(|backup| backup["name"].as_str()).collect();
    assert_eq!(names, [Some("old"), Some("new")]);
    place.db(&["backup", "restore", "old", "then"]).done();
    assert_eq!(place.db(&["get", "then", "k"]).done().text(), "first\n");
    let rows = place.db(&["backup", "export", "new"]).done();
    assert!(rows.text().contains("second"), "{}", rows.text());

    // A bucket alone knows of them too, and changes nothing.
    let bucket = format!("file://{}", place.path("db").join("bucket").display());
    let alone = |arguments: &[&str]| place.foldback(&[&["--bucket", &bucket], arguments].concat());
    let shown = alone(&["backup", "describe", "old"]).done();
    assert!(shown.text().contains("own bytes"), "{}", shown.text());
    let rows = alone(&["backup", "export", "old"]).done();
    assert!(rows.text().contains("first"), "{}", rows.text());

    let deleted = place.db_json(&["backup", "delete", "old"]).done().record();
    assert_eq!(deleted["deleted"], "old");
    assert_eq!(place.db_json(&["backup", "list"]).done().records().len(), 1);
    place.db(&["backup", "restore", "old", "again"]).refused(3, &["no backup \"old\""]);
}

#[test]
fn what_is_misspelt_or_cannot_be_kept_is_refused() {
    let (place, _) = place();
    place.db(&["table", "create", "plain"]).done();
    place.db(&["backup", "create", "b", "plain"]).refused(3, &["not protected", "`protect`"]);
    place.db(&["backup", "create", "b", "mian"]).refused(3, &["did you mean main"]);
    place.db(&["backup", "create", "b", "main", "--seq", "999"]).refused(3, &["no commit #999"]);
    let both = ["backup", "create", "b", "main", "--seq", "3", "--at", "now"];
    place.db(&both).refused(2, &["cannot be used with"]);
    place.db(&["backup", "create", "b/c", "main"]).refused(3, &["can't name a backup"]);
    place.db(&["backup", "create", "kept", "main"]).done();
    place.db(&["backup", "create", "kept", "main"]).refused(3, &["exists already"]);
    place.db(&["backup", "delete", "kpet"]).refused(3, &["did you mean kept"]);
    place.db(&["backup", "restore", "kept", "main"]).refused(3, &["exists already"]);
}

#[test]
fn a_copy_in_a_bucket_of_its_own_needs_nothing_else() {
    let (place, seq) = place();
    let safe = format!("file://{}", place.path("safe").display());
    let create = ["backup", "create", "copy", "main", "--seq", &seq, "--to", &safe];
    let made = place.db_json(&create).done().record();
    assert_eq!((&made["rows"], &made["table"]), (&1.into(), &"main".into()));
    place.db(&create).refused(3, &["backup \"copy\" exists already"]);
    place.db(&["backup", "create", "kept", "main", "--reason", "why"]).done();
    let copied = place.db_json(&["backup", "copy", "kept", "--to", &safe]).done().record();
    assert_eq!((&copied["name"], &copied["reason"]), (&"kept".into(), &"why".into()));
    let unmade = format!("file://{}", place.path("unmade").display());
    place.db(&["backup", "copy", "no", "--to", &unmade]).refused(3, &["no backup \"no\""]);
    assert!(!place.path("unmade").exists());
    place.foldback(&["backup", "delete", "kept", "--from", &safe]).done();
    std::fs::remove_dir_all(place.path("db")).expect("it is there");

    let listed = place.foldback(&["backup", "list", "--from", &safe]).done();
    assert!(listed.text().contains("copy"), "{}", listed.text());
    let rows = place.foldback(&["backup", "export", "copy", "--from", &safe]).done();
    assert!(rows.text().contains("first"), "{}", rows.text());
    place.db(&["table", "create", "other"]).done();
    place.db(&["backup", "restore", "copy", "back", "--from", &safe]).done();
    assert_eq!(place.db(&["get", "back", "k"]).done().text(), "first\n");

    let ours = format!("file://{}", place.path("db").join("bucket").display());
    let own = ["backup", "list", "--from", &ours];
    place.foldback(&own).refused(3, &["is that of a database"]);
    let nowhere = format!("file://{}", place.path("nowhere").display());
    place.foldback(&["backup", "list", "--from", &nowhere]).refused(3, &["is not there"]);
    place.foldback(&["backup", "delete", "cpoy", "--from", &safe]).refused(3, &["mean copy"]);
    let deleted = ["--format", "json", "backup", "delete", "copy", "--from", &safe];
    assert_eq!(place.foldback(&deleted).done().record()["files"], 1);
    let gone = place.foldback(&["--format", "json", "backup", "list", "--from", &safe]).done();
    assert!(gone.records().is_empty());
}

#[test]
fn a_copy_holds_what_has_changed_since_the_one_before() {
    let place = Workplace::new();
    let row = |number: u64| {
        let micros = 1_714_557_600_000_000 + number;
        let (key, value) = (format!("k{number:04}"), format!("{number:040x}"));
        format!("{{\"key\":\"{key}\",\"value\":\"{value}\",\"timestamp\":{micros}}}\n")
    };
    let rows = place.write("rows.jsonl", (0..2_000).map(row).collect::<String>());
    place.db(&["import", "jsonl", &rows, "main", "--create", "--protect", "forever"]).done();
    let safe = format!("file://{}", place.path("safe").display());
    let create = |name| ["backup", "create", name, "main", "--to", &safe];
    let first = place.db_json(&create("first")).done().record();
    assert!(first["previous"].is_null(), "{first:?}");
    assert_eq!(first["written_bytes"], first["bytes"]);
    place.db(&["put", "main", "k0001", "changed"]).done();
    let made = place.db_json(&create("second")).done().record();
    assert_eq!((&made["previous"], &made["base_bytes"]), (&"first".into(), &first["bytes"]));
    assert_eq!(made["written_bytes"], made["delta_bytes"]);
    let describe = ["--format", "json", "backup", "describe", "second", "--from", &safe];
    assert_eq!(place.foldback(&describe).done().record(), made);
    place.foldback(&["backup", "delete", "first", "--from", &safe]).done();
    let rows = place.foldback(&["backup", "export", "second", "--from", &safe]).done();
    assert!(rows.text().contains("changed"), "{}", rows.text());
    place.db(&["backup", "restore", "second", "back", "--from", &safe]).done();
    assert_eq!(place.db(&["get", "back", "k0001"]).done().text(), "changed\n");
}
