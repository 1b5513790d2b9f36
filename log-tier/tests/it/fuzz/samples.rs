//! Sound inputs to start from: the golden files, and files like them of random content.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use bytes::Bytes;
use foldback_log_tier::history::{
    CommitIndex, FileKind, HistoryIdentity, HistoryObject, HistoryWriter,
};
use foldback_log_tier::ids::RandomId;
use foldback_log_tier::manifest::{Manifest, Scope};
use foldback_log_tier::{
    Batch, Change, Commit, CommittedBatch, DatabaseId, Event, EventRow, KeyRange, Seq, TableId,
    Timestamp,
};

use super::numbers::Numbers;
use crate::golden::contents::{
    ACTIVE_SEGMENT, BASE_OF_A, DATABASE, DELTA, MANIFEST, MANIFEST_NUMBER, SEALED_SEGMENT,
    all_commits, object_name,
};
use crate::golden::layout::{SegmentLayout, salt_of};
use crate::golden::{self, testdata};

/// Files of one database, and what they hold.
pub(crate) struct Sample {
    pub(crate) database: DatabaseId,
    pub(crate) sealed: SegmentLayout,
    pub(crate) active: SegmentLayout,
    pub(crate) objects: Vec<HistoryObject>,
    pub(crate) index: CommitIndex,
    pub(crate) manifest: Manifest,
}

/// Rows by (table, key, newest first).
type Rows = BTreeMap<(TableId, Bytes, Reverse<Seq>), (Timestamp, Option<Bytes>)>;

impl Sample {
    /// The golden files.
    pub(crate) fn golden() -> Self {
        let v1 = testdata().join("v1");
        let salts = [SEALED_SEGMENT, ACTIVE_SEGMENT].map(|path| salt_of(&golden::read(&v1, path)));
        let [sealed, active] = golden::layouts(salts);
        let manifest = Manifest::decode(&object_name(MANIFEST), &golden::read(&v1, MANIFEST));
        let manifest = manifest.expect("it is sound");
        let bodies = [DELTA, BASE_OF_A].map(|path| Bytes::from(golden::read(&v1, path)));
        let objects = bodies.into_iter().zip(manifest.files.clone());
        let objects = objects.map(|(body, entry)| HistoryObject { body, entry }).collect();
        let index = index_of(&all_commits());
        Self { database: DATABASE, sealed, active, objects, index, manifest }
    }

    /// Files of random content. No two samples have the same database, salt or manifest number, so
    /// no file of one is sound in the place of another's.
    pub(crate) fn fresh(number: u64, numbers: &mut Numbers) -> Self {
        let mut id = [0; 16];
        id.copy_from_slice(&numbers.bytes(16));
        let database = RandomId(id);
        let before = Commit {
            seq: Seq(numbers.draw() % 1_000),
            timestamp: Timestamp(numbers.draw().cast_signed() / 4),
        };
        let commits = commits_after(before, numbers);
        let (first, rest) = commits.split_at(1 + numbers.below(commits.len() - 1));
        let sealed = SegmentLayout {
            database,
            salt: numbers.draw(),
            before,
            previous: Seq::ZERO,
            groups: groups_of(first, numbers),
            active_bytes: None,
        };
        let active = active_after(&sealed, rest, numbers);
        let objects = vec![delta_of(database, &commits), base_of(database, &commits)];
        let last = commits[commits.len() - 1].commit;
        let manifest = Manifest {
            database,
            number: MANIFEST_NUMBER + number,
            epoch: 1 + numbers.draw() % 5,
            published: Timestamp(numbers.draw().cast_signed()),
            sealed: last,
            files: objects.iter().map(|object| object.entry.clone()).collect(),
            ..Manifest { format: 1, ..Manifest::empty(database) }
        };
        let index = index_of(&commits);
        Self { database, sealed, active, objects, index, manifest }
    }

    /// Every commit of the log.
    pub(crate) fn commits(&self) -> Vec<CommittedBatch> {
        let groups = self.sealed.groups.iter().chain(&self.active.groups);
        groups.flatten().cloned().collect()
    }
}

fn commits_after(before: Commit, numbers: &mut Numbers) -> Vec<CommittedBatch> {
    let mut commit = before;
    let count = 2 + numbers.below(8);
    let commits = (0..count).map(|_| {
        let step = numbers.one_of(&[0, 1, 999, 3_600_000_000]);
        commit = Commit {
            seq: commit.seq.next(),
            timestamp: commit.timestamp.saturating_add_micros(step),
        };
        let keys: BTreeMap<_, _> =
            (0..numbers.below(6)).map(|_| ((table(numbers), key(numbers)), ())).collect();
        let events =
            keys.into_keys().map(|(table, key)| Event { table, key, change: change(numbers) });
        CommittedBatch { commit, batch: Batch { events: events.collect() } }
    });
    commits.collect()
}

