//! What is deleted: nothing that a manifest, a lease or a grace holds, and all the rest in the end.

use foldback_log_tier::history::FileKind;
use foldback_log_tier::names::HistoryName;
use foldback_log_tier::remote::{LEASE_FORMAT, Lease};
use foldback_log_tier::{DatabaseId, Seq, WriterId};
use proptest::prelude::*;

use super::*;
use crate::model::{Dice, Plane};

const GRACE: i64 = 100;
const TTL_MICROS: i64 = 602_000_000;

fn name(born: u64, unique: u8) -> String {
    let (first, last) = (Seq(1), Seq(2));
    let unique = foldback_log_tier::ids::RandomId([unique; 8]);
    names::history(HistoryName { kind: FileKind::Delta, first, last, born, unique })
}

fn object(name: String, modified: i64) -> ListedObject {
    ListedObject { name, bytes: 7, modified: Timestamp(modified) }
}

fn lease(manifest: u64, renewed: i64) -> HeldLease {
    let (format, database) = (LEASE_FORMAT, DatabaseId::random());
    let lease = Lease { format, database, manifest, holder: "a test".into(), ttl_secs: 600 };
    let name = names::lease(WriterId::random());
    HeldLease { name, lease, renewed: Timestamp(renewed) }
}

/// Manifest 10, published at 1,000 as each before it was 100 earlier; it lists nothing, and a file
/// that was born at 2 is gone since 8.
fn ground() -> (Manifest, Surroundings) {
    let mut manifest = Plane::new(1).manifest;
    (manifest.number, manifest.clock) = (10, Timestamp(1_000));
    manifest.removed = vec![Removed { name: name(2, 1), bytes: 7, since: 8, at: Timestamp(800) }];
    let manifests = (1..=10).map(|number| {
        object(names::manifest(number), i64::try_from(number).expect("it is small") * 100)
    });
    let around = Surroundings {
        looked_on: 10,
        store_now: Timestamp(1_100),
        leases: Vec::new(),
        manifests: manifests.collect(),
        history: vec![object(name(2, 1), 200)],
        scratch: Vec::new(),
    };
    (manifest, around)
}

fn forgets(manifest: &Manifest, around: &Surroundings, clock: i64) -> bool {
    let sweeping = sweeping(manifest, around, Timestamp(clock), GRACE);
    sweeping.is_some_and(|sweeping| {
        let deleted = sweeping.objects.contains(&name(2, 1));
        assert_eq!(deleted, sweeping.forgotten.contains(&name(2, 1)));
        assert!(!deleted || sweeping.through >= 2, "what is deleted is condemned");
        deleted
    })
}

#[test]
fn a_removed_file_goes_after_a_grace_by_both_clocks() {
    let (manifest, mut around) = ground();
    assert!(forgets(&manifest, &around, 900));
    assert!(!forgets(&manifest, &around, 899), "the grace is not over by the manifest's clock");
    around.store_now = Timestamp(899);
    assert!(!forgets(&manifest, &around, 1_000_000), "nor by the store's");
    around.store_now = Timestamp(900);
    assert!(forgets(&manifest, &around, 1_000_000));
}

#[test]
fn what_was_seen_before_the_drop_deletes_nothing() {
    let (manifest, mut around) = ground();
    around.looked_on = 7;
    assert!(!forgets(&manifest, &around, 1_000));
    around.looked_on = 8;
    assert!(forgets(&manifest, &around, 1_000));
}

#[test]
fn a_lease_holds_what_its_manifest_listed_and_what_was_born_since() {
    let check = |leases: Vec<HeldLease>, expected: bool| {
        let (manifest, mut around) = ground();
        around.leases = leases.clone();
        around.store_now = Timestamp(1_100 + TTL_MICROS);
        assert_eq!(forgets(&manifest, &around, 1_000), expected, "{leases:?}");
    };
    check(vec![], true);
    check(vec![lease(7, 1_100)], false);
    check(vec![lease(8, 1_100)], true);
    check(vec![lease(7, 1_099)], true);
    check(vec![lease(9, 1_100), lease(7, 1_100)], false);
    // It was born at 2: the holder of a lease on 2 may be about to publish it again.
    check(vec![lease(2, 1_100)], false);
}

#[test]
fn orphans_go_once_they_are_condemned() {
    let check = |born: u64, leases: Vec<HeldLease>, expected: bool| {
        let (manifest, mut around) = ground();
        (around.history, around.leases) = (vec![object(name(born, 9), 0)], leases);
        let sweeping = sweeping(&manifest, &around, Timestamp(0), GRACE);
        let swept = sweeping.is_some_and(|found| found.objects.contains(&name(born, 9)));
        assert_eq!(swept, expected, "born at {born}");
    };
    check(9, vec![], true);
    check(10, vec![], true);
    check(11, vec![], false);
    check(5, vec![lease(5, 1_000)], false);
    check(4, vec![lease(5, 1_000)], true);
    let (manifest, mut around) = ground();
    around.history.push(object("history/of-something-else".into(), 0));
    let found = sweeping(&manifest, &around, Timestamp(0), GRACE).expect("there are old manifests");
    assert!(!found.objects.iter().any(|name| name.starts_with("history/")));
}

