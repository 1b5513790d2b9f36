//! A bucket, a log, and processes that die: what upkeep is tested in.
//!
//! Everything is real but the disk under the bucket and the clocks: the same log, seals, folds,
//! manifests and plans as in a database. A process is a publisher and an upkeep on a store of its
//! own, which fails on order, over one store that all processes share.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use foldback_compactor::{
    BaseIdentity, BaseWriter, Change, HistoryReader, Network, Pace, Policy, Publisher,
};
use foldback_log_tier::fs::OsFs;
use foldback_log_tier::local_log::{LocalLog, LocalLogOptions};
use foldback_log_tier::manifest::Manifest;
use foldback_log_tier::remote::{FaultyStore, ManualStoreTimes, RemoteLog};
use foldback_log_tier::{
    Batch, Change as EventChange, Commit, CommittedBatch, DatabaseId, Event, EventRow, KeyRange,
    Seq, TableId, Timestamp, WriterId,
};

use crate::catalog::{Catalog, CatalogChange};
use crate::clock::{Clock, ManualClock, steady_now};
use crate::past::{Past, PastMoment};
use crate::plan::{PlanInputs, plan};
use crate::reading::Places;
use crate::restore::PlanRows;
use crate::target::windows;
use crate::upkeep::{Accounts, Ground, Tools, Upkeep};
use crate::{RestorePlan, Result, Retention, Selection, TableRecord, Target, Window};

mod backups;

/// Keys and values of a table.
pub(super) type State = BTreeMap<Vec<u8>, Vec<u8>>;

/// A second, in microseconds.
pub(super) const SECOND: i64 = 1_000_000;
/// Where the clock stands at first.
const START: Timestamp = Timestamp(1_700_000_000_000_000);
/// So eager that small files are merged, folded, and cut by key.
pub(super) const EAGER: Policy = Policy {
    fold_ratio: 1.0,
    fold_bytes_min: 1,
    fold_files_max: 4,
    merge_fanout: 2,
    file_bytes_target: 6 * 1024,
    grace_micros: 60 * SECOND,
};

/// What outlives every process.
pub(super) struct World {
    store: Arc<FaultyStore>,
    times: ManualStoreTimes,
    pub(super) clock: Arc<ManualClock>,
    network: Arc<Network>,
    database: DatabaseId,
    log: LocalLog,
    catalog: Catalog,
    /// The state of each table after each commit.
    states: Vec<BTreeMap<TableId, State>>,
    /// The instant of each commit; of none, as before the first, there is the least.
    times_of: Vec<Timestamp>,
    /// The earliest instant that was ever seen of each window, by table and first commit.
    earliest: BTreeMap<(TableId, Seq), Timestamp>,
    _directory: tempfile::TempDir,
}

/// A process.
pub(super) struct Process {
    pub(super) store: Arc<FaultyStore>,
    pub(super) tools: Arc<Tools>,
    pub(super) upkeep: Upkeep,
}

