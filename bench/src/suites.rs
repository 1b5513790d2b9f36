//! The suites as commands: their arguments, and how each is run and shown.

pub(crate) mod instructions;
pub(crate) mod postgres;
