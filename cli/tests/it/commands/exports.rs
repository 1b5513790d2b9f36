//! `export` in its three forms, and what becomes of the file that it writes.

use crate::workplace::Workplace;

const EVENTS: &str = r#"{"key":"b","value":"x,\"y\"","timestamp":"2024-05-01T10:00:00Z"}
{"key":"a","value":"","timestamp":"2024-05-01T10:00:01Z"}
{"key":"é","value":"two\nlines","timestamp":"2024-05-01T10:00:02Z"}
{"key":"a","value":null,"timestamp":"2024-05-01T10:00:03Z"}
"#;
const JSONL: &str =
    "{\"key\":\"b\",\"value\":\"x,\\\"y\\\"\"}\n{\"key\":\"é\",\"value\":\"two\\nlines\"}\n";
const CSV: &str = "key,value\r\nb,\"x,\"\"y\"\"\"\r\né,\"two\nlines\"\r\n";

#[test]
fn rows_are_exported_in_every_form() {
    let place = Workplace::with_history(EVENTS);
    assert_eq!(place.db(&["export", "main"]).done().text(), JSONL);
    assert_eq!(place.db(&["--format", "jsonl", "export", "main"]).done().text(), JSONL);
    assert_eq!(place.db(&["--format", "csv", "export", "main"]).done().text(), CSV);
    let encoded = place.db(&["export", "main", "--base64"]).done();
    assert_eq!(encoded.lines()[1], "{\"key\":\"w6k=\",\"value\":\"dHdvCmxpbmVz\"}");

    // What is in such a file is checked where something else can read it: see `duckdb`.
    place.db(&["--format", "parquet", "export", "main", "-o", "rows.parquet"]).done();
    assert!(place.read("rows.parquet").starts_with(b"PAR1"));
    let piped = place.db(&["--format", "parquet", "export", "main"]).done();
    assert_eq!(piped.bytes(), place.read("rows.parquet"));
}

#[test]
fn rows_are_exported_as_of_an_instant() {
    let place = Workplace::with_history(EVENTS);
    let cases = [
        ("2024-05-01T09:59:59.999999Z", ""),
        ("2024-05-01T10:00:00Z", "b"),
        ("2024-05-01T10:00:01.5Z", "a b"),
        ("2024-05-01T12:00:02.999999+02:00", "a b é"),
        ("1714557603", "b é"),
        ("#4", "a b"),
        ("now", "b é"),
        ("-1m", "b é"),
    ];
    for (instant, expected) in cases {
        let rows = place.db(&["export", "main", "--as-of", instant]).done().records();
        let keys: Vec<_> = rows.iter().map(|row| row["key"].as_str().expect("text")).collect();
        assert_eq!(keys.join(" "), expected, "{instant}");
    }
}

#[test]
fn an_export_never_overwrites_a_file() {
    let place = Workplace::with_history(EVENTS);
    place.db(&["export", "main", "-o", "rows.jsonl"]).done();
    assert_eq!(place.read("rows.jsonl"), JSONL.as_bytes());
    place.write("precious", "precious");
    let says = ["precious exists already", "nothing was changed"];
    place.db(&["export", "main", "--output", "precious"]).refused(3, &says);
    assert_eq!(place.read("precious"), b"precious");
    let nowhere = place.db(&["export", "main", "-o", "no/such/directory"]);
    nowhere.refused(1, &["cannot create no/such/directory"]);
    let left = std::fs::read_dir(place.path("")).expect("it can be listed");
    let left = left.filter(|entry| {
        entry.as_ref().is_ok_and(|entry| entry.path().to_string_lossy().contains("unfinished"))
    });
    assert_eq!(left.count(), 0);
}

#[test]
fn what_is_no_text_is_exported_as_base64_only() {
    let place = Workplace::new();
    let event = r#"{"key":"a2V5","value":"/wA=","timestamp":1}"#;
    let import = ["import", "jsonl", "-", "main", "--create", "--base64"];
    place.db_fed(event.as_bytes(), &import).done();
    place.db(&["export", "main"]).refused(2, &["(key key) is not UTF-8 text", "--base64"]);
    let encoded = place.db(&["export", "main", "--base64"]).done();
    assert_eq!(encoded.text(), "{\"key\":\"a2V5\",\"value\":\"/wA=\"}\n");
    assert_eq!(place.db(&["get", "main", "key"]).done().bytes(), b"\xff\x00\n");
    let shown = place.db_json(&["get", "main", "key"]).done().record();
    assert_eq!(shown["value"]["base64"], "/wA=");
}

#[test]
fn an_export_can_be_imported_again() {
    let place = Workplace::with_history(EVENTS);
    let exported = place.db(&["export", "main"]).done();
    // Rows of a state have no times; an import wants one for each.
    let timed = exported.text().replace("}\n", ",\"timestamp\":1714557604000000}\n");
    let again = Workplace::new();
    again.db_fed(timed.as_bytes(), &["import", "jsonl", "-", "copy", "--create"]).done();
    assert_eq!(again.db(&["export", "copy"]).done().text(), JSONL);
}
