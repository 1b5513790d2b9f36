//! `bench`: what it refuses, and how it prints what it measured.

use crate::workplace::Workplace;

const SMALL: [&str; 8] = ["bench", "growth", "--keys", "20", "--history", "1,2", "--restores", "1"];

#[test]
fn a_measurement_of_nothing_is_refused() {
    let place = Workplace::new();
    for option in ["--keys", "--restores"] {
        place.foldback(&["bench", "growth", option, "0"]).refused(2, &[option, "0"]);
    }
}

#[test]
fn the_comparison_is_a_line_for_people_and_a_record_for_scripts() {
    let place = Workplace::new();
    let shown = place.foldback(&SMALL).done();
    let last = *shown.lines().last().expect("something is printed");
    assert!(last.starts_with("growth 1x 2x: bytes 1.00 "), "{last}");
    let records = place.foldback(&[&["--format", "json"], &SMALL[..]].concat()).done().records();
    assert_eq!(records.len(), 3);
    assert!(records[0]["restore_median_micros"].is_u64(), "{}", records[0]);
    assert_eq!(records[2]["growth"], "1x 2x");
    assert!(records[2]["bytes_ratios"].as_str().is_some_and(|text| text.starts_with("1.00 ")));
}

#[test]
fn a_compaction_tells_what_a_process_of_its_own_took() {
    let place = Workplace::new();
    let small = ["--format", "json", "bench", "compact", "--keys", "500", "--value-bytes", "100"];
    let bytes = ["--history-bytes", "600000", "--segment-bytes-max", "300000"];
    let records = place.foldback(&[&small[..], &bytes].concat()).done().records();
    let [record] = records.try_into().expect("one record");
    assert!(record["history_bytes"].as_u64().is_some_and(|bytes| bytes >= 600_000), "{record}");
    assert!(record["jobs"].as_u64().is_some_and(|jobs| jobs > 0), "{record}");
    assert!(record["uploaded_bytes"].is_u64() && record["compaction_micros"].is_u64(), "{record}");
    let peak = record["memory_bytes_max"].as_u64();
    // Less than the memory of a process that holds nothing would be another number.
    assert!(!cfg!(target_os = "linux") || peak.is_some_and(|bytes| bytes > 1 << 20), "{record}");
}

#[test]
fn storage_is_told_for_even_and_for_skewed_updates() {
    let place = Workplace::new();
    let small = ["bench", "storage", "--keys", "20", "--updates", "10", "--retentions", "2"];
    let records = place.foldback(&[&["--format", "json"], &small[..]].concat()).done().records();
    let names: Vec<_> = records.iter().map(|record| record["updates"].clone()).collect();
    assert_eq!(names, ["uniform", "zipfian-0.9"]);
    assert!(records.iter().all(|record| record["sealed_bytes"].as_u64() > Some(0)), "{records:?}");
    place.foldback(&["bench", "storage", "--keys", "0"]).refused(2, &["--keys", "0"]);
}

#[test]
fn reads_of_the_past_are_measured_cold_warm_and_spread() {
    let place = Workplace::new();
    let small = ["--events", "3000", "--keys", "200", "--value-bytes", "50", "--gets", "50"];
    let command = [&["--format", "json", "bench", "asof"][..], &small].concat();
    let record = place.foldback(&command).done().record();
    assert_eq!(record["events"], 3_000);
    let requests = record["cold_requests"].as_u64().expect("a number");
    assert!((1..20).contains(&requests), "{record}");
    assert!(record["warm_p50_micros"].as_u64() <= record["warm_p99_micros"].as_u64(), "{record}");
}
