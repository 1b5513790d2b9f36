//! The merge over real history files, against a map of every key's events.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use foldback_log_tier::history::{
    CommitIndex, FileKind, HistoryIdentity, HistoryTail, HistoryWriter, RowGroupRows,
};
use foldback_log_tier::{
    Batch, Change, Commit, CommittedBatch, DatabaseId, Error, Event, KeyRange, Seq, TableId,
    Timestamp,
};
use proptest::prelude::*;
use tokio::sync::mpsc;

use super::*;

const TABLE: TableId = TableId(4);
/// Commits of a history in the property.
const SEQS: u64 = 24;

/// Of each key and seq, newest first, the value or a delete.
type Events = BTreeMap<(Vec<u8>, Reverse<u64>), Option<Vec<u8>>>;
/// A key and its value.
type Live = (Vec<u8>, Vec<u8>);

fn commit(seq: u64) -> Commit {
    Commit { seq: Seq(seq), timestamp: Timestamp(i64::try_from(seq).expect("small") * 10) }
}

/// The portions of a delta of the events with these seqs: those rows that count.
fn portions(events: &Events, first: u64, last: u64, filter: &RowFilter) -> Vec<RowGroupRows> {
    let (database, kind, scope) = (DatabaseId::random(), FileKind::Delta, None);
    let (first, last) = (commit(first), commit(last));
    let mut writer = HistoryWriter::new(HistoryIdentity { database, kind, first, last, scope }, 0)
        .expect("it is sound");
    let mut commits = CommitIndex::new();
    (first.seq.0..=last.seq.0).for_each(|seq| commits.push(commit(seq)));
    for ((key, Reverse(seq)), value) in events {
        if (first.seq.0..=last.seq.0).contains(seq) {
            let Commit { seq, timestamp } = commit(*seq);
            let value = value.as_deref();
            writer.push(EventRow { table: TABLE, key, seq, timestamp, value }).expect("in order");
        }
    }
    let object = writer.finish(Some(&commits)).expect("it is whole");
    let slice = |range: std::ops::Range<u64>| {
        let at = |offset| usize::try_from(offset).expect("it is in memory");
        object.body.slice(at(range.start)..at(range.end))
    };
    let entry = &object.entry;
    let tail = HistoryTail::decode(entry, slice(entry.tail_offset..entry.bytes)).expect("sound");
    let decode = |group: &foldback_log_tier::history::RowGroupEntry| {
        // The least that a portion holds is a row.
        let portions =
            tail.row_group_portions(group.index, slice(group.range()), 0, filter.clone());
        portions.expect("it is sound").map(|portion| portion.expect("it is sound"))
    };
    tail.row_groups().iter().flat_map(decode).collect()
}

/// A source of what is sent already.
fn source(portions: Vec<Result<RowGroupRows>>) -> Source {
    let ends = |portion: &&Result<RowGroupRows>| {
        portion.as_ref().map_or(true, RowGroupRows::ends_row_group)
    };
    let left = portions.iter().filter(ends).count();
    let (sender, receiver) = mpsc::channel(portions.len().max(1));
    let portions = portions.into_iter().map(|portion| portion.map(Some));
    portions.for_each(|portion| sender.try_send(portion).expect("there is room"));
    // Keys of the tests share nothing.
    let shared_start = SharedStart::Of(Vec::new());
    Source::history(RowGroupFeed::new(receiver, mpsc::unbounded_channel().0, left, shared_start))
}

fn tail(events: &Events, after: u64, target: u64) -> Arc<TailRows> {
    let commits = (1..=SEQS).map(|seq| {
        let of_seq = events.iter().filter(|((_, Reverse(at)), _)| *at == seq);
        let of_seq = of_seq.map(|((key, _), value)| Event {
            table: TABLE,
            key: key.clone().into(),
            change: value.clone().map_or(Change::Delete, |value| Change::Put(value.into())),
        });
        let mut events: Vec<_> = of_seq.collect();
        // What is of another table must not show.
        let other = events.first().cloned().map(|event| Event { table: TableId(9), ..event });
        events.extend(other);
        Ok(CommittedBatch { commit: commit(seq), batch: Batch { events } })
    });
    Arc::new(TailRows::collect(TABLE, Seq(after), Seq(target), commits).expect("it is sound"))
}

