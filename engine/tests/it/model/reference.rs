//! The model: every event of every key, and the rules of time in their plainest form.

use std::collections::BTreeMap;
use std::sync::Arc;

use foldback::{
    Clock, Commit, ManualClock, Resolved, Retention, Seq, TableId, Target, Timestamp, Window,
};

use crate::support::State;

/// What a target comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    NotProtected,
    InFuture,
    OutsideWindow,
    Is(Resolved),
}

/// A run of commits in which a table was protected.
#[derive(Clone, Copy, Debug)]
struct Interval {
    first: Commit,
    last: Option<Commit>,
    retention: Retention,
}

/// What became of a key, commit by commit.
type Changes = Vec<(Seq, Option<Vec<u8>>)>;

/// All that a table ever held.
#[derive(Clone, Debug)]
pub(super) struct ModelTable {
    pub(super) id: TableId,
    pub(super) name: String,
    pub(super) created: Commit,
    pub(super) was_restored: bool,
    live: bool,
    events: BTreeMap<Vec<u8>, Changes>,
    intervals: Vec<Interval>,
}

impl ModelTable {
    pub(super) fn put(&mut self, at: Commit, key: &[u8], value: Option<&[u8]>) {
        let events = self.events.entry(key.to_vec()).or_default();
        // A later change of one batch replaces the earlier one.
        events.retain(|(seq, _)| *seq != at.seq);
        events.push((at.seq, value.map(<[u8]>::to_vec)));
    }

    /// The fold: of each key the newest event up to `seq`.
    pub(super) fn state(&self, seq: Seq) -> State {
        let newest = |events: &Vec<(Seq, Option<Vec<u8>>)>| {
            events.iter().rfind(|(at, _)| *at <= seq).and_then(|(_, value)| value.clone())
        };
        self.events
            .iter()
            .filter_map(|(key, events)| Some((key.clone(), newest(events)?)))
            .collect()
    }

    pub(super) fn is_protected(&self) -> bool {
        self.intervals.last().is_some_and(|interval| interval.last.is_none())
    }

    pub(super) fn protect(&mut self, first: Commit, retention: Retention) {
        self.intervals.push(Interval { first, last: None, retention });
    }

    pub(super) fn unprotect(&mut self, at: Commit) {
        let open = self.intervals.last_mut().filter(|interval| interval.last.is_none());
        if let Some(open) = open {
            open.last = Some(at);
        }
    }
}

/// A whole database.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) clock: Arc<ManualClock>,
    /// Commit `n` is at position `n - 1`.
    commits: Vec<Commit>,
    tables: Vec<ModelTable>,
    /// No later commit is stamped before this.
    floor: Timestamp,
    /// The latest that the clock ever stood at: what was given up then stays so if it goes back.
    latest: Timestamp,
}

impl Model {
    pub(super) fn new(clock: Arc<ManualClock>) -> Self {
        let (floor, latest) = (Timestamp::MIN, clock.now());
        Self { clock, commits: Vec::new(), tables: Vec::new(), floor, latest }
    }

    /// Moves the clock.
    pub(super) fn move_clock(&mut self, micros: i64) {
        self.clock.advance(micros);
        self.latest = self.latest.max(self.clock.now());
    }

    /// The last commit.
    pub(super) fn tip(&self) -> Commit {
        self.commits.last().copied().unwrap_or(Commit::ORIGIN)
    }

    /// All commits.
    pub(super) fn commits(&self) -> &[Commit] {
        &self.commits
    }

    /// The least timestamp that the next commit may have.
    pub(super) fn least(&self) -> Timestamp {
        self.floor.max(self.tip().timestamp)
    }

