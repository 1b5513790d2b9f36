//! One thing that a client asks of an engine, whichever workload it comes from.

/// An operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Reads one key.
    Get {
        /// The key.
        key: Vec<u8>,
    },
    /// Reads so many rows in the order of their keys.
    Range {
        /// The key to begin at; it need not be there.
        first: Vec<u8>,
        /// Rows at most.
        rows: u64,
    },
    /// Writes one key, new or not.
    Put {
        /// The key.
        key: Vec<u8>,
        /// What it holds from now on.
        value: Vec<u8>,
    },
    /// Removes one key, there or not.
    Delete {
        /// The key.
        key: Vec<u8>,
    },
    /// Reads one key, and then writes it.
    ReadThenPut {
        /// The key.
        key: Vec<u8>,
        /// What it holds from now on.
        value: Vec<u8>,
    },
}

impl Operation {
    /// Whether it changes anything.
    #[must_use]
    pub fn is_write(&self) -> bool {
        matches!(self, Self::Put { .. } | Self::Delete { .. } | Self::ReadThenPut { .. })
    }
}