fn next_live(merge: &mut Merge) -> Result<Option<Live>> {
    merge.next_live(|row| {
        let (key, value) = row.to_shared();
        let value = value.expect("it is live");
        assert_eq!((row.event().key, row.event().value), (key.as_ref(), Some(value.as_ref())));
        (key.to_vec(), value.to_vec())
    })
}

fn all_live(mut merge: Merge) -> Vec<Live> {
    std::iter::from_fn(|| next_live(&mut merge).expect("all is sound")).collect()
}

fn counts(filter: &RowFilter, key: &[u8], seq: u64) -> bool {
    filter.floor.0 < seq && seq <= filter.target.0 && filter.keys.contains(key)
}

fn fold(events: &Events, filter: &RowFilter) -> Vec<Live> {
    let mut state: BTreeMap<&Vec<u8>, &Option<Vec<u8>>> = BTreeMap::new();
    for ((key, Reverse(seq)), value) in events {
        if counts(filter, key, *seq) {
            // The newest comes first.
            state.entry(key).or_insert(value);
        }
    }
    state.into_iter().filter_map(|(key, value)| Some((key.clone(), value.clone()?))).collect()
}

fn a_key_each(keys: &[&str], seq: u64) -> Events {
    keys.iter().map(|key| ((key.as_bytes().to_vec(), Reverse(seq)), Some(vec![1]))).collect()
}

#[test]
fn a_row_group_that_fails_is_an_error_and_not_the_end() {
    // The heap was put in order around a source that stood on no row, which panicked.
    let (left, right) = (a_key_each(&["a", "c"], 1), a_key_each(&["b", "d"], 2));
    let mut groups: Vec<_> = portions(&left, 1, 1, &RowFilter::all()).into_iter().map(Ok).collect();
    groups.push(Err(Error::corrupt("history/x", 7, "bad")));
    let others = portions(&right, 2, 2, &RowFilter::all()).into_iter().map(Ok).collect();
    let sources = [source(groups), source(others)];
    let mut merge = Merge::new(sources).expect("the first row groups are sound");
    let mut keys = Vec::new();
    let failure = loop {
        match next_live(&mut merge) {
            Ok(row) => keys.push(row.expect("an error comes before the end").0),
            Err(error) => break error,
        }
    };
    assert!(matches!(failure, Error::Corrupt { offset: 7, .. }), "{failure}");
    assert_eq!(keys, [b"a", b"b"]);
}

#[test]
fn a_feed_that_ends_early_is_an_error() {
    let groups = portions(&a_key_each(&["a"], 1), 1, 1, &RowFilter::all());
    let (sender, receiver) = mpsc::channel(1);
    sender.try_send(Ok(Some(groups[0].clone()))).expect("there is room");
    drop(sender);
    let feed = RowGroupFeed::new(receiver, mpsc::unbounded_channel().0, 2, SharedStart::NoKeys);
    let source = Source::history(feed);
    let mut merge = Merge::new([source]).expect("the first is sound");
    let ended = next_live(&mut merge);
    assert!(matches!(ended, Err(Error::Interrupted)), "{ended:?}");
}

