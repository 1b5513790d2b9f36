//! Rows of a plan that go on when its files are replaced under it.

use bytes::Bytes;
use foldback_compactor::ReadCount;

use crate::Result;
use crate::past::{MOMENTS_MAX, is_gone};
use crate::present::Row;
use crate::restore::PlanRows;

/// The rows of one state of a table, ascending by key.
///
/// Which state is known by a commit, so it is the same wherever its events lie. If a file is gone,
/// as a newer manifest names another in its place, the state is planned anew and goes on after the
/// last row. What the newest manifest names and is not there is lost: that is the error it was.
pub(crate) struct SteadyRows<'a> {
    rows: PlanRows<'a>,
    anew: Box<dyn Fn() -> Result<PlanRows<'a>> + 'a>,
    /// The key of the last row.
    last: Option<Bytes>,
    moments_left: usize,
    /// What was asked of the bucket for `rows` that others have taken the place of.
    read_before: ReadCount,
}

impl<'a> SteadyRows<'a> {
    /// Goes on from `started`; `anew` starts the same state from where its events are by then.
    pub(crate) fn new(
        started: Result<PlanRows<'a>>,
        anew: impl Fn() -> Result<PlanRows<'a>> + 'a,
    ) -> Result<Self> {
        let mut moments_left = MOMENTS_MAX;
        let mut rows = started;
        while moments_left > 1 && rows.as_ref().is_err_and(is_gone) {
            // Files can go away again while the state is planned anew.
            (rows, moments_left) = (anew(), moments_left - 1);
        }
        let (anew, read_before) = (Box::new(anew), ReadCount::default());
        Ok(Self { rows: rows?, anew, last: None, moments_left, read_before })
    }

    /// What was asked of the bucket so far.
    pub(crate) fn read_count(&self) -> ReadCount {
        self.read_before + self.rows.read_count()
    }

    /// Plans anew after `error`, or says that it stands.
    fn go_on(&mut self, error: crate::Error) -> Result<()> {
        let mut gone = error;
        while is_gone(&gone) && self.moments_left > 0 {
            self.moments_left -= 1;
            match (self.anew)() {
                Ok(rows) if rows.manifest() == self.rows.manifest() => break,
                Ok(rows) => {
                    tracing::info!(error = %gone, "a file is gone; a newer manifest goes on");
                    self.read_before = self.read_count();
                    self.rows = rows;
                    return Ok(());
                }
                Err(error) => gone = error,
            }
        }
        Err(gone)
    }
}

impl std::fmt::Debug for SteadyRows<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SteadyRows").field(&self.rows).finish()
    }
}

impl Iterator for SteadyRows<'_> {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.rows.next()? {
                Ok((key, _)) if self.last.as_ref().is_some_and(|last| key <= *last) => {}
                Ok((key, value)) => {
                    self.last = Some(key.clone());
                    return Some(Ok((key, value)));
                }
                Err(error) => match self.go_on(error) {
                    Ok(()) => {}
                    Err(error) => return Some(Err(error)),
                },
            }
        }
    }
}
