//! Whether the database may still write: once halted it stays so until it is reopened.

use std::sync::OnceLock;

use crate::{Error, Result};

/// Set once, by whichever thread first fails in a way that it can't recover from.
#[derive(Debug, Default)]
pub(crate) struct Health {
    reason: OnceLock<String>,
}

impl Health {
    /// Stops all writing for good, for this reason unless there is an earlier one.
    pub(crate) fn halt(&self, reason: String) {
        tracing::error!(reason, "the database halts");
        // A second reason is a consequence of the first, which is the one worth telling.
        let _ = self.reason.set(reason);
    }

    /// Why writing stopped, if it did.
    pub(crate) fn halted(&self) -> Option<&str> {
        self.reason.get().map(String::as_str)
    }

    /// Refuses if the database has halted.
    pub(crate) fn check(&self) -> Result<()> {
        match self.reason.get() {
            Some(reason) => Err(Error::Halted { reason: reason.clone() }),
            None => Ok(()),
        }
    }
}
