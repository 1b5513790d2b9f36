//! Whole databases on real S3 servers, from the first command to the recovery from the bucket.

use std::time::Duration;

use crate::s3_servers::{MINISTACK, S3RVER, S3Server, SEAWEEDFS};
use crate::workplace::{Answer, Workplace, run};

/// Longest that a refusal by a server that runs may take.
const REFUSAL_MAX: Duration = Duration::from_secs(30);

/// Runs the binary with the server named by variables.
fn on(place: &Workplace, server: S3Server, arguments: &[&str]) -> Answer {
    let mut command = place.command(&[&["--format", "json"], arguments].concat());
    server.name_in_environment(&mut command, &server.endpoint());
    run(&mut command)
}

/// A history of 200 commits in which every tenth key is deleted again.
fn events() -> String {
    let event = |number: u64| {
        let value = if number % 10 == 9 { "null".to_owned() } else { format!("\"v{number}\"") };
        let (key, micros) = (number % 90, 1_714_557_600_000_000 + number * 1_000_000);
        format!("{{\"key\":\"k{key:03}\",\"value\":{value},\"timestamp\":{micros}}}\n")
    };
    (0..200).map(event).collect()
}

/// Copies a table into a bucket of backups, and what has changed since; deletes the first copy, and
/// restores the second.
fn check_backups(server: S3Server) {
    let place = Workplace::new();
    let bucket = server.bucket(&place);
    let (url, safe) = (format!("s3://{bucket}/history"), format!("s3://{bucket}/backups"));
    let row = |number: u64| {
        let micros = 1_714_557_600_000_000 + number;
        format!("{{\"key\":\"k{number:04}\",\"value\":\"{number:040x}\",\"timestamp\":{micros}}}\n")
    };
    let rows = place.write("rows.jsonl", (0..2_000).map(row).collect::<String>());
    let db = |rest: &[&str]| on(&place, server, &[&["--data", "db"], rest].concat());
    let import = ["import", "jsonl", &rows, "main", "--create", "--protect", "forever"];
    db(&[&["--bucket", &url], &import[..]].concat()).done();
    db(&["backup", "create", "whole", "main", "--to", &safe]).done();
    db(&["put", "main", "k0001", "changed"]).done();
    let next = db(&["backup", "create", "next", "main", "--to", &safe]).done().record();
    assert_eq!(next["previous"], "whole");
    let deleted = on(&place, server, &["backup", "delete", "whole", "--from", &safe]);
    assert_eq!(deleted.done().record()["files"], 0);
    let restored = db(&["backup", "restore", "next", "back", "--from", &safe]).done().record();
    assert_eq!(restored["rows"], 2_000);
    let mut command = place.command(&["--data", "db", "get", "back", "k0001"]);
    server.name_in_environment(&mut command, &server.endpoint());
    assert_eq!(run(&mut command).done().text(), "changed\n");
    let deleted = on(&place, server, &["backup", "delete", "next", "--from", &safe]);
    assert_eq!(deleted.done().record()["files"], next["files"]);
}

#[test]
fn backups_on_real_servers_are_built_on_each_other() {
    check_backups(MINISTACK);
    check_backups(SEAWEEDFS);
}

/// Imports, restores, loses the local directory, and recovers.
fn check_round(server: S3Server) {
    let place = Workplace::new();
    let url = format!("s3://{}/some/prefix", server.bucket(&place));
    let first = |rest: &[&str]| on(&place, server, &[&["--data", "one"], rest].concat());
    let events = place.write("events.jsonl", events());
    let import = ["import", "jsonl", &events, "main", "--create", "--protect", "forever"];
    let imported = first(&[&["--bucket", &url], &import[..]].concat()).done().record();
    assert_eq!(imported["commits"], 200);
    // The bucket needs no naming again: the local directory knows it.
    first(&["put", "main", "later", "than all"]).done();
    let sealed = first(&["seal"]).done().record();
    let (as_of, restore) =
        (["export", "main", "--as-of", "#120"], ["main", "then", "--seq", "120"]);
    // An export is JSON Lines: the results' form is not its own.
    let export = |data: &str, arguments: &[&str]| {
        let mut command = place.command(&[&["--data", data], arguments].concat());
        server.name_in_environment(&mut command, &server.endpoint());
        run(&mut command).done().text().to_owned()
    };
    let (then, now) = (export("one", &as_of), export("one", &["export", "main"]));
    assert_ne!(then, now);
    first(&[&["restore"], &restore[..]].concat()).done();
    assert_eq!(export("one", &["export", "then"]), then);

    std::fs::remove_dir_all(place.path("one")).expect("it was made here");
    first(&["--bucket", &url, "status"]).refused(3, &["holds the history of database", "recover"]);
    let recovered =
        on(&place, server, &["--data", "two", "--bucket", &url, "recover"]).done().record();
    assert_eq!(recovered["recovered_to_seq"], sealed["sealed_seq"]);
    assert_eq!(export("two", &["export", "main"]), now);
    assert_eq!(export("two", &as_of), then);
    on(&place, server, &["--data", "two", "put", "main", "after", "recovery"]).done();
}

