//! What is written is what is read, and the manifest's entry states it exactly.

use proptest::prelude::*;

use super::*;
use crate::KeyRange;
use crate::manifest::{Scope, TableEntry};

/// Keys that are empty, that share prefixes, that sort by bytes above 127, or that are long.
fn any_key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(prop_oneof![Just(0), Just(b'a'), Just(0xff)], 0..4),
        prop::collection::vec(any::<u8>(), 0..12),
        (60_usize..200, any::<u8>()).prop_map(|(length, last)| {
            let mut key = vec![0xff; length];
            key.push(last);
            key
        }),
    ]
}

/// A delete, an empty value, or a value.
fn any_value() -> impl Strategy<Value = Option<Vec<u8>>> {
    prop_oneof![
        Just(None),
        Just(Some(Vec::new())),
        prop::collection::vec(any::<u8>(), 1..300).prop_map(Some),
    ]
}

fn any_rows() -> impl Strategy<Value = Rows> {
    let position = (prop_oneof![0..4_u64, Just(TableId::MAX.0)], any_key(), 10..60_u64);
    prop::collection::vec((position, any_value()), 0..200).prop_map(|rows| {
        rows.into_iter()
            .map(|((table, key, seq), value)| ((table, key, Reverse(seq)), value))
            .collect()
    })
}

/// What the entry must say of each table, found the slow way.
fn expected_tables(rows: &Rows, tail: &HistoryTail) -> Vec<TableEntry> {
    let mut tables: Vec<u64> = rows.keys().map(|(table, ..)| *table).collect();
    tables.dedup();
    let expected = |table: u64| {
        let keys = || rows.keys().filter(move |(of, ..)| *of == table);
        let seqs = || keys().map(|(_, _, Reverse(seq))| Seq(*seq));
        let groups = || tail.row_groups().iter().filter(move |group| group.table.0 == table);
        let key =
            |of: Option<&(u64, Vec<u8>, Reverse<u64>)>| of.map(|(_, key, _)| key.clone().into());
        let seq_min = seqs().min().expect("the table has a row");
        let seq_max = seqs().max().expect("the table has a row");
        TableEntry {
            table: TableId(table),
            rows: u64::try_from(keys().count()).expect("rows are few"),
            row_group_first: groups().next().expect("the table has a row group").index,
            row_group_last: groups().last().expect("the table has a row group").index,
            bytes: groups().map(|group| group.bytes).sum(),
            seq_min,
            seq_max,
            timestamp_min: timestamp_of(seq_min),
            timestamp_max: timestamp_of(seq_max),
            key_min: key(keys().next()).expect("the table has a row"),
            key_max: key(keys().next_back()).expect("the table has a row"),
            cuts: Vec::new(),
        }
    };
    tables.into_iter().map(expected).collect()
}

fn check_entry(object: &HistoryObject, identity: &HistoryIdentity, rows: &Rows) {
    let entry = &object.entry;
    let tail = read_tail(object).expect("it is undamaged");
    assert_eq!(tail.identity(), identity);
    assert_eq!(entry.tables, expected_tables(rows, &tail));
    assert_eq!(entry.rows, u64::try_from(rows.len()).expect("rows are few"));
    assert_eq!(entry.bytes, u64::try_from(object.body.len()).expect("it is in memory"));
    assert_eq!(entry.blake3, blake3::hash(&object.body).to_hex().to_string());
    let covered = (entry.kind, entry.first, entry.last, entry.scope.clone());
    let HistoryIdentity { kind, first, last, scope, .. } = identity.clone();
    assert_eq!(covered, (kind, first, last, scope));
    let name = crate::names::parse_history(&entry.name).expect("the name is one of a history file");
    assert_eq!((name.kind, name.first, name.last), (kind, first.seq, last.seq));
}

