use std::collections::{BTreeMap, BTreeSet};

use super::*;

const RECORDS: u64 = 1_000;
const OPERATIONS: u64 = 20_000;

fn client(options: YcsbOptions) -> Ycsb {
    Ycsb::new(options, 0, 1).expect("the options are possible")
}

fn kind(operation: &Operation, known: &BTreeSet<Vec<u8>>) -> &'static str {
    match operation {
        Operation::Get { .. } => "read",
        Operation::Range { .. } => "range",
        Operation::Put { key, .. } if known.contains(key) => "update",
        Operation::Put { .. } => "insert",
        Operation::Delete { .. } => "delete",
        Operation::ReadThenPut { .. } => "read, update",
    }
}

fn key_of(operation: &Operation) -> &Vec<u8> {
    match operation {
        Operation::Get { key }
        | Operation::Range { first: key, .. }
        | Operation::Put { key, .. }
        | Operation::Delete { key }
        | Operation::ReadThenPut { key, .. } => key,
    }
}

/// Shares in hundredths, and every key that is read is there.
fn check(mix: YcsbMix, expected: &[(&str, u64)]) {
    let mut client = client(YcsbOptions::usual(mix, RECORDS, 3));
    let mut known: BTreeSet<_> = client.load().map(|(key, _)| key).collect();
    assert_eq!(known.len() as u64, RECORDS, "keys are told apart");
    let mut counts: BTreeMap<_, u64> = BTreeMap::new();
    for _ in 0..OPERATIONS {
        let operation = client.operation();
        let kind = kind(&operation, &known);
        *counts.entry(kind).or_default() += 1;
        let is_new = known.insert(key_of(&operation).clone());
        assert!(!is_new || kind == "insert", "{mix}: {kind} of a key that is not there");
    }
    let kinds: Vec<_> = expected.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(counts.keys().copied().collect::<Vec<_>>(), kinds, "{mix}");
    for (kind, share) in expected {
        let wanted = OPERATIONS * share / 100;
        let off = counts[kind].abs_diff(wanted);
        assert!(off < OPERATIONS / 50, "{mix}: {kind} {} instead of {wanted}", counts[kind]);
    }
}

#[test]
fn each_mix_has_its_shares() {
    check(YcsbMix::A, &[("read", 50), ("update", 50)]);
    check(YcsbMix::B, &[("read", 95), ("update", 5)]);
    check(YcsbMix::C, &[("read", 100)]);
    check(YcsbMix::D, &[("insert", 5), ("read", 95)]);
    check(YcsbMix::E, &[("insert", 5), ("range", 95)]);
    check(YcsbMix::F, &[("read", 50), ("read, update", 50)]);
}

/// How often the most frequent tenth of the keys is met, in hundredths.
fn share_of_hottest_tenth(keys: YcsbKeys) -> u64 {
    let options = YcsbOptions { keys, ..YcsbOptions::usual(YcsbMix::C, RECORDS, 4) };
    let mut client = client(options);
    let mut counts: BTreeMap<_, u64> = BTreeMap::new();
    for _ in 0..OPERATIONS {
        *counts.entry(key_of(&client.operation()).clone()).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_values().collect();
    counts.sort_unstable_by(|left, right| right.cmp(left));
    let hottest = usize::try_from(RECORDS / 10).expect("it is small");
    counts[..hottest.min(counts.len())].iter().sum::<u64>() * 100 / OPERATIONS
}

#[test]
fn keys_are_met_as_evenly_or_unevenly_as_was_asked_for() {
    assert!(share_of_hottest_tenth(YcsbKeys::Uniform) < 20);
    let mild = share_of_hottest_tenth(YcsbKeys::Zipfian(0.5));
    let steep = share_of_hottest_tenth(YcsbKeys::Zipfian(0.99));
    assert!((25..55).contains(&mild) && (60..85).contains(&steep), "{mild} {steep}");
    assert!((60..85).contains(&share_of_hottest_tenth(YcsbKeys::Latest(0.99))));
}

/// D reads what was inserted last much oftener than what was loaded first.
#[test]
fn latest_follows_what_is_inserted() {
    let mut client = client(YcsbOptions::usual(YcsbMix::D, RECORDS, 5));
    let loaded: BTreeSet<_> = client.load().map(|(key, _)| key).collect();
    let operations = (0..OPERATIONS).map(|_| client.operation());
    let reads = operations.filter(|operation| !operation.is_write()).skip(10_000);
    let (old, new): (Vec<_>, Vec<_>) =
        reads.partition(|operation| loaded.contains(key_of(operation)));
    assert!(new.len() > 4 * old.len(), "{} of new keys, {} of old", new.len(), old.len());
}

#[test]
fn a_seed_determines_everything_and_clients_insert_apart() {
    let options = YcsbOptions::usual(YcsbMix::D, RECORDS, 6);
    let run = |options, client| {
        let mut client = Ycsb::new(options, client, 2).expect("the options are possible");
        (0..2_000).map(|_| client.operation()).collect::<Vec<_>>()
    };
    assert_eq!(run(options, 0), run(options, 0));
    assert_ne!(run(options, 0), run(options, 1));
    assert_ne!(run(options, 0), run(YcsbOptions { seed: 7, ..options }, 0));
    let inserts = |client| {
        let writes = run(options, client).into_iter().filter(Operation::is_write);
        writes.map(|operation| key_of(&operation).clone()).collect::<BTreeSet<_>>()
    };
    assert!(inserts(0).len() > 50 && inserts(0).is_disjoint(&inserts(1)));
}

#[test]
fn options_that_are_not_possible_are_refused() {
    let usual = YcsbOptions::usual(YcsbMix::A, RECORDS, 1);
    let refused = [
        YcsbOptions { records: 0, ..usual },
        YcsbOptions { key_bytes: Sizes::Uniform(8, 20), ..usual },
        YcsbOptions { keys: YcsbKeys::Zipfian(1.0), ..usual },
        YcsbOptions { compressibility: 0.5, ..usual },
    ];
    for options in refused {
        assert!(matches!(Ycsb::new(options, 0, 1), Err(Error::Input(_))), "{options:?}");
    }
    for text in ["uniform", "zipfian:0.9", "latest:0.5"] {
        let keys: YcsbKeys = text.parse().expect("it is known");
        assert_eq!(keys.to_string(), text);
    }
    for text in ["", "zipf", "zipfian:1", "latest:x", "uniform:0.9"] {
        assert!(text.parse::<YcsbKeys>().is_err(), "{text}");
    }
    assert_eq!("f".parse::<YcsbMix>().expect("it is known"), YcsbMix::F);
    assert!("G".parse::<YcsbMix>().is_err());
}

#[test]
fn keys_have_the_sizes_that_were_asked_for() {
    let key_bytes = Sizes::Uniform(16, 32);
    let client = client(YcsbOptions { key_bytes, ..YcsbOptions::usual(YcsbMix::A, 5_000, 1) });
    let sizes: BTreeSet<_> = client.load().map(|(key, _)| key.len()).collect();
    assert_eq!((sizes.first(), sizes.last(), sizes.len()), (Some(&16), Some(&32), 17));
    let keys: BTreeSet<_> = client.load().map(|(key, _)| key).collect();
    assert_eq!(keys.len(), 5_000);
}
