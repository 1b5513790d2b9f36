//! `backup schedule create | list | delete` and `backup run`.

use crate::workplace::Workplace;

fn place() -> Workplace {
    let place = Workplace::new();
    place.db(&["table", "create", "main", "--protect", "35d"]).done();
    place.db(&["put", "main", "k", "first"]).done();
    place
}

const HOURLY: [&str; 12] = [
    "backup",
    "schedule",
    "create",
    "hourly",
    "main",
    "--every",
    "1h",
    "--keep",
    "7d",
    "--daily",
    "30d",
    "--monthly",
];

#[test]
fn what_is_due_is_made_once_and_stays_after_its_schedule() {
    let place = place();
    let made = place.db_json(&[&HOURLY[..], &["forever"]].concat()).done().record();
    assert_eq!((&made["keep"], &made["monthly"]), (&"7d".into(), &"forever".into()));
    assert_eq!(made["every_micros"], 3_600_000_000_u64);
    let runs = place.db_json(&["backup", "run"]).done().records();
    assert_eq!(runs.len(), 1);
    assert_eq!((&runs[0]["schedule"], &runs[0]["what"]), (&"hourly".into(), &"made".into()));
    let name = runs[0]["backup"].as_str().expect("it has a name").to_owned();
    assert!(name.starts_with("hourly-2") && name.ends_with('Z'), "{name}");
    assert_eq!(place.db_json(&["backup", "run"]).done().records().len(), 0);

    let bucket = format!("file://{}", place.path("db").join("bucket").display());
    let list = ["--format", "json", "--bucket", &bucket, "backup", "schedule", "list"];
    let alone = place.foldback(&list).done().records();
    let listed = place.db_json(&["backup", "schedule", "list"]).done().records();
    assert_eq!(alone, listed);
    assert_eq!((&listed[0]["name"], &listed[0]["backups"]), (&"hourly".into(), &1.into()));
    place.db(&["table", "drop", "main"]).done();
    let told = ["makes no backups", "was dropped", "backup schedule delete hourly"];
    place.db_json(&["backup", "run"]).refused(1, &told);
    let listed = place.db_json(&["backup", "schedule", "list"]).done().records();
    assert!(listed[0]["next"].is_null(), "{listed:?}");
    place.db(&["backup", "schedule", "delete", "hourly"]).done();
    assert_eq!(place.db_json(&["backup", "schedule", "list"]).done().records().len(), 0);
    place.db(&["backup", "restore", &name, "then"]).done();
    assert_eq!(place.db(&["get", "then", "k"]).done().text(), "first\n");
}

#[test]
fn what_is_misspelt_or_cannot_be_is_refused() {
    let place = place();
    place.db(&["table", "create", "plain"]).done();
    place.db(&[&HOURLY[..], &["730d"]].concat()).done();
    let create = |rest: &[&str]| place.db(&[&["backup", "schedule", "create"], rest].concat());
    create(&["a", "main", "--every", "1h"]).refused(2, &["--keep", "--daily", "--monthly"]);
    create(&["a", "main", "--keep", "1d"]).refused(2, &["--every"]);
    create(&["a", "main", "--every", "59s", "--keep", "1d"]).refused(2, &["from 1m to 3653d"]);
    create(&["a", "main", "--every", "1y", "--keep", "1d"]).refused(2, &["is no unit"]);
    create(&["a", "main", "--every", "1h", "--keep", "0s"]).refused(2, &["not possible"]);
    create(&["a", "plain", "--every", "1h", "--keep", "1d"]).refused(3, &["`protect`"]);
    create(&["a", "mian", "--every", "1h", "--keep", "1d"]).refused(3, &["did you mean main"]);
    create(&["a/b", "main", "--every", "1h", "--keep", "1d"]).refused(3, &["can't name"]);
    place.db(&[&HOURLY[..], &["730d"]].concat()).refused(3, &["exists already"]);
    let delete = ["backup", "schedule", "delete", "horly"];
    place.db(&delete).refused(3, &["did you mean hourly"]);
    assert_eq!(place.db_json(&["backup", "schedule", "list"]).done().records().len(), 1);
}
