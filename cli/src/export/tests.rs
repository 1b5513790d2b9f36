//! Tests of text exports, against parsers of their own.

use proptest::prelude::*;

use super::*;

fn exported(format: TextFormat, base64: bool, rows: &[(&[u8], &[u8])]) -> Result<String> {
    let mut bytes = Vec::new();
    let mut export = TextExport::begin(format, base64, &mut bytes)?;
    for (key, value) in rows {
        export.row(key, value)?;
    }
    assert_eq!(export.finish()?, rows.len() as u64);
    Ok(String::from_utf8(bytes).expect("it is text"))
}

#[test]
fn json_lines_are_one_object_a_row() {
    let rows: [(&[u8], &[u8]); 3] = [(b"a", b"1"), (b"q\"\n", "é\u{0}".as_bytes()), (b"z", b"")];
    let expected = "{\"key\":\"a\",\"value\":\"1\"}\n\
                    {\"key\":\"q\\\"\\n\",\"value\":\"é\\u0000\"}\n\
                    {\"key\":\"z\",\"value\":\"\"}\n";
    assert_eq!(exported(TextFormat::Jsonl, false, &rows).expect("it is text"), expected);
    assert_eq!(exported(TextFormat::Jsonl, false, &[]).expect("nothing"), "");
}

#[test]
fn csv_quotes_what_needs_it() {
    let rows: [(&[u8], &[u8]); 4] =
        [(b"a", b"1"), (b"a,b", b"x\ny"), (b"say \"hi\"", b"x\ry"), (b"z", b"")];
    let expected = "key,value\r\na,1\r\n\"a,b\",\"x\ny\"\r\n\"say \"\"hi\"\"\",\"x\ry\"\r\nz,\r\n";
    assert_eq!(exported(TextFormat::Csv, false, &rows).expect("it is text"), expected);
    assert_eq!(exported(TextFormat::Csv, false, &[]).expect("nothing"), "key,value\r\n");
}

#[test]
fn bytes_that_are_no_text_want_base64() {
    let rows: [(&[u8], &[u8]); 2] = [(b"a", b"1"), (b"b", b"\xff\x00")];
    for format in [TextFormat::Jsonl, TextFormat::Csv] {
        let error = exported(format, false, &rows).expect_err("not text").to_string();
        assert!(error.contains("the value of row 2 (key b) is not UTF-8"), "{error}");
        assert!(error.contains("add --base64"), "{error}");
    }
    let error = exported(TextFormat::Csv, false, &[(b"\xff", b"")]).expect_err("not text");
    assert!(error.to_string().contains("the key of row 1 (key \\xff)"), "{error}");
    assert_eq!(
        exported(TextFormat::Jsonl, true, &rows).expect("base64 takes all"),
        "{\"key\":\"YQ==\",\"value\":\"MQ==\"}\n{\"key\":\"Yg==\",\"value\":\"/wA=\"}\n"
    );
    assert_eq!(
        exported(TextFormat::Csv, true, &rows).expect("base64 takes all"),
        "key,value\r\nYQ==,MQ==\r\nYg==,/wA=\r\n"
    );
}

proptest! {
    #[test]
    fn csv_reads_back(rows in prop::collection::vec(("[a\",\r\n é]{0,6}", "[a\",\r\n é]{0,6}"), 0..8)) {
        let bytes: Vec<(&[u8], &[u8])> =
            rows.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes())).collect();
        let text = exported(TextFormat::Csv, false, &bytes).expect("it is text");
        let mut fields = csv_fields(&text);
        prop_assert_eq!(fields.drain(..2).collect::<Vec<_>>(), ["key", "value"]);
        let expected: Vec<String> = rows.into_iter().flat_map(|(key, value)| [key, value]).collect();
        prop_assert_eq!(fields, expected);
    }

    #[test]
    fn json_reads_back(key in ".{0,8}", value in ".{0,8}") {
        let text = exported(TextFormat::Jsonl, false, &[(key.as_bytes(), value.as_bytes())]);
        let row: serde_json::Value = serde_json::from_str(&text.expect("it is text")).expect("it is JSON");
        prop_assert_eq!(row, serde_json::json!({ "key": key, "value": value }));
    }
}

/// All fields of a CSV text, by the grammar of RFC 4180.
fn csv_fields(text: &str) -> Vec<String> {
    let mut fields = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => {
                // The closing quote is the first one that is not doubled.
                let doubled = quoted.replace("\"\"", "\u{1}\u{1}");
                let end = doubled.find('"').expect("the quote is closed");
                (quoted[..end].replace("\"\"", "\""), &quoted[end + 1..])
            }
            None => {
                let end = rest.find([',', '\r']).expect("a field has an end");
                (rest[..end].to_owned(), &rest[end..])
            }
        };
        rest = after;
        rest = rest.strip_prefix(',').or(rest.strip_prefix("\r\n")).expect("a field has an end");
        fields.push(field);
    }
    fields
}
