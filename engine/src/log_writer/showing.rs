//! Groups that were written are applied side by side, and shown and answered in the order of the
//! log: whoever applies the first that is not shown yet shows it, with those behind it that were
//! applied meanwhile.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use foldback_log_tier::local_log::SegmentInfo;
use foldback_log_tier::{Commit, Seq};

use super::{LogView, Reply};
use crate::Result;
use crate::health::Health;
use crate::present::Present;

/// Keeps the order in which groups are shown.
pub(super) struct Showing {
    view: Arc<LogView>,
    present: Arc<Present>,
    health: Arc<Health>,
    turns: Mutex<Turns>,
    /// Told when all groups that have a turn are shown, or given up.
    caught_up: Condvar,
}

/// `shown <= given`; `ended` holds none below `shown`.
#[derive(Default)]
struct Turns {
    /// How many groups have been given a turn.
    given: u64,
    /// How many of them were shown, or given up.
    shown: u64,
    /// Those whose turn has not come; `None` was given up.
    ended: BTreeMap<u64, Option<AppliedGroup>>,
}

impl Turns {
    /// The group whose turn it is, if it has ended.
    fn take_next(&mut self) -> Option<Option<AppliedGroup>> {
        let group = self.ended.remove(&self.shown)?;
        self.shown += 1;
        Some(group)
    }
}

/// A group that was applied, to be shown and answered.
pub(super) struct AppliedGroup {
    /// Its last commit.
    pub(super) last: Seq,
    /// The segments with it.
    pub(super) segments: Vec<SegmentInfo>,
    pub(super) replies: Vec<(Reply<Commit>, Commit)>,
}

/// What a writer is told, and where.
type Answer = (Reply<Commit>, Result<Commit>);

/// The answers of groups that were shown. They are given when no lock is held: whoever hears one
/// may commit again at once.
#[must_use = "writers wait for their answers"]
pub(super) struct Answers(Vec<Answer>);

impl Answers {
    pub(super) fn give(self) {
        for (reply, answer) in self.0 {
            let _ = reply.send(answer);
        }
    }
}

/// The place of a group that was written. One that is dropped gives the group up, and with it the
/// way its answers would take: the database halts then.
pub(super) struct Turn {
    showing: Arc<Showing>,
    number: u64,
    has_ended: bool,
}

impl Showing {
    pub(super) fn new(view: Arc<LogView>, present: Arc<Present>, health: Arc<Health>) -> Self {
        let (turns, caught_up) = (Mutex::default(), Condvar::new());
        Self { view, present, health, turns, caught_up }
    }

    /// The turn of the group that was just written; whoever calls this still holds the writer, so
    /// turns are given in the order of the log.
    pub(super) fn turn(self: &Arc<Self>) -> Turn {
        let mut turns = self.lock();
        let number = turns.given;
        turns.given += 1;
        Turn { showing: Arc::clone(self), number, has_ended: false }
    }

    /// Waits until every group is shown that was written. Whoever calls this holds the writer, so
    /// none is added meanwhile.
    pub(super) fn catch_up(&self) {
        let mut turns = self.lock();
        while turns.shown < turns.given {
            turns = self.caught_up.wait(turns).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn end(&self, number: u64, group: Option<AppliedGroup>) -> Answers {
        let mut turns = self.lock();
        turns.ended.insert(number, group);
        let mut shown = Vec::new();
        while let Some(group) = turns.take_next() {
            shown.extend(group.into_iter().flat_map(|group| self.show(group)));
        }
        if turns.shown == turns.given {
            self.caught_up.notify_all();
        }
        Answers(shown)
    }

    /// Shows a group, unless one before it was given up, which has halted the database; gives what
    /// is to be answered.
    fn show(&self, group: AppliedGroup) -> Vec<Answer> {
        let is_shown = self.health.halted().is_none();
        if is_shown {
            self.present.publish(group.last);
            self.view.show_segments(group.segments);
        }
        let answer =
            |commit| if is_shown { Ok(commit) } else { self.health.check().map(|()| commit) };
        group.replies.into_iter().map(|(reply, commit)| (reply, answer(commit))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// The group is applied: it is shown once all before it are, now or by whoever applies those.
    pub(super) fn end(mut self, group: AppliedGroup) -> Answers {
        self.has_ended = true;
        self.showing.end(self.number, Some(group))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.has_ended {
            // Whoever has died may have been dying before, which nobody was told of.
            self.showing
                .health
                .halt("commits were not applied, which is a bug in Foldback".to_owned());
            self.showing.end(self.number, None).give();
        }
    }
}

#[cfg(test)]
mod tests;
