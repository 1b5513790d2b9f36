use foldback_log_tier::Timestamp;

use super::*;

fn commit(seq: u64) -> Commit {
    Commit { seq: Seq(seq), timestamp: Timestamp(1_000 * i64::try_from(seq).expect("small")) }
}

fn create(id: u64, name: &str) -> CatalogChange {
    CatalogChange::Create { id: TableId(id), name: name.to_owned(), lineage: None }
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
