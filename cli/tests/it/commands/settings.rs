//! Flags, variables and `foldback.toml`; a directory that is locked, a bucket that is not there.

use std::io::Write;
use std::net::TcpListener;
use std::time::Duration;

use crate::workplace::{Workplace, answer, run, spawn_piped};

/// Longest that a command may try to reach a bucket before it gives up.
const UNREACHABLE_MAX: Duration = Duration::from_secs(100);

#[test]
fn a_database_is_named_by_flag_variable_or_file() {
    let place = Workplace::new();
    let says = ["no database is named", "--data DIR", "FOLDBACK_DATA", "data = \"DIR\""];
    place.foldback(&["table", "list"]).refused(2, &says);

    place.foldback(&["--data", "flag", "table", "create", "by_flag"]).done();
    run(place.command(&["table", "create", "by_variable"]).env("FOLDBACK_DATA", "variable")).done();
    std::fs::create_dir(place.path("etc")).expect("it can be made");
    place.write("etc/fold.toml", "data = \"beside\"\n[engine]\ndurability = \"buffered\"\n");
    place.foldback(&["--config", "etc/fold.toml", "table", "create", "by_file"]).done();
    assert!(place.path("etc/beside").is_dir(), "a file's directories are beside it");

    place.write("foldback.toml", "data = \"etc/beside\"\n");
    let tables = |answer: crate::workplace::Answer| answer.done().text().to_owned();
    assert!(tables(place.foldback(&["table", "list"])).contains("by_file"));
    let by_variable = run(place.command(&["table", "list"]).env("FOLDBACK_DATA", "variable"));
    assert!(tables(by_variable).contains("by_variable"));
    let mut both = place.command(&["--data", "flag", "table", "list"]);
    assert!(tables(run(both.env("FOLDBACK_DATA", "variable"))).contains("by_flag"));
}

#[test]
fn a_wrong_setting_is_named_with_its_file_and_line() {
    let cases = [
        ("data = \"d\"\nbuckett = \"x\"\n", "foldback.toml, line 2: ", "did you mean \"bucket\"?"),
        ("[engine]\n\nsegment_byte_max = 1\n", "line 3: ", "did you mean \"segment_bytes_max\"?"),
        ("[s3]\nendpoint = 7\n", "line 2: ", "must be a string in quotes"),
        ("endpoint = \"http://x\"\n", "line 1: ", "it belongs under [s3]"),
        ("[engine]\ndurability = \"maybe\"\n", "line 2: ", "synced"),
        ("data = \n", "line 1: ", "foldback"),
    ];
    for (file, place_in_file, hint) in cases {
        let place = Workplace::new();
        place.write("foldback.toml", file);
        place.db(&["table", "list"]).refused(2, &[place_in_file, hint]);
    }
    let place = Workplace::new();
    let missing = place.db(&["--config", "no.toml", "table", "list"]);
    missing.refused(2, &["cannot read configuration file no.toml"]);
    place.db(&["--config", ".", "table", "list"]).refused(2, &["cannot read configuration file ."]);
    place.write("foldback.toml", "[engine]\nsegment_bytes_max = 1\n");
    let says = "segment_bytes_max is 1, it may be from 4096";
    place.db(&["table", "list"]).refused(2, &[says]);
    let bucket = format!("file://{}", place.path("bucket").display());
    place.db(&["--bucket", &bucket, "recover"]).refused(2, &[says]);
}

#[test]
fn a_form_that_does_not_suit_the_command_is_refused() {
    let place = Workplace::new();
    let results = place.db(&["--format", "csv", "table", "list"]);
    results.refused(2, &["--format csv is for exports", "table or json"]);
    let export = place.db(&["--format", "table", "export", "main"]);
    export.refused(2, &["--format table is not for exports", "jsonl, csv or parquet"]);
    place.db(&["--format", "xml", "table", "list"]).refused(2, &["possible values: table, json"]);
    assert!(!place.path("db").exists(), "a wrong command line makes no database");
    place.foldback(&["tabel", "list"]).refused(2, &["table"]);
}

#[test]
fn a_directory_has_one_process_at_a_time() {
    let place = Workplace::new();
    let mut command = place.command(&["--data", "db", "import", "jsonl", "-", "main", "--create"]);
    let mut child = spawn_piped(&mut command);
    let mut stdin = child.stdin.take().expect("it is piped");
    // More than a pipe holds: once it is written, the process reads, and so holds its directory.
    stdin.write_all(&vec![b'\n'; 1 << 20]).expect("the binary reads its input");
    let pid = child.id().to_string();
    place.db(&["table", "list"]).refused(3, &["db is open in process", &pid]);
    drop(stdin);
    answer(&command, child.wait_with_output().expect("it ends")).done();
    place.db(&["table", "list"]).done();
}

#[test]
fn a_bucket_that_is_out_of_reach_is_said_to_be() {
    let place = Workplace::new();
    let began = foldback::steady_now();
    // A port that was free a moment ago, and that nobody listens on.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let endpoint = format!("http://{}", listener.local_addr().expect("it has an address"));
    drop(listener);
    let mut command = place.command(&["--data", "db", "--bucket", "s3://b/prefix", "status"]);
    command.envs([("AWS_ENDPOINT", endpoint.as_str()), ("AWS_ALLOW_HTTP", "true")]);
    command.envs([("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", "secret")]);
    let says = ["the bucket did not", "s3://b/prefix", &endpoint, "check the bucket's name"];
    run(&mut command).refused(4, &says);
    assert!(began.elapsed() < UNREACHABLE_MAX, "it took {:?}", began.elapsed());

    let wrong = place.db(&["--bucket", "ftp://b/prefix", "status"]);
    wrong.refused(2, &["ftp"]);
}

#[test]
fn a_bucket_belongs_to_one_database() {
    let place = Workplace::new();
    let bucket = format!("file://{}", place.path("bucket").display());
    place.db(&["--bucket", &bucket, "table", "create", "main"]).done();
    place.foldback(&["--data", "other", "table", "create", "main"]).done();
    let foreign = place.foldback(&["--data", "other", "--bucket", &bucket, "status"]);
    foreign.refused(3, &["bucket"]);
    // A database knows its bucket, so that it needs not be named again.
    let status = place.db_json(&["status"]).done().record();
    assert_eq!(status["bucket"], bucket.as_str());
}
