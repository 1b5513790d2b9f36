//! The integration tests of the command line, and of the workspace as a whole.

mod commands;
mod duckdb;
mod git;
mod histories;
mod outage;
mod proxy;
mod repository;
mod s3;
mod s3_servers;
mod tidy;
mod tour;
mod workplace;
