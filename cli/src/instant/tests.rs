//! Tests of how instants are read and shown.

use proptest::prelude::*;

use super::*;

/// 2024-05-01T10:00:05Z.
const MAY_FIRST: i64 = 1_714_557_605_000_000;

fn check(text: &str, expected: InstantArg) {
    assert_eq!(text.parse::<InstantArg>().expect(text), expected, "{text}");
}

fn check_refused(text: &str, expected: &str) {
    let error = text.parse::<InstantArg>().expect_err(text).to_string();
    assert!(error.contains(expected), "{text}: {error}");
}

#[test]
fn times_with_a_zone_are_read() {
    check("2024-05-01T10:00:05Z", InstantArg::At(MAY_FIRST));
    check("2024-05-01 10:00:05Z", InstantArg::At(MAY_FIRST));
    check("2024-05-01t10:00:05z", InstantArg::At(MAY_FIRST));
    check("2024-05-01T12:00:05+02:00", InstantArg::At(MAY_FIRST));
    check("2024-05-01T04:30:05-05:30", InstantArg::At(MAY_FIRST));
    check("2024-05-01T10:00:05.000001Z", InstantArg::At(MAY_FIRST + 1));
    check("2024-05-01T10:00:05.25Z", InstantArg::At(MAY_FIRST + 250_000));
    check("2024-05-01T10:00:05.250000000Z", InstantArg::At(MAY_FIRST + 250_000));
    check("1969-12-31T23:59:59.999999Z", InstantArg::At(-1));
    check("2024-05-01T10:00:05+00:00[UTC]", InstantArg::At(MAY_FIRST));
}

#[test]
fn epoch_seconds_are_read_exactly() {
    check("0", InstantArg::At(0));
    check("0.000001", InstantArg::At(1));
    check("1714557605", InstantArg::At(MAY_FIRST));
    check("1714557605.25", InstantArg::At(MAY_FIRST + 250_000));
    check("1714557605.100000000000", InstantArg::At(MAY_FIRST + 100_000));
    check("1712345678.25", InstantArg::At(1_712_345_678_250_000));
    check("20240501.0", InstantArg::At(20_240_501_000_000));
    check("99999999", InstantArg::At(99_999_999_000_000));
}

#[test]
fn spans_seqs_and_now_are_read() {
    check("now", InstantArg::Now);
    check("-10m", InstantArg::Ago(600 * SECOND_MICROS));
    check("-1h30m", InstantArg::Ago(5_400 * SECOND_MICROS));
    check("-35d", InstantArg::Ago(35 * 86_400 * SECOND_MICROS));
    check("-1us", InstantArg::Ago(1));
    check("#1", InstantArg::Seq(1));
    check("#9223372036854775807", InstantArg::Seq(i64::MAX.unsigned_abs()));
}

#[test]
fn a_time_without_a_zone_is_refused_with_the_two_ways_to_say_it() {
    for text in ["2024-05-01T10:00:05", "2024-05-01 10:00:05"] {
        check_refused(text, &format!("{text} has no time zone: "));
        check_refused(text, "write 2024-05-01T10:00:05Z for UTC, or 2024-05-01T10:00:05+02:00");
    }
    check_refused("2024-05-01", "2024-05-01T00:00:00Z for UTC");
    check_refused("2024-05-01T10:00:05.25", "2024-05-01T10:00:05.25Z for UTC");
}

#[test]
fn finer_than_a_microsecond_is_refused() {
    for text in [
        "2024-05-01T10:00:05.1234567Z",
        "2024-05-01T10:00:05.000000001Z",
        "1714557605.1234567",
        "1714557605.0000000001",
        "0.00000000000000000000000000000000000000000000000001",
    ] {
        check_refused(text, "finer than a microsecond");
    }
}

#[test]
fn what_could_mean_two_things_is_refused() {
    check_refused("20240501", "write 2024-05-01T00:00:00Z or 20240501.0");
    check_refused("1714557605250", "if these are milliseconds, write 1714557605.250");
    check_refused("1714557605250000", "if these are microseconds, write 1714557605.250000");
    check_refused("1714557605250000000", "after the year 9999");
    check_refused("-10", "10 has no unit");
}

