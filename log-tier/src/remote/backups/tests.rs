use std::sync::Arc;

use super::*;
use crate::remote::FaultyStore;
use crate::{Seq, WriterId};

fn backup(name: &str) -> DetachedBackup {
    DetachedBackup {
        format: BACKUP_FORMAT,
        name: name.to_owned(),
        database: DatabaseId::random(),
        table: TableId(3),
        table_name: "orders".to_owned(),
        target: Commit { seq: Seq(7), timestamp: Timestamp(70) },
        made: Timestamp(80),
        reason: Some("before the release".to_owned()),
        previous: Some(previous(6)),
        written_bytes: Some(0),
        rows: 0,
        bytes: 0,
        files: Vec::new(),
    }
}

fn previous(seq: u64) -> PreviousBackup {
    let target = Commit { seq: Seq(seq), timestamp: Timestamp(70) };
    PreviousBackup { name: "before".to_owned(), target }
}

fn bucket() -> RemoteLog {
    RemoteLog::with_store(Arc::new(FaultyStore::in_memory()), "backups".to_owned())
}

#[tokio::test]
async fn a_list_is_created_once_and_read_back() {
    let (remote, first) = (bucket(), backup("first"));
    assert!(remote.create_backup(&first).await.expect("memory answers"));
    assert!(remote.create_backup(&first).await.expect("the same bytes are fine"));
    assert!(!remote.create_backup(&backup("first")).await.expect("memory answers"));
    assert_eq!(remote.backup("first").await.expect("it is sound"), Some(first));
    assert_eq!(remote.backup("second").await.expect("memory answers"), None);
    assert_eq!(remote.list_backups().await.expect("memory answers"), ["first"]);
}

#[test]
fn whatever_is_not_as_written_is_refused() {
    let written = backup("first");
    let (name, bytes) = (names::backup("first"), written.encode().expect("it is fit"));
    assert_eq!(DetachedBackup::decode(&name, &bytes).expect("it is sound"), written);
    for at in 0..bytes.len() {
        let mut damaged = bytes.to_vec();
        damaged[at] ^= 1;
        let decoded = DetachedBackup::decode(&name, &damaged);
        assert!(matches!(decoded, Err(Error::Corrupt { .. })), "byte {at}: {decoded:?}");
        assert!(DetachedBackup::decode(&name, &bytes[..at]).is_err(), "cut at {at}");
    }
    let other = DetachedBackup::decode(&names::backup("second"), &bytes);
    assert!(matches!(other, Err(Error::Corrupt { .. })), "{other:?}");
    let text = String::from_utf8(bytes.to_vec()).expect("it is text");
    let later = text.replace("\"format\": 1", "\"format\": 2");
    let fields = later.split_at(later.find("  \"blake3\"").expect("its last line")).0;
    let checksum = blake3::hash(fields.as_bytes()).to_hex();
    let later = format!("{fields}  \"blake3\": \"{checksum}\"\n}}\n");
    let later = DetachedBackup::decode(&name, later.as_bytes());
    assert!(matches!(later, Err(Error::Unsupported(_))), "{later:?}");
}

#[test]
fn a_list_that_breaks_a_rule_is_not_written() {
    let sound = backup("first");
    let unfit = [
        DetachedBackup { rows: 1, ..sound.clone() },
        DetachedBackup { bytes: 1, ..sound.clone() },
        DetachedBackup { written_bytes: Some(1), ..sound.clone() },
        DetachedBackup { previous: Some(previous(8)), ..sound.clone() },
        DetachedBackup { format: 2, ..sound },
    ];
    for backup in unfit {
        assert!(matches!(backup.encode(), Err(Error::Corrupt { .. })), "{backup:?}");
    }
}

#[tokio::test]
async fn a_file_is_read_back_to_its_last_byte() {
    let remote = bucket();
    let kind = crate::history::FileKind::Base;
    let (first, last, born, unique) = (Seq(7), Seq(7), 1, WriterId::random());
    let name = names::history(names::HistoryName { kind, first, last, born, unique });
    let body = Bytes::from_static(b"what a file holds");
    remote.put_small(&name, body.clone()).await.expect("memory answers");
    let at = Commit { seq: Seq(7), timestamp: Timestamp(70) };
    let file = HistoryEntry {
        name,
        kind,
        first: at,
        last: at,
        until: None,
        scope: None,
        bytes: 17,
        rows: 0,
        blake3: blake3::hash(&body).to_hex().to_string(),
        tail_offset: 0,
        tail_blake3: String::new(),
        tables: Vec::new(),
    };
    remote.verify_history(&file).await.expect("it is as written");
    let longer = HistoryEntry { bytes: 18, ..file.clone() };
    let longer = remote.verify_history(&longer).await;
    assert!(matches!(longer, Err(Error::Corrupt { .. })), "{longer:?}");
    let other = HistoryEntry { blake3: "0".repeat(64), ..file };
    let other = remote.verify_history(&other).await;
    assert!(matches!(other, Err(Error::Corrupt { .. })), "{other:?}");
}