impl World {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let clock = Arc::new(ManualClock::new(START));
        let store_clock = Arc::clone(&clock);
        let (database, options) = (DatabaseId::random(), LocalLogOptions::default());
        let opened =
            LocalLog::open(Arc::new(OsFs), directory.path(), database, Commit::ORIGIN, options);
        Self {
            store: Arc::new(FaultyStore::in_memory()),
            times: ManualStoreTimes::new(Arc::new(move || store_clock.now())),
            clock,
            network: Arc::new(Network::start().expect("threads")),
            database,
            log: opened.expect("an empty log").0,
            catalog: Catalog::default(),
            states: vec![BTreeMap::new()],
            times_of: vec![Timestamp::MIN],
            earliest: BTreeMap::new(),
            _directory: directory,
        }
    }

    /// Starts a process that publishes as the writer, or joins as a compactor.
    pub(super) fn start(&self, is_writer: bool, policy: Policy) -> Process {
        let inner = Arc::clone(&self.store);
        let store = Arc::new(FaultyStore::with_times(inner, self.times.clone()));
        let remote = RemoteLog::with_store(store.clone(), "world".to_owned());
        // Each process has threads of its own: one that stalls holds up no other.
        let network = Arc::new(Network::start().expect("threads"));
        let (asked, database) = (remote.clone(), self.database);
        let newest = network.run(async move { asked.newest_manifest().await }).expect("sound");
        let newest = newest.unwrap_or_else(|| Manifest::empty(database));
        let (writer, now, opening) = (WriterId::random(), self.clock.now(), remote.clone());
        let publisher = match is_writer {
            true => network
                .run(async move { Publisher::open_epoch(opening, newest, writer, now).await })
                .expect("nobody else opens it"),
            false => Publisher::joining(opening, newest, writer),
        };
        let tools = Arc::new(Tools {
            publisher: Arc::new(publisher),
            history: Arc::new(HistoryReader::new(remote, database)),
            network,
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            policy,
            accounts: Accounts::default(),
            pace: Arc::new(Pace::new(steady_now)),
        });
        Process { store, upkeep: Upkeep::new(Arc::clone(&tools)), tools }
    }

    fn next_commit(&self) -> Commit {
        let tip = self.log.tip();
        Commit { seq: tip.seq.next(), timestamp: self.clock.now().max(tip.timestamp) }
    }

    fn append(&mut self, commit: Commit, events: Vec<Event>) {
        let mut states = self.states.last().expect("there is a first").clone();
        for event in &events {
            let state = states.entry(event.table).or_default();
            match &event.change {
                EventChange::Put(value) => state.insert(event.key.to_vec(), value.to_vec()),
                EventChange::Delete => state.remove(event.key.as_ref()),
            };
        }
        self.states.push(states);
        self.times_of.push(commit.timestamp);
        let committed = CommittedBatch { commit, batch: Batch { events } };
        self.log.append(&[committed]).expect("the disk is fine");
    }

    pub(super) fn change_catalog(&mut self, change: CatalogChange) -> Result<()> {
        let commit = self.next_commit();
        let events = self.catalog.apply(change, commit)?;
        self.append(commit, events);
        Ok(())
    }

    /// Creates a table of this id.
    pub(super) fn create(&mut self, id: u64) {
        let (id, name) = (TableId(id), format!("t{id}"));
        let create = CatalogChange::Create { id, name };
        self.change_catalog(create).expect("the name is free");
    }

    /// Protects a table for so many seconds, or for ever; nothing if it is protected.
    pub(super) fn protect(&mut self, id: u64, secs: Option<u64>) {
        let retention = secs.map_or(Retention::Forever, Retention::Secs);
        let id = TableId(id);
        let state = self.states.last().expect("there is a first").get(&id);
        let starts_empty = state.is_none_or(State::is_empty);
        let _ = self.change_catalog(CatalogChange::Protect { id, retention, starts_empty });
    }

    pub(super) fn unprotect(&mut self, id: u64) {
        let _ = self.change_catalog(CatalogChange::Unprotect { id: TableId(id) });
    }

    /// Commits puts, and deletes where there is no value.
    pub(super) fn write(&mut self, table: u64, rows: &[(u8, Option<u8>)]) {
        let rows: BTreeMap<_, _> = rows.iter().copied().collect();
        let events = rows.into_iter().map(|(key, value)| Event {
            table: TableId(table),
            key: Bytes::from(format!("key/{key:03}")),
            change: match value {
                // Not to be shortened by compression: sizes decide on folds.
                Some(value) => EventChange::Put(noise(key, value).into()),
                None => EventChange::Delete,
            },
        });
        let (commit, events) = (self.next_commit(), events.collect());
        self.append(commit, events);
    }

    /// Seals all that is committed, and writes the first bases that are due, as `process`.
    pub(super) fn seal(&mut self, process: &Process) -> Result<()> {
        self.log.roll().expect("the disk is fine");
        let tools = &process.tools;
        tools.settle()?;
        for segment in self.log.segments().iter().filter(|info| info.sealed) {
            let sealed = tools.refresh()?.sealed.seq;
            if segment.last <= sealed {
                continue;
            }
            let keeps = |table, seq| self.catalog.keeps(table, seq);
            let reading = tools.reading(tools.making());
            let delta =
                foldback_compactor::seal(reading, &self.log.reader(), segment, sealed, &keeps)?;
            tools.publish(Change::Seal(delta))?;
        }
        self.write_bases(process)
    }

    fn write_bases(&self, process: &Process) -> Result<()> {
        let tools = &process.tools;
        let manifest = tools.publisher.newest();
        let at = manifest.sealed;
        for interval in self.catalog.intervals(at.seq) {
            let has_base = interval.bases(&manifest).next().is_some();
            if interval.starts_empty || has_base || interval.last.is_some() {
                continue;
            }
            let making = tools.making();
            let identity = BaseIdentity { table: interval.table, keys: KeyRange::all(), at };
            let mut base =
                BaseWriter::new(tools.reading(making), identity, tools.policy.file_bytes_target);
            let state = self.state(interval.table, at.seq);
            for (key, value) in &state {
                let Commit { seq, timestamp } = at;
                let table = interval.table;
                base.push(EventRow { table, key, seq, timestamp, value: Some(value) })?;
            }
            tools.publish(Change::Add(base.finish()?))?;
        }
        Ok(())
    }

    fn state(&self, table: TableId, seq: Seq) -> State {
        let at = usize::try_from(seq.0).expect("few commits");
        self.states[at].get(&table).cloned().unwrap_or_default()
    }

    /// Does upkeep until nothing is left to do.
    pub(super) fn keep_up(&self, process: &mut Process) -> Result<()> {
        process.upkeep.start_over();
        let mut jobs = 0;
        loop {
            process.tools.settle()?;
            let manifest = process.tools.refresh()?;
            let ground = Ground::new(manifest, &self.catalog);
            let Some(job) = process.upkeep.next(&ground) else { return Ok(()) };
            jobs += 1;
            assert!(jobs < 500, "upkeep goes on for ever with {job:?}");
            process.upkeep.run(job, &ground)?;
        }
    }

    /// Reads every window as a newly started reader does, and compares all its commits.
    pub(super) fn check(&mut self) {
        let remote = RemoteLog::with_store(self.store.clone(), "world".to_owned());
        let asked = remote.clone();
        let newest = self.network.run(async move { asked.newest_manifest().await });
        let Some(manifest) = newest.expect("the newest manifest is sound") else { return };
        let history = Arc::new(HistoryReader::new(remote, self.database));
        let records: Vec<_> = self.catalog.all().cloned().collect();
        for record in records {
            for window in windows(&record, &manifest, manifest.sealed, self.clock.now()) {
                self.check_earliest(&record, window.first, window.earliest);
                self.check_window(&record, &manifest, &history, &window);
                self.check_instants(&record, &manifest, &history, &window);
            }
            self.check_horizon(&record, &manifest);
        }
        self.check_backups(&manifest, &history);
    }

    /// Every commit of a window restores to what the table was.
    fn check_window(
        &self,
        record: &TableRecord,
        manifest: &Manifest,
        history: &Arc<HistoryReader>,
        window: &Window,
    ) {
        for seq in window.first.0..=window.last.min(manifest.sealed.seq).0 {
            let found = self.restored(record, manifest, history, Seq(seq));
            let expected = self.state(record.id, Seq(seq));
            assert_eq!(found, expected, "{} at #{seq}: {}", record.name, outline(manifest));
        }
    }

    /// Every instant of a window comes to the last commit that is stamped at it or before.
    fn check_instants(
        &self,
        record: &TableRecord,
        manifest: &Manifest,
        history: &Arc<HistoryReader>,
        window: &Window,
    ) {
        let places = Places { history, network: &self.network, log: None, leases: false };
        let (tip, now) = (manifest.sealed, self.clock.now().max(manifest.sealed.timestamp));
        let manifest = Arc::new(manifest.clone());
        let moment = PastMoment { segments: Arc::default(), manifest, tip, now };
        let past = Past { moment, places };
        let sealed = usize::try_from(tip.seq.0).expect("few commits");
        let stamped = &self.times_of[..=sealed];
        let near = |at: &Timestamp| [-1, 0, 1].map(|micros| at.saturating_add_micros(micros));
        let ends = [window.earliest, window.latest];
        // A reader of the bucket knows all about the instants before that of the last commit.
        let known = |at: &Timestamp| window.first <= tip.seq && *at < tip.timestamp;
        let within = |at: &Timestamp| (window.earliest..=window.latest).contains(at) && known(at);
        for at in stamped.iter().flat_map(near).chain(ends).filter(within) {
            let expected = stamped.partition_point(|stamped| *stamped <= at) - 1;
            let found = past.resolve(record, Target::At(at));
            let found =
                found.unwrap_or_else(|error| panic!("{error}: {}", outline(&past.moment.manifest)));
            let expected = Seq(u64::try_from(expected).expect("few commits"));
            assert_eq!(found.commit.seq, expected, "{at:?}: {}", outline(&past.moment.manifest));
            assert!(
                found.next.is_none_or(|next| next.seq == expected.next() && at < next.timestamp)
            );
        }
    }

    /// No window's earliest instant ever goes back.
    fn check_earliest(&mut self, record: &TableRecord, first: Seq, earliest: Timestamp) {
        let interval = record.protection.iter().find(|interval| interval.contains(first));
        let interval = interval.expect("a window lies in an interval").first.seq;
        let before = self.earliest.entry((record.id, interval)).or_insert(earliest);
        assert!(*before <= earliest, "the window of {} grew backwards", record.name);
        *before = earliest;
    }

    /// Every instant that the retention promises is in a window.
    fn check_horizon(&self, record: &TableRecord, manifest: &Manifest) {
        for interval in &record.protection {
            let kept = interval.kept(record.id);
            let horizon = kept.horizon(self.clock.now()).unwrap_or(Timestamp::MIN);
            let is_sealed = interval.first.seq < manifest.sealed.seq;
            let is_over = interval.last.is_some_and(|last| last.timestamp <= horizon);
            let awaits_base = !interval.starts_empty && kept.bases(manifest).next().is_none();
            if is_over || awaits_base || !is_sealed {
                continue;
            }
            let earliest = kept.earliest(manifest).expect("an interval that is not over");
            let first = kept.bases(manifest).map(|base| base.last).min();
            let begin = if interval.starts_empty { Some(interval.first) } else { first };
            let promised = begin.map(|begin| begin.timestamp.max(horizon));
            let floor = kept.floor(manifest).is_some();
            assert!(
                promised.is_some_and(|promised| earliest.timestamp <= promised) || floor,
                "{} is promised from {promised:?}, and kept from {earliest:?}",
                record.name
            );
            assert!(!floor || earliest.timestamp <= horizon, "{} lost {earliest:?}", record.name);
        }
    }

    fn restored(
        &self,
        record: &TableRecord,
        manifest: &Manifest,
        history: &Arc<HistoryReader>,
        seq: Seq,
    ) -> State {
        let interval = record.protection.iter().find(|interval| interval.contains(seq));
        let interval = interval.expect("the commit lies in a window").kept(record.id);
        let plan = plan(PlanInputs {
            manifest,
            segments: &[],
            table: record.id,
            table_name: &record.name,
            history_first: interval.first.seq,
            starts_empty: interval.starts_empty,
            earliest: interval.floor(manifest).map(|floor| floor.seq),
            target: Commit { seq, timestamp: Timestamp(0) },
            selection: &Selection::all(),
        });
        let plan = plan.unwrap_or_else(|error| panic!("{error}: {}", outline(manifest)));
        self.run(plan, manifest, history)
    }

    /// The rows of a plan.
    fn run(&self, plan: RestorePlan, manifest: &Manifest, history: &Arc<HistoryReader>) -> State {
        let places = Places { history, network: &self.network, log: None, leases: false };
        let rows = PlanRows::start(Cow::Owned(plan), places);
        let rows = rows.expect("it starts").map(|row| {
            let (key, value) = row.unwrap_or_else(|error| panic!("{error}: {}", outline(manifest)));
            (key.to_vec(), value.to_vec())
        });
        rows.collect()
    }

    /// The windows of a table, as a reader of the bucket is told.
    pub(super) fn windows(&self, table: u64) -> Vec<Window> {
        let manifest = self.manifest();
        let record = self.catalog.all().find(|record| record.id == TableId(table));
        let record = record.expect("the table is there");
        windows(record, &manifest, manifest.sealed, self.clock.now())
    }

    /// What a process decides on that has read the bucket now.
    pub(super) fn ground(&self) -> Ground {
        Ground::new(Arc::new(self.manifest()), &self.catalog)
    }

    /// Every object of the bucket, and its length.
    pub(super) fn objects(&self) -> Vec<(String, u64)> {
        let remote = RemoteLog::with_store(self.store.clone(), "world".to_owned());
        self.network.run(async move { remote.list_objects().await }).expect("memory answers")
    }

    /// The newest manifest.
    pub(super) fn manifest(&self) -> Manifest {
        let remote = RemoteLog::with_store(self.store.clone(), "world".to_owned());
        let newest = self.network.run(async move { remote.newest_manifest().await });
        newest.expect("memory answers").expect("there is one")
    }
}

