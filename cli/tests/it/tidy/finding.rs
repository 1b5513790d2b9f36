//! What a rule has found: where, and what to do about it.

use std::fmt;

/// One breach of one rule.
#[derive(Debug)]
pub(crate) struct Finding {
    file: String,
    line: usize,
    advice: String,
}

impl Finding {
    /// A breach at `line` of `file`, counted from 1. A breach by the file as a whole is at line 1.
    pub(crate) fn new(file: &str, line: usize, advice: impl Into<String>) -> Self {
        Self { file: file.to_string(), line, advice: advice.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.file, self.line, self.advice)
    }
}
