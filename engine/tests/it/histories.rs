//! The real change histories of `FOLDBACK_HISTORIES`, folded at every row of their oracles.
//!
//! An oracle says of sampled commits what git itself says: how many keys there were, and the
//! digests of all references and of all contents. Every commit is written with its own time, and
//! every row is asked for at its instant; where its neighbour is known too, the edge between the
//! two is asked for from both sides. A third of the rows are restored into tables, the others are
//! read by their plans.

mod events;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use foldback::{
    Config, Database, KeyRange, ManualClock, Result, Retention, Row, Selection, Target, Timestamp,
    WriteBatch, WriteOptions,
};
use ring::digest::{Context, SHA256, digest};

use self::events::{Change, ChangeSet, change_sets};
use crate::support::fast_directory;

/// Writes that are under way at once: the log writer commits together all that wait.
const UNDER_WAY: usize = 512;
/// Of so many rows one is restored into a table.
const ROWS_PER_RESTORE: usize = 3;

/// The state of a history after one of its commits.
#[derive(Clone, Debug, PartialEq, Eq)]
struct OracleRow {
    commit: u64,
    instant: Timestamp,
    digests: Digests,
}

/// What an oracle says of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Digests {
    count: usize,
    refs: String,
    content: String,
}

#[test]
fn advisory_db_is_what_git_says_at_every_row_of_its_oracle() {
    check_history("rustsec-advisory-db", 64 * 1024 * 1024);
}

#[test]
fn scoop_main_is_what_git_says_at_every_row_of_its_oracle() {
    check_history("scoop-main", 4 * 1024 * 1024);
}

fn check_history(name: &str, segment_bytes_max: u64) {
    let rows = oracle(&file(name, "oracle.tsv"));
    assert!(rows.len() > 50, "{name} has {} rows", rows.len());
    let scratch = fast_directory();
    let mut config = Config::new(scratch.path());
    config.segment_bytes_max = segment_bytes_max;
    config.clock = Arc::new(ManualClock::new(Timestamp(i64::MAX / 2)));
    let database = Database::open(config).expect("it opens");
    replay(&database, &file(name, "events.jsonl.zst"));
    // Some of it lies in the bucket, the rest in the local log.
    check_rows(&database, name, &rows[rows.len() / 2..]);
    database.seal().expect("the bucket takes it");
    check_rows(&database, name, &rows);
    let present = database.table("main").expect("it is live");
    let present = present.range(&KeyRange::all()).expect("it is live");
    assert_eq!(digests(present), rows.last().expect("there are rows").digests, "the present");
}

/// Writes every change set as a commit of its own, at its own time.
fn replay(database: &Database, path: &Path) {
    let mut table = None;
    let mut under_way = std::collections::VecDeque::new();
    for ChangeSet { instant, changes } in change_sets(path) {
        let id = *table.get_or_insert_with(|| {
            let before = instant.saturating_add_micros(-1);
            let table = database.create_table_at("main", before).expect("it is new");
            database.protect_at("main", Retention::Forever, before).expect("it is new");
            table.id()
        });
        let mut batch = WriteBatch::new();
        for Change { key, value } in changes {
            match value {
                Some(value) => batch.put(id, key, value),
                None => batch.delete(id, key),
            }
        }
        let options = WriteOptions { timestamp: Some(instant), ..WriteOptions::default() };
        under_way.push_back((instant, database.write(batch, options)));
        if under_way.len() == UNDER_WAY {
            let (instant, handle) = under_way.pop_front().expect("some are under way");
            assert_eq!(handle.wait().expect("it commits").timestamp, instant);
        }
    }
    for (instant, handle) in under_way {
        assert_eq!(handle.wait().expect("it commits").timestamp, instant);
    }
}

fn check_rows(database: &Database, name: &str, rows: &[OracleRow]) {
    for (at, row) in rows.iter().enumerate() {
        let target = Target::At(row.instant);
        let found = match at % ROWS_PER_RESTORE {
            0 => restored(database, target),
            _ => planned(database, target),
        };
        assert_eq!(found, row.digests, "{name} at {target}, commit {}", row.commit);
        let before = at.checked_sub(1).map(|before| &rows[before]);
        if let Some(before) = before.filter(|before| before.commit + 1 == row.commit) {
            let just_before = row.instant.saturating_add_micros(-1);
            for target in [Target::At(just_before), Target::Before(row.instant)] {
                let found = planned(database, target);
                assert_eq!(found, before.digests, "{name} at {target}, commit {}", before.commit);
            }
        }
    }
}

fn planned(database: &Database, target: Target) -> Digests {
    let plan = database.plan("main", target, &Selection::all()).expect("it is restorable");
    digests(database.plan_rows(&plan).expect("the local log can be read"))
}

fn restored(database: &Database, target: Target) -> Digests {
    let plan = database.plan("main", target, &Selection::all()).expect("it is restorable");
    let restored = database.restore(&plan, "restored").expect("it restores");
    let table = database.table("restored").expect("it is live");
    let found = digests(table.range(&KeyRange::all()).expect("it is live"));
    assert_eq!(usize::try_from(restored.rows), Ok(found.count));
    database.drop_table("restored").expect("it is live");
    found
}

/// The digests of a state as the oracle computes them: references without their sizes, and
/// contents by their own digests.
fn digests(rows: impl Iterator<Item = Result<Row>>) -> Digests {
    let (mut refs, mut content, mut count) = (Context::new(&SHA256), Context::new(&SHA256), 0);
    for row in rows {
        let (key, value) = row.expect("the row can be read");
        let (reference, bytes) = events::parts(&value);
        let (mode_and_blob, _size) = reference.rsplit_once(' ').expect("mode, blob and size");
        let bytes = bytes.map_or("-".to_owned(), |bytes| hex(digest(&SHA256, bytes).as_ref()));
        for (context, text) in [(&mut refs, mode_and_blob), (&mut content, &bytes)] {
            context.update(&key);
            context.update(format!("\t{text}\n").as_bytes());
        }
        count += 1;
    }
    let [refs, content] = [refs, content].map(|context| hex(context.finish().as_ref()));
    Digests { count, refs, content }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("memory takes it");
        hex
    })
}

fn oracle(path: &Path) -> Vec<OracleRow> {
    let text = std::fs::read_to_string(path).expect("it is beside the events");
    let row = |line: &str| {
        let fields: Vec<_> = line.split('\t').collect();
        let [commit, _id, _own_time, micros, count, refs, content] = fields[..] else {
            panic!("{line:?} is no row of an oracle")
        };
        let count = count.parse().expect("a number");
        OracleRow {
            commit: commit.parse().expect("a number"),
            instant: Timestamp(micros.parse().expect("microseconds")),
            digests: Digests { count, refs: refs.to_owned(), content: content.to_owned() },
        }
    };
    text.lines().skip(1).map(row).collect()
}

/// A file of a history, by the end of its name.
fn file(name: &str, end: &str) -> PathBuf {
    let directory = std::env::var_os("FOLDBACK_HISTORIES").unwrap_or_else(|| {
        panic!(
            "FOLDBACK_HISTORIES is not set: run ./test, or set FOLDBACK_HISTORIES to the directory \
             of the real change histories; `-- --skip histories::` leaves these tests out"
        )
    });
    let path = Path::new(&directory).join(format!("{name}.{end}"));
    assert!(path.is_file(), "there is no {}", path.display());
    path
}
