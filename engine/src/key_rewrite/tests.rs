use super::*;

fn rewrite(prefix: &str, replacement: &str) -> KeyRewrite {
    KeyRewrite {
        prefix: Bytes::copy_from_slice(prefix.as_bytes()),
        replacement: Bytes::copy_from_slice(replacement.as_bytes()),
    }
}

#[test]
fn the_beginning_alone_is_replaced() {
    for (prefix, replacement, key, expected) in [
        ("eu/", "us/", "eu/eu/1", "us/eu/1"),
        ("eu/", "", "eu/1", "1"),
        ("", "old/", "1", "old/1"),
        ("eu/", "x", "eu/", "x"),
    ] {
        let got = rewrite(prefix, replacement).apply(key.as_bytes()).expect("it can be done");
        assert_eq!(got, expected.as_bytes());
    }
}

#[test]
fn a_key_that_can_be_no_key_is_refused_with_its_reason() {
    let long = "k".repeat(KEY_BYTES_MAX);
    for (prefix, replacement, key, reason) in [
        ("eu/", "", "eu/", "would be empty"),
        ("", "x", long.as_str(), "would have 4097 bytes"),
        ("eu/", "us/", "us/1", "would stay as it is"),
    ] {
        let refused = rewrite(prefix, replacement).apply(key.as_bytes());
        let Err(Error::Invalid(why)) = refused else { panic!("{refused:?}") };
        assert!(why.contains(reason), "{why}");
    }
}

#[test]
fn every_selected_key_must_begin_with_the_prefix() {
    let rewrite = rewrite("eu/", "us/");
    let inside = Selection::prefixes([b"eu/1".as_slice(), b"eu/2"])
        .or(Selection::keys([b"eu/".as_slice(), b"eu/9"]));
    rewrite.check(&inside).expect("they all do");
    rewrite.check(&Selection::prefixes([b"eu/".as_slice()])).expect("they all do");
    for outside in [
        Selection::all(),
        Selection::prefixes([b"eu".as_slice()]),
        inside.or(Selection::keys([b"us/1".as_slice()])),
    ] {
        assert!(matches!(rewrite.check(&outside), Err(Error::Invalid(_))), "{outside:?}");
    }
}
