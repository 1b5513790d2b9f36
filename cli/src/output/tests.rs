//! Tests of lists, records and cells, as tables and as JSON.

use foldback::{Seq, Timestamp};
use proptest::prelude::*;

use super::cell::printable_text;
use super::*;

fn printed(
    format: OutputFormat,
    width: Option<u16>,
    print: impl Fn(&mut Output<&mut Vec<u8>>) -> Result<()>,
) -> String {
    let mut bytes = Vec::new();
    let mut output = Output::new(format, &mut bytes, width);
    print(&mut output).and_then(|()| output.flush()).expect("memory takes it");
    String::from_utf8(bytes).expect("it is text")
}

fn list_of_tables(output: &mut Output<&mut Vec<u8>>) -> Result<()> {
    let mut list = output.list(&["name", "last_seq", "bytes", "protected"]);
    list.row(vec![
        Cell::Text("main".to_owned()),
        Cell::Seq(Seq(78_661)),
        Cell::Bytes(1_536),
        Cell::Flag(true),
    ])?;
    list.row(vec![Cell::Text("b".to_owned()), Cell::Empty, Cell::Bytes(7), Cell::Flag(false)])?;
    assert_eq!(list.finish()?, 2);
    output.note("2 tables")
}

#[test]
fn a_list_is_a_table_for_people() {
    let expected = "\
┌──────┬──────────┬─────────┬───────────┐
│ name ┆ last seq ┆   bytes ┆ protected │
╞══════╪══════════╪═════════╪═══════════╡
│ main ┆   #78661 ┆ 1.5 KiB ┆ yes       │
│ b    ┆        - ┆     7 B ┆ no        │
└──────┴──────────┴─────────┴───────────┘
2 tables
";
    assert_eq!(printed(OutputFormat::Table, None, list_of_tables), expected);
}

#[test]
fn a_list_is_one_object_a_line_for_scripts() {
    let expected = "\
{\"name\":\"main\",\"last_seq\":78661,\"bytes\":1536,\"protected\":true}
{\"name\":\"b\",\"last_seq\":null,\"bytes\":7,\"protected\":false}
";
    assert_eq!(printed(OutputFormat::Json, None, list_of_tables), expected);
}

#[test]
fn a_record_is_printed_field_by_field() {
    let print = |output: &mut Output<&mut Vec<u8>>| {
        output.record(&[
            ("earliest", Cell::Instant(Timestamp(1_714_557_605_000_000))),
            ("took_micros", Cell::Duration(2_410_000)),
            ("events", Cell::Count(82_848)),
        ])
    };
    let table = "\
┌──────────┬─────────────────────────────┐
│ earliest ┆ 2024-05-01T10:00:05.000000Z │
│ took     ┆ 2.41 s                      │
│ events   ┆ 82,848                      │
└──────────┴─────────────────────────────┘
";
    assert_eq!(printed(OutputFormat::Table, None, print), table);
    let json = "{\"earliest\":\"2024-05-01T10:00:05.000000Z\",\"took_micros\":2410000,\
                \"events\":82848}\n";
    assert_eq!(printed(OutputFormat::Json, None, print), json);
}

#[test]
fn an_empty_list_shows_its_headings_to_people_and_nothing_to_scripts() {
    let print = |output: &mut Output<&mut Vec<u8>>| {
        output.list(&["name"]).finish().map(|rows| assert_eq!(rows, 0))
    };
    assert!(printed(OutputFormat::Table, None, print).contains("name"));
    assert_eq!(printed(OutputFormat::Json, None, print), "");
}

#[test]
fn a_long_list_is_several_tables_and_fits_the_terminal() {
    let print = |output: &mut Output<&mut Vec<u8>>| {
        let mut list = output.list(&["key", "value"]);
        for at in 0..2_500 {
            list.row(vec![Cell::Key(format!("{at:04}").into()), Cell::Value(vec![b'x'; 90])])?;
        }
        list.finish().map(|rows| assert_eq!(rows, 2_500))
    };
    let table = printed(OutputFormat::Table, Some(60), print);
    assert_eq!(table.matches("key").count(), 3);
    assert!(table.lines().all(|line| line.chars().count() <= 60));
    assert_eq!(printed(OutputFormat::Json, Some(60), print).lines().count(), 2_500);
}

#[test]
fn bytes_are_shown_so_that_they_can_be_told_apart() {
    let cases: [(&[u8], &str); 7] = [
        (b"bucket/7zip.json", "bucket/7zip.json"),
        ("é 日本 🦀".as_bytes(), "é 日本 🦀"),
        (b"a\x00b\n", "a\\x00b\\x0a"),
        (b"\\x00", "\\\\x00"),
        (b"\xff\xfe", "\\xff\\xfe"),
        (b"\xe2\x82", "\\xe2\\x82"),
        ("a\u{202e}b\u{1b}[0m".as_bytes(), "a\\xe2\\x80\\xaeb\\x1b[0m"),
    ];
    for (bytes, expected) in cases {
        assert_eq!(printable_bytes(bytes), expected);
        assert_eq!(Cell::Key(bytes.to_vec()).shown(), expected);
    }
    assert_eq!(printable_text("C:\\dir\r\n"), "C:\\dir\\x0d\\x0a");
}

#[test]
fn a_long_value_is_shown_with_its_size() {
    let shown = Cell::Value(vec![b'x'; 5_000]).shown();
    assert_eq!(shown, format!("{}… (4.88 KiB)", "x".repeat(96)));
    assert_eq!(Cell::Value("é".repeat(96).into()).shown(), "é".repeat(96));
    assert_eq!(
        Cell::Value("🦀".repeat(97).into()).shown(),
        format!("{}… (388 B)", "🦀".repeat(96))
    );
}

#[test]
fn json_marks_what_is_no_text() {
    let json = |cell: Cell| serde_json::to_string(&cell).expect("it is JSON");
    assert_eq!(json(Cell::Key(b"a\"b".to_vec())), "\"a\\\"b\"");
    assert_eq!(json(Cell::Value(b"\xff\x00".to_vec())), "{\"base64\":\"/wA=\"}");
    assert_eq!(json(Cell::text(Some("x"))), "\"x\"");
    assert_eq!(json(Cell::text(None::<String>)), "null");
}

proptest! {
    #[test]
    fn shown_bytes_can_be_read_back(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let shown = printable_bytes(&bytes);
        prop_assert!(shown.chars().all(|c| !c.is_control()));
        prop_assert_eq!(unescaped(&shown), bytes);
    }

    #[test]
    fn any_value_can_be_shown(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(Cell::Value(bytes).shown().chars().count() < 120);
    }
}

/// What `printable_bytes` wrote, read back.
fn unescaped(shown: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = shown;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("\\x") {
            bytes.push(u8::from_str_radix(&after[..2], 16).expect("two hex digits"));
            rest = &after[2..];
        } else if let Some(after) = rest.strip_prefix("\\\\") {
            bytes.push(b'\\');
            rest = after;
        } else {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            rest = &rest[c.len_utf8()..];
        }
    }
    bytes
}