#[test]
fn a_database_on_ministack_comes_back_from_its_bucket() {
    check_round(MINISTACK);
}

#[test]
fn a_database_on_seaweedfs_comes_back_from_its_bucket() {
    check_round(SEAWEEDFS);
}

#[test]
fn a_server_can_be_named_in_the_configuration_file() {
    let place = Workplace::new();
    let bucket = SEAWEEDFS.bucket(&place);
    let settings = format!("data = \"db\"\nbucket = \"s3://{bucket}/p\"\n{}", SEAWEEDFS.in_file());
    place.write("foldback.toml", &settings);
    place.foldback(&["table", "create", "main", "--protect", "1d"]).done();
    place.foldback(&["put", "main", "k", "v"]).done();
    place.foldback(&["seal"]).done();
    std::fs::remove_dir_all(place.path("db")).expect("it was made here");
    place.foldback(&["recover"]).done();
    assert_eq!(place.foldback(&["get", "main", "k"]).done().text(), "v\n");
    // A variable wins over the file.
    let mut command = place.command(&["status"]);
    run(command.env("AWS_SECRET_ACCESS_KEY", "wrong")).refused(4, &["the bucket did not"]);
}

#[test]
fn a_prefix_has_one_database() {
    let place = Workplace::new();
    let url = format!("s3://{}/shared", MINISTACK.bucket(&place));
    let one = ["--data", "one", "--bucket", &url, "table", "create", "main"];
    on(&place, MINISTACK, &one).done();
    let fresh = on(&place, MINISTACK, &["--data", "two", "--bucket", &url, "status"]);
    fresh.refused(3, &["holds the history of database"]);
    place.foldback(&["--data", "three", "table", "create", "main"]).done();
    let other = on(&place, MINISTACK, &["--data", "three", "--bucket", &url, "status"]);
    other.refused(3, &["nothing was changed"]);
    let beside = format!("{url}-not");
    let four = ["--data", "four", "--bucket", &beside, "table", "create", "main"];
    on(&place, MINISTACK, &four).done();
}

#[test]
fn a_store_that_ignores_conditions_is_refused() {
    let place = Workplace::new();
    let url = format!("s3://{}/p", S3RVER.bucket(&place));
    let arguments = ["--data", "db", "--bucket", &url, "table", "create", "main"];
    let says = ["conditional", "single"];
    on(&place, S3RVER, &arguments).refused(2, &says);
    // Whoever knows that no other process writes may say so.
    place.write("foldback.toml", "[engine]\nsingle_writer = true\n");
    on(&place, S3RVER, &arguments).done();
}

#[test]
fn wrong_credentials_and_buckets_are_said_to_be_so() {
    let place = Workplace::new();
    let bucket = SEAWEEDFS.bucket(&place);
    let began = foldback::steady_now();
    let missing = ["--data", "db", "--bucket", "s3://nowhere-at-all/p", "status"];
    on(&place, SEAWEEDFS, &missing).refused(4, &["s3://nowhere-at-all/p"]);
    let url = format!("s3://{bucket}/p");
    let mut command = place.command(&["--data", "db", "--bucket", &url, "status"]);
    SEAWEEDFS.name_in_environment(&mut command, &SEAWEEDFS.endpoint());
    command.env("AWS_SECRET_ACCESS_KEY", "wrong");
    run(&mut command).refused(4, &["the bucket did not", &url]);
    assert!(began.elapsed() < REFUSAL_MAX, "it took {:?}", began.elapsed());
}
