use super::*;

#[test]
fn rates_are_bytes_with_a_unit() {
    for (text, bytes) in [("20MiB", 20 << 20), ("1B", 1), ("500KiB", 500 << 10), ("2GiB", 2 << 30)]
    {
        assert_eq!(parse_rate(text).expect(text).get(), bytes);
    }
    for text in ["", "20", "MiB", "0MiB", "-1MiB", "1.5MiB", "20MB", "20 MiB", "99999999999GiB"] {
        let refused = parse_rate(text).expect_err(text);
        assert!(refused.to_string().contains("as in 20MiB"), "{refused}");
    }
}

#[test]
fn shares_are_parts_of_a_whole() {
    assert_eq!(parse_share("1/30").expect("a share"), Share::new(1, 30).expect("a share"));
    for text in ["", "30", "1/", "/30", "1/30/2", "a/b", "0/30", "31/30", "1/0", "-1/30"] {
        let refused = parse_share(text).expect_err(text);
        assert!(refused.to_string().contains("1/30"), "{refused}");
    }
}
