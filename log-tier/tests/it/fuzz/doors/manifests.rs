//! Manifests and leases, also behind a right checksum.

use foldback_log_tier::manifest::Manifest;
use foldback_log_tier::names;
use foldback_log_tier::remote::{LEASE_FORMAT, Lease};

use super::{Door, accepted};
use crate::fuzz::samples::Sample;
use crate::golden::damage::seal_manifest;

pub(super) fn doors(samples: &[Sample]) -> Vec<Door> {
    vec![
        manifests(samples),
        manifests_behind_right_checksums(samples),
        leases(samples),
        leases_behind_right_checksums(samples),
    ]
}

/// No manifest is accepted under a name but the one that was published under it.
fn manifests(samples: &[Sample]) -> Door {
    let sound: Vec<_> = samples.iter().map(|sample| sample.manifest.clone()).collect();
    let check = move |number: usize, input: &[u8]| {
        let name = names::manifest(sound[number].number);
        accepted(Manifest::decode(&name, input)).is_some_and(|manifest| {
            assert_eq!(manifest, sound[number]);
            true
        })
    };
    let inputs = inputs(samples);
    Door { name: "manifest", inputs_a_turn: 32, inputs, check: Box::new(check) }
}

/// Any manifest that its checksum vouches for is refused, or keeps the rules.
fn manifests_behind_right_checksums(samples: &[Sample]) -> Door {
    let numbers: Vec<_> = samples.iter().map(|sample| sample.manifest.number).collect();
    let check = move |number: usize, input: &[u8]| {
        let name = names::manifest(numbers[number]);
        let mut input = input.to_vec();
        seal_manifest(&mut input);
        let Some(manifest) = accepted(Manifest::decode(&name, &input)) else { return false };
        let bytes = manifest.encode().expect("it keeps the rules");
        let again = Manifest::decode(&name, &bytes).expect("it was encoded");
        assert_eq!(again, manifest);
        true
    };
    let inputs = inputs(samples);
    let name = "manifest behind right checksums";
    Door { name, inputs_a_turn: 16, inputs, check: Box::new(check) }
}

/// No lease is accepted with other content than was put.
fn leases(samples: &[Sample]) -> Door {
    let sound: Vec<_> = samples.iter().map(lease).collect();
    let check = move |_, input: &[u8]| {
        accepted(Lease::decode("lease", input)).is_some_and(|lease| {
            assert!(sound.contains(&lease), "{lease:?}");
            true
        })
    };
    Door { name: "lease", inputs_a_turn: 32, inputs: lease_inputs(samples), check: Box::new(check) }
}

/// Any lease that its checksum vouches for is refused, or one that can be put.
fn leases_behind_right_checksums(samples: &[Sample]) -> Door {
    let check = |_, input: &[u8]| {
        let mut input = input.to_vec();
        seal_manifest(&mut input);
        let Some(lease) = accepted(Lease::decode("lease", &input)) else { return false };
        // A text can grow when it is written again, and a lease has a greatest length.
        let Some(bytes) = accepted(lease.encode()) else { return true };
        assert_eq!(Lease::decode("lease", &bytes).expect("it was encoded"), lease);
        true
    };
    let inputs = lease_inputs(samples);
    let name = "lease behind right checksums";
    Door { name, inputs_a_turn: 16, inputs, check: Box::new(check) }
}

fn lease_inputs(samples: &[Sample]) -> Vec<Vec<u8>> {
    let encoded = samples.iter().map(|sample| lease(sample).encode());
    encoded.map(|bytes| bytes.expect("it is short").to_vec()).collect()
}

fn lease(sample: &Sample) -> Lease {
    let Manifest { database, number: manifest, epoch, writer, .. } = &sample.manifest;
    let holder = format!("restore of {writer}");
    let (database, manifest) = (*database, *manifest);
    Lease { format: LEASE_FORMAT, database, manifest, holder, ttl_secs: *epoch }
}

fn inputs(samples: &[Sample]) -> Vec<Vec<u8>> {
    let encoded = samples.iter().map(|sample| sample.manifest.encode());
    encoded.map(|bytes| bytes.expect("it keeps the rules").to_vec()).collect()
}
