//! What can happen to a database, drawn at random.

use foldback::{KeyRange, Policy, Retention, Selection};
use proptest::prelude::*;
use proptest::sample::Index;

/// Names that tables can have; most of the time some of them are live.
pub(super) const NAMES: [&str; 5] = ["empty-first", "keys-first", "unprotected", "late", "later"];

/// How a database is set up before the first step.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    /// Whether the bucket is a directory instead of memory.
    pub(super) bucket_on_disk: bool,
    pub(super) synced: bool,
    pub(super) segment_bytes_max: u64,
    /// When history is merged and folded: mostly long before it would be.
    pub(super) policy: Policy,
    /// What is written before the tables are protected.
    pub(super) before_protection: Vec<Change>,
}

/// One event of a batch.
#[derive(Clone, Debug)]
pub(super) struct Change {
    /// Position in [`NAMES`].
    pub(super) table: usize,
    pub(super) key: Vec<u8>,
    pub(super) value: Option<Vec<u8>>,
}

/// Which state is asked for, relative to the commits that there are then.
#[derive(Clone, Debug)]
pub(super) enum Aim {
    Latest,
    Seq(Index),
    /// So many commits after the last one.
    SeqBeyond(u64),
    /// So many microseconds from a commit's timestamp, up to it or before it.
    Near {
        commit: Index,
        micros: i64,
        before: bool,
    },
    /// So many microseconds from the greatest instant that can be asked for.
    NearNow {
        micros: i64,
        before: bool,
    },
}

/// One thing that happens.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Write(Vec<Change>),
    /// A batch with a timestamp of its own, so far from the least that it may have.
    WriteStamped {
        changes: Vec<Change>,
        micros: i64,
    },
    Clock(i64),
    Seal,
    /// Closes and opens; `lose` is a table whose present is deleted in between if it can be.
    Reopen {
        lose: Option<usize>,
    },
    Create(usize),
    Drop(usize),
    Protect(usize, Retention),
    Unprotect(usize),
    /// Gives a protected table another retention.
    SetRetention(usize, Retention),
    /// Gives up all history of a table.
    Discard(usize),
    /// Brings the last dropped table of a name back.
    Undrop(usize),
    /// Ends a table's protection and starts it again, with what else happens in between.
    Gap {
        table: usize,
        /// Deletes every key, so that the history that follows starts empty.
        clear: bool,
        seal: bool,
        retention: Retention,
    },
    Resolve(usize, Aim),
    /// Yields the rows of a plan without a restore.
    Rows(usize, Aim, Vec<Chosen>),
    /// Reads a view, and keeps it; the one that was kept before is read again first.
    View(usize, Aim),
    /// Restores a table; the new one stays if it has a name from [`NAMES`].
    Restore(usize, Aim, Option<usize>),
    /// Makes a plan and keeps it for later.
    Plan(usize, Aim),
    /// Runs the plan that was kept.
    RunPlan,
    /// Compares the present.
    Look,
}

/// One range of a selection.
#[derive(Clone, Debug)]
pub(super) enum Chosen {
    Range(Vec<u8>, Option<Vec<u8>>),
    Prefix(Vec<u8>),
}

/// The selection of these ranges; all keys if there are none.
pub(super) fn selection(chosen: &[Chosen]) -> Selection {
    if chosen.is_empty() {
        return Selection::all();
    }
    Selection::ranges(chosen.iter().map(|chosen| match chosen {
        Chosen::Prefix(prefix) => KeyRange::prefix(prefix),
        Chosen::Range(from, until) => {
            let until = until.clone().map(Into::into);
            KeyRange { from: from.clone().into(), until }
        }
    }))
}

impl Setup {
    pub(super) fn any() -> impl Strategy<Value = Self> {
        let on_disk = prop::bool::weighted(0.2);
        let segment_bytes_max = prop_oneof![3 => Just(4 * 1024), 1 => Just(64 * 1024)];
        (on_disk, prop::bool::weighted(0.3), segment_bytes_max, policy(), batch()).prop_map(
            |(bucket_on_disk, synced, segment_bytes_max, policy, before_protection)| Self {
                bucket_on_disk,
                synced,
                segment_bytes_max,
                policy,
                before_protection,
            },
        )
    }
}

/// A file target of one byte cuts a base at every row.
fn policy() -> impl Strategy<Value = Policy> {
    let eager = (2..4_usize, prop::sample::select([1, 4_000, 1 << 20].as_slice())).prop_map(
        |(merge_fanout, file_bytes_target)| Policy {
            fold_ratio: 0.5,
            fold_bytes_min: 1,
            merge_fanout,
            file_bytes_target,
            ..Policy::default()
        },
    );
    prop_oneof![3 => eager, 1 => Just(Policy::default())]
}

