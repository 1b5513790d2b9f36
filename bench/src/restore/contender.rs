//! Who takes part in the restore suite.

/// Who restores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    /// Foldback by default settings.
    Foldback,
    /// Foldback whose history nobody folded or merged.
    FoldbackUnfolded,
    /// DuckDB: the greatest event number of each key first, then their values.
    DuckdbLate,
    /// DuckDB: `arg_max` over all events.
    DuckdbArgMax,
    /// surrealkv: a scan over all versions, into a new tree. Only a build with the feature `peers`
    /// has it.
    Surrealkv,
    /// PostgreSQL: a base backup of the beginning, and its log replayed from there.
    Postgres,
}

impl Contender {
    /// Everybody, in the order of the table.
    pub const ALL: [Self; 6] = [
        Self::Foldback,
        Self::FoldbackUnfolded,
        Self::DuckdbLate,
        Self::DuckdbArgMax,
        Self::Surrealkv,
        Self::Postgres,
    ];

    /// The name that the table shows.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Foldback => "foldback",
            Self::FoldbackUnfolded => "foldback, never folded",
            Self::DuckdbLate => "duckdb, late materialisation",
            Self::DuckdbArgMax => "duckdb, arg_max",
            Self::Surrealkv => "surrealkv, history scan",
            Self::Postgres => "postgresql, base and log",
        }
    }

    /// Where its database lies below that of the suite, of ours.
    #[must_use]
    pub const fn database(self) -> Option<&'static str> {
        match self {
            Self::Foldback => Some("folded"),
            Self::FoldbackUnfolded => Some("unfolded"),
            _ => None,
        }
    }

    /// Whether it is DuckDB.
    #[must_use]
    pub const fn is_duckdb(self) -> bool {
        matches!(self, Self::DuckdbLate | Self::DuckdbArgMax)
    }
}
