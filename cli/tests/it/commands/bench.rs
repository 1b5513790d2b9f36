//! `bench growth`: what it refuses, and how it prints what it measured.

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