fn check_round_trip(identity: &HistoryIdentity, rows: &Rows) -> HistoryObject {
    let object = write(identity, rows).expect("the rows are in order");
    assert_eq!(&read(&object).expect("it is undamaged"), rows);
    check_entry(&object, identity, rows);
    object
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_delta_gives_back_its_rows(rows in any_rows()) {
        check_round_trip(&delta(10, 59), &rows);
    }

    #[test]
    fn a_base_gives_back_its_rows(rows in any_rows()) {
        let mut newest = Rows::new();
        for ((table, key, seq), value) in rows {
            let kept = newest.keys().next_back().is_some_and(|(of, at, _)| (*of, at) == (table, &key));
            if value.is_some() && !kept {
                newest.insert((table, key, seq), value);
            }
        }
        check_round_trip(&base(59), &newest);
    }
}

#[test]
fn a_file_of_no_rows_has_its_commits() {
    let object = check_round_trip(&delta(3, 5000), &Rows::new());
    let tail = read_tail(&object).expect("it is undamaged");
    assert!(tail.row_groups().is_empty());
    check_round_trip(&base(9), &Rows::new());
}

#[test]
fn a_scope_is_kept() {
    for until in [None, Some(Bytes::from_static(b"\xff\x00z"))] {
        let keys = KeyRange { from: Bytes::from_static(b"\x00k"), until };
        let scope = Some(Scope { table: TableId(4), keys });
        let rows = Rows::from([((4, b"k".to_vec(), Reverse(2)), Some(b"v".to_vec()))]);
        check_round_trip(&HistoryIdentity { scope, ..delta(1, 2) }, &rows);
    }
}

#[test]
fn the_same_rows_make_the_same_bytes() {
    let rows = Rows::from([((4, b"k".to_vec(), Reverse(2)), Some(b"v".to_vec()))]);
    let once = write(&delta(1, 2), &rows).expect("the rows are in order");
    let again = write(&delta(1, 2), &rows).expect("the rows are in order");
    assert_eq!(once.body, again.body);
    assert_ne!(once.entry.name, again.entry.name);
}

/// Writes a file of these rows, taking what is written after every row: what was taken, and the
/// rest.
fn write_taking(identity: &HistoryIdentity, rows: &Rows) -> (Vec<Bytes>, HistoryObject) {
    let mut writer = HistoryWriter::new(identity.clone(), 0).expect("parquet takes our schema");
    let name = writer.name().to_owned();
    let mut taken = Vec::new();
    for ((table, key, Reverse(seq)), value) in rows {
        let (table, seq) = (TableId(*table), Seq(*seq));
        let (timestamp, value) = (timestamp_of(seq), value.as_deref());
        writer.push(EventRow { table, key, seq, timestamp, value }).expect("rows are in order");
        taken.extend(writer.take_written());
    }
    let rest = writer.finish(commits_of(identity).as_ref()).expect("it is whole");
    assert_eq!(rest.entry.name, name);
    (taken, rest)
}

#[test]
fn what_is_taken_while_writing_is_the_file() {
    let rows: Rows = (0..12)
        .map(|seed| ((1 + seed / 9, vec![0, u8::try_from(seed).expect("few")], Reverse(5)), seed))
        .map(|(position, seed)| (position, Some(noise(seed, ROW_GROUP_BYTES_MAX / 3))))
        .collect();
    for (identity, takes_min) in [(delta(5, 6), 3), (base(5), 3)] {
        let (taken, rest) = write_taking(&identity, &rows);
        assert!(taken.len() >= takes_min, "it came in {} pieces", taken.len());
        assert!(taken.iter().all(|piece| piece.len() < 2 * ROW_GROUP_BYTES_MAX));
        let body: Vec<u8> = taken.iter().chain([&rest.body]).flatten().copied().collect();
        let joined = HistoryObject { body: body.into(), entry: rest.entry };
        assert_eq!(read(&joined).expect("it is undamaged"), rows);
        let whole = write(&identity, &rows).expect("the rows are in order");
        assert!(joined.body == whole.body, "the same rows are other bytes");
        let named_alike = HistoryEntry { name: joined.entry.name.clone(), ..whole.entry };
        assert_eq!(joined.entry, named_alike);
        assert_eq!(joined.entry.blake3, blake3::hash(&joined.body).to_hex().to_string());
    }
}
