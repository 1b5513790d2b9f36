//! The integration tests of the command line, and of the workspace as a whole.

mod commands;
mod duckdb;
mod git;
mod histories;
mod s3;
mod tidy;
mod workplace;
