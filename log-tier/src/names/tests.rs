//! Every name that is built is parsed back, and nothing else parses.

use proptest::prelude::*;

use super::*;

fn history_name() -> impl Strategy<Value = HistoryName> {
    let kind = prop_oneof![Just(FileKind::Delta), Just(FileKind::Base)];
    (kind, any::<[u64; 3]>(), any::<[u8; 8]>()).prop_map(|(kind, [first, last, born], unique)| {
        let unique = crate::ids::RandomId(unique);
        HistoryName { kind, first: Seq(first), last: Seq(last), born, unique }
    })
}

#[test]
fn names_are_these() {
    let kind = FileKind::Base;
    let unique = crate::ids::RandomId([0xab; 8]);
    let name = HistoryName { kind, first: Seq(7), last: Seq(7), born: 3, unique };
    assert_eq!(segment(Seq(42)), "00000000000000000042.segment");
    assert_eq!(removed(Seq(42)), "00000000000000000042.removed");
    assert_eq!(parse_removed(&removed(Seq(42))), Some(Seq(42)));
    assert_eq!(parse_removed("42.removed").or(parse_removed(&segment(Seq(42)))), None);
    assert_eq!(manifest(3), "manifest/00000000000000000003.json");
    assert_eq!(lease(unique), "lease/abababababababab.json");
    assert_eq!(backup("a.json"), "backups/a.json.json");
    assert_eq!(parse_backup(&backup("a.json")), Some("a.json"));
    for none in ["backups/.json", "backups/a", "backups/a/b.json", "backup/a.json", "a.json"] {
        assert_eq!(parse_backup(none), None, "{none}");
    }
    assert_eq!(clock(unique), "clock/abababababababab");
    assert_eq!(
        history(name),
        concat!(
            "history/base-00000000000000000007-00000000000000000007-00000000000000000003-",
            "abababababababab.parquet"
        )
    );
}

#[test]
fn what_is_no_name_does_not_parse() {
    for name in [
        "",
        SEGMENT_DRAFT,
        "42.segment",
        "00000000000000000042",
        "00000000000000000042.segment.bak",
        "+0000000000000000042.segment",
        "99999999999999999999.segment",
        "manifest/00000000000000000042.segment",
    ] {
        assert_eq!(parse_segment(name), None, "{name}");
    }
    for name in ["manifest", "manifest/3.json", "00000000000000000003.json", "manifest//3.json"] {
        assert_eq!(parse_manifest(name), None, "{name}");
    }
    for name in [
        "lease/ababababababab.json",
        "lease/ABABABABABABABAB.json",
        "lease/abababababababab",
        "abababababababab.json",
        "clock/abababababababab.json",
        "lease/x/abababababababab.json",
    ] {
        assert_eq!(parse_lease(name), None, "{name}");
    }
    let sound = concat!(
        "history/delta-00000000000000000001-00000000000000000002-00000000000000000003-",
        "abababababababab.parquet"
    );
    assert!(parse_history(sound).is_some());
    for (from, to) in [
        ("delta", "other"),
        ("history/", ""),
        (".parquet", ""),
        (".parquet", "-1.parquet"),
        ("abab", "ABAB"),
        ("-00000000000000000002", ""),
    ] {
        assert_eq!(parse_history(&sound.replacen(from, to, 1)), None, "{from} as {to}");
    }
}

proptest! {
    #[test]
    fn numbers_come_back_and_sort(left: u64, right: u64) {
        prop_assert_eq!(parse_segment(&segment(Seq(left))), Some(Seq(left)));
        prop_assert_eq!(parse_manifest(&manifest(left)), Some(left));
        prop_assert_eq!(segment(Seq(left)).cmp(&segment(Seq(right))), left.cmp(&right));
        prop_assert_eq!(manifest(left).cmp(&manifest(right)), left.cmp(&right));
    }

    #[test]
    fn lease_names_come_back(unique: [u8; 8]) {
        let unique = crate::ids::RandomId(unique);
        prop_assert_eq!(parse_lease(&lease(unique)), Some(unique));
    }

    #[test]
    fn history_names_come_back(name in history_name()) {
        prop_assert_eq!(parse_history(&history(name)), Some(name));
    }

    #[test]
    fn a_name_that_parses_is_the_one_that_is_built(
        name in history_name(),
        at: prop::sample::Index,
        byte in 32u8..127,
    ) {
        let mut text = history(name).into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        let text = String::from_utf8(text).expect("ASCII");
        if let Some(parsed) = parse_history(&text) {
            prop_assert_eq!(history(parsed), text);
        }
    }
}
