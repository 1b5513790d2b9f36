//! Bringing a dropped table back: its last state, as a new table that is protected again.

use std::ops::ControlFlow;

use super::Database;
use crate::{
    Error, Progress, RestoreOptions, RestoreProtection, Restored, Result, Selection, TableRef,
    Target, table_ref,
};

impl Database {
    /// Brings a dropped table back: restores its last state, that of the commit before the drop,
    /// into a new table under its old name, or under `new_name`. The new table is protected from
    /// the commit that shows it on, with the retention that the old one had; its lineage names the
    /// old one, whose windows stay what they are. A name means the last table of that name that was
    /// dropped and can be restored.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if the table is live; [`Error::OutsideWindow`] or [`Error::NotProtected`]
    /// if its last state is not kept; [`Error::TableExists`] if the name is taken;
    /// [`Error::TableNotFound`]; [`Error::WhichTable`]; and as [`Self::restore_with`].
    pub fn undrop_table(
        &self,
        table: impl Into<TableRef>,
        new_name: Option<&str>,
        watch: &mut dyn FnMut(Progress),
    ) -> Result<Restored> {
        let catalog = self.inner.log.catalog();
        let record = table_ref::choose_dropped(&self.past(), &catalog, &table.into())?;
        if record.protection.is_empty() {
            return Err(Error::NotProtected { name: record.name });
        }
        let new_name = new_name.unwrap_or(&record.name);
        catalog.check_name_is_free(new_name)?;
        let plan = self.plan(record.id, Target::Latest, &Selection::all())?;
        let options = RestoreOptions {
            protection: RestoreProtection::AsOfTarget,
            reason: Some("undrop".to_owned()),
            ..RestoreOptions::default()
        };
        self.restore_with(&plan, new_name, &options, &mut |progress| {
            watch(progress);
            ControlFlow::Continue(())
        })
    }
}
