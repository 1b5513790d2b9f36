//! The suites as commands, over small histories. Each is its own oracle: it fails if any contender
//! brings back another state.

use std::path::Path;
use std::process::{Command, Output};

use foldback_bench::{Report, W1Keeping};

/// Starts the harness.
pub(crate) fn start(arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_foldback-bench"));
    program.args(arguments).output().expect("the program can be started")
}

/// What the harness prints, as text; it must succeed.
fn run(arguments: &[&str]) -> String {
    let output = start(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).expect("it is text")
}

/// The report of a suite without the machine's limits.
pub(crate) fn report(arguments: &[&str]) -> Report {
    let text = run(&[arguments, &["--json", "--no-limits"]].concat());
    let report: Report = serde_json::from_str(&text).expect("it is one report");
    assert!(report.settings.contains_key("seed") && report.limits.is_empty(), "{text}");
    assert_eq!(report.suite, arguments[0]);
    assert!(report.machine.versions.contains_key("foldback") && report.machine.cores > 0);
    report
}

fn url_of(directory: &Path) -> String {
    format!("file://{}", directory.display())
}

const RESTORE: [&str; 9] =
    ["restore", "--events", "20000", "--keys", "2000", "--runs", "2", "--python", "no-such-python"];

#[test]
fn restores_of_w1_are_measured_and_right() {
    let report = report(&RESTORE);
    assert_eq!(report.verdicts, ["restore w1: results correct"]);
    assert_eq!(report.rows.len(), 2 * 2, "two contenders at two targets");
    for row in &report.rows {
        let cpu = row.figure_of("cpu").expect("it is measured");
        assert!(cpu.runs.len() == 2 && cpu.min() > 0.0, "{row:?}");
    }
    let rows = |contender| report.median_of(contender, "99 %", "rows");
    assert!(rows("foldback") > Some(500.0), "{report:?}");
}

/// It takes seconds, and PostgreSQL.
#[test]
fn postgresql_restores_the_same_states_if_it_is_installed() {
    if std::env::var_os("FOLDBACK_LONG").is_none() || !Path::new("/usr/lib/postgresql").is_dir() {
        return;
    }
    let python = ["--python", "python3", "--postgres-runs", "2"];
    let report = report(&[&RESTORE[..7], &python].concat());
    let of_postgres = report.rows.iter().filter(|row| row.contender.starts_with("postgresql"));
    assert_eq!(of_postgres.count(), 2, "{report:?}");
    assert!(report.machine.versions.contains_key("postgresql"), "{report:?}");
}

/// The table ends with the verdict, the page holds the same, and a peer that is missing is named.
#[test]
fn a_table_and_a_page_are_put_out_and_limits_stand_beside_them() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let page = directory.path().join("restore.html");
    let page_name = page.to_str().expect("it is text");
    let small = ["--html", page_name, "--limit-bytes", "1000000"];
    let output = start(&[&RESTORE[..], &small].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("DuckDB is left out"), "{said}");
    assert!(said.contains("PostgreSQL is left out: no-such-python"), "{said}");
    let text = String::from_utf8(output.stdout).expect("it is text");
    assert_eq!(text.lines().last(), Some("restore w1: results correct"), "{text}");
    assert!(text.contains("zstd-1 decompress") && text.contains("never folded"), "{text}");
    assert!(text.contains("decode of the plan, foldback, 99 %"), "{text}");
    let page = std::fs::read_to_string(&page).expect("it was written");
    assert!(page.contains("zstd-1 decompress") && page.contains("</svg>"), "{page}");
}

#[test]
fn a_bucket_is_used_that_is_named() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let bucket = url_of(directory.path());
    report(&[&RESTORE[..], &["--bucket", &bucket]].concat());
    let runs: Vec<_> = std::fs::read_dir(directory.path()).expect("it is there").collect();
    let [Ok(run)] = runs.as_slice() else { panic!("one place for one run: {runs:?}") };
    let mut databases: Vec<_> = std::fs::read_dir(run.path())
        .expect("it is there")
        .map(|entry| entry.expect("it can be listed").file_name())
        .collect();
    databases.sort_unstable();
    assert_eq!(databases, ["folded", "unfolded"]);
}

#[test]
fn growth_tells_of_restores_and_of_reads_of_the_past() {
    let report = report(&[
        "growth",
        "--keys",
        "500",
        "--history",
        "1,4",
        "--restores",
        "1",
        "--segment-bytes-max",
        "65536",
    ]);
    let cases: Vec<_> = report.rows.iter().map(|row| row.case.as_str()).collect();
    assert_eq!(cases, ["1x", "4x"]);
    for row in &report.rows {
        assert_eq!(row.figure_of("restore").map(|restore| restore.runs.len()), Some(8), "{row:?}");
        let read = row.figure_of("view read").expect("it is measured");
        assert!(read.runs.len() == 8 && read.min() > 0.0, "{row:?}");
        assert!(row.figure_of("requests a read").is_some(), "{row:?}");
    }
    assert_eq!(report.plots.len(), 2);
    let said = report.verdicts.last().expect("there is a verdict");
    assert!(said.starts_with("growth 1x 4x: restore seconds 1.00 "), "{said}");
    assert!(said.ends_with("; results correct"), "{said}");
}

