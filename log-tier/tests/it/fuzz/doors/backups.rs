//! Lists of detached backups, also behind a right checksum.

use foldback_log_tier::history::FileKind;
use foldback_log_tier::manifest::HistoryEntry;
use foldback_log_tier::remote::{BACKUP_FORMAT, DetachedBackup, PreviousBackup};
use foldback_log_tier::{TableId, names};

use super::{Door, accepted};
use crate::fuzz::samples::Sample;
use crate::golden::damage::seal_manifest;

/// What all samples' backups are called.
const NAME: &str = "before-sale";

pub(super) fn doors(samples: &[Sample]) -> Vec<Door> {
    vec![backups(samples), backups_behind_right_checksums(samples)]
}

/// No list is accepted with other content than was written.
fn backups(samples: &[Sample]) -> Door {
    let sound: Vec<_> = samples.iter().map(backup).collect();
    let check = move |_, input: &[u8]| {
        accepted(DetachedBackup::decode(&names::backup(NAME), input)).is_some_and(|backup| {
            assert!(sound.contains(&backup), "{backup:?}");
            true
        })
    };
    let inputs = inputs(samples);
    Door { name: "backup", inputs_a_turn: 32, inputs, check: Box::new(check) }
}

/// Any list that its checksum vouches for is refused, or keeps the rules.
fn backups_behind_right_checksums(samples: &[Sample]) -> Door {
    let check = |_, input: &[u8]| {
        let (name, mut input) = (names::backup(NAME), input.to_vec());
        seal_manifest(&mut input);
        let Some(backup) = accepted(DetachedBackup::decode(&name, &input)) else { return false };
        let bytes = backup.encode().expect("it keeps the rules");
        assert_eq!(DetachedBackup::decode(&name, &bytes).expect("it was encoded"), backup);
        true
    };
    let inputs = inputs(samples);
    let name = "backup behind right checksums";
    Door { name, inputs_a_turn: 16, inputs, check: Box::new(check) }
}

fn inputs(samples: &[Sample]) -> Vec<Vec<u8>> {
    let encoded = samples.iter().map(|sample| backup(sample).encode());
    encoded.map(|bytes| bytes.expect("it keeps the rules").to_vec()).collect()
}

/// The bases of one commit that the sample's manifest lists, if it lists any.
fn backup(sample: &Sample) -> DetachedBackup {
    let manifest = &sample.manifest;
    let bases = || manifest.files.iter().filter(|file| file.kind == FileKind::Base);
    let table = bases().find_map(|base| base.scope.as_ref()).map(|scope| scope.table);
    let table = table.unwrap_or(TableId(1));
    let target = bases().find(|base| base.is_base_of(table)).map(|base| base.last);
    let target = target.unwrap_or(manifest.sealed);
    let is_own = |base: &&HistoryEntry| base.is_base_of(table) && base.last == target;
    let own = bases().filter(is_own).cloned();
    let files: Vec<_> = own.map(|base| HistoryEntry { until: None, ..base }).collect();
    DetachedBackup {
        format: BACKUP_FORMAT,
        name: NAME.to_owned(),
        database: manifest.database,
        table,
        table_name: "orders".to_owned(),
        target,
        made: manifest.published,
        reason: Some("before the sale".to_owned()),
        previous: Some(PreviousBackup { name: "before".to_owned(), target }),
        written_bytes: Some(0),
        rows: files.iter().map(|file| file.rows).sum(),
        bytes: files.iter().map(|file| file.bytes).sum(),
        files,
    }
}
