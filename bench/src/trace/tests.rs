use super::*;

fn trace(text: &'static str) -> Trace {
    Trace::read("orders.jsonl".to_owned(), Box::new(text.as_bytes()))
}

fn put(key: &str, value: &str) -> Operation {
    Operation::Put { key: key.into(), value: value.into() }
}

#[test]
fn a_trace_is_read_batch_by_batch() {
    let text = r#"{"key":"a","value":"1","timestamp":"2026-01-02T03:04:05Z"}

{"key":"b","value":{"n": 2},"batch":7}
{"key":"c","value":null,"batch":7}
{"key":"d","value":"4","batch":8}
{"op":"get","key":"a","batch":8}
{"op":"range","key":"b","rows":10}
{"op":"delete","key":"b","value":"old"}
{"op":"put","key":"e","value":5,"who":"a field of somebody else's"}"#;
    let batches: Vec<_> = trace(text).collect::<Result<_>>().expect("it is a trace");
    let delete = |key: &str| Operation::Delete { key: key.into() };
    let expected = [
        vec![put("a", "1")],
        vec![put("b", "{\"n\":2}"), delete("c")],
        vec![put("d", "4")],
        vec![Operation::Get { key: "a".into() }],
        vec![Operation::Range { first: "b".into(), rows: 10 }],
        vec![delete("b")],
        vec![put("e", "5")],
    ];
    assert_eq!(batches, expected);
    assert_eq!(trace("").count(), 0);
}

/// The line that is wrong is named, after what was right before it.
fn refused(line: &'static str, because: &str) {
    let text: &'static str = Box::leak(format!("{{\"key\":\"a\",\"value\":\"1\"}}\n{line}").into());
    let mut trace = trace(text);
    assert!(trace.next().expect("a first batch").is_ok());
    let error = trace.next().expect("an error").expect_err(line).to_string();
    assert!(error.starts_with("orders.jsonl, line 2: ") && error.contains(because), "{error}");
    assert!(trace.next().is_none(), "nothing follows an error");
}

#[test]
fn a_wrong_line_is_named_with_its_reason() {
    refused("{\"key\":\"a\"", "from column 10 on: EOF");
    refused("{\"key\":1,\"value\":\"x\"}", "invalid type: integer");
    refused("{\"value\":\"x\"}", "missing field `key`");
    refused("{\"key\":\"a\"}", "\"value\" is missing");
    refused("{\"op\":\"put\",\"key\":\"a\",\"value\":null}", "a put has a \"value\"");
    refused("{\"op\":\"get\",\"key\":\"a\",\"value\":\"x\"}", "a get has no value");
    refused("{\"op\":\"range\",\"key\":\"a\"}", "a range has \"rows\"");
    refused("{\"key\":\"a\",\"value\":\"x\",\"rows\":3}", "of a range alone");
    refused("{\"op\":\"upsert\",\"key\":\"a\",\"value\":\"x\"}", "put, delete, get or range");
    refused("{\"key\":\"a\",\"value\":\"x\"} trailing", "trailing characters");
    refused("[1]", "it is no operation");
}

#[test]
fn a_compressed_trace_is_read_and_a_missing_one_is_named() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("orders.jsonl.zst");
    let plain = b"{\"key\":\"a\",\"value\":\"1\"}\n";
    let compressed = zstd::stream::encode_all(plain.as_slice(), 1).expect("zstd compresses");
    std::fs::write(&path, compressed).expect("the disk is fine");
    let batches: Vec<_> =
        Trace::open(&path).expect("it is there").collect::<Result<_>>().expect("it is a trace");
    assert_eq!(batches, [vec![put("a", "1")]]);
    let error = Trace::open(&directory.path().join("none")).expect_err("it is not there");
    assert!(error.to_string().contains("could not open the trace"), "{error}");
}
