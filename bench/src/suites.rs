//! The suites as commands: their options, and how they are run and shown.

pub(crate) mod asof;
pub(crate) mod commit;
pub(crate) mod common;
pub(crate) mod compact;
pub(crate) mod engines;
pub(crate) mod growth;
pub(crate) mod instructions;
pub(crate) mod link;
pub(crate) mod memory;
pub(crate) mod postgres;
pub(crate) mod read;
pub(crate) mod restore;
pub(crate) mod start;
pub(crate) mod storage;
