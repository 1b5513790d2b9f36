//! Tests of the reader of JSON Lines: what it takes, what it refuses, and what it says then.

use proptest::prelude::*;

use super::member::compact_member;
use super::*;

/// The options of a file that maps nothing.
fn plain() -> JsonlOptions {
    JsonlOptions {
        key_field: "key".to_owned(),
        value_field: "value".to_owned(),
        time_field: "timestamp".to_owned(),
        op_field: None,
        batch_field: None,
        time_unit: TimeUnit::Us,
        base64: false,
    }
}

/// The options that the change histories are read with.
fn mapped() -> JsonlOptions {
    JsonlOptions {
        key_field: "k".to_owned(),
        value_field: "v".to_owned(),
        time_field: "mts".to_owned(),
        op_field: Some("op".to_owned()),
        batch_field: Some("i".to_owned()),
        ..plain()
    }
}

fn read(input: &[u8], options: &JsonlOptions) -> Result<Vec<ImportedBatch>> {
    let source =
        LineSource::new("events.jsonl".to_owned(), std::io::Cursor::new(input.to_vec()), None)?;
    JsonlReader::with_source(source, LineParser::new(options)?).collect()
}

fn check(input: &str, options: &JsonlOptions, expected: &[ImportedBatch]) {
    assert_eq!(read(input.as_bytes(), options).expect(input), expected, "{input}");
}

fn check_refused(input: &str, options: &JsonlOptions, line: u64, expected: &str) {
    let error = read(input.as_bytes(), options).expect_err(input);
    assert!(matches!(&error, Error::Input { line: l, .. } if *l == line), "{input}: {error}");
    let shown = error.to_string();
    assert!(shown.starts_with(&format!("events.jsonl, line {line}: ")), "{input}: {shown}");
    assert!(shown.contains(expected), "{input}: {shown}");
}

fn batch(lines: (u64, u64), micros: i64, events: &[(&str, Option<&str>)]) -> ImportedBatch {
    let events = events.iter().map(|(key, value)| ImportedEvent {
        key: key.as_bytes().to_vec(),
        value: value.map(|value| value.as_bytes().to_vec()),
    });
    ImportedBatch {
        line_first: lines.0,
        line_last: lines.1,
        timestamp_micros: micros,
        events: events.collect(),
    }
}

#[test]
fn every_line_is_a_commit_unless_batches_are_named() {
    check("", &plain(), &[]);
    check(
        "{\"key\":\"a\",\"value\":\"1\",\"timestamp\":5}\n\
         {\"timestamp\":5,\"other\":[{\"key\":\"no\"}],\"value\":null,\"key\":\"a\"}\r\n\
         \n  \n\
         {\"key\":\"\",\"value\":\"\",\"timestamp\":6}",
        &plain(),
        &[
            batch((1, 1), 5, &[("a", Some("1"))]),
            batch((2, 2), 5, &[("a", None)]),
            batch((5, 5), 6, &[("", Some(""))]),
        ],
    );
}

#[test]
fn neighbouring_lines_with_one_number_are_one_commit() {
    check(
        "{\"seq\":0,\"i\":0,\"ts\":9,\"mts\":5,\"op\":\"put\",\"k\":\"a\",\"v\":\"1\",\"c\":\"x\"}\n\
         {\"seq\":1,\"i\":0,\"ts\":9,\"mts\":5,\"op\":\"put\",\"k\":\"b\",\"v\":\"2\"}\n\
         {\"seq\":2,\"i\":3,\"ts\":9,\"mts\":5,\"op\":\"delete\",\"k\":\"a\"}\n\
         {\"seq\":3,\"i\":-7,\"ts\":9,\"mts\":7,\"op\":\"delete\",\"k\":\"b\",\"v\":\"old\"}\n",
        &mapped(),
        &[
            batch((1, 2), 5, &[("a", Some("1")), ("b", Some("2"))]),
            batch((3, 3), 5, &[("a", None)]),
            batch((4, 4), 7, &[("b", None)]),
        ],
    );
}

