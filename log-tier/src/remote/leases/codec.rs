//! A lease as bytes: JSON for people, with a checksum in its last line, as a manifest has it.

use bytes::Bytes;
use serde::Deserialize;

use super::{LEASE_BYTES_MAX, LEASE_FORMAT, Lease};
use crate::fs::to_length;
use crate::{Error, Result, checked_json};

impl Lease {
    /// The bytes of this lease.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] if they are more than [`LEASE_BYTES_MAX`], which only a long holder
    /// makes them.
    ///
    /// # Panics
    ///
    /// When its format is not [`LEASE_FORMAT`].
    pub fn encode(&self) -> Result<Bytes> {
        assert_eq!(self.format, LEASE_FORMAT, "this release writes one format of leases");
        let text = checked_json::encode(self);
        if to_length(text.len()) > LEASE_BYTES_MAX {
            return Err(Error::Unsupported(format!(
                "a lease has at most {LEASE_BYTES_MAX} bytes, and this one would have {}: name \
                 what it is for in fewer words",
                text.len()
            )));
        }
        Ok(text.into())
    }

    /// The lease that the object `name` holds as `bytes`.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] if any byte is not as written; [`Error::Unsupported`] if a later release
    /// wrote them.
    pub fn decode(name: &str, bytes: &[u8]) -> Result<Self> {
        let damaged = |reason: String| Error::corrupt(name, 0, reason);
        let fields =
            checked_json::checked(bytes, "a lease").map_err(|(_, reason)| damaged(reason))?;
        let fields = fields.strip_suffix(b",\n");
        let no_comma = || damaged("its fields do not end in a comma".to_owned());
        let mut document = fields.ok_or_else(no_comma)?.to_vec();
        document.push(b'}');
        let head: LeaseHead =
            serde_json::from_slice(&document).map_err(|error| damaged(error.to_string()))?;
        if head.format > LEASE_FORMAT {
            return Err(Error::Unsupported(format!(
                "{name} has lease format {}, and this release reads up to {LEASE_FORMAT}: upgrade \
                 foldback to the release that wrote it, or a later one",
                head.format
            )));
        }
        let lease: Self =
            serde_json::from_slice(&document).map_err(|error| damaged(error.to_string()))?;
        if lease.format != LEASE_FORMAT {
            return Err(damaged(format!("there is no lease format {}", lease.format)));
        }
        Ok(lease)
    }
}

/// What every format has, and what tells the format.
#[derive(Deserialize)]
struct LeaseHead {
    format: u32,
}
