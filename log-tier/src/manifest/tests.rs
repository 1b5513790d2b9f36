//! Manifests as bytes: round trips, damage, later formats, and each rule broken once.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::names::{self, HistoryName};
use crate::{Error, Result};

const HASH: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn commit(seq: u64) -> Commit {
    let micros = i64::try_from(seq).expect("a small seq") * 1_000;
    Commit { seq: Seq(seq), timestamp: Timestamp(micros) }
}

fn table(table: u64, row_group: u32, first: Commit, last: Commit) -> TableEntry {
    TableEntry {
        table: TableId(table),
        rows: 2,
        row_group_first: row_group,
        row_group_last: row_group,
        bytes: 100,
        seq_min: first.seq,
        seq_max: last.seq,
        timestamp_min: first.timestamp,
        timestamp_max: last.timestamp,
        key_min: Bytes::from_static(b"a\"\\"),
        key_max: Bytes::from_static(b"\xffz"),
        cuts: Vec::new(),
    }
}

fn file(kind: FileKind, first: u64, last: u64) -> HistoryEntry {
    let name = HistoryName {
        kind,
        first: Seq(first),
        last: Seq(last),
        born: 0,
        unique: WriterId::random(),
    };
    let (first, last) = (commit(first), commit(last));
    HistoryEntry {
        name: names::history(name),
        kind,
        first,
        last,
        until: None,
        scope: None,
        bytes: 1_000,
        rows: 4,
        blake3: HASH.to_owned(),
        tail_offset: 900,
        tail_blake3: HASH.to_owned(),
        tables: vec![table(0, 0, first, last), table(7, 1, first, last)],
    }
}

fn manifest() -> Manifest {
    let keys = KeyRange { from: Bytes::new(), until: Some(Bytes::from_static(b"\xff\xff")) };
    let mut base = file(FileKind::Base, 10, 10);
    base.scope = Some(Scope { table: TableId(7), keys });
    base.tables = vec![table(7, 0, commit(3), commit(10))];
    base.rows = 2;
    Manifest {
        number: 3,
        epoch: 2,
        writer: WriterId::random(),
        published: Timestamp(1_234),
        sealed: commit(30),
        files: vec![base, file(FileKind::Delta, 1, 10), file(FileKind::Delta, 11, 30)],
        ..Manifest::empty(DatabaseId::random())
    }
}

fn verified(table: u64) -> Verified {
    Verified { table: TableId(table), at: commit(10), on: Timestamp(77) }
}

fn decode(bytes: &[u8]) -> Result<Manifest> {
    Manifest::decode(&names::manifest(3), bytes)
}

/// `fields`, a JSON document without its last brace, closed with the right checksum.
fn sealed(fields: &str) -> String {
    let fields = format!("{fields},\n");
    let checksum = blake3::hash(fields.as_bytes()).to_hex();
    format!("{fields}  \"blake3\": \"{checksum}\"\n}}\n")
}

#[test]
fn a_manifest_comes_back_as_it_was() {
    let manifest = manifest();
    let bytes = manifest.encode().expect("it keeps the rules");
    assert_eq!(decode(&bytes).expect("it was encoded"), manifest);
    let without_files = Manifest { files: Vec::new(), sealed: Commit::default(), ..manifest };
    let bytes = without_files.encode().expect("it keeps the rules");
    assert_eq!(decode(&bytes).expect("it was encoded"), without_files);
}

/// Manifests from before anything could be verified have no such field.
#[test]
fn what_was_verified_is_told_only_where_anything_was() {
    let plain = manifest();
    let bytes = plain.encode().expect("it keeps the rules");
    assert!(!String::from_utf8_lossy(&bytes).contains("verified"));
    let manifest = Manifest { verified: vec![verified(1), verified(7)], ..plain };
    let bytes = manifest.encode().expect("it keeps the rules");
    let decoded = decode(&bytes).expect("it was encoded");
    assert_eq!(decoded, manifest);
    assert_eq!(decoded.verified(TableId(7)), Some(&verified(7)));
    assert_eq!(decoded.verified(TableId(3)), None);
}

