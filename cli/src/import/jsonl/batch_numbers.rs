//! Remembers which batch numbers were finished lately, so that one that comes back is noticed.

use std::collections::{HashMap, VecDeque};

/// How many finished batches are remembered. Batches that are mixed up stand near each other, and
/// a file may have more batches than memory has room for.
const FINISHED_MAX: usize = 65_536;

/// The batch numbers finished lately, with the last line of each.
#[derive(Debug, Default)]
pub(super) struct BatchNumbers {
    lines: HashMap<i128, u64>,
    /// The same numbers, oldest first.
    order: VecDeque<i128>,
}

impl BatchNumbers {
    /// The last line of the batch with this number, when it was finished lately.
    pub(super) fn line_of(&self, number: i128) -> Option<u64> {
        self.lines.get(&number).copied()
    }

    /// Remembers a batch that ended on `line`, and forgets the oldest where that is one too many.
    pub(super) fn add(&mut self, number: i128, line: u64) {
        if self.order.len() == FINISHED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.lines.remove(&oldest);
        }
        self.lines.insert(number, line);
        self.order.push_back(number);
    }
}
