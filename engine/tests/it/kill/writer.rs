//! The process that is killed: several threads write batches that their names decide.

use std::sync::Arc;

use foldback::{Commit, Config, Database, Seq, TableId, Timestamp, WriteBatch, WriteOptions};

use crate::support::Numbers;

/// The tables that every batch writes to.
pub(super) const TABLES: [&str; 2] = ["left", "right"];
/// Threads that write.
const THREADS: u64 = 4;
/// Writes that a thread may have under way.
const IN_FLIGHT: u64 = 3;
/// Keys that batches choose from; few, so that they are overwritten.
const KEYS: u64 = 60;
/// Keys of one batch, in each table.
const KEYS_PER_BATCH: usize = 5;
/// A thread asks for a seal after so many batches.
const BATCHES_PER_SEAL: u64 = 25;
/// First letters of the key that only one batch writes.
pub(super) const NAME_PREFIX: &[u8] = b"batch/";

/// Names a batch, and decides what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BatchName {
    pub(super) run: u64,
    pub(super) thread: u64,
    pub(super) number: u64,
}

/// What a batch does to its keys, the same in both tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) puts: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) deletes: Vec<Vec<u8>>,
}

impl BatchName {
    /// The key that only this batch writes.
    pub(super) fn key(self) -> Vec<u8> {
        let Self { run, thread, number } = self;
        format!("batch/{run}/{thread}/{number}").into_bytes()
    }

    /// The batch that wrote this key.
    pub(super) fn of_key(key: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(key).ok()?.strip_prefix("batch/")?;
        let numbers: Vec<u64> = text.split('/').map_while(|part| part.parse().ok()).collect();
        let [run, thread, number] = numbers[..] else { return None };
        Some(Self { run, thread, number })
    }

    pub(super) fn content(self) -> Content {
        let seed = (self.run << 40) ^ (self.thread << 32) ^ self.number;
        let mut numbers = Numbers(seed);
        let length = 8 + numbers.index(400);
        let mut value = self.key();
        value.resize(value.len() + length, b'.');
        let mut content = Content { puts: vec![(self.key(), value.clone())], deletes: Vec::new() };
        let mut keys: Vec<_> = (0..KEYS_PER_BATCH).map(|_| numbers.below(KEYS)).collect();
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            let bytes = format!("key/{key}").into_bytes();
            match numbers.below(6) {
                0 => content.deletes.push(bytes),
                _ => content.puts.push((bytes, value.clone())),
            }
        }
        content
    }

    fn batch(self, tables: &[TableId]) -> WriteBatch {
        let content = self.content();
        let mut batch = WriteBatch::new();
        for table in tables {
            for (key, value) in &content.puts {
                batch.put(*table, key.clone(), value.clone());
            }
            for key in &content.deletes {
                batch.delete(*table, key.clone());
            }
        }
        batch
    }

    /// Tells whether writer and reader mean the same by a batch's name (FNV-1a).
    pub(super) fn checksum(self) -> u64 {
        let content = self.content();
        let puts = content.puts.iter().flat_map(|(key, value)| key.iter().chain(value));
        let bytes = puts.chain(content.deletes.iter().flatten());
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }
}

/// A batch that a writer was told is done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Acknowledged {
    pub(super) name: BatchName,
    pub(super) commit: Commit,
    pub(super) checksum: u64,
}

impl Acknowledged {
    fn print(self) {
        let BatchName { run, thread, number } = self.name;
        let Commit { seq, timestamp } = self.commit;
        println!("ack {run} {thread} {number} {seq} {} {} end", timestamp.0, self.checksum);
    }

    /// What a line of the writer says, unless it is cut or says something else. The test harness
    /// may have begun the line.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let (_, said) = line.split_once("ack ")?;
        let words: Vec<_> = said.strip_suffix(" end")?.split(' ').collect();
        let [run, thread, number, seq, timestamp, checksum] = words[..] else { return None };
        let number_of = |word: &str| word.parse::<u64>().ok();
        let (run, thread) = (number_of(run)?, number_of(thread)?);
        let name = BatchName { run, thread, number: number_of(number)? };
        let timestamp = Timestamp(timestamp.parse().ok()?);
        let commit = Commit { seq: Seq(number_of(seq)?), timestamp };
        Some(Self { name, commit, checksum: number_of(checksum)? })
    }
}

/// Writes, seals and tells of each commit as soon as it is acknowledged, for ever.
pub(super) fn write_until_killed(config: Config, run: u64) {
    let database = Database::open(config).expect("it opens after a kill");
    let table = |name: &&str| database.table(name).expect("the parent made it").id();
    let tables: Arc<[TableId]> = TABLES.iter().map(table).collect();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (database, tables) = (&database, Arc::clone(&tables));
            scope.spawn(move || write_batches(database, &tables, run, thread));
        }
    });
}

fn write_batches(database: &Database, tables: &[TableId], run: u64, thread: u64) {
    for round in 0.. {
        let names = (0..IN_FLIGHT).map(|at| {
            let number = round * IN_FLIGHT + at;
            BatchName { run, thread, number }
        });
        let options = WriteOptions::default;
        let print = |name: BatchName, commit: foldback::Result<Commit>| {
            let commit = commit.expect("it commits");
            Acknowledged { name, commit, checksum: name.checksum() }.print();
        };
        if thread.is_multiple_of(2) {
            let write = |name: BatchName| (name, database.write(name.batch(tables), options()));
            let under_way: Vec<_> = names.map(write).collect();
            under_way.into_iter().for_each(|(name, handle)| print(name, handle.wait()));
        } else {
            names.for_each(|name| print(name, database.commit(name.batch(tables), options())));
        }
        if thread == 0 && (round * IN_FLIGHT) % BATCHES_PER_SEAL < IN_FLIGHT {
            database.seal().expect("the bucket takes it");
        }
    }
}
