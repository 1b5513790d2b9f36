//! JSON for people with a checksum in its last line, as manifests and leases have it.
//!
//! The last line of fields is `  "blake3": "…"`, and the hash in it is of all bytes before that
//! line. So the whole is one JSON document, and it is verified without being written again.

use serde::Serialize;

const CHECKSUM_BEFORE: &str = "  \"blake3\": \"";
const CHECKSUM_AFTER: &str = "\"\n}\n";
/// Hex digits of a BLAKE3 hash.
pub(crate) const HASH_DIGITS: usize = 64;
const CHECKSUM_BYTES: usize = CHECKSUM_BEFORE.len() + HASH_DIGITS + CHECKSUM_AFTER.len();

/// The document of `value`, which has fields and only text for keys.
pub(crate) fn encode(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("its keys are text");
    let fields = text.strip_suffix("\n}").expect("pretty JSON of an object ends so").len();
    text.truncate(fields);
    text.push_str(",\n");
    let checksum = blake3::hash(text.as_bytes()).to_hex();
    text.push_str(CHECKSUM_BEFORE);
    text.push_str(&checksum);
    text.push_str(CHECKSUM_AFTER);
    text
}

/// The bytes before the checksum's line, if their hash is what that line says; else where they are
/// wrong, and why. `what` they are goes into the reason.
pub(crate) fn checked<'b>(bytes: &'b [u8], what: &str) -> Result<&'b [u8], (usize, String)> {
    let Some((fields, line)) = bytes.split_last_chunk::<CHECKSUM_BYTES>() else {
        return Err((bytes.len(), format!("its {} bytes are too few for {what}", bytes.len())));
    };
    let stated = line
        .strip_prefix(CHECKSUM_BEFORE.as_bytes())
        .and_then(|line| line.strip_suffix(CHECKSUM_AFTER.as_bytes()))
        .ok_or_else(|| (fields.len(), "it does not end in a line with its checksum".to_owned()))?;
    let actual = blake3::hash(fields).to_hex();
    if stated != actual.as_bytes() {
        let reason = format!(
            "the BLAKE3 of its first {} bytes is {actual}, and its last line says {:?}",
            fields.len(),
            String::from_utf8_lossy(stated)
        );
        return Err((0, reason));
    }
    Ok(fields)
}
