//! The suites of commits and reads, run small: Foldback, and the tree under it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn program(arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_foldback-bench"));
    program.args(arguments).output().expect("the program can be started")
}

/// The report of a suite, which does not fail.
#[track_caller]
fn report(arguments: &[&str]) -> Value {
    let output = program(&[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("it is JSON")
}

/// What a program that fails says.
#[track_caller]
fn refused(arguments: &[&str]) -> String {
    let output = program(arguments);
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Contenders and cases, in the order of the report.
fn rows(report: &Value) -> Vec<String> {
    let rows = report["rows"].as_array().expect("there are rows");
    let text = |value: &Value| value.as_str().expect("it is text").to_owned();
    rows.iter().map(|row| format!("{} {}", text(&row["contender"]), text(&row["case"]))).collect()
}

/// The only run of a figure of a row.
fn figure(report: &Value, row: usize, name: &str) -> f64 {
    let figures = report["rows"][row]["figures"].as_array().expect("a row has figures");
    let figure = figures.iter().find(|figure| figure["name"] == name).expect("it was measured");
    figure["runs"][0].as_f64().expect("it is a number")
}

fn verdicts(report: &Value) -> &[Value] {
    report["verdicts"].as_array().expect("there are verdicts")
}

#[test]
fn durable_commits_are_measured_beside_the_machine_and_with_sealing() {
    let short = ["commit", "--engines", "foldback", "--millis", "80", "--runs", "1"];
    let report = report(&[&short[..], &["--writers", "1,4", "--batch", "1,10"]].concat());
    assert_eq!(
        rows(&report),
        [
            "foldback 1x1",
            "foldback 4x1",
            "foldback 1x10",
            "foldback 4x10",
            "foldback-unprotected 4x1",
            "foldback-sealing 4x1"
        ]
    );
    assert!(figure(&report, 0, "events/s") > 0.0 && figure(&report, 0, "p99") > 0.0);
    let verdicts = verdicts(&report);
    assert_eq!(verdicts.len(), 5, "{verdicts:?}");
    let first = verdicts[0].as_str().expect("it is text");
    assert!(first.starts_with("commit durable 1x1: ") && first.ends_with("; results correct"));
    assert!(first.contains("of the machine's fdatasync limit"), "{first}");
}

#[test]
fn buffered_commits_are_measured_beside_the_bare_tree() {
    let report = report(&[
        "commit",
        "--buffered",
        "--engines",
        "foldback,lsm-tree",
        "--events",
        "20000",
        "--runs",
        "1",
    ]);
    assert_eq!(rows(&report), ["foldback 1x100", "lsm-tree 1x100"]);
    assert!(figure(&report, 0, "settled events/s") <= figure(&report, 0, "events/s"));
    let verdict = verdicts(&report)[0].as_str().expect("it is text");
    assert!(verdict.contains("of lsm-tree settled events/s"), "{verdict}");
}

#[test]
fn an_open_loop_keeps_to_its_rate() {
    let report = report(&[
        "commit",
        "--engines",
        "foldback",
        "--writers",
        "2",
        "--batch",
        "1",
        "--rate",
        "200",
        "--millis",
        "400",
        "--runs",
        "1",
    ]);
    let rate = figure(&report, 0, "events/s");
    assert!(rate < 230.0, "{rate}");
}

#[test]
fn reads_and_writes_of_a_loaded_table_are_measured_and_right() {
    let report = report(&[
        "read",
        "--engines",
        "foldback,lsm-tree",
        "--mixes",
        "A,D,F",
        "--records",
        "2000",
        "--operations",
        "500",
        "--runs",
        "1",
    ]);
    let rows = rows(&report);
    assert_eq!(rows.len(), 14, "{rows:?}");
    assert_eq!(rows[..2], ["foldback A zipfian:0.99 warm", "lsm-tree A zipfian:0.99 warm"]);
    assert_eq!(rows[13], "lsm-tree E uniform cold");
    assert!(figure(&report, 0, "get p50") > 0.0 && figure(&report, 13, "range p99") > 0.0);
    let verdict = verdicts(&report)[0].as_str().expect("it is text");
    assert!(verdict.contains("of lsm-tree") && verdict.ends_with("results correct"), "{verdict}");
}

#[test]
fn a_recorded_trace_is_run_and_its_page_is_written() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (trace, page) = (directory.path().join("t.jsonl"), directory.path().join("t.html"));
    let lines = r#"{"key":"a","value":"1"}
{"key":"b","value":"2","batch":1}
{"key":"b","value":"3","batch":1}
{"key":"c","value":"4","batch":1}
{"op":"get","key":"b"}
{"op":"get","key":"nobody"}
{"key":"a","value":null}
{"op":"range","key":"a","rows":10}
"#;
    std::fs::write(&trace, lines).expect("the disk is fine");
    let text = |path: &Path| path.display().to_string();
    let options = ["read", "--engines", "foldback,lsm-tree", "--runs", "1"];
    let files = ["--trace", &text(&trace), "--html", &text(&page)];
    let report = report(&[&options[..], &files[..]].concat());
    assert_eq!(rows(&report), ["foldback trace warm", "lsm-tree trace warm"]);
    let html = std::fs::read_to_string(&page).expect("a page was written");
    assert!(html.contains("foldback trace warm") || html.contains("trace warm"), "{html}");
}

/// A directory that held something else before stands for an engine that is fast and wrong.
#[test]
fn a_wrong_result_is_an_error() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let place = directory.path().join("rows").display().to_string();
    let commit = |seed: u64| {
        let run = serde_json::json!({
            "engine": "foldback", "directory": place, "writers": 1, "batch_events": 10,
            "settings": { "durable": false, "memtable_bytes": 1 << 20 }, "under_way": 1,
            "value_bytes": 20, "compressibility": 2.0, "rate": null,
            "until": { "batches": 5 }, "seed": seed,
        });
        run.to_string()
    };
    let output = program(&["commit-once", &commit(1)]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = refused(&["commit-once", &commit(2)]);
    assert!(said.contains("wrong result: foldback holds"), "{said}");
    let read = serde_json::json!({
        "engine": "foldback", "directory": place, "operations": 10, "cold": true,
        "workload": { "ycsb": {
            "mix": "C", "keys": "Uniform", "records": 100, "key_bytes": { "Fixed": 20 },
            "value_bytes": { "Fixed": 20 }, "compressibility": 2.0,
            "range_rows": { "Fixed": 1 }, "seed": 1,
        }},
    });
    let said = refused(&["read-once", &read.to_string()]);
    assert!(said.contains("wrong result: foldback has answered a read otherwise"), "{said}");
}

#[test]
fn what_cannot_be_measured_is_said() {
    let said = refused(&["commit", "--engines", "leveldb"]);
    assert!(said.contains("there is no engine leveldb") && said.contains("fjall"), "{said}");
    let said = refused(&["commit", "--engines", "lsm-tree", "--runs", "1", "--millis", "10"]);
    assert!(said.contains("lsm-tree has no log"), "{said}");
}
