use super::*;

#[test]
fn a_list_of_keys_is_read_line_by_line() {
    for (list, expected) in [("a\nb/1\n", vec!["a", "b/1"]), (" a ", vec![" a "])] {
        let keys = keys_of(list.as_bytes(), "list").expect("it is right");
        assert_eq!(keys, expected.iter().map(|key| key.as_bytes()).collect::<Vec<_>>());
    }
    for (list, says) in [
        ("", "list lists no keys"),
        ("a\n\nb\n", "list, line 2: the line is empty"),
        ("a\nb\r\n", "list, line 2: the line ends with a carriage return"),
    ] {
        let refused = keys_of(list.as_bytes(), "list").expect_err(says);
        assert!(refused.to_string().starts_with(says), "{refused}");
    }
}
