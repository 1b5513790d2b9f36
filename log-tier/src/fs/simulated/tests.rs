//! The simulated faults are as harsh as they say, and reproducible.

use std::collections::BTreeSet;
use std::path::Path;

use super::SimulatedFs;
use crate::fs::Fs;

const ROOT: &str = "/root";

/// A file whose first 512 bytes are synced, and three sectors after them not.
fn half_synced() -> SimulatedFs {
    let fs = SimulatedFs::new();
    fs.create_directory(Path::new(ROOT)).expect("created");
    let file = fs.create(&Path::new(ROOT).join("file")).expect("created");
    file.write_at(0, &[1; 512]).expect("written");
    file.sync().expect("synced");
    fs.sync_directory(Path::new(ROOT)).expect("synced");
    file.write_at(512, &[2; 3 * 512]).expect("written");
    fs
}

fn content(fs: &SimulatedFs) -> Vec<u8> {
    let file = fs.open(&Path::new(ROOT).join("file"), false).expect("opened");
    file.read_at(0, 1 << 20).expect("read")
}

fn after_crash(seed: u64) -> Vec<u8> {
    let fs = half_synced();
    fs.crash(seed);
    content(&fs)
}

#[test]
fn a_crash_keeps_what_was_synced_and_any_sectors_of_the_rest() {
    let outcomes: BTreeSet<_> = (0..200).map(after_crash).collect();
    assert!(outcomes.iter().all(|content| content[..512] == [1; 512]));
    let sector_sets = 8;
    assert_eq!(outcomes.len(), 1 + sector_sets, "the old length, or any sectors at the new one");
}

#[test]
fn the_same_seed_crashes_the_same_way() {
    assert!((0..50).all(|seed| after_crash(seed) == after_crash(seed)));
}

#[test]
fn unsynced_names_are_lost_or_kept_but_a_rename_is_whole() {
    let mut outcomes = BTreeSet::new();
    for seed in 0..100 {
        let fs = half_synced();
        let path = |name: &str| Path::new(ROOT).join(name);
        fs.create(&path("new")).expect("created");
        fs.rename(&path("file"), &path("renamed")).expect("renamed");
        fs.crash(seed);
        outcomes.insert(fs.list(Path::new(ROOT)).expect("listed").join(" "));
    }
    let expected = ["file", "file new", "new renamed", "renamed"].map(str::to_owned);
    assert_eq!(outcomes, BTreeSet::from(expected));
}

#[test]
fn what_a_failed_sync_did_not_write_is_seen_until_the_crash_only() {
    let fs = half_synced();
    let file = fs.open(&Path::new(ROOT).join("file"), true).expect("opened");
    fs.fail_syncs();
    file.sync().expect_err("syncs fail");
    assert_eq!(content(&fs)[512..], [2; 3 * 512]);
    fs.kill();
    let file = fs.open(&Path::new(ROOT).join("file"), true).expect("opened");
    file.sync().expect("faults are healed");
    fs.crash(0);
    assert_ne!(content(&fs)[512..], [2; 3 * 512], "a second sync does not bring bytes back");
}

#[test]
fn a_full_disk_takes_what_fits() {
    let fs = half_synced();
    let file = fs.open(&Path::new(ROOT).join("file"), true).expect("opened");
    fs.limit_space(10);
    file.write_at(2048, &[3; 11]).expect_err("one byte too many");
    assert_eq!(content(&fs).len(), 2058);
    file.write_at(0, &[4; 512]).expect("overwriting needs no space");
}

#[test]
fn the_nth_operation_fails_and_a_crash_ends_all_handles() {
    let fs = half_synced();
    let file = fs.open(&Path::new(ROOT).join("file"), true).expect("opened");
    fs.fail_operation(2);
    file.len().expect("the first");
    file.len().expect_err("the second");
    let lock = fs.lock(&Path::new(ROOT).join("lock")).expect("locked");
    fs.kill();
    file.len().expect_err("opened by a dead process");
    let held = fs.lock(&Path::new(ROOT).join("lock")).expect("the lock died with its process");
    drop(lock);
    fs.lock(&Path::new(ROOT).join("lock")).expect_err("a dead lock releases nothing");
    drop(held);
}
