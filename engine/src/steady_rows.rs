//! Rows of a plan that go on when its files are replaced under it.

use bytes::Bytes;

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
}

impl<'a> SteadyRows<'a> {
    /// Goes on from `started`; `anew` starts the same state from where its events are by then.
    pub(crate) fn new(
        started: Result<PlanRows<'a>>,
        anew: impl Fn() -> Result<PlanRows<'a>> + 'a,
    ) -> Result<Self> {
        let rows = match started {
            Err(error) if is_gone(&error) => anew()?,
            started => started?,
        };
        Ok(Self { rows, anew: Box::new(anew), last: None, moments_left: MOMENTS_MAX - 1 })
    }

    /// Plans anew after `error`, or says that it stands.
    fn go_on(&mut self, error: crate::Error) -> Result<()> {
        if !is_gone(&error) || self.moments_left == 0 {
            return Err(error);
        }
        let rows = (self.anew)()?;
        if rows.manifest() == self.rows.manifest() {
            return Err(error);
        }
        tracing::info!(%error, "a file of the plan is gone; it goes on from a newer manifest");
        (self.rows, self.moments_left) = (rows, self.moments_left - 1);
        Ok(())
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
