//! A lease as bytes: JSON for people, with a checksum in its last line, as a manifest has it.

use bytes::Bytes;
use serde::Deserialize;

use super::{LEASE_BYTES_MAX, LEASE_FORMAT, Lease};
use crate::fs::to_length;
use crate::{Error, Result};

const CHECKSUM_BEFORE: &str = "  \"blake3\": \"";
const CHECKSUM_AFTER: &str = "\"\n}\n";
/// Hex digits of a BLAKE3 hash.
const HASH_DIGITS: usize = 64;
const CHECKSUM_BYTES: usize = CHECKSUM_BEFORE.len() + HASH_DIGITS + CHECKSUM_AFTER.len();

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
        let mut text = serde_json::to_string_pretty(self).expect("a lease has only text keys");
        let fields = text.strip_suffix("\n}").expect("pretty JSON of an object ends so").len();
        text.truncate(fields);
        text.push_str(",\n");
        let checksum = blake3::hash(text.as_bytes()).to_hex();
        text.push_str(CHECKSUM_BEFORE);
        text.push_str(&checksum);
        text.push_str(CHECKSUM_AFTER);
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
        let document = checked_document(bytes).map_err(damaged)?;
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

/// The document without its checksum, if that is right.
fn checked_document(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let (fields, line) = bytes
        .split_last_chunk::<CHECKSUM_BYTES>()
        .ok_or_else(|| format!("its {} bytes are too few for a lease", bytes.len()))?;
    let stated = line
        .strip_prefix(CHECKSUM_BEFORE.as_bytes())
        .and_then(|line| line.strip_suffix(CHECKSUM_AFTER.as_bytes()))
        .ok_or("it does not end in a line with its checksum")?;
    let actual = blake3::hash(fields).to_hex();
    if stated != actual.as_bytes() {
        let stated = String::from_utf8_lossy(stated);
        return Err(format!("the BLAKE3 of its fields is {actual}, and it says {stated:?}"));
    }
    let mut document =
        fields.strip_suffix(b",\n").ok_or("its fields do not end in a comma")?.to_vec();
    document.push(b'}');
    Ok(document)
}
