//! A manifest as bytes: JSON for people, with a checksum in its last line.

use bytes::Bytes;
use serde::Deserialize;

use super::{FORMAT, Manifest};
use crate::fs::to_length;
use crate::{Error, Result, checked_json, names};

/// Greatest length of a manifest. Some 250 thousand files fit; a larger one is not read.
pub const MANIFEST_BYTES_MAX: u64 = 256 << 20;

impl Manifest {
    /// The bytes of this manifest.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] if it breaks a rule that [`Manifest::decode`] would refuse it for.
    pub fn encode(&self) -> Result<Bytes> {
        let name = names::manifest(self.number);
        self.check().map_err(|reason| {
            Error::corrupt(&name, 0, format!("it is not fit to be published: {reason}"))
        })?;
        let text = checked_json::encode(self);
        if to_length(text.len()) > MANIFEST_BYTES_MAX {
            let reason = format!("its {} bytes exceed {MANIFEST_BYTES_MAX}", text.len());
            return Err(Error::corrupt(name, MANIFEST_BYTES_MAX, reason));
        }
        Ok(text.into())
    }

    /// The manifest that the object `name` holds as `bytes`.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] if any byte is not as written, or what they say breaks a rule;
    /// [`Error::Unsupported`] if a later release wrote them.
    pub fn decode(name: &str, bytes: &[u8]) -> Result<Self> {
        let fields = checked_json::checked(bytes, "a manifest")
            .map_err(|(offset, reason)| Error::corrupt(name, to_length(offset), reason))?;
        let mut document = fields.trim_ascii_end().strip_suffix(b",").unwrap_or(fields).to_vec();
        document.push(b'}');
        let invalid = |error: &serde_json::Error| {
            Error::corrupt(name, byte_offset(&document, error), error.to_string())
        };
        let head: ManifestHead =
            serde_json::from_slice(&document).map_err(|error| invalid(&error))?;
        if head.format > FORMAT {
            return Err(Error::Unsupported(format!(
                "{name} has manifest format {}, and this release reads up to {FORMAT}: upgrade \
                 foldback to the release that wrote it, or a later one",
                head.format
            )));
        }
        let manifest: Self = serde_json::from_slice(&document).map_err(|error| invalid(&error))?;
        manifest.check().map_err(|reason| Error::corrupt(name, 0, reason))?;
        if names::parse_manifest(name) != Some(manifest.number) {
            let reason = format!("it says that it is manifest {}", manifest.number);
            return Err(Error::corrupt(name, 0, reason));
        }
        Ok(manifest)
    }
}

/// What every format has, and what tells the format.
#[derive(Deserialize)]
struct ManifestHead {
    format: u32,
}

/// Where in `document` the JSON reader stopped: it tells a line and a column, both from 1.
fn byte_offset(document: &[u8], error: &serde_json::Error) -> u64 {
    let lines_before = error.line().saturating_sub(1);
    let before: usize =
        document.split_inclusive(|byte| *byte == b'\n').take(lines_before).map(<[u8]>::len).sum();
    to_length(before + error.column().saturating_sub(1))
}
