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
#[derive(Clone, Debug)]
struct Interval {
    first: Commit,
    last: Option<Commit>,
    /// By the instant from which it holds; the last that is reached counts.
    retentions: Vec<(Timestamp, Retention)>,
    /// What lies before this may be gone: the latest horizon that there ever was.
    given_up: Timestamp,
    discarded: bool,
}

impl Interval {
    fn retention_at(&self, now: Timestamp) -> Retention {
        let holds = self.retentions.iter().rfind(|(from, _)| *from <= now);
        holds.unwrap_or(&self.retentions[0]).1
    }

    /// Whether a retention waits at `now`.
    fn waits(&self, now: Timestamp) -> bool {
        self.retentions.iter().any(|(from, _)| *from > now)
    }

    fn note_horizon(&mut self, now: Timestamp) {
        self.given_up = self.given_up.max(horizon(self.retention_at(now), now));
    }
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
    dropped: Option<Commit>,
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
        let retentions = vec![(first.timestamp, retention)];
        let given_up = Timestamp::MIN;
        let (last, discarded) = (None, false);
        self.intervals.push(Interval { first, last, retentions, given_up, discarded });
    }

    pub(super) fn unprotect(&mut self, at: Commit) {
        let open = self.intervals.last_mut().filter(|interval| interval.last.is_none());
        if let Some(open) = open {
            open.last = Some(at);
        }
    }

    /// Whether a change to this retention at `now` says anything new.
    pub(super) fn would_change(&self, retention: Retention, now: Timestamp) -> bool {
        let open = self.intervals.last().expect("it is protected");
        open.retention_at(now) != retention || open.waits(now)
    }

    /// A longer retention holds at once, a shorter one after `undo_micros`; either takes the place
    /// of one that waits.
    pub(super) fn set_retention(&mut self, at: Commit, retention: Retention, undo_micros: i64) {
        let open = self.intervals.last_mut().expect("it is protected");
        let now = at.timestamp;
        let is_shorter = horizon(open.retention_at(now), now) < horizon(retention, now);
        open.retentions.retain(|(from, _)| *from <= now);
        let from = now.saturating_add_micros(if is_shorter { undo_micros } else { 0 });
        open.retentions.push((from, retention));
    }

    /// Whether there is anything to discard.
    pub(super) fn has_kept_history(&self) -> bool {
        self.intervals.iter().any(|interval| !interval.discarded)
    }

    pub(super) fn discard(&mut self, at: Commit) {
        self.unprotect(at);
        self.intervals.iter_mut().for_each(|interval| interval.discarded = true);
    }

    /// The retention that it was dropped with.
    pub(super) fn last_retention(&self, at: Commit) -> Retention {
        self.intervals.last().expect("it was protected").retention_at(at.timestamp)
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
        self.note_horizons();
    }

    /// What lies before a horizon now may be gone for good, whatever the retention is later.
    pub(super) fn note_horizons(&mut self) {
        let now = self.now().max(self.latest);
        let intervals = self.tables.iter_mut().flat_map(|table| &mut table.intervals);
        intervals.for_each(|interval| interval.note_horizon(now));
    }

    /// Where the clock stands.
    pub(super) fn clock_now(&self) -> Timestamp {
        self.clock.now()
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
            dropped: None,
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
        table.dropped = Some(at);
    }

    pub(super) fn live(&self, name: &str) -> Option<&ModelTable> {
        self.tables.iter().find(|table| table.dropped.is_none() && table.name == name)
    }

    pub(super) fn live_mut(&mut self, name: &str) -> Option<&mut ModelTable> {
        self.tables.iter_mut().find(|table| table.dropped.is_none() && table.name == name)
    }

    /// The live tables by name.
    pub(super) fn all_live(&self) -> Vec<&ModelTable> {
        let mut live: Vec<_> = self.tables.iter().filter(|table| table.dropped.is_none()).collect();
        live.sort_by(|left, right| left.name.cmp(&right.name));
        live
    }

    /// The last table that had this name and is no more.
    pub(super) fn dropped(&self, name: &str) -> Option<&ModelTable> {
        self.all_dropped(name).into_iter().next()
    }

    /// Those that had this name and are no more, the last first.
    pub(super) fn all_dropped(&self, name: &str) -> Vec<&ModelTable> {
        let is_it = |table: &&ModelTable| table.dropped.is_some() && table.name == name;
        self.tables.iter().rev().filter(is_it).collect()
    }

    /// What the last state of a dropped table comes to.
    pub(super) fn resolve_last(&self, table: &ModelTable, windows: &[Window]) -> Answer {
        let dropped = table.dropped.expect("it was dropped");
        match Self::has_history(table) {
            true => self.resolve_known(Target::Seq(dropped.seq.prev()), None, windows),
            false => Answer::NotProtected,
        }
    }

    /// Whether the table ever was protected.
    pub(super) fn has_history(table: &ModelTable) -> bool {
        !table.intervals.is_empty()
    }

    /// Whether a table gives up what is older than some horizon.
    pub(super) fn gives_up(table: &ModelTable) -> bool {
        let mut retentions = table.intervals.iter().flat_map(|interval| &interval.retentions);
        retentions.any(|(_, retention)| *retention != Retention::Forever)
    }

    /// Holds the windows that a table advertises to what was promised: no instant after the horizon
    /// is missing, and none is there that never was protected.
    pub(super) fn check_windows(&self, table: &ModelTable, found: &[Window]) {
        let mut promised = self.promised(table).into_iter().peekable();
        for window in found {
            let of_it = |interval: &&Interval| interval.first.seq <= window.first;
            let interval = table.intervals.iter().rfind(of_it).expect("it was protected");
            assert!(!interval.discarded, "{window:?} was given up");
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
        let mut windows = Vec::new();
        for interval in table.intervals.iter().filter(|interval| !interval.discarded) {
            let (latest, last) = self.end_of(interval);
            let earliest = interval.first.timestamp.max(interval.given_up);
            // A window that ended before it had lasted a microsecond holds no instant.
            if interval.last.is_none() || earliest <= latest {
                let (first, open) = (interval.first.seq, interval.last.is_none());
                windows.push(Window { earliest, latest, first, last, open });
            }
        }
        windows
    }

    /// The commits of intervals that began and ended within one timestamp: no window tells of them,
    /// and only numbers name them.
    pub(super) fn within_one_instant(table: &ModelTable) -> impl Iterator<Item = Window> {
        table.intervals.iter().filter(|interval| !interval.discarded).filter_map(|interval| {
            let Commit { seq: first, timestamp: earliest } = interval.first;
            let end = interval.last.filter(|end| end.timestamp == earliest)?;
            let (latest, last) = (earliest, end.seq.prev());
            Some(Window { earliest, latest, first, last, open: false })
        })
    }

    /// Whether a commit of a live table is one of those.
    pub(super) fn is_within_one_instant(&self, name: &str, seq: Seq) -> bool {
        let table = self.live(name).expect("it is live");
        Self::within_one_instant(table).any(|window| window.contains(seq))
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