impl Step {
    pub(super) fn any() -> impl Strategy<Value = Self> {
        let table = || 0..NAMES.len();
        prop_oneof![
            24 => batch().prop_map(Self::Write),
            2 => (batch(), -2..5_i64)
                .prop_map(|(changes, micros)| Self::WriteStamped { changes, micros }),
            8 => clock_move().prop_map(Self::Clock),
            4 => Just(Self::Seal),
            2 => prop::option::of(table()).prop_map(|lose| Self::Reopen { lose }),
            2 => table().prop_map(Self::Create),
            1 => table().prop_map(Self::Drop),
            4 => (table(), retention()).prop_map(|(table, kept)| Self::Protect(table, kept)),
            1 => table().prop_map(Self::Unprotect),
            4 => (table(), retention()).prop_map(|(table, kept)| Self::SetRetention(table, kept)),
            1 => table().prop_map(Self::Discard),
            2 => table().prop_map(Self::Undrop),
            4 => (table(), aim()).prop_map(|(table, aim)| Self::View(table, aim)),
            3 => (table(), any::<bool>(), any::<bool>(), retention()).prop_map(
                |(table, clear, seal, retention)| Self::Gap { table, clear, seal, retention },
            ),
            8 => (table(), aim()).prop_map(|(table, aim)| Self::Resolve(table, aim)),
            8 => (table(), aim(), prop::collection::vec(chosen(), 0..4))
                .prop_map(|(table, aim, chosen)| Self::Rows(table, aim, chosen)),
            5 => (table(), aim(), prop::option::weighted(0.2, table()))
                .prop_map(|(table, aim, into)| Self::Restore(table, aim, into)),
            2 => (table(), aim()).prop_map(|(table, aim)| Self::Plan(table, aim)),
            2 => Just(Self::RunPlan),
            1 => Just(Self::Look),
        ]
    }
}

/// Few keys, so that they are overwritten: prefixes of each other, the empty one, binary ones.
fn key() -> impl Strategy<Value = Vec<u8>> {
    const KEYS: [&[u8]; 12] = [
        b"",
        b"\0",
        b"\0\0",
        b"\x01",
        b"a",
        b"a\0",
        b"a\xff",
        b"ab",
        b"abc",
        b"b",
        b"\xff",
        b"\xff\xff",
    ];
    prop_oneof![
        9 => prop::sample::select(KEYS.as_slice()).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ]
}

/// Mostly small, sometimes empty, sometimes so large that segments roll and memtables are flushed.
fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => prop::collection::vec(any::<u8>(), 1..12),
        1 => Just(Vec::new()),
        2 => (any::<u8>(), 500..6000_usize).prop_map(|(byte, length)| vec![byte; length]),
    ]
}

fn batch() -> impl Strategy<Value = Vec<Change>> {
    let change = (0..NAMES.len(), key(), prop::option::weighted(0.75, value()))
        .prop_map(|(table, key, value)| Change { table, key, value });
    prop::collection::vec(change, 1..8)
}

fn clock_move() -> impl Strategy<Value = i64> {
    const SECOND: i64 = 1_000_000;
    prop_oneof![
        4 => 1..4_i64,
        2 => Just(SECOND),
        1 => Just(-1),
        1 => Just(-10 * SECOND),
        1 => Just(86_400 * SECOND),
    ]
}

fn retention() -> impl Strategy<Value = Retention> {
    let secs = prop::sample::select([1, 2, 3_600, 100_000].as_slice()).prop_map(Retention::Secs);
    prop_oneof![3 => Just(Retention::Forever), 1 => secs]
}

fn chosen() -> impl Strategy<Value = Chosen> {
    let range = (key(), prop::option::of(key()));
    prop_oneof![
        range.prop_map(|(from, until)| Chosen::Range(from, until)),
        key().prop_map(Chosen::Prefix),
    ]
}

fn aim() -> impl Strategy<Value = Aim> {
    let near = (any::<Index>(), -1..2_i64, any::<bool>());
    let near_now = (-3..4_i64, any::<bool>());
    prop_oneof![
        1 => Just(Aim::Latest),
        4 => any::<Index>().prop_map(Aim::Seq),
        1 => (0..3_u64).prop_map(Aim::SeqBeyond),
        8 => near.prop_map(|(commit, micros, before)| Aim::Near { commit, micros, before }),
        2 => near_now.prop_map(|(micros, before)| Aim::NearNow { micros, before }),
    ]
}
