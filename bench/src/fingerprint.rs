//! What a state is known by, whoever holds it: a count of rows and a sum of their hashes.
//!
//! The order of rows plays no part, so that a peer need not sort; SHA-256 is in every language.

use ring::digest::{SHA256, digest};

/// A count of rows, and the sum modulo 2⁶⁴ of the first eight bytes, little-endian, of the SHA-256
/// of `key`, a zero byte, and `value`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint {
    /// Rows.
    pub rows: u64,
    /// The sum.
    pub sum: u64,
}

impl Fingerprint {
    /// Adds a row.
    pub fn add(&mut self, key: &[u8], value: &[u8]) {
        let row = [key, &[0], value].concat();
        let hash = digest(&SHA256, &row);
        let first: [u8; 8] = hash.as_ref()[..8].try_into().expect("it has 32 bytes");
        self.rows += 1;
        self.sum = self.sum.wrapping_add(u64::from_le_bytes(first));
    }
}
