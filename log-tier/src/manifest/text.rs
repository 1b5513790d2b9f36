//! Keys as text: printable ASCII as it is, every other byte and the backslash as `\xNN`.

use bytes::Bytes;

/// `key` as text that a person can read and [`decode`] takes back.
#[must_use]
pub fn encode(key: &[u8]) -> String {
    let mut text = String::with_capacity(key.len());
    for byte in key {
        if is_plain(*byte) {
            text.push(char::from(*byte));
        } else {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// The key that [`encode`] wrote as `text`.
///
/// # Errors
///
/// A sentence about what is wrong, for any text that [`encode`] does not write. So a key has one
/// text only, and texts can be compared in place of keys.
pub fn decode(text: &str) -> Result<Bytes, String> {
    let mut key = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if is_plain(*first) {
            key.push(*first);
            rest = after;
            continue;
        }
        let byte = escaped(rest).ok_or_else(|| {
            let at = text.len() - rest.len();
            format!("the key {text:?} has neither a printable character nor \\xNN at byte {at}")
        })?;
        key.push(byte);
        rest = &rest[ESCAPE_BYTES..];
    }
    Ok(key.into())
}

/// Length of `\xNN`.
const ESCAPE_BYTES: usize = 4;

/// The byte whose escape `rest` begins with, if it does and that byte is one that needs it.
fn escaped(rest: &[u8]) -> Option<u8> {
    let digits = rest.get(..ESCAPE_BYTES)?.strip_prefix(b"\\x")?;
    let high = hex_digit(digits[0])?;
    let low = hex_digit(digits[1])?;
    let byte = high * 16 + low;
    (!is_plain(byte)).then_some(byte)
}

fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

const fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'\\'
}

/// For `#[serde(with)]` on a key.
pub mod key {
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes a key as text.
    pub fn serialize<S: Serializer>(key: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::encode(key))
    }

    /// Reads a key from text.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        super::decode(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// For `#[serde(with)]` on a range of keys: an object of `from`, and of `until` where there is one.
pub mod range {
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::KeyRange;

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct RangeText {
        #[serde(with = "super::key")]
        from: Bytes,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<KeyText>,
    }

    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct KeyText(#[serde(with = "super::key")] Bytes);

    /// Writes a range as its two ends.
    pub fn serialize<S: Serializer>(range: &KeyRange, serializer: S) -> Result<S::Ok, S::Error> {
        let until = range.until.clone().map(KeyText);
        RangeText { from: range.from.clone(), until }.serialize(serializer)
    }

    /// Reads a range from its two ends.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<KeyRange, D::Error> {
        let RangeText { from, until } = RangeText::deserialize(deserializer)?;
        Ok(KeyRange { from, until: until.map(|KeyText(key)| key) })
    }
}
