//! Manifests, also behind a right checksum.

use foldback_log_tier::manifest::Manifest;
use foldback_log_tier::names;

use super::{Door, accepted};
use crate::fuzz::samples::Sample;
use crate::golden::damage::seal_manifest;

pub(super) fn doors(samples: &[Sample]) -> Vec<Door> {
    vec![manifests(samples), manifests_behind_right_checksums(samples)]
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

fn inputs(samples: &[Sample]) -> Vec<Vec<u8>> {
    let encoded = samples.iter().map(|sample| sample.manifest.encode());
    encoded.map(|bytes| bytes.expect("it keeps the rules").to_vec()).collect()
}
