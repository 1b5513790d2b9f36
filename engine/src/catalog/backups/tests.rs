use foldback_log_tier::Timestamp;

use super::super::{CatalogChange, Retention};
use super::*;

const TABLE: TableId = TableId(1);

fn commit(seq: u64) -> Commit {
    Commit { seq: Seq(seq), timestamp: Timestamp(1_000 * i64::try_from(seq).expect("small")) }
}

fn create(name: &str, at: u64) -> BackupChange {
    let (name, table, target) = (name.to_owned(), TABLE, commit(at));
    let (empty_since, reason, schedule) = (Seq(2), None, None);
    let backup = NewBackup { name, table, target, empty_since, reason, schedule };
    BackupChange::Create { backup, sealed: Seq(at) }
}

fn with_table() -> Catalog {
    let mut catalog = Catalog::default();
    let create = CatalogChange::Create { id: TABLE, name: "orders".to_owned() };
    catalog.apply(create, commit(1)).expect("the name is free");
    let (id, retention, starts_empty) = (TABLE, Retention::default(), true);
    let protect = CatalogChange::Protect { id, retention, starts_empty };
    catalog.apply(protect, commit(2)).expect("it is not protected");
    catalog
}

fn pinned(catalog: &Catalog, sealed: u64) -> Vec<u64> {
    catalog.pins(Seq(sealed)).into_iter().map(|pin| pin.at.0).collect()
}

#[test]
fn a_name_is_free_again_once_its_backup_was_deleted_and_the_pin_stays_until_that_is_sealed() {
    let mut catalog = with_table();
    catalog.change_backups(create("first", 3), commit(4)).expect("the name is free");
    let again = catalog.change_backups(create("first", 4), commit(5));
    assert!(matches!(again, Err(Error::BackupExists { .. })), "{again:?}");
    let delete = BackupChange::Delete { created: Seq(4), sealed: Seq(3) };
    catalog.change_backups(delete, commit(5)).expect("it is there");
    assert!(catalog.backup_by_name("first").is_err());
    assert_eq!((pinned(&catalog, 4), pinned(&catalog, 5)), (vec![3], vec![]));
    catalog.change_backups(create("first", 4), commit(6)).expect("the name is free");
    assert_eq!((pinned(&catalog, 4), pinned(&catalog, 6)), (vec![3, 4], vec![4]));
}

#[test]
fn the_record_of_a_deleted_backup_goes_once_the_bucket_knows() {
    let mut catalog = with_table();
    let mut events = Vec::new();
    events.extend(catalog.change_backups(create("first", 3), commit(4)).expect("it is free"));
    let delete = BackupChange::Delete { created: Seq(4), sealed: Seq(4) };
    events.extend(catalog.change_backups(delete, commit(5)).expect("it is there"));
    events.extend(catalog.change_backups(create("second", 5), commit(6)).expect("it is free"));
    let deletes = events.iter().filter(|event| event.change == Change::Delete);
    assert_eq!(deletes.count(), 1);
    assert_eq!(catalog.backups.len(), 1);
    let mut folded = with_table();
    for event in &events {
        folded.absorb(&event.key, &event.change).expect("what was written can be read");
    }
    assert_eq!(folded.backups, catalog.backups);
}

#[test]
fn what_cannot_be_kept_is_refused_and_changes_nothing() {
    let mut catalog = with_table();
    let before = catalog.backups.clone();
    let early = catalog.change_backups(create("early", 1), commit(4));
    assert!(matches!(early, Err(Error::NotProtected { .. })), "{early:?}");
    let unnamed = catalog.change_backups(create("", 3), commit(4));
    assert!(matches!(unnamed, Err(Error::Invalid(_))), "{unnamed:?}");
    let confirm = catalog.change_backups(BackupChange::Confirm { created: Seq(9) }, commit(4));
    assert!(matches!(confirm, Err(Error::BackupNotFound { .. })), "{confirm:?}");
    assert_eq!(catalog.backups, before);
}