#[test]
fn what_all_keys_begin_with_is_not_compared() {
    let of = |keys: &[&[u8]]| {
        let starts = keys.iter().map(|key| SharedStart::between(key, key));
        starts.fold(SharedStart::NoKeys, SharedStart::join)
    };
    assert_eq!(of(&[]), SharedStart::NoKeys);
    assert_eq!(of(&[b"abc"]), SharedStart::Of(b"abc".to_vec()));
    assert_eq!(of(&[b"abc", b"abd", b"abcd"]), SharedStart::Of(b"ab".to_vec()));
    assert_eq!(of(&[b"abc", b""]), SharedStart::Of(Vec::new()));
    // The keys of two tails share their start, and are told apart behind it.
    let start = "all of these keys begin with this/";
    let keys = |last: &str| vec![format!("{start}{last}"), format!("{start}{last}/more of it all")];
    let events = |last: &str, seq| {
        let keys = keys(last);
        let keys: Vec<_> = keys.iter().map(String::as_str).collect();
        Source::tail(tail(&a_key_each(&keys, seq), 0, SEQS), RowFilter::all())
    };
    let merge = Merge::new([events("b", 1), events("a", 2), events("b", 3)]).expect("sound");
    let found: Vec<_> = all_live(merge).into_iter().map(|(key, _)| key).collect();
    let expected: Vec<_> = keys("a").into_iter().chain(keys("b")).map(String::into_bytes).collect();
    assert_eq!(found, expected);
}

#[test]
fn no_source_is_no_row() {
    let none = Source::tail(Arc::new(TailRows::none(TABLE)), RowFilter::all());
    let empty = source(Vec::new());
    assert!(all_live(Merge::new([none, empty]).expect("there is nothing to fail")).is_empty());
    assert!(all_live(Merge::new([]).expect("there is nothing to fail")).is_empty());
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    // Some are longer than what is compared first, and differ behind it only.
    let keys: [&[u8]; 13] = [
        b"",
        b"\0",
        b"a",
        b"a\0",
        b"ab",
        b"a234567890abcde",
        b"a234567890abcde\0",
        b"a234567890abcdef",
        b"a234567890abcdefg",
        b"a234567890abcdefh",
        b"b",
        b"\xff",
        b"\xff\xff",
    ];
    prop::sample::select(keys.map(<[u8]>::to_vec).to_vec())
}

fn events() -> impl Strategy<Value = Events> {
    let value = prop::option::weighted(0.7, prop::collection::vec(any::<u8>(), 0..4));
    let event = ((key(), (1..=SEQS).prop_map(Reverse)), value);
    prop::collection::vec(event, 0..60).prop_map(|events| events.into_iter().collect())
}

fn filter() -> impl Strategy<Value = RowFilter> {
    (0..SEQS, 1..=SEQS, key(), prop::option::of(key())).prop_map(|(floor, target, from, until)| {
        let keys = KeyRange { from: from.into(), until: until.map(Bytes::from) };
        RowFilter { keys, floor: Seq(floor), target: Seq(target), newest_only: true }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_live_rows_are_the_fold(
        events in events(),
        filter in filter(),
        (first_cut, second_cut) in (1..SEQS, 1..SEQS),
    ) {
        let (low, high) = (first_cut.min(second_cut), first_cut.max(second_cut));
        let delta = |first, last| {
            source(portions(&events, first, last, &filter).into_iter().map(Ok).collect())
        };
        // Two deltas that hold a commit twice, and the rest of the log.
        let rest = Source::tail(tail(&events, high, filter.target.0), filter.clone());
        let merge = Merge::new([delta(1, low), delta(low, high), rest]).expect("all is sound");
        prop_assert_eq!(all_live(merge), fold(&events, &filter));
    }

    #[test]
    fn every_row_comes_once_and_in_order(events in events(), cut in 1..SEQS) {
        let delta = |first, last| {
            let portions = portions(&events, first, last, &RowFilter::all());
            source(portions.into_iter().map(Ok).collect())
        };
        let mut merge = Merge::new([delta(1, cut), delta(cut + 1, SEQS)]).expect("all is sound");
        let (mut seen, mut keys) = (Vec::new(), Vec::new());
        let mut take = |row: EventRow<'_>, is_newest: bool| {
            seen.push(((row.key.to_vec(), Reverse(row.seq.0)), row.value.map(<[u8]>::to_vec)));
            keys.extend(is_newest.then(|| row.key.to_vec()));
        };
        while merge.next_row(&mut take).expect("all is sound").is_some() {}
        let mut expected: Vec<_> = events.keys().map(|(key, _)| key.clone()).collect();
        expected.dedup();
        prop_assert_eq!(keys, expected);
        prop_assert_eq!(seen, events.into_iter().collect::<Vec<_>>());
    }
}