#[test]
fn anything_else_is_refused_with_what_to_write() {
    for text in ["", " ", "yesterday", "10m", "+10m", "Now", "2024-13-01T00:00:00Z", "[UTC]", "1e9"]
    {
        check_refused(text, "#SEQ");
    }
    for text in ["1.2.3", ".5", "5.", "."] {
        check_refused(text, "seconds since 1970");
    }
    for text in ["#", "#0", "#-1", "#+1", "#9223372036854775808", "#1.5"] {
        check_refused(text, "commits count from #1");
    }
    check_refused("2024-05-01T10:00:05+05:00[UTC]", "is not an instant");
}

/// The same instant however it is written, the one before a whole second and the one after, and
/// nothing that would need a guess.
#[test]
fn case_06_precision_and_zones() {
    for (text, micros) in [
        ("2024-05-01T10:00:05Z", 0),
        ("2024-05-01T10:00:05.000000Z", 0),
        ("2024-05-01T10:00:05,000001Z", 1),
        ("2024-05-01T10:00:04.999999Z", -1),
        ("2024-05-01T10:00:05.000001Z", 1),
        ("2024-05-01T10:00:05.4Z", 400_000),
        ("2024-05-02T00:00:05+14:00", 0),
        ("2024-04-30T22:00:05-12:00", 0),
        ("2024-05-01T12:00:05+02:00[Europe/Paris]", 0),
        ("1714557605", 0),
        ("1714557604.999999", -1),
        ("1714557605.000001", 1),
        ("1714557605.4", 400_000),
    ] {
        check(text, InstantArg::At(MAY_FIRST + micros));
    }
    // Twice, and never, in that zone.
    for text in ["2024-10-27T02:30:00[Europe/Paris]", "2024-03-31T02:30:00[Europe/Paris]"] {
        check_refused(text, "is not an instant");
    }
    check("2024-10-27T02:30:00+01:00[Europe/Paris]", InstantArg::At(1_729_992_600_000_000));
    check_refused("2024-05-01T10:00:05+01:00[Europe/Paris]", "is not an instant");
    for text in ["10:00:05", "2024-05-01T10:00:05 UTC", "2024-05-01T10:00:05 local", "May 1 2024"] {
        check_refused(text, "an instant");
    }
}

#[test]
fn an_instant_is_placed_on_the_clock() {
    assert_eq!(InstantArg::At(5).micros(100), Some(5));
    assert_eq!(InstantArg::Now.micros(100), Some(100));
    assert_eq!(InstantArg::Ago(30).micros(100), Some(70));
    assert_eq!(InstantArg::Ago(30).micros(i64::MIN), Some(i64::MIN));
    assert_eq!(InstantArg::Seq(7).micros(100), None);
}

proptest! {
    #[test]
    fn what_is_shown_is_read_back(micros in -370_000_000_000_000_000..253_000_000_000_000_000_i64) {
        // Years before 0 are shown with a sign, and a sign in front means a span: those are not
        // instants that anyone asks for.
        prop_assume!(micros >= -62_135_596_800_000_000);
        let shown = show(Timestamp(micros));
        prop_assert_eq!(shown.parse::<InstantArg>().expect("it is shown with its zone"), InstantArg::At(micros));
    }

    #[test]
    fn arguments_show_as_they_are_read(seq in 1..1_000_000_u64, ago in 0..i64::MAX) {
        for argument in [InstantArg::Seq(seq), InstantArg::Ago(ago), InstantArg::Now] {
            prop_assert_eq!(argument.to_string().parse::<InstantArg>().expect("readable"), argument);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "[-#+0-9.:TZ\\[\\]a-z ]{0,32}") {
        let _ = text.parse::<InstantArg>();
    }

    #[test]
    fn no_character_makes_it_panic(text in "\\PC{0,24}") {
        let _ = text.parse::<InstantArg>();
    }
}
