use foldback_log_tier::{Change, Timestamp};

use super::*;

fn commit(seq: u64) -> Commit {
    Commit { seq: Seq(seq), timestamp: Timestamp(1_000 * i64::try_from(seq).expect("small")) }
}

fn create(id: u64, name: &str) -> CatalogChange {
    CatalogChange::Create { id: TableId(id), name: name.to_owned() }
}

fn protect(id: u64) -> CatalogChange {
    let retention = Retention::default();
    CatalogChange::Protect { id: TableId(id), retention, starts_empty: true }
}

fn with_tables(names: &[&str]) -> Catalog {
    let mut catalog = Catalog::default();
    for (name, id) in names.iter().zip(1..) {
        catalog.apply(create(id, name), commit(id)).expect("the name is free");
    }
    catalog
}

#[test]
fn a_name_can_be_used_again_but_an_id_never() {
    let mut catalog = with_tables(&["orders"]);
    let again = catalog.apply(create(2, "orders"), commit(2));
    assert!(matches!(again, Err(Error::TableExists { .. })), "{again:?}");
    catalog.apply(CatalogChange::Drop { id: TableId(1) }, commit(2)).expect("it is live");
    assert_eq!(catalog.next_id(), TableId(2));
    catalog.apply(create(2, "orders"), commit(3)).expect("the name is free again");
    assert_eq!(catalog.by_name("orders").expect("it is live").id, TableId(2));
    assert!(!catalog.is_live(TableId(1)) && catalog.is_live(TableId(2)));
}

#[test]
fn names_that_cannot_be_typed_are_refused() {
    let longest = "x".repeat(NAME_BYTES_MAX);
    for good in ["a", "_a", "a-b.c_9", "9", longest.as_str()] {
        check_name("a table", good).expect(good);
    }
    let too_long = "x".repeat(NAME_BYTES_MAX + 1);
    for bad in ["", "-a", ".", "a b", "a/b", "tabl\u{e9}", "a\n", too_long.as_str()] {
        assert!(matches!(check_name("a table", bad), Err(Error::Invalid(_))), "{bad:?}");
    }
}

#[test]
fn a_misspelt_name_gets_the_near_ones() {
    let catalog = with_tables(&["orders", "order-lines", "customers"]);
    let Err(Error::TableNotFound { near, .. }) = catalog.by_name("ordres") else {
        panic!("there is no such table");
    };
    assert_eq!(near, ["orders"]);
}

#[test]
fn protection_is_a_list_of_intervals_with_gaps() {
    let mut catalog = with_tables(&["orders"]);
    catalog.apply(protect(1), commit(5)).expect("it is not protected");
    let twice = catalog.apply(protect(1), commit(6));
    assert!(matches!(twice, Err(Error::AlreadyProtected { .. })), "{twice:?}");
    catalog.apply(CatalogChange::Unprotect { id: TableId(1) }, commit(8)).expect("protected");
    catalog.apply(protect(1), commit(10)).expect("it is not protected any more");
    let kept: Vec<u64> = (1..12).filter(|seq| catalog.keeps(TableId(1), Seq(*seq))).collect();
    assert_eq!(kept, [5, 6, 7, 10, 11]);
    assert!(catalog.keeps(TableId::CATALOG, Seq(1)));
}

#[test]
fn the_catalog_is_the_fold_of_its_events() {
    let mut catalog = Catalog::default();
    let mut folded = Catalog::default();
    let changes = [
        create(1, "a"),
        create(2, "b"),
        protect(2),
        CatalogChange::Drop { id: TableId(1) },
        create(3, "a"),
        CatalogChange::Drop { id: TableId(2) },
    ];
    for (change, seq) in changes.into_iter().zip(1..) {
        for event in catalog.apply(change, commit(seq)).expect("each change is sound") {
            folded.absorb(&event.key, &event.change).expect("what was written can be read");
        }
        assert_eq!(folded.tables, catalog.tables);
        assert_eq!(folded.live, catalog.live);
    }
    assert!(folded.absorb(b"table/1", &Change::Delete).is_err());
}

/// The record of a restore that came to nothing.
fn failed(reason: &str) -> RestoreRecord {
    RestoreRecord {
        id: 0,
        source: TableId(1),
        source_name: "orders".to_owned(),
        database: None,
        target: commit(1),
        into: RestoredInto::File("orders.csv".to_owned()),
        by: None,
        reason: None,
        started: Timestamp(1),
        ended: Timestamp(1),
        outcome: RestoreOutcome::Failed(reason.to_owned()),
        estimate: RestoreEstimate::default(),
        actual: RestoreActual::default(),
    }
}

#[test]
fn the_restore_log_keeps_its_newest_records_and_reads_back_as_it_was() {
    let (mut catalog, mut read) = (with_tables(&["orders"]), with_tables(&["orders"]));
    let mut deleted = 0;
    for at in 0..600 {
        let records = vec![failed(&format!("{at}a")), failed(&format!("{at}b"))];
        let change = CatalogChange::Restore { tables: Vec::new(), records };
        for event in catalog.apply(change, commit(2 + at)).expect("it names no table") {
            deleted += usize::from(event.change == Change::Delete);
            read.absorb(&event.key, &event.change).expect("it was just written");
        }
    }
    let records: Vec<_> = catalog.restores().cloned().collect();
    assert_eq!((records.len(), deleted), (restores::RECORDS_MAX, 200));
    assert_eq!((records[0].id, records[0].ended), (1_200, commit(601).timestamp));
    assert_eq!(records[0].outcome, RestoreOutcome::Failed("599b".to_owned()));
    assert_eq!(records.last().map(|record| record.id), Some(201));
    assert_eq!(read.restores().cloned().collect::<Vec<_>>(), records);
}

/// A commit has one event a key, however many records it brings.
#[test]
fn more_records_at_once_than_the_log_keeps_are_one_event_each() {
    let mut catalog = with_tables(&["orders"]);
    let max = restores::RECORDS_MAX;
    let mut next_id = 1;
    for (at, count) in (2..).zip([3, max - 3, 1, max, max + 700, 2]) {
        let records = (0..count).map(|number| failed(&number.to_string())).collect();
        let change = CatalogChange::Restore { tables: Vec::new(), records };
        let events = catalog.apply(change, commit(at)).expect("it names no table");
        let keys: std::collections::BTreeSet<_> = events.iter().map(|event| &event.key).collect();
        assert_eq!(keys.len(), events.len(), "{count} at once");
        next_id += u64::try_from(count.min(max)).expect("it is small");
        let newest = catalog.restores().next().expect("there are some");
        assert_eq!((newest.id, catalog.restores().count() <= max), (next_id - 1, true));
        assert_eq!(newest.outcome, RestoreOutcome::Failed((count - 1).to_string()));
    }
}

#[test]
fn damaged_records_of_restores_are_told_by_their_key() {
    let mut catalog = Catalog::default();
    let event = failed("why").to_event();
    let value = event.change.value().expect("it is a put").clone();
    let other = Change::Put(value.clone());
    for (key, change) in [
        ("restore/00000000000000000001", other),
        ("restore/00000000000000000000", Change::Put(value.slice(1..))),
        ("restore/1", Change::Delete),
        ("restore/x", Change::Delete),
    ] {
        let error = catalog.absorb(key.as_bytes(), &change).expect_err(key);
        assert!(error.to_string().contains(key), "{error}");
    }
    assert_eq!(catalog.restores().count(), 0);
}
