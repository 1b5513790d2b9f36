//! Tests of spans and retention.

use proptest::prelude::*;

use super::*;

#[test]
fn spans_are_read_exactly() {
    let cases = [
        ("0s", 0),
        ("1us", 1),
        ("250ms", 250_000),
        ("90s", 90 * SECOND_MICROS),
        ("10m", 600 * SECOND_MICROS),
        ("1h30m", 5_400 * SECOND_MICROS),
        ("1m30s500ms", 90_500_000),
        ("35d", 35 * 86_400 * SECOND_MICROS),
        ("2w", 14 * 86_400 * SECOND_MICROS),
        ("0010m", 600 * SECOND_MICROS),
    ];
    for (text, expected) in cases {
        assert_eq!(parse_span_micros(text).expect(text), expected, "{text}");
    }
}

#[test]
fn anything_else_is_refused_with_what_to_write() {
    let cases = [
        ("", "empty"),
        ("10", "write 10s, 10m, 10h or 10d"),
        ("m", "whole number"),
        ("10 m", "is no unit"),
        ("10min", "the units are"),
        ("1.5h", "is no unit"),
        ("30m1h", "larger before the smaller"),
        ("1h1h", "stands once"),
        ("1h30", "30 has no unit"),
        ("-5m", "whole number"),
        ("99999999999999999999d", "too long"),
        ("9223372036854775807s", "too long"),
        ("106751991d1000h9000000000000000us", "too long"),
        ("１0m", "whole number"),
    ];
    for (text, expected) in cases {
        let error = parse_span_micros(text).expect_err(text).to_string();
        assert!(error.contains(expected), "{text}: {error}");
        assert!(error.contains(&format!("{text:?}")), "{text}: {error}");
    }
}

#[test]
fn retention_is_whole_seconds_or_forever() {
    let cases = [
        ("forever", Retention::Forever, "forever"),
        ("1s", Retention::Secs(1), "1s"),
        ("12h", Retention::Secs(43_200), "12h"),
        ("35d", Retention::Secs(3_024_000), "35d"),
        ("5w", Retention::Secs(3_024_000), "35d"),
        ("90m", Retention::Secs(5_400), "1h30m"),
        ("2000ms", Retention::Secs(2), "2s"),
    ];
    for (text, expected, shown) in cases {
        let retention: Retention = text.parse().expect(text);
        assert_eq!(retention, expected, "{text}");
        assert_eq!(retention.to_string(), shown, "{text}");
    }
    for (text, expected) in [
        ("0s", "from 1s up"),
        ("999ms", "whole seconds"),
        ("1500ms", "whole seconds"),
        ("35", "write 35s, 35m, 35h or 35d"),
        ("Forever", "or forever"),
        ("", "or forever"),
    ] {
        let error = text.parse::<Retention>().expect_err(text).to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

proptest! {
    #[test]
    fn what_is_shown_is_read_back(secs in 1..9_000_000_000_000_u64) {
        let retention: Retention = format_secs(secs).parse().expect("it is a span");
        prop_assert_eq!(retention, Retention::Secs(secs));
        let engine = foldback::Retention::from(retention);
        prop_assert_eq!(engine.to_string().parse::<Retention>().expect("a span"), retention);
    }

    #[test]
    fn no_text_makes_it_panic(text in "[0-9a-z. -]{0,24}") {
        if let Ok(micros) = parse_span_micros(&text) {
            prop_assert!(micros >= 0);
        }
    }
}

#[test]
fn an_interval_is_whole_seconds_up_to_a_day() {
    for (text, secs) in [("1s", 1), ("1m", 60), ("1h30m", 5_400), ("1d", 86_400)] {
        assert_eq!(parse_interval(text).expect(text), Duration::from_secs(secs));
    }
    for text in ["0s", "999ms", "1s500ms", "1d1s", "60", "often"] {
        parse_interval(text).expect_err(text);
    }
}