    /// The greatest instant that may be asked for.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now().max(self.tip().timestamp)
    }

    /// The commit that something now done must become.
    pub(super) fn commit(&mut self) -> Commit {
        self.commit_at(self.clock.now().max(self.least()))
    }

    /// As [`Self::commit`], with a timestamp of its own.
    pub(super) fn commit_at(&mut self, timestamp: Timestamp) -> Commit {
        let commit = Commit { seq: self.tip().seq.next(), timestamp };
        self.commits.push(commit);
        commit
    }

    /// What is known of time only as long as the database is open is forgotten.
    pub(super) fn reopen(&mut self) {
        self.floor = self.tip().timestamp;
    }

    pub(super) fn create(&mut self, id: TableId, name: &str, at: Commit, state: Option<&State>) {
        let mut table = ModelTable {
            id,
            name: name.to_owned(),
            created: at,
            was_restored: state.is_some(),
            live: true,
            events: BTreeMap::new(),
            intervals: Vec::new(),
        };
        for (key, value) in state.into_iter().flatten() {
            table.put(at, key, Some(value));
        }
        self.tables.push(table);
    }

    pub(super) fn drop_table(&mut self, name: &str, at: Commit) {
        let table = self.live_mut(name).expect("it is live");
        table.unprotect(at);
        table.live = false;
    }

    pub(super) fn live(&self, name: &str) -> Option<&ModelTable> {
        self.tables.iter().find(|table| table.live && table.name == name)
    }

    pub(super) fn live_mut(&mut self, name: &str) -> Option<&mut ModelTable> {
        self.tables.iter_mut().find(|table| table.live && table.name == name)
    }

    /// The live tables by name.
    pub(super) fn all_live(&self) -> Vec<&ModelTable> {
        let mut live: Vec<_> = self.tables.iter().filter(|table| table.live).collect();
        live.sort_by(|left, right| left.name.cmp(&right.name));
        live
    }

    /// The last table that had this name and is no more.
    pub(super) fn dropped(&self, name: &str) -> Option<&ModelTable> {
        self.tables.iter().rfind(|table| !table.live && table.name == name)
    }

    /// Whether the table ever was protected.
    pub(super) fn has_history(table: &ModelTable) -> bool {
        !table.intervals.is_empty()
    }

    /// Whether a table gives up what is older than some horizon.
    pub(super) fn gives_up(table: &ModelTable) -> bool {
        table.intervals.iter().any(|interval| interval.retention != Retention::Forever)
    }

    /// Holds the windows that a table advertises to what was promised: no instant after the horizon
    /// is missing, and none is there that never was protected.
    pub(super) fn check_windows(&self, table: &ModelTable, found: &[Window]) {
        let mut promised = self.promised(table).into_iter().peekable();
        for window in found {
            let of_it = |interval: &&Interval| interval.first.seq <= window.first;
            let interval = table.intervals.iter().rfind(of_it).expect("it was protected");
            assert!(interval.first.timestamp <= window.earliest, "{window:?}");
            let (latest, last) = self.end_of(interval);
            let open = interval.last.is_none();
            assert_eq!((window.latest, window.last, window.open), (latest, last, open));
            let is_it = |promise: &Window| promise.last == window.last;
            if let Some(promise) = promised.next_if(is_it) {
                assert!(window.earliest <= promise.earliest, "{window:?} for {promise:?}");
            }
        }
        assert_eq!(promised.next(), None, "a window is missing among {found:?}");
    }

    fn end_of(&self, interval: &Interval) -> (Timestamp, Seq) {
        match interval.last {
            None => (self.now(), self.tip().seq),
            Some(end) => (Timestamp(end.timestamp.0 - 1), end.seq.prev()),
        }
    }

    /// The windows that a table must advertise at least.
    fn promised(&self, table: &ModelTable) -> Vec<Window> {
        let now = self.now().max(self.latest);
        let mut windows = Vec::new();
        for interval in &table.intervals {
            let (latest, last) = self.end_of(interval);
            let earliest = interval.first.timestamp.max(horizon(interval.retention, now));
            // A window that ended before it had lasted a microsecond holds no instant.
            if interval.last.is_none() || earliest <= latest {
                let (first, open) = (interval.first.seq, interval.last.is_none());
                windows.push(Window { earliest, latest, first, last, open });
            }
        }
        windows
    }

    /// What a target comes to. An instant that was asked for is closed: what commits later is
    /// stamped later.
    pub(super) fn resolve(&mut self, name: &str, target: Target, windows: &[Window]) -> Answer {
        let instant = match target {
            Target::At(at) => Some(at),
            Target::Before(before) => Some(before.saturating_add_micros(-1)),
            Target::Latest | Target::Seq(_) => None,
        };
        let table = self.live(name).expect("it is live");
        if table.intervals.is_empty() {
            return Answer::NotProtected;
        }
        let is_beyond = |seq| matches!(target, Target::Seq(asked) if asked > seq);
        if instant.is_some_and(|at| at > self.now()) || is_beyond(self.tip().seq) {
            return Answer::InFuture;
        }
        if let Some(at) = instant {
            self.floor = self.floor.max(at.saturating_add_micros(1));
        }
        self.resolve_known(target, instant, windows)
    }

    fn resolve_known(
        &self,
        target: Target,
        instant: Option<Timestamp>,
        windows: &[Window],
    ) -> Answer {
        let commit = match (target, instant) {
            (Target::Seq(seq), _) => self.commits.iter().find(|commit| commit.seq == seq),
            (_, Some(at)) => self.commits.iter().rfind(|commit| commit.timestamp <= at),
            (_, None) => self.commits.last(),
        };
        let Some(commit) = commit.copied() else { return Answer::OutsideWindow };
        let next = self.commits.iter().find(|next| next.seq == commit.seq.next()).copied();
        // The state of a commit lasts from its own instant up to the next commit's.
        let ends = next.map_or(Timestamp::MAX, |next| Timestamp(next.timestamp.0 - 1));
        let reaches = instant.unwrap_or(ends.max(commit.timestamp));
        let holds = |window: &Window| {
            window.first <= commit.seq && commit.seq <= window.last && window.earliest <= reaches
        };
        match windows.iter().any(holds) {
            true => Answer::Is(Resolved { commit, next }),
            false => Answer::OutsideWindow,
        }
    }
}

fn horizon(retention: Retention, now: Timestamp) -> Timestamp {
    match retention {
        Retention::Forever => Timestamp::MIN,
        Retention::Secs(secs) => {
            let micros = i64::try_from(secs * 1_000_000).expect("the test's retentions are short");
            Timestamp(now.0 - micros)
        }
    }
}
