//! Doors: the places where bytes or text from outside come in, each with sound inputs and with
//! what must hold of any other input.

use super::samples::Sample;

mod backups;
mod commits;
mod frames;
mod history;
mod manifests;
mod texts;

/// One way in.
pub(crate) struct Door {
    /// What it is called in a report.
    pub(crate) name: &'static str,
    /// How many inputs it is given before the next door's turn: more where one costs less.
    pub(crate) inputs_a_turn: usize,
    /// Sound inputs.
    pub(crate) inputs: Vec<Vec<u8>>,
    /// What to do with an input.
    pub(crate) check: Check,
}

/// Hands in an input that was made of the sound one with this number, and says whether it was
/// accepted. Panics if what must hold does not.
type Check = Box<dyn Fn(usize, &[u8]) -> bool>;

/// All doors.
pub(crate) fn all(samples: &[Sample]) -> Vec<Door> {
    let mut doors = frames::doors(samples);
    doors.extend(history::doors(samples));
    doors.extend(commits::doors(samples));
    doors.extend(manifests::doors(samples));
    doors.extend(backups::doors(samples));
    doors.extend(texts::doors(samples));
    doors
}

/// What a reader made of an input, unless it refused it: as damaged, or as not for this release.
/// Panics at any other error.
fn accepted<T>(result: foldback_log_tier::Result<T>) -> Option<T> {
    use foldback_log_tier::Error::{Corrupt, Unsupported};
    match result {
        Ok(made) => Some(made),
        Err(Corrupt { .. } | Unsupported(_)) => None,
        Err(error) => panic!("neither damaged nor unsupported: {error}"),
    }
}
