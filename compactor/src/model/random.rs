//! Planes by chance: intervals with gaps, deltas of any length, whole bases and pieces of them.

use super::*;

impl Plane {
    /// A random history of a few tables without any file.
    pub(crate) fn random(seed: u64) -> Self {
        let mut plane = Self::new(seed);
        let tip = plane.dice.between(6, 40);
        let mut now = 1_000;
        for _ in 0..tip {
            now += i64::try_from(plane.dice.below(10)).expect("it is small");
            plane.times.push(now);
        }
        for table in 0..=plane.dice.between(1, 3) {
            plane.protect(TableId(table));
            plane.happen(TableId(table));
        }
        plane.events.sort_by_key(|row| row.seq);
        plane
    }

    fn protect(&mut self, table: TableId) {
        let retention = match self.dice.below(4) {
            0 => None,
            some => Some(i64::try_from(some * 20).expect("it is small")),
        };
        let catalog = Interval {
            table,
            first: Commit::ORIGIN,
            last: None,
            starts_empty: true,
            retention_micros: retention,
            shortens: None,
        };
        if table == TableId::CATALOG {
            self.intervals.push(catalog);
            return;
        }
        let mut at = self.dice.between(1, 6);
        loop {
            let last = self.dice.between(at + 1, at + 30);
            let last = (last < self.tip()).then(|| self.commit(last));
            let (first, starts_empty) = (self.commit(at), self.dice.one_in(2));
            self.intervals.push(Interval { first, last, starts_empty, ..catalog });
            let Some(last) = last else { break };
            at = last.seq.0 + self.dice.below(5);
            if at >= self.tip() || self.dice.one_in(3) {
                break;
            }
        }
    }

    fn happen(&mut self, table: TableId) {
        let chances = self.dice.between(1, 8);
        let idle_from = self.dice.between(3, 60);
        for seq in 1..=self.tip() {
            let begins =
                |interval: &Interval| interval.table == table && interval.first.seq.0 == seq;
            if self.intervals.iter().any(begins) || seq >= idle_from {
                continue;
            }
            let keys: Vec<_> = KEYS.into_iter().filter(|_| self.dice.one_in(chances * 2)).collect();
            for key in keys {
                let value = (!self.dice.one_in(3)).then_some(seq);
                self.events.push(Row { table, key, seq, value });
            }
        }
    }

    /// Seals up to somewhere near the tip, in deltas of any length.
    pub(crate) fn seal_at_random(&mut self) {
        while self.manifest.sealed.seq.0 < self.tip() {
            let first = self.manifest.sealed.seq.0 + 1;
            let last = self.dice.between(first, self.tip().min(first + 6));
            self.seal(last);
            if self.dice.one_in(30) {
                break;
            }
        }
    }

    /// Adds bases of an interval: whole, cut, or of a part of the keys that others hold too.
    pub(crate) fn add_bases(&mut self, interval: &Interval) {
        let end =
            interval.last.map_or(NEVER, |last| last.seq.0 - 1).min(self.manifest.sealed.seq.0);
        let begin = interval.floor(&self.manifest).unwrap_or(interval.first).seq.0.max(1);
        for _ in 0..self.dice.below(4) {
            if begin > end {
                return;
            }
            let at = self.dice.between(begin, end);
            let below = interval.bases(&self.manifest).filter(|base| base.last.seq.0 <= at);
            let whole = crate::cover(below, &[KeyRange::all()]).bare.is_empty();
            let keys = match self.dice.one_in(2) && whole {
                true => KeyRange {
                    from: if self.dice.one_in(2) { "b".into() } else { Bytes::new() },
                    until: self.dice.one_in(2).then(|| Bytes::from_static(b"e")),
                },
                false => KeyRange::all(),
            };
            let cuts: Vec<_> = KEYS.into_iter().filter(|_| self.dice.one_in(4)).collect();
            let mut files = self.base(interval, at, &keys, &cuts);
            for file in &mut files {
                self.extend(interval, file);
            }
            self.apply(&Change::Add(files), self.times[0]);
        }
    }

    /// Pins a state that is advertised, or lets go of a pin.
    pub(crate) fn pin_at_random(&mut self) {
        if !self.pins.is_empty() && self.dice.one_in(3) {
            let gone = self.dice.below(self.pins.len() as u64);
            self.pins.remove(usize::try_from(gone).expect("it is small"));
            return;
        }
        let own = self.dice.below(self.intervals.len() as u64);
        let interval = self.intervals[usize::try_from(own).expect("it is small")];
        let Some(earliest) = interval.earliest(&self.manifest) else { return };
        let end = interval.last.map_or(NEVER, |last| last.seq.0 - 1);
        let end = end.min(self.manifest.sealed.seq.0);
        if earliest.seq.0 <= end {
            let at = Seq(self.dice.between(earliest.seq.0, end));
            let empty_since = interval.floor(&self.manifest).unwrap_or(interval.first).seq;
            self.pins.push(Pin { interval, at, empty_since });
        }
    }

    /// Says of a base that it holds for longer, where that is true.
    fn extend(&mut self, interval: &Interval, base: &mut HistoryEntry) {
        if self.dice.one_in(2) {
            return;
        }
        let keys = base.scope.as_ref().expect("it is a base").keys.clone();
        let changes = |row: &&Row| {
            row.table == interval.table && row.seq > base.last.seq.0 && keys.contains(&[row.key])
        };
        let next = self.events.iter().filter(changes).map(|row| row.seq).min().unwrap_or(NEVER);
        let end = interval.last.map_or(NEVER, |last| last.seq.0);
        let end = (next.min(end) - 1).min(self.manifest.sealed.seq.0);
        if end > base.last.seq.0 {
            let until = self.dice.between(base.last.seq.0, end);
            base.until = Some(self.commit(until));
        }
    }
}