#[test]
fn manifests_go_but_the_newest_and_those_from_a_lease_on() {
    let kept = |leases: Vec<HeldLease>, store_now: i64| -> Vec<u64> {
        let (manifest, mut around) = ground();
        (around.leases, around.store_now) = (leases, Timestamp(store_now));
        let found = sweeping(&manifest, &around, Timestamp(0), GRACE);
        let gone = found.map(|found| found.objects).unwrap_or_default();
        (1..=10).filter(|number| !gone.contains(&names::manifest(*number))).collect()
    };
    assert_eq!(kept(vec![], 5_000), [10]);
    assert_eq!(kept(vec![], 800), [8, 9, 10]);
    assert_eq!(kept(vec![lease(4, 1_000)], 5_000), [4, 5, 6, 7, 8, 9, 10]);
}

#[test]
fn leases_that_have_ended_and_old_scratch_go() {
    let (manifest, mut around) = ground();
    (around.manifests, around.history) = (Vec::new(), Vec::new());
    around.store_now = Timestamp(1_001 + TTL_MICROS);
    // One that has just ended is left for a grace: its holder may be about to renew it.
    let (dead, ended) = (lease(3, 1_000 - GRACE), lease(3, 1_001 - GRACE));
    around.leases = vec![dead.clone(), ended];
    around.scratch =
        vec![object("clock/old".into(), 0), object("clock/new".into(), TTL_MICROS + 950)];
    let found = sweeping(&manifest, &around, Timestamp(0), GRACE).expect("there is something");
    assert_eq!(found.objects, ["clock/old".to_owned(), dead.name]);
    (around.leases, around.scratch) = (Vec::new(), Vec::new());
    assert_eq!(sweeping(&manifest, &around, Timestamp(0), GRACE), None);
}

/// Manifests one a hundred ticks, each of which lists random files, and a look from some time.
struct Scene {
    manifest: Manifest,
    around: Surroundings,
    clock: Timestamp,
    /// What each manifest lists, from none on.
    lists: Vec<BTreeSet<String>>,
    removed: Vec<Removed>,
}

/// When manifest `number` was published.
fn at(number: u64) -> i64 {
    i64::try_from(number).expect("it is small") * 100
}

fn scene(seed: u64) -> Scene {
    let mut dice = Dice(seed);
    let count = dice.between(1, 15);
    let mut plane = Plane::new(seed);
    plane.times = vec![1, 2];
    let mut lists: Vec<BTreeSet<String>> = vec![BTreeSet::new()];
    let mut removed = Vec::new();
    let mut history = Vec::new();
    for number in 1..=count {
        let mut list = lists[lists.len() - 1].clone();
        let at = Timestamp(i64::try_from(number).expect("it is small") * 100);
        let gone: Vec<_> = list.iter().filter(|_| dice.one_in(4)).cloned().collect();
        for name in gone {
            list.remove(&name);
            removed.push(Removed { name, bytes: 7, since: number, at });
        }
        for _ in 0..dice.below(3) {
            plane.manifest.number = number - 1;
            let name = plane.delta(1, 2).name;
            history.push(object(name.clone(), at.0 - 50));
            if dice.one_in(2) {
                list.insert(name);
            }
        }
        lists.push(list);
    }
    removed.sort_by(|left, right| left.name.cmp(&right.name));
    let mut manifest = plane.manifest;
    (manifest.number, manifest.removed) = (count, removed.clone());
    let looked_on = dice.between(1, count);
    let manifests = (1..=looked_on).map(|number| object(names::manifest(number), at(number)));
    let store_now = Timestamp(at(looked_on) + i64::try_from(dice.below(300)).expect("it is"));
    let leases: Vec<_> = (0..dice.below(3))
        .map(|_| {
            let renewed = store_now.0 - if dice.one_in(2) { TTL_MICROS + 1 } else { 50 };
            lease(dice.between(1, looked_on), renewed)
        })
        .collect();
    let history = history.into_iter().filter(|object| object.modified <= store_now).collect();
    let around = Surroundings {
        looked_on,
        store_now,
        leases,
        manifests: manifests.collect(),
        history,
        scratch: Vec::new(),
    };
    let clock = Timestamp(at(count) + i64::try_from(dice.below(400)).expect("it is small"));
    let files = lists[lists.len() - 1].iter().map(|name| {
        let mut entry = plane_file();
        entry.name.clone_from(name);
        entry
    });
    manifest.files = files.collect();
    Scene { manifest, around, clock, lists, removed }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn nothing_that_is_held_is_deleted(seed in any::<u64>()) {
        let Scene { manifest, around, clock, lists, removed } = scene(seed);
        let (count, looked_on) = (manifest.number, around.looked_on);
        let store_now = around.store_now;
        let Some(found) = sweeping(&manifest, &around, clock, GRACE) else { return Ok(()) };
        let leased = around.oldest_leased().unwrap_or(count);
        for name in &found.objects {
            let newest = &lists[lists.len() - 1];
            prop_assert!(!newest.contains(name), "it is listed");
            for list in &lists[usize::try_from(leased).expect("it is small")..] {
                prop_assert!(!list.contains(name), "a lease holds {name}");
            }
            if let Some(gone) = removed.iter().find(|removed| removed.name == *name) {
                prop_assert!(gone.at.0 + GRACE <= clock.0.min(store_now.0), "within its grace");
                prop_assert!(gone.since <= looked_on);
            }
            if let Some(parsed) = names::parse_history(name) {
                prop_assert!(parsed.born <= found.through, "it is condemned first");
            }
            if let Some(number) = names::parse_manifest(name) {
                prop_assert!(number < count && number < leased.max(1));
                prop_assert!(at(number) + GRACE <= store_now.0);
            }
        }
        prop_assert!(found.through <= count && found.through >= manifest.swept);
    }
}

fn plane_file() -> foldback_log_tier::manifest::HistoryEntry {
    let mut plane = Plane::new(0);
    plane.times = vec![1, 2];
    plane.delta(1, 2)
}
