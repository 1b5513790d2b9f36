//! The steps that change what is kept of a history, bring one back, or read it where it lies.

use foldback::{Error, KeyRange, Retention, TableRef, Target, Window};

use super::{Runner, UNDO_SECS};
use crate::model::reference::{Answer, Model, ModelTable};
use crate::model::steps::{Aim, NAMES};
use crate::support::{State, collect, rows};

impl Runner {
    pub(super) fn set_retention(&mut self, table: usize, retention: Retention) {
        let name = NAMES[table];
        self.model.note_horizons();
        let set = self.database().set_retention(name, retention);
        let stamp = self.model.clock_now().max(self.model.least());
        match self.model.live(name) {
            None => assert!(matches!(set, Err(Error::TableNotFound { .. })), "{set:?}"),
            Some(live) if !live.is_protected() => {
                assert!(matches!(set, Err(Error::NotProtected { .. })), "{set:?}");
            }
            Some(live) if !live.would_change(retention, stamp) => {
                assert!(matches!(set, Err(Error::AlreadyProtected { .. })), "{set:?}");
            }
            Some(_) => {
                let commit = self.model.commit();
                assert_eq!(set.expect("it is protected"), commit);
                let undo_micros = i64::try_from(UNDO_SECS).expect("short") * 1_000_000;
                let live = self.model.live_mut(name).expect("it is live");
                live.set_retention(commit, retention, undo_micros);
            }
        }
    }

    pub(super) fn discard(&mut self, table: usize) {
        let name = NAMES[table];
        // By its name the table may be one that was dropped.
        let Some(id) = self.model.live(name).map(|table| table.id) else { return };
        let discarded = self.database().discard_history(id);
        let is_kept = self.model.live(name).is_some_and(ModelTable::has_kept_history);
        if !is_kept {
            assert!(matches!(discarded, Err(Error::NotProtected { .. })), "{discarded:?}");
            return;
        }
        let commit = self.model.commit();
        assert_eq!(discarded.expect("it has a history"), commit);
        self.model.live_mut(name).expect("it is live").discard(commit);
    }

    pub(super) fn undrop(&mut self, table: usize) {
        let name = NAMES[table];
        // Nothing is to go while answers are compared.
        self.database().compact().expect("history can be read");
        let windows_of = |table: &ModelTable| -> Vec<Window> {
            let mut windows = self.database().windows(table.id).unwrap_or_default();
            self.model.check_windows(table, &windows);
            // What holds no instant is in no window, and may have been given up.
            let is_kept = |window: &Window| {
                self.database().resolve(table.id, Target::Seq(window.last)).is_ok()
            };
            windows.extend(Model::within_one_instant(table).filter(is_kept));
            windows
        };
        let dropped = self.model.all_dropped(name);
        let of_each: Vec<_> = dropped.iter().map(|table| (*table, windows_of(table))).collect();
        let restorable = of_each.iter().find(|(_, windows)| !windows.is_empty());
        let chosen = restorable.or(of_each.first());
        let expected = chosen.map(|(table, windows)| self.model.resolve_last(table, windows));
        let source = chosen.map(|(table, _)| (*table).clone());
        let is_taken = self.model.live(name).is_some();

        let back = self.database().undrop_table(TableRef::from(name), None, &mut |_| {});
        match (expected, source) {
            (None, _) | (_, None) if is_taken => {
                assert!(matches!(back, Err(Error::Invalid(_))), "{back:?}");
            }
            (None, _) | (_, None) => {
                assert!(matches!(back, Err(Error::TableNotFound { .. })), "{back:?}");
            }
            (Some(Answer::NotProtected), _) => {
                assert!(matches!(back, Err(Error::NotProtected { .. })), "{back:?}");
            }
            _ if is_taken => assert!(matches!(back, Err(Error::TableExists { .. })), "{back:?}"),
            (Some(Answer::Is(resolved)), Some(source)) => {
                let state = source.state(resolved.commit.seq);
                let back = back.expect("its last state is kept");
                let commit = self.model.commit();
                assert_eq!((back.commit, back.target), (commit, resolved.commit));
                assert_eq!(rows(self.database(), name), state);
                self.model.create(back.table, name, commit, Some(&state));
                let retention = source.last_retention(resolved.commit);
                let record = self.database().table_record(name).expect("it is live");
                let protection = record.open_protection().expect("it is protected again");
                assert_eq!(protection.retention, retention);
                self.model.live_mut(name).expect("it is live").protect(commit, retention);
            }
            (Some(_), Some(_)) => {
                assert!(matches!(back, Err(Error::OutsideWindow { .. })), "{back:?}");
            }
        }
    }

    pub(super) fn view(&mut self, table: usize, aim: &Aim) {
        self.check_view();
        let Some((target, resolved)) = self.resolve(table, aim) else { return };
        let name = NAMES[table];
        let live = self.database().table(name).expect("it is live");
        let view = live.as_of(target).expect("it is restorable");
        assert_eq!(view.commit(), resolved.commit);
        let state = self.model.live(name).expect("it is live").state(resolved.commit.seq);
        self.viewed = Some((view, state));
        self.check_view();
    }

    /// Compares what the view that is kept answers, whatever has happened since it was taken.
    fn check_view(&self) {
        let Some((view, state)) = &self.viewed else { return };
        for key in [b"".as_slice(), b"a", b"a\xff", b"ab", b"\xff", b"\0", b"never"] {
            let value = view.get(key).expect("history can be read");
            assert_eq!(value.as_deref(), state.get(key).map(Vec::as_slice), "{key:?}");
        }
        let keys = KeyRange { from: "a".into(), until: Some("b".into()) };
        let mut expected: State = state.clone();
        expected.retain(|key, _| keys.contains(key));
        assert_eq!(collect(view.range(&keys).expect("history can be read")), expected);
        assert_eq!(collect(view.scan().expect("history can be read")), *state);
    }
}