#[test]
fn it_is_json_for_people() {
    let bytes = manifest().encode().expect("it keeps the rules");
    let text = String::from_utf8(bytes.to_vec()).expect("JSON is UTF-8");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[..2], ["{", "  \"format\": 1,"]);
    assert!(text.contains(r#""key_min": "a\"\\x5c""#), "{text}");
    assert!(text.contains(r#""key_max": "\\xffz""#), "{text}");
    assert!(text.contains(r#""until": "\\xff\\xff""#), "{text}");
    assert!(lines[lines.len() - 2].starts_with("  \"blake3\": \""), "{text}");
    let json: serde_json::Value = serde_json::from_str(&text).expect("one JSON document");
    let before_the_line = text.rfind("  \"blake3\": \"").expect("it is the last field");
    let hash = blake3::hash(&text.as_bytes()[..before_the_line]).to_hex();
    assert_eq!(json["blake3"].as_str(), Some(hash.as_str()));
}

#[test]
fn any_flipped_bit_is_damage() {
    let bytes = manifest().encode().expect("it keeps the rules").to_vec();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            let answer = decode(&damaged);
            assert!(matches!(answer, Err(Error::Corrupt { .. })), "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn a_cut_or_extended_manifest_is_damage() {
    let bytes = manifest().encode().expect("it keeps the rules");
    for end in 0..bytes.len() {
        assert!(matches!(decode(&bytes[..end]), Err(Error::Corrupt { .. })), "cut to {end}");
    }
    let longer = [&bytes[..], b"\n"].concat();
    assert!(matches!(decode(&longer), Err(Error::Corrupt { .. })));
}

#[test]
fn damage_names_the_object_and_the_byte() {
    let fields = "{\n  \"format\": 1,\n  \"number\": oops";
    let error = decode(sealed(fields).as_bytes()).expect_err("it is not JSON");
    let Error::Corrupt { file, offset, .. } = &error else { panic!("{error}") };
    assert_eq!(file, &names::manifest(3));
    assert_eq!(fields.as_bytes()[usize::try_from(*offset).expect("small")], b'o', "{error}");
}

#[test]
fn a_later_format_asks_for_a_later_release() {
    let text = sealed("{\n  \"format\": 2,\n  \"novelty\": []");
    let error = decode(text.as_bytes()).expect_err("this release writes format 1");
    assert!(matches!(&error, Error::Unsupported(text) if text.contains("upgrade")), "{error}");
}

#[test]
fn an_unknown_field_is_refused() {
    let text = sealed("{\n  \"format\": 1,\n  \"novelty\": []");
    let error = decode(text.as_bytes()).expect_err("format 1 has no such field");
    assert!(matches!(&error, Error::Corrupt { reason, .. } if reason.contains("novelty")));
}

#[test]
fn a_manifest_under_another_number_is_refused() {
    let bytes = manifest().encode().expect("it keeps the rules");
    for name in [names::manifest(4), "manifest/3.json".to_owned()] {
        assert!(matches!(Manifest::decode(&name, &bytes), Err(Error::Corrupt { .. })), "{name}");
    }
}

#[test]
fn each_broken_rule_is_refused_on_both_sides() {
    let check = |rule: &str, break_it: &dyn Fn(&mut Manifest)| {
        let mut broken = manifest();
        break_it(&mut broken);
        let reason = broken.check().expect_err(rule);
        assert!(reason.contains(rule), "{rule:?} is not in {reason:?}");
        let refused = broken.encode().expect_err(rule);
        assert!(matches!(refused, Error::Corrupt { .. }), "{refused}");
        let json = serde_json::to_string_pretty(&broken).expect("text keys");
        let fields = json.strip_suffix("\n}").expect("pretty JSON ends so");
        let answer = Manifest::decode(&names::manifest(broken.number), sealed(fields).as_bytes());
        assert!(matches!(answer, Err(Error::Corrupt { .. })), "{rule}: {answer:?}");
    };
    check("its format is 0", &|m| m.format = 0);
    check("its number is 0", &|m| m.number = 0);
    check("its epoch is 0", &|m| m.epoch = 0);
    check("is not after commit", &|m| m.sealed = commit(29));
    check("two timestamps", &|m| m.sealed.timestamp = Timestamp(30_001));
    check("is listed twice", &|m| m.files.push(m.files[0].clone()));
    check("hold the same commits", &|m| m.files.push(file(FileKind::Delta, 30, 30)));
    check("not the name of a history file", &|m| m.files[1].name = "history/x".to_owned());
    check("its name does not say", &|m| m.files[1].last = commit(9));
    check("begins before the first commit", &|m| m.files[1] = file(FileKind::Delta, 0, 10));
    check("is not after commit", &|m| m.files[1].first.timestamp = Timestamp(10_001));
    check("so its first must be its last", &|m| m.files[0] = file(FileKind::Base, 9, 10));
    check("hex digits", &|m| m.files[1].blake3.make_ascii_uppercase());
    check("hex digits", &|m| m.files[1].tail_blake3.truncate(63));
    check("its tail begins at", &|m| m.files[1].tail_offset = 1_000);
    check("it has 5 rows", &|m| m.files[1].rows = 5);
    check("its tables have", &|m| m.files[1].tables[0].bytes = u64::MAX);
    check("not above the table before", &|m| m.files[1].tables[0].table = TableId(7));
    check("does not begin at row group", &|m| m.files[1].tables[1].row_group_first = 2);
    check("it has no rows", &|m| m.files[1].tables[0].rows = 0);
    check("too many row groups", &|m| {
        m.files[1].tables[0].row_group_last = u32::MAX;
        m.files[1].tables.truncate(1);
        m.files[1].rows = 2;
    });
    check("row groups 1 to 0", &|m| m.files[1].tables[1].row_group_last = 0);
    check("not all in the file", &|m| m.files[1].tables[0].seq_max = Seq(11));
    check("not all between", &|m| m.files[1].tables[0].timestamp_min = Timestamp(999));
    check("the greatest", &|m| m.files[1].tables[0].seq_min = Seq(12));
    check("least timestamp", &|m| m.files[1].tables[0].timestamp_max = Timestamp(0));
    check("least key", &|m| m.files[1].tables[0].key_max = Bytes::new());
    check("does not ascend by table", &|m| m.verified = vec![verified(7), verified(7)]);
    check("of what was verified", &|m| {
        m.verified = vec![Verified { at: commit(31), ..verified(7) }];
    });
    check("the scope is of table", &|m| m.files[0].tables[0].table = TableId(8));
    check("not all in the scope", &|m| {
        m.files[0].tables[0].key_max = Bytes::from_static(b"\xff\xff")
    });
}

#[test]
fn keys_have_one_text_each() {
    let check = |key: &[u8], text: &str| {
        assert_eq!(text::encode(key), text);
        assert_eq!(text::decode(text).expect(text), key);
    };
    check(b"", "");
    check(b"user/42 ~\"", "user/42 ~\"");
    check(b"a\\b", "a\\x5cb");
    check(b"\x00\x7f\xff\n", "\\x00\\x7f\\xff\\x0a");
    for wrong in ["\\", "\\x", "\\x0", "\\x0g", "\\x0A", "\\x41", "\\n", "\n", "é", "\\x5"] {
        assert!(text::decode(wrong).is_err(), "{wrong:?}");
    }
}

proptest! {
    #[test]
    fn any_key_comes_back(key in proptest::collection::vec(any::<u8>(), 0..64)) {
        let text = text::encode(&key);
        prop_assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        prop_assert_eq!(text::decode(&text).expect("it was encoded"), key);
    }

    #[test]
    fn any_text_is_refused_or_the_text_of_its_key(text in "[a-f0-9x\\\\ é]{0,16}") {
        if let Ok(key) = text::decode(&text) {
            prop_assert_eq!(text::encode(&key), text);
        }
    }

    #[test]
    fn any_keys_and_numbers_come_back(
        from in proptest::collection::vec(any::<u8>(), 0..8),
        more in proptest::collection::vec(any::<u8>(), 1..8),
        number in 1_u64..,
        published in any::<i64>(),
    ) {
        let mut manifest = manifest();
        let until = [&from[..], &more[..], &[0]].concat();
        let max = [&from[..], &more[..]].concat();
        manifest.number = number;
        manifest.published = Timestamp(published);
        let base = &mut manifest.files[0];
        base.tables[0].key_min = from.clone().into();
        base.tables[0].key_max = max.into();
        let keys = KeyRange { from: from.into(), until: Some(until.into()) };
        base.scope = Some(Scope { table: TableId(7), keys });
        let bytes = manifest.encode().expect("it keeps the rules");
        let decoded = Manifest::decode(&names::manifest(number), &bytes);
        prop_assert_eq!(decoded.expect("it was encoded"), manifest);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        prop_assert!(decode(&bytes).is_err());
    }

    /// With a right checksum, so that the reader behind it is met too.
    #[test]
    fn no_text_makes_it_panic(
        cut in 0_usize..4_000,
        put in "[\\[\\]{}\":,0-9a-z\\\\ ]{0,8}",
        skip in 0_usize..12,
    ) {
        let json = serde_json::to_string_pretty(&manifest()).expect("text keys");
        let begin = cut.min(json.len() - 2);
        let end = (begin + skip).min(json.len() - 2);
        let fields = [&json[..begin], &put, &json[end..json.len() - 2]].concat();
        if let Ok(decoded) = decode(sealed(&fields).as_bytes()) {
            prop_assert!(decoded.check().is_ok());
        }
    }
}
