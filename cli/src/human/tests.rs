//! Tests of sizes, counts and lengths of time for people.

use super::*;

#[test]
fn sizes() {
    let cases = [
        (0, "0 B"),
        (17, "17 B"),
        (1_023, "1023 B"),
        (1_024, "1 KiB"),
        (1_536, "1.5 KiB"),
        (10_240, "10 KiB"),
        (1_290, "1.26 KiB"),
        (64 * 1_024 * 1_024, "64 MiB"),
        (125_189_728, "119 MiB"),
        (u64::MAX, "16 EiB"),
    ];
    for (bytes, expected) in cases {
        assert_eq!(human_bytes(bytes), expected, "{bytes}");
    }
}

#[test]
fn counts() {
    let cases = [
        (0, "0"),
        (999, "999"),
        (1_000, "1,000"),
        (82_848, "82,848"),
        (u64::MAX, "18,446,744,073,709,551,615"),
    ];
    for (count, expected) in cases {
        assert_eq!(human_count(count), expected, "{count}");
    }
    assert_eq!(counted(1, "commit"), "1 commit");
    assert_eq!(counted(78_661, "commit"), "78,661 commits");
    assert_eq!(counted(0, "row"), "0 rows");
}

#[test]
fn lengths_of_time() {
    let cases = [
        (0, "0 µs"),
        (999, "999 µs"),
        (1_000, "1 ms"),
        (12_345, "12.3 ms"),
        (1_250, "1.25 ms"),
        (850_000, "850 ms"),
        (2_410_000, "2.41 s"),
        (59_999_999, "59.9 s"),
        (185_000_000, "3m05s"),
        (7_800_000_000, "2h10m"),
        (35 * 86_400_000_000 + 4 * 3_600_000_000, "35d4h"),
    ];
    for (micros, expected) in cases {
        assert_eq!(human_duration(micros), expected, "{micros}");
    }
}
