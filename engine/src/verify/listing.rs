//! The first two levels: what the bucket lists, compared with what its newest manifest does, and
//! the manifests with each other.

use std::collections::{BTreeMap, BTreeSet};

use foldback_log_tier::manifest::Manifest;
use foldback_log_tier::names;
use foldback_log_tier::remote::ListedObject;

use super::VerifyLevel;
use crate::Result;
use crate::examination::{Damage, Examination, damage};

/// What a listing came to.
#[derive(Clone, Debug, Default)]
pub(super) struct Listing {
    /// What is wrong, and at which of the two levels.
    pub(super) wrong: Vec<(VerifyLevel, Damage)>,
    pub(super) unlisted_files: u64,
    pub(super) unlisted_bytes: u64,
}

/// Asks the bucket what history files it holds, in one listing.
pub(super) fn list(examined: &Examination) -> Result<Vec<ListedObject>> {
    let remote = examined.remote().clone();
    let listed = async move { remote.list_with_times(names::HISTORY_PREFIX).await };
    Ok(examined.network.run(listed)?)
}

/// Compares what the bucket lists with what the manifest does.
pub(super) fn compare(
    manifest: &Manifest,
    objects: &[ListedObject],
    level: VerifyLevel,
) -> Listing {
    let there: BTreeMap<_, _> =
        objects.iter().map(|object| (object.name.as_str(), object.bytes)).collect();
    let mut listing = Listing::default();
    for file in &manifest.files {
        match there.get(file.name.as_str()) {
            None => {
                let reason = "it is not in the bucket, and the newest manifest lists it";
                listing.wrong.push((VerifyLevel::List, Damage::of(&file.name, None, reason)));
            }
            Some(bytes) if *bytes != file.bytes && level >= VerifyLevel::Size => {
                let end = file.bytes.min(*bytes);
                let reason = format!("it has {bytes} bytes, and {} were written", file.bytes);
                listing.wrong.push((VerifyLevel::Size, Damage::of(&file.name, Some(end), reason)));
            }
            Some(_) => {}
        }
    }
    let files = manifest.files.iter().map(|file| file.name.as_str());
    let known: BTreeSet<_> =
        files.chain(manifest.removed.iter().map(|removed| removed.name.as_str())).collect();
    for object in objects.iter().filter(|object| !known.contains(object.name.as_str())) {
        listing.unlisted_files += 1;
        listing.unlisted_bytes += object.bytes;
    }
    listing
}

/// Reads every manifest of the bucket, and compares each with the one before it: what only rises
/// must not have gone back. An older one may be deleted meanwhile.
pub(super) fn check_manifests(examined: &Examination) -> Result<Vec<Damage>> {
    let remote = examined.remote().clone();
    let numbers = examined.network.run(async move { remote.list_manifests().await })?;
    let (mut wrong, mut before): (Vec<Damage>, Option<Manifest>) = (Vec::new(), None);
    for number in numbers {
        let remote = examined.remote().clone();
        match examined.network.run(async move { remote.manifest(number).await }) {
            Ok(None) => {}
            Ok(Some(manifest)) => {
                let broken = before.as_ref().and_then(|before| breaks_chain(before, &manifest));
                let name = names::manifest(number);
                wrong.extend(broken.map(|reason| Damage::of(&name, None, reason)));
                before = Some(manifest);
            }
            Err(error) => wrong.push(damage(error.into())?),
        }
    }
    Ok(wrong)
}

/// How `after` can't follow on `before`, if it can't.
fn breaks_chain(before: &Manifest, after: &Manifest) -> Option<String> {
    let number = before.number;
    if before.database != after.database {
        return Some(format!(
            "it is of database {}, and manifest {number} before it of {}",
            after.database, before.database
        ));
    }
    let rises = [
        ("epoch", before.epoch <= after.epoch),
        ("clock", before.clock <= after.clock),
        ("sealed", before.sealed <= after.sealed),
        ("swept", before.swept <= after.swept),
    ];
    let back = rises.iter().find(|(_, rises)| !rises)?;
    Some(format!("its {:?} is less than in manifest {number} before it", back.0))
}

#[cfg(test)]
mod tests;
