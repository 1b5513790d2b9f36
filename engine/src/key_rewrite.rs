//! Changing the beginning of every key on the way out of a restore.

use bytes::{BufMut, Bytes, BytesMut};
use foldback_log_tier::KeyRange;

use crate::config::KEY_BYTES_MAX;
use crate::{Error, Result, Selection};

/// Puts one beginning of keys in the place of another.
///
/// It is only taken where every selected key begins with what is replaced: so no two keys become
/// one, and their order stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRewrite {
    /// What every selected key begins with.
    pub prefix: Bytes,
    /// What the keys begin with instead; with nothing, the prefix is taken off.
    pub replacement: Bytes,
}

impl KeyRewrite {
    /// The key that `key`, which begins with the prefix, becomes.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if it would be longer than [`KEY_BYTES_MAX`], or nothing would be left of
    /// it, or it does not begin with the prefix.
    pub fn apply(&self, key: &[u8]) -> Result<Bytes> {
        let refused = |why: &str| {
            let key = key.escape_ascii();
            let old = self.prefix.escape_ascii();
            let new = self.replacement.escape_ascii();
            Error::Invalid(format!("with \"{old}\" replaced by \"{new}\", key \"{key}\" {why}"))
        };
        let Some(rest) = key.strip_prefix(self.prefix.as_ref()) else {
            return Err(refused("would stay as it is"));
        };
        let bytes = self.replacement.len() + rest.len();
        if bytes > KEY_BYTES_MAX {
            return Err(refused(&format!("would have {bytes} bytes, {KEY_BYTES_MAX} is the most")));
        }
        if bytes == 0 {
            return Err(refused(
                "would be empty; leave that key out, or keep a part of the prefix",
            ));
        }
        let mut rewritten = BytesMut::with_capacity(bytes);
        rewritten.put_slice(&self.replacement);
        rewritten.put_slice(rest);
        Ok(rewritten.freeze())
    }

    /// Refuses a selection with keys that do not begin with the prefix.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`].
    pub fn check(&self, selection: &Selection) -> Result<()> {
        match selection.lies_in(&KeyRange::prefix(&self.prefix)) {
            true => Ok(()),
            false => Err(Error::Invalid(format!(
                "the prefix \"{}\" can't be replaced, as keys are selected that may not begin with \
                 it; select keys with that prefix only",
                self.prefix.escape_ascii()
            ))),
        }
    }
}

#[cfg(test)]
mod tests;
