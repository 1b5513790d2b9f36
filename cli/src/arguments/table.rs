//! The commands on tables as a whole, and how every command names a table.

use clap::{Args, Subcommand};
use foldback::{TableId, TableRef};

use crate::error::{Error, Result};
use crate::instant::InstantArg;
use crate::span::Retention;

/// What to do with tables.
#[derive(Debug, Subcommand)]
pub(crate) enum TableCommand {
    /// Create a table.
    Create {
        /// The name of the new table: at most 255 letters, digits, _, - and .
        name: String,
        /// Protect it at once, for so long: 35d, 12h, forever.
        #[arg(long, value_name = "RETENTION")]
        protect: Option<Retention>,
    },
    /// List the tables.
    List {
        /// Those that were dropped, and what of them can still be restored.
        #[arg(long)]
        dropped: bool,
    },
    /// Print all that is known of a table.
    Describe {
        #[command(flatten)]
        table: TableArgs,
    },
    /// Drop a table; its history stays until its retention passes.
    Drop {
        /// The table.
        name: String,
    },
    /// Bring a dropped table back as it was before the drop, protected again.
    Undrop {
        #[command(flatten)]
        table: TableArgs,
        /// The name that it gets; without it, its old one.
        #[arg(long = "as", value_name = "NEW_NAME")]
        new_name: Option<String>,
    },
}

/// Which table is meant.
#[derive(Debug, Args)]
pub(crate) struct TableArgs {
    /// The table; with an instant, the one that had this name then, live or dropped.
    #[arg(required_unless_present = "id", conflicts_with = "id")]
    table: Option<String>,
    /// The table with this id instead, live or dropped; `table list --dropped` shows ids.
    #[arg(long)]
    id: Option<u64>,
}

impl TableArgs {
    /// The table as the engine takes it.
    pub(crate) fn table(&self) -> TableRef {
        match (&self.table, self.id) {
            (_, Some(id)) => TableRef::Id(TableId(id)),
            (name, None) => name.as_deref().unwrap_or_default().into(),
        }
    }
}

/// Which instant of which table is asked for.
#[derive(Debug, Args)]
pub(crate) struct ResolveArgs {
    /// The table that has, or had, this name at the instant; left out with --id.
    #[arg(value_name = "TABLE", allow_hyphen_values = true)]
    first: String,
    /// The instant; see below.
    #[arg(value_name = "INSTANT", allow_hyphen_values = true)]
    second: Option<InstantArg>,
    /// The table with this id instead, live or dropped; `table list --dropped` shows ids.
    #[arg(long)]
    id: Option<u64>,
}

impl ResolveArgs {
    /// The table as the engine takes it, and the instant.
    pub(crate) fn asked(&self) -> Result<(TableRef, InstantArg)> {
        match (self.id, self.second) {
            (None, Some(instant)) => Ok((self.first.as_str().into(), instant)),
            (Some(id), None) => Ok((TableId(id).into(), self.first.parse()?)),
            (None, None) => {
                Err(Error::usage("say which instant of the table: resolve TABLE INSTANT"))
            }
            (Some(_), Some(_)) => {
                Err(Error::usage("name the table by its name or by its id, not by both"))
            }
        }
    }
}