/// A value of some two hundred bytes that only its seeds decide, and that does not compress.
fn noise(key: u8, value: u8) -> Vec<u8> {
    let mut state = u64::from(key) << 8 | u64::from(value);
    let next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(200).collect()
}

/// A manifest in a few lines, for whoever has to find out what went wrong.
pub(super) fn outline(manifest: &Manifest) -> String {
    let secs = |commit: Commit| (commit.timestamp.0 - START.0) / SECOND;
    let file = |file: &foldback_log_tier::manifest::HistoryEntry| {
        let tables = file.tables.iter().map(|entry| (entry.table.0, entry.bytes));
        let until = file.until.map(|until| format!(" until #{}", until.seq));
        format!(
            "{} #{}..#{} {}..{} s{} {:?} {:?}\n",
            file.kind,
            file.first.seq,
            file.last.seq,
            secs(file.first),
            secs(file.last),
            until.unwrap_or_default(),
            file.scope.as_ref().map(|scope| (scope.table.0, &scope.keys)),
            tables.collect::<Vec<_>>(),
        )
    };
    let floors = manifest.floors.iter().map(|floor| {
        let (earliest, at) = (floor.earliest.seq, secs(floor.earliest));
        format!("floor of {} from #{}: #{earliest} at {at} s\n", floor.table, floor.interval)
    });
    let clock = (manifest.clock.0 - START.0) / SECOND;
    let head =
        format!("manifest {} at {clock} s, sealed {}\n", manifest.number, manifest.sealed.seq);
    std::iter::once(head).chain(floors).chain(manifest.files.iter().map(file)).collect()
}
