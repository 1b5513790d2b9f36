//! Cases that a point-in-time recovery must get right, each named after its number and what it is
//! about; ARCHITECTURE.md lists them.

mod bucket;
mod clocks;
mod commits;
mod compaction;
mod instants;
mod lives;
mod place;
mod restores;
mod retention;