#[test]
fn values_that_are_no_strings_keep_their_json_text() {
    let cases = [
        ("\"text \\u00e9 \\n\"", "text é \n"),
        ("12", "12"),
        ("-0", "-0"),
        ("1.50", "1.50"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("1e400", "1e400"),
        ("true", "true"),
        ("[ 1, \"a b\" ,{ } ]", "[1,\"a b\",{}]"),
        ("{ \"z\" : 1.0, \"a\\\" }\" : [ ] }", "{\"z\":1.0,\"a\\\" }\":[]}"),
    ];
    for (json, expected) in cases {
        let line =
            format!("{{ \"x\" : \"value\" , \"value\" : {json} , \"key\":\"a\",\"timestamp\":1 }}");
        // The parser has floats for numbers, and one of them ends before 1e400.
        if json == "1e400" {
            check_refused(&line, &plain(), 1, "number out of range");
        } else {
            check(&line, &plain(), &[batch((1, 1), 1, &[("a", Some(expected))])]);
        }
    }
}

#[test]
fn times_are_read_in_the_unit_that_was_named() {
    let second = 1_714_557_605_000_000;
    let cases = [
        (TimeUnit::Us, "1714557605000001", second + 1),
        (TimeUnit::Us, "1714557605000001.9", second + 1),
        (TimeUnit::Ms, "1714557605250", second + 250_000),
        (TimeUnit::Ms, "1714557605250.125", second + 250_125),
        (TimeUnit::S, "1714557605", second),
        (TimeUnit::S, "1714557605.25", second + 250_000),
        (TimeUnit::S, "1714557605.1234567891234", second + 123_456),
        (TimeUnit::S, "-1", -1_000_000),
        (TimeUnit::Ns, "1714557605000001999", second + 1),
        (TimeUnit::Ns, "-1", -1),
        (TimeUnit::S, "\"2024-05-01T12:00:05.25+02:00\"", second + 250_000),
        (TimeUnit::Us, "\"2024-05-01T10:00:05.123456789Z\"", second + 123_456),
    ];
    for (unit, json, expected) in cases {
        let options = JsonlOptions { time_unit: unit, ..plain() };
        let line = format!("{{\"key\":\"a\",\"value\":null,\"timestamp\":{json}}}");
        check(&line, &options, &[batch((1, 1), expected, &[("a", None)])]);
    }
}

#[test]
fn times_that_cannot_be_are_refused() {
    let cases = [
        ("1714557605000000000", "name the unit that it is in with --time-unit"),
        ("123456789012345678901234567890", "--time-unit"),
        ("1.5e9", "plain decimal number"),
        ("null", "it is null"),
        ("true", "plain decimal number"),
        ("[1]", "plain decimal number"),
        ("\"2024-05-01T10:00:05\"", "2024-05-01T10:00:05 has no time zone: write"),
        ("\"soon\"", "is not an instant"),
    ];
    for (json, expected) in cases {
        let line = format!("{{\"key\":\"a\",\"value\":null,\"timestamp\":{json}}}");
        check_refused(&line, &plain(), 1, expected);
        check_refused(&line, &plain(), 1, "field \"timestamp\" is no time: ");
    }
}

#[test]
fn base64_is_read_with_and_without_padding() {
    let options = JsonlOptions { base64: true, ..plain() };
    let line = "{\"key\":\"YQ==\",\"value\":\"/wD+\",\"timestamp\":1}\n\
                {\"key\":\"YQ\",\"value\":null,\"timestamp\":1}";
    let batches = read(line.as_bytes(), &options).expect("it is right");
    assert_eq!(batches[0].events[0].key, b"a");
    assert_eq!(batches[0].events[0].value.as_deref(), Some(&b"\xff\x00\xfe"[..]));
    assert_eq!(batches[1], batch((2, 2), 1, &[("a", None)]));
    let not_base64 = "{\"key\":\"a b\",\"value\":null,\"timestamp\":1}";
    check_refused(not_base64, &options, 1, "field \"key\" is not base64");
    let number = "{\"key\":\"YQ\",\"value\":5,\"timestamp\":1}";
    check_refused(number, &options, 1, "must be a string: --base64 was given");
}

#[test]
fn a_line_that_is_no_event_is_refused() {
    let cases = [
        (
            "{\"value\":\"1\",\"timestamp\":1}",
            "field \"key\" is missing; name the right field with --key",
        ),
        ("{\"key\":\"a\",\"timestamp\":1}", "field \"value\" is missing"),
        ("{\"key\":\"a\",\"value\":\"1\"}", "field \"timestamp\" is missing"),
        ("{\"key\":5,\"value\":\"1\",\"timestamp\":1}", "field \"key\" must be a string"),
        (
            "{\"key\":\"a\",\"key\":\"b\",\"value\":\"1\",\"timestamp\":1}",
            "field \"key\" is there twice",
        ),
        ("[1]", "a JSON object with one event"),
        ("{\"key\":\"a\",", "from column 11 on: EOF"),
        ("{\"key\":\"a\",\"value\":\"1\",\"timestamp\":1} x", "trailing characters"),
        ("{\"key\":\"\\ud800\",\"value\":\"1\",\"timestamp\":1}", "not one JSON object"),
    ];
    for (line, expected) in cases {
        let input = format!("{{\"key\":\"a\",\"value\":\"1\",\"timestamp\":1}}\n\n{line}\n");
        check_refused(&input, &plain(), 3, expected);
    }
    let error = read(b"{\"key\":\"\xff\"}", &plain()).expect_err("not UTF-8").to_string();
    assert!(error.contains("byte 9 of the line is not UTF-8"), "{error}");
}

#[test]
fn operations_and_batch_numbers_are_checked() {
    let cases = [
        (
            "\"i\":1,\"op\":\"upsert\",\"v\":\"1\"",
            "field \"op\" is \"upsert\"; it is put or delete",
        ),
        ("\"i\":1,\"op\":1,\"v\":\"1\"", "must be \"put\" or \"delete\""),
        ("\"i\":1,\"op\":\"put\"", "field \"v\" is missing"),
        ("\"i\":1,\"op\":\"put\",\"v\":null", "a put has a value"),
        ("\"i\":1,\"v\":\"1\"", "field \"op\" is missing; name the right field with --op"),
        ("\"op\":\"put\",\"v\":\"1\"", "field \"i\" is missing; name the right field with --batch"),
        ("\"i\":\"1\",\"op\":\"put\",\"v\":\"1\"", "field \"i\" must be a whole number"),
        ("\"i\":1.5,\"op\":\"put\",\"v\":\"1\"", "field \"i\" must be a whole number"),
    ];
    for (members, expected) in cases {
        check_refused(&format!("{{\"k\":\"a\",\"mts\":1,{members}}}"), &mapped(), 1, expected);
    }
}

#[test]
fn time_never_goes_back() {
    let input = "{\"key\":\"a\",\"value\":\"1\",\"timestamp\":1714557605000001}\n\
                 {\"key\":\"b\",\"value\":\"1\",\"timestamp\":1714557605000001}\n\
                 {\"key\":\"a\",\"value\":\"1\",\"timestamp\":1714557605000000}\n";
    let expected = "time goes back: it is 2024-05-01T10:00:05.000000Z here and \
                    2024-05-01T10:00:05.000001Z on line 2";
    check_refused(input, &plain(), 3, expected);
}

#[test]
fn a_batch_has_one_time_one_event_a_key_and_one_place() {
    let line = |number: u64, micros: u64, key: &str| {
        format!("{{\"i\":{number},\"mts\":{micros},\"op\":\"put\",\"k\":\"{key}\",\"v\":\"1\"}}\n")
    };
    let two_times = [line(1, 5, "a"), line(1, 5, "b"), line(1, 6, "c")].concat();
    check_refused(&two_times, &mapped(), 3, "one batch has two times");
    check_refused(&two_times, &mapped(), 3, "00:00.000005Z on line 1");
    let back = [line(1, 5, "a"), line(1, 4, "b")].concat();
    check_refused(&back, &mapped(), 2, "one batch has two times");
    let twice =
        [line(1, 5, "z"), line(1, 5, "b"), line(1, 5, "a"), line(1, 5, "b"), line(1, 5, "z")]
            .concat();
    check_refused(&twice, &mapped(), 4, "the key of line 2 comes again in the same batch");
    let mixed = [line(1, 5, "a"), line(2, 5, "b"), line(1, 5, "c")].concat();
    check_refused(&mixed, &mapped(), 3, "batch 1 ended on line 1 and comes back here");
}

#[test]
fn batches_before_the_error_are_given_and_none_after_it() {
    let input = "{\"key\":\"a\",\"value\":\"1\",\"timestamp\":1}\nx\n\
                 {\"key\":\"b\",\"value\":\"1\",\"timestamp\":1}\n";
    let source = LineSource::new("x".to_owned(), input.as_bytes(), None).expect("it opens");
    let parser = LineParser::new(&plain()).expect("the options are right");
    let mut reader = JsonlReader::with_source(source, parser);
    assert!(reader.next().expect("a batch").is_ok());
    assert!(reader.next().expect("an error").is_err());
    assert!(reader.next().is_none());
}

#[test]
fn one_field_has_one_meaning() {
    let options = JsonlOptions { value_field: "key".to_owned(), ..plain() };
    let error = read(b"", &options).expect_err("key is named twice").to_string();
    assert_eq!(error, "--key and --value both name the field \"key\"; every field has one meaning");
}

#[test]
fn zstd_is_known_by_its_first_bytes() {
    let input = "{\"key\":\"a\",\"value\":\"1\",\"timestamp\":1}\n".repeat(1_000);
    let compressed = zstd::encode_all(input.as_bytes(), 3).expect("it compresses");
    let expected = read(input.as_bytes(), &plain()).expect("it is right");
    assert_eq!(read(&compressed, &plain()).expect("it is right"), expected);
    // Files that were appended to hold several frames.
    let twice = [compressed.clone(), compressed.clone()].concat();
    assert_eq!(read(&twice, &plain()).expect("it is right").len(), 2_000);
    for end in [compressed.len() - 1, compressed.len() / 2] {
        let error = read(&compressed[..end], &plain()).expect_err("it is cut off").to_string();
        assert!(error.contains("damaged or cut off: copy it again"), "{error}");
    }
}

#[test]
fn a_mark_at_the_beginning_is_passed_over_and_gzip_is_named() {
    let input = "\u{feff}{\"key\":\"a\",\"value\":null,\"timestamp\":1}";
    check(input, &plain(), &[batch((1, 1), 1, &[("a", None)])]);
    let error = read(b"\x1f\x8b\x08\x00", &plain()).expect_err("it is gzip").to_string();
    assert!(error.contains("compressed with gzip"), "{error}");
}

#[test]
fn files_are_opened_by_name_and_their_size_is_known() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("events.jsonl");
    let input = "{\"key\":\"a\",\"value\":null,\"timestamp\":1}\n";
    std::fs::write(&path, input).expect("it is written");
    let mut reader = JsonlReader::open(&path, &plain()).expect("it opens");
    assert_eq!(reader.by_ref().count(), 1);
    assert_eq!((reader.bytes_read(), reader.bytes_total()), (39, Some(39)));
    for (path, expected) in [
        (directory.path().to_path_buf(), "is a directory"),
        (directory.path().join("absent"), "cannot open"),
    ] {
        let error = JsonlReader::open(&path, &plain()).expect_err("it is no file").to_string();
        assert!(error.contains(expected), "{error}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        rows in prop::collection::vec((".{0,8}", prop::option::of(".{0,8}"), 0..3_i64), 0..20),
        blank in "[ \t]{0,2}",
    ) {
        let mut micros = 0;
        let mut input = String::new();
        let mut expected = Vec::new();
        for (at, (key, value, step)) in rows.iter().enumerate() {
            micros += step;
            let line = serde_json::json!({ "key": key, "value": value, "timestamp": micros });
            input.push_str(&format!("{blank}{line}{blank}\n"));
            let at = at as u64 + 1;
            expected.push(batch((at, at), micros, &[(key.as_str(), value.as_deref())]));
        }
        prop_assert_eq!(read(input.as_bytes(), &plain()).expect("it is right"), expected);
    }

    #[test]
    fn json_text_means_what_it_meant(value in any_json(), blank in "[ \t]{0,2}") {
        let pretty = serde_json::to_string_pretty(&value).expect("it is JSON").replace('\n', &blank);
        let line = format!("{{\"a\":{pretty}{blank},{blank}\"b{{\":{pretty}}}");
        let compact = compact_member(&line, "b{").expect("it is there");
        prop_assert_eq!(&compact, &serde_json::to_string(&value).expect("it is JSON"));
        prop_assert_eq!(compact_member(&line, "c"), None);
    }

    #[test]
    fn no_bytes_make_it_panic(input in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&input, &plain());
        let _ = read(&input, &mapped());
    }

    #[test]
    fn no_json_makes_it_panic(value in any_json(), time in any_json()) {
        let line = serde_json::json!({
            "key": "a", "value": value, "timestamp": time, "k": "a", "v": value, "mts": 1,
            "op": "put", "i": time,
        });
        let _ = read(line.to_string().as_bytes(), &plain());
        let _ = read(line.to_string().as_bytes(), &mapped());
    }
}

/// Any JSON value, a few levels deep.
fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        (-1e12..1e12_f64).prop_map(Into::into),
        "[a-c\"\\\\{}\\[\\], :é]{0,6}".prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::btree_map("[a-c\"\\\\}]{0,3}", inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}
