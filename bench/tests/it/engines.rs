//! The suites of commits and reads, run small: Foldback, and the tree under it.

use std::path::Path;

use foldback_bench::Report;

use super::suites::{report, start};

/// What a program that fails says.
#[track_caller]
fn refused(arguments: &[&str]) -> String {
    let output = start(arguments);
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Contenders and cases, in the order of the report.
fn cases(report: &Report) -> Vec<String> {
    report.rows.iter().map(|row| format!("{} {}", row.contender, row.case)).collect()
}

/// A figure of a row.
fn figure(report: &Report, row: usize, name: &str) -> f64 {
    report.rows[row].figure_of(name).expect("it was measured").median()
}

#[test]
fn durable_commits_are_measured_beside_the_machine_and_with_sealing() {
    let short = ["commit", "--engines", "foldback", "--millis", "80", "--runs", "1"];
    let cases_of = ["--writers", "1,4", "--batch", "1,10", "--json", "--limit-bytes", "100000"];
    let output = start(&[&short[..], &cases_of].concat());
    let report: Report = serde_json::from_slice(&output.stdout).expect("it is one report");
    assert_eq!(
        cases(&report),
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
    let verdicts = &report.verdicts;
    assert_eq!(verdicts.len(), 5, "{verdicts:?}");
    let first = &verdicts[0];
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
    assert_eq!(cases(&report), ["foldback 1x100", "lsm-tree 1x100"]);
    assert!(figure(&report, 0, "settled events/s") <= figure(&report, 0, "events/s"));
    let verdict = &report.verdicts[0];
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
    let cases = cases(&report);
    assert_eq!(cases.len(), 14, "{cases:?}");
    assert_eq!(cases[..2], ["foldback A zipfian:0.99 warm", "lsm-tree A zipfian:0.99 warm"]);
    assert_eq!(cases[13], "lsm-tree E uniform cold");
    assert!(figure(&report, 0, "get p50") > 0.0 && figure(&report, 13, "range p99") > 0.0);
    let verdict = &report.verdicts[0];
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
    assert_eq!(cases(&report), ["foldback trace warm", "lsm-tree trace warm"]);
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
            "under_way": 1, "settings": {
                "durable": false, "memtable_bytes": 1 << 20,
                "bucket": { "url": null, "store_options": {} },
            },
            "value_bytes": 20, "compressibility": 2.0, "rate": null,
            "until": { "batches": 5 }, "seed": seed,
        });
        run.to_string()
    };
    let output = start(&["commit-once", &commit(1)]);
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
    let said = refused(&["commit", "--engines", "lsm-tree", "--runs", "1", "--no-limits"]);
    assert!(said.contains("lsm-tree has no log"), "{said}");
    let said = refused(&["read", "--bucket", "memory:///"]);
    assert!(said.contains("leave --bucket out"), "{said}");
}

#[test]
fn each_run_has_a_place_of_its_own_in_a_bucket_that_is_named() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let bucket = format!("file://{}", directory.path().display());
    report(&[
        "commit",
        "--buffered",
        "--engines",
        "foldback",
        "--events",
        "1000",
        "--runs",
        "2",
        "--bucket",
        &bucket,
    ]);
    let names = |path: &Path| {
        let entries = std::fs::read_dir(path).expect("it is there");
        let mut names: Vec<_> = entries.map(|it| it.expect("it is listed").path()).collect();
        names.sort_unstable();
        names
    };
    let runs = names(directory.path());
    let [run] = runs.as_slice() else { panic!("one place for one suite: {runs:?}") };
    let places = names(run);
    assert_eq!(places, ["foldback-1x100-0", "foldback-1x100-1"].map(|name| run.join(name)));
}