fn table(numbers: &mut Numbers) -> TableId {
    numbers.one_of(&[TableId::CATALOG, TableId(1), TableId(2), TableId::MAX])
}

fn key(numbers: &mut Numbers) -> Bytes {
    let length = numbers.one_of(&[0, 1, 1, 5, 90]);
    let alphabet = numbers.one_of(&[b"ab".as_slice(), b"\x00\\\xff".as_slice()]);
    (0..length).map(|_| numbers.one_of(alphabet)).collect()
}

fn change(numbers: &mut Numbers) -> Change {
    let length = numbers.one_of(&[0, 4, 30, 150]);
    match numbers.below(4) {
        0 => Change::Delete,
        _ => Change::Put(numbers.bytes(length).into()),
    }
}

fn groups_of(commits: &[CommittedBatch], numbers: &mut Numbers) -> Vec<Vec<CommittedBatch>> {
    let mut groups = Vec::new();
    let mut rest = commits;
    while !rest.is_empty() {
        let (group, after) = rest.split_at(1 + numbers.below(rest.len()));
        groups.push(group.to_vec());
        rest = after;
    }
    groups
}

fn active_after(
    sealed: &SegmentLayout,
    commits: &[CommittedBatch],
    numbers: &mut Numbers,
) -> SegmentLayout {
    let before = sealed.groups.iter().flatten().last().expect("it has a commit").commit;
    let mut active = SegmentLayout {
        database: sealed.database,
        salt: numbers.draw(),
        before,
        previous: sealed.before.seq.next(),
        groups: groups_of(commits, numbers),
        active_bytes: None,
    };
    let room = 20 + numbers.below(300);
    active.active_bytes = u64::try_from(active.encode().len() + room).ok();
    active
}

fn index_of(commits: &[CommittedBatch]) -> CommitIndex {
    let mut index = CommitIndex::new();
    commits.iter().for_each(|committed| index.push(committed.commit));
    index
}

fn rows_of(commits: &[CommittedBatch]) -> Rows {
    let mut rows = Rows::new();
    for CommittedBatch { commit, batch } in commits {
        for Event { table, key, change } in &batch.events {
            let row = (*table, key.clone(), Reverse(commit.seq));
            rows.insert(row, (commit.timestamp, change.value().cloned()));
        }
    }
    rows
}

fn delta_of(database: DatabaseId, commits: &[CommittedBatch]) -> HistoryObject {
    let [first, last] =
        [&commits[0], &commits[commits.len() - 1]].map(|committed| committed.commit);
    let identity = HistoryIdentity { database, kind: FileKind::Delta, first, last, scope: None };
    write(identity, &rows_of(commits), Some(&index_of(commits)))
}

/// The newest puts of the keys of table 1 that begin with `a`.
fn base_of(database: DatabaseId, commits: &[CommittedBatch]) -> HistoryObject {
    let at = commits[commits.len() - 1].commit;
    let scope = Scope { table: TableId(1), keys: KeyRange::prefix(b"a") };
    let mut seen = None;
    let mut rows = rows_of(commits);
    rows.retain(|(table, key, _), (_, value)| {
        let is_newest = seen.replace((*table, key.clone())) != Some((*table, key.clone()));
        is_newest && value.is_some() && *table == scope.table && scope.keys.contains(key)
    });
    let kind = FileKind::Base;
    write(HistoryIdentity { database, kind, first: at, last: at, scope: Some(scope) }, &rows, None)
}

fn write(identity: HistoryIdentity, rows: &Rows, index: Option<&CommitIndex>) -> HistoryObject {
    let mut writer = HistoryWriter::new(identity, 0).expect("parquet takes our schema");
    for ((table, key, Reverse(seq)), (timestamp, value)) in rows {
        let (table, seq, timestamp, value) = (*table, *seq, *timestamp, value.as_deref());
        writer.push(EventRow { table, key, seq, timestamp, value }).expect("the rows are few");
    }
    let mut object = writer.finish(index).expect("it is written");
    // The writer draws the end of the name; it must be the same for the same seed.
    let at = object.entry.name.len() - "0123456789abcdef.parquet".len();
    object.entry.name.replace_range(at.., "00000000000000f0.parquet");
    object
}
