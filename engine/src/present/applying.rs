//! Applying commits to the trees: all of a group at once, in the order of keys.
//!
//! Until they are published, no view sees the events of a group, and each goes to a place of its
//! own by key and seq. So their order is free: neighbours in a tree are applied one after the
//! other, as most of the way to the second is in the processor's cache then, and the events of a
//! large group are shared out to several threads.

use std::sync::{Arc, Mutex, PoisonError};

use foldback_log_tier::{Change, CommittedBatch, Event, Seq, TableId};
use hashbrown::HashMap;

use super::TableTree;
use super::packing::Packing;

/// Events of which a thread of its own applies a share.
const EVENTS_PER_THREAD: usize = 1024;
/// Events that a thread applies before it looks for more.
pub(super) const EVENTS_PER_SHARE: usize = 512;
/// Threads that apply one group, on the largest machine.
const THREADS_MAX: usize = 8;

/// One event, and the tree that it goes to.
struct Application<'a> {
    tree: &'a TableTree,
    seq: Seq,
    /// Where its key stands among the others, as far as a few bytes tell.
    head: u64,
    event: &'a mut Event,
}

/// How many threads this machine has for a group. It takes some system calls to know.
pub(super) fn threads_max() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX)
}

/// Applies commits to their trees, and takes keys and values out of them. Events of tables that are
/// not served are passed over: they were dropped by a later commit.
pub(super) fn apply<'a>(
    trees: &'a HashMap<TableId, Arc<TableTree>>,
    commits: &'a mut [CommittedBatch],
    threads_max: usize,
) {
    let keys = commits.iter().flat_map(|committed| &committed.batch.events).map(|event| &event.key);
    let same = same_bytes(keys.map(|key| &**key));
    let mut applications: Vec<_> = commits
        .iter_mut()
        .flat_map(|committed| {
            let seq = committed.commit.seq;
            committed.batch.events.iter_mut().filter_map(move |event| {
                let tree = trees.get(&event.table)?;
                Some(Application { tree, seq, head: head(&event.key[same..]), event })
            })
        })
        .collect();
    applications.sort_unstable_by(|one, other| {
        let by_head = (one.tree.id(), one.head).cmp(&(other.tree.id(), other.head));
        // Heads decide nearly always, and lie where they are compared.
        by_head.then_with(|| (&one.event.key, one.seq).cmp(&(&other.event.key, other.seq)))
    });
    for of_tree in applications.chunk_by(|one, other| one.event.table == other.event.table) {
        let first = of_tree.iter().map(|application| application.seq).min();
        of_tree[0].tree.begin(first.expect("a chunk is not empty"));
    }
    let threads = (applications.len() / EVENTS_PER_THREAD).min(threads_max);
    if threads < 2 {
        return apply_all(&mut applications);
    }
    in_shares(&mut applications, threads, apply_all);
}

/// Shares events out to so many threads, this one among them. All take shares until there are
/// none: where a thread is refused, the others do its part.
pub(super) fn in_shares<E: Send>(events: &mut [E], threads: usize, act: impl Fn(&mut [E]) + Sync) {
    let shares = Mutex::new(events.chunks_mut(EVENTS_PER_SHARE));
    let next = || shares.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || std::iter::from_fn(next).for_each(&act);
    std::thread::scope(|scope| {
        for _ in 1..threads {
            let builder = std::thread::Builder::new().name("foldback-applier".to_owned());
            if builder.spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work();
    });
}

/// Blocks are of one tree each: they go when that is flushed.
fn apply_all(applications: &mut [Application<'_>]) {
    applications.chunk_by_mut(|one, other| one.tree.id() == other.tree.id()).for_each(apply_to_one);
}

fn apply_to_one(applications: &mut [Application<'_>]) {
    let bytes = applications.iter().map(|it| {
        let value = it.event.change.value().map(|value| &**value);
        Packing::event_bytes(&it.event.key, value)
    });
    let mut packing = Packing::default();
    packing.expect(bytes.sum());
    for Application { tree, seq, event, .. } in applications {
        let key = packing.key(&std::mem::take(&mut event.key));
        let value = match std::mem::replace(&mut event.change, Change::Delete) {
            Change::Put(value) => Some(packing.owned_value(value)),
            Change::Delete => None,
        };
        tree.apply(*seq, key, value);
    }
}

/// How many bytes all keys have in common, from the first on.
pub(super) fn same_bytes<'a>(mut keys: impl Iterator<Item = &'a [u8]>) -> usize {
    let Some(first) = keys.next() else { return 0 };
    keys.fold(first.len(), |same, key| {
        let both = key.iter().zip(&first[..same]);
        both.take_while(|(one, other)| one == other).count()
    })
}

/// The first eight bytes as a number of the same order; a shorter key comes before those that it
/// begins, or is their equal.
pub(super) fn head(key: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let length = key.len().min(8);
    bytes[..length].copy_from_slice(&key[..length]);
    u64::from_be_bytes(bytes)
}
