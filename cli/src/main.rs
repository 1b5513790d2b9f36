//! The command line of Foldback.

mod config;
mod error;
mod export;
mod human;
mod import;
mod instant;
mod output;
mod picture;
mod span;
mod suggest;

fn main() {}