#[test]
fn w1_is_kept_in_three_ways_and_merging_never_makes_it_larger() {
    let report =
        report(&["storage", "--only", "w1", "--events", "20000", "--keys", "2000", "--seed", "3"]);
    let bytes = |keeping: W1Keeping, name: &str| {
        let case = format!("w1, {}", keeping.name());
        report.median_of("foldback", &case, name).expect("it is measured")
    };
    for keeping in W1Keeping::ALL {
        assert!(bytes(keeping, "held") >= bytes(keeping, "deltas"), "{report:?}");
        assert!(bytes(keeping, "deltas") < bytes(keeping, "raw"), "{report:?}");
    }
    assert!(bytes(W1Keeping::Merged, "deltas") <= bytes(W1Keeping::Sealed, "deltas") * 1.01);
    let said = report.verdicts.last().expect("there is a verdict");
    assert!(said.contains(" of parquet zstd ") && said.ends_with("results correct"), "{said}");
}

#[test]
fn a_long_run_of_updates_is_told_over_time() {
    let report = report(&[
        "storage",
        "--only",
        "updates",
        "--updated-keys",
        "500",
        "--updates",
        "60",
        "--retentions",
        "3",
    ]);
    assert_eq!(report.rows.len(), 2);
    for plot in &report.plots {
        assert!(plot.lines.iter().all(|line| line.points.len() >= 6), "{plot:?}");
        let last = plot.lines[0].points.last().expect("it has points");
        assert!((2.9..=3.0).contains(&last.0) && last.1 > 0.0, "{plot:?}");
    }
}

#[test]
fn a_compaction_is_measured_in_a_process_of_its_own() {
    let report = report(&[
        "compact",
        "--keys",
        "2000",
        "--history-bytes",
        "2000000",
        "--segment-bytes-max",
        "500000",
    ]);
    let row = &report.rows[0];
    let peak = row.figure_of("peak").expect("Linux tells").median();
    assert!(peak < 300e6 && row.figure_of("jobs").expect("told").median() > 0.0, "{row:?}");
}

#[test]
fn reads_of_the_past_are_told_by_kind() {
    let report = report(&["asof", "--events", "20000", "--keys", "2000", "--gets", "100"]);
    let kinds: Vec<_> = report.rows.iter().map(|row| row.case.as_str()).collect();
    assert_eq!(kinds, ["cold", "warm", "spread", "absent"]);
    assert!(report.verdicts.last().is_some_and(|said| said.ends_with("results correct")));
}

#[test]
fn a_start_is_measured_after_a_close_and_after_a_crash() {
    let report = report(&[
        "start",
        "--state-bytes",
        "500000",
        "--events",
        "1000,3000",
        "--runs",
        "2",
        "--engines",
        "foldback",
    ]);
    let cases: Vec<_> = report.rows.iter().map(|row| row.case.as_str()).collect();
    let closed = ["closed, 2400 events", "closed, 2400 events, cold"];
    assert_eq!(cases, [&closed[..], &["killed, 1000 events", "killed, 3000 events"]].concat());
    for row in &report.rows {
        let open = row.figure_of("open").expect("it is measured");
        assert!(open.runs.len() == 2 && open.min() > 0.0, "{row:?}");
    }
    let replayed = |case| report.median_of("foldback", case, "replayed");
    assert_eq!(replayed("killed, 1000 events"), Some(1_000.0));
    assert_eq!(replayed("killed, 3000 events"), Some(3_000.0));
    let said = report.verdicts.last().expect("there is a verdict");
    assert!(said.contains("replay of 3000 events at ") && said.ends_with("results correct"));
}

#[test]
fn the_peak_of_each_part_of_a_tables_life_is_told() {
    let report = report(&["memory", "--state-bytes", "5000000", "--batch", "100"]);
    let stages: Vec<_> = report.rows.iter().map(|row| row.case.as_str()).collect();
    assert_eq!(stages, ["commit and seal", "merge and fold", "all at once", "restore", "read"]);
    for row in &report.rows {
        let peak = row.figure_of("peak").expect("Linux tells").median();
        let count = row.figure_of("count").expect("told").median();
        assert!(peak > 1e6 && peak < 300e6 && count > 0.0, "{row:?}");
    }
    let said = report.verdicts.last().expect("there is a verdict");
    assert!(said.ends_with(", within 512 MiB: yes; results correct"), "{said}");
}

/// What can't be put out is refused before anything is measured.
#[test]
fn options_that_are_not_possible_are_refused() {
    let refused = |arguments: &[&str], because: &str| {
        let output = start(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(because), "{said}");
    };
    refused(&["restore", "--html", "/no/such/place/page.html"], "nothing was measured");
    refused(&["restore", "--store-option", "region"], "give NAME=VALUE");
    refused(&["growth", "--directory", "/no/such/place"], "could not make a directory in");
    refused(&["compact-once"], "name the bucket");
    refused(&["start", "--events", "0"], "0 is not in 1..");
    refused(&["memory", "--quick", "--state-bytes", "1"], "cannot be used with");
    refused(&["storage", "--only", "both"], "possible values: w1, updates");
}

#[test]
fn a_restore_makes_few_requests_and_a_seal_two_puts() {
    let report = report(&[
        "link",
        "--state-bytes",
        "70000000",
        "--latency-ms",
        "0,20",
        "--runs",
        "1",
        "--updates-percent",
        "20",
    ]);
    let verdict = &report.verdicts[0];
    assert!(verdict.ends_with("2.0 PUTs a seal; results correct"), "{verdict}");
    for case in ["0 ms", "20 ms"] {
        let of = |name| report.median_of("foldback", case, name).expect("it is measured");
        assert!(of("read") > 35e6 && of("GETs") <= of("GETs at most"), "{report:?}");
    }
}
