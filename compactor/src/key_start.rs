//! The beginning of a key as a number, for what compares keys far more often than it reads them.

/// Bytes of a key that a [`KeyStart`] holds.
const KEY_START_BYTES: usize = 15;

/// The bytes of a key after those that all keys share, as a number that is ordered as they are.
///
/// Its lowest byte is how many bytes there are, or one more than fit. So the starts of two keys
/// that fit are equal only if the keys are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyStart(u128);

impl KeyStart {
    /// The start of a key behind its first `shared` bytes.
    pub(crate) fn of(key: &[u8], shared: usize) -> Self {
        let rest = &key[shared..];
        let mut bytes = [0; KEY_START_BYTES + 1];
        let held = rest.len().min(KEY_START_BYTES);
        bytes[..held].copy_from_slice(&rest[..held]);
        let length = rest.len().min(KEY_START_BYTES + 1);
        bytes[KEY_START_BYTES] = u8::try_from(length).expect("it is at most 16");
        Self(u128::from_be_bytes(bytes))
    }

    /// Whether it holds all of the key, so that no other key has the same.
    pub(crate) fn is_whole(self) -> bool {
        usize::from(self.0.to_be_bytes()[KEY_START_BYTES]) <= KEY_START_BYTES
    }
}
